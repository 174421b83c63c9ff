-- The addresses at which an app of the VAS and Lafi wallets is paid.

CREATE TABLE vas_address (
    app INTEGER NOT NULL,
    number INTEGER NOT NULL,
    address TEXT NOT NULL,
    entered INTEGER NOT NULL CHECK (entered IN (0, 1)),
    PRIMARY KEY (app, number)
) STRICT;

-- The first steps of an app's developer.

CREATE TABLE milestone (
    app INTEGER NOT NULL,
    step INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (app, step)
) STRICT;
