//! Sheets of the apps and orders of the VAS and Lafi wallets.

use wallet_api::vas::{AppUuid, OrderId, OrderState, Review, Txid};
use wallet_engine::List;

use crate::accounts::UserId;
use crate::refusal::Stop;
use crate::schema::Rows;
use crate::sheets::{FactValue, LINKED, Sheet, SheetKind, user_link};
use crate::users::User;
use crate::vas::apps::{VasApp, VasAppId, VasAppName};
use crate::vas::orders::{OrderSeq, VasOrder, VasOrderName, VasPayment};

/// The largest number of apps among which an orderId or a txid is looked for.
const APPS: u64 = 1_000;

pub(crate) fn find(rows: &Rows, text: &str) -> Result<Vec<Sheet>, Stop> {
    let mut found = Vec::new();
    if let Some(name) = rows.find::<VasAppName>(&(AppUuid::new(text.to_owned()),))? {
        found.extend(app(rows, name.app.0)?);
    }
    if let Ok(number) = text.parse() {
        found.extend(app(rows, number)?);
    }
    let apps = rows.list(List::new().ascending(VasApp::id).limit(APPS))?;
    let names = apps.iter().map(|app| (app.id, OrderId::new(text.to_owned())));
    let payments = apps.iter().map(|app| (app.owner, Txid::new(text.to_ascii_lowercase())));
    let mut orders: Vec<OrderSeq> =
        rows.find_all::<VasOrderName>(names)?.into_iter().map(|name| name.order_seq).collect();
    orders.extend(rows.find_all::<VasPayment>(payments)?.into_iter().map(|payment| payment.order_seq));
    orders.sort_unstable();
    orders.dedup();
    for id in orders {
        found.extend(order(rows, id.0)?);
    }
    Ok(found)
}

pub(crate) fn apps(rows: &Rows, limit: u64) -> Result<Vec<Sheet>, Stop> {
    let apps = rows.list(List::new().ascending(VasApp::id).limit(limit))?;
    apps.iter().for_each(|row| rows.want::<VasApp>(&(row.id,)));
    apps.iter().for_each(|row| rows.want::<User>(&(row.owner,)));
    let sheets = apps.into_iter().map(|row| app(rows, row.id.0)).collect::<Result<Vec<_>, _>>()?;
    Ok(sheets.into_iter().flatten().collect())
}

pub(crate) fn app(rows: &Rows, id: u64) -> Result<Option<Sheet>, Stop> {
    let Some(app) = rows.find::<VasApp>(&(VasAppId(id),))? else { return Ok(None) };
    let mut sheet = Sheet::new(SheetKind::VasApp, id, &*app.name);
    sheet.fact("appId", ("appId", "appId"), app.uuid.as_str());
    sheet.fact("name", ("名称", "name"), &*app.name);
    sheet.fact("wallet", ("钱包", "wallet"), app.profile.coin_type());
    sheet.fact("owner", ("所有者", "owner"), user_link(rows, app.owner)?);
    let state = match app.state {
        Review::Pending => "pending",
        Review::Approved => "approved",
        Review::Rejected => "rejected",
    };
    sheet.fact("state", ("审核", "review"), state);
    sheet.fact("suspended", ("已停用", "suspended"), app.suspended);
    sheet.fact("safe_domain", ("安全域名", "safe domain"), &*app.safe_domain);
    sheet.fact("scheme", ("scheme", "scheme"), &*app.scheme);
    sheet.fact("created_at", ("申请于", "applied"), app.created_at);
    if let Some(closed_at) = app.closed_at {
        sheet.fact("closed_at", ("关闭于", "closed"), closed_at);
    }
    Ok(Some(sheet))
}

/// Adds the apps that a user owns.
pub(crate) fn apps_of(rows: &Rows, owner: UserId, sheet: &mut Sheet) -> Result<(), Stop> {
    for app in rows.list(List::new().only(VasApp::owner.is(owner)).ascending(VasApp::id).limit(LINKED))? {
        sheet.fact(
            "vas_app",
            ("应用", "app"),
            FactValue::Sheet(SheetKind::VasApp, app.id.0, app.name.clone()),
        );
    }
    Ok(())
}

pub(crate) fn order(rows: &Rows, id: u64) -> Result<Option<Sheet>, Stop> {
    let Some(order) = rows.find::<VasOrder>(&(OrderSeq(id),))? else { return Ok(None) };
    let app = rows.get::<VasApp>(&(order.app,))?;
    let mut sheet = Sheet::new(SheetKind::Order, id, order.order_id.as_str());
    sheet.fact("orderId", ("orderId", "orderId"), order.order_id.as_str());
    sheet.fact("app", ("应用", "app"), FactValue::Sheet(SheetKind::VasApp, app.id.0, app.name.clone()));
    sheet.fact("payer", ("付款人", "payer"), user_link(rows, order.payer)?);
    let amount = format!("{} {}", order.amount.as_str(), app.profile.coin_type());
    sheet.fact("amount", ("金额", "amount"), amount);
    sheet.fact("toAddr", ("收款地址", "toAddr"), order.to_addr.as_str());
    let state = match order.state {
        OrderState::Open => "open",
        OrderState::Submitted => "submitted",
        OrderState::Paid => "paid",
    };
    sheet.fact("state", ("状态", "state"), state);
    if let Some(txid) = &order.txid {
        sheet.fact("txid", ("txid", "txid"), txid.as_str());
    }
    if let Some(fault) = order.fault {
        sheet.fact("fault", ("问题", "fault"), format!("{fault:?}"));
    }
    sheet.fact("created_at", ("提交于", "submitted"), order.created_at);
    if let Some(delivery) = order.delivery {
        let link = FactValue::Sheet(SheetKind::Delivery, delivery.0, format!("#{}", delivery.0));
        sheet.fact("delivery", ("回调", "callback"), link);
    }
    Ok(Some(sheet))
}
