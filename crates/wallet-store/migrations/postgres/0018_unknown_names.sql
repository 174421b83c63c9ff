-- Wrong attempts at login names that nobody has share blocks of a fixed size; a row for each let anyone fill the database.

CREATE TABLE "unknown_names" (
    "block" bigint NOT NULL,
    "entries" bytea NOT NULL,
    PRIMARY KEY ("block")
) WITH (fillfactor = 50);
