//! A FOMO app as [`OwnApp`]: its payments, and its statement of settled payments in the order of settlement.

use wallet_api::fomo::{Direction, Fomo, TransferStatus, UserId};
use wallet_core::{Platform as _, Text, Units};
use wallet_platform::{
    App, AppPayment, CallbackKind, Failure, OwnApp as Own, PaymentsOf, ReceiverId, StatementOf, TradeOf,
    Vault,
};

use crate::own_app::{AppSummary, Later, Mood, OwnApp, Part, ShownPayment, Stage, unformulated};
use crate::pages::shown_time;
use crate::snippets::quoted;
use crate::store::Store;

/// An app of FOMO.
pub(crate) struct FomoApp(pub(crate) App);

/// The app with this client_id; `None` if it belongs to another user.
pub(crate) async fn find(store: &Store, owner: UserId, client_id: &str) -> Result<Option<App>, Failure> {
    store.view(Own { owner, client_id: client_id.to_owned().into() }).await
}

/// The summary of an app.
pub(crate) fn summary(app: &App) -> AppSummary {
    let (state, mood) = match app.is_open() {
        false => (Text { zh: "已关闭", en: "closed" }, Mood::Waiting),
        true if app.suspended => (Text { zh: "已停用", en: "suspended" }, Mood::Bad),
        true => (Text { zh: "可用", en: "active" }, Mood::Good),
    };
    AppSummary {
        name: app.name.clone(),
        platform: Fomo::META.doc,
        id: app.client_id.to_string(),
        href: format!("/apps/fomo/{}", app.client_id),
        state,
        mood,
        has_tabs: true,
    }
}

impl OwnApp for FomoApp {
    fn summary(&self) -> AppSummary {
        summary(&self.0)
    }

    fn in_guide<'a>(&'a self, _: &'a Store) -> Later<'a, Result<Vec<(String, String)>, Failure>> {
        let own = [
            (
                "client_id=$(echo \"$sandbox\" | value client_id)",
                format!("client_id={}", quoted(self.0.client_id.as_str())),
            ),
            (
                "client_secret=$(echo \"$sandbox\" | value client_secret)",
                "client_secret=${CLIENT_SECRET:?it is on the page of the app}".to_owned(),
            ),
            (
                "redirect_uri=$(echo \"$sandbox\" | value redirect_uri)",
                format!("redirect_uri={}", quoted(self.0.redirect_uri.as_str())),
            ),
            (
                "wallet_pwd=300300",
                "wallet_pwd=${WALLET_PWD:?your payment password, set in the wallet}".to_owned(),
            ),
        ];
        Box::pin(async { Ok(own.into_iter().map(|(sample, own)| (sample.to_owned(), own)).collect()) })
    }

    fn receiver(&self) -> ReceiverId {
        self.0.id.into()
    }

    fn callback(&self) -> CallbackKind {
        CallbackKind::PaymentResult
    }

    fn payments<'a>(
        &'a self,
        store: &'a Store,
        from: Option<u64>,
        limit: u64,
    ) -> Later<'a, Result<Part<ShownPayment>, Failure>> {
        Box::pin(async move {
            let listed = store.view(PaymentsOf { app: self.0.id, before: from, limit }).await?;
            let found = listed.payments.iter().map(|listed| shown(store, listed)).collect();
            Ok(Part { found, next: listed.older })
        })
    }

    fn payment<'a>(
        &'a self,
        store: &'a Store,
        about: &'a str,
    ) -> Later<'a, Result<Option<ShownPayment>, Failure>> {
        Box::pin(async move {
            match store.view(TradeOf { app: self.0.id, trade_id: about.to_owned().into() }).await {
                Ok((transfer, coin)) => Ok(Some(shown(store, &AppPayment { transfer, coin }))),
                Err(Failure::Refused(_)) => Ok(None),
                Err(failure) => Err(failure),
            }
        })
    }

    fn statement_head(&self) -> &'static [&'static str] {
        &["settled_at", "transfer_id", "trade_id", "direction", "coin", "amount", "fee", "made_at", "user_id"]
    }

    fn statement<'a>(
        &'a self,
        store: &'a Store,
        from: Option<u64>,
        limit: u64,
    ) -> Later<'a, Result<Part<Vec<String>>, Failure>> {
        Box::pin(async move {
            let listed = store.view(StatementOf { app: self.0.id, after: from.unwrap_or(0), limit }).await?;
            let found = listed.payments.iter().map(|listed| line(store.vault(), listed)).collect();
            Ok(Part { found, next: listed.newer })
        })
    }
}

fn shown(store: &Store, AppPayment { transfer, coin }: &AppPayment) -> ShownPayment {
    let (state, mood, stage) = match transfer.status(store.now()) {
        TransferStatus::Done => (Text { zh: "已付款", en: "paid" }, Mood::Good, Stage::Paid),
        TransferStatus::Waiting => (Text { zh: "待付款", en: "waiting" }, Mood::Waiting, Stage::Open),
        TransferStatus::Expired => (Text { zh: "已过期", en: "expired" }, Mood::Bad, Stage::Expired),
    };
    let mut facts = vec![
        ("transfer_id", store.vault().transfer_id(transfer.id).to_string()),
        ("user_id", transfer.user().to_string()),
        ("coin_id", coin.id.to_string()),
        ("server_uri", transfer.server_uri.as_str().to_owned()),
        ("state", transfer.state.to_string()),
    ];
    if transfer.refunded != Units::ZERO {
        facts.push(("refunded", format!("{} {}", transfer.refunded.to_decimal(coin.decimals), coin.name)));
    }
    ShownPayment {
        about: transfer.trade_id.to_string(),
        id: store.vault().transfer_id(transfer.id).to_string(),
        received: transfer.direction == Direction::UserToApp,
        amount: transfer.amount_text.to_string(),
        fee: transfer.cut.to_decimal(coin.decimals),
        coin: coin.name.clone(),
        state,
        mood,
        at: transfer.updated_at,
        since: transfer.created_at,
        paid: transfer.done,
        stage,
        facts,
    }
}

fn line(vault: &Vault, AppPayment { transfer, coin }: &AppPayment) -> Vec<String> {
    vec![
        shown_time(transfer.updated_at),
        vault.transfer_id(transfer.id).to_string(),
        unformulated(transfer.trade_id.as_str()),
        match transfer.direction {
            Direction::UserToApp => "user to app".to_owned(),
            Direction::AppToUser => "app to user".to_owned(),
        },
        unformulated(&coin.name),
        transfer.amount.to_decimal(coin.decimals),
        transfer.cut.to_decimal(coin.decimals),
        shown_time(transfer.created_at),
        transfer.user().to_string(),
    ]
}
