-- The tables of the FOMO platform and of the VAS and Lafi wallets, as SQLite's migrations up to this one make them: no
-- database of PostgreSQL is older. Columns and keys are those that wallet-platform declares (a test compares them).
--
-- Every name is quoted: an unquoted "user" is the session's role. There are no foreign keys: commands keep references intact.
-- A fillfactor below 100 leaves room on a page for the next version of a row that changes often.

UPDATE "baton" SET next_id = 100000;

CREATE TABLE "user" (
    "id" bigint NOT NULL,
    "login_name" text COLLATE "C" NOT NULL,
    "fomo_id" text COLLATE "C" NOT NULL,
    "name" text COLLATE "C" NOT NULL,
    "portrait" text COLLATE "C" NOT NULL,
    "pwd" text COLLATE "C" NOT NULL,
    "pwd_version" bigint NOT NULL,
    "wallet_pwd" text COLLATE "C",
    "wallet_pwd_version" bigint NOT NULL,
    "developer" bigint NOT NULL CHECK ("developer" IN (0, 1)),
    "created_at" bigint NOT NULL,
    "operator" bigint NOT NULL DEFAULT 0 CHECK ("operator" IN (0, 1)),
    PRIMARY KEY ("id")
);

CREATE TABLE "login" (
    "login_name" text COLLATE "C" NOT NULL,
    "user" bigint NOT NULL,
    PRIMARY KEY ("login_name")
);

CREATE TABLE "registration" (
    "verify_id" text COLLATE "C" NOT NULL,
    "tmp_user_id" text COLLATE "C" NOT NULL,
    "login_name" text COLLATE "C" NOT NULL,
    "pwd" text COLLATE "C" NOT NULL,
    "code" bytea NOT NULL,
    "tries" bigint NOT NULL,
    "expires_at" bigint NOT NULL,
    PRIMARY KEY ("verify_id")
);

CREATE TABLE "session" (
    "hash" bytea NOT NULL,
    "user" bigint NOT NULL,
    "expires_at" bigint NOT NULL,
    PRIMARY KEY ("hash")
) WITH (fillfactor = 50);

CREATE TABLE "app" (
    "id" bigint NOT NULL,
    "client_id" text COLLATE "C" NOT NULL,
    "owner" bigint NOT NULL,
    "name" text COLLATE "C" NOT NULL,
    "redirect_uri" text COLLATE "C" NOT NULL,
    "scopes" text COLLATE "C" NOT NULL,
    "secret" bytea NOT NULL,
    "secret_version" bigint NOT NULL,
    "old_secret" bytea,
    "old_secret_until" bigint NOT NULL,
    "fee_user_to_app" bigint NOT NULL,
    "fee_app_to_user" bigint NOT NULL,
    "created_at" bigint NOT NULL,
    "old_redirect_uri" text COLLATE "C",
    "old_redirect_until" bigint NOT NULL DEFAULT 0,
    "closed_at" bigint,
    PRIMARY KEY ("id")
);

CREATE TABLE "client" (
    "client_id" text COLLATE "C" NOT NULL,
    "app" bigint NOT NULL,
    PRIMARY KEY ("client_id")
);

CREATE TABLE "coin" (
    "id" bigint NOT NULL,
    "chain_id" text COLLATE "C" NOT NULL,
    "coin_type" text COLLATE "C" NOT NULL,
    "price" text COLLATE "C" NOT NULL,
    "name" text COLLATE "C" NOT NULL,
    "description" text COLLATE "C" NOT NULL,
    "explorer" text COLLATE "C" NOT NULL,
    "contract" text COLLATE "C" NOT NULL,
    "decimals" bigint NOT NULL,
    "min_amount" text COLLATE "C" NOT NULL,
    "next_start" text COLLATE "C" NOT NULL,
    "is_active" bigint NOT NULL CHECK ("is_active" IN (0, 1)),
    "sort_id" bigint NOT NULL,
    PRIMARY KEY ("id")
);

CREATE TABLE "account" (
    "owner" bigint NOT NULL,
    "coin" bigint NOT NULL,
    "balance" numeric(39,0) NOT NULL,
    "entries" bigint NOT NULL,
    "last_entry" bigint,
    PRIMARY KEY ("owner", "coin"),
    -- Only the issuer's account (1) goes below zero.
    CHECK ("owner" = 1 OR "balance" >= 0)
) WITH (fillfactor = 50);

CREATE TABLE "code" (
    "hash" bytea NOT NULL,
    "app" bigint NOT NULL,
    "user" bigint NOT NULL,
    "redirect_uri" text COLLATE "C" NOT NULL,
    "scopes" text COLLATE "C" NOT NULL,
    "challenge" text COLLATE "C",
    "family" bigint,
    "expires_at" bigint NOT NULL,
    PRIMARY KEY ("hash")
);

CREATE TABLE "family" (
    "id" bigint NOT NULL,
    "app" bigint NOT NULL,
    "user" bigint NOT NULL,
    "revoked" bigint NOT NULL CHECK ("revoked" IN (0, 1)),
    PRIMARY KEY ("id")
);

CREATE TABLE "token" (
    "hash" bytea NOT NULL,
    "kind" bigint NOT NULL,
    "family" bigint NOT NULL,
    "scopes" text COLLATE "C" NOT NULL,
    "used_at" bigint,
    "expires_at" bigint NOT NULL,
    PRIMARY KEY ("hash")
);

CREATE TABLE "transfer" (
    "id" bigint NOT NULL,
    "app" bigint NOT NULL,
    "direction" bigint NOT NULL,
    "payer" bigint NOT NULL,
    "payee" bigint NOT NULL,
    "coin" bigint NOT NULL,
    "amount" numeric(39,0) NOT NULL,
    "amount_text" text COLLATE "C" NOT NULL,
    "cut" numeric(39,0) NOT NULL,
    "trade_id" text COLLATE "C" NOT NULL,
    "state" text COLLATE "C" NOT NULL,
    "server_uri" text COLLATE "C" NOT NULL,
    "redirect_uri" text COLLATE "C" NOT NULL,
    "done" bigint NOT NULL CHECK ("done" IN (0, 1)),
    "created_at" bigint NOT NULL,
    "updated_at" bigint NOT NULL,
    "delivery" bigint,
    PRIMARY KEY ("id"),
    CHECK ("payer" <> "payee")
) WITH (fillfactor = 80);

CREATE TABLE "trade" (
    "app" bigint NOT NULL,
    "trade_id" text COLLATE "C" NOT NULL,
    "transfer" bigint NOT NULL,
    PRIMARY KEY ("app", "trade_id")
);

CREATE TABLE "delivery" (
    "id" bigint NOT NULL,
    "subject" bigint NOT NULL,
    "app" bigint NOT NULL,
    "state" bigint NOT NULL,
    "attempts" bigint NOT NULL,
    "next_at" bigint NOT NULL,
    "leased_until" bigint NOT NULL,
    "callback" bigint NOT NULL DEFAULT 1 CHECK ("callback" IN (1, 2)),
    PRIMARY KEY ("id")
) WITH (fillfactor = 50);

CREATE TABLE "attempt" (
    "delivery" bigint NOT NULL,
    "n" bigint NOT NULL,
    "started_at" bigint NOT NULL,
    "ended_at" bigint NOT NULL,
    "http_status" bigint,
    "failure" text COLLATE "C",
    "reply" text COLLATE "C",
    PRIMARY KEY ("delivery", "n")
);

CREATE TABLE "feed" (
    "app" bigint NOT NULL,
    "last" bigint NOT NULL,
    "last_event" bigint,
    PRIMARY KEY ("app")
) WITH (fillfactor = 50);

CREATE TABLE "attempt_limit" (
    "user" bigint NOT NULL,
    "kind" bigint NOT NULL,
    "failures" bigint NOT NULL,
    "locked_until" bigint NOT NULL,
    "pending" bigint NOT NULL,
    "pending_until" bigint NOT NULL,
    "touched_at" bigint NOT NULL,
    PRIMARY KEY ("user", "kind")
) WITH (fillfactor = 50);

CREATE TABLE "sealed_key" (
    "name" text COLLATE "C" NOT NULL,
    "sealed" bytea NOT NULL,
    PRIMARY KEY ("name")
);

CREATE TABLE "vas_app" (
    "id" bigint NOT NULL,
    "owner" bigint NOT NULL,
    "profile" bigint NOT NULL,
    "name" text COLLATE "C" NOT NULL,
    "safe_domain" text COLLATE "C" NOT NULL,
    "scheme" text COLLATE "C" NOT NULL,
    "state" bigint NOT NULL,
    "reason" text COLLATE "C" NOT NULL,
    "uuid" text COLLATE "C" NOT NULL,
    "access_token" bytea,
    "rsa_private" bytea,
    "rsa_public" bytea NOT NULL,
    "created_at" bigint NOT NULL,
    "closed_at" bigint,
    PRIMARY KEY ("id")
);

CREATE TABLE "vas_app_name" (
    "uuid" text COLLATE "C" NOT NULL,
    "app" bigint NOT NULL,
    PRIMARY KEY ("uuid")
);

CREATE TABLE "vas_token" (
    "hash" bytea NOT NULL,
    "app" bigint NOT NULL,
    PRIMARY KEY ("hash")
);

CREATE TABLE "open_code" (
    "hash" bytea NOT NULL,
    "app" bigint NOT NULL,
    "user" bigint NOT NULL,
    "expires_at" bigint NOT NULL,
    PRIMARY KEY ("hash")
);

CREATE TABLE "quote" (
    "profile" bigint NOT NULL,
    "currency" bigint NOT NULL,
    "market" bigint NOT NULL,
    "price" numeric(39,0) NOT NULL,
    "volume" numeric(39,0) NOT NULL,
    "fresh_until" bigint NOT NULL,
    PRIMARY KEY ("profile", "currency", "market")
);

CREATE TABLE "price_window" (
    "app" bigint NOT NULL,
    "times" bytea NOT NULL,
    PRIMARY KEY ("app")
) WITH (fillfactor = 50);

CREATE TABLE "vas_order" (
    "id" bigint NOT NULL,
    "app" bigint NOT NULL,
    "order_id" text COLLATE "C" NOT NULL,
    "to_addr" text COLLATE "C" NOT NULL,
    "asset" text COLLATE "C" NOT NULL,
    "amount" text COLLATE "C" NOT NULL,
    "callback_url" text COLLATE "C" NOT NULL,
    "state" bigint NOT NULL CHECK ("state" IN (0, 1, 2)),
    "txid" text COLLATE "C",
    "payer" bigint NOT NULL,
    "from_addr" text COLLATE "C" NOT NULL,
    "fault" bigint,
    "known" bigint NOT NULL CHECK ("known" IN (0, 1)),
    "missing_since" bigint,
    "watched" bigint NOT NULL CHECK ("watched" IN (0, 1)),
    "delivery" bigint,
    "created_at" bigint NOT NULL,
    PRIMARY KEY ("id")
) WITH (fillfactor = 80);

CREATE TABLE "vas_order_name" (
    "app" bigint NOT NULL,
    "order_id" text COLLATE "C" NOT NULL,
    "order_seq" bigint NOT NULL,
    PRIMARY KEY ("app", "order_id")
);

CREATE TABLE "vas_payment" (
    "owner" bigint NOT NULL,
    "txid" text COLLATE "C" NOT NULL,
    "order_seq" bigint NOT NULL,
    PRIMARY KEY ("owner", "txid")
);

CREATE TABLE "vas_callback" (
    "delivery" bigint NOT NULL,
    "query" text COLLATE "C" NOT NULL,
    PRIMARY KEY ("delivery")
);

CREATE TABLE "dev_chain" (
    "id" bigint NOT NULL,
    "height" bigint NOT NULL,
    "tip" text COLLATE "C" NOT NULL,
    "next_block_at" bigint,
    "wanted" bigint NOT NULL,
    "mempool" text COLLATE "C" NOT NULL,
    PRIMARY KEY ("id")
);

CREATE TABLE "dev_block" (
    "height" bigint NOT NULL,
    "hash" text COLLATE "C" NOT NULL,
    "made_at" bigint NOT NULL,
    "txids" text COLLATE "C" NOT NULL,
    PRIMARY KEY ("height")
);

CREATE TABLE "dev_block_name" (
    "hash" text COLLATE "C" NOT NULL,
    "height" bigint NOT NULL,
    PRIMARY KEY ("hash")
);

CREATE TABLE "dev_tx" (
    "txid" text COLLATE "C" NOT NULL,
    "raw" text COLLATE "C" NOT NULL,
    "block" bigint,
    "dead" bigint NOT NULL CHECK ("dead" IN (0, 1)),
    PRIMARY KEY ("txid")
);

CREATE TABLE "dev_coin" (
    "txid" text COLLATE "C" NOT NULL,
    "vout" bigint NOT NULL,
    "address" text COLLATE "C" NOT NULL,
    "asset" text COLLATE "C" NOT NULL,
    "value" numeric(39,0) NOT NULL,
    "spent_by" text COLLATE "C",
    PRIMARY KEY ("txid", "vout")
);

CREATE TABLE "dev_purse" (
    "address" text COLLATE "C" NOT NULL,
    "asset" text COLLATE "C" NOT NULL,
    "coins" text COLLATE "C" NOT NULL,
    PRIMARY KEY ("address", "asset")
);

CREATE TABLE "entry" (
    "id" bigint NOT NULL,
    "owner" bigint NOT NULL,
    "coin" bigint NOT NULL,
    "n" bigint NOT NULL,
    "previous" bigint,
    "amount" numeric(39,0) NOT NULL,
    "transfer" bigint,
    "created_at" bigint NOT NULL,
    PRIMARY KEY ("id")
);

CREATE TABLE "entry_mark" (
    "owner" bigint NOT NULL,
    "coin" bigint NOT NULL,
    "n" bigint NOT NULL,
    "entry" bigint NOT NULL,
    PRIMARY KEY ("owner", "coin", "n")
);

CREATE TABLE "event" (
    "id" bigint NOT NULL,
    "app" bigint NOT NULL,
    "n" bigint NOT NULL,
    "previous" bigint,
    "kind" bigint NOT NULL,
    "transfer" bigint NOT NULL,
    "at" bigint NOT NULL,
    PRIMARY KEY ("id")
);

CREATE TABLE "event_mark" (
    "app" bigint NOT NULL,
    "n" bigint NOT NULL,
    "event" bigint NOT NULL,
    PRIMARY KEY ("app", "n")
);

CREATE TABLE "audit" (
    "id" bigint NOT NULL,
    "at" bigint NOT NULL,
    "operator" bigint,
    "act" bigint NOT NULL,
    "about" text COLLATE "C" NOT NULL,
    PRIMARY KEY ("id")
);

CREATE TABLE "applicant" (
    "user" bigint NOT NULL,
    "pending" bigint NOT NULL,
    PRIMARY KEY ("user")
);

CREATE TABLE "vas_address" (
    "app" bigint NOT NULL,
    "number" bigint NOT NULL,
    "address" text COLLATE "C" NOT NULL,
    "entered" bigint NOT NULL CHECK ("entered" IN (0, 1)),
    PRIMARY KEY ("app", "number")
);

CREATE TABLE "milestone" (
    "app" bigint NOT NULL,
    "step" bigint NOT NULL,
    "at" bigint NOT NULL,
    PRIMARY KEY ("app", "step")
);

CREATE TABLE "vas_domain" (
    "app" bigint NOT NULL,
    "safe_domain" text COLLATE "C" NOT NULL,
    "asked_at" bigint NOT NULL,
    PRIMARY KEY ("app")
);

CREATE INDEX "app_of_owner" ON "app" ("owner", "id");
CREATE INDEX "attempt_limit_over" ON "attempt_limit" ("touched_at") WHERE "user" >= 4611686018427387904;
CREATE INDEX "code_over" ON "code" ("expires_at");
CREATE INDEX "delivery_due" ON "delivery" ("next_at", "id", "app") WHERE "state" = 0 AND "leased_until" = 0;
CREATE INDEX "delivery_leased" ON "delivery" ("leased_until") WHERE "leased_until" > 0;
CREATE INDEX "delivery_of_app" ON "delivery" ("app", "id");
CREATE INDEX "delivery_of_app_unheard" ON "delivery" ("app", "id") WHERE "state" = 2;
CREATE INDEX "delivery_unheard" ON "delivery" ("id") WHERE "state" = 2;
CREATE INDEX "open_code_over" ON "open_code" ("expires_at");
CREATE INDEX "registration_over" ON "registration" ("expires_at");
CREATE INDEX "session_over" ON "session" ("expires_at");
CREATE INDEX "token_over" ON "token" ("expires_at");
CREATE INDEX "vas_app_of_owner" ON "vas_app" ("owner", "id");
CREATE INDEX "vas_app_pending" ON "vas_app" ("id") WHERE "state" = 0;
CREATE INDEX "vas_order_of_app" ON "vas_order" ("app", "id");
CREATE INDEX "vas_order_paid_by" ON "vas_order" ("payer", "asset", "id");
CREATE INDEX "vas_order_watched" ON "vas_order" ("id") WHERE "watched" = 1;
