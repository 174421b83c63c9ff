-- Operators and what they did; what receivers answered; and what operators' and developers' pages look for.

ALTER TABLE user ADD COLUMN operator INTEGER NOT NULL DEFAULT 0 CHECK (operator IN (0, 1));
ALTER TABLE attempt ADD COLUMN reply TEXT;

CREATE TABLE audit (
    id INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    operator INTEGER,
    act INTEGER NOT NULL,
    about TEXT NOT NULL
) STRICT;

CREATE INDEX delivery_unheard ON delivery (id) WHERE state = 2;
CREATE INDEX vas_order_of_app ON vas_order (app, id);

CREATE TABLE applicant (
    user INTEGER NOT NULL PRIMARY KEY,
    pending INTEGER NOT NULL
) STRICT;
INSERT INTO applicant SELECT owner, count(*) FROM vas_app WHERE state = 0 GROUP BY owner;
