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
--> statement-breakpoint
ALTER TABLE "steps" ADD COLUMN "topic" text;
--> statement-breakpoint
CREATE TABLE "budgets" (
	"campaign" text NOT NULL,
	"kind" text NOT NULL,
	CONSTRAINT "budgets_campaign_kind_pk" PRIMARY KEY("campaign","kind"),
	CONSTRAINT "budgets_kind" CHECK ("kind" IN ('spend', 'liability'))
);
--> statement-breakpoint
CREATE TABLE "budget_days" (
	"campaign" text NOT NULL,
	"kind" text NOT NULL,
	"day" date NOT NULL,
	"spent" bigint NOT NULL,
	CONSTRAINT "budget_days_campaign_kind_day_pk" PRIMARY KEY("campaign","kind","day")
);
--> statement-breakpoint
CREATE TABLE "budget_entries" (
	"campaign" text NOT NULL,
	"kind" text NOT NULL,
	"booked_at" timestamp with time zone NOT NULL,
	"amount" bigint NOT NULL
);
--> statement-breakpoint
CREATE INDEX "budget_entries_campaign" ON "budget_entries" ("campaign","kind");
--> statement-breakpoint
CREATE TABLE "budget_holds" (
	"claim_id" uuid NOT NULL,
	"campaign" text NOT NULL,
	"kind" text NOT NULL,
	"contact_ids" bigint[] NOT NULL,
	"touchpoint_ids" bigint[] NOT NULL,
	"amounts" bigint[] NOT NULL,
	"amount" bigint NOT NULL,
	CONSTRAINT "budget_holds_claim_id_kind_pk" PRIMARY KEY("claim_id","kind")
);
--> statement-breakpoint
CREATE INDEX "budget_holds_campaign" ON "budget_holds" ("campaign","kind");
--> statement-breakpoint
-- Every statement that books something leaves its sum for the budget, whichever it is: settling, a late receipt, a
-- redemption. One row a statement, and nobody waits for the budget's own row.
CREATE FUNCTION "budget_entry"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO budget_entries (campaign, kind, booked_at, amount)
  SELECT b.campaign, b.kind, n.booked_at, sum(n.amount)
  FROM booked n JOIN steps s ON s.step_id = n.step_id JOIN budgets b ON b.campaign = s.campaign AND b.kind = n.kind
  GROUP BY b.campaign, b.kind, n.booked_at;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER "budget_entry" AFTER INSERT ON "ledger" REFERENCING NEW TABLE AS booked
  FOR EACH STATEMENT EXECUTE FUNCTION "budget_entry"();
--> statement-breakpoint
CREATE TABLE "send_rates" (
	"channel" text PRIMARY KEY NOT NULL,
	"tokens" double precision,
	"refilled_at" timestamp with time zone NOT NULL,
	"day" date NOT NULL,
	"taken" integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE "send_counts" (
	"campaign" text NOT NULL,
	"channel" text NOT NULL,
	"sent_at" timestamp with time zone NOT NULL,
	"sent" integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX "send_counts_sent_at" ON "send_counts" ("sent_at");
--> statement-breakpoint
CREATE TABLE "breakers" (
	"channel" text PRIMARY KEY NOT NULL,
	"state" text NOT NULL,
	"since" timestamp with time zone NOT NULL,
	"reason" text NOT NULL,
	CONSTRAINT "breakers_state" CHECK ("state" IN ('open', 'half_open'))
);
--> statement-breakpoint
CREATE TABLE "stop_marks" (
	"campaign" text PRIMARY KEY NOT NULL,
	"stopped_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE INDEX "delivery_events_harm" ON "delivery_events" ("received_at") WHERE kind IN ('complaint', 'hard_bounce');
