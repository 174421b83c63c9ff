-- Operators have roles and a second factor; they suspend apps, freeze users and refund payments; the audit says why, and what
-- was changed.

ALTER TABLE user ADD COLUMN frozen INTEGER NOT NULL DEFAULT 0 CHECK (frozen IN (0, 1));
ALTER TABLE app ADD COLUMN suspended INTEGER NOT NULL DEFAULT 0 CHECK (suspended IN (0, 1));
ALTER TABLE vas_app ADD COLUMN suspended INTEGER NOT NULL DEFAULT 0 CHECK (suspended IN (0, 1));
ALTER TABLE session ADD COLUMN second_factor INTEGER NOT NULL DEFAULT 0;
ALTER TABLE transfer ADD COLUMN refunded BLOB NOT NULL DEFAULT X'80000000000000000000000000000000';
ALTER TABLE audit ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN before TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN after TEXT NOT NULL DEFAULT '';

CREATE TABLE operator (
    user INTEGER NOT NULL PRIMARY KEY,
    roles INTEGER NOT NULL,
    totp BLOB,
    totp_version INTEGER NOT NULL,
    totp_step INTEGER NOT NULL,
    totp_next BLOB
) STRICT;
-- Operators of before have every role.
INSERT INTO operator SELECT id, 7, NULL, 0, 0, NULL FROM user WHERE operator = 1;

CREATE TABLE refund (
    id INTEGER NOT NULL PRIMARY KEY,
    transfer INTEGER NOT NULL,
    amount BLOB NOT NULL,
    reason TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX refund_of_transfer ON refund (transfer, id);
CREATE INDEX session_of_user ON session (user);
