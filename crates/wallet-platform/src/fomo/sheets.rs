//! Sheets of FOMO's apps and payments.

use wallet_api::fomo::{ClientId, Direction, TradeId, TransferId, TransferStatus};
use wallet_engine::{List, Query as _};

use crate::accounts::UserId;
use crate::coins::Coin;
use crate::fomo::apps::{App, AppId, ClientName};
use crate::fomo::payments::{TradeName, Transfer};
use crate::fomo::refunds::RefundsOf;
use crate::money::TransferSeq;
use crate::refusal::Stop;
use crate::schema::{Context, Rows};
use crate::sheets::{FactValue, LINKED, Sheet, SheetKind, user_link, with_coin};
use crate::users::User;

/// The largest number of apps among which a trade_id is looked for.
const APPS: u64 = 1_000;

pub(crate) fn find(rows: &Rows, text: &str, cx: &Context<'_>) -> Result<Vec<Sheet>, Stop> {
    let mut found = Vec::new();
    if let Some(name) = rows.find::<ClientName>(&(ClientId::new(text.to_owned()),))? {
        found.extend(app(rows, name.app.0)?);
    }
    if let Ok(number) = text.parse() {
        found.extend(app(rows, number)?);
    }
    if let Some(seq) = text.parse().ok().and_then(|id| cx.vault.transfer_seq(TransferId::new(id))) {
        found.extend(payment(rows, seq.0, cx)?);
    }
    let apps = rows.list(List::new().ascending(App::id).limit(APPS))?;
    let names = apps.iter().map(|app| (app.id, TradeId::new(text.to_owned())));
    for trade in rows.find_all::<TradeName>(names)? {
        found.extend(payment(rows, trade.transfer.0, cx)?);
    }
    Ok(found)
}

pub(crate) fn apps(rows: &Rows, limit: u64) -> Result<Vec<Sheet>, Stop> {
    let apps = rows.list(List::new().ascending(App::id).limit(limit))?;
    apps.iter().for_each(|row| rows.want::<App>(&(row.id,)));
    apps.iter().for_each(|row| rows.want::<User>(&(row.owner,)));
    let sheets = apps.into_iter().map(|row| app(rows, row.id.0)).collect::<Result<Vec<_>, _>>()?;
    Ok(sheets.into_iter().flatten().collect())
}

pub(crate) fn app(rows: &Rows, id: u64) -> Result<Option<Sheet>, Stop> {
    let Some(app) = rows.find::<App>(&(AppId(id),))? else { return Ok(None) };
    let mut sheet = Sheet::new(SheetKind::App, id, &*app.name);
    sheet.fact("client_id", ("client_id", "client_id"), app.client_id.as_str());
    sheet.fact("name", ("名称", "name"), &*app.name);
    sheet.fact("owner", ("所有者", "owner"), user_link(rows, app.owner)?);
    sheet.fact("suspended", ("已停用", "suspended"), app.suspended);
    sheet.fact("redirect_uri", ("redirect_uri", "redirect_uri"), app.redirect_uri.as_str());
    sheet.fact("scope", ("scope", "scope"), &*app.scopes);
    sheet.fact("created_at", ("登记于", "registered"), app.created_at);
    if let Some(closed_at) = app.closed_at {
        sheet.fact("closed_at", ("关闭于", "closed"), closed_at);
    }
    Ok(Some(sheet))
}

/// Adds the apps that a user owns.
pub(crate) fn apps_of(rows: &Rows, owner: UserId, sheet: &mut Sheet) -> Result<(), Stop> {
    for app in rows.list(List::new().only(App::owner.is(owner)).ascending(App::id).limit(LINKED))? {
        sheet.fact("app", ("应用", "app"), FactValue::Sheet(SheetKind::App, app.id.0, app.name.clone()));
    }
    Ok(())
}

pub(crate) fn payment(rows: &Rows, id: u64, cx: &Context<'_>) -> Result<Option<Sheet>, Stop> {
    let Some(transfer) = rows.find::<Transfer>(&(TransferSeq(id),))? else { return Ok(None) };
    rows.want::<App>(&(transfer.app,));
    let coin = rows.find::<Coin>(&(transfer.coin,))?;
    let app = rows.get::<App>(&(transfer.app,))?;
    let mut sheet = Sheet::new(SheetKind::Payment, id, transfer.trade_id.as_str());
    sheet.fact(
        "transfer_id",
        ("transfer_id", "transfer_id"),
        cx.vault.transfer_id(transfer.id).get().to_string(),
    );
    sheet.fact("trade_id", ("trade_id", "trade_id"), transfer.trade_id.as_str());
    sheet.fact("app", ("应用", "app"), FactValue::Sheet(SheetKind::App, app.id.0, app.name.clone()));
    let direction = match transfer.direction {
        Direction::UserToApp => "user_to_app",
        Direction::AppToUser => "app_to_user",
    };
    sheet.fact("direction", ("方向", "direction"), direction);
    sheet.fact("payer", ("付款人", "payer"), user_link(rows, transfer.payer)?);
    sheet.fact("payee", ("收款人", "payee"), user_link(rows, transfer.payee)?);
    sheet.fact("amount", ("金额", "amount"), with_coin(transfer.amount, coin));
    sheet.fact("cut", ("手续费", "fee"), with_coin(transfer.cut, coin));
    let status = match transfer.status(cx.now) {
        TransferStatus::Done => "done",
        TransferStatus::Expired => "expired",
        TransferStatus::Waiting => "waiting",
    };
    sheet.fact("status", ("状态", "status"), status);
    sheet.fact("created_at", ("创建于", "made"), transfer.created_at);
    sheet.fact("updated_at", ("更新于", "changed"), transfer.updated_at);
    if let Some(delivery) = transfer.delivery {
        let link = FactValue::Sheet(SheetKind::Delivery, delivery.0, format!("#{}", delivery.0));
        sheet.fact("delivery", ("回调", "callback"), link);
    }
    if transfer.done && transfer.direction == Direction::UserToApp {
        sheet.fact("refunded", ("已退款", "refunded"), with_coin(transfer.refunded, coin));
        for refund in RefundsOf(transfer.id).read(rows, cx)? {
            let text = format!("{}: {}", with_coin(refund.amount, coin), refund.reason);
            sheet.fact("refund", ("退款", "refund"), text);
        }
    }
    Ok(Some(sheet))
}
