-- Developers edit and close their apps.

ALTER TABLE app ADD COLUMN old_redirect_uri TEXT;
ALTER TABLE app ADD COLUMN old_redirect_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE app ADD COLUMN closed_at INTEGER;
ALTER TABLE vas_app ADD COLUMN closed_at INTEGER;

-- Safe domains that wait for an operator.

CREATE TABLE vas_domain (
    app INTEGER NOT NULL PRIMARY KEY,
    safe_domain TEXT NOT NULL,
    asked_at INTEGER NOT NULL
) STRICT;
