-- Persons are linked by a number however it is written: what it is compared by with its country, where it is written without.
ALTER TABLE "contacts" ADD COLUMN "whole_key" bytea;
--> statement-breakpoint
CREATE INDEX "contacts_whole" ON "contacts" USING hash ("whole_key") WHERE whole_key IS NOT NULL;
