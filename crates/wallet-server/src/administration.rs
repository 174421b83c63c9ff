//! What an operator does from the command line: on a database, or through the socket of a running server. Who may use either is
//! the machine's own administrator; the acts are recorded as the machine's.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wallet_core::crypto::hex_text;
use wallet_core::{Amount, Lang, Secret};
use wallet_crypto::{PasswordCost, Passwords};
use wallet_platform::accounts::CoinId;
use wallet_platform::{
    ActiveCoins, AppSheets, ApplicationFault, Audits, ByOperator, Coin, CreateUser, Decision, DeliveryId,
    Deposit, EndSessionsOf, EnrolOperator, Fact, FactValue, Failing, Failure, FindCoin, FindSheets, FindUser,
    FreezeUser, Operators, PutCoin, ReceiverId, RemoveOperator, RemoveSecondFactor, ResetPassword, ReviewVas,
    Role, Roles, SendAgain, SessionsOf, SetSuspended, Sheet, SheetKind, SheetOf, Undelivered, User, VasAppId,
};

use crate::pages::in_words;
use crate::rotation::reseal;
use crate::server::approval;
use crate::store::Store;
use crate::undelivered::{Span, UndeliveredIn};

/// A task for an administrator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Makes a user an operator, or changes the roles; creates a missing user.
    OperatorAdd {
        /// The login name.
        name: String,
        /// The roles; empty: every role.
        roles: Vec<String>,
    },
    /// Lists the operators.
    OperatorList,
    /// Makes an operator a user like any other, and ends the sessions.
    OperatorRemove {
        /// The login name.
        name: String,
    },
    /// Gives an operator another password, and ends the sessions.
    OperatorResetPassword {
        /// The login name.
        name: String,
    },
    /// Removes an operator's second factor.
    OperatorResetSecondFactor {
        /// The login name.
        name: String,
    },
    /// Lists the apps.
    AppList,
    /// Suspends an app, or lifts that.
    AppSuspend {
        /// Its client_id, appId or row number.
        id: String,
        /// Whether it is to be suspended.
        suspended: bool,
        /// Why.
        reason: String,
    },
    /// Decides on an application of the VAS and Lafi wallets.
    AppDecide {
        /// The row number.
        id: String,
        /// Whether it is approved.
        approve: bool,
        /// Why; the applicant reads the reason of a rejection.
        reason: String,
    },
    /// Freezes a user, or lifts that.
    UserFreeze {
        /// The login name or the user_id.
        id: String,
        /// Whether the user is to be frozen.
        frozen: bool,
        /// Why.
        reason: String,
    },
    /// Ends the sessions of a user.
    UserEndSessions {
        /// The login name or the user_id.
        id: String,
        /// Why.
        reason: String,
    },
    /// Shows everything that has an id, of one kind or of any.
    Find {
        /// The id.
        id: String,
        /// The kinds; empty: every kind.
        kinds: Vec<String>,
    },
    /// Lists the callbacks that fail, and those that were given up.
    CallbacksFailing,
    /// Sends a callback again that was given up.
    CallbacksResend {
        /// Its number.
        delivery: u64,
        /// Why.
        reason: String,
    },
    /// Sends every callback of an app again that was given up, of payments in a span of time.
    CallbacksResendAll {
        /// The app's client_id or uuid.
        app: String,
        /// The first minute, `2026-01-31T13:45`, UTC; empty: from the beginning.
        from: String,
        /// The last minute; empty: to the end.
        to: String,
        /// Why.
        reason: String,
    },
    /// Adds a coin, or changes one; its decimals never change.
    CoinPut {
        /// Its id on the wire.
        id: u64,
        /// Its name.
        name: String,
        /// Digits behind the point.
        decimals: u8,
        /// Whether it can be used.
        active: bool,
    },
    /// Lists the active coins.
    CoinList,
    /// Credits a user with money that was received outside the platform.
    Deposit {
        /// The login name or the user_id.
        user: String,
        /// The coin's id.
        coin: u64,
        /// The amount, a decimal number.
        amount: String,
        /// Why.
        reason: String,
    },
    /// Seals everything under the current master key.
    RotateKey,
    /// Lists the last acts of operators.
    Audit {
        /// The largest number of acts.
        limit: u64,
    },
}

/// What was done, for people and for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Lines of text.
    pub text: String,
    /// The same as JSON.
    pub json: String,
}

/// Why it was not done, in words.
type Not = String;

/// The largest number of rows of a list.
const ROWS: u64 = 1_000;

/// Does a task.
///
/// # Errors
/// Why it was not done, and what to do, in words.
pub async fn administer(store: &Store, task: Task, lang: Lang) -> Result<Done, String> {
    Administration { store, lang }.run(task).await
}

struct Administration<'s> {
    store: &'s Store,
    lang: Lang,
}

impl Administration<'_> {
    fn say<'t>(&self, zh: &'t str, en: &'t str) -> &'t str {
        match self.lang {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }

    fn no(&self, failure: &Failure) -> Not {
        in_words(self.lang, failure)
    }

    /// A text of this language, with JSON.
    fn done(&self, zh: &str, en: &str, json: &Value) -> Done {
        Done { text: self.say(zh, en).to_owned(), json: json.to_string() }
    }

    async fn run(&self, task: Task) -> Result<Done, Not> {
        match task {
            Task::OperatorAdd { name, roles } => self.operator_add(&name, &roles).await,
            Task::OperatorList => self.operator_list().await,
            Task::OperatorRemove { name } => {
                let user = self.user(&name).await?;
                let command = ByOperator::machine("", RemoveOperator(user.id));
                let removed = self.store.submit(command).await.map_err(|no| self.no(&no))?;
                removed.ok_or_else(|| self.no_operator(&name))?;
                self.end_sessions(&user, "").await?;
                let (zh, en) = (format!("{name} 不再是运营人员"), format!("{name} is no operator any more"));
                Ok(self.done(&zh, &en, &json!({ "login_name": name })))
            }
            Task::OperatorResetPassword { name } => self.reset_password(&name).await,
            Task::OperatorResetSecondFactor { name } => {
                let user = self.user(&name).await?;
                let command = ByOperator::machine("", RemoveSecondFactor(user.id));
                let removed = self.store.submit(command).await.map_err(|no| self.no(&no))?;
                removed.ok_or_else(|| self.say("没有第二因素", "there is no second factor").to_owned())?;
                // They were opened with the factor that is lost.
                self.end_sessions(&user, "").await?;
                let (zh, en) =
                    (format!("已移除 {name} 的第二因素"), format!("removed the second factor of {name}"));
                Ok(self.done(&zh, &en, &json!({ "login_name": name })))
            }
            Task::AppList => {
                let apps = self.store.view(AppSheets { limit: ROWS }).await.map_err(|no| self.no(&no))?;
                Ok(self.sheets(&apps, true))
            }
            Task::AppSuspend { id, suspended, reason } => self.suspend(&id, suspended, &reason).await,
            Task::AppDecide { id, approve, reason } => self.decide(&id, approve, &reason).await,
            Task::UserFreeze { id, frozen, reason } => {
                let user = self.user(&id).await?;
                let command =
                    ByOperator::machine(self.reason(&reason)?, FreezeUser { user: user.id, frozen });
                let changed = self.store.submit(command).await.map_err(|no| self.no(&no))?;
                changed.ok_or_else(|| self.unchanged())?;
                self.sheet(SheetKind::User, user.id.get()).await
            }
            Task::UserEndSessions { id, reason } => {
                let (user, reason) = (self.user(&id).await?, self.reason(&reason)?);
                let ended = self.end_sessions(&user, reason).await?;
                let (zh, en) = (format!("结束了 {ended} 个会话"), format!("{ended} sessions were ended"));
                Ok(self.done(&zh, &en, &json!({ "ended": ended })))
            }
            Task::Find { id, kinds } => {
                let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
                self.found(&id, &kinds).await
            }
            Task::CallbacksFailing => self.failing().await,
            Task::CallbacksResend { delivery, reason } => {
                let command = ByOperator::machine(self.reason(&reason)?, SendAgain(DeliveryId(delivery)));
                let again = self.store.submit(command).await.map_err(|no| self.no(&no))?;
                let again = again.ok_or_else(|| {
                    self.say(
                        "没有这个回调，或它已送达、仍在重试、已重发",
                        "there is no such callback, or it was delivered, is still retrying, or was sent again",
                    )
                    .to_owned()
                })?;
                let (zh, en) = (format!("已重发，新编号 {}", again.0), format!("sent again as {}", again.0));
                Ok(self.done(&zh, &en, &json!({ "delivery": again.0 })))
            }
            Task::CallbacksResendAll { app, from, to, reason } => {
                self.resend_all(&app, &from, &to, &reason).await
            }
            Task::CoinPut { id, name, decimals, active } => self.coin_put(id, &name, decimals, active).await,
            Task::CoinList => {
                let coins = self.store.view(ActiveCoins).await.map_err(|no| self.no(&no))?;
                let text = coins.iter().map(|coin| format!("{}  {}  {}", coin.id, coin.name, coin.decimals));
                let text = text.collect::<Vec<_>>().join("\n");
                let json = coins
                    .iter()
                    .map(|coin| json!({ "id": coin.id.get(), "name": coin.name, "decimals": coin.decimals }));
                Ok(Done { text, json: Value::from_iter(json).to_string() })
            }
            Task::Deposit { user, coin, amount, reason } => {
                let amount = Amount::parse(amount).map_err(|_| {
                    self.say("金额不是十进制数", "the amount is no decimal number").to_owned()
                })?;
                let (user, reason) = (self.user(&user).await?, self.reason(&reason)?);
                let command = Deposit { user: user.id, coin: CoinId::new(coin), amount };
                let command = ByOperator::machine(reason, command);
                self.store.submit(command).await.map_err(|no| self.no(&no))?;
                self.sheet(SheetKind::User, user.id.get()).await
            }
            Task::RotateKey => {
                let sealed = reseal(self.store).await.map_err(|no| self.no(&no))?;
                let zh = format!(
                    "重新加密了 {sealed} 行；所有秘密都用当前主密钥加密。各节点都这样之后，删去 key.previous"
                );
                let en = format!(
                    "{sealed} rows were sealed again; every secret is sealed under the current master key. Remove key.previous once \
                     every node runs with that key"
                );
                Ok(self.done(&zh, &en, &json!({ "sealed": sealed })))
            }
            Task::Audit { limit } => self.audit(limit).await,
        }
    }

    fn no_operator(&self, name: &str) -> Not {
        self.say(&format!("{name} 不是运营人员"), &format!("{name} is no operator")).to_owned()
    }

    fn unchanged(&self) -> Not {
        self.say("没有变化：已经是这样", "nothing changed: it was done already").to_owned()
    }

    fn reason<'r>(&self, reason: &'r str) -> Result<&'r str, Not> {
        match reason.trim() {
            "" => Err(self.say("请用 --reason 说明原因", "give the reason with --reason").to_owned()),
            reason => Ok(reason),
        }
    }

    /// The one sheet of an id. A login name or client_id may look like another's number: then nothing is done.
    async fn one(&self, id: &str, is_it: impl Fn(SheetKind) -> bool) -> Result<Sheet, Not> {
        let sheets = self.store.view(FindSheets(id.to_owned())).await.map_err(|no| self.no(&no))?;
        let mut found: Vec<Sheet> = Vec::new();
        for sheet in sheets.into_iter().filter(|sheet| is_it(sheet.kind)) {
            if !found.iter().any(|other| (other.kind, other.id) == (sheet.kind, sheet.id)) {
                found.push(sheet);
            }
        }
        match found.len() {
            0 => Err(self.say(&format!("没有找到 {id}"), &format!("nothing has the id {id}")).to_owned()),
            1 => Ok(found.remove(0)),
            _ => {
                let all = found.iter().map(|sheet| format!("{} ({})", sheet.title, sheet.id));
                let all = all.collect::<Vec<_>>().join(", ");
                let (zh, en) =
                    (format!("{id} 指的不止一个：{all}"), format!("{id} is the id of more than one: {all}"));
                Err(self.say(&zh, &en).to_owned())
            }
        }
    }

    /// The user of a login name or a user_id.
    async fn user(&self, id: &str) -> Result<User, Not> {
        let sheet = self.one(id, |kind| kind == SheetKind::User).await?;
        let found = self.store.view(FindUser(sheet.title)).await.map_err(|no| self.no(&no))?;
        found.ok_or_else(|| self.say("没有这个用户", "there is no such user").to_owned())
    }

    /// A new password, and its hash.
    fn password(&self) -> Result<(Secret<String>, Secret<String>), Not> {
        let mut random = [0; 12];
        self.store.vault().crypto().fill(&mut random);
        let pwd = Secret::new(hex_text(&random));
        let hash = Passwords::new(PasswordCost::default()).hash(self.store.vault().crypto(), pwd.expose());
        Ok((pwd, Secret::new(hash.map_err(|error| error.to_string())?)))
    }

    async fn operator_add(&self, name: &str, roles: &[String]) -> Result<Done, Not> {
        let mut known = Vec::new();
        for text in roles {
            let role = Role::ALL.into_iter().find(|role| role.name() == text);
            known.push(role.ok_or_else(|| {
                self.say(
                    &format!("没有角色 {text}；可用 review、support、money"),
                    &format!("there is no role {text}: review, support or money"),
                )
                .to_owned()
            })?);
        }
        let roles = if known.is_empty() { Roles::ALL } else { Roles::of(known) };
        let found = self.store.view(FindUser(name.to_owned())).await.map_err(|no| self.no(&no))?;
        let (user, pwd) = match found {
            Some(user) => (user.id, None),
            None => {
                let (pwd, hash) = self.password()?;
                let (login_name, shown) = (name.to_owned(), name.to_owned());
                let user =
                    CreateUser { login_name, name: shown, pwd: hash, wallet_pwd: None, developer: false };
                (self.store.submit(user).await.map_err(|no| self.no(&no))?, Some(pwd))
            }
        };
        let command = ByOperator::machine("", EnrolOperator { user, roles });
        self.store.submit(command).await.map_err(|no| self.no(&no))?;
        let pwd = pwd.as_ref().map(|pwd| pwd.expose().as_str());
        let text = match pwd {
            Some(pwd) => format!(
                "{name} {} {pwd}",
                self.say("已成为运营人员，密码：", "is an operator, with the password")
            ),
            None => format!(
                "{name} {}",
                self.say("已成为运营人员；密码不变", "is an operator; the password is unchanged")
            ),
        };
        Ok(Done {
            text,
            json: json!({ "login_name": name, "pwd": pwd, "roles": roles.to_string() }).to_string(),
        })
    }

    async fn coin_put(&self, id: u64, name: &str, decimals: u8, is_active: bool) -> Result<Done, Not> {
        let text = String::new;
        let coin = Coin {
            id: CoinId::new(id),
            chain_id: text(),
            coin_type: text(),
            price: text(),
            name: name.to_owned(),
            description: text(),
            explorer: text(),
            contract: text(),
            decimals,
            min_amount: text(),
            next_start: text(),
            is_active,
            sort_id: u32::try_from(id).unwrap_or(u32::MAX),
        };
        // The other members of a known coin stay as they are.
        let known = self.store.view(FindCoin(coin.id)).await.map_err(|no| self.no(&no))?;
        let coin = match known {
            Some(known) => Coin { name: coin.name, decimals, is_active, ..known },
            None => coin,
        };
        let command = ByOperator::machine("", PutCoin(coin));
        self.store.submit(command).await.map_err(|no| self.no(&no))?;
        let (zh, en) = (format!("已设置币种 {name}（{id}）"), format!("coin {name} ({id}) is set"));
        Ok(self.done(&zh, &en, &json!({ "id": id, "name": name, "decimals": decimals, "active": is_active })))
    }

    async fn operator_list(&self) -> Result<Done, Not> {
        let operators = self.store.view(Operators).await.map_err(|no| self.no(&no))?;
        let rows = operators.iter().filter(|(user, _)| user.operator);
        let text = rows.clone().map(|(user, operator)| {
            let factor =
                if operator.totp.is_some() { self.say("有第二因素", "second factor") } else { "—" };
            format!("{}  {}  {factor}", user.login_name, operator.roles)
        });
        let text = text.collect::<Vec<_>>().join("\n");
        let json = rows.map(|(user, operator)| {
            json!({
                "login_name": user.login_name, "roles": operator.roles.to_string(),
                "second_factor": operator.totp.is_some(), "frozen": user.frozen,
            })
        });
        Ok(Done { text, json: Value::from_iter(json).to_string() })
    }

    async fn reset_password(&self, name: &str) -> Result<Done, Not> {
        let user = self.user(name).await?;
        if !user.operator {
            return Err(self.no_operator(name));
        }
        let (pwd, hash) = self.password()?;
        let command = ByOperator::machine("", ResetPassword { user: user.id, pwd: hash });
        self.store.submit(command).await.map_err(|no| self.no(&no))?;
        self.end_sessions(&user, "").await?;
        let text = format!("{name} {} {}", self.say("的新密码：", "has the new password"), pwd.expose());
        Ok(Done { text, json: json!({ "login_name": name, "pwd": pwd.expose() }).to_string() })
    }

    async fn end_sessions(&self, user: &User, reason: &str) -> Result<usize, Not> {
        let mut ended = 0;
        loop {
            let of = SessionsOf { user: user.id, limit: ROWS };
            let sessions = self.store.view(of).await.map_err(|no| self.no(&no))?;
            if sessions.is_empty() {
                return Ok(ended);
            }
            let command = ByOperator::machine(reason, EndSessionsOf { user: user.id, sessions });
            ended += self.store.submit(command).await.map_err(|no| self.no(&no))?.1;
        }
    }

    /// The one app of an id.
    async fn app(&self, id: &str) -> Result<Sheet, Not> {
        self.one(id, SheetKind::is_app).await
    }

    async fn suspend(&self, id: &str, suspended: bool, reason: &str) -> Result<Done, Not> {
        let (app, reason) = (self.app(id).await?, self.reason(reason)?);
        let command = SetSuspended { kind: app.kind, id: app.id, suspended };
        let command = ByOperator::machine(reason, command);
        let changed = self.store.submit(command).await.map_err(|no| self.no(&no))?.is_some();
        if changed { self.found(id, &["app", "vas_app"]).await } else { Err(self.unchanged()) }
    }

    async fn resend_all(&self, app: &str, from: &str, to: &str, reason: &str) -> Result<Done, Not> {
        let (app, reason) = (self.app(app).await?, self.reason(reason)?);
        let span = Span::parse(from, to).ok_or_else(|| {
            let (zh, en) = ("时间应写作 2026-01-31T13:45（UTC）", "write a time as 2026-01-31T13:45, UTC");
            self.say(zh, en).to_owned()
        })?;
        let mut undelivered = UndeliveredIn::new(ReceiverId(app.id), span);
        let mut sent = 0_u64;
        while let Some(found) = undelivered.next(self.store).await.map_err(|no| self.no(&no))? {
            for delivery in found {
                let command = ByOperator::machine(reason, SendAgain(delivery));
                let again = self.store.submit(command).await.map_err(|no| self.no(&no))?;
                sent += u64::from(again.is_some());
            }
        }
        let (zh, en) = (format!("已重发 {sent} 个回调"), format!("{sent} callbacks are sent again"));
        Ok(self.done(&zh, &en, &json!({ "sent": sent })))
    }

    async fn decide(&self, id: &str, approve: bool, reason: &str) -> Result<Done, Not> {
        let app = self.app(id).await?;
        let decision = if approve {
            approval(self.store, false).await.map_err(str::to_owned)?
        } else {
            Decision::Reject { reason: self.reason(reason)?.to_owned() }
        };
        let command = ByOperator::machine(reason, ReviewVas { app: VasAppId(app.id), decision });
        let decided = self.store.submit(command).await.map_err(|no| self.no(&no))?;
        decided.map_err(|fault| {
            match fault {
                ApplicationFault::Decided => {
                    self.say("这个申请已有结论", "this application was decided already")
                }
                _ => self.say("没有这个申请", "there is no such application"),
            }
            .to_owned()
        })?;
        self.found(id, &["vas_app"]).await
    }

    async fn sheet(&self, kind: SheetKind, id: u64) -> Result<Done, Not> {
        let sheet = self.store.view(SheetOf { kind, id }).await.map_err(|no| self.no(&no))?;
        Ok(self.sheets(sheet.as_slice(), false))
    }

    async fn found(&self, id: &str, kinds: &[&str]) -> Result<Done, Not> {
        let sheets = self.store.view(FindSheets(id.to_owned())).await.map_err(|no| self.no(&no))?;
        let sheets: Vec<Sheet> = sheets
            .into_iter()
            .filter(|sheet| kinds.is_empty() || kinds.contains(&sheet.kind.name()))
            .collect();
        if sheets.is_empty() {
            return Err(self.say(&format!("没有找到 {id}"), &format!("nothing has the id {id}")).to_owned());
        }
        Ok(self.sheets(&sheets, false))
    }

    fn sheets(&self, sheets: &[Sheet], is_list: bool) -> Done {
        let text = sheets.iter().map(|sheet| {
            let head = format!("{} {}", sheet.kind.in_words(self.lang), sheet.title);
            if is_list {
                let ids = ["client_id", "appId", "state", "suspended"].into_iter().filter_map(|name| {
                    let value = self.value(sheet.value(name)?);
                    (!value.is_empty()).then(|| format!("{name}={value}"))
                });
                return format!("{}  {head}  {}", sheet.id, ids.collect::<Vec<_>>().join("  "));
            }
            let facts = sheet.facts.iter().map(|fact| {
                format!("  {}: {}", self.say(fact.words.0, fact.words.1), self.value(&fact.value))
            });
            format!("{head}\n{}", facts.collect::<Vec<_>>().join("\n"))
        });
        let text = text.collect::<Vec<_>>().join("\n");
        Done { text, json: Value::from_iter(sheets.iter().map(sheet_json)).to_string() }
    }

    fn value(&self, value: &FactValue) -> String {
        match value {
            FactValue::Text(text) => text.clone(),
            FactValue::Bool(true) => self.say("是", "yes").to_owned(),
            FactValue::Bool(false) => self.say("否", "no").to_owned(),
            FactValue::Time(time) => crate::pages::shown_time(*time),
            FactValue::Sheet(_, id, text) => format!("{text} ({id})"),
        }
    }

    async fn failing(&self) -> Result<Done, Not> {
        let failing = self.store.view(Failing { limit: ROWS }).await.map_err(|no| self.no(&no))?;
        let given_up = self.store.view(Undelivered { limit: ROWS }).await.map_err(|no| self.no(&no))?;
        let all = failing.iter().map(|one| (one, true)).chain(given_up.iter().map(|one| (one, false)));
        let mut lines = Vec::new();
        let mut json = Vec::new();
        for (one, retries) in all {
            let why = one.last.as_ref().map(|last| last.in_words(one.delivery.callback, self.lang));
            let state =
                if retries { self.say("重试中", "retrying") } else { self.say("已放弃", "given up") };
            let (id, attempts) = (one.delivery.id.0, one.delivery.attempts);
            lines.push(format!(
                "{id}  {state}  {}  {}  {attempts}  {}",
                one.app,
                one.about,
                why.clone().unwrap_or_default()
            ));
            json.push(json!({
                "delivery": id, "app": one.app, "about": one.about, "attempts": attempts, "why": why,
                "state": if retries { "retrying" } else { "exhausted" }, "may_be_resent": one.may_be_sent_again,
                "next_at": retries.then_some(one.delivery.next_at.millis()),
            }));
        }
        if lines.is_empty() {
            lines.push(self.say("没有失败的回调", "no callback fails").to_owned());
        }
        Ok(Done { text: lines.join("\n"), json: Value::from(json).to_string() })
    }

    async fn audit(&self, limit: u64) -> Result<Done, Not> {
        let acts = self.store.view(Audits { limit }).await.map_err(|no| self.no(&no))?;
        let text = acts.iter().map(|shown| {
            let audit = &shown.audit;
            let operator = shown.operator.as_deref().unwrap_or(self.say("本机", "the machine"));
            let change = match (&*audit.before, &*audit.after) {
                ("", "") => String::new(),
                (before, after) => format!("  {before} → {after}"),
            };
            let reason =
                if audit.reason.is_empty() { String::new() } else { format!("  ({})", audit.reason) };
            format!(
                "{}  {operator}  {}  {}{change}{reason}",
                crate::pages::shown_time(audit.at),
                audit.act.in_words(self.lang),
                audit.about
            )
        });
        let text = text.collect::<Vec<_>>().join("\n");
        let json = acts.iter().map(|shown| {
            let audit = &shown.audit;
            json!({
                "at": audit.at.millis(), "operator": shown.operator, "act": audit.act.in_words(Lang::En),
                "about": audit.about, "reason": audit.reason, "before": audit.before, "after": audit.after,
            })
        });
        Ok(Done { text, json: Value::from_iter(json).to_string() })
    }
}

fn sheet_json(sheet: &Sheet) -> Value {
    let mut object = serde_json::Map::new();
    object.insert("kind".to_owned(), sheet.kind.name().into());
    object.insert("id".to_owned(), sheet.id.into());
    for Fact { name, value, .. } in &sheet.facts {
        let value = match value {
            FactValue::Text(text) => json!(text),
            FactValue::Bool(yes) => json!(yes),
            FactValue::Time(time) => json!(time.millis()),
            FactValue::Sheet(kind, id, text) => json!({ "kind": kind.name(), "id": id, "name": text }),
        };
        match object.get_mut(*name) {
            // Of several facts of one name, such as balances, a list.
            Some(Value::Array(list)) => list.push(value),
            Some(first) => *first = json!([first.take(), value]),
            None => drop(object.insert((*name).to_owned(), value)),
        }
    }
    object.into()
}
