-- What ingest forgets was found by an index over blocks, which told them apart only as long as rows stood in the order they came.
-- Once the room of the first that were forgotten is used again, each block has something old, and all was read for each 10,000.
DROP INDEX "ingest_keys_received";
--> statement-breakpoint
CREATE INDEX "ingest_keys_received" ON "ingest_keys" ("received_at");
--> statement-breakpoint
DROP INDEX "anonymous_activity_received";
--> statement-breakpoint
CREATE INDEX "anonymous_activity_received" ON "anonymous_activity" ("received_at");
