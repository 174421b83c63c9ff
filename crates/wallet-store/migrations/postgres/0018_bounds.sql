-- Wrong attempts at login names that nobody has share blocks of a fixed size; a row for each let anyone fill the database.

CREATE TABLE "unknown_names" (
    "block" bigint NOT NULL,
    "entries" bytea NOT NULL,
    PRIMARY KEY ("block")
) WITH (fillfactor = 50);

-- The open apps of a user, which are bounded.
CREATE TABLE "developer" (
    "user" bigint NOT NULL,
    "open_apps" bigint NOT NULL,
    PRIMARY KEY ("user")
) WITH (fillfactor = 50);

INSERT INTO "developer" ("user", "open_apps") SELECT "owner", count(*) FROM "app" WHERE "closed_at" IS NULL GROUP BY "owner";

-- The apps that a user has granted access to.
CREATE INDEX "family_of_user" ON "family" ("user", "id") WHERE "revoked" = 0;
