//! A VAS or Lafi app as [`OwnApp`]: its orders, and its statement of paid orders, newest
//! first.

use wallet_api::fomo::UserId;
use wallet_api::vas::{OrderState, Review};
use wallet_core::Text;
use wallet_platform::{
    AddressesOf, CallbackKind, Failure, FindOrder, OrderSeq, OrdersOf, OwnVasApp, ReceiverId, VasApp as Row,
    VasAppId, VasOrder,
};

use crate::own_app::{AppSummary, Later, Mood, OwnApp, Part, ShownPayment, Stage, unformulated};
use crate::pages::shown_time;
use crate::snippets::quoted;
use crate::store::Store;

/// An app of the VAS and Lafi wallets.
pub(crate) struct VasApp(pub(crate) Row);

/// The app with this row id; `None` if it belongs to another user.
pub(crate) async fn find(store: &Store, owner: UserId, id: &str) -> Result<Option<Row>, Failure> {
    match id.parse() {
        Ok(id) => store.view(OwnVasApp { owner, app: VasAppId(id) }).await,
        Err(_) => Ok(None),
    }
}

/// The lines of the guide that make a file of the demo app's key.
const KEY_IN_GUIDE: &str = r#"key=$(mktemp)
{ echo '-----BEGIN PRIVATE KEY-----'; echo "$sandbox" | value rsa_private_pkcs8 | fold -w 64
  echo '-----END PRIVATE KEY-----'; } > "$key""#;

/// The summary of an app.
pub(crate) fn summary(app: &Row) -> AppSummary {
    let (state, mood) = match app.state {
        _ if app.closed_at.is_some() => (Text { zh: "已关闭", en: "closed" }, Mood::Waiting),
        _ if app.suspended => (Text { zh: "已停用", en: "suspended" }, Mood::Bad),
        Review::Pending => (Text { zh: "待审核", en: "in review" }, Mood::Waiting),
        Review::Approved => (Text { zh: "已通过", en: "approved" }, Mood::Good),
        Review::Rejected => (Text { zh: "未通过", en: "rejected" }, Mood::Bad),
    };
    AppSummary {
        name: app.name.clone(),
        platform: app.profile.meta().doc,
        id: if app.uuid.as_str().is_empty() { app.id.0.to_string() } else { app.uuid.to_string() },
        href: format!("/apps/vas/{}", app.id.0),
        state,
        mood,
        has_tabs: app.state == Review::Approved,
    }
}

impl VasApp {
    async fn orders(
        &self,
        store: &Store,
        from: Option<u64>,
        limit: u64,
    ) -> Result<(Vec<VasOrder>, Option<u64>), Failure> {
        let query = OrdersOf { app: self.0.id, before: from.map(OrderSeq), limit };
        let (orders, older) = store.view(query).await?;
        Ok((orders, older.map(|older| older.0)))
    }
}

impl OwnApp for VasApp {
    fn summary(&self) -> AppSummary {
        summary(&self.0)
    }

    fn in_guide<'a>(&'a self, store: &'a Store) -> Later<'a, Result<Vec<(String, String)>, Failure>> {
        Box::pin(async move {
            let app = &self.0;
            let addresses = store.view(AddressesOf(app.id)).await?;
            let to_addr = addresses.first().map_or(String::new(), |to| to.address.to_string());
            let mut own = vec![
                ("uuid=$(echo \"$sandbox\" | value uuid)", format!("uuid={}", quoted(app.uuid.as_str()))),
                (
                    "accessToken=$(echo \"$sandbox\" | value accessToken)",
                    "accessToken=${ACCESS_TOKEN:?it is on the page of the app}".to_owned(),
                ),
                (KEY_IN_GUIDE, "key=${RSA_PRIVATE:?the PEM file from the page of the app}".to_owned()),
                ("toAddr=$(echo \"$sandbox\" | value to_addr)", format!("toAddr={}", quoted(&to_addr))),
                ("\"assetType\":\"VAS\"", format!("\"assetType\":\"{}\"", app.profile.asset())),
            ];
            if !app.safe_domain.is_empty() {
                own.push(("//www.shop.localhost", format!("//{}", app.safe_domain)));
            }
            Ok(own.into_iter().map(|(sample, own)| (sample.to_owned(), own)).collect())
        })
    }

    fn receiver(&self) -> ReceiverId {
        self.0.id.into()
    }

    fn callback(&self) -> CallbackKind {
        CallbackKind::Payment
    }

    fn payments<'a>(
        &'a self,
        store: &'a Store,
        from: Option<u64>,
        limit: u64,
    ) -> Later<'a, Result<Part<ShownPayment>, Failure>> {
        Box::pin(async move {
            let (orders, next) = self.orders(store, from, limit).await?;
            Ok(Part { found: orders.iter().map(shown).collect(), next })
        })
    }

    fn payment<'a>(
        &'a self,
        store: &'a Store,
        about: &'a str,
    ) -> Later<'a, Result<Option<ShownPayment>, Failure>> {
        Box::pin(async move {
            let (uuid, order_id) = (self.0.uuid.clone(), about.to_owned().into());
            match store.view(FindOrder { uuid, order_id }).await {
                Ok(order) => Ok(Some(shown(&order))),
                Err(Failure::Refused(_)) => Ok(None),
                Err(failure) => Err(failure),
            }
        })
    }

    fn statement_head(&self) -> &'static [&'static str] {
        &["seen_at", "txid", "orderId", "asset", "amount", "from"]
    }

    fn statement<'a>(
        &'a self,
        store: &'a Store,
        from: Option<u64>,
        limit: u64,
    ) -> Later<'a, Result<Part<Vec<String>>, Failure>> {
        Box::pin(async move {
            let (orders, next) = self.orders(store, from, limit).await?;
            let paid = orders.iter().filter(|order| order.state == OrderState::Paid);
            Ok(Part { found: paid.map(line).collect(), next })
        })
    }
}

/// The submitted txid of an order; empty before the submission.
fn txid(order: &VasOrder) -> String {
    order.txid.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn shown(order: &VasOrder) -> ShownPayment {
    let (state, mood, stage) = match order.state {
        OrderState::Open => (Text { zh: "待付款", en: "waiting" }, Mood::Waiting, Stage::Open),
        OrderState::Submitted => {
            (Text { zh: "待确认", en: "waiting for confirmations" }, Mood::Waiting, Stage::Open)
        }
        OrderState::Paid => (Text { zh: "已付款", en: "paid" }, Mood::Good, Stage::Paid),
    };
    ShownPayment {
        about: order.order_id.to_string(),
        id: txid(order),
        received: true,
        amount: order.amount.to_string(),
        fee: String::new(),
        coin: order.asset.to_string(),
        state,
        mood,
        at: order.created_at,
        since: order.created_at,
        paid: order.state == OrderState::Paid,
        stage,
        facts: vec![
            ("txid", txid(order)),
            ("fromAddr", order.from_addr.to_string()),
            ("toAddr", order.to_addr.to_string()),
            ("callbackUrl", order.callback_url.to_string()),
        ],
    }
}

fn line(order: &VasOrder) -> Vec<String> {
    vec![
        shown_time(order.created_at),
        txid(order),
        unformulated(order.order_id.as_str()),
        unformulated(order.asset.as_str()),
        order.amount.to_string(),
        order.from_addr.to_string(),
    ]
}
