//! Sheets: what operators see of one user, app, payment, order or callback. Every sheet is found by any id that it has.

use wallet_core::{DeliveryState, Lang, Units, UnixTime};
use wallet_engine::{Command, List, Query};

use crate::accounts::UserId;
use crate::coins::{Coin, every_coin};
use crate::deliveries::{Attempt, DeliveryId, DeliveryRow};
use crate::fomo::apps::{AppId, SuspendApp};
use crate::money::Account;
use crate::operators::{Act, Audited, Operator, OperatorAct, Role};
use crate::refusal::Stop;
use crate::schema::{Changes, Context, Platform, Rows};
use crate::users::{LoginName, Session, User};
use crate::vas::apps::{SuspendVasApp, VasAppId};
use crate::{fomo, vas};

/// What a sheet is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SheetKind {
    /// A user.
    User,
    /// An app of FOMO.
    App,
    /// An app of the VAS and Lafi wallets.
    VasApp,
    /// A payment of FOMO.
    Payment,
    /// An order of the VAS and Lafi wallets.
    Order,
    /// A callback.
    Delivery,
}

impl SheetKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::User, Self::App, Self::VasApp, Self::Payment, Self::Order, Self::Delivery];

    /// Its name, in addresses and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::App => "app",
            Self::VasApp => "vas_app",
            Self::Payment => "payment",
            Self::Order => "order",
            Self::Delivery => "delivery",
        }
    }

    /// Its name for people.
    pub fn in_words(self, lang: Lang) -> &'static str {
        let (zh, en) = match self {
            Self::User => ("用户", "User"),
            Self::App => ("FOMO 应用", "FOMO app"),
            Self::VasApp => ("VAS/Lafi 应用", "VAS/Lafi app"),
            Self::Payment => ("付款", "Payment"),
            Self::Order => ("订单", "Order"),
            Self::Delivery => ("回调", "Callback"),
        };
        match lang {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }
}

impl SheetKind {
    /// Whether it is an app, of any protocol.
    pub const fn is_app(self) -> bool {
        matches!(self, Self::App | Self::VasApp)
    }
}

/// Suspends an app of any protocol, or lifts that (R85).
#[derive(Debug)]
pub struct SetSuspended {
    /// The kind of app.
    pub kind: SheetKind,
    /// Its row number.
    pub id: u64,
    /// Whether it is to be suspended.
    pub suspended: bool,
}

impl Command<Platform> for SetSuspended {
    /// The app's name and its id on the wire; `None` if there is no such app, or that changed nothing.
    type Outcome = Option<(String, String)>;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Self::Outcome, Stop> {
        let suspended = self.suspended;
        Ok(match self.kind {
            SheetKind::App => {
                let app = SuspendApp { app: AppId(self.id), suspended }.apply(rows, cx, out)?;
                app.map(|app| (app.name, app.client_id.to_string()))
            }
            SheetKind::VasApp => {
                let app = SuspendVasApp { app: VasAppId(self.id), suspended }.apply(rows, cx, out)?;
                app.map(|app| (app.name, app.uuid.to_string()))
            }
            _ => None,
        })
    }
}

impl Audited for SetSuspended {
    const ROLE: Option<Role> = Some(Role::Support);
    fn done(&self, outcome: &Self::Outcome) -> Option<Act> {
        let act = if self.suspended { OperatorAct::Suspended } else { OperatorAct::Resumed };
        outcome.as_ref().map(|(name, id)| Act::new(act, format!("{name} ({id})")))
    }
}

/// A value on a sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FactValue {
    /// A text.
    Text(String),
    /// Yes or no.
    Bool(bool),
    /// A time.
    Time(UnixTime),
    /// Another sheet: its kind, its row number and a text.
    Sheet(SheetKind, u64, String),
}

/// One fact on a sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Its name in JSON: the wire's own, where the wire has it.
    pub name: &'static str,
    /// The name in Chinese and in English.
    pub words: (&'static str, &'static str),
    /// The value.
    pub value: FactValue,
}

/// What operators see of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// What it is.
    pub kind: SheetKind,
    /// Its row number.
    pub id: u64,
    /// Its name.
    pub title: String,
    /// The facts.
    pub facts: Vec<Fact>,
}

impl Sheet {
    pub(crate) fn new(kind: SheetKind, id: u64, title: impl Into<String>) -> Self {
        Self { kind, id, title: title.into(), facts: Vec::new() }
    }

    pub(crate) fn fact(
        &mut self,
        name: &'static str,
        words: (&'static str, &'static str),
        value: impl Into<FactValue>,
    ) {
        self.facts.push(Fact { name, words, value: value.into() });
    }

    /// The value of a fact.
    pub fn value(&self, name: &str) -> Option<&FactValue> {
        self.facts.iter().find(|fact| fact.name == name).map(|fact| &fact.value)
    }

    /// Whether a fact is a yes.
    pub fn is(&self, name: &str) -> bool {
        self.value(name) == Some(&FactValue::Bool(true))
    }
}

impl From<String> for FactValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for FactValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<bool> for FactValue {
    fn from(yes: bool) -> Self {
        Self::Bool(yes)
    }
}

impl From<UnixTime> for FactValue {
    fn from(time: UnixTime) -> Self {
        Self::Time(time)
    }
}

/// The user as another sheet's fact.
pub(crate) fn user_link(rows: &Rows, id: UserId) -> Result<FactValue, Stop> {
    let name = rows.find::<User>(&(id,))?.map_or_else(|| "—".to_owned(), |user| user.login_name.clone());
    Ok(FactValue::Sheet(SheetKind::User, id.get(), name))
}

/// Units with the coin's name.
pub(crate) fn with_coin(units: Units, coin: Option<&Coin>) -> String {
    match coin {
        Some(coin) => match units.to_amount(coin.decimals) {
            Ok(amount) => format!("{} {}", amount.as_str(), coin.name),
            Err(_) => format!("{} {}", units.get(), coin.name),
        },
        None => units.get().to_string(),
    }
}

/// The largest number of linked rows on a sheet.
pub(crate) const LINKED: u64 = 20;

/// A sheet by its kind and its row number; `None` if there is no such row.
#[derive(Debug)]
pub struct SheetOf {
    /// The kind.
    pub kind: SheetKind,
    /// The row number.
    pub id: u64,
}

impl Query<Platform> for SheetOf {
    type Answer = Option<Sheet>;
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<Self::Answer, Stop> {
        match self.kind {
            SheetKind::User => user(rows, UserId::new(self.id), cx),
            SheetKind::App => fomo::sheets::app(rows, self.id),
            SheetKind::Payment => fomo::sheets::payment(rows, self.id, cx),
            SheetKind::VasApp => vas::sheets::app(rows, self.id),
            SheetKind::Order => vas::sheets::order(rows, self.id),
            SheetKind::Delivery => delivery(rows, DeliveryId(self.id)),
        }
    }
}

/// The sheets of everything that has an id: a user's id or login name, a client_id or uuid, a transfer_id, trade_id, orderId or
/// txid, the number of a callback.
#[derive(Debug)]
pub struct FindSheets(pub String);

impl Query<Platform> for FindSheets {
    type Answer = Vec<Sheet>;
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<Self::Answer, Stop> {
        let text = self.0.trim();
        let mut found = Vec::new();
        if let Some(name) = rows.find::<LoginName>(&(text.to_owned(),))? {
            found.extend(user(rows, name.user, cx)?);
        }
        if let Ok(number) = text.parse() {
            found.extend(user(rows, UserId::new(number), cx)?);
            found.extend(delivery(rows, DeliveryId(number))?);
        }
        found.extend(fomo::sheets::find(rows, text, cx)?);
        found.extend(vas::sheets::find(rows, text)?);
        Ok(found)
    }
}

/// The sheets of every app, by row number.
#[derive(Debug)]
pub struct AppSheets {
    /// The largest number of apps of each protocol.
    pub limit: u64,
}

impl Query<Platform> for AppSheets {
    type Answer = Vec<Sheet>;
    fn read(&self, rows: &Rows, _: &Context<'_>) -> Result<Self::Answer, Stop> {
        let mut found = fomo::sheets::apps(rows, self.limit)?;
        found.extend(vas::sheets::apps(rows, self.limit)?);
        found.sort_by_key(|sheet| sheet.id);
        Ok(found)
    }
}

fn user(rows: &Rows, id: UserId, cx: &Context<'_>) -> Result<Option<Sheet>, Stop> {
    let Some(user) = rows.find::<User>(&(id,))? else { return Ok(None) };
    let mut sheet = Sheet::new(SheetKind::User, id.get(), &*user.login_name);
    sheet.fact("user_id", ("用户 id", "user_id"), id.to_string());
    sheet.fact("login_name", ("登录名", "login name"), &*user.login_name);
    sheet.fact("name", ("显示名", "name"), &*user.name);
    sheet.fact("fomo_id", ("fomo_id", "fomo_id"), &*user.fomo_id);
    sheet.fact("frozen", ("已冻结", "frozen"), user.frozen);
    sheet.fact("developer", ("开发者", "developer"), user.developer);
    if let Some(operator) = rows.find::<Operator>(&(id,))?.filter(|_| user.operator) {
        sheet.fact("roles", ("运营角色", "roles"), operator.roles.to_string());
        sheet.fact("second_factor", ("第二因素", "second factor"), operator.totp.is_some());
    }
    sheet.fact("created_at", ("注册于", "registered"), user.created_at);
    for coin in every_coin(rows)? {
        rows.want::<Account>(&(id, coin.id));
    }
    for coin in every_coin(rows)? {
        if let Some(account) = rows.find::<Account>(&(id, coin.id))? {
            sheet.fact("balance", ("余额", "balance"), with_coin(account.balance, Some(coin)));
        }
    }
    let sessions = rows.list(List::new().only(Session::user.is(id)).limit(100))?;
    let live = sessions.iter().filter(|session| cx.now <= session.expires_at).count();
    sheet.fact("sessions", ("会话", "sessions"), live.to_string());
    fomo::sheets::apps_of(rows, id, &mut sheet)?;
    vas::sheets::apps_of(rows, id, &mut sheet)?;
    Ok(Some(sheet))
}

fn delivery(rows: &Rows, id: DeliveryId) -> Result<Option<Sheet>, Stop> {
    let Some(row) = rows.find::<DeliveryRow>(&(id,))? else { return Ok(None) };
    let subject = row.about(rows)?;
    let mut sheet = Sheet::new(SheetKind::Delivery, id.0, format!("#{}", id.0));
    sheet.fact("delivery", ("回调编号", "callback"), id.0.to_string());
    sheet.fact("app", ("应用", "app"), subject.app_name());
    sheet.fact("reference", ("应用的付款编号", "the app's id"), subject.reference());
    let (kind, link) = match row.callback {
        crate::deliveries::CallbackKind::PaymentResult => (SheetKind::Payment, "payment"),
        crate::deliveries::CallbackKind::Payment => (SheetKind::Order, "order"),
    };
    sheet.fact(
        link,
        ("付款", "payment"),
        FactValue::Sheet(kind, row.subject, subject.reference().to_owned()),
    );
    sheet.fact("address", ("地址", "address"), subject.given_address());
    let state = match row.state {
        DeliveryState::Waiting => "waiting",
        DeliveryState::Acknowledged => "acknowledged",
        DeliveryState::Exhausted => "exhausted",
    };
    sheet.fact("state", ("状态", "state"), state);
    sheet.fact("attempts", ("尝试次数", "attempts"), row.attempts.to_string());
    if row.state == DeliveryState::Waiting {
        sheet.fact("next_at", ("下一次", "next attempt"), row.next_at);
    }
    if let Some(attempt) = rows.find::<Attempt>(&(id, row.attempts))? {
        sheet.fact("last", ("最近一次", "last attempt"), attempt.in_words(row.callback, Lang::En));
    }
    Ok(Some(sheet))
}
