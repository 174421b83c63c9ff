-- The callbacks of an app, for its developer: all of them, and those that were never heard.

CREATE INDEX delivery_of_app ON delivery (app, id);
CREATE INDEX delivery_of_app_unheard ON delivery (app, id) WHERE state = 2;

-- The applications that wait for an operator.

CREATE INDEX vas_app_pending ON vas_app (id) WHERE state = 0;
