//! The outcomes of the wallet's forms, at addresses of their own, with the reason of a refusal.

use std::collections::VecDeque;
use std::fmt::{Debug, Display};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use wallet_api::fomo::UserId;
use wallet_api::{fomo, vas};
use wallet_client::CallError;
use wallet_core::{CodeMeta, Lang, Platform as _, in_words, with_wait};
use wallet_platform::{Digest, Failure};
use wallet_server::pages::{SIGN_IN, sign_in_first};

use super::Wanted;
use crate::words::sentence;

/// The advice about a problem, and the address of its page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Help {
    zh: &'static str,
    en: &'static str,
    to: Option<&'static str>,
}

/// This page and the sign-in page get the wallet's parameters, so that they lead back to the sheet.
const PASSWORD_PAGE: &str = "/wallet/password";

impl Help {
    /// The address of the page for it, if there is one.
    pub(super) fn href(&self, asked: &Wanted) -> Option<String> {
        self.to.map(|to| match to {
            PASSWORD_PAGE => asked.address(to),
            SIGN_IN => sign_in_first(&asked.address("/wallet")),
            to => to.to_owned(),
        })
    }

    pub(super) fn words(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::Zh => self.zh,
            Lang::En => self.en,
        }
    }
}

const SET_PASSWORD: Help =
    Help { zh: "设置支付密码", en: "Set a payment password", to: Some(PASSWORD_PAGE) };
const TYPE_AGAIN: Help = Help {
    zh: "核对后再输入；忘记了可以重新设置。",
    en: "Type it again. If you have forgotten it, set a new one.",
    to: Some(PASSWORD_PAGE),
};
const LOCKED: Help = Help {
    zh: "密码错误次数过多。请稍后再试，或设置新的支付密码以解除锁定。",
    en: "It was wrong too often. Wait, or set a new payment password: that ends the lock.",
    to: Some(PASSWORD_PAGE),
};
const WRONG_PASSWORD: (&str, &str) = ("支付密码错误", "Wrong payment password");
const GET_MONEY: Help =
    Help { zh: "领取沙箱的测试资金", en: "Get some of the sandbox's money", to: Some("#money") };
const BUY_AGAIN: Help =
    Help { zh: "回到商店重新下单", en: "Go back to the shop and order again", to: Some("/shop") };
const LOOK: Help = Help { zh: "查看你的记录", en: "Look at your history", to: Some("/wallet/history") };
const OTHER_USER: Help = Help {
    zh: "该订单属于另一位用户：请用下单时的用户登录后再付款。",
    en: "It is another user's: sign in as the user who ordered.",
    to: Some(SIGN_IN),
};
const WHOLE_LINK: Help = Help {
    zh: "核对链接是否完整，是否属于这个沙箱。",
    en: "Check that the link is complete and belongs to this sandbox.",
    to: None,
};
const NO_LINK: Help = Help {
    zh: "钱包的链接以 vaswallet://、vaslogin://、vaspay:// 或 lafiwallet:// 开头，商店会给出；链接页可以拆开它。",
    en: "A wallet's link begins with vaswallet://, vaslogin://, vaspay:// or lafiwallet://, and a shop shows it. The page on links takes one apart.",
    to: Some("/link"),
};
const SIGN_AGAIN: Help = Help {
    zh: "应用须修正；签名页说明哪里不同",
    en: "The app must fix its signature; the signature page shows the difference",
    to: Some("/sign"),
};
const SIGN_IN_ANEW: Help = Help {
    zh: "从应用重新开始登录：每个二维码只能用一次，应用的服务器须在运行。",
    en: "Start again at the app: each code can be used once, and the app's server must be running.",
    to: Some("/shop"),
};
const REGISTERED: Help = Help {
    zh: "应用的返回地址须在登记的安全域名内，或使用登记的 scheme。",
    en: "The app must return to its safe domain or its scheme.",
    to: None,
};

/// A status code, as the wallet shows it.
pub(super) trait Code: Copy + Display + Debug {
    /// The code's entry in the platform's table.
    fn meta(self) -> Option<&'static CodeMeta>;
    /// The wallet's own text in Chinese and English, where the platform's text is for developers.
    fn words(self) -> Option<(&'static str, &'static str)>;
    /// The advice for the user.
    fn help(self) -> Option<Help>;
}

impl Code for fomo::ErrorCode {
    fn meta(self) -> Option<&'static CodeMeta> {
        fomo::Fomo::META.code(self.code())
    }

    fn words(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::PwdWrong => Some(("这不是你的登录密码", "That is not your login password")),
            Self::WalletPwdWrong => Some(WRONG_PASSWORD),
            Self::NoPermission => Some(("这笔付款不是你的", "This payment is not yours")),
            _ => None,
        }
    }

    fn help(self) -> Option<Help> {
        Some(match self {
            Self::WalletPwdUnset => SET_PASSWORD,
            Self::WalletPwdWrong => TYPE_AGAIN,
            Self::InsufficientBalance => GET_MONEY,
            Self::TransferExpired => BUY_AGAIN,
            Self::TransferDone => LOOK,
            Self::NoPermission => OTHER_USER,
            Self::TransferUnknown | Self::MissingParameter => WHOLE_LINK,
            _ => return None,
        })
    }
}

impl Code for vas::ErrorCode {
    fn meta(self) -> Option<&'static CodeMeta> {
        vas::Vas::META.code(self.code())
    }

    fn words(self) -> Option<(&'static str, &'static str)> {
        // The wallet does not ask for a password that is not set.
        (self == Self::PwdWrong).then_some(WRONG_PASSWORD)
    }

    fn help(self) -> Option<Help> {
        Some(match self {
            Self::PwdWrong => TYPE_AGAIN,
            Self::InsufficientBalance => GET_MONEY,
            Self::OrderTaken => LOOK,
            Self::SignatureWrong => SIGN_AGAIN,
            Self::NotRegistered => REGISTERED,
            Self::LinkRefused | Self::AppUnknown => WHOLE_LINK,
            _ => return None,
        })
    }
}

/// Why a form failed, in both languages, and the advice.
#[derive(Clone)]
pub(super) struct NotDone {
    zh: String,
    en: String,
    pub(super) help: Option<Help>,
}

impl NotDone {
    /// A failure with the wallet's own text.
    pub(super) fn because(zh: &str, en: &str) -> Self {
        Self { zh: zh.to_owned(), en: en.to_owned(), help: None }
    }

    /// A failure with a text for each language.
    pub(super) fn in_words_of(words: impl Fn(Lang) -> String) -> Self {
        Self { zh: words(Lang::Zh), en: words(Lang::En), help: None }
    }

    /// A link that cannot be read.
    pub(super) fn unreadable(words: impl Fn(Lang) -> String) -> Self {
        Self { help: Some(NO_LINK), ..Self::in_words_of(|lang| sentence(&words(lang))) }
    }

    /// A login that the user approved and the app rejected.
    pub(super) fn not_taken(app: &str, why: &str) -> Self {
        let zh = format!("你已同意，但应用 {app} 没有接受：{why}");
        let en = format!("You have consented, but {app} did not accept the login: {why}");
        Self { help: Some(SIGN_IN_ANEW), ..Self::because(&zh, &en) }
    }

    /// A refusal with this code, in both languages.
    pub(super) fn by_code<C: Code>(code: C) -> Self {
        let known = code.meta().map_or(("", ""), |known| (known.text.zh, known.text.en));
        let (zh, en) = code.words().unwrap_or(known);
        Self { help: code.help(), ..Self::because(zh, en) }
    }

    /// A failure of the sandbox's own store.
    pub(super) fn failed(failure: &Failure) -> Self {
        Self::in_words_of(|lang| wallet_server::pages::in_words(lang, failure))
    }

    /// The failure of a call. The platform's message is in one language; its code has a text in both.
    pub(super) fn of<E, C: Code>(error: &CallError<E, C>, lang: Lang) -> Self
    where
        E: std::error::Error + 'static,
    {
        let CallError::Refused(refused) = error else {
            return Self::in_words_of(|_| in_words(error));
        };
        let Some(known) = refused.code.meta() else { return Self::in_words_of(|_| refused.message.clone()) };
        let by_code = Self::by_code(refused.code);
        // After the code's text the message may have the seconds of a lock, or the name of a field.
        let text = known.text.in_lang(lang);
        let more = refused.message.strip_prefix(text).unwrap_or_default();
        let number = more.split(|c: char| !c.is_ascii_digit()).find_map(|number| number.parse().ok());
        let wait =
            number.map(Duration::from_secs).filter(|wait| with_wait(text, *wait, lang) == refused.message);
        match wait {
            Some(wait) => {
                let locked = by_code.help.map(|help| if help == TYPE_AGAIN { LOCKED } else { help });
                Self { help: locked, ..Self::in_words_of(|lang| with_wait(by_code.words(lang), wait, lang)) }
            }
            None if more.is_empty() => by_code,
            None => Self {
                help: by_code.help,
                ..Self::in_words_of(|other| match other == lang {
                    true => refused.message.clone(),
                    false => by_code.words(other).to_owned(),
                })
            },
        }
    }

    pub(super) fn words(&self, lang: Lang) -> &str {
        match lang {
            Lang::Zh => &self.zh,
            Lang::En => &self.en,
        }
    }
}

/// The outcome of a form.
#[derive(Clone)]
pub(super) enum Outcome {
    Paid {
        app: String,
        amount: String,
        transfer_id: String,
        onward: String,
    },
    SignedIn {
        app: String,
        address: String,
        /// The address that the user goes on to.
        onward: Option<String>,
        /// The app's HTTP status to the wallet; `None` when the browser opens the address.
        said: Option<String>,
    },
    Submitted {
        order_id: String,
        txid: String,
        onward: Option<String>,
    },
    PasswordSet,
    MoneyCame,
    NotDone(NotDone),
}

/// The last outcomes, each for its own session. A form redirects to an address that shows its outcome, in
/// either language: a reload does not send the form again.
#[derive(Default)]
pub(crate) struct Outcomes(Mutex<IndexMap<UserId, VecDeque<KeptOutcome>>>);

struct KeptOutcome {
    session: Digest,
    id: u64,
    outcome: Outcome,
}

/// The most users with kept outcomes, and the most outcomes per user: no user evicts another user's outcomes.
const USERS: usize = 1000;
const EACH: usize = 8;

impl Outcomes {
    /// `id` is unique, also across restarts of the sandbox.
    pub(super) fn put(&self, user: UserId, session: Digest, id: u64, outcome: Outcome) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut own = kept.shift_remove(&user).unwrap_or_default();
        if kept.len() >= USERS {
            kept.shift_remove_index(0);
        }
        own.truncate(EACH - 1);
        own.push_front(KeptOutcome { session, id, outcome });
        kept.insert(user, own);
    }

    pub(super) fn get(&self, user: UserId, session: Digest, id: u64) -> Option<Outcome> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept_outcome = kept
            .get(&user)?
            .iter()
            .find(|kept_outcome| kept_outcome.session == session && kept_outcome.id == id);
        kept_outcome.map(|kept_outcome| kept_outcome.outcome.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_pushes_out_no_outcome_of_another() {
        let vault = wallet_platform::Vault::new(
            std::sync::Arc::new(wallet_crypto::Portable::new()),
            &wallet_core::Secret::new([7; 32]),
            [9; 32],
        );
        let (alice, bob) = (vault.hash("alice"), vault.hash("bob"));
        let (hers, his) = (UserId::new(1), UserId::new(2));
        let kept = Outcomes::default();
        kept.put(hers, alice, 1, Outcome::PasswordSet);
        (2..3000).for_each(|id| kept.put(his, vault.hash(&format!("bob {id}")), id, Outcome::MoneyCame));
        kept.put(his, bob, 3000, Outcome::MoneyCame);
        assert!(matches!(kept.get(hers, alice, 1), Some(Outcome::PasswordSet)));
        assert!(kept.get(his, bob, 1).is_none() && kept.get(hers, bob, 1).is_none(), "each session's own");
        assert!(kept.get(his, bob, 3000).is_some());
        let before = |id: u64| kept.get(his, vault.hash(&format!("bob {id}")), id).is_some();
        assert!(before(2993) && !before(2992), "the last of each");
        (10..1009).for_each(|user| kept.put(UserId::new(user), bob, 1, Outcome::MoneyCame));
        assert!(kept.get(hers, alice, 1).is_none(), "not without end");
    }
}
