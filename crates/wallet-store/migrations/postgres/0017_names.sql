-- Login names that differ by case alone: those that exist stay apart, and no new one comes beside another.

CREATE TABLE "login_case" (
    "folded" text COLLATE "C" NOT NULL,
    "user" bigint NOT NULL,
    PRIMARY KEY ("folded")
);

INSERT INTO "login_case" ("folded", "user") SELECT lower("login_name"), "user" FROM "login" ORDER BY "user" ON CONFLICT DO NOTHING;

-- When a server was last asked whether it can write.
CREATE TABLE "ping" (
    "id" bigint NOT NULL,
    "at" bigint NOT NULL,
    PRIMARY KEY ("id")
) WITH (fillfactor = 50);
