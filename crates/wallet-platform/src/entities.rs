//! Every table of the platform, declared once. Stores take their columns from here.

use wallet_api::fomo::{CoinId, Direction, TransferStatus, UserId, lifetimes, payment_result};
use wallet_api::vas::{Currency, OrderFault, OrderState, Profile, Review, payment};
use wallet_core::{Callback, CallbackMeta, DeliveryState, Secret, Snapshot, Units, UnixTime};

use crate::column::{Cell, CellSource, Column, ColumnKind};
use crate::journal::Journaled;
use crate::rows::{Asked, ColumnMeta, Entity, Has, Loader, Table, TableMeta, Writer};
use crate::vault::{Digest, TokenKind};

macro_rules! row_ids {
    ($($(#[$doc:meta])* $name:ident;)+) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);
        impl Column for $name {
            const KIND: ColumnKind = ColumnKind::Int;
            fn cell(&self) -> Cell<'_> {
                Cell::Int(self.0.cast_signed())
            }
            fn from_cell(cell: Cell<'_>) -> Option<Self> {
                u64::from_cell(cell).map(Self)
            }
        }
    )+ };
}

row_ids! {
    /// The row number of an app.
    AppId;
    /// The row number of a transfer; on the wire it is a [`TransferId`](wallet_api::fomo::TransferId) (R30).
    TransferSeq;
    /// The row number of a token family.
    FamilyId;
    /// The row number of an entry.
    EntryId;
    /// The row number of an event.
    EventId;
    /// The row number of a delivery.
    DeliveryId;
    /// The row number of an app of the VAS and Lafi wallets.
    VasAppId;
    /// The row number of an order of the VAS and Lafi wallets.
    OrderSeq;
    /// The row number of something that an operator did.
    AuditId;
    /// The row number of whichever app is told something by callbacks: one counter numbers the apps of all platforms.
    ReceiverId;
}

impl From<AppId> for ReceiverId {
    fn from(app: AppId) -> Self {
        Self(app.0)
    }
}

impl From<VasAppId> for ReceiverId {
    fn from(app: VasAppId) -> Self {
        Self(app.0)
    }
}

macro_rules! entities {
    ($(
        $(#[$doc:meta])*
        $table:ident: $Entity:ident {
            key { $($(#[$kdoc:meta])* $k:ident: $K:ty,)+ }
            $($(#[$cdoc:meta])* $c:ident: $C:ty,)*
        }
    )+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq)]
            pub struct $Entity {
                $($(#[$kdoc])* pub $k: $K,)+
                $($(#[$cdoc])* pub $c: $C,)*
            }

            impl Entity for $Entity {
                type Key = ($($K,)+);
                const AT: usize = Position::$Entity as usize;
                const TABLE: &'static TableMeta = &TableMeta {
                    name: stringify!($table),
                    columns: &[
                        $(ColumnMeta::of::<$K>(stringify!($k), true),)+
                        $(ColumnMeta::of::<$C>(stringify!($c), false),)*
                    ],
                };
                fn key(&self) -> Self::Key {
                    ($(self.$k.clone(),)+)
                }
                fn cells(&self, put: &mut dyn FnMut(Cell<'_>)) {
                    $(put(self.$k.cell());)+
                    $(put(self.$c.cell());)*
                }
                fn key_cells(key: &Self::Key, put: &mut dyn FnMut(Cell<'_>)) {
                    let ($($k,)+) = key;
                    $(put($k.cell());)+
                }
                fn read(cells: &dyn CellSource) -> Option<Self> {
                    let mut at = 0..;
                    $(let $k = <$K>::from_cell(cells.cell(at.next()?, <$K as Column>::KIND)?)?;)+
                    $(let $c = <$C>::from_cell(cells.cell(at.next()?, <$C as Column>::KIND)?)?;)*
                    Some(Self { $($k,)+ $($c,)* })
                }
                fn into_any(self) -> AnyRow {
                    AnyRow::$Entity(self)
                }
                fn of(any: &AnyRow) -> Option<&Self> {
                    match any {
                        AnyRow::$Entity(row) => Some(row),
                        _ => None,
                    }
                }
                fn any_key(key: &Self::Key) -> AnyKey {
                    AnyKey::$Entity(key.clone())
                }
            }

            impl From<$Entity> for AnyRow {
                fn from(row: $Entity) -> Self {
                    Self::$Entity(row)
                }
            }

            impl Has<$Entity> for Rows {
                fn table(&self) -> &Table<$Entity> {
                    &self.$table
                }
                fn table_mut(&mut self) -> &mut Table<$Entity> {
                    &mut self.$table
                }
            }
        )+

        /// Where each table stands in [`TABLES`].
        #[derive(Clone, Copy)]
        enum Position { $($Entity,)+ }

        /// A row of any table.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(clippy::large_enum_variant)]
        pub enum AnyRow { $(#[doc = stringify!($table)] $Entity($Entity),)+ }

        /// A key of any table.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum AnyKey { $(#[doc = stringify!($table)] $Entity(<$Entity as Entity>::Key),)+ }

        /// The working set of a batch: rows as they were loaded and as commands have left them.
        #[derive(Debug, Default)]
        pub struct Rows {
            pub(crate) asked: Asked,
            $($table: Table<$Entity>,)+
        }

        impl Rows {
            /// Loads one row.
            ///
            /// # Errors
            /// The loader's.
            pub fn load<L: Loader>(&mut self, key: &AnyKey, loader: &mut L) -> Result<(), L::Error> {
                match key {
                    $(AnyKey::$Entity(key) => {
                        let row = loader.load::<$Entity>(key)?;
                        self.$table.loaded(key.clone(), row);
                    })+
                }
                Ok(())
            }

            /// Takes in what a command changed, in order.
            pub fn absorb(&mut self, changes: &mut crate::rows::Changes) {
                for change in changes.0.drain(..) {
                    match change {
                        $(
                            crate::rows::AnyChange::Put(AnyRow::$Entity(row)) => self.$table.absorb(row.key(), Some(row)),
                            crate::rows::AnyChange::Delete(AnyKey::$Entity(key)) => self.$table.absorb(key, None),
                        )+
                    }
                }
            }

            /// Writes every row that has changed, table by table, by key.
            ///
            /// # Errors
            /// The writer's.
            pub fn write<W: Writer>(&self, writer: &mut W) -> Result<(), W::Error> {
                $(self.$table.write_all(writer)?;)+
                Ok(())
            }

            /// Forgets everything, keeping the memory.
            pub fn clear(&mut self) {
                self.forget_asked();
                $(self.$table.clear();)+
            }
        }

        /// Every table.
        pub const TABLES: &[&TableMeta] = &[$(<$Entity as Entity>::TABLE,)+];

        impl AnyRow {
            /// Its key.
            pub fn key(&self) -> AnyKey {
                match self { $(Self::$Entity(row) => AnyKey::$Entity(row.key()),)+ }
            }
        }

        impl AnyKey {
            /// Where its table stands in [`TABLES`].
            pub fn table(&self) -> usize {
                match self { $(Self::$Entity(_) => Position::$Entity as usize,)+ }
            }
        }

        /// Reads a row of the table of this name.
        pub fn read_row(table: &TableMeta, cells: &dyn CellSource) -> Option<AnyRow> {
            match table.name {
                $(stringify!($table) => <$Entity as Entity>::read(cells).map(AnyRow::$Entity),)+
                _ => None,
            }
        }
    };
}

entities! {
    /// A person with a wallet. An app's owner is one too (R34).
    user: User {
        key {
            /// The id on the wire.
            id: UserId,
        }
        /// What the user signs in with.
        login_name: String,
        /// The public handle.
        fomo_id: String,
        /// The name the user shows.
        name: String,
        /// The address of a portrait, or empty.
        portrait: String,
        /// The login password's PHC text.
        pwd: Secret<String>,
        /// Counts changes of the login password.
        pwd_version: u32,
        /// The payment password's PHC text.
        wallet_pwd: Option<Secret<String>>,
        /// Counts changes of the payment password.
        wallet_pwd_version: u32,
        /// Whether the user may register apps.
        developer: bool,
        /// When the user was registered.
        created_at: UnixTime,
        /// Whether the user may do what operators do.
        operator: bool,
    }

    /// Makes login names unique.
    login: LoginName {
        key {
            /// The name.
            login_name: String,
        }
        /// Whose it is.
        user: UserId,
    }

    /// A registration that waits for its verification code (R36).
    registration: Registration {
        key {
            /// Names it on the wire.
            verify_id: String,
        }
        /// The second name that the wire wants.
        tmp_user_id: String,
        /// The wished login name.
        login_name: String,
        /// The PHC text of the wished password.
        pwd: Secret<String>,
        /// The verification code.
        code: Digest,
        /// Wrong codes so far.
        tries: u32,
        /// When the code expires.
        expires_at: UnixTime,
    }

    /// A user's session in the wallet.
    session: Session {
        key {
            /// The keyed hash of the session_key.
            hash: Digest,
        }
        /// Whose it is.
        user: UserId,
        /// The end of its life, moved by each use (R30).
        expires_at: UnixTime,
    }

    /// A third-party app.
    app: App {
        key {
            /// Its row number.
            id: AppId,
        }
        /// Its id on the wire.
        client_id: String,
        /// The user whose account receives and pays (R34).
        owner: UserId,
        /// Its name.
        name: String,
        /// The registered redirect_uri (R7).
        redirect_uri: String,
        /// Its scopes, separated by spaces.
        scopes: String,
        /// The client_secret, sealed (R80).
        secret: Vec<u8>,
        /// Counts rotations.
        secret_version: u32,
        /// The client_secret before the last rotation, sealed.
        old_secret: Option<Vec<u8>>,
        /// Until when the old one verifies (R37).
        old_secret_until: UnixTime,
        /// The fee of direction 1, in millionths (R23).
        fee_user_to_app: u32,
        /// The fee of direction 2, in millionths.
        fee_app_to_user: u32,
        /// When it was registered.
        created_at: UnixTime,
    }

    /// Makes client_ids unique.
    client: ClientName {
        key {
            /// The client_id.
            client_id: String,
        }
        /// Whose it is.
        app: AppId,
    }

    /// A coin.
    coin: Coin {
        key {
            /// The id on the wire.
            id: CoinId,
        }
        /// The id of its chain.
        chain_id: String,
        /// Its kind.
        coin_type: String,
        /// Its price, a decimal text.
        price: String,
        /// Its name.
        name: String,
        /// A short description.
        description: String,
        /// Its block explorer.
        explorer: String,
        /// The address of its contract.
        contract: String,
        /// Digits behind the point.
        decimals: u8,
        /// From which amount deposits are gathered.
        min_amount: String,
        /// Where the next scan for deposits starts.
        next_start: String,
        /// Whether it can be used.
        is_active: bool,
        /// Its weight in lists.
        sort_id: u32,
    }

    /// What somebody has of one coin.
    account: Account {
        key {
            /// Whose.
            owner: UserId,
            /// Of which coin.
            coin: CoinId,
        }
        /// How much. Only a system account's may be negative.
        balance: Units,
        /// How many entries it has.
        entries: u64,
        /// The newest of them.
        last_entry: Option<EntryId>,
    }

    /// An authorization code.
    code: Code {
        key {
            /// Its keyed hash.
            hash: Digest,
        }
        /// For which app.
        app: AppId,
        /// Who granted it.
        user: UserId,
        /// The redirect_uri it was asked with.
        redirect_uri: String,
        /// What was granted.
        scopes: String,
        /// The PKCE challenge, with its method before a colon.
        challenge: Option<String>,
        /// The family that came of it; a code that has one is used.
        family: Option<FamilyId>,
        /// When it expires.
        expires_at: UnixTime,
    }

    /// What came of one grant: all its tokens point here, so that revoking is one write.
    family: Family {
        key {
            /// Its row number.
            id: FamilyId,
        }
        /// For which app.
        app: AppId,
        /// Of which user.
        user: UserId,
        /// Whether its tokens work no more.
        revoked: bool,
    }

    /// An access or refresh token.
    token: Token {
        key {
            /// Its keyed hash.
            hash: Digest,
        }
        /// Which of the two.
        kind: TokenKind,
        /// Its family.
        family: FamilyId,
        /// What it allows.
        scopes: String,
        /// When a refresh token was exchanged.
        used_at: Option<UnixTime>,
        /// When it expires.
        expires_at: UnixTime,
    }

    /// A payment, in either direction.
    transfer: Transfer {
        key {
            /// Its row number.
            id: TransferSeq,
        }
        /// Which app.
        app: AppId,
        /// Which way money moves.
        direction: Direction,
        /// Who pays.
        payer: UserId,
        /// Who receives.
        payee: UserId,
        /// Which coin.
        coin: CoinId,
        /// How much.
        amount: Units,
        /// The amount as it was given.
        amount_text: String,
        /// The fee, which the receiver pays.
        cut: Units,
        /// The app's own id.
        trade_id: String,
        /// The app's state, returned unchanged.
        state: String,
        /// Where the callback goes.
        server_uri: String,
        /// Where the front end goes.
        redirect_uri: String,
        /// Whether money has moved.
        done: bool,
        /// When it was made.
        created_at: UnixTime,
        /// When money moved; until then when it was made.
        updated_at: UnixTime,
        /// The callback that tells of it; none before money has moved.
        delivery: Option<DeliveryId>,
    }

    /// Makes trade_ids unique for each app (R21).
    trade: TradeName {
        key {
            /// Which app.
            app: AppId,
            /// Its own id.
            trade_id: String,
        }
        /// The transfer.
        transfer: TransferSeq,
    }

    /// One side of a movement of money. Never changed. The entries of an account are a journal.
    entry: Entry {
        key {
            /// Its row number.
            id: EntryId,
        }
        /// Whose account.
        owner: UserId,
        /// Which coin.
        coin: CoinId,
        /// Its number within the account, from 1 without gaps.
        n: u64,
        /// The account's entry before it.
        previous: Option<EntryId>,
        /// How much; negative where it leaves.
        amount: Units,
        /// What it belongs to; none for a deposit.
        transfer: Option<TransferSeq>,
        /// When.
        created_at: UnixTime,
    }

    /// Finds an entry by its number within the account.
    entry_mark: EntryMark {
        key {
            /// Whose account.
            owner: UserId,
            /// Which coin.
            coin: CoinId,
            /// The entry's number.
            n: u64,
        }
        /// The entry.
        entry: EntryId,
    }

    /// A callback under delivery.
    delivery: DeliveryRow {
        key {
            /// Its number.
            id: DeliveryId,
        }
        /// The row that it tells of: a transfer's or an order's, as [`DeliveryRow::callback`] says.
        subject: u64,
        /// Whom it tells.
        app: ReceiverId,
        /// Where it stands.
        state: DeliveryState,
        /// Attempts that have ended.
        attempts: u32,
        /// When the next one is due.
        next_at: UnixTime,
        /// Until when somebody makes an attempt; the epoch when nobody does.
        leased_until: UnixTime,
        /// Which callback.
        callback: CallbackKind,
    }

    /// One attempt of a delivery.
    attempt: Attempt {
        key {
            /// Which delivery.
            delivery: DeliveryId,
            /// Which attempt, from 1.
            n: u32,
        }
        /// When it was begun.
        started_at: UnixTime,
        /// When it ended.
        ended_at: UnixTime,
        /// The receiver's HTTP status.
        http_status: Option<u16>,
        /// Why it failed, in words.
        failure: Option<String>,
        /// The beginning of what the receiver answered, where it was read.
        reply: Option<String>,
    }

    /// Counts an app's events.
    feed: Feed {
        key {
            /// Whose.
            app: AppId,
        }
        /// The number of the last event.
        last: u64,
        /// The last event.
        last_event: Option<EventId>,
    }

    /// Something an app may want to know. The events of an app are a journal.
    event: Event {
        key {
            /// Its row number.
            id: EventId,
        }
        /// Whose.
        app: AppId,
        /// Its number, from 1 without gaps: the cursor.
        n: u64,
        /// The app's event before it.
        previous: Option<EventId>,
        /// What happened.
        kind: EventKind,
        /// To which transfer.
        transfer: TransferSeq,
        /// When.
        at: UnixTime,
    }

    /// Finds an event by its number.
    event_mark: EventMark {
        key {
            /// Whose.
            app: AppId,
            /// The event's number.
            n: u64,
        }
        /// The event.
        event: EventId,
    }

    /// Wrong passwords of a user (R22).
    attempt_limit: AttemptLimit {
        key {
            /// Whose.
            user: UserId,
            /// Of which password.
            kind: crate::passwords::PasswordKind,
        }
        /// Proven failures since the last success.
        failures: u32,
        /// Until when no attempt is taken.
        locked_until: UnixTime,
        /// Attempts reserved and not yet decided.
        pending: u32,
        /// When reservations that nobody decided lapse.
        pending_until: UnixTime,
        /// When it was last reserved or failed.
        touched_at: UnixTime,
    }

    /// Counts the applications of a user that wait for review.
    applicant: Applicant {
        key {
            /// Whose.
            user: UserId,
        }
        /// How many.
        pending: u32,
    }

    /// An app of the VAS and Lafi wallets, from its application on.
    vas_app: VasApp {
        key {
            /// Its row number.
            id: VasAppId,
        }
        /// Who applied: who sees its credentials.
        owner: UserId,
        /// Of which wallet.
        profile: Profile,
        /// Its name.
        name: String,
        /// Its web host, ASCII and lower case; empty when it has none (R49).
        safe_domain: String,
        /// Its own scheme, lower case; empty when it has none (R67).
        scheme: String,
        /// Where its review stands.
        state: Review,
        /// Why it was turned down.
        reason: String,
        /// Its uuid; empty until it is approved.
        uuid: String,
        /// Its accessToken, sealed.
        access_token: Option<Vec<u8>>,
        /// Its rsaPrivate, sealed (R54).
        rsa_private: Option<Vec<u8>>,
        /// Its rsaPublic, PKCS#1 DER; empty until it is approved.
        rsa_public: Vec<u8>,
        /// When it applied.
        created_at: UnixTime,
    }

    /// Finds an app by its uuid.
    vas_app_name: VasAppName {
        key {
            /// The uuid.
            uuid: String,
        }
        /// The app.
        app: VasAppId,
    }

    /// Finds an app by its accessToken.
    vas_token: VasToken {
        key {
            /// Its keyed hash.
            hash: Digest,
        }
        /// The app.
        app: VasAppId,
    }

    /// A login that its app has not asked about yet (R50). Redeeming takes the row away.
    open_code: OpenCode {
        key {
            /// Its keyed hash.
            hash: Digest,
        }
        /// For which app.
        app: VasAppId,
        /// Who consented.
        user: UserId,
        /// When it expires.
        expires_at: UnixTime,
    }

    /// What a market says a coin is worth (R57).
    quote: Quote {
        key {
            /// Which coin.
            profile: Profile,
            /// In which currency.
            currency: Currency,
            /// Which market.
            market: u32,
        }
        /// Its price, in units of 10^-8.
        price: Units,
        /// Its volume, in units of 10^-8: the weight of the price.
        volume: Units,
        /// Until when it counts.
        fresh_until: UnixTime,
    }

    /// When an app last asked for a price (R57).
    price_window: PriceWindow {
        key {
            /// Which app.
            app: VasAppId,
        }
        /// The times, 8 bytes each.
        times: Vec<u8>,
    }

    /// An order that an app asks to be paid (R65).
    vas_order: VasOrder {
        key {
            /// Its number.
            id: OrderSeq,
        }
        /// Whose order.
        app: VasAppId,
        /// The app's own id.
        order_id: String,
        /// Who is paid.
        to_addr: String,
        /// In which asset.
        asset: String,
        /// How much, as it was given.
        amount: String,
        /// Where the callback goes.
        callback_url: String,
        /// Where it stands.
        state: OrderState,
        /// The transaction that was submitted for it last.
        txid: Option<String>,
        /// Who submitted it.
        payer: UserId,
        /// Whose money it is; the payer's own address until the chain has told.
        from_addr: String,
        /// Why the last payment does not count.
        fault: Option<OrderFault>,
        /// Whether the chain has shown that its transaction pays the order.
        known: bool,
        /// Since when the chain does not have its transaction.
        missing_since: Option<UnixTime>,
        /// Whether what becomes of its transaction is still to be watched.
        watched: bool,
        /// The callback that tells of it, once it is paid.
        delivery: Option<DeliveryId>,
        /// When it was first seen.
        created_at: UnixTime,
    }

    /// The order of an app's own id.
    vas_order_name: VasOrderName {
        key {
            /// Whose.
            app: VasAppId,
            /// The app's own id.
            order_id: String,
        }
        /// The order.
        order_seq: OrderSeq,
    }

    /// The order that a transaction was submitted for: it pays no second one of the same owner's apps.
    vas_payment: VasPayment {
        key {
            /// Whose apps.
            owner: UserId,
            /// The transaction.
            txid: String,
        }
        /// The order.
        order_seq: OrderSeq,
    }

    /// The parameters of a callback, signed once (R51).
    vas_callback: VasCallback {
        key {
            /// Of which delivery.
            delivery: DeliveryId,
        }
        /// Form-encoded.
        query: String,
    }

    /// The embedded chain: one row.
    dev_chain: DevChain {
        key {
            /// Always 0.
            id: u8,
        }
        /// The number of the newest block.
        height: u64,
        /// Its hash.
        tip: String,
        /// When the next block is made; none while nothing waits for one.
        next_block_at: Option<UnixTime>,
        /// Until this height blocks are made without transactions, for the confirmations of those there are.
        wanted: u64,
        /// Transactions that wait for a block, one a line.
        mempool: String,
    }

    /// A block of the embedded chain.
    dev_block: DevBlock {
        key {
            /// Its number.
            height: u64,
        }
        /// Its hash.
        hash: String,
        /// When it was made.
        made_at: UnixTime,
        /// Its transactions, one a line.
        txids: String,
    }

    /// The number of a block of the embedded chain.
    dev_block_name: DevBlockName {
        key {
            /// The block's hash.
            hash: String,
        }
        /// Its number.
        height: u64,
    }

    /// A transaction of the embedded chain.
    dev_tx: DevTx {
        key {
            /// Its id.
            txid: String,
        }
        /// What it spends and makes, as `getrawtransaction` tells it.
        raw: String,
        /// Its block.
        block: Option<u64>,
        /// Whether another has spent the same.
        dead: bool,
    }

    /// An output of the embedded chain.
    dev_coin: DevCoin {
        key {
            /// The transaction.
            txid: String,
            /// Which of its outputs.
            vout: u32,
        }
        /// Whose.
        address: String,
        /// Of which asset.
        asset: String,
        /// How much.
        value: Units,
        /// By which transaction it was spent; its own when that is dead.
        spent_by: Option<String>,
    }

    /// What an address of the embedded chain has.
    dev_purse: DevPurse {
        key {
            /// Whose.
            address: String,
            /// Of which asset.
            asset: String,
        }
        /// The outputs that it can spend, one a line: units, txid, vout. The largest first.
        coins: String,
    }

    /// Something that an operator did.
    audit: Audit {
        key {
            /// Its number.
            id: AuditId,
        }
        /// When.
        at: UnixTime,
        /// Who; none where it was done on the machine itself.
        operator: Option<UserId>,
        /// What.
        act: OperatorAct,
        /// To what, in words.
        about: String,
    }

    /// A key of the platform itself, sealed.
    sealed_key: SealedKey {
        key {
            /// Which.
            name: String,
        }
        /// Nonce and sealed text.
        sealed: Vec<u8>,
    }
}

impl Journaled for Entry {
    type Owner = (UserId, CoinId);
    type Mark = EntryMark;
    fn n(&self) -> u64 {
        self.n
    }
    fn previous(&self) -> Option<(EntryId,)> {
        self.previous.map(|id| (id,))
    }
    fn mark((owner, coin): Self::Owner, n: u64) -> (UserId, CoinId, u64) {
        (owner, coin, n)
    }
    fn marked(mark: &EntryMark) -> (EntryId,) {
        (mark.entry,)
    }
}

impl Journaled for Event {
    type Owner = AppId;
    type Mark = EventMark;
    fn n(&self) -> u64 {
        self.n
    }
    fn previous(&self) -> Option<(EventId,)> {
        self.previous.map(|id| (id,))
    }
    fn mark(app: AppId, n: u64) -> (AppId, u64) {
        (app, n)
    }
    fn marked(mark: &EventMark) -> (EventId,) {
        (mark.event,)
    }
}

/// What an event tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A payment waits for its user. It may expire; then nothing more is told (R20).
    Created,
    /// Money has moved.
    Paid,
    /// Every attempt of the callback failed.
    CallbackExhausted,
}

impl Column for EventKind {
    const KIND: ColumnKind = ColumnKind::Int;
    fn cell(&self) -> Cell<'_> {
        Cell::Int(match self {
            Self::Created => 1,
            Self::Paid => 2,
            Self::CallbackExhausted => 3,
        })
    }
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Int(1) => Some(Self::Created),
            Cell::Int(2) => Some(Self::Paid),
            Cell::Int(3) => Some(Self::CallbackExhausted),
            _ => None,
        }
    }
}

impl Transfer {
    /// The last moment at which it can be confirmed.
    pub fn expires_at(&self) -> UnixTime {
        self.created_at + lifetimes::UNCONFIRMED_PAYMENT
    }

    /// Its state at a time: expiry is judged when read, exact to every reader (R20).
    pub fn status(&self, now: UnixTime) -> TransferStatus {
        if self.done {
            TransferStatus::Done
        } else if now > self.expires_at() {
            TransferStatus::Expired
        } else {
            TransferStatus::Waiting
        }
    }

    /// The user, in both directions: the one who is not the app's owner (R35).
    pub fn user(&self) -> UserId {
        match self.direction {
            Direction::UserToApp => self.payer,
            Direction::AppToUser => self.payee,
        }
    }
}

/// What an operator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperatorAct {
    /// Makes somebody an operator.
    Enrolled,
    /// Approves an application.
    Approved,
    /// Turns an application down.
    Rejected,
    /// Sends a callback again.
    SentAgain,
}

/// Which callback a delivery makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallbackKind {
    /// FOMO's, of a transfer.
    PaymentResult,
    /// That of the VAS and Lafi wallets, of an order.
    Payment,
}

impl CallbackKind {
    /// What the spec says of it.
    pub fn meta(self) -> &'static CallbackMeta {
        match self {
            Self::PaymentResult => payment_result::Callback::META,
            Self::Payment => payment::Callback::META,
        }
    }
}

/// What a delivery tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A transfer.
    Transfer(TransferSeq),
    /// An order.
    Order(OrderSeq),
}

impl Subject {
    /// As a row keeps it.
    pub(crate) fn parts(self) -> (CallbackKind, u64) {
        match self {
            Self::Transfer(id) => (CallbackKind::PaymentResult, id.0),
            Self::Order(id) => (CallbackKind::Payment, id.0),
        }
    }
}

impl DeliveryRow {
    /// What it tells of.
    pub fn tells_of(&self) -> Subject {
        match self.callback {
            CallbackKind::PaymentResult => Subject::Transfer(TransferSeq(self.subject)),
            CallbackKind::Payment => Subject::Order(OrderSeq(self.subject)),
        }
    }

    /// What the delivery's state machine keeps.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { state: self.state, attempts: self.attempts, next_at: self.next_at }
    }
}

impl App {
    /// Whether a secret of this version still counts.
    pub fn accepts(&self, version: u32, now: UnixTime) -> bool {
        version == self.secret_version
            || (version.checked_add(1) == Some(self.secret_version) && self.old_secret_lives(now).is_some())
    }

    /// Until when the secret before this one verifies, where it does.
    pub fn old_secret_lives(&self, now: UnixTime) -> Option<UnixTime> {
        (self.old_secret.is_some() && now <= self.old_secret_until).then_some(self.old_secret_until)
    }
}
