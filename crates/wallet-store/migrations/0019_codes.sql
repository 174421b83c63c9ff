-- When the user last took a grant back: codes from before are void.
ALTER TABLE user ADD COLUMN codes_from INTEGER NOT NULL DEFAULT 0;
