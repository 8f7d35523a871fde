-- What a receipt says a message cost is kept with it; and of one that came before its message was settled, that nobody has
-- booked it yet.
ALTER TABLE "delivery_events" ADD COLUMN "cost" bigint,
	ADD COLUMN "unbooked" boolean NOT NULL DEFAULT false;
--> statement-breakpoint
CREATE INDEX "delivery_events_unbooked" ON "delivery_events" ("contact_id","touchpoint_id") WHERE unbooked;
