-- What was counted before knows no margin. Days of campaigns whose goals have one are counted again by themselves, for they
-- were counted with none.
ALTER TABLE "report_people" ADD COLUMN "margin" bigint NOT NULL DEFAULT 0,
	ADD COLUMN "margin_squares" numeric NOT NULL DEFAULT 0,
	ADD COLUMN "margin_costs" numeric NOT NULL DEFAULT 0,
	ADD COLUMN "margin_unpaid" numeric NOT NULL DEFAULT 0,
	ADD COLUMN "buyers" bigint NOT NULL DEFAULT 0;
--> statement-breakpoint
ALTER TABLE "report_people" ALTER COLUMN "margin" DROP DEFAULT,
	ALTER COLUMN "margin_squares" DROP DEFAULT,
	ALTER COLUMN "margin_costs" DROP DEFAULT,
	ALTER COLUMN "margin_unpaid" DROP DEFAULT,
	ALTER COLUMN "buyers" DROP DEFAULT;
--> statement-breakpoint
ALTER TABLE "report_stages" ADD COLUMN "margin" bigint NOT NULL DEFAULT 0,
	ADD COLUMN "margin_squares" numeric NOT NULL DEFAULT 0,
	ADD COLUMN "margin_costs" numeric NOT NULL DEFAULT 0,
	ADD COLUMN "margin_unpaid" numeric NOT NULL DEFAULT 0,
	ADD COLUMN "buyers" bigint NOT NULL DEFAULT 0;
--> statement-breakpoint
ALTER TABLE "report_stages" ALTER COLUMN "margin" DROP DEFAULT,
	ALTER COLUMN "margin_squares" DROP DEFAULT,
	ALTER COLUMN "margin_costs" DROP DEFAULT,
	ALTER COLUMN "margin_unpaid" DROP DEFAULT,
	ALTER COLUMN "buyers" DROP DEFAULT;
--> statement-breakpoint
ALTER TABLE "report_days" ADD COLUMN "earned" jsonb NOT NULL DEFAULT '{}';
--> statement-breakpoint
ALTER TABLE "report_days" ALTER COLUMN "earned" DROP DEFAULT;
