CREATE TABLE "contact_signals" (
	"contact_id" bigint PRIMARY KEY NOT NULL,
	"active_days" integer DEFAULT 0 NOT NULL,
	"first_day" date,
	"last_day" date,
	"use_bits" bit(64) DEFAULT repeat('0', 64)::bit(64) NOT NULL,
	"usual_pause" numeric,
	"sign_in_at" timestamp with time zone,
	"orders" integer DEFAULT 0 NOT NULL,
	"coupon_orders" integer DEFAULT 0 NOT NULL,
	"coupon_cycles" integer DEFAULT 0 NOT NULL,
	"cart_items" integer DEFAULT 0 NOT NULL,
	"cart_at" timestamp with time zone,
	"favourites" integer DEFAULT 0 NOT NULL,
	"favourite_at" timestamp with time zone,
	"comment_at" timestamp with time zone,
	"nps" numeric,
	"nps_at" timestamp with time zone,
	"complaints_open" integer DEFAULT 0 NOT NULL,
	"review_rating" numeric,
	"review_at" timestamp with time zone,
	"assignments_open" integer DEFAULT 0 NOT NULL,
	"membership_started_at" timestamp with time zone,
	"membership_ends_at" timestamp with time zone,
	"membership_ended_at" timestamp with time zone,
	"activated_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "signal_marks" (
	"contact_id" bigint PRIMARY KEY NOT NULL
);
--> statement-breakpoint
CREATE TABLE "signal_rules" (
	"one" integer PRIMARY KEY DEFAULT 1 NOT NULL,
	"rules" text NOT NULL,
	"changed_at" timestamp with time zone NOT NULL,
	CONSTRAINT "signal_rules_one" CHECK ("signal_rules"."one" = 1)
);
--> statement-breakpoint
CREATE TABLE "signal_fits" (
	"fitted_at" timestamp with time zone PRIMARY KEY NOT NULL,
	"buyers" integer NOT NULL,
	"recency" double precision[],
	"frequency" double precision[],
	"monetary" double precision[],
	"use" double precision[],
	"bgnbd" double precision[],
	"log_likelihood" double precision,
	"contacts" integer NOT NULL,
	"repeaters" integer NOT NULL,
	"silence" double precision[],
	"note" text,
	"calibration" jsonb
);
