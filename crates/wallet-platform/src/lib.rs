//! The platform itself, as a pure state machine: every decision of the server stands here and nothing else does.
//!
//! A [`Command`] decides on [`Rows`] that somebody else has loaded, at a time and with entropy that somebody else hands in
//! ([`Context`]), and says what changes ([`Changes`]). A [`Query`] reads. Neither knows a database, a clock, a socket or a
//! random source, so the whole platform runs in a test under simulated time.
//!
//! A command that asks for a row which has not been loaded stops with [`Stop::Missing`]; whoever runs it loads what
//! [`Rows::take_wanted`] names and runs it again from the start. [`Rows::want`] asks ahead, so that rows are loaded
//! together; it is never a matter of correctness.
//!
//! ```text
//! loop {
//!     match command.apply(&rows, &cx, &mut changes) {
//!         Err(Stop::Missing) => load rows.take_wanted(), discard changes, again
//!         Err(Stop::Refused(r)) => absorb changes (a refusal may count a failure), answer r
//!         Ok(outcome)        => absorb changes, answer outcome after the commit
//!     }
//! }
//! ```

mod apps;
mod coins;
mod column;
mod deliveries;
mod devchain;
mod entities;
mod journal;
mod machine;
mod money;
mod oauth;
mod operators;
mod orders;
mod passwords;
mod payments;
mod prices;
mod purge;
mod returns;
mod rows;
mod users;
mod vas;
mod vault;
pub mod wire;

pub use apps::{
    AppKeys, AppNames, AppsOf, CreateApp, CreatedApp, EndOldSecret, EnrolDeveloper, FindApp, MoveApp,
    ProvenClient, RotateSecret, RotatedSecret, SetFees, ShowSecret,
};
pub use coins::{ActiveCoins, PutCoin};
pub use column::{Cell, CellSource, Column, ColumnKind};
pub use deliveries::{
    AttemptNow, AttemptResult, AttemptsOf, CallbackOf, CallbacksOf, Claim, Claimed, DueDeliveries,
    FinishAttempt, Finished, KeepSigned, LeasedDeliveries, News, NextDue, ReleaseLeases, SendAgain,
    StillToBeMade, ToldCallback,
};
pub use devchain::{
    DevBalance, DevBlockAt, DevBlockOf, DevIssue, DevMine, DevNewAddress, DevNextBlock, DevPay, DevReorg,
    DevTick, DevTip, DevTransaction,
};
pub use entities::*;
pub use machine::{Command, Context, Ids, Query, Reason, Refused, RefusedData, Stop};
pub use money::{Deposit, FEES, ISSUER};
pub use oauth::{Authorize, BearerOf, ExchangeCode, Refresh, TokenPair, Verifier};
pub use operators::{
    Audited, Audits, ByOperator, EnrolOperator, Failing, ShownAudit, Troubled, Unheard, Upcoming,
};
pub use orders::{
    CheckPay, FindOrder, ObservePayment, OrderOf, OrdersOf, OrdersPaidBy, SubmitPay, SubmittedPay,
    WatchedOrders, read_pay,
};
pub use passwords::{
    Challenge, FailPassword, FindPassword, NOBODY, PasswordKind, PasswordState, Proof, Reservation,
    ReservePassword, Who,
};
pub use payments::{
    AppEvents, AppPayment, AppPayments, ConfirmPay, ConfirmedPay, PayUser, PaymentsOf, Pending, PrePay,
    Statement, StatementOf, TradeOf, TransferDetail, TransferView,
};
pub use prices::{AskPrice, CountPrice, MARKETS, PRICE_DECIMALS, PriceNow, PricesNow, PutQuote};
pub use purge::{Over, Purge};
pub use returns::{
    Registered, Return, Target, after_consent, after_login, after_payment, browser_address, host_name, target,
};
pub use rows::{
    AnyChange, Changes, ColumnMeta, Entity, Has, List, Loader, Passing, Slot, Table, TableMeta, Wanted,
    Writer,
};
pub use users::{
    Balances, BeginRegister, BegunRegister, CompleteRegister, CreateUser, EndSession, FindUser, Login,
    LookAtSession, Records, RecordsPage, SessionUser, SetWalletPwd, check_login_name,
};
pub use vas::{
    AidInfo, ApplicationFault, ApplyVas, ApproveLogin, ApprovedLogin, Decision, FindVasApp, OwnVasApp,
    PendingApplications, RedeemOpenCode, ReviewVas, ShowCredentials, VasApps, aid, safe_domain,
};
pub use vault::{Digest, Minted, PERMUTATION_KEY, Seed, TokenKind, Vault};
