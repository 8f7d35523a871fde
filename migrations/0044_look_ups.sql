-- What is asked of one person, or of the last days, is looked up, however many people there are. An erasure read all ids four
-- times, and every entry of the audit, while it held its locks; a campaign's `stop` rules read the whole do-not-contact list
-- and all choices every fifteen seconds.
CREATE INDEX "external_ids_contact" ON "external_ids" ("contact_id");
--> statement-breakpoint
CREATE INDEX "audit_reasons" ON "audit" ("audit_id") WHERE detail ->> 'reason' IS NOT NULL;
--> statement-breakpoint
CREATE INDEX "suppressions_left" ON "suppressions" ("suppressed_at") WHERE reason = 'unsubscribe';
--> statement-breakpoint
CREATE INDEX "preferences_left" ON "preferences" ("chosen_at") WHERE cardinality(channels_off) > 0;
