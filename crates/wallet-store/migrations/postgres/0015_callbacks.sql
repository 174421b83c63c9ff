-- The due callbacks of each app by an index of their own, so that the backlog of one costs the others nothing; which receivers fail;
-- and the processes that share the work.

DROP INDEX "delivery_due";
CREATE INDEX "delivery_due" ON "delivery" ("next_at", "id") WHERE "state" = 0;
CREATE INDEX "delivery_of_app_due" ON "delivery" ("app", "next_at", "id") WHERE "state" = 0;

CREATE TABLE "receiver" (
    "app" bigint NOT NULL,
    "failures" bigint NOT NULL,
    "failing_since" bigint,
    "gave_up" bigint NOT NULL CHECK ("gave_up" IN (0, 1)),
    PRIMARY KEY ("app")
);

CREATE TABLE "worker" (
    "id" bigint NOT NULL,
    "seen_at" bigint NOT NULL,
    PRIMARY KEY ("id")
);
