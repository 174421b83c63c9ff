//! The wallet's sheet: an app's request, or its outcome.

use wallet_api::fomo::{ErrorCode, Trade, TradeId, TransferId};
use wallet_api::vas::{self, AnyLink, OrderState};
use wallet_client::CallError;
use wallet_core::address::Address;
use wallet_core::{Lang, VerifyingKey, link};
use wallet_crypto::{PublicKey, RsaVerify};
use wallet_platform::{CheckPay, Failure, FindOrder, OrderChain, Refused, VasApp, VasOrder, after_login};
use wallet_server::pages::View;
use wallet_store::Clock as _;

use super::forms::no_number;
use super::outcomes::{NotDone, Outcome};
use super::{Wallet, Wanted, wallet_of};
use crate::data::found;

/// An app's request, or its outcome.
pub(super) enum Sheet {
    None,
    /// A FOMO payment (R33).
    Pending {
        app: String,
        amount: String,
        coin: String,
        transfer_id: String,
        trade_id: String,
        seconds: i64,
    },
    /// A login by link.
    Login {
        app: String,
        wallet: &'static str,
        back: String,
        link: String,
    },
    /// An order by link.
    Pay {
        app: String,
        wallet: &'static str,
        amount: String,
        asset: String,
        order_id: String,
        note: String,
        link: String,
    },
    /// The outcome, and the address that the wallet opens next.
    Done {
        what: String,
        facts: Vec<(String, String)>,
        onward: Option<String>,
    },
}

/// The start page of an address's host.
fn start_page(address: &str) -> Option<String> {
    let address = Address::split(address).filter(Address::is_http)?;
    Some(format!("{}://{}/", address.scheme, address.authority))
}

impl Sheet {
    /// Whether it waits for a decision: then nothing else of the page can be used.
    pub(super) fn is_modal(&self) -> bool {
        matches!(self, Self::Pending { .. } | Self::Login { .. } | Self::Pay { .. })
    }

    /// Whether it asks for a payment.
    pub(super) fn is_payment(&self) -> bool {
        matches!(self, Self::Pending { .. } | Self::Pay { .. })
    }

    /// An outcome as a sheet of its own.
    pub(super) fn done(view: &View, outcome: &Outcome) -> Option<Self> {
        let say = |zh, en| view.say(zh, en).to_owned();
        let back = say("返回地址", "goes back to");
        Some(match outcome.clone() {
            Outcome::Paid { app, amount, transfer_id, onward } => Self::Done {
                what: say("已支付", "Paid"),
                facts: vec![
                    (say("付款给", "to"), app),
                    (say("金额", "amount"), amount),
                    ("transfer_id".to_owned(), transfer_id),
                    (back, onward.clone()),
                ],
                onward: Some(onward),
            },
            Outcome::SignedIn { app, address, onward, said } => {
                let said = said.map(|said| (say("应用的应答", "the app says"), said));
                Self::Done {
                    what: format!("{} {app}", say("已登录", "Signed in to")),
                    facts: [(back, address)].into_iter().chain(said).collect(),
                    onward,
                }
            }
            Outcome::Submitted { order_id, txid, onward } => Self::Done {
                what: say(
                    "已提交；约 5 秒后有区块确认",
                    "Submitted. A block confirms it within about five seconds",
                ),
                facts: [(say("订单", "order"), order_id), ("txid".to_owned(), txid)]
                    .into_iter()
                    .chain(onward.clone().map(|onward| (back, onward)))
                    .collect(),
                onward,
            },
            Outcome::PasswordSet | Outcome::MoneyCame | Outcome::NotDone(_) => return None,
        })
    }
}

/// Why a link cannot be paid, and the next step; the platform's text where the wallet has no better one.
pub(crate) fn cannot_be_paid(lang: Lang, no: &Refused, app: &VasApp, asset: &str) -> String {
    let (unit, decimals, zh) = (app.profile.asset(), vas::limits::AMOUNT_DECIMALS, lang == Lang::Zh);
    let is = |refusal: vas::Refusal| no.reason == refusal;
    match no.field {
        Some("assetType") if is(vas::Refusal::NotPayable) && zh => {
            format!("无法支付：这个应用收 {unit}，链接要的是 {asset}。应用须改正 assetType。")
        }
        Some("assetType") if is(vas::Refusal::NotPayable) => format!(
            "This cannot be paid: the app takes {unit}, but the link has {asset}. The app must correct assetType."
        ),
        Some("toAddr") if is(vas::Refusal::NotPayable) => match zh {
            true => "无法支付：toAddr 不是链上的地址，或就是你自己的。应用须改正 toAddr。",
            false => "This cannot be paid: toAddr is not an address of the chain, or is yours. The app must correct it.",
        }
        .to_owned(),
        Some("amount") if is(vas::Refusal::NotPayable) => match zh {
            true => format!("无法支付：amount 须大于 0，小数不超过 {decimals} 位。应用须改正 amount。"),
            false => format!(
                "This cannot be paid: amount must be above 0, with at most {decimals} decimals. The app must correct it."
            ),
        },
        _ if is(vas::Refusal::NotRegistered) => match zh {
            true => "callbackUrl 或 callbackScheme 不在应用登记的安全域名内，或不是登记的 scheme。应用须改正（R49、R67）。",
            false => "callbackUrl or callbackScheme is outside the app's registration. The app must fix it (R49, R67).",
        }
        .to_owned(),
        _ => wallet_server::pages::in_words(lang, &Failure::Refused(Box::new(no.clone()))),
    }
}

/// Why the wallet refuses a login link before its user consents; the platform would refuse it afterwards (R47, R49).
fn not_of_app(lang: Lang, back: &str, app: &VasApp) -> String {
    let address = Address::split(back);
    let host = address.map_or(back, |address| address.authority);
    if address.and_then(|address| address.host()).is_some_and(|(host, _)| host == app.safe_domain) {
        return match lang {
            Lang::Zh => "没有登录：callbackUrl 无效，或自带 openCode、webToken，这两个参数由钱包添加。应用须改正（R47）。",
            Lang::En => {
                "Not signed in: the callbackUrl is invalid, or has an openCode or a webToken, which the wallet adds. The app must correct it (R47)."
            }
        }
        .to_owned();
    }
    let registered = match (app.safe_domain.as_str(), app.scheme.as_str()) {
        (domain, "") => domain.to_owned(),
        ("", scheme) => format!("{scheme}://"),
        (domain, scheme) => format!("{domain}, {scheme}://"),
    };
    match lang {
        Lang::Zh => {
            format!(
                "没有登录：链接要返回 {host}，应用登记的是 {registered}。应用须改正 callbackUrl（R47、R49）。"
            )
        }
        Lang::En => format!(
            "Not signed in: the link returns to {host}, but the app is registered for {registered}. The app must correct its callbackUrl (R47, R49)."
        ),
    }
}

/// A code as long as those of the platform, for the check of a return.
const ANY_CODE: &str = "0000000000000000000000000000000000000000";

/// The most characters of the note of an order, which is not signed (R55).
const LONGEST_NOTE: usize = 200;

impl Wallet {
    /// The sheet of a request.
    pub(super) async fn sheet(&self, asked: &Wanted) -> Result<Sheet, NotDone> {
        match (asked.scan.is_empty(), asked.transfer_id.is_empty()) {
            (false, _) => self.scanned(&asked.scan).await,
            (true, false) => self.pending(&asked.transfer_id, &asked.trade_id).await,
            (true, true) => Ok(Sheet::None),
        }
    }

    /// The sheet of a pending FOMO payment.
    async fn pending(&self, transfer_id: &str, trade_id: &str) -> Result<Sheet, NotDone> {
        let Ok(id) = transfer_id.parse() else {
            return Err(no_number());
        };
        let trade = TradeId::new(trade_id.to_owned());
        let pending = match self.fomo.pending(&self.key(), TransferId::new(id), &trade).await {
            Ok(pending) => pending,
            Err(error) => {
                // The refusal carries the completed trade (R14).
                let done = match &error {
                    CallError::Refused(no) if no.code == ErrorCode::TransferDone => no.data.read::<Trade>(),
                    _ => None,
                };
                let why_not = NotDone::of(&error, self.view.lang);
                return match done {
                    Some(trade) => Ok(self.paid_before(&trade).await),
                    None => Err(why_not),
                };
            }
        };
        Ok(Sheet::Pending {
            app: pending.app_name,
            amount: pending.amount.to_string(),
            coin: pending.coin_name,
            transfer_id: transfer_id.to_owned(),
            trade_id: trade_id.to_owned(),
            seconds: pending.expire_time.secs() - self.pages.shared.clock.now().secs(),
        })
    }

    /// The sheet of a completed FOMO payment.
    async fn paid_before(&self, trade: &Trade) -> Sheet {
        let say = |zh, en| self.view.say(zh, en).to_owned();
        let mut facts = Vec::new();
        // Its entry has the receiver and the coin, if it is among the newest.
        if let Ok(Some(moved)) = self.payment(trade).await {
            facts.push((say("付款给", "to"), moved.with));
            facts.push((say("金额", "amount"), format!("{} {}", trade.amount, moved.unit)));
            facts.push((say("时间", "at"), moved.shown_at));
        }
        facts.push((say("订单", "order"), trade.trade_id.as_str().to_owned()));
        facts.push(("transfer_id".to_owned(), trade.transfer_id.to_string()));
        Sheet::Done { what: say("这笔付款已完成", "This payment is complete"), facts, onward: None }
    }

    /// The sheet of a link or QR code.
    async fn scanned(&self, text: &str) -> Result<Sheet, NotDone> {
        let text = text.trim();
        let payload =
            link::payload(text).map_err(|error| NotDone::unreadable(|lang| error.in_words(lang)))?;
        let (link, _) =
            AnyLink::read(&payload).map_err(|error| NotDone::unreadable(|lang| error.in_words(lang)))?;
        let uuid = match &link {
            AnyLink::Login(asks) => asks.uuid.as_str(),
            AnyLink::Pay(asks) => asks.key_id(),
        };
        let uuid = &uuid.to_owned();
        let known = self.pages.vas_app(uuid).await.map_err(|failure| NotDone::failed(&failure))?;
        let unknown = || NotDone::because("没有这个 uuid 的应用。", "There is no app with this uuid.");
        let known = known.ok_or_else(unknown)?;
        let (app, wallet) = (known.name.clone(), wallet_of(known.profile));
        let asks = match link {
            AnyLink::Login(asks) => {
                let back = asks.callback_url.as_str().to_owned();
                if after_login(&asks, ANY_CODE, known.registered()).is_none() {
                    return Err(NotDone::in_words_of(|lang| not_of_app(lang, &back, &known)));
                }
                if let Some(web_token) = &asks.web_token {
                    self.pages.merchant.scanned(web_token.as_str());
                }
                return Ok(Sheet::Login { app, wallet, back, link: text.to_owned() });
            }
            AnyLink::Pay(asks) => asks,
        };
        // The wallet asks for no password when the platform would refuse the payment.
        let key = PublicKey::load(&known.rsa_public).map(|key| RsaVerify::new(&key));
        let now = self.pages.shared.store.now();
        let verified = key.ok().and_then(|key| asks.verify([VerifyingKey::Rsa(&key)], now).ok());
        let Some(asks) = verified else {
            return Err(NotDone::by_code(vas::ErrorCode::SignatureWrong));
        };
        let (amount, asset) = (asks.amount.to_string(), asks.asset_type.as_str().to_owned());
        let order_id = asks.order_id.as_str().to_owned();
        let note: String =
            asks.description.as_deref().unwrap_or_default().chars().take(LONGEST_NOTE).collect();
        let store = &self.pages.shared.store;
        let link = asks.clone().into_owned();
        match store.view(CheckPay { link, payer: Some(self.user.id), chain: OrderChain::Embedded }).await {
            Ok(()) => {}
            Err(Failure::Refused(no)) => {
                return Err(NotDone::in_words_of(|lang| cannot_be_paid(lang, &no, &known, &asset)));
            }
            Err(failure) => return Err(NotDone::failed(&failure)),
        }
        let order = found(
            store.view(FindOrder { uuid: uuid.to_owned().into(), order_id: order_id.clone().into() }).await,
        );
        let order = order.map_err(|failure| NotDone::failed(&failure))?;
        // What the wallet pays is on the chain at once.
        let instead = match &order {
            Some(order) => self.pages.shared.server.watcher().missing(order).await.is_some(),
            None => false,
        };
        match order {
            Some(order) if !order.is_free(self.pages.shared.clock.now(), instead) => {
                Ok(self.submitted_before(&app, uuid, order))
            }
            _ => Ok(Sheet::Pay { app, wallet, amount, asset, order_id, note, link: text.to_owned() }),
        }
    }

    /// The sheet of an order that is already submitted or paid.
    fn submitted_before(&self, app: &str, uuid: &str, order: VasOrder) -> Sheet {
        let onward = self.way_back(uuid, &order);
        let say = |zh, en| self.view.say(zh, en).to_owned();
        let what = match order.state {
            OrderState::Paid => say("这个订单已支付", "This order is paid"),
            _ => say("付款已提交，等待区块确认", "A payment was submitted, and waits for a block"),
        };
        let mut facts =
            vec![(say("付款给", "to"), app.to_owned()), (say("订单", "order"), order.order_id.to_string())];
        // Only the payer sees the amount and the txid.
        if order.payer == self.user.id {
            facts.push((say("金额", "amount"), format!("{} {}", order.amount, order.asset)));
            facts.extend(order.txid.map(|txid| ("txid".to_owned(), txid.to_string())));
        }
        Sheet::Done { what, facts, onward }
    }

    /// The address that leads from a payment by link back to its app: the shop's page of the order, or the start page
    /// of the host that gets the callback.
    fn way_back(&self, uuid: &str, order: &VasOrder) -> Option<String> {
        let id = order.order_id.as_str();
        if self.pages.merchant.has_link(uuid, id) {
            return Some(format!("/shop/orders/{id}"));
        }
        start_page(order.callback_url.as_str())
    }

    /// The address that leads from a login by QR code to its app: the start page of the host that got the code, which for
    /// the demo shop is the shop.
    pub(super) fn after_login(&self, address: &str) -> Option<String> {
        let own = self.pages.shared.url.rsplit_once(':').map_or("", |(_, port)| port);
        let page = start_page(address)?;
        if page.trim_end_matches('/').rsplit_once(':').is_some_and(|(_, port)| port == own) {
            return Some("/shop".to_owned());
        }
        Some(page)
    }

    /// The same after the wallet has paid the order of this link.
    pub(super) async fn after_pay(&self, text: &str, order_id: &str) -> Option<String> {
        let payload = link::payload(text.trim()).ok()?;
        let Ok((AnyLink::Pay(paid), _)) = AnyLink::read(&payload) else { return None };
        let uuid = paid.key_id().to_owned();
        let of = FindOrder { uuid: uuid.clone().into(), order_id: order_id.to_owned().into() };
        let order = found(self.pages.shared.store.view(of).await).ok()??;
        self.pages.merchant.submitted(&uuid, order.order_id.as_str());
        self.way_back(&uuid, &order)
    }
}
