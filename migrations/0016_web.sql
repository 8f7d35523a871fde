-- Ids are compared byte by byte: the beginning of one is then a range of the index, whatever the database's locale.
ALTER TABLE "external_ids" ALTER COLUMN "external_id" TYPE text COLLATE "C";
