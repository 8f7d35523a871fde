-- Each person's first lapse in any campaign, by which the whole programme is compared with the control group. Nobody is, where
-- there never was one.
ALTER TABLE "report_people" ADD COLUMN "firsts" bigint NOT NULL DEFAULT 0,
	ADD COLUMN "firsts_recalled" bigint NOT NULL DEFAULT 0;
--> statement-breakpoint
ALTER TABLE "report_people" ALTER COLUMN "firsts" DROP DEFAULT,
	ALTER COLUMN "firsts_recalled" DROP DEFAULT;
--> statement-breakpoint
INSERT INTO "report_dirty" ("campaign", "day")
SELECT DISTINCT "campaign", "day" FROM "report_people" WHERE EXISTS (SELECT FROM "report_people" WHERE "arm" = 'control');
