-- Login names that differ by case alone: those that exist stay apart, and no new one comes beside another.

CREATE TABLE login_case (
    folded TEXT NOT NULL PRIMARY KEY,
    user INTEGER NOT NULL
) STRICT;

INSERT OR IGNORE INTO login_case (folded, user) SELECT lower(login_name), user FROM login ORDER BY user;

-- When a server was last asked whether it can write.
CREATE TABLE ping (
    id INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT;
