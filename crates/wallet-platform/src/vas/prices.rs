//! The price query (R57, R70): a volume-weighted mean of fresh markets, ten a minute for each app.

use std::time::Duration;

use wallet_api::vas::{Currency, Profile, Refusal, lifetimes, limits};
use wallet_core::{Amount, Units, UnixTime};
use wallet_engine::{Command, Query, rows};

use crate::refusal::Stop;
use crate::schema::{Changes, Context, Platform, Rows};
use crate::spans::is_over;
use crate::vas::apps::{VasApp, VasAppId, VasToken};
use crate::vault::Digest;

rows! { in Platform;
    /// A market's quote of a coin's price (R57).
    quote: Quote {
        key {
            /// The coin.
            profile: Profile,
            /// The currency.
            currency: Currency,
            /// The number of the market.
            market: u32,
        }
        /// Its price, in units of 10^-8.
        price: Units,
        /// Its volume, in units of 10^-8: the weight of the price.
        volume: Units,
        /// The time until which it is fresh.
        fresh_until: UnixTime,
    }

    /// The times of an app's last price requests (R57).
    price_window: PriceWindow {
        key {
            /// The app's row id.
            app: VasAppId,
        }
        /// The times in milliseconds, 8 bytes each.
        times: Vec<u8>,
    }
}

/// Prices and volumes count in units of 10^-8.
pub const PRICE_DECIMALS: u8 = 8;
/// The largest number of markets of a coin in a currency; their numbers begin at 0.
pub const MARKETS: u32 = 8;
/// The largest price or volume: the sums of a mean stay far below `i128::MAX`.
const LARGEST: Units = Units::new(10_i128.pow(18));

/// Records the quote of a market.
#[derive(Debug)]
pub struct PutQuote {
    /// The wallet whose coin it is.
    pub profile: Profile,
    /// The currency.
    pub currency: Currency,
    /// The number of the market, below [`MARKETS`].
    pub market: u32,
    /// Its price.
    pub price: Amount<'static>,
    /// Its volume, the weight of its price.
    pub volume: Amount<'static>,
    /// The time for which the quote is fresh.
    pub max_age: Duration,
}

impl Command<Platform> for PutQuote {
    type Outcome = ();
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        rows.find::<Quote>(&(self.profile, self.currency, self.market))?; // loads the row, so that `put` replaces it
        let units = |amount: &Amount<'_>| match amount.units(PRICE_DECIMALS) {
            Ok(units) if units > Units::ZERO && units <= LARGEST => Ok(units),
            _ => Err(Stop::from(Refusal::UnknownError)),
        };
        if self.market >= MARKETS {
            return Err(Refusal::UnknownError.into());
        }
        out.put(Quote {
            profile: self.profile,
            currency: self.currency,
            market: self.market,
            price: units(&self.price)?,
            volume: units(&self.volume)?,
            fresh_until: cx.now + self.max_age,
        });
        Ok(())
    }
}

/// Asks for a price. Each request with a valid accessToken counts, a refused one too, except those that the limit itself
/// refuses.
#[derive(Debug)]
pub struct AskPrice {
    /// The accessToken.
    pub access_token: Digest,
    /// The currency, as it was given.
    pub currency: String,
    /// The coinType, as it was given; if left out, the first profile's.
    pub coin_type: Option<String>,
}

/// The times of an app's requests within the window, as a row keeps them: milliseconds, big-endian, the oldest first.
fn within(window: Option<&PriceWindow>, now: UnixTime) -> Vec<UnixTime> {
    let times = window.map_or(&[][..], |window| &window.times);
    let (times, _) = times.as_chunks::<8>();
    let times = times.iter().map(|bytes| UnixTime::from_millis(i64::from_be_bytes(*bytes)));
    let counts = |time: &UnixTime| {
        let end = *time + lifetimes::PRICE_WINDOW;
        now < end && !is_over(now, end, lifetimes::PRICE_WINDOW)
    };
    times.filter(counts).collect()
}

/// Counts a request of an accessToken, or refuses it when the window's limit is reached.
fn counted(rows: &Rows, cx: &Context<'_>, out: &mut Changes, access_token: Digest) -> Result<(), Stop> {
    let token = rows.find::<VasToken>(&(access_token,))?.ok_or(Refusal::PriceAccessTokenWrong)?;
    let app = token.app;
    // The token of a closed app is unknown to every call.
    let open = rows.find::<VasApp>(&(app,))?.filter(|app| app.closed_at.is_none());
    open.ok_or(Refusal::PriceAccessTokenWrong)?.may_act()?;
    let mut times = within(rows.find::<PriceWindow>(&(app,))?, cx.now);
    if times.len() as u64 >= limits::PRICES_PER_WINDOW {
        return Err(Refusal::PriceTooOften.into());
    }
    times.push(cx.now);
    let times = times.iter().flat_map(|time| time.millis().to_be_bytes()).collect();
    out.put(PriceWindow { app, times });
    Ok(())
}

/// Counts a malformed price request whose accessToken could be read.
#[derive(Debug)]
pub struct CountPrice(pub Digest);

impl Command<Platform> for CountPrice {
    type Outcome = ();
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<(), Stop> {
        counted(rows, cx, out, self.0)
    }
}

impl Command<Platform> for AskPrice {
    type Outcome = Amount<'static>;
    fn apply(&self, rows: &Rows, cx: &Context<'_>, out: &mut Changes) -> Result<Self::Outcome, Stop> {
        // Counted first: a refusal below keeps this change.
        counted(rows, cx, out, self.access_token)?;
        let currency = Currency::from_wire(&self.currency).ok_or(Refusal::CurrencyUnknown)?;
        let profile = match &self.coin_type {
            None => Profile::ALL.first().copied(),
            Some(wanted) => Profile::ALL.iter().copied().find(|profile| profile.coin_type() == *wanted),
        };
        let profile = profile.ok_or(Refusal::PriceUnavailable)?;
        let fresh = fresh(rows, cx, profile, currency)?;
        mean(fresh.iter().map(|quote| (quote.price, quote.volume))).ok_or(Refusal::PriceUnavailable.into())
    }
}

/// The price of each coin in each currency, for an operator. It is not counted as a request.
#[derive(Debug)]
pub struct PricesNow;

/// The price of a coin in a currency.
#[derive(Debug, Clone)]
pub struct PriceNow {
    /// The wallet whose coin it is.
    pub profile: Profile,
    /// The currency.
    pub currency: Currency,
    /// The price; `None` if no quote is fresh.
    pub mean: Option<Amount<'static>>,
    /// The number of markets with a fresh quote.
    pub fresh: usize,
}

/// The fresh quotes of a coin in a currency.
fn fresh<'r>(
    rows: &'r Rows,
    cx: &Context<'_>,
    profile: Profile,
    currency: Currency,
) -> Result<Vec<&'r Quote>, Stop> {
    let quotes = rows.find_all::<Quote>((0..MARKETS).map(|market| (profile, currency, market)))?;
    Ok(quotes.into_iter().filter(|quote| cx.now <= quote.fresh_until).collect())
}

impl Query<Platform> for PricesNow {
    type Answer = Vec<PriceNow>;
    fn read(&self, rows: &Rows, cx: &Context<'_>) -> Result<Self::Answer, Stop> {
        let pairs =
            Profile::ALL.iter().flat_map(|profile| Currency::ALL.iter().map(move |to| (*profile, *to)));
        let worth = |(profile, currency)| {
            let fresh = fresh(rows, cx, profile, currency)?;
            let mean = mean(fresh.iter().map(|quote| (quote.price, quote.volume)));
            Ok(PriceNow { profile, currency, mean, fresh: fresh.len() })
        };
        pairs.map(worth).collect()
    }
}

/// The volume-weighted mean, rounded to the nearest unit.
fn mean(quotes: impl Iterator<Item = (Units, Units)>) -> Option<Amount<'static>> {
    let (mut sum, mut weight) = (0_i128, 0_i128);
    for (price, volume) in quotes {
        // At most 8 markets of 10^18 units each: below 10^37.
        sum = sum.checked_add(price.get().checked_mul(volume.get())?)?;
        weight = weight.checked_add(volume.get())?;
    }
    if weight <= 0 {
        return None;
    }
    Units::new(sum.checked_add(weight / 2)? / weight).to_amount(PRICE_DECIMALS).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_goes_by_volume() {
        let units = |text: &str| text.parse::<Amount<'_>>().unwrap().units(PRICE_DECIMALS).unwrap();
        let of = |quotes: &[(&str, &str)]| {
            mean(quotes.iter().map(|(price, volume)| (units(price), units(volume))))
                .map(|amount| amount.as_str().to_owned())
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("0.5", "100")]).unwrap(), "0.5");
        assert_eq!(of(&[("1", "3"), ("2", "1")]).unwrap(), "1.25");
        assert_eq!(of(&[("1", "2"), ("2", "1")]).unwrap(), "1.33333333");
        let largest = Amount::parse("10000000000").unwrap().units(PRICE_DECIMALS).unwrap();
        assert_eq!(largest, LARGEST);
        assert!(mean([(largest, largest); 8].into_iter()).is_some(), "no overflow");
    }
}
