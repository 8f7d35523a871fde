ALTER TABLE "touchpoints" ADD COLUMN "variant" text;
--> statement-breakpoint
ALTER TABLE "touchpoint_records" ADD COLUMN "variant" text;
--> statement-breakpoint
CREATE TABLE "report_variants" (
	"campaign" text NOT NULL,
	"day" date NOT NULL,
	"step_id" integer NOT NULL,
	"variant" text NOT NULL,
	"final_at" timestamp with time zone NOT NULL,
	"assigned" bigint NOT NULL,
	"contaminated" bigint NOT NULL,
	"sent" bigint NOT NULL,
	"recalled" bigint NOT NULL,
	CONSTRAINT "report_variants_pk" PRIMARY KEY("campaign","day","step_id","variant")
);
