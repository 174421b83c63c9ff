//! The demo of the VAS and Lafi wallets.

use std::io::Write;
use std::sync::Arc;

use wallet_api::vas::{
    Currency, How, OrderState, Platform, Profile, Review, SessionKey, WebToken, limits, login,
};
use wallet_chain::rpc::{Credentials, Node};
use wallet_client::{
    Booked, FomoWallet, Order, OrderBook, QrCode, TooNarrow, VasApp, VasCredentials, VasReceiver, VasWallet,
    system_time, verify_on_chain,
};
use wallet_core::link::OutgoingLink as _;
use wallet_core::{Amount, Lang, Secret, Signer, Transport as _, form};
use wallet_crypto::{PrivateKey, PublicKey, RsaSign, RsaVerify};

use super::{DemoError, HyperTokio, Shop, Telling, call, describe, failed, post, same, transport};
use crate::data::{Described, DescribedUser, DescribedVas};

/// A request to the shop.
enum Received {
    /// The wallet's return after a login: the query.
    Login(String),
    /// A callback: the query.
    Payment(String),
}

fn units(amount: &str) -> Result<i128, DemoError> {
    let amount =
        Amount::parse(amount.to_owned()).and_then(|amount| amount.units(limits::AMOUNT_DECIMALS as u8));
    Ok(amount.map_err(|error| failed("an amount")(Box::new(error)))?.get())
}

impl Telling<'_> {
    /// Draws a QR code, or says how large a terminal it needs.
    fn qr(&mut self, text: &str, columns: usize) -> Result<(), DemoError> {
        let code = QrCode::new(text).map_err(|error| failed("the QR code")(Box::new(error)))?;
        self.fact("二维码内容", "content", text);
        match code.to_terminal(columns) {
            Ok(drawn) => self.say(&drawn),
            Err(TooNarrow { needs }) => {
                let text = match self.lang {
                    Lang::Zh => format!("终端需要 {needs} 列；`wallop qr '链接' --svg code.svg` 可生成图片"),
                    Lang::En => {
                        format!(
                            "needs {needs} columns; `wallop qr 'LINK' --svg code.svg` makes a picture of it"
                        )
                    }
                };
                self.fact("二维码", "QR code", text);
            }
        }
        Ok(())
    }
}

/// Plays an application, a login and a payment against the VAS or the Lafi wallet of a sandbox. `columns`: the
/// terminal's width.
///
/// # Errors
/// [`DemoError`] if a step fails, or a value differs from the expected one.
pub async fn vas(
    sandbox: &Described,
    profile: Profile,
    lang: Lang,
    columns: usize,
    out: &mut (dyn Write + Send),
) -> Result<(), DemoError> {
    let mut play = Play::new(sandbox, profile, lang, columns, out)?;
    let app = play.apply_for_access().await?;
    let mut shop = app.open_shop().await?;
    let session = play.log_in(&app, &mut shop).await?;
    let (order, txid) = play.pay(&app, &mut shop, &session).await?;
    play.check(&app, &order, &txid).await?;
    play.tell.say(match lang {
        Lang::Zh => "\n一切相符。",
        Lang::En => "\nAll values are as expected.",
    });
    Ok(())
}

/// The state of the demo: the sandbox as described before, the payer, the developer and their wallet.
struct Play<'a> {
    tell: Telling<'a>,
    sandbox: &'a Described,
    credentials: &'a DescribedVas,
    profile: Profile,
    payer: &'a DescribedUser,
    developer: &'a DescribedUser,
    wallet: VasWallet<HyperTokio>,
    columns: usize,
    /// The start in Unix milliseconds: it makes the names of this run unique.
    run: i64,
}

/// The approved app of the developer.
struct App {
    uuid: String,
    name: String,
    safe_domain: String,
    signer: RsaSign,
    receiver: VasReceiver,
    client: VasApp<HyperTokio>,
}

fn key_error(error: wallet_crypto::KeyError) -> DemoError {
    failed("the key")(Box::new(error))
}

impl App {
    /// The shop's own server: it answers the wallet's return, and verifies callbacks.
    async fn open_shop(&self) -> Result<Shop<Received>, DemoError> {
        let receiver = self.receiver.clone();
        Shop::open(move |request| {
            let query = request.uri().query().unwrap_or_default().to_owned();
            if request.uri().path() == "/login" {
                return (http::Response::new(b"welcome".to_vec()), Received::Login(query));
            }
            let answer = match receiver.receive(&query, system_time()) {
                Ok(_) => VasReceiver::acknowledgement(),
                Err(_) => VasReceiver::rejection(),
            };
            (http::Response::new(answer.as_bytes().to_vec()), Received::Payment(query))
        })
        .await
    }

    /// A URL of the shop, on its safe domain.
    fn at(&self, shop: &Shop<Received>, path: &str) -> String {
        format!("http://{}:{}{path}", self.safe_domain, shop.address.port())
    }
}

impl<'a> Play<'a> {
    fn new(
        sandbox: &'a Described,
        profile: Profile,
        lang: Lang,
        columns: usize,
        out: &'a mut (dyn Write + Send),
    ) -> Result<Self, DemoError> {
        let (credentials, name) = match profile {
            Profile::Vas => (&sandbox.vas, "VAS"),
            Profile::Lafi => (&sandbox.lafi, "Lafi"),
        };
        let [payer, developer, ..] = sandbox.users.as_slice() else {
            return Err(DemoError("the sandbox has fewer than two users".to_owned()));
        };
        let mut tell = Telling { out, lang, step: 0 };
        tell.say(&match lang {
            Lang::Zh => format!("{name}：申请接入、扫码登录与支付，全部经过真实的 HTTP。"),
            Lang::En => {
                format!("{name}: an application, a login and a payment by QR code, all over real HTTP.")
            }
        });
        let wallet = VasWallet::new(transport(), &credentials.base_url);
        let run = system_time().millis();
        Ok(Self { tell, sandbox, credentials, profile, payer, developer, wallet, columns, run })
    }

    async fn sign_in(&self, user: &DescribedUser) -> Result<SessionKey<'static>, DemoError> {
        let sessions = FomoWallet::new(transport(), &self.sandbox.fomo.base_url);
        let login = call!("customer/login", sessions.login(&user.login_name, &user.pwd));
        Ok(SessionKey::new(login.session_key.as_str().to_owned()))
    }

    async fn apply_for_access(&mut self) -> Result<App, DemoError> {
        self.tell.step("开发者申请接入", "A developer applies for access", "POST wallet/app/apply");
        let session = self.sign_in(self.developer).await?;
        let name = format!("Coffee {}", self.run);
        let safe_domain = self.credentials.safe_domain.clone();
        let applied =
            call!("apply", self.wallet.apply(&session, self.profile.into(), &name, &safe_domain, "coffee"));
        let id = applied.application_id;
        self.tell.fact("申请", "application", format!("{name}, {safe_domain}, {id}"));

        self.tell.step("运营人员审核通过", "An operator approves it", "POST /sandbox/review");
        let review = form::query(&[("application_id", &*id.to_string()), ("approve", "yes")]);
        post(&self.sandbox.url, "/sandbox/review", &review).await?;
        let known = call!("applications", self.wallet.applications(&session));
        let mine = known.into_iter().find(|known| known.application_id == id);
        same("the review", &mine.and_then(|mine| mine.review.known()), &Some(Review::Approved))?;

        let (zh, en) = ("查看 uuid、accessToken 与密钥", "The developer sees the credentials");
        self.tell.step(zh, en, "POST wallet/app/credentials");
        let shown = call!("credentials", self.wallet.credentials(&session, &self.developer.pwd, id));
        let private = PrivateKey::load(shown.rsa_private.as_str()).map_err(key_error)?;
        let public = PublicKey::load(&shown.rsa_public).map_err(key_error)?;
        same("the key pair's public half", &private.public(), &public)?;
        let uuid = shown.uuid.as_str().to_owned();
        self.tell.fact("uuid", "uuid", &uuid);
        self.tell.fact("密钥", "key pair", format!("RSA {}", public.bits()));
        Ok(App {
            client: VasApp::new(
                transport(),
                &self.credentials.base_url,
                VasCredentials { app_id: uuid.clone().into(), access_token: shown.access_token },
            ),
            signer: RsaSign::new(&private).map_err(key_error)?,
            receiver: VasReceiver::new(uuid.clone().into(), Arc::new(RsaVerify::new(&public))),
            uuid,
            name,
            safe_domain,
        })
    }

    async fn log_in(
        &mut self,
        app: &App,
        shop: &mut Shop<Received>,
    ) -> Result<SessionKey<'static>, DemoError> {
        self.tell.step("商店显示登录二维码", "The shop shows a QR code to log in with", "vaslogin://");
        let web_token = format!("browser-{}", self.run);
        let mut asks = login::Link::new(app.at(shop, "/login").into(), app.uuid.as_str().into());
        asks.platform = Some(Platform::Web);
        asks.web_token = Some(WebToken::new(web_token.as_str()));
        let qr = asks.qr(None).map_err(|error| failed("the login's link")(Box::new(error)))?;
        self.tell.qr(&qr, self.columns)?;

        let (zh, en) = ("用户同意，钱包带回 openCode", "The user consents; the wallet brings the openCode");
        self.tell.step(zh, en, "POST wallet/login/approve");
        let session = self.sign_in(self.payer).await?;
        let approved = call!("approve", self.wallet.approve_login(&session, &qr, None));
        same("the app's name", &approved.app_name, &app.name)?;
        same("how the wallet returns", &approved.how, &How::Get)?;
        let return_to = http::Request::get(approved.address.as_str()).body(Vec::new());
        let return_to = return_to.map_err(|error| failed("the wallet's return")(Box::new(error)))?;
        call!("the wallet's return", transport().send(return_to));
        let Received::Login(query) = shop.next("return of the wallet").await? else {
            return Err(DemoError("a callback came before the login".to_owned()));
        };
        same("the webToken", &form::value_of(&query, "webToken").as_deref(), &Some(&*web_token))?;
        let open_code = form::value_of(&query, "openCode").unwrap_or_default();
        let once = match self.tell.lang {
            Lang::Zh => "40 位十六进制，60 秒内有效且只能用一次",
            Lang::En => "40 hex characters, once, within 60 s",
        };
        self.tell.fact("openCode", "openCode", once);

        self.tell.step("商店换取 aid 与 address", "The shop gets aid and address", "GET oauth/login/aidInfo");
        let info = call!("aidInfo", app.client.aid_info(&open_code));
        same("the aid", &info.aid.as_str(), &self.payer.aid.as_str())?;
        same("the address", &info.address.as_str(), &self.payer.address.as_str())?;
        self.tell.fact("aid", "aid", info.aid.as_str());
        self.tell.fact("address", "address", info.address.as_str());
        Ok(session)
    }

    async fn pay(
        &mut self,
        app: &App,
        shop: &mut Shop<Received>,
        session: &SessionKey<'_>,
    ) -> Result<(Order, String), DemoError> {
        self.tell.step("当前价格", "The price of the coin", "POST oauth/pay/price");
        let price = call!("price", app.client.price(self.profile, Currency::Cny));
        let coin = self.profile.coin_type();
        self.tell.fact(coin, coin, format!("{price} CNY"));

        let order = Order {
            order_id: format!("coffee-{}", self.run).into(),
            to_addr: self.developer.address.clone().into(),
            asset: self.profile.asset().to_owned().into(),
            amount: "12.50".parse().map_err(|_| DemoError("12.50 is not an amount".to_owned()))?,
            callback_url: app.at(shop, "/pay?table=7").into(),
        };
        let mut book = OrderBook::new();
        same("a fresh order", &book.open(order.clone()), &true)?;
        self.tell.step(
            "商店显示签名的支付二维码",
            "The shop shows a signed QR code to pay with",
            "vaspay://",
        );
        let order_id = order.order_id.as_str();
        self.tell.fact("订单", "order", format!("{order_id}: {} {}", order.amount, order.asset.as_str()));
        let qr = order.link(&app.uuid).qr(Some(&Signer::rsa(&app.signer, system_time())));
        let qr = qr.map_err(|error| failed("the payment's link")(Box::new(error)))?;
        self.tell.qr(&qr, self.columns)?;

        self.tell.step("用户支付", "The user pays", "POST wallet/pay/submit");
        let paid = call!("submit", self.wallet.pay(session, &self.payer.wallet_pwd, &qr, None));
        same("the order", &paid.order_id.as_str(), &order_id)?;
        same("the return address after a QR code", &paid.address, &None)?;
        self.tell.fact("txid", "txid", paid.txid.as_str());
        let waits = call!("order", app.client.order(order_id));
        same("the order before its block", &waits.state, &OrderState::Submitted)?;

        self.tell.step("区块确认", "A block confirms it", "POST /chain/mine");
        post(&self.sandbox.url, "/chain/mine", "blocks=1").await?;

        self.tell.step(
            "回调到达并通过验签",
            "The callback arrives, and its signature verifies",
            "GET callbackUrl",
        );
        let Received::Payment(query) = shop.next("callback").await? else {
            return Err(DemoError("a second login came".to_owned()));
        };
        same("the address's own parameter", &form::value_of(&query, "table").as_deref(), &Some("7"))?;
        let callback = app
            .receiver
            .receive(&query, system_time())
            .map_err(|why| DemoError(format!("the callback was rejected: {why}")))?;
        let payment = callback.payment();
        same("its transaction", &payment.txid.as_str(), &paid.txid.as_str())?;
        for wanted in [Booked::Now, Booked::Before] {
            let booked =
                book.book(&callback).map_err(|error| failed("booking the order")(Box::new(error)))?;
            same("the booking", &booked, &wanted)?;
        }
        let (from, to) = (payment.from_addr.as_str(), payment.to_addr.as_str());
        self.tell.fact("付款方 → 收款方", "from → to", format!("{from} → {to}"));
        Ok((order, paid.txid.as_str().to_owned()))
    }

    async fn check(&mut self, app: &App, order: &Order, txid: &str) -> Result<(), DemoError> {
        let (zh, en) = ("在链上核对", "The shop verifies the payment on the chain");
        self.tell.step(zh, en, "getrawtransaction \"txid\" 4");
        let node = &self.credentials.chain;
        let access =
            Credentials { user: node.rpc_user.clone(), password: Secret::new(node.rpc_password.clone()) };
        let node = Node::new(transport(), &node.rpc_url, access, self.profile.asset());
        let found = call!("getrawtransaction", node.transaction(txid));
        let found = found.ok_or_else(|| DemoError("the payment is not on the chain".to_owned()))?;
        verify_on_chain(order, &found, 1).map_err(|why| failed("the payment on the chain")(Box::new(why)))?;
        self.tell.fact("确认数", "confirmations", found.confirmations);

        self.tell.step("订单状态与余额", "The state of the order, and the balances", "GET oauth/pay/order");
        let order_now = call!("order", app.client.order(order.order_id.as_str()));
        same("the order's state", &order_now.state, &OrderState::Paid)?;
        let before = assets(self.sandbox, self.profile)?;
        let after = assets(&describe(&self.sandbox.url).await?, self.profile)?;
        let moved = |at: usize| Ok::<_, DemoError>(units(&after[at])? - units(&before[at])?);
        let wanted = units(order.amount.as_str())?;
        same("the change of the payer's balance", &moved(0)?, &-wanted)?;
        same("the change of the receiver's balance", &moved(1)?, &wanted)?;
        let asset = self.profile.asset();
        self.tell.fact("支付前 → 支付后", "before → after", format!("{} → {} {asset}", before[0], after[0]));
        Ok(())
    }
}

/// The balances of the payer and the developer.
fn assets(sandbox: &Described, profile: Profile) -> Result<[String; 2], DemoError> {
    let of = |at: usize| sandbox.users.get(at).and_then(|user| user.assets.get(profile.asset())).cloned();
    match (of(0), of(1)) {
        (Some(payer), Some(developer)) => Ok([payer, developer]),
        _ => Err(DemoError("the sandbox's description has no balances of its users".to_owned())),
    }
}
