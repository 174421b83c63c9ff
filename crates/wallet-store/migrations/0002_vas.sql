-- The tables of the VAS and Lafi wallets. Columns and keys are those that wallet-platform declares (a test compares them).

CREATE TABLE vas_app (
    id INTEGER NOT NULL PRIMARY KEY,
    owner INTEGER NOT NULL,
    profile INTEGER NOT NULL,
    name TEXT NOT NULL,
    safe_domain TEXT NOT NULL,
    scheme TEXT NOT NULL,
    state INTEGER NOT NULL,
    reason TEXT NOT NULL,
    uuid TEXT NOT NULL,
    access_token BLOB,
    rsa_private BLOB,
    rsa_public BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE vas_app_name (
    uuid TEXT NOT NULL,
    app INTEGER NOT NULL,
    PRIMARY KEY (uuid)
) STRICT, WITHOUT ROWID;

CREATE TABLE vas_token (
    hash BLOB NOT NULL,
    app INTEGER NOT NULL,
    PRIMARY KEY (hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE open_code (
    hash BLOB NOT NULL,
    app INTEGER NOT NULL,
    user INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE quote (
    profile INTEGER NOT NULL,
    currency INTEGER NOT NULL,
    market INTEGER NOT NULL,
    price BLOB NOT NULL CHECK (length(price) = 16),
    volume BLOB NOT NULL CHECK (length(volume) = 16),
    fresh_until INTEGER NOT NULL,
    PRIMARY KEY (profile, currency, market)
) STRICT, WITHOUT ROWID;

CREATE TABLE price_window (
    app INTEGER NOT NULL PRIMARY KEY,
    times BLOB NOT NULL
) STRICT;

CREATE INDEX vas_app_of_owner ON vas_app (owner, id);
CREATE INDEX open_code_over ON open_code (expires_at);
