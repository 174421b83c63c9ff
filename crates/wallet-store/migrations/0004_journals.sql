-- Entries and events become journals: rows by number, each with the one before it, and marks; see wallet-platform's
-- journal. What there is keeps its order and its number within its account or feed.

CREATE TABLE journal_entry (
    id INTEGER NOT NULL PRIMARY KEY,
    owner INTEGER NOT NULL,
    coin INTEGER NOT NULL,
    n INTEGER NOT NULL,
    previous INTEGER,
    amount BLOB NOT NULL CHECK (length(amount) = 16),
    transfer INTEGER,
    created_at INTEGER NOT NULL
) STRICT;

INSERT INTO journal_entry
SELECT id, owner, coin, n, lag(id) OVER (PARTITION BY owner, coin ORDER BY n), amount, transfer, created_at
FROM (
    SELECT *, (SELECT next_id FROM sequence) - 1 + row_number() OVER (ORDER BY created_at, transfer, n, owner, coin) AS id
    FROM entry
);
UPDATE sequence SET next_id = next_id + (SELECT count(*) FROM entry);
DROP TABLE entry;
ALTER TABLE journal_entry RENAME TO entry;

ALTER TABLE account ADD COLUMN last_entry INTEGER;
UPDATE account SET last_entry = newest.id
FROM (SELECT owner, coin, id, max(n) FROM entry GROUP BY owner, coin) AS newest
WHERE account.owner = newest.owner AND account.coin = newest.coin;

CREATE TABLE entry_mark (
    owner INTEGER NOT NULL,
    coin INTEGER NOT NULL,
    n INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    PRIMARY KEY (owner, coin, n)
) STRICT, WITHOUT ROWID;
INSERT INTO entry_mark SELECT owner, coin, n, id FROM entry WHERE n % 32 = 0;

CREATE TABLE journal_event (
    id INTEGER NOT NULL PRIMARY KEY,
    app INTEGER NOT NULL,
    n INTEGER NOT NULL,
    previous INTEGER,
    kind INTEGER NOT NULL,
    transfer INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT;

INSERT INTO journal_event
SELECT id, app, n, lag(id) OVER (PARTITION BY app ORDER BY n), kind, transfer, at
FROM (
    SELECT *, (SELECT next_id FROM sequence) - 1 + row_number() OVER (ORDER BY at, transfer, n, app) AS id FROM event
);
UPDATE sequence SET next_id = next_id + (SELECT count(*) FROM event);
DROP TABLE event;
ALTER TABLE journal_event RENAME TO event;

ALTER TABLE feed ADD COLUMN last_event INTEGER;
UPDATE feed SET last_event = newest.id
FROM (SELECT app, id, max(n) FROM event GROUP BY app) AS newest
WHERE feed.app = newest.app;

CREATE TABLE event_mark (
    app INTEGER NOT NULL,
    n INTEGER NOT NULL,
    event INTEGER NOT NULL,
    PRIMARY KEY (app, n)
) STRICT, WITHOUT ROWID;
INSERT INTO event_mark SELECT app, n, id FROM event WHERE n % 32 = 0;
