-- When the user last took a grant back: codes from before are void.
ALTER TABLE "user" ADD COLUMN "codes_from" bigint NOT NULL DEFAULT 0;
