ALTER TABLE "touchpoints" ADD COLUMN "waits" text;
--> statement-breakpoint
CREATE TABLE "refused_redemptions" (
	"contact_id" bigint NOT NULL,
	"redemption_key" text NOT NULL,
	"code" text NOT NULL,
	"reason" text NOT NULL,
	"campaign" text,
	"offer" text,
	"value" bigint,
	"redeemed_at" timestamp with time zone NOT NULL,
	"recorded_at" timestamp with time zone NOT NULL,
	CONSTRAINT "refused_redemptions_contact_id_redemption_key_pk" PRIMARY KEY("contact_id","redemption_key")
);
--> statement-breakpoint
CREATE INDEX "refused_redemptions_time" ON "refused_redemptions" USING btree ("redeemed_at");
--> statement-breakpoint
DROP INDEX "offer_codes_free";
--> statement-breakpoint
CREATE INDEX "offer_codes_free" ON "offer_codes" USING btree ("campaign","offer","expires_at","code") WHERE contact_id IS NULL;
