-- By which channel a message may have gone out that is still to be tried again, and what it costs then: whatever keeps it
-- from being tried again leaves it in doubt.
ALTER TABLE "touchpoints" ADD COLUMN "doubted_on" text;
--> statement-breakpoint
ALTER TABLE "touchpoints" ADD COLUMN "doubted_cost" bigint;
