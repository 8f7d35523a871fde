-- Written by drizzle-kit from src/database/schema.ts; then by hand: the sequences, PARTITION BY, fillfactor.
-- Names are unqualified on purpose: the connection's search_path names the schema.
CREATE SEQUENCE "episode_ids" CACHE 100;
--> statement-breakpoint
CREATE SEQUENCE "touchpoint_ids" CACHE 100;
--> statement-breakpoint
CREATE SEQUENCE "ledger_ids" CACHE 100;
--> statement-breakpoint
CREATE TABLE "activity" (
	"contact_id" bigint NOT NULL,
	"occurred_at" timestamp with time zone NOT NULL,
	"key" bigint NOT NULL,
	"type" text NOT NULL,
	"value" bigint,
	"properties" jsonb,
	"received_at" timestamp with time zone NOT NULL,
	CONSTRAINT "activity_contact_id_occurred_at_key_pk" PRIMARY KEY("contact_id","occurred_at","key")
) PARTITION BY RANGE ("occurred_at");
--> statement-breakpoint
CREATE TABLE "campaign_versions" (
	"campaign" text NOT NULL,
	"version" integer NOT NULL,
	"source" text NOT NULL,
	"file" text NOT NULL,
	"inputs" text NOT NULL,
	"templates" text NOT NULL,
	"workspace" jsonb NOT NULL,
	"applied_at" timestamp with time zone NOT NULL,
	"applied_by" text NOT NULL,
	"restores" integer,
	CONSTRAINT "campaign_versions_campaign_version_pk" PRIMARY KEY("campaign","version")
);
--> statement-breakpoint
CREATE TABLE "campaigns" (
	"campaign" text PRIMARY KEY NOT NULL,
	"current_version" integer NOT NULL,
	"salt" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "contact_activity" (
	"contact_id" bigint PRIMARY KEY NOT NULL,
	"silent_since" timestamp with time zone,
	"last_active_at" timestamp with time zone,
	"first_active_at" timestamp with time zone,
	"activity_count" integer DEFAULT 0 NOT NULL,
	"orders_count" integer DEFAULT 0 NOT NULL,
	"orders_total" bigint DEFAULT 0 NOT NULL,
	"first_order_at" timestamp with time zone,
	"last_order_at" timestamp with time zone
) WITH (fillfactor = 70);
--> statement-breakpoint
CREATE TABLE "contacts" (
	"contact_id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "contacts_contact_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 100),
	"person_id" bigint NOT NULL,
	"external_id" text NOT NULL,
	"email" text,
	"email_key" "bytea",
	"phone" text,
	"phone_key" "bytea",
	"locale" text,
	"timezone" text,
	"signed_up_at" timestamp with time zone,
	"attributes" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"attributes_at" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"imported_at" timestamp with time zone NOT NULL,
	"erased_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "episodes" (
	"contact_id" bigint NOT NULL,
	"episode_id" bigint DEFAULT nextval('episode_ids') NOT NULL,
	"campaign" text NOT NULL,
	"version" integer NOT NULL,
	"exclusive" text NOT NULL,
	"person_id" bigint NOT NULL,
	"episode_no" integer NOT NULL,
	"arm" text NOT NULL,
	"entry_tier" text NOT NULL,
	"segment" text NOT NULL,
	"lapsed_at" timestamp with time zone NOT NULL,
	"assigned_at" timestamp with time zone NOT NULL,
	"window_ends_at" timestamp with time zone NOT NULL,
	"outcome_until" timestamp with time zone NOT NULL,
	"tier_no" smallint NOT NULL,
	"silenced_at" timestamp with time zone,
	"silenced_by" text,
	"returned_at" timestamp with time zone,
	"contaminated" boolean DEFAULT false NOT NULL,
	"ended_at" timestamp with time zone,
	"end_reason" text,
	CONSTRAINT "episodes_contact_id_episode_id_pk" PRIMARY KEY("contact_id","episode_id"),
	CONSTRAINT "episodes_arm" CHECK ("episodes"."arm" IN ('treated', 'holdout', 'control', 'seed')),
	CONSTRAINT "episodes_silenced_by" CHECK ("episodes"."silenced_by" IN ('returned', 'stopped', 'contaminated', 'merged', 'erased') AND ("episodes"."silenced_at" IS NULL) = ("episodes"."silenced_by" IS NULL)),
	CONSTRAINT "episodes_end" CHECK ("episodes"."end_reason" IN ('recalled', 'returned', 'expired', 'withdrawn', 'erased') AND ("episodes"."ended_at" IS NULL) = ("episodes"."end_reason" IS NULL))
) WITH (fillfactor = 80);
--> statement-breakpoint
CREATE TABLE "external_ids" (
	"external_id" text PRIMARY KEY NOT NULL,
	"contact_id" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "feed_days" (
	"day" date PRIMARY KEY NOT NULL,
	"events" bigint NOT NULL,
	"newest_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "imports" (
	"import_id" bigserial PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"file" text NOT NULL,
	"started_at" timestamp with time zone NOT NULL,
	"finished_at" timestamp with time zone,
	"rows" bigint DEFAULT 0 NOT NULL,
	"inserted" bigint DEFAULT 0 NOT NULL,
	"updated" bigint DEFAULT 0 NOT NULL,
	"unchanged" bigint DEFAULT 0 NOT NULL,
	"rejected" bigint DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "ledger" (
	"contact_id" bigint NOT NULL,
	"ledger_id" bigint DEFAULT nextval('ledger_ids') NOT NULL,
	"touchpoint_id" bigint NOT NULL,
	"episode_id" bigint NOT NULL,
	"step_id" integer NOT NULL,
	"kind" text NOT NULL,
	"channel" text,
	"amount" bigint NOT NULL,
	"booked_at" timestamp with time zone NOT NULL,
	CONSTRAINT "ledger_contact_id_ledger_id_pk" PRIMARY KEY("contact_id","ledger_id"),
	CONSTRAINT "ledger_kind" CHECK ("ledger"."kind" IN ('spend', 'liability', 'labour'))
);
--> statement-breakpoint
CREATE TABLE "recalls" (
	"contact_id" bigint NOT NULL,
	"episode_id" bigint NOT NULL,
	"goal_no" smallint NOT NULL,
	"recalled_at" timestamp with time zone NOT NULL,
	"value" bigint,
	CONSTRAINT "recalls_contact_id_episode_id_goal_no_pk" PRIMARY KEY("contact_id","episode_id","goal_no")
);
--> statement-breakpoint
CREATE TABLE "run_answers" (
	"run_id" bigint NOT NULL,
	"answer" text NOT NULL,
	"tier" text NOT NULL,
	"segment" text NOT NULL,
	"arm" text NOT NULL,
	"contacts" bigint NOT NULL,
	CONSTRAINT "run_answers_run_id_answer_tier_segment_arm_pk" PRIMARY KEY("run_id","answer","tier","segment","arm")
);
--> statement-breakpoint
CREATE TABLE "runs" (
	"run_id" bigserial PRIMARY KEY NOT NULL,
	"campaign" text NOT NULL,
	"scheduled_for" timestamp with time zone NOT NULL,
	"version" integer NOT NULL,
	"as_of" timestamp with time zone NOT NULL,
	"state" text NOT NULL,
	"cursor" bigint DEFAULT 0 NOT NULL,
	"intake_from" timestamp with time zone,
	"intake_contact" bigint,
	"started_at" timestamp with time zone NOT NULL,
	"finished_at" timestamp with time zone,
	"note" text,
	CONSTRAINT "runs_once" UNIQUE("campaign","scheduled_for"),
	CONSTRAINT "runs_state" CHECK ("runs"."state" IN ('running', 'done', 'refused'))
);
--> statement-breakpoint
CREATE TABLE "settings" (
	"name" text PRIMARY KEY NOT NULL,
	"value" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "stages" (
	"contact_id" bigint NOT NULL,
	"episode_id" bigint NOT NULL,
	"tier_no" smallint NOT NULL,
	"entered_at" timestamp with time zone NOT NULL,
	"arm" text NOT NULL,
	"drawn" boolean NOT NULL,
	CONSTRAINT "stages_contact_id_episode_id_tier_no_pk" PRIMARY KEY("contact_id","episode_id","tier_no"),
	CONSTRAINT "stages_arm" CHECK ("stages"."arm" IN ('treated', 'holdout'))
);
--> statement-breakpoint
CREATE TABLE "steps" (
	"step_id" serial PRIMARY KEY NOT NULL,
	"campaign" text NOT NULL,
	"version" integer NOT NULL,
	"tier_no" smallint NOT NULL,
	"tier" text NOT NULL,
	"step_no" smallint NOT NULL,
	"step" text NOT NULL,
	"channels" text[] NOT NULL,
	"priority" smallint DEFAULT 50 NOT NULL,
	CONSTRAINT "steps_place" UNIQUE("campaign","version","tier_no","step_no")
);
--> statement-breakpoint
CREATE TABLE "suppressions" (
	"kind" text NOT NULL,
	"key" "bytea" NOT NULL,
	"reason" text NOT NULL,
	"source" text NOT NULL,
	"suppressed_at" timestamp with time zone NOT NULL,
	CONSTRAINT "suppressions_kind_key_pk" PRIMARY KEY("kind","key"),
	CONSTRAINT "suppressions_kind" CHECK ("suppressions"."kind" IN ('email', 'phone')),
	CONSTRAINT "suppressions_reason" CHECK ("suppressions"."reason" IN ('hard_bounce', 'complaint', 'unsubscribe', 'manual'))
);
--> statement-breakpoint
CREATE TABLE "switches" (
	"scope" text NOT NULL,
	"name" text NOT NULL,
	"state" text NOT NULL,
	"reason" text NOT NULL,
	"since" timestamp with time zone NOT NULL,
	CONSTRAINT "switches_scope_name_pk" PRIMARY KEY("scope","name"),
	CONSTRAINT "switches_scope" CHECK ("switches"."scope" IN ('workspace', 'campaign', 'channel')),
	CONSTRAINT "switches_state" CHECK ("switches"."state" IN ('paused', 'stopped'))
);
--> statement-breakpoint
CREATE TABLE "template_sets" (
	"hash" text PRIMARY KEY NOT NULL,
	"files" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "touchpoint_records" (
	"contact_id" bigint NOT NULL,
	"touchpoint_id" bigint NOT NULL,
	"episode_id" bigint NOT NULL,
	"step_id" integer NOT NULL,
	"state" text NOT NULL,
	"reason" text,
	"detail" text,
	"channel" text,
	"template" text,
	"provider_id" text,
	"attempt" smallint NOT NULL,
	"cost" bigint DEFAULT 0 NOT NULL,
	"planned_for" timestamp with time zone NOT NULL,
	"settled_at" timestamp with time zone NOT NULL,
	CONSTRAINT "touchpoint_records_contact_id_touchpoint_id_settled_at_pk" PRIMARY KEY("contact_id","touchpoint_id","settled_at"),
	CONSTRAINT "touchpoint_records_state" CHECK ("touchpoint_records"."state" IN ('sent', 'failed', 'skipped', 'cancelled', 'uncertain')),
	CONSTRAINT "touchpoint_records_reason" CHECK (("touchpoint_records"."state" IN ('skipped', 'cancelled', 'failed')) <= ("touchpoint_records"."reason" IS NOT NULL))
) PARTITION BY RANGE ("settled_at");
--> statement-breakpoint
CREATE TABLE "touchpoints" (
	"contact_id" bigint NOT NULL,
	"touchpoint_id" bigint DEFAULT nextval('touchpoint_ids') NOT NULL,
	"episode_id" bigint NOT NULL,
	"step_id" integer NOT NULL,
	"state" text DEFAULT 'planned' NOT NULL,
	"attempt" smallint DEFAULT 0 NOT NULL,
	"planned_for" timestamp with time zone NOT NULL,
	"due_at" timestamp with time zone NOT NULL,
	"claim_id" uuid,
	"channel" text,
	"lease_until" timestamp with time zone,
	CONSTRAINT "touchpoints_contact_id_touchpoint_id_pk" PRIMARY KEY("contact_id","touchpoint_id"),
	CONSTRAINT "touchpoints_state" CHECK ("touchpoints"."state" IN ('planned', 'queued', 'claimed', 'sending')),
	CONSTRAINT "touchpoints_lease" CHECK (("touchpoints"."state" = 'planned') = ("touchpoints"."lease_until" IS NULL) AND ("touchpoints"."state" IN ('claimed', 'sending')) = ("touchpoints"."claim_id" IS NOT NULL))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
--> statement-breakpoint
CREATE INDEX "contact_activity_silent_since" ON "contact_activity" USING btree ("silent_since");--> statement-breakpoint
CREATE INDEX "contacts_person" ON "contacts" USING btree ("person_id");--> statement-breakpoint
CREATE INDEX "contacts_email" ON "contacts" USING hash ("email_key") WHERE email_key IS NOT NULL;--> statement-breakpoint
CREATE INDEX "contacts_phone" ON "contacts" USING hash ("phone_key") WHERE phone_key IS NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX "episodes_open_once" ON "episodes" USING btree ("contact_id","campaign") WHERE ended_at IS NULL;--> statement-breakpoint
CREATE UNIQUE INDEX "episodes_exclusive" ON "episodes" USING btree ("contact_id","exclusive") WHERE ended_at IS NULL;--> statement-breakpoint
CREATE INDEX "ledger_step" ON "ledger" USING btree ("step_id");--> statement-breakpoint
CREATE INDEX "touchpoint_records_step" ON "touchpoint_records" USING btree ("step_id","state");--> statement-breakpoint
CREATE INDEX "touchpoints_due" ON "touchpoints" USING btree ("step_id","due_at");