CREATE TABLE "signing_keys" (
	"key_id" serial PRIMARY KEY NOT NULL,
	"secret" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"retired_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "consents" (
	"contact_id" bigint NOT NULL,
	"channel" text NOT NULL,
	"decision" text NOT NULL,
	"decided_at" timestamp with time zone NOT NULL,
	"wording" text,
	"source" text NOT NULL,
	"proof" text,
	"recorded_at" timestamp with time zone NOT NULL,
	CONSTRAINT "consents_contact_id_channel_decided_at_decision_pk" PRIMARY KEY("contact_id","channel","decided_at","decision"),
	CONSTRAINT "consents_decision" CHECK ("consents"."decision" IN ('given', 'withdrawn'))
);
--> statement-breakpoint
CREATE TABLE "preferences" (
	"contact_id" bigint NOT NULL,
	"chosen_at" timestamp with time zone NOT NULL,
	"channels_off" text[] NOT NULL,
	"topics_off" text[] NOT NULL,
	"at_most" smallint,
	"within_days" smallint,
	"paused_until" timestamp with time zone,
	"source" text NOT NULL,
	"reason" text,
	CONSTRAINT "preferences_contact_id_chosen_at_pk" PRIMARY KEY("contact_id","chosen_at"),
	CONSTRAINT "preferences_frequency" CHECK (("preferences"."at_most" IS NULL) = ("preferences"."within_days" IS NULL))
);
--> statement-breakpoint
CREATE TABLE "erased_ids" (
	"key" "bytea" PRIMARY KEY NOT NULL,
	"erased_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "suppressions" DROP CONSTRAINT "suppressions_reason";
--> statement-breakpoint
ALTER TABLE "suppressions" ADD CONSTRAINT "suppressions_reason" CHECK ("suppressions"."reason" IN ('hard_bounce', 'complaint', 'unsubscribe', 'manual', 'erased'));
--> statement-breakpoint
ALTER TABLE "imports" ADD COLUMN "reject_file" text;
