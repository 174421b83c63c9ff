-- What pages look for: an owner's apps, and the callback of a transfer.

CREATE INDEX app_of_owner ON app (owner, id);

ALTER TABLE transfer ADD COLUMN delivery INTEGER;
UPDATE transfer SET delivery = told.id
FROM (SELECT id, subject FROM delivery WHERE callback = 1) AS told
WHERE transfer.id = told.subject;
