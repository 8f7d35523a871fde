-- Several lapses of one person are one cluster where variants of a step are compared, too: the products of two lapses that drew
-- one, by the step of each one's version. Days that drew variants are counted again.
ALTER TABLE "report_repeats" ADD COLUMN "step_id" integer NOT NULL DEFAULT 0,
	ADD COLUMN "earlier_step_id" integer NOT NULL DEFAULT 0,
	DROP CONSTRAINT "report_repeats_pk";
--> statement-breakpoint
ALTER TABLE "report_repeats" ALTER COLUMN "step_id" DROP DEFAULT,
	ALTER COLUMN "earlier_step_id" DROP DEFAULT,
	ADD CONSTRAINT "report_repeats_pk"
		PRIMARY KEY("campaign","day","earlier","unit","tier","step_id","earlier_step_id","arm","earlier_arm");
--> statement-breakpoint
INSERT INTO "report_dirty" ("campaign", "day")
SELECT DISTINCT v."campaign", v."day" FROM "report_variants" v
JOIN "report_repeats" r ON r."campaign" = v."campaign" AND r."day" = v."day";
