-- The outbox: messages to users that were not sent yet.

CREATE TABLE "notice" (
    "id" bigint NOT NULL,
    "recipient" text COLLATE "C" NOT NULL,
    "kind" bigint NOT NULL,
    "about" text COLLATE "C" NOT NULL,
    "sealed" bytea NOT NULL,
    "attempts" bigint NOT NULL,
    "next_at" bigint NOT NULL,
    "expires_at" bigint NOT NULL,
    PRIMARY KEY ("id")
) WITH (fillfactor = 50);
CREATE INDEX "notice_due" ON "notice" ("next_at");
