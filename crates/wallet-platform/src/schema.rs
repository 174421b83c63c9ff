//! The platform's tables in one place, and how the types of other crates are stored in them.
//!
//! Each row type is declared beside the commands that change it. A batch writes the tables in the order given here.

use wallet_api::fomo::{ClientId, Direction, RedirectUri, ServerUri, State, TradeId};
use wallet_api::vas::{
    Address, AppUuid, AssetType, CallbackUrl, Currency, OrderFault, OrderId, OrderState, Profile, Review,
    Txid,
};
use wallet_core::DeliveryState;
use wallet_engine::{Cell, Column, ColumnKind, numbered, schema};

use crate::accounts::{CoinId, UserId};
use crate::coins::Coin;
use crate::deliveries::{Attempt, CallbackKind, DeliveryRow, SignedCallback};
use crate::fomo::apps::{App, ClientName, Developer};
use crate::fomo::events::{Event, EventKind, EventMark, Feed};
use crate::fomo::oauth::{Code, Family, Token};
use crate::fomo::payments::{TradeName, Transfer};
use crate::fomo::refunds::Refund;
use crate::milestones::{Milestone, Step};
use crate::money::{Account, Entry, EntryMark};
use crate::notices::{Notice, NoticeKind};
use crate::operators::{Audit, Operator, OperatorAct};
use crate::passwords::{AttemptLimit, PasswordKind};
use crate::receivers::Receiver;
use crate::refusal::{Refused, Stop};
use crate::unknown_names::UnknownNames;
use crate::users::{LoginCase, LoginName, Registration, Session, User};
use crate::vas::addresses::ReceivingAddress;
use crate::vas::apps::{Applicant, DomainRequest, OpenCode, VasApp, VasAppName, VasToken};
use crate::vas::orders::{VasOrder, VasOrderName, VasPayment};
use crate::vas::prices::{PriceWindow, Quote};
use crate::vault::{Digest, SealedKey, TokenKind, Vault};
use crate::workers::{Pinged, Worker};
use wallet_chain::embedded::{DevBlock, DevBlockName, DevChain, DevCoin, DevPurse, DevTx};

schema! {
    /// The schema of the wallet open platforms.
    pub struct Platform;
    vault: Vault;
    stop: Stop;
    user: User,
    login: LoginName,
    login_case: LoginCase,
    ping: Pinged,
    registration: Registration,
    notice: Notice,
    session: Session,
    app: App,
    developer: Developer,
    client: ClientName,
    coin: Coin,
    account: Account,
    code: Code,
    family: Family,
    token: Token,
    transfer: Transfer,
    trade: TradeName,
    refund: Refund,
    entry: Entry,
    entry_mark: EntryMark,
    delivery: DeliveryRow,
    attempt: Attempt,
    feed: Feed,
    event: Event,
    event_mark: EventMark,
    attempt_limit: AttemptLimit,
    unknown_names: UnknownNames,
    applicant: Applicant,
    vas_app: VasApp,
    vas_app_name: VasAppName,
    vas_token: VasToken,
    vas_address: ReceivingAddress,
    vas_domain: DomainRequest,
    open_code: OpenCode,
    quote: Quote,
    price_window: PriceWindow,
    vas_order: VasOrder,
    vas_order_name: VasOrderName,
    vas_payment: VasPayment,
    vas_callback: SignedCallback,
    receiver: Receiver,
    worker: Worker,
    dev_chain: DevChain,
    dev_block: DevBlock,
    dev_block_name: DevBlockName,
    dev_tx: DevTx,
    dev_coin: DevCoin,
    dev_purse: DevPurse,
    milestone: Milestone,
    operator: Operator,
    audit: Audit,
    sealed_key: SealedKey,
}

/// The working set of a batch.
pub type Rows = wallet_engine::Rows<Platform>;
/// The changes of a command.
pub type Changes = wallet_engine::Changes<Platform>;
/// The time, the ids and the vault that a command or query uses beside its rows.
pub type Context<'a> = wallet_engine::Context<'a, Platform>;
/// The error of a command or query.
pub type Failure = wallet_engine::Failure<Refused>;

/// The first row number of a new database. The accounts of the platform itself have smaller ones.
pub const FIRST_ID: u64 = 100_000;

macro_rules! id_columns {
    ($($Id:ident),+) => { $(
        impl Column<Platform> for $Id {
            const KIND: ColumnKind = ColumnKind::Int;
            fn cell(&self) -> Cell<'_> {
                // An id above `i64::MAX` cannot exist; `i64::MAX` itself is unknown in the same way.
                Cell::Int(i64::try_from(self.get()).unwrap_or(i64::MAX))
            }
            fn from_cell(cell: Cell<'_>) -> Option<Self> {
                <u64 as Column<Platform>>::from_cell(cell).map(Self::new)
            }
        }
    )+ };
}

id_columns!(UserId, CoinId);

macro_rules! text_columns {
    ($($Text:ident: $new:expr),+ $(,)?) => { $(
        impl Column<Platform> for $Text<'static> {
            const KIND: ColumnKind = ColumnKind::Text;
            fn cell(&self) -> Cell<'_> {
                Cell::Text(self.as_str())
            }
            fn from_cell(cell: Cell<'_>) -> Option<Self> {
                <String as Column<Platform>>::from_cell(cell).and_then($new)
            }
        }
    )+ };
}

text_columns! {
    ClientId: |text| Some(Self::new(text)),
    RedirectUri: |text| Some(Self::new(text)),
    ServerUri: |text| Self::new(text).ok(),
    State: |text| Some(Self::new(text)),
    TradeId: |text| Some(Self::new(text)),
    Address: |text| Some(Self::new(text)),
    AppUuid: |text| Some(Self::new(text)),
    AssetType: |text| Some(Self::new(text)),
    CallbackUrl: |text| Some(Self::new(text)),
    OrderId: |text| Some(Self::new(text)),
    Txid: |text| Some(Self::new(text)),
}

impl Column<Platform> for Digest {
    const KIND: ColumnKind = ColumnKind::Blob;
    fn cell(&self) -> Cell<'_> {
        Cell::Blob(self.as_bytes())
    }
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Blob(bytes) => bytes.try_into().ok().map(Self::from_bytes),
            _ => None,
        }
    }
}

numbered! {
    Platform: Step { SecretShown = 1, Called = 2 }
    Platform: DeliveryState { Waiting = 0, Acknowledged = 1, Exhausted = 2 }
    Platform: CallbackKind { PaymentResult = 1, Payment = 2 }
    Platform: EventKind {
        Created = 1,
        Paid = 2,
        CallbackExhausted = 3,
        Refunded = 4,
        ReceiverFails = 5,
        ReceiverRecovered = 6,
    }
    Platform: OperatorAct {
        Enrolled = 1,
        Approved = 2,
        Rejected = 3,
        SentAgain = 4,
        Removed = 5,
        Suspended = 6,
        Resumed = 7,
        Frozen = 8,
        Unfrozen = 9,
        SessionsEnded = 10,
        PasswordReset = 11,
        SecondFactorSet = 12,
        SecondFactorRemoved = 13,
        Refunded = 14,
        CoinPut = 15,
        Deposited = 16,
    }
    Platform: NoticeKind { VerificationCode = 1, ReceiverFails = 2, CallbackGivenUp = 3, ReceiverRecovered = 4 }
    Platform: PasswordKind { Login = 1, Wallet = 2, Verification = 3, LoginAgain = 4, SecondFactor = 5 }
    Platform: TokenKind { Access = 1, Refresh = 2 }
    Platform: Direction { UserToApp = 1, AppToUser = 2 }
    Platform: Profile { Vas = 1, Lafi = 2 }
    Platform: Currency { Cny = 1, Usd = 2, Eur = 3, Gbp = 4, Jpy = 5, Krw = 6 }
    Platform: Review { Pending = 0, Approved = 1, Rejected = 2 }
    Platform: OrderState { Open = 0, Submitted = 1, Paid = 2 }
    Platform: OrderFault {
        DoubleSpent = 1,
        WrongOrder = 2,
        OwnAddress = 3,
        WrongReceiver = 4,
        WrongAsset = 5,
        Underpaid = 6,
        Overpaid = 7,
        Missing = 8,
    }
}
