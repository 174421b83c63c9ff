//! The forms of a sheet.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use wallet_api::fomo::{TradeId, TransferId};
use wallet_api::vas::{self, How};
use wallet_core::{Transport as _, form, in_words};
use wallet_platform::after_payment;
use wallet_server::pages::{SubmittedFile, SubmittedForm, View, problem, see_other};

use super::super::{Pages, not_moved};
use super::outcomes::{NotDone, Outcome};
use super::{Wallet, Wanted, picture};
use crate::state::move_clock;

/// The delay of the simulated slow network.
const SLOW: Duration = Duration::from_secs(4);

/// The password to send, changed or delayed by the `try` button of the sheet.
async fn password(wallet: &Wallet, posted: &SubmittedForm) -> String {
    match posted.text("try") {
        // A random password.
        "wrong_password" => wallet.pages.merchant.random(),
        "slow" => {
            tokio::time::sleep(SLOW).await;
            posted.text("wallet_pwd").to_owned()
        }
        _ => posted.text("wallet_pwd").to_owned(),
    }
}

/// The parameters of the sheet that a form was on.
fn sheet_of(posted: &SubmittedForm) -> Wanted {
    Wanted { scan: posted.text("link").to_owned(), ..Wanted::of(posted) }
}

/// Lets the payment of a sheet expire: moves the clock past its expire_time.
pub(crate) async fn expire(State(pages): State<Pages>, view: View, posted: SubmittedForm) -> Response {
    let seconds: u64 = posted.text("seconds").parse().unwrap_or(0);
    match move_clock(pages.shared, seconds.saturating_add(1)).await {
        Ok(_) => see_other(&sheet_of(&posted).address("/wallet")),
        Err(why) => not_moved(&view.at("/wallet"), &why),
    }
}

/// Reads the QR code of an uploaded picture. One picture at a time, on a thread of its own; a stopping sandbox does not
/// wait for it.
pub(crate) async fn scan(
    Wallet { pages, view, .. }: Wallet,
    SubmittedFile { file, .. }: SubmittedFile,
) -> Response {
    let view = view.at("/wallet");
    let Ok(one) = pages.looking.clone().try_acquire_owned() else {
        return problem(
            &view,
            StatusCode::SERVICE_UNAVAILABLE,
            view.say("正在识别另一张图片", "Another picture is being read"),
            view.say("一次只识别一张。", "The sandbox reads one picture at a time."),
            view.say("稍候再试，或粘贴链接。", "Try again in a moment, or paste the link."),
        );
    };
    let (say, said) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let text = picture::read(&file);
        drop(one); // before the answer: the user may send the next picture at once
        let _ = say.send(text); // the request may be cancelled
    });
    match said.await.ok().flatten() {
        Some(text) => see_other(&format!("/wallet?{}", form::query(&[("scan", &text)]))),
        None => problem(
            &view,
            StatusCode::UNPROCESSABLE_ENTITY,
            view.say("没有找到二维码", "No QR code was found"),
            view.say(
                "图片须是 PNG 或 JPEG，含一个清晰的二维码，每边不超过 8192 像素。",
                "The picture must be a PNG or JPEG of at most 8192 pixels a side, with one clear QR code.",
            ),
            view.say("换一张图片，或粘贴链接。", "Take another picture, or paste the link."),
        ),
    }
}

/// The user confirms a FOMO payment.
pub(crate) async fn confirm(wallet: Wallet, posted: SubmittedForm) -> Response {
    let sheet = sheet_of(&posted);
    let lang = wallet.view.lang;
    let Ok(id) = sheet.transfer_id.parse().map(TransferId::new) else {
        return wallet.refused(&sheet, no_number());
    };
    let trade_id = TradeId::new(sheet.trade_id.clone());
    let pwd = password(&wallet, &posted).await;
    if pwd.is_empty() {
        return wallet.refused(&sheet, no_password());
    }
    // The app and the amount, for the receipt.
    let asked = match wallet.fomo.pending(&wallet.key(), id, &trade_id).await {
        Ok(asked) => asked,
        Err(error) => return wallet.refused(&sheet, NotDone::of(&error, lang)),
    };
    match wallet.fomo.confirm_pay(&wallet.key(), id, &trade_id, &pwd).await {
        Ok(done) => {
            let onward = after_payment(
                done.redirect_uri.as_str(),
                done.state.as_str(),
                done.trade_id.as_str(),
                &sheet.transfer_id,
                done.status.as_str(),
            );
            let amount = format!("{} {}", asked.amount, asked.coin_name);
            let (app, transfer_id) = (asked.app_name, sheet.transfer_id);
            wallet.keep(&Wanted::default(), Outcome::Paid { app, amount, transfer_id, onward })
        }
        Err(error) => wallet.refused(&sheet, NotDone::of(&error, lang)),
    }
}

pub(super) fn no_number() -> NotDone {
    NotDone::because("transfer_id 不是数字。", "transfer_id is not a number.")
}

fn no_password() -> NotDone {
    NotDone::because("请输入支付密码。", "Enter your payment password.")
}

/// The user consents to a login: the wallet goes back to the app, by itself or by the browser (R47, R48, R62).
pub(crate) async fn approve(wallet: Wallet, posted: SubmittedForm) -> Response {
    let sheet = sheet_of(&posted);
    let session = vas::SessionKey::new(wallet.key.as_str());
    let approved = match wallet.vas.approve_login(&session, &sheet.scan, None).await {
        Ok(approved) => approved,
        Err(error) => return wallet.refused(&sheet, NotDone::of(&error, wallet.view.lang)),
    };
    let (app, address) = (approved.app_name, approved.address.as_str().to_owned());
    if approved.how != How::Get {
        let onward = Some(address.clone());
        return wallet.keep(&Wanted::default(), Outcome::SignedIn { app, address, onward, said: None });
    }
    let said = match http::Request::get(address.as_str()).body(Vec::new()) {
        Ok(request) => wallet.pages.transport.send(request).await.map_err(|error| in_words(&error)),
        Err(error) => Err(in_words(&error)),
    };
    match said.map(|reply| reply.status()) {
        Ok(status) if status.is_success() => {
            let (onward, said) = (wallet.after_login(&address), Some(status.to_string()));
            wallet.keep(&Wanted::default(), Outcome::SignedIn { app, address, onward, said })
        }
        said => {
            let why = said.map_or_else(|why| why, |status| status.to_string());
            wallet.refused(&Wanted::default(), NotDone::not_taken(&app, &why))
        }
    }
}

/// The user pays an order.
pub(crate) async fn pay(wallet: Wallet, posted: SubmittedForm) -> Response {
    let sheet = sheet_of(&posted);
    let session = vas::SessionKey::new(wallet.key.as_str());
    let pwd = password(&wallet, &posted).await;
    if pwd.is_empty() {
        return wallet.refused(&sheet, no_password());
    }
    match wallet.vas.pay(&session, &pwd, &sheet.scan, None).await {
        Ok(paid) => {
            let (order_id, txid) = (paid.order_id.as_str().to_owned(), paid.txid.as_str().to_owned());
            let back = wallet.after_pay(&sheet.scan, &order_id).await;
            let onward = paid.address.or(back);
            wallet.keep(&Wanted::default(), Outcome::Submitted { order_id, txid, onward })
        }
        Err(error) => wallet.refused(&sheet, NotDone::of(&error, wallet.view.lang)),
    }
}
