-- Operators have roles and a second factor; they suspend apps, freeze users and refund payments; the audit says why, and what
-- was changed.

ALTER TABLE "user" ADD COLUMN "frozen" bigint NOT NULL DEFAULT 0 CHECK ("frozen" IN (0, 1));
ALTER TABLE "app" ADD COLUMN "suspended" bigint NOT NULL DEFAULT 0 CHECK ("suspended" IN (0, 1));
ALTER TABLE "vas_app" ADD COLUMN "suspended" bigint NOT NULL DEFAULT 0 CHECK ("suspended" IN (0, 1));
ALTER TABLE "session" ADD COLUMN "second_factor" bigint NOT NULL DEFAULT 0;
ALTER TABLE "transfer" ADD COLUMN "refunded" numeric(39,0) NOT NULL DEFAULT 0;
ALTER TABLE "audit" ADD COLUMN "reason" text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE "audit" ADD COLUMN "before" text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE "audit" ADD COLUMN "after" text COLLATE "C" NOT NULL DEFAULT '';

CREATE TABLE "operator" (
    "user" bigint NOT NULL,
    "roles" bigint NOT NULL,
    "totp" bytea,
    "totp_version" bigint NOT NULL,
    "totp_step" bigint NOT NULL,
    "totp_next" bytea,
    PRIMARY KEY ("user")
);
-- Operators of before have every role.
INSERT INTO "operator" SELECT "id", 7, NULL, 0, 0, NULL FROM "user" WHERE "operator" = 1;

CREATE TABLE "refund" (
    "id" bigint NOT NULL,
    "transfer" bigint NOT NULL,
    "amount" numeric(39,0) NOT NULL,
    "reason" text COLLATE "C" NOT NULL,
    "created_at" bigint NOT NULL,
    PRIMARY KEY ("id")
);
CREATE INDEX "refund_of_transfer" ON "refund" ("transfer", "id");
CREATE INDEX "session_of_user" ON "session" ("user");
