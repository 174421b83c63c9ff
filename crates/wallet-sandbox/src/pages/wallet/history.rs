//! The movements on a user's accounts: FOMO's coins, and the assets of the VAS and Lafi wallets.

use askama::Template;
use axum::response::Response;
use serde::Deserialize;
use wallet_api::fomo::{CoinId, Trade, limits};
use wallet_api::vas::{OrderState, Profile};
use wallet_core::{Units, UnixTime, form};
use wallet_platform::{AppNames, Failure, OrderSeq, OrdersPaidBy, Records, TransferSeq};
use wallet_server::pages::{Params, View, page as render};

use super::super::shown_time;
use super::Wallet;

/// One account of a user.
#[derive(Clone)]
pub(super) enum Purse {
    /// A coin of FOMO.
    Coin(CoinId, String),
    /// The asset of the VAS or the Lafi wallet.
    Asset(Profile),
}

impl Purse {
    pub(super) fn unit(&self) -> &str {
        match self {
            Self::Coin(_, name) => name,
            Self::Asset(profile) => profile.asset(),
        }
    }

    pub(super) fn wallet(&self) -> &'static str {
        match self {
            Self::Coin(..) => "FOMO",
            Self::Asset(profile) => super::wallet_of(*profile),
        }
    }
}

/// A movement as it is shown.
pub(super) struct Moved {
    at: UnixTime,
    pub(super) shown_at: String,
    pub(super) what: &'static str,
    /// The app's name.
    pub(super) with: String,
    /// The app's own id of the payment.
    pub(super) order: String,
    /// FOMO's transfer.
    transfer: Option<TransferSeq>,
    pub(super) amount: String,
    pub(super) unit: String,
    /// The colour and words of its state, unless it is done.
    pub(super) state: Option<(&'static str, &'static str)>,
}

/// Movements, the newest first, and where the older ones begin.
pub(super) type Movements = (Vec<Moved>, Option<u64>);

/// Orders on a page, like FOMO's records.
const EACH_PAGE: u64 = limits::RECORDS_PER_PAGE;
/// Movements on the wallet's first page.
pub(super) const LATELY: usize = 8;

impl Wallet {
    /// The movements in a purse. `from` is FOMO's page, or the order before which the list begins; `None`: the newest.
    async fn moved(&self, purse: &Purse, from: Option<u64>) -> Result<Movements, Failure> {
        match purse {
            Purse::Coin(coin, _) => self.records(*coin, from.unwrap_or(1).max(1)).await,
            Purse::Asset(profile) => self.orders(*profile, from.map(OrderSeq)).await,
        }
    }

    async fn records(&self, coin: CoinId, page: u64) -> Result<Movements, Failure> {
        let store = &self.pages.shared.store;
        let read = store.view(Records { user: self.user.id, coin, page }).await?;
        let apps = read.records.iter().filter_map(|(_, transfer)| Some(transfer.as_ref()?.app)).collect();
        let names = store.view(AppNames(apps)).await?;
        let moved = read.records.into_iter().map(|(entry, transfer)| {
            let out = entry.amount < Units::ZERO;
            let what = match (&transfer, out) {
                (None, _) => self.view.say("充值", "deposit"),
                (Some(_), true) => self.view.say("付款", "payment"),
                (Some(_), false) => self.view.say("收款", "received"),
            };
            let sign = if out { "−" } else { "+" };
            let size = Units::new(entry.amount.get().saturating_abs());
            // The app's own amount text, unless a fee changes the amount.
            let given = transfer.as_ref().filter(|transfer| transfer.amount == size);
            let given = given.map(|transfer| transfer.amount_text.to_string());
            let amount = given.unwrap_or_else(|| size.to_decimal(read.coin.decimals));
            let with = transfer.as_ref().and_then(|transfer| names.get(&transfer.app).cloned());
            Moved {
                at: entry.created_at,
                shown_at: shown_time(entry.created_at),
                what,
                with: with.unwrap_or_default(),
                transfer: transfer.as_ref().map(|transfer| transfer.id),
                order: transfer.map(|transfer| transfer.trade_id.to_string()).unwrap_or_default(),
                amount: format!("{sign}{amount}"),
                unit: read.coin.name.clone(),
                state: None,
            }
        });
        let older = (read.total > page.saturating_mul(limits::RECORDS_PER_PAGE)).then(|| page + 1);
        Ok((moved.collect(), older))
    }

    async fn orders(&self, profile: Profile, before: Option<OrderSeq>) -> Result<Movements, Failure> {
        let asset = profile.asset().to_owned();
        let limit = EACH_PAGE + 1; // one more, to see whether there are older ones
        let query = OrdersPaidBy { payer: self.user.id, asset: asset.into(), before, limit };
        let mut orders = self.pages.shared.store.view(query).await?;
        let more = orders.len() as u64 > EACH_PAGE;
        orders.truncate(EACH_PAGE as usize);
        let older = orders.last().filter(|_| more).map(|(order, _)| order.id.0);
        let moved = orders.into_iter().map(|(order, app)| {
            let (sign, state) = match order.state {
                OrderState::Paid => ("−", None),
                OrderState::Submitted => ("−", Some(("warn", self.view.say("待确认", "waits for a block")))),
                // The app did not receive the payment.
                OrderState::Open => ("", Some(("bad", self.view.say("未成立", "did not count")))),
            };
            Moved {
                at: order.created_at,
                shown_at: shown_time(order.created_at),
                what: self.view.say("付款", "payment"),
                with: app,
                order: order.order_id.to_string(),
                transfer: None,
                amount: format!("{sign}{}", order.amount),
                unit: order.asset.to_string(),
                state,
            }
        });
        Ok((moved.collect(), older))
    }

    /// A payment of FOMO, if it is among the newest movements on its coin.
    pub(super) async fn payment(&self, trade: &Trade) -> Result<Option<Moved>, Failure> {
        let id = self.pages.shared.store.vault().transfer_seq(trade.transfer_id);
        let (newest, _) = self.records(trade.coin_id, 1).await?;
        Ok(newest.into_iter().find(|moved| moved.transfer.is_some() && moved.transfer == id))
    }

    /// The newest movements in these purses.
    pub(super) async fn newest(&self, purses: &[Purse], limit: usize) -> Result<Vec<Moved>, Failure> {
        let mut all = Vec::new();
        for purse in purses {
            all.extend(self.moved(purse, None).await?.0);
        }
        all.sort_by_key(|moved| std::cmp::Reverse(moved.at));
        all.truncate(limit);
        Ok(all)
    }
}

#[derive(Deserialize)]
pub(crate) struct Which {
    /// The purse, by its unit.
    #[serde(default)]
    of: String,
    from: Option<u64>,
}

struct Tab {
    href: String,
    unit: String,
    wallet: &'static str,
    here: bool,
}

#[derive(Template)]
#[template(path = "wallet_history.html")]
struct HistoryPage<'a> {
    view: &'a View,
    name: &'a str,
    tabs: Vec<Tab>,
    history: Vec<Moved>,
    problem: Option<String>,
    /// Whether the page lists orders only: other transfers are on the chain.
    orders: bool,
    older: Option<String>,
}

/// The history of one purse, or the newest of all.
pub(crate) async fn page(wallet: Wallet, Params(asked): Params<Which>) -> Response {
    let view = &wallet.view;
    let mut problem = None;
    let purses: Vec<Purse> = match wallet.purses().await {
        Ok(purses) => purses.into_iter().map(|(purse, _)| purse).collect(),
        Err(why) => {
            problem = Some(why.words(view.lang).to_owned());
            Vec::new()
        }
    };
    let chosen = purses.iter().find(|purse| purse.unit() == asked.of);
    let address = |unit: &str, from: Option<u64>| {
        let from = from.map(|from| from.to_string());
        let query: Vec<_> =
            [("of", unit)].into_iter().chain(from.as_deref().map(|from| ("from", from))).collect();
        format!("/wallet/history?{}", form::query(&query))
    };
    let (history, older) = match chosen {
        None => match wallet.newest(&purses, EACH_PAGE as usize).await {
            Ok(moved) => (moved, None),
            Err(failure) => {
                problem = Some(wallet_server::pages::in_words(view.lang, &failure));
                Default::default()
            }
        },
        Some(purse) => match wallet.moved(purse, asked.from).await {
            Ok((moved, older)) => (moved, older.map(|from| address(purse.unit(), Some(from)))),
            Err(failure) => {
                problem = Some(wallet_server::pages::in_words(view.lang, &failure));
                Default::default()
            }
        },
    };
    let all = Tab {
        href: "/wallet/history".to_owned(),
        unit: view.say("全部", "All").to_owned(),
        wallet: "",
        here: chosen.is_none(),
    };
    let tabs = purses.iter().map(|purse| Tab {
        href: address(purse.unit(), None),
        unit: purse.unit().to_owned(),
        wallet: purse.wallet(),
        here: chosen.is_some_and(|chosen| chosen.unit() == purse.unit()),
    });
    render(&HistoryPage {
        view,
        name: &wallet.user.name,
        tabs: [all].into_iter().chain(tabs).collect(),
        orders: matches!(chosen, Some(Purse::Asset(_))),
        history,
        problem,
        older,
    })
}
