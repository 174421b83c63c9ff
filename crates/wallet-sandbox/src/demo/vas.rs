//! The demo of the VAS and Lafi wallets.

use std::io::Write;
use std::sync::Arc;

use wallet_api::vas::{
    ApplicationId, Currency, How, OpenCallbackType, OrderState, Platform, Profile, SessionKey, Wallet,
    WebToken, login,
};
use wallet_client::{
    Booked, FomoWallet, Order, OrderBook, PaymentCallback, QrCode, VasClient, VasWallet, verify_on_chain,
};
use wallet_core::link::{self, OutgoingLink as _};
use wallet_core::rpc::{Credentials, Node};
use wallet_core::{Amount, Lang, Secret, Signer, Transport as _, form};
use wallet_crypto::{PrivateKey, PublicKey, RsaSign, RsaVerify};

use super::{DemoError, Shop, Telling, call, describe, failed, post, same, transport};
use crate::data::{Described, DescribedUser};

/// What the shop hears.
enum Heard {
    /// The wallet's return after a login: the query.
    Login(String),
    /// A callback: the query.
    Payment(String),
}

fn units(amount: &str) -> Result<i128, DemoError> {
    let amount = Amount::parse(amount.to_owned()).and_then(|amount| amount.units(8));
    Ok(amount.map_err(|error| failed("an amount")(Box::new(error)))?.get())
}

fn form(fields: &[(&str, &str)]) -> String {
    let mut body = Vec::new();
    let mut writer = wallet_core::FieldWriter::form(&mut body);
    fields.iter().for_each(|(name, value)| writer.field(name, value));
    String::from_utf8(body).unwrap_or_default() // a form is ASCII
}

fn parameter(query: &str, wanted: &str) -> Option<String> {
    let mut pairs = form::pairs(query).map(form::split);
    let (_, value) = pairs.find(|(name, _)| *name == wanted)?;
    form::decode(value.as_bytes()).ok().map(|value| value.into_owned())
}

impl Telling<'_> {
    /// Draws a QR code, or says how large a terminal it needs.
    fn qr(&mut self, text: &str, columns: usize) -> Result<(), DemoError> {
        let code = QrCode::new(text).map_err(|error| failed("the QR code")(Box::new(error)))?;
        match code.to_terminal(columns) {
            Ok(drawn) => self.say(&drawn),
            Err(narrow) => {
                let (zh, en) = ("二维码", "QR code");
                self.fact(zh, en, format!("{narrow}; `wallop qr --svg code.svg` makes a file of a link"));
            }
        }
        Ok(())
    }
}

/// Plays an application, a login and a payment against the VAS or the Lafi wallet of a sandbox. `columns`: how wide the
/// terminal is.
///
/// # Errors
/// [`DemoError`]: something failed, or something differs from what it should be.
pub async fn vas(
    sandbox: &Described,
    profile: Profile,
    lang: Lang,
    columns: usize,
    out: &mut dyn Write,
) -> Result<(), DemoError> {
    let mut tell = Telling { out, lang, step: 0 };
    let (credentials, name, wallet_name) = match profile {
        Profile::Vas => (&sandbox.vas, "VAS", Wallet::Vas),
        Profile::Lafi => (&sandbox.lafi, "Lafi", Wallet::Lafi),
    };
    let no_user = || DemoError("the sandbox has no two users".to_owned());
    let [payer, developer, ..] = sandbox.users.as_slice() else { return Err(no_user()) };
    let run = wallet_client::system_time().millis();
    tell.say(&match lang {
        Lang::Zh => format!("{name}：申请接入、扫码登录与支付，全部经过真实的 HTTP。"),
        Lang::En => format!("{name}: an application, a login and a payment by QR code, all over real HTTP."),
    });
    let wallet = VasWallet::new(transport(), &credentials.base_url);
    let sessions = FomoWallet::new(transport(), &sandbox.fomo.base_url);
    let sign_in = async |user: &DescribedUser| -> Result<SessionKey<'static>, DemoError> {
        let login = call!("customer/login", sessions.login(&user.login_name, &user.pwd));
        Ok(SessionKey::new(login.session_key.as_str().to_owned()))
    };

    tell.step("开发者申请接入", "A developer applies for access", "POST wallet/app/apply");
    let developing = sign_in(developer).await?;
    let app_name = format!("Coffee {run}");
    let safe_domain = credentials.safe_domain.as_str();
    let applied = call!("apply", wallet.apply(&developing, wallet_name, &app_name, safe_domain, "coffee"));
    let id = applied.application_id;
    tell.fact("申请", "application", format!("{app_name}, {safe_domain}, {id}"));

    tell.step("社区评审通过", "An operator approves it", "POST /sandbox/review");
    post(&sandbox.url, "/sandbox/review", &form(&[("application_id", &id.to_string()), ("approve", "yes")]))
        .await?;
    let known = call!("applications", wallet.applications(&developing));
    let mine = known.into_iter().find(|known| known.application_id == id);
    same("the review", &mine.map(|mine| mine.review), &Some(wallet_api::vas::Review::Approved))?;

    tell.step(
        "查看 uuid、accessToken 与密钥",
        "The developer sees the credentials",
        "POST wallet/app/credentials",
    );
    let app =
        call!("credentials", wallet.credentials(&developing, &developer.pwd, ApplicationId::new(id.get())));
    let key = |error| failed("the key")(Box::new(error));
    let private = PrivateKey::load(app.rsa_private.as_str()).map_err(key)?;
    let public = PublicKey::load(&app.rsa_public).map_err(key)?;
    same("the key pair's public half", &private.public(), &public)?;
    tell.fact("uuid", "uuid", app.uuid.as_str());
    tell.fact("密钥", "key pair", format!("RSA {}", public.bits()));

    let (uuid, verifier) = (app.uuid.as_str().to_owned(), Arc::new(RsaVerify::new(&public)));
    let mut shop = {
        let (uuid, verifier) = (uuid.clone(), verifier.clone());
        Shop::open(move |request| {
            let query = request.uri().query().unwrap_or_default().to_owned();
            if request.uri().path() == "/login" {
                return (http::Response::new(b"welcome".to_vec()), Heard::Login(query));
            }
            let answer = match PaymentCallback::receive(&query, &uuid, &*verifier) {
                Ok(_) => PaymentCallback::acknowledgement(),
                Err(_) => PaymentCallback::rejection(),
            };
            (http::Response::new(answer.as_bytes().to_vec()), Heard::Payment(query))
        })
        .await?
    };
    let port = shop.address.port();
    let at = |path: &str| format!("http://{safe_domain}:{port}{path}");
    let client = VasClient::new(transport(), &credentials.base_url, &uuid, app.access_token.as_str());

    tell.step("商店显示登录二维码", "The shop shows a QR code to log in with", "vaslogin://");
    let web_token = format!("browser-{run}");
    let asks = login::Link {
        platform: Some(Platform::Web),
        callback_url: at("/login").into(),
        uuid: uuid.as_str().into(),
        callback_type: None,
        open_call_back_type: None,
        web_token: Some(WebToken::new(web_token.as_str())),
    };
    let qr = asks.qr(None).map_err(|error| failed("the login's link")(Box::new(error)))?;
    tell.fact("二维码内容", "what it says", &qr);
    tell.qr(&qr, columns)?;

    tell.step(
        "用户同意，钱包带回 openCode",
        "The user consents; the wallet brings the openCode",
        "POST wallet/login/approve",
    );
    let paying = sign_in(payer).await?;
    let approved = call!("approve", wallet.approve_login(&paying, &qr));
    same("the app's name", &approved.app_name, &app_name)?;
    same("how the wallet returns", &approved.how, &How::Get)?;
    let return_to = http::Request::get(approved.address.as_str()).body(Vec::new());
    let return_to = return_to.map_err(|error| failed("the wallet's return")(Box::new(error)))?;
    call!("the wallet's return", transport().send(return_to));
    let Heard::Login(query) = shop.next("return of the wallet").await? else {
        return Err(DemoError("a callback came before the login".to_owned()));
    };
    same("the webToken", &parameter(&query, "webToken"), &Some(web_token))?;
    let open_code = parameter(&query, "openCode").unwrap_or_default();
    tell.fact("openCode", "openCode", "40 hex characters, once, within 60 s");

    tell.step("商店换取 aid 与 address", "The shop learns who it is", "GET oauth/login/aidInfo");
    let info = call!("aidInfo", client.aid_info(&open_code));
    same("the aid", &info.aid.as_str(), &payer.aid.as_str())?;
    same("the address", &info.address.as_str(), &payer.address.as_str())?;
    tell.fact("aid", "aid", info.aid.as_str());
    tell.fact("address", "address", info.address.as_str());

    tell.step("当前价格", "What the coin is worth", "POST oauth/pay/price");
    let price = call!("price", client.price(profile, Currency::Cny));
    tell.fact(profile.coin_type(), profile.coin_type(), format!("{price} CNY"));

    let to_addr = developer.address.as_str().to_owned();
    let order = Order {
        order_id: format!("coffee-{run}").into(),
        to_addr: to_addr.into(),
        asset: profile.asset().to_owned().into(),
        amount: "12.50".parse().map_err(|_| DemoError("12.50 is no amount".to_owned()))?,
        callback_url: at("/pay?table=7").into(),
    };
    let mut book = OrderBook::new();
    same("a fresh order", &book.open(order.clone()), &true)?;

    tell.step("商店显示签名的支付二维码", "The shop shows a signed QR code to pay with", "vaspay://");
    let signer = RsaSign::new(&private).map_err(key)?;
    let asks = wallet_api::vas::pay::Link {
        description: Some("a coffee".into()),
        callback_scheme: Some("coffee".into()),
        open_call_back_type: Some(OpenCallbackType::Open),
        ..order.link(&uuid)
    };
    let signed = |error| failed("the payment's link")(Box::new(error));
    let qr = order.link(&uuid).qr(Some(&Signer::Rsa(&signer))).map_err(signed)?;
    let app_link = asks.app(profile.scheme(), Some(&Signer::Rsa(&signer))).map_err(signed)?;
    same(
        "the app link's scheme",
        &link::payload(&app_link).map(|read| read.scheme.to_owned()).ok(),
        &Some(profile.scheme().to_owned()),
    )?;
    tell.fact(
        "订单",
        "order",
        format!("{}: {} {}", order.order_id.as_str(), order.amount, order.asset.as_str()),
    );
    tell.qr(&qr, columns)?;

    tell.step("用户支付", "The user pays", "POST wallet/pay/submit");
    let before = assets(&describe(&sandbox.url).await?, profile)?;
    let paid = call!("submit", wallet.pay(&paying, &payer.wallet_pwd, &app_link, None));
    same("the order", &paid.order_id.as_str(), &order.order_id.as_str())?;
    same("what the wallet opens", &paid.address.as_deref(), &Some("coffee://"))?;
    tell.fact("txid", "txid", paid.txid.as_str());
    let waits = call!("order", client.order(order.order_id.as_str()));
    same("the order before its block", &waits.state, &OrderState::Submitted)?;

    tell.step("区块确认", "A block confirms it", "POST /chain/mine");
    post(&sandbox.url, "/chain/mine", "blocks=1").await?;

    tell.step("回调到达并通过验签", "The callback comes and verifies", "GET callbackUrl");
    let Heard::Payment(query) = shop.next("callback").await? else {
        return Err(DemoError("a second login came".to_owned()));
    };
    same("the address's own parameter", &parameter(&query, "table"), &Some("7".to_owned()))?;
    let callback = PaymentCallback::receive(&query, &uuid, &*verifier)
        .map_err(|why| DemoError(format!("a callback came and is not believed: {why}")))?;
    same("its transaction", &callback.payment().txid.as_str(), &paid.txid.as_str())?;
    let booked = book.book(&callback).map_err(|error| failed("booking the order")(Box::new(error)))?;
    same("the booking", &booked, &Booked::Now)?;
    let again = book.book(&callback).map_err(|error| failed("booking the order again")(Box::new(error)))?;
    same("the second booking", &again, &Booked::Before)?;
    tell.fact(
        "付款方 → 收款方",
        "from → to",
        format!("{} → {}", callback.payment().from_addr.as_str(), callback.payment().to_addr.as_str()),
    );

    tell.step("在链上核对", "The shop asks the chain itself", "getrawtransaction \"txid\" 4");
    let node = &credentials.chain;
    let access =
        Credentials { user: node.rpc_user.clone(), password: Secret::new(node.rpc_password.clone()) };
    let node = Node::new(transport(), &node.rpc_url, access);
    let found = call!("getrawtransaction", node.transaction(paid.txid.as_str()));
    let found = found.ok_or_else(|| DemoError("the chain does not have the payment".to_owned()))?;
    verify_on_chain(&order, &found, 1).map_err(|why| failed("the payment on the chain")(Box::new(why)))?;
    tell.fact("确认数", "confirmations", found.confirmations);

    tell.step("订单状态", "Where the order stands", "GET oauth/pay/order");
    let stands = call!("order", client.order(order.order_id.as_str()));
    same("the order's state", &stands.state, &OrderState::Paid)?;
    let after = assets(&describe(&sandbox.url).await?, profile)?;
    let moved = |at: usize| Ok::<_, DemoError>(units(&after[at])? - units(&before[at])?);
    let wanted = units(order.amount.as_str())?;
    same("the change of the payer's balance", &moved(0)?, &-wanted)?;
    same("the change of the receiver's balance", &moved(1)?, &wanted)?;
    tell.fact(
        "支付前 → 支付后",
        "before → after",
        format!("{} → {} {}", before[0], after[0], profile.asset()),
    );
    tell.say(match lang {
        Lang::Zh => "\n一切相符。",
        Lang::En => "\nEverything is as it should be.",
    });
    Ok(())
}

/// What the payer and the developer have.
fn assets(sandbox: &Described, profile: Profile) -> Result<[String; 2], DemoError> {
    let of = |at: usize| sandbox.users.get(at).and_then(|user| user.assets.get(profile.asset())).cloned();
    match (of(0), of(1)) {
        (Some(payer), Some(developer)) => Ok([payer, developer]),
        _ => Err(DemoError("the sandbox does not say what its users have".to_owned())),
    }
}
