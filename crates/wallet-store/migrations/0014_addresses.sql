-- A wallet that has a user's keys says with which address of the chain the user logs in.

ALTER TABLE open_code ADD COLUMN address TEXT;
