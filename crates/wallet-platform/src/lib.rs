//! The platform itself, as a pure state machine: every decision of the server is in this crate, and nothing else is.
//!
//! Commands and queries run on the rows of one schema, [`Platform`], by `wallet-engine`. They know no database, clock, socket
//! or random source, so the whole platform runs in a test under simulated time. The rows of a subject are declared in the
//! module that decides about them.

mod coins;
mod deliveries;
mod devchain;
pub mod fomo;
mod money;
mod names;
mod operators;
mod passwords;
mod purge;
mod refusal;
mod returns;
mod schema;
mod start;
mod users;
pub mod vas;
mod vault;

pub use coins::{ActiveCoins, Coin, PutCoin};
pub use deliveries::{
    Attempt, AttemptNow, AttemptResult, AttemptsOf, CallbackKind, CallbackOf, CallbacksOf, Claim, Claimed,
    DeliveryId, DeliveryRow, DueDeliveries, FinishAttempt, Finished, LeasedDeliveries, NextDue,
    PostponeDamaged, ReceiverId, ReleaseLeases, SendAgain, SignedCallback, StillToBeMade, Subject,
    ToldCallback,
};
pub use devchain::{
    DevBalance, DevBlock, DevBlockAt, DevBlockName, DevBlockOf, DevChain, DevCoin, DevIssue, DevMine,
    DevNewAddress, DevNextBlock, DevPay, DevPurse, DevReorg, DevTick, DevTip, DevTransaction, DevTx,
};
pub use fomo::apps::{
    App, AppId, AppKeys, AppNames, AppsOf, ClientName, CreateApp, CreatedApp, EndOldSecret, EnrolDeveloper,
    FindApp, MoveApp, ProvenClient, RotateSecret, RotatedSecret, SetFees, ShowSecret,
};
pub use fomo::events::{Event, EventId, EventKind, EventMark, Feed};
pub use fomo::oauth::{
    Authorize, BearerOf, Code, ExchangeCode, Family, FamilyId, Refresh, Token, TokenPair, Verifier,
};
pub use fomo::payments::{
    AppEvents, AppPayment, AppPayments, ConfirmPay, ConfirmedPay, PayUser, PaymentsOf, Pending, PrePay,
    Statement, StatementOf, TradeName, TradeOf, Transfer, TransferDetail, TransferView,
};
pub use fomo::records::{Records, RecordsPage};
pub use money::{Account, Deposit, Entry, EntryId, EntryMark, FEES, ISSUER, TransferSeq};
pub use operators::{
    Audit, AuditId, Audited, Audits, ByOperator, EnrolOperator, Failing, OperatorAct, ShownAudit, Troubled,
    Unheard, Upcoming,
};
pub use passwords::{
    AttemptLimit, Challenge, FailPassword, FindPassword, NOBODY, PasswordKind, PasswordState, Proof,
    Reservation, ReservePassword, Who,
};
pub use purge::{Over, Purge};
pub use refusal::{Reason, Refused, RefusedData, Stop};
pub use returns::{
    Registered, Return, Target, after_consent, after_login, after_payment, browser_address, host_name, target,
};
pub use schema::{AnyKey, AnyRow, Changes, Context, FIRST_ID, Failure, Platform, Rows, Tables};
pub use start::{StartError, locked_vault, start};
pub use users::{
    Balances, BeginRegister, BegunRegister, CompleteRegister, CreateUser, EndSession, FindUser, Login,
    LoginName, LookAtSession, Registration, Session, SessionUser, SetWalletPwd, User, check_login_name,
};
pub use vas::apps::{
    AidInfo, Applicant, ApplicationFault, ApplyVas, ApproveLogin, ApprovedLogin, Decision, FindVasApp,
    OpenCode, OwnVasApp, PendingApplications, RedeemOpenCode, ReviewVas, ShowCredentials, VasApp, VasAppId,
    VasAppName, VasApps, VasToken, aid, safe_domain,
};
pub use vas::orders::{
    CheckPay, FindOrder, ObservePayment, OrderOf, OrderSeq, OrdersOf, OrdersPaidBy, SubmitPay, SubmittedPay,
    VasOrder, VasOrderName, VasPayment, WatchedOrders, read_pay,
};
pub use vas::prices::{
    AskPrice, CountPrice, MARKETS, PRICE_DECIMALS, PriceNow, PriceWindow, PricesNow, PutQuote, Quote,
};
pub use vault::{Digest, Minted, SealedKey, Seed, TokenKind, Vault};
