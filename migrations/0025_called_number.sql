-- The number whoever took a call was shown.
ALTER TABLE "calls" ADD COLUMN "address_key" bytea;
