-- What pages look for.

CREATE INDEX app_of_owner ON app (owner, id);
