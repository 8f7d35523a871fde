-- Messages inside the app, calls, what the return releases.
CREATE SEQUENCE "call_ids";
--> statement-breakpoint
CREATE SEQUENCE "reason_ids";
--> statement-breakpoint
CREATE TABLE "inapp_messages" (
	"contact_id" bigint NOT NULL,
	"touchpoint_id" bigint NOT NULL,
	"episode_id" bigint NOT NULL,
	"step_id" integer NOT NULL,
	"locale" text NOT NULL,
	"title" text NOT NULL,
	"text" text NOT NULL,
	"html" text NOT NULL,
	"url" text,
	"offer" text,
	"created_at" timestamp with time zone NOT NULL,
	"fetched_at" timestamp with time zone,
	"shown_at" timestamp with time zone,
	CONSTRAINT "inapp_messages_contact_id_touchpoint_id_pk" PRIMARY KEY("contact_id","touchpoint_id")
);
--> statement-breakpoint
CREATE TABLE "calls" (
	"contact_id" bigint NOT NULL,
	"call_id" bigint DEFAULT nextval('call_ids') NOT NULL,
	"touchpoint_id" bigint NOT NULL,
	"episode_id" bigint NOT NULL,
	"step_id" integer NOT NULL,
	"campaign" text NOT NULL,
	"kind" text NOT NULL,
	"script" text NOT NULL,
	"taker" text NOT NULL,
	"owner" text,
	"priority" smallint NOT NULL,
	"state" text NOT NULL,
	"opened_at" timestamp with time zone NOT NULL,
	"due_at" timestamp with time zone NOT NULL,
	"next_attempt_at" timestamp with time zone NOT NULL,
	"attempts" smallint DEFAULT 0 NOT NULL,
	"claimed_by" text,
	"claimed_at" timestamp with time zone,
	"closed_at" timestamp with time zone,
	"closed_by" text,
	CONSTRAINT "calls_contact_id_call_id_pk" PRIMARY KEY("contact_id","call_id"),
	CONSTRAINT "calls_once" UNIQUE("contact_id","touchpoint_id","kind"),
	CONSTRAINT "calls_kind" CHECK ("calls"."kind" IN ('recall', 'welcome', 'care')),
	CONSTRAINT "calls_taker" CHECK ("calls"."taker" IN ('agent', 'robot')),
	CONSTRAINT "calls_state" CHECK ("calls"."state" IN ('open', 'claimed', 'done', 'closed')),
	CONSTRAINT "calls_claimed" CHECK (("calls"."state" = 'claimed') <= ("calls"."claimed_by" IS NOT NULL)),
	CONSTRAINT "calls_closed" CHECK (("calls"."state" IN ('done', 'closed')) = ("calls"."closed_at" IS NOT NULL AND "calls"."closed_by" IS NOT NULL))
);
--> statement-breakpoint
CREATE TABLE "call_attempts" (
	"contact_id" bigint NOT NULL,
	"call_id" bigint NOT NULL,
	"attempt_no" smallint NOT NULL,
	"event_id" text NOT NULL,
	"made_at" timestamp with time zone NOT NULL,
	"made_by" text NOT NULL,
	"outcome" text NOT NULL,
	"reason" text,
	"seconds" integer DEFAULT 0 NOT NULL,
	"sentiment" text,
	"notes" text,
	"transcript" text,
	"next_attempt_at" timestamp with time zone,
	CONSTRAINT "call_attempts_contact_id_call_id_attempt_no_pk" PRIMARY KEY("contact_id","call_id","attempt_no"),
	CONSTRAINT "call_attempts_once" UNIQUE("contact_id","call_id","event_id"),
	CONSTRAINT "call_attempts_seconds" CHECK ("call_attempts"."seconds" >= 0),
	CONSTRAINT "call_attempts_sentiment" CHECK ("call_attempts"."sentiment" IN ('positive', 'neutral', 'negative'))
);
--> statement-breakpoint
CREATE TABLE "call_slots" (
	"contact_id" bigint NOT NULL,
	"touchpoint_id" bigint NOT NULL,
	"campaign" text NOT NULL,
	"step" text NOT NULL,
	"day" date NOT NULL,
	"taker" text NOT NULL,
	CONSTRAINT "call_slots_contact_id_touchpoint_id_pk" PRIMARY KEY("contact_id","touchpoint_id"),
	CONSTRAINT "call_slots_taker" CHECK ("call_slots"."taker" IN ('agent', 'robot'))
);
--> statement-breakpoint
CREATE TABLE "call_days" (
	"campaign" text NOT NULL,
	"step" text NOT NULL,
	"day" date NOT NULL,
	CONSTRAINT "call_days_campaign_step_day_pk" PRIMARY KEY("campaign","step","day")
);
--> statement-breakpoint
CREATE TABLE "reasons_given" (
	"contact_id" bigint NOT NULL,
	"reason_id" bigint DEFAULT nextval('reason_ids') NOT NULL,
	"source" text NOT NULL,
	"reason" text NOT NULL,
	"episode_id" bigint,
	"said_at" timestamp with time zone NOT NULL,
	"note" text,
	"recorded_by" text NOT NULL,
	CONSTRAINT "reasons_given_contact_id_reason_id_pk" PRIMARY KEY("contact_id","reason_id"),
	CONSTRAINT "reasons_given_source" CHECK ("reasons_given"."source" IN ('call', 'reply', 'opt_out', 'interview'))
);
--> statement-breakpoint
CREATE INDEX "calls_queue" ON "calls" USING btree ("priority","due_at") WHERE state IN ('open', 'claimed');
--> statement-breakpoint
CREATE INDEX "call_slots_day" ON "call_slots" USING btree ("campaign","step","day");
--> statement-breakpoint
-- When the return released the steps that wait for it.
ALTER TABLE "episodes" ADD COLUMN "released_at" timestamp with time zone;
