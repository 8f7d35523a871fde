-- What was counted before knows no costs: its days are counted again, and until then cost nothing.
ALTER TABLE "report_variants" ADD COLUMN "cost" bigint NOT NULL DEFAULT 0,
	ADD COLUMN "cost_squares" numeric NOT NULL DEFAULT 0,
	ADD COLUMN "cost_recalls" bigint NOT NULL DEFAULT 0;
--> statement-breakpoint
ALTER TABLE "report_variants" ALTER COLUMN "cost" DROP DEFAULT,
	ALTER COLUMN "cost_squares" DROP DEFAULT,
	ALTER COLUMN "cost_recalls" DROP DEFAULT;
--> statement-breakpoint
INSERT INTO "report_dirty" ("campaign", "day") SELECT DISTINCT "campaign", "day" FROM "report_variants";
