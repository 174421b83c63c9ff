-- The due callbacks of each app by an index of their own, so that the backlog of one costs the others nothing; which receivers fail;
-- and the processes that share the work.

DROP INDEX delivery_due;
CREATE INDEX delivery_due ON delivery (next_at, id) WHERE state = 0;
CREATE INDEX delivery_of_app_due ON delivery (app, next_at, id) WHERE state = 0;

CREATE TABLE receiver (
    app INTEGER NOT NULL PRIMARY KEY,
    failures INTEGER NOT NULL,
    failing_since INTEGER,
    gave_up INTEGER NOT NULL CHECK (gave_up IN (0, 1))
) STRICT;

CREATE TABLE worker (
    id INTEGER NOT NULL PRIMARY KEY,
    seen_at INTEGER NOT NULL
) STRICT;
