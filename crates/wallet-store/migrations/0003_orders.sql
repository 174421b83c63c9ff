-- Orders of the VAS and Lafi wallets, callbacks of more than one kind, and the embedded chain.

ALTER TABLE delivery RENAME COLUMN transfer TO subject;
ALTER TABLE delivery ADD COLUMN callback INTEGER NOT NULL DEFAULT 1 CHECK (callback IN (1, 2));

CREATE TABLE vas_order (
    id INTEGER NOT NULL PRIMARY KEY,
    app INTEGER NOT NULL,
    order_id TEXT NOT NULL,
    to_addr TEXT NOT NULL,
    asset TEXT NOT NULL,
    amount TEXT NOT NULL,
    callback_url TEXT NOT NULL,
    state INTEGER NOT NULL CHECK (state IN (0, 1, 2)),
    txid TEXT,
    payer INTEGER NOT NULL,
    from_addr TEXT NOT NULL,
    fault INTEGER,
    known INTEGER NOT NULL CHECK (known IN (0, 1)),
    missing_since INTEGER,
    watched INTEGER NOT NULL CHECK (watched IN (0, 1)),
    delivery INTEGER,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE vas_order_name (
    app INTEGER NOT NULL,
    order_id TEXT NOT NULL,
    order_seq INTEGER NOT NULL,
    PRIMARY KEY (app, order_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE vas_payment (
    owner INTEGER NOT NULL,
    txid TEXT NOT NULL,
    order_seq INTEGER NOT NULL,
    PRIMARY KEY (owner, txid)
) STRICT, WITHOUT ROWID;

CREATE TABLE vas_callback (
    delivery INTEGER NOT NULL PRIMARY KEY,
    query TEXT NOT NULL
) STRICT;

CREATE TABLE dev_chain (
    id INTEGER NOT NULL PRIMARY KEY,
    height INTEGER NOT NULL,
    tip TEXT NOT NULL,
    next_block_at INTEGER,
    wanted INTEGER NOT NULL,
    mempool TEXT NOT NULL
) STRICT;

CREATE TABLE dev_block (
    height INTEGER NOT NULL PRIMARY KEY,
    hash TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    txids TEXT NOT NULL
) STRICT;

CREATE TABLE dev_block_name (
    hash TEXT NOT NULL,
    height INTEGER NOT NULL,
    PRIMARY KEY (hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE dev_tx (
    txid TEXT NOT NULL,
    raw TEXT NOT NULL,
    block INTEGER,
    dead INTEGER NOT NULL CHECK (dead IN (0, 1)),
    PRIMARY KEY (txid)
) STRICT, WITHOUT ROWID;

CREATE TABLE dev_coin (
    txid TEXT NOT NULL,
    vout INTEGER NOT NULL,
    address TEXT NOT NULL,
    asset TEXT NOT NULL,
    value BLOB NOT NULL CHECK (length(value) = 16),
    spent_by TEXT,
    PRIMARY KEY (txid, vout)
) STRICT, WITHOUT ROWID;

CREATE TABLE dev_purse (
    address TEXT NOT NULL,
    asset TEXT NOT NULL,
    coins TEXT NOT NULL,
    PRIMARY KEY (address, asset)
) STRICT, WITHOUT ROWID;

CREATE INDEX vas_order_watched ON vas_order (id) WHERE watched = 1;
