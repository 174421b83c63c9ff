-- Wrong attempts at login names that nobody has share blocks of a fixed size; a row for each let anyone fill the database.

CREATE TABLE unknown_names (
    block INTEGER NOT NULL PRIMARY KEY,
    entries BLOB NOT NULL
) STRICT;
