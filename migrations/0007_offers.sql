CREATE SEQUENCE "grant_ids" CACHE 100;
--> statement-breakpoint
CREATE TABLE "grants" (
	"contact_id" bigint NOT NULL,
	"grant_id" bigint DEFAULT nextval('grant_ids') NOT NULL,
	"episode_id" bigint NOT NULL,
	"campaign" text NOT NULL,
	"offer" text NOT NULL,
	"kind" text NOT NULL,
	"step_id" integer NOT NULL,
	"touchpoint_id" bigint NOT NULL,
	"claim_id" uuid,
	"state" text NOT NULL,
	"credit" text,
	"code" text,
	"face" bigint NOT NULL,
	"expected" bigint NOT NULL,
	"reserved_at" timestamp with time zone NOT NULL,
	"granted_at" timestamp with time zone,
	"expires_at" timestamp with time zone NOT NULL,
	"redeemed_at" timestamp with time zone,
	"redeemed_value" bigint,
	"redemption_key" text,
	CONSTRAINT "grants_contact_id_grant_id_pk" PRIMARY KEY("contact_id","grant_id"),
	CONSTRAINT "grants_once" UNIQUE("contact_id","episode_id","campaign","offer"),
	CONSTRAINT "grants_state" CHECK ("state" IN ('reserved', 'granted', 'redeemed', 'expired')),
	CONSTRAINT "grants_granted" CHECK (("state" = 'reserved') = ("granted_at" IS NULL)),
	CONSTRAINT "grants_redeemed" CHECK (("state" = 'redeemed') = ("redeemed_at" IS NOT NULL)),
	CONSTRAINT "grants_credit" CHECK ("credit" IN ('asking', 'credited'))
);
--> statement-breakpoint
CREATE INDEX "grants_reserved" ON "grants" ("reserved_at") WHERE state = 'reserved';
--> statement-breakpoint
CREATE INDEX "grants_outstanding" ON "grants" ("expires_at") WHERE state = 'granted';
--> statement-breakpoint
CREATE TABLE "offer_stocks" (
	"campaign" text NOT NULL,
	"offer" text NOT NULL,
	"taken" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "offer_stocks_campaign_offer_pk" PRIMARY KEY("campaign","offer"),
	CONSTRAINT "offer_stocks_taken" CHECK ("taken" >= 0)
);
--> statement-breakpoint
CREATE TABLE "offer_codes" (
	"code" text PRIMARY KEY NOT NULL,
	"shown" text NOT NULL,
	"campaign" text NOT NULL,
	"offer" text NOT NULL,
	"contact_id" bigint,
	"grant_id" bigint,
	"imported_at" timestamp with time zone,
	"expires_at" timestamp with time zone
);
--> statement-breakpoint
CREATE INDEX "offer_codes_free" ON "offer_codes" ("campaign","offer","code") WHERE contact_id IS NULL;
--> statement-breakpoint
CREATE INDEX "offer_codes_contact" ON "offer_codes" ("contact_id") WHERE contact_id IS NOT NULL;
