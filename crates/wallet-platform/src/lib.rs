//! The platform itself, as a pure state machine: this crate holds every decision of the server, and no I/O.
//!
//! Commands and queries run on the rows of one schema, [`Platform`], by `wallet-engine`. They know no database, clock, socket
//! or random source, so the whole platform runs in a test under simulated time. Each module declares the rows that its
//! commands change; FOMO and the VAS wallets have a directory each.
//!
//! ```
//! use std::sync::Arc;
//! use wallet_core::{Secret, UnixTime};
//! use wallet_engine::job;
//! use wallet_platform::{CreateUser, FIRST_ID, MasterKeys, locked_vault, start};
//!
//! let (master, now) = (MasterKeys::only(Secret::new([7; 32])), UnixTime::from_secs(1_574_510_444));
//! let vault = locked_vault(Arc::new(wallet_crypto::Portable::new()), &master);
//! let mut engine = wallet_store::Memory::starting_at(FIRST_ID).engine(vault);
//! start(&mut engine, &master, now)?;
//! let pwd = Secret::new("a PHC text: the caller hashes".to_owned());
//! let (login_name, name) = ("alice".to_owned(), "Alice".to_owned());
//! let (job, mut outcome) = job(CreateUser { login_name, name, pwd, wallet_pwd: None, developer: false });
//! engine.batch(&|| now, [job])?;
//! assert_eq!(outcome.take().expect("a batch answers each command")?.get(), FIRST_ID);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod accounts;
mod check;
mod coins;
mod damage;
mod deliveries;
pub mod fomo;
mod milestones;
mod money;
mod names;
mod notices;
mod operators;
mod passwords;
mod purge;
mod receivers;
mod refusal;
mod reseal;
mod retention;
mod returns;
mod schema;
mod second_factors;
mod sheets;
mod spans;
mod start;
mod unknown_names;
mod users;
pub mod vas;
mod vault;
mod workers;

pub use check::{Checked, check};
pub use coins::{ActiveCoins, Coin, FindCoin, PutCoin};
pub use damage::{Damage, Damaged};
pub use deliveries::{
    Attempt, AttemptNow, AttemptResult, AttemptsOf, BringForward, CallbackKind, CallbackOf, CallbacksOf,
    Claim, Claimed, DeliveryId, DeliveryRow, DueDeliveries, DueOf, DueOfApp, DueTooLate, FinishAttempt,
    Finished, LeasedDeliveries, Look, NewDeliveries, NewestDelivery, NextDue, PostponeDamaged, ReceiverId,
    ReleaseLeases, SendAgain, ShownCallback, SignedCallback, StillToBeMade, Subject, WaitingApps,
};
pub use fomo::apps::{
    App, AppField, AppId, AppKeys, AppNames, AppsOf, ClientName, CloseApp, CreateApp, CreatedApp, EditApp,
    EndOldRedirect, EndOldSecret, EnrolDeveloper, FindApp, MoveApp, OwnApp, ProvenClient, RotateSecret,
    RotatedSecret, SetFees, ShowSecret, SuspendApp,
};
pub use fomo::events::{Event, EventId, EventKind, EventMark, Feed};
pub use fomo::oauth::{
    Authorize, BearerOf, Code, ExchangeCode, Family, FamilyId, Grant, GrantsOf, Refresh, RevokeGrant,
    RevokeToken, Token, TokenPair, Verifier, granted, kept_challenge, scope_of,
};
pub use fomo::payments::{
    AppEvents, AppPayment, AppPayments, ConfirmPay, ConfirmedPay, PayUser, PaymentKeys, PaymentsOf, Pending,
    PrePay, Statement, StatementOf, TradeName, TradeOf, Transfer, TransferDetail, TransferView,
};
pub use fomo::pulse::{Pulse, PulseNow};
pub use fomo::records::{Records, RecordsPage};
pub use fomo::refunds::{Refund, RefundFault, RefundId, RefundPayment, RefundsOf};
pub use fomo::returns::{after_consent, after_payment};
pub use fomo::unpaid::{DeleteUnpaid, FoundUnpaid, OldUnpaid};
pub use milestones::{HasMilestone, Milestone, RecordMilestone, Step};
pub use money::{Account, Deposit, Entry, EntryId, EntryMark, FEES, ISSUER, TransferSeq};
pub use notices::{ClaimNotices, ClaimedNotice, DueNotices, FinishNotice, Notice, NoticeId, NoticeKind};
pub use operators::{
    Act, Actor, Audit, AuditId, Audited, Audits, ByOperator, DeliverySummary, EnrolOperator, Failing,
    Operator, OperatorAct, OperatorOf, Operators, RemoveOperator, Role, Roles, ShownAudit, Undelivered,
    Upcoming,
};
pub use passwords::{
    AttemptLimit, Challenge, FailPassword, FindPassword, GiveBack, NOBODY, PasswordKind, PasswordState,
    Proof, RenewHash, Reservation, ReservePassword, Who,
};
pub use purge::{Over, Purge};
pub use receivers::{FAILS_AFTER, Receiver};
pub use refusal::{Reason, Refused, RefusedData, Stop};
pub use reseal::{Reseal, SealedUnderAnother};
pub use retention::{FoundAttempts, OldAttempts, ShedAttempts};
pub use returns::{Registered, Target, browser_address, host_name, is_invisible, target};
pub use schema::{AnyKey, AnyRow, Changes, Context, FIRST_ID, Failure, Platform, Rows, Tables};
pub use second_factors::{
    BeginSecondFactor, ConfirmSecondFactor, GiveSecondFactor, PendingSecondFactor, RemoveSecondFactor,
    open_second_factor,
};
pub use sheets::{AppSheets, Fact, FactValue, FindSheets, SetSuspended, Sheet, SheetKind, SheetOf};
pub use start::{MasterKeys, StartError, check_master_key, locked_vault, start};
pub use users::{
    Balances, BeginRegister, BegunRegister, ChangePassword, CompleteRegister, CreateUser, EndSession,
    EndSessionsOf, FindUser, FreezeUser, Login, LoginCase, LoginName, LookAtSession, Registration,
    ResetPassword, Session, SessionUser, SessionsOf, SetWalletPwd, User, check_login_name,
};
pub use vas::addresses::{AddAddress, AddressFault, AddressesOf, ReceivingAddress};
pub use vas::apps::{
    AidInfo, Applicant, ApplicationFault, ApplyVas, ApproveLogin, ApprovedLogin, Decision, FindVasApp,
    OpenCode, OwnVasApp, PendingApplications, RedeemOpenCode, ReviewVas, ShowCredentials, SuspendVasApp,
    VasApp, VasAppId, VasAppName, VasApps, VasToken, aid, safe_domain,
};
pub use vas::chain::OrderChain;
pub use vas::edits::{CloseVasApp, DomainRequestOf, EditVasApp, PendingDomains, ReviewDomain};
pub use vas::orders::{
    CheckPay, FindOrder, ObservePayment, OrderOf, OrderSeq, OrdersOf, OrdersPaidBy, SubmitPay, SubmittedPay,
    VasOrder, VasOrderName, VasPayment, WatchedOrders, read_pay,
};
pub use vas::prices::{
    AskPrice, CountPrice, MARKETS, PRICE_DECIMALS, PriceNow, PriceWindow, PricesNow, PutQuote, Quote,
};
pub use vas::returns::{Return, after_login};
pub use vault::{Digest, Minted, SealedKey, Seed, TokenKind, Vault};
pub use workers::{Ping, Pinged, Share, Shares, SignOfLife, Worker, WorkerId};
