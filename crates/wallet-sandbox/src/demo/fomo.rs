//! The demo of FOMO.

use std::io::Write;
use std::sync::Arc;

use wallet_api::fomo::{
    AccessToken, CoinId, ServerUri, SessionKey, TradeId, TransferStatus, UserId, payment_result,
};
use wallet_client::{
    FomoCallbackError, FomoClient, FomoCredentials, FomoReceiver, FomoWallet, Payment, Payout, system_time,
};
use wallet_core::{Amount, Lang};
use wallet_crypto::Portable;

use super::{DemoError, HyperTokio, Shop, Telling, call, clock_offset, failed, same, transport};
use crate::data::{Described, DescribedUser};

fn believed(
    received: Result<payment_result::Payload<'static>, FomoCallbackError>,
) -> Result<payment_result::Payload<'static>, DemoError> {
    received.map_err(|why| DemoError(format!("the callback was rejected: {why}")))
}

async fn balance(
    wallet: &FomoWallet<HyperTokio>,
    session: &SessionKey<'_>,
    coin: CoinId,
) -> Result<Amount<'static>, DemoError> {
    let coins = call!("get_user_coins", wallet.coins(session));
    let found = coins.into_iter().find(|found| found.coin_id == coin);
    found.map(|coin| coin.balance).ok_or_else(|| DemoError(format!("the user has no coin {coin}")))
}

/// `a − b`, exact, in the coin's base units.
fn difference(a: &Amount<'_>, b: &Amount<'_>, decimals: u8) -> Result<i128, DemoError> {
    let units =
        |amount: &Amount<'_>| amount.units(decimals).map_err(|error| failed("a balance")(Box::new(error)));
    Ok(units(a)?.get() - units(b)?.get())
}

/// Plays a login and a payment in both directions against the FOMO platform of a sandbox.
///
/// # Errors
/// [`DemoError`] if a step fails, or a value differs from the expected one.
pub async fn fomo(sandbox: &Described, lang: Lang, out: &mut (dyn Write + Send)) -> Result<(), DemoError> {
    let mut tell = Telling { out, lang, step: 0 };
    let offset = clock_offset(sandbox).await?;
    let now = move || system_time() + offset;
    let credentials = &sandbox.fomo;
    let user: &DescribedUser =
        sandbox.users.first().ok_or_else(|| DemoError("the sandbox has no users".to_owned()))?;
    let app = FomoClient::new(transport(), &credentials.base_url).with_credentials(
        FomoCredentials {
            client_id: credentials.client_id.clone().into(),
            client_secret: credentials.client_secret.clone().into(),
            redirect_uri: credentials.redirect_uri.clone().into(),
        },
        Arc::new(Portable::new()),
        now,
    );
    let wallet = FomoWallet::new(transport(), &credentials.base_url);
    let receiver = FomoReceiver::new(Arc::new(Portable::new()), credentials.client_secret.clone().into());
    let mut merchant = Shop::open(move |request| match receiver.receive(&request, now()) {
        Ok(payload) => (FomoReceiver::acknowledgement(), Ok(payload.into_owned())),
        Err(error) => (FomoReceiver::rejection(error), Err(error)),
    })
    .await?;
    let server_uri = ServerUri::new(format!("http://{}/callback", merchant.address))
        .map_err(|_| DemoError("the merchant has no usable address".to_owned()))?;
    let run = now().millis();
    tell.say(match lang {
        Lang::Zh => "FOMO：登录与支付，全部经过真实的 HTTP。",
        Lang::En => "FOMO: a login and payments, all over real HTTP.",
    });
    tell.say(&format!("{}  client_id={}", credentials.base_url, credentials.client_id));

    tell.step("用户登录钱包", "The user signs in to the wallet", "POST customer/login");
    let login = call!("customer/login", wallet.login(&user.login_name, &user.pwd));
    tell.fact("用户", "user", format!("{} ({})", login.user_info.name, login.user_info.user_id));
    let session = login.session_key;

    tell.step("可用币种", "The coins that can be used", "POST wallet/get_active_coins");
    let coins = call!("wallet/get_active_coins", app.coins());
    let coin = coins
        .iter()
        .find(|coin| coin.id == CoinId::new(5))
        .ok_or_else(|| DemoError("there is no coin 5".to_owned()))?;
    let decimals: u8 =
        coin.decimals.parse().map_err(|_| DemoError("the decimals of coin 5 are not a number".to_owned()))?;
    tell.fact("币种", "coins", coins.iter().map(|coin| coin.name.as_str()).collect::<Vec<_>>().join(", "));
    let before = balance(&wallet, &session, coin.id).await?;
    tell.fact("支付前余额", "balance before", format!("{before} {}", coin.name));

    tell.step("用户授权应用", "The user grants the app access", "POST oauth2/authorize");
    let state = format!("state-{run}");
    let grant = call!(
        "oauth2/authorize",
        wallet.authorize(&session, &credentials.client_id, &credentials.redirect_uri, &state)
    );
    same("the state of the grant", &grant.state.as_str(), &state.as_str())?;
    let code = match tell.lang {
        Lang::Zh => "40 个十六进制字符，60 秒内可用一次",
        Lang::En => "40 hex characters, once, within 60 s",
    };
    tell.fact("code", "code", code);

    tell.step("应用用 code 换取令牌", "The app exchanges the code for tokens", "POST oauth2/authorize/token");
    let tokens = call!("oauth2/authorize/token", app.exchange_code(grant.code.as_str()));
    tell.fact("范围", "scope", tokens.scope.as_deref().unwrap_or_default());
    tell.fact("有效期（秒）", "expires_in", tokens.expires_in.unwrap_or_default());
    let token: AccessToken<'_> = tokens.access_token.clone();

    tell.step("应用读取用户信息", "The app reads the user's data", "POST oauth2/resource/get_user_info");
    let info = call!("get_user_info", app.user_info(&token));
    same("the user's id", &info.user_id.to_string(), &user.user_id)?;
    tell.fact("用户", "user", format!("{} ({})", info.name, info.fomo_id));

    let amount: Amount<'static> =
        "12.50".parse().map_err(|_| DemoError("12.50 is not an amount".to_owned()))?;
    let trade_id = TradeId::new(format!("demo-{run}-in"));
    tell.step("应用请求支付", "The app asks for a payment", "POST oauth2/resource/pre_pay");
    let transfer_id = call!(
        "pre_pay",
        app.pre_pay(
            &token,
            Payment {
                trade_id: trade_id.clone(),
                amount: amount.clone(),
                coin: coin.id,
                server_uri: server_uri.clone(),
                state: state.clone().into(),
            }
        )
    );
    tell.fact("交易", "transfer_id", transfer_id);

    tell.step(
        "钱包显示待确认的支付",
        "The wallet shows the pending payment",
        "POST oauth2/authorize/get_pending",
    );
    let pending = call!("get_pending", wallet.pending(&session, transfer_id, &trade_id));
    same("the pending amount", &pending.amount, &amount)?;
    tell.fact("金额", "amount", format!("{} {} → {}", pending.amount, pending.coin_name, pending.app_name));

    tell.step("用户确认支付", "The user confirms", "POST oauth2/authorize/confirm_pay");
    let confirmed =
        call!("confirm_pay", wallet.confirm_pay(&session, transfer_id, &trade_id, &user.wallet_pwd));
    same("the transfer's state", &confirmed.status, &TransferStatus::Done)?;
    tell.fact(
        "返回应用",
        "back to the app",
        format!(
            "{}?state={}&trade_id={}&transfer_id={transfer_id}&status={}",
            confirmed.redirect_uri,
            confirmed.state,
            confirmed.trade_id,
            confirmed.status.as_str()
        ),
    );

    tell.step("回调到达并通过验签", "The callback arrives, and its signature verifies", "POST server_uri");
    let callback = believed(merchant.next("callback").await?)?;
    same("the callback's transfer", &callback.transfer_id, &transfer_id)?;
    same("the callback's amount", &callback.amount, &amount)?;
    same("the callback's user", &callback.user_id.to_string(), &user.user_id)?;
    let cut = callback.cut_amount.clone();
    tell.fact("金额 / 手续费", "amount / cut_amount", format!("{} / {cut}", callback.amount));

    tell.step("交易详情", "The transfer's detail", "POST oauth2/resource/get_transfer_detail");
    let detail = call!("get_transfer_detail", app.transfer_detail(&token, transfer_id));
    same("the detail's state", &detail.transfer_log.status, &TransferStatus::Done)?;
    tell.fact("从 → 到", "from → to", format!("{} → {}", detail.from_user.name, detail.to_user.name));

    let back: Amount<'static> = "2.25".parse().map_err(|_| DemoError("2.25 is not an amount".to_owned()))?;
    let payout_id = TradeId::new(format!("demo-{run}-out"));
    tell.step("应用付款给用户", "The app pays the user back", "POST oauth2/authorize/pay_user");
    let user_id: u64 =
        user.user_id.parse().map_err(|_| DemoError("the user's id is not a number".to_owned()))?;
    let payout = Payout {
        trade_id: payout_id.clone(),
        amount: back.clone(),
        coin: coin.id,
        user: UserId::new(user_id),
        server_uri: server_uri.clone(),
        state: state.into(),
    };
    let paid = call!("pay_user", app.pay_user(payout, &credentials.owner_wallet_pwd));
    same("httpcode, the first callback's status,", &paid.httpcode, &Some(200))?;
    tell.fact("第一次回调的状态", "httpcode", paid.httpcode.unwrap_or_default());
    let callback = believed(merchant.next("callback").await?)?;
    same("the second callback's trade", &callback.trade_id, &payout_id)?;
    let trade = call!("get_trade", app.trade(&payout_id));
    same("the payout's state", &trade.status, &TransferStatus::Done)?;

    tell.step("刷新令牌", "The app refreshes its tokens", "POST oauth2/RefreshToken");
    let fresh = call!("RefreshToken", app.refresh(&tokens.refresh_token));
    call!("get_user_info with the fresh token", app.user_info(&fresh.access_token));
    tell.fact(
        "新令牌可用",
        "the new token works, until",
        format!("{} s", fresh.expires_in.unwrap_or_default()),
    );

    tell.step("支付后余额", "The balance afterwards", "POST wallet/get_user_coins");
    let after = balance(&wallet, &session, coin.id).await?;
    let moved = difference(&after, &before, decimals)?;
    let arrived = difference(&back, &callback.cut_amount, decimals)?;
    let nothing = "0".parse().map_err(|_| DemoError("0 is not an amount".to_owned()))?;
    let wanted = arrived - difference(&amount, &nothing, decimals)?;
    same("the change of the user's balance, in base units,", &moved, &wanted)?;
    tell.fact("支付前 → 支付后", "before → after", format!("{before} → {after} {}", coin.name));
    tell.say(match lang {
        Lang::Zh => "\n一切相符。",
        Lang::En => "\nAll values are as expected.",
    });
    Ok(())
}
