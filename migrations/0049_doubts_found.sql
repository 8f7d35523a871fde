-- Every few seconds it is asked which messages are in doubt. An index that begins with the step does not answer that: all that was
-- ever sent was read each time. Likewise which codes were imported, of all that were ever given out.
CREATE INDEX "touchpoint_records_uncertain" ON "touchpoint_records" ("contact_id", "touchpoint_id") WHERE state = 'uncertain';
--> statement-breakpoint
CREATE INDEX "offer_codes_imported" ON "offer_codes" ("campaign", "offer") WHERE imported_at IS NOT NULL;
