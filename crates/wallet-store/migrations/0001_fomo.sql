-- The tables of the FOMO platform. Columns and keys are those that wallet-platform declares (a test compares them).
-- Units of money are 16-byte blobs, big-endian with the sign bit flipped: byte order is numeric order.

CREATE TABLE sequence (id INTEGER PRIMARY KEY CHECK (id = 1), next_id INTEGER NOT NULL) STRICT;
INSERT INTO sequence (id, next_id) VALUES (1, 100000);

CREATE TABLE user (
    id INTEGER NOT NULL PRIMARY KEY,
    login_name TEXT NOT NULL,
    fomo_id TEXT NOT NULL,
    name TEXT NOT NULL,
    portrait TEXT NOT NULL,
    pwd TEXT NOT NULL,
    pwd_version INTEGER NOT NULL,
    wallet_pwd TEXT,
    wallet_pwd_version INTEGER NOT NULL,
    developer INTEGER NOT NULL CHECK (developer IN (0, 1)),
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE login (
    login_name TEXT NOT NULL,
    user INTEGER NOT NULL,
    PRIMARY KEY (login_name)
) STRICT, WITHOUT ROWID;

CREATE TABLE registration (
    verify_id TEXT NOT NULL,
    tmp_user_id TEXT NOT NULL,
    login_name TEXT NOT NULL,
    pwd TEXT NOT NULL,
    code BLOB NOT NULL,
    tries INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (verify_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    hash BLOB NOT NULL,
    user INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE app (
    id INTEGER NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL,
    owner INTEGER NOT NULL,
    name TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    scopes TEXT NOT NULL,
    secret BLOB NOT NULL,
    secret_version INTEGER NOT NULL,
    old_secret BLOB,
    old_secret_until INTEGER NOT NULL,
    fee_user_to_app INTEGER NOT NULL,
    fee_app_to_user INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE client (
    client_id TEXT NOT NULL,
    app INTEGER NOT NULL,
    PRIMARY KEY (client_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE coin (
    id INTEGER NOT NULL PRIMARY KEY,
    chain_id TEXT NOT NULL,
    coin_type TEXT NOT NULL,
    price TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    explorer TEXT NOT NULL,
    contract TEXT NOT NULL,
    decimals INTEGER NOT NULL,
    min_amount TEXT NOT NULL,
    next_start TEXT NOT NULL,
    is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    sort_id INTEGER NOT NULL
) STRICT;

CREATE TABLE account (
    owner INTEGER NOT NULL,
    coin INTEGER NOT NULL,
    balance BLOB NOT NULL CHECK (length(balance) = 16),
    entries INTEGER NOT NULL,
    PRIMARY KEY (owner, coin),
    -- Only the issuer's account (1) goes below zero.
    CHECK (owner = 1 OR balance >= x'80000000000000000000000000000000')
) STRICT, WITHOUT ROWID;

CREATE TABLE code (
    hash BLOB NOT NULL,
    app INTEGER NOT NULL,
    user INTEGER NOT NULL,
    redirect_uri TEXT NOT NULL,
    scopes TEXT NOT NULL,
    challenge TEXT,
    family INTEGER,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE family (
    id INTEGER NOT NULL PRIMARY KEY,
    app INTEGER NOT NULL,
    user INTEGER NOT NULL,
    revoked INTEGER NOT NULL CHECK (revoked IN (0, 1))
) STRICT;

CREATE TABLE token (
    hash BLOB NOT NULL,
    kind INTEGER NOT NULL,
    family INTEGER NOT NULL,
    scopes TEXT NOT NULL,
    used_at INTEGER,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE transfer (
    id INTEGER NOT NULL PRIMARY KEY,
    app INTEGER NOT NULL,
    direction INTEGER NOT NULL,
    payer INTEGER NOT NULL,
    payee INTEGER NOT NULL,
    coin INTEGER NOT NULL,
    amount BLOB NOT NULL CHECK (length(amount) = 16),
    amount_text TEXT NOT NULL,
    cut BLOB NOT NULL CHECK (length(cut) = 16),
    trade_id TEXT NOT NULL,
    state TEXT NOT NULL,
    server_uri TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    done INTEGER NOT NULL CHECK (done IN (0, 1)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CHECK (payer <> payee)
) STRICT;

CREATE TABLE trade (
    app INTEGER NOT NULL,
    trade_id TEXT NOT NULL,
    transfer INTEGER NOT NULL,
    PRIMARY KEY (app, trade_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE entry (
    owner INTEGER NOT NULL,
    coin INTEGER NOT NULL,
    n INTEGER NOT NULL,
    amount BLOB NOT NULL CHECK (length(amount) = 16),
    transfer INTEGER,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (owner, coin, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE delivery (
    id INTEGER NOT NULL PRIMARY KEY,
    transfer INTEGER NOT NULL,
    app INTEGER NOT NULL,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    leased_until INTEGER NOT NULL
) STRICT;

CREATE TABLE attempt (
    delivery INTEGER NOT NULL,
    n INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    http_status INTEGER,
    failure TEXT,
    PRIMARY KEY (delivery, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE feed (
    app INTEGER NOT NULL PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT;

CREATE TABLE event (
    app INTEGER NOT NULL,
    n INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    transfer INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (app, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempt_limit (
    user INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    locked_until INTEGER NOT NULL,
    pending INTEGER NOT NULL,
    pending_until INTEGER NOT NULL,
    touched_at INTEGER NOT NULL,
    PRIMARY KEY (user, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE sealed_key (
    name TEXT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (name)
) STRICT, WITHOUT ROWID;

CREATE INDEX delivery_due ON delivery (next_at, id, app) WHERE state = 0 AND leased_until = 0;
CREATE INDEX code_over ON code (expires_at);
CREATE INDEX token_over ON token (expires_at);
CREATE INDEX session_over ON session (expires_at);
CREATE INDEX registration_over ON registration (expires_at);
CREATE INDEX attempt_limit_over ON attempt_limit (touched_at) WHERE user >= 4611686018427387904;
CREATE INDEX delivery_leased ON delivery (leased_until) WHERE leased_until > 0;
