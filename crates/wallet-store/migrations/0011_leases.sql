-- A lease runs out by itself: a delivery is due again once it has, whoever held it.

DROP INDEX delivery_due;
CREATE INDEX delivery_due ON delivery (next_at, id, app) WHERE state = 0;
