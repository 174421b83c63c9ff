-- A lease runs out by itself: a delivery is due again once it has, whoever held it. No index has the lease, so that a claim
-- writes no index.

DROP INDEX "delivery_due";
DROP INDEX "delivery_leased";
CREATE INDEX "delivery_due" ON "delivery" ("next_at", "id", "app") WHERE "state" = 0;
