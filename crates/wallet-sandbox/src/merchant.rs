//! The demo shop's own server: a merchant that calls the platforms through `wallet-client` only.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use wallet_api::fomo::{
    self, AccessToken, CoinId, ServerUri, TradeId, TransferStatus, UserId, lifetimes, payment_result,
};
use wallet_api::vas::{self, Platform, Profile, WebToken, login};
use wallet_client::{
    Booked, CallError, FomoApp, FomoClient, FomoCredentials, FomoReceiver, Order, Payment, Payout, VasApp,
    VasCredentials, VasReceiver,
};
use wallet_core::crypto::Crypto;
use wallet_core::link::OutgoingLink as _;
use wallet_core::{Amount, Lang, Platform as _, PlatformMeta, Signer, Transport, UnixTime, form, in_words};
use wallet_crypto::{KeyError, PrivateKey, PublicKey, RsaSign, RsaVerify};

/// A wallet to sign in and pay with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PayWith {
    Fomo,
    Vas(Profile),
}

impl PayWith {
    pub(crate) const ALL: [Self; 3] = [Self::Fomo, Self::Vas(Profile::Vas), Self::Vas(Profile::Lafi)];

    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Fomo => "fomo",
            Self::Vas(profile) => profile.meta().id,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fomo => "FOMO",
            Self::Vas(Profile::Vas) => "VAS",
            Self::Vas(Profile::Lafi) => "Lafi",
        }
    }

    pub(crate) fn of(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.id() == id)
    }
}

/// An item of the shop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item {
    pub(crate) id: &'static str,
    pub(crate) zh: &'static str,
    pub(crate) en: &'static str,
    pub(crate) price: &'static str,
}

impl Item {
    fn amount(&self) -> Result<Amount<'static>, Stopped> {
        self.price.parse().map_err(|_| Stopped::Because("价格不是金额。", "The price is not an amount."))
    }
}

pub(crate) const ITEMS: [Item; 3] = [
    Item { id: "coffee", zh: "咖啡", en: "Coffee", price: "1.50" },
    Item { id: "tea", zh: "茶", en: "Tea", price: "0.80" },
    Item { id: "cake", zh: "蛋糕", en: "Cake", price: "2.25" },
];

/// The coin that FOMO payments are made in, and its name.
const COIN: (CoinId, &str) = (CoinId::new(5), "usdt");

/// The user who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Customer {
    pub(crate) way: PayWith,
    pub(crate) name: String,
    /// The user's id in the wallet. The orders belong to this id, in every browser.
    id: String,
    /// FOMO's access token.
    token: Option<AccessToken<'static>>,
}

impl Customer {
    fn has(&self, order: &Bought) -> bool {
        self.way == order.way && self.id == order.customer
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Waits for the user's payment.
    Waiting,
    /// The callback of the payment has arrived.
    Paid,
    /// Paid back.
    Refunded,
    /// Not paid in time: the platform no longer accepts a payment.
    Expired,
}

/// An order of the shop.
#[derive(Debug, Clone)]
pub(crate) struct Bought {
    pub(crate) id: String,
    /// The customer's id in the wallet.
    customer: String,
    pub(crate) item: Item,
    pub(crate) way: PayWith,
    at: UnixTime,
    pub(crate) unit: String,
    pub(crate) state: State,
    /// The address that opens the wallet.
    pub(crate) wallet: String,
    /// The text of its QR code.
    pub(crate) qr: Option<String>,
    /// FOMO's transfer_id, or the txid of the payment.
    pub(crate) reference: String,
    /// The FOMO user who paid, and receives a refund.
    payer: Option<UserId>,
    /// The order of the signed pay link.
    order: Option<Order>,
    /// Whether a payment of the order waits for its block. The sandbox's wallet says so; a shop elsewhere learns it from
    /// the platform's `order` call, or waits for the callback.
    pub(crate) submitted: bool,
    /// The last moment at which FOMO accepts the payment.
    until: Option<UnixTime>,
}

/// A line of the shop's log.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) at: UnixTime,
    pub(crate) text: String,
}

#[derive(Default)]
struct Kept {
    customers: IndexMap<String, Customer>,
    /// The visitors who sign in, by FOMO's `state` or the others' `webToken`.
    logins: IndexMap<String, String>,
    /// The webTokens of `logins` whose code the wallet has scanned.
    scanned: IndexMap<String, ()>,
    orders: IndexMap<String, Bought>,
    log: VecDeque<Line>,
}

/// The shop's credentials at the VAS or the Lafi wallet.
pub(crate) struct VasAccess {
    pub(crate) profile: Profile,
    pub(crate) base_url: String,
    pub(crate) uuid: String,
    pub(crate) access_token: String,
    pub(crate) rsa_private: String,
    pub(crate) to_addr: String,
    /// The origin of its callback URLs: scheme, safe domain and port.
    pub(crate) origin: String,
}

/// The shop's credentials at FOMO.
pub(crate) struct FomoAccess {
    pub(crate) base_url: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) redirect_uri: String,
    pub(crate) owner_wallet_pwd: String,
}

struct VasSide<T> {
    access: VasAccess,
    client: VasApp<T>,
    signer: RsaSign,
    receiver: VasReceiver,
}

/// The shop.
pub(crate) struct Merchant<T> {
    /// The address of the shop.
    url: String,
    fomo: FomoAccess,
    app: FomoApp<T>,
    receiver: FomoReceiver,
    vas: Vec<VasSide<T>>,
    crypto: Arc<dyn Crypto>,
    now: Arc<dyn Fn() -> UnixTime + Send + Sync>,
    kept: Mutex<Kept>,
}

/// The suffix after the order's id in the trade_id of its refund.
const BACK: &str = "-back";
/// The most lines and orders that the shop keeps.
const LINES: usize = 200;
const ORDERS: usize = 2000;
/// The most orders of one customer, and the most of them unpaid.
const EACH: usize = 50;
const EACH_WAITING: usize = 20;
/// The most customers, and the most unfinished sign-ins.
const CUSTOMERS: usize = 10_000;
/// The time that the shop keeps an unpaid order. A FOMO payment expires within minutes; a pay link has no expiry.
const WAITS: Duration = Duration::from_secs(3600);

/// Why a request to the shop failed.
#[derive(Debug, Clone)]
pub(crate) enum Stopped {
    /// In Chinese and in English.
    Because(&'static str, &'static str),
    /// A platform refused with one of its codes.
    Refused(&'static PlatformMeta, u32),
    /// Any other failure.
    Failed(String),
}

impl Stopped {
    pub(crate) fn in_lang(&self, lang: Lang) -> String {
        match (self, lang) {
            (Self::Because(zh, _), Lang::Zh) => (*zh).to_owned(),
            (Self::Because(_, en), Lang::En) => (*en).to_owned(),
            (Self::Refused(platform, code), _) => {
                let text = platform.code(*code);
                let text = text.map_or("", |known| known.text.in_lang(lang));
                let (name, code) = (platform.doc.in_lang(lang), platform.envelope.code_text(*code));
                match lang {
                    Lang::Zh => format!("{name} 拒绝了商店的请求：{text}（{code}）"),
                    Lang::En => format!("{name} refused the shop: {text} ({code})"),
                }
            }
            (Self::Failed(why), _) => why.clone(),
        }
    }
}

impl<E: std::error::Error + 'static> From<CallError<E, fomo::ErrorCode>> for Stopped {
    fn from(error: CallError<E, fomo::ErrorCode>) -> Self {
        match error.code() {
            Some(code) => Self::Refused(fomo::Fomo::META, code.code()),
            None => Self::Failed(in_words(&error)),
        }
    }
}

impl<E: std::error::Error + 'static> From<CallError<E, vas::ErrorCode>> for Stopped {
    fn from(error: CallError<E, vas::ErrorCode>) -> Self {
        match error.code() {
            Some(code) => Self::Refused(vas::Vas::META, code.code()),
            None => Self::Failed(in_words(&error)),
        }
    }
}

const NO_WALLET: Stopped =
    Stopped::Because("商店没有接入这个钱包。", "The shop does not support this wallet.");
const NO_ADDRESS: Stopped =
    Stopped::Because("商店自己的地址不可用。", "The shop's own address cannot be used.");
const SIGN_IN: Stopped = Stopped::Because("请先登录商店。", "Sign in to the shop first.");
const FULL: Stopped = Stopped::Because(
    "等待付款的订单太多：请过一小时再来。",
    "Too many orders wait to be paid: come back in an hour.",
);
const YOURS: Stopped = Stopped::Because(
    "你有太多订单在等待付款：请先付掉几个，或过一小时再来。",
    "Too many of your orders wait to be paid: pay some of them, or come back in an hour.",
);

/// The newest is last; the oldest is dropped at the limit.
fn put<V>(kept: &mut IndexMap<String, V>, key: String, value: V) {
    kept.shift_remove(&key);
    if kept.len() >= CUSTOMERS {
        kept.shift_remove_index(0);
    }
    kept.insert(key, value);
}

impl Kept {
    /// Makes room for another order. It never drops an order that may be in payment: no customer pays for an order
    /// that the shop has dropped.
    fn make_place(&mut self, now: UnixTime, customer: &Customer) -> Result<(), Stopped> {
        let waits = |order: &Bought| order.state == State::Waiting && now <= order.at + WAITS;
        let own = || self.orders.values().filter(|order| customer.has(order));
        if own().filter(|order| waits(order)).count() >= EACH_WAITING {
            return Err(YOURS);
        }
        // The orders of one customer never evict the orders of another.
        if own().count() >= EACH {
            let own = self.orders.values().position(|order| customer.has(order) && !waits(order));
            self.orders.shift_remove_index(own.ok_or(YOURS)?);
        }
        if self.orders.len() < ORDERS {
            return Ok(());
        }
        // Drops refunded and expired orders first, then abandoned ones, then paid ones; of each the oldest.
        let rank = |order: &Bought| match order.state {
            State::Refunded | State::Expired => Some(0),
            State::Waiting => (!waits(order)).then_some(1),
            State::Paid => Some(2),
        };
        let ranked = (0..).zip(self.orders.values()).filter_map(|(at, order)| Some((rank(order)?, at)));
        let (_, at) = ranked.min().ok_or(FULL)?;
        self.orders.shift_remove_index(at);
        Ok(())
    }
}

impl<T: Transport + Clone> Merchant<T> {
    pub(crate) fn new(
        url: &str,
        transport: &T,
        crypto: Arc<dyn Crypto>,
        fomo: FomoAccess,
        vas: Vec<VasAccess>,
        now: Arc<dyn Fn() -> UnixTime + Send + Sync>,
    ) -> Result<Self, KeyError> {
        let clock = now.clone();
        let credentials = FomoCredentials {
            client_id: fomo.client_id.clone().into(),
            client_secret: fomo.client_secret.clone().into(),
            redirect_uri: fomo.redirect_uri.clone().into(),
        };
        let app = FomoClient::new(transport.clone(), &fomo.base_url).with_credentials(
            credentials,
            crypto.clone(),
            move || clock(),
        );
        let side = |access: VasAccess| {
            let private = PrivateKey::load(access.rsa_private.as_str())?;
            let public: PublicKey = private.public();
            Ok(VasSide {
                client: VasApp::new(
                    transport.clone(),
                    &access.base_url,
                    VasCredentials {
                        app_id: access.uuid.clone().into(),
                        access_token: access.access_token.clone().into(),
                    },
                ),
                signer: RsaSign::new(&private)?,
                receiver: VasReceiver::new(access.uuid.clone().into(), Arc::new(RsaVerify::new(&public))),
                access,
            })
        };
        Ok(Self {
            url: url.to_owned(),
            receiver: FomoReceiver::new(crypto.clone(), fomo.client_secret.clone().into()),
            fomo,
            app,
            vas: vas.into_iter().map(side).collect::<Result<_, _>>()?,
            crypto,
            now,
            kept: Mutex::default(),
        })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A random id of 32 hex digits.
    pub(crate) fn random(&self) -> String {
        let mut bytes = [0; 16];
        self.crypto.fill(&mut bytes);
        wallet_core::crypto::hex_text(&bytes)
    }

    fn log(&self, text: impl Into<String>) {
        let at = (self.now)();
        let mut kept = self.kept();
        kept.log.truncate(LINES - 1);
        kept.log.push_front(Line { at, text: text.into() });
    }

    pub(crate) fn lines(&self) -> Vec<Line> {
        self.kept().log.iter().take(12).cloned().collect()
    }

    pub(crate) fn customer(&self, visitor: &str) -> Option<Customer> {
        self.kept().customers.get(visitor).cloned()
    }

    pub(crate) fn leave(&self, visitor: &str) {
        self.kept().customers.shift_remove(visitor);
    }

    fn welcome(&self, visitor: String, customer: Customer) {
        self.log(format!("signed in: {} by {}", customer.name, customer.way.name()));
        put(&mut self.kept().customers, visitor, customer);
    }

    fn expect(&self, visitor: &str) -> String {
        let state = self.random();
        put(&mut self.kept().logins, state.clone(), visitor.to_owned());
        state
    }

    // ------------------------------------------------------------------------------------------ signing in

    /// The address at which a user signs in with FOMO.
    pub(crate) fn fomo_login(&self, visitor: &str) -> String {
        let state = self.expect(visitor);
        let query = form::query(&[
            ("response_type", "code"),
            ("client_id", &self.fomo.client_id),
            ("redirect_uri", &self.fomo.redirect_uri),
            ("state", &state),
        ]);
        format!("{}oauth2/authorize?{query}", self.fomo.base_url)
    }

    /// Exchanges the code that FOMO sent back with the browser.
    pub(crate) async fn fomo_back(&self, visitor: &str, code: &str, state: &str) -> Result<(), Stopped> {
        let expected = self.kept().logins.shift_remove(state);
        if expected.as_deref() != Some(visitor) {
            return Err(Stopped::Because(
                "state 不是商店发给这个浏览器的：登录不是从这里开始的，或已用过。",
                "The shop did not give this state to this browser: the sign-in began elsewhere, or is used.",
            ));
        }
        let tokens = self.app.exchange_code(code).await?;
        self.log("POST oauth2/authorize/token: the code became tokens");
        let user = self.app.user_info(&tokens.access_token).await?;
        let (id, token) = (user.user_id.to_string(), Some(tokens.access_token));
        self.welcome(visitor.to_owned(), Customer { way: PayWith::Fomo, name: user.name, id, token });
        Ok(())
    }

    fn side(&self, profile: Profile) -> Option<&VasSide<T>> {
        self.vas.iter().find(|side| side.access.profile == profile)
    }

    /// The text of the QR code to sign in with.
    pub(crate) fn vas_login(&self, visitor: &str, profile: Profile) -> Option<String> {
        let web_token = self.expect(visitor);
        self.login_link(profile, web_token)
    }

    /// The sign-in that a browser waits for: the text of its QR code, and whether the wallet has scanned it.
    pub(crate) fn waiting_login(&self, visitor: &str, profile: Profile) -> Option<(String, bool)> {
        let kept = self.kept();
        let (token, _) = kept.logins.iter().rev().find(|(_, waits)| *waits == visitor)?;
        let (token, scanned) = (token.clone(), kept.scanned.contains_key(token));
        drop(kept);
        Some((self.login_link(profile, token)?, scanned))
    }

    /// The wallet has scanned the code with this webToken, and asks its user for consent.
    pub(crate) fn scanned(&self, web_token: &str) {
        let mut kept = self.kept();
        if kept.logins.contains_key(web_token) {
            put(&mut kept.scanned, web_token.to_owned(), ());
        }
    }

    fn login_link(&self, profile: Profile, web_token: String) -> Option<String> {
        let side = self.side(profile)?;
        let mut asks = login::Link::new(
            format!("{}/shop/callback/{}/login", side.access.origin, profile.meta().id).into(),
            side.access.uuid.clone().into(),
        );
        asks.platform = Some(Platform::Web);
        asks.web_token = Some(WebToken::new(web_token));
        asks.qr(None).ok()
    }

    /// Redeems the openCode that the wallet returned for the browser of this webToken.
    pub(crate) async fn vas_returned(
        &self,
        profile: Profile,
        open_code: &str,
        web_token: &str,
    ) -> Result<(), Stopped> {
        let side = self.side(profile).ok_or(NO_WALLET)?;
        self.kept().scanned.shift_remove(web_token);
        let visitor = self.kept().logins.shift_remove(web_token).ok_or(Stopped::Because(
            "没有浏览器以这个 webToken 等待登录。",
            "No browser waits for a login with this webToken.",
        ))?;
        let info = side.client.aid_info(open_code).await?;
        self.log(format!("GET aidInfo: the openCode belongs to {}", info.aid.as_str()));
        let name = info.aid.as_str().to_owned();
        self.welcome(visitor, Customer { way: PayWith::Vas(profile), id: name.clone(), name, token: None });
        Ok(())
    }

    // ------------------------------------------------------------------------------------------ selling

    /// Requests a payment through the wallet that the customer signed in with. Returns the order's id.
    pub(crate) async fn sell(&self, visitor: &str, item: &str) -> Result<String, Stopped> {
        let item = ITEMS.into_iter().find(|known| known.id == item);
        let item = item.ok_or(Stopped::Because("商店没有这种商品。", "The shop does not sell that."))?;
        let customer = self.customer(visitor).ok_or(SIGN_IN)?;
        let now = (self.now)();
        let id = format!("{}-{}", item.id, &self.random()[..12]);
        let amount = item.amount()?;
        let mut bought = Bought {
            id: id.clone(),
            customer: customer.id.clone(),
            at: now,
            item,
            way: customer.way,
            unit: COIN.1.to_owned(),
            state: State::Waiting,
            wallet: String::new(),
            qr: None,
            reference: String::new(),
            payer: None,
            order: None,
            submitted: false,
            until: None,
        };
        match customer.way {
            PayWith::Fomo => {
                let token = customer.token.as_ref().ok_or(SIGN_IN)?;
                let server_uri =
                    ServerUri::new(format!("{}/shop/callback/fomo", self.url)).map_err(|_| NO_ADDRESS)?;
                let payment = Payment {
                    trade_id: TradeId::new(id.clone()),
                    amount,
                    coin: COIN.0,
                    server_uri,
                    state: id.clone().into(),
                };
                let transfer = self.app.pre_pay(token, payment).await?;
                self.log(format!("POST pre_pay: {id} waits as transfer {transfer}"));
                bought.reference = transfer.to_string();
                bought.until = Some((self.now)() + lifetimes::UNCONFIRMED_PAYMENT);
                bought.wallet = format!("/wallet?transfer_id={transfer}&trade_id={id}");
            }
            PayWith::Vas(profile) => {
                let side = self.side(profile).ok_or(NO_WALLET)?;
                let order = Order {
                    order_id: id.clone().into(),
                    to_addr: side.access.to_addr.clone().into(),
                    asset: profile.asset().to_owned().into(),
                    amount,
                    callback_url: format!("{}/shop/callback/{}/pay", side.access.origin, profile.meta().id)
                        .into(),
                };
                let signer = Signer::rsa(&side.signer, now);
                let qr = order.link(&side.access.uuid).qr(Some(&signer));
                let qr = qr.map_err(|error| Stopped::Failed(in_words(&error)))?;
                bought.unit = profile.asset().to_owned();
                bought.wallet = format!("/wallet?{}", form::query(&[("scan", &qr)]));
                bought.qr = Some(qr);
                bought.order = Some(order);
                self.log(format!("signed a pay link for {id}"));
            }
        }
        // Checks and inserts under one lock. A payment that the platform holds and the shop refuses expires by itself.
        let mut kept = self.kept();
        kept.make_place(now, &customer)?;
        kept.orders.insert(id.clone(), bought);
        Ok(id)
    }

    /// An order of the customer who is signed in here.
    pub(crate) fn order(&self, visitor: &str, id: &str) -> Option<Bought> {
        let kept = self.kept();
        let customer = kept.customers.get(visitor)?;
        kept.orders.get(id).filter(|order| customer.has(order)).cloned()
    }

    /// The newest orders of the customer who is signed in here.
    pub(crate) fn orders(&self, visitor: &str) -> Vec<Bought> {
        let kept = self.kept();
        let Some(customer) = kept.customers.get(visitor) else { return Vec::new() };
        kept.orders.values().rev().filter(|order| customer.has(order)).take(10).cloned().collect()
    }

    /// Whether this order is the shop's own, paid by link.
    pub(crate) fn has_link(&self, uuid: &str, id: &str) -> bool {
        let way = self.kept().orders.get(id).map(|order| order.way);
        let Some(PayWith::Vas(profile)) = way else { return false };
        self.side(profile).is_some_and(|side| side.access.uuid == uuid)
    }

    /// The wallet has submitted a payment of an order, which waits for its block.
    pub(crate) fn submitted(&self, uuid: &str, id: &str) {
        if self.has_link(uuid, id)
            && let Some(order) = self.kept().orders.get_mut(id)
        {
            order.submitted = true;
        }
    }

    /// Asks FOMO for the state of an expired payment: its callback may be lost, and the shop's clock may differ from
    /// the platform's.
    pub(crate) async fn look_after(&self, visitor: &str, id: &str) {
        let Some(order) = self.order(visitor, id) else { return };
        let over = order.state == State::Waiting && order.until.is_some_and(|until| (self.now)() > until);
        if !over {
            return;
        }
        match self.app.trade(&TradeId::new(id.to_owned())).await {
            Ok(trade) if trade.status == TransferStatus::Expired => {
                self.log(format!("POST get_trade: {id} was not paid in time"));
                if let Some(order) = self.kept().orders.get_mut(id)
                    && order.state == State::Waiting
                {
                    order.state = State::Expired;
                }
            }
            Ok(_) => {} // paid: its callback is on its way
            Err(error) => self.log(format!("POST get_trade: {id}: {}", in_words(&error))),
        }
    }

    fn paid(&self, id: &str, reference: &str, payer: Option<UserId>) {
        if let Some(order) = self.kept().orders.get_mut(id)
            && order.state == State::Waiting
        {
            (order.state, order.payer) = (State::Paid, payer);
            order.reference = reference.to_owned();
        }
    }

    /// Verifies and books FOMO's callback.
    pub(crate) fn fomo_callback(&self, request: &http::Request<impl AsRef<[u8]>>) -> http::Response<Vec<u8>> {
        match self.receiver.receive(request, (self.now)()) {
            Ok(payload) if self.believe(&payload) => FomoReceiver::acknowledgement(),
            // Not acknowledged: the platform sends it again, and an operator may look into it.
            Ok(payload) => {
                self.log(format!("a callback for an unknown order: {}", payload.trade_id.as_str()));
                let mut response = http::Response::new(b"no such order\n".to_vec());
                *response.status_mut() = http::StatusCode::NOT_FOUND;
                response
            }
            Err(error) => {
                self.log(format!("a callback was rejected: {error}"));
                FomoReceiver::rejection(error)
            }
        }
    }

    /// Whether a payment or a refund matches an order of the shop.
    fn believe(&self, payload: &payment_result::Payload<'_>) -> bool {
        let id = payload.trade_id.as_str();
        if let Some(order) = id.strip_suffix(BACK).and_then(|id| self.kept().orders.get(id).cloned()) {
            self.log(format!("callback: {} is refunded", order.id));
            return true;
        }
        let order = self.kept().orders.get(id).cloned();
        let fits = order.is_some_and(|order| {
            // By value: a platform may write an amount in another scale (R12).
            let price = order.item.amount().is_ok_and(|price| price == payload.amount);
            order.reference == payload.transfer_id.to_string() && price
        });
        if fits {
            self.log(format!("callback: {id} is paid, {} {}", payload.amount, COIN.1));
            self.paid(id, &payload.transfer_id.to_string(), Some(payload.user_id));
        }
        fits
    }

    /// Verifies and books a callback of the VAS or the Lafi wallet. Returns the body of the reply.
    pub(crate) fn vas_callback(&self, profile: Profile, query: &str) -> &'static str {
        let Some(side) = self.side(profile) else { return VasReceiver::rejection() };
        let callback = match side.receiver.receive(query, (self.now)()) {
            Ok(callback) => callback,
            Err(error) => {
                self.log(format!("a callback was rejected: {error}"));
                return VasReceiver::rejection();
            }
        };
        let payment = callback.payment();
        let (id, txid) = (payment.order_id.as_str(), payment.txid.as_str());
        let known = self.kept().orders.get(id).cloned();
        let Some((bought, order)) = known.and_then(|bought| Some((bought.clone(), bought.order?))) else {
            self.log(format!("a callback for an unknown order: {id}"));
            return VasReceiver::rejection();
        };
        let before = (bought.state != State::Waiting).then_some(bought.reference.as_str());
        match order.book(before, &callback) {
            Ok(booked) => {
                if booked == Booked::Now {
                    self.log(format!("callback: {id} is paid by transaction {txid}"));
                    self.paid(id, txid, None);
                }
                VasReceiver::acknowledgement()
            }
            Err(error) => {
                self.log(format!("a callback is not booked: {error}"));
                VasReceiver::rejection()
            }
        }
    }

    /// Refunds a FOMO order.
    pub(crate) async fn refund(&self, visitor: &str, id: &str) -> Result<(), Stopped> {
        let order = self.order(visitor, id);
        let order = order.ok_or(Stopped::Because("没有这个订单。", "There is no such order."))?;
        let (State::Paid, Some(user)) = (order.state, order.payer) else {
            return Err(Stopped::Because(
                "只有已支付的 FOMO 订单可以退款。",
                "Only a paid FOMO order can be refunded.",
            ));
        };
        let server_uri =
            ServerUri::new(format!("{}/shop/callback/fomo", self.url)).map_err(|_| NO_ADDRESS)?;
        let trade_id = TradeId::new(format!("{id}{BACK}"));
        let payout = Payout {
            // One refund per order, also after a double click: the platform accepts a trade_id once.
            trade_id: trade_id.clone(),
            amount: order.item.amount()?,
            coin: COIN.0,
            user,
            server_uri,
            state: id.to_owned().into(),
        };
        match self.app.pay_user(payout, &self.fomo.owner_wallet_pwd).await {
            Ok(paid) => self.log(format!(
                "POST pay_user: {id} is paid back, httpcode {}",
                paid.httpcode.unwrap_or_default()
            )),
            // R83: the trade_id shows whether a reply was lost.
            Err(error) => match self.app.trade(&trade_id).await {
                Ok(trade) if trade.status == TransferStatus::Done => {
                    self.log(format!("POST get_trade: {id} was paid back before"));
                }
                _ => return Err(error.into()),
            },
        }
        if let Some(order) = self.kept().orders.get_mut(id) {
            order.state = State::Refunded;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customer(id: usize) -> Customer {
        Customer { way: PayWith::Fomo, name: String::new(), id: id.to_string(), token: None }
    }

    fn buy(kept: &mut Kept, id: &str, of: usize, state: State, at: i64) {
        let bought = Bought {
            id: id.to_owned(),
            customer: of.to_string(),
            item: ITEMS[0],
            way: PayWith::Fomo,
            at: UnixTime::from_secs(at),
            unit: String::new(),
            state,
            wallet: String::new(),
            qr: None,
            reference: String::new(),
            payer: None,
            order: None,
            submitted: false,
            until: None,
        };
        kept.orders.insert(id.to_owned(), bought);
    }

    const NOW: UnixTime = UnixTime::from_secs(10_000);

    #[test]
    fn a_full_shop_refuses_rather_than_forgets_what_somebody_may_be_paying() {
        let mut kept = Kept::default();
        let states = [State::Paid, State::Waiting, State::Expired, State::Refunded];
        for id in 0..ORDERS {
            // The first of those that wait has waited too long.
            buy(&mut kept, &id.to_string(), id / 10, states[id % 4], if id == 1 { 0 } else { 10_000 });
        }
        let mut steps: Vec<Vec<String>> = Vec::new();
        for id in ORDERS.. {
            if kept.make_place(NOW, &customer(id)).is_err() {
                break;
            }
            steps.push(kept.orders.keys().cloned().collect());
            buy(&mut kept, &id.to_string(), id, State::Waiting, 10_000);
        }
        assert_eq!(kept.orders.len(), ORDERS);
        assert!(kept.orders.values().all(|order| order.state == State::Waiting), "all of it may be paid");
        assert!(!kept.orders.contains_key("1") && kept.orders.contains_key("5"));
        // Failed orders are dropped before expired ones, and these before served ones.
        let gone = |id: &str| steps.iter().position(|kept| !kept.contains(&id.to_owned()));
        assert!(gone("2") < gone("1") && gone("1") < gone("0") && gone("0") < gone("4"));
        // An hour later there is place again.
        assert!(kept.make_place(NOW + WAITS + Duration::from_secs(1), &customer(1)).is_ok());
    }

    #[test]
    fn a_customer_who_buys_much_puts_out_nobody_elses() {
        let mut kept = Kept::default();
        buy(&mut kept, "hers", 1, State::Paid, 10_000);
        for id in 0..EACH_WAITING {
            assert!(kept.make_place(NOW, &customer(2)).is_ok());
            buy(&mut kept, &format!("waits {id}"), 2, State::Waiting, 10_000);
        }
        assert!(kept.make_place(NOW, &customer(2)).is_err() && kept.make_place(NOW, &customer(1)).is_ok());
        kept.orders.shift_remove("waits 0");
        for id in 0..2 * ORDERS {
            assert!(kept.make_place(NOW, &customer(2)).is_ok());
            buy(&mut kept, &format!("paid {id}"), 2, State::Paid, 10_000);
        }
        assert_eq!(kept.orders.len(), 1 + EACH);
        assert!(kept.orders.contains_key("hers") && kept.orders.contains_key("waits 1"));
    }
}
