-- The outbox: messages to users that were not sent yet.

CREATE TABLE notice (
    id INTEGER NOT NULL PRIMARY KEY,
    recipient TEXT NOT NULL,
    kind INTEGER NOT NULL,
    about TEXT NOT NULL,
    sealed BLOB NOT NULL,
    attempts INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX notice_due ON notice (next_at);
