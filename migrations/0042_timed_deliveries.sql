-- How many messages the time to delivery is summed over. That, what providers said of all who failed and who complained within
-- the window are counted otherwise than before: the days are counted again.
ALTER TABLE "report_messages" ADD COLUMN "timed" bigint NOT NULL DEFAULT 0;
--> statement-breakpoint
ALTER TABLE "report_messages" ALTER COLUMN "timed" DROP DEFAULT;
--> statement-breakpoint
INSERT INTO "report_dirty" ("campaign", "day") SELECT "campaign", "day" FROM "report_days";
