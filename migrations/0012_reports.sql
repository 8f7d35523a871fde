CREATE TABLE "annotations" (
	"annotation_id" serial PRIMARY KEY NOT NULL,
	"campaign" text,
	"starts_on" date NOT NULL,
	"ends_on" date NOT NULL,
	"label" text NOT NULL,
	"made_by" text NOT NULL,
	"made_at" timestamp with time zone NOT NULL,
	CONSTRAINT "annotations_range" CHECK ("annotations"."ends_on" >= "annotations"."starts_on")
);
--> statement-breakpoint
CREATE TABLE "report_days" (
	"campaign" text NOT NULL,
	"day" date NOT NULL,
	"rolled_at" timestamp with time zone NOT NULL,
	"open" boolean NOT NULL,
	"events" bigint NOT NULL,
	CONSTRAINT "report_days_campaign_day_pk" PRIMARY KEY("campaign","day")
);
--> statement-breakpoint
CREATE TABLE "report_dirty" (
	"campaign" text NOT NULL,
	"day" date NOT NULL
);
--> statement-breakpoint
CREATE TABLE "report_people" (
	"campaign" text NOT NULL,
	"day" date NOT NULL,
	"version" integer NOT NULL,
	"tier" text NOT NULL,
	"segment" text NOT NULL,
	"arm" text NOT NULL,
	"final_at" timestamp with time zone NOT NULL,
	"window_days" integer NOT NULL,
	"assigned" bigint NOT NULL,
	"contaminated" bigint NOT NULL,
	"returned" bigint NOT NULL,
	"recalled" bigint NOT NULL,
	"active_7" bigint NOT NULL,
	"active_30" bigint NOT NULL,
	"active_90" bigint NOT NULL,
	"orders_30" bigint NOT NULL,
	"full_price_30" bigint NOT NULL,
	"full_price_buyers_30" bigint NOT NULL,
	"opted_out" bigint NOT NULL,
	"complained" bigint NOT NULL,
	"uninstalled" bigint NOT NULL,
	"touches" bigint NOT NULL,
	"spend" bigint NOT NULL,
	"liability" bigint NOT NULL,
	"labour" bigint NOT NULL,
	"cost_squares" numeric NOT NULL,
	"cost_recalls" bigint NOT NULL,
	"unpaid_squares" numeric NOT NULL,
	"unpaid_recalls" bigint NOT NULL,
	"before" bigint NOT NULL,
	"before_squares" bigint NOT NULL,
	"before_recalls" bigint NOT NULL,
	"persons" bigint NOT NULL,
	"same_x" bigint NOT NULL,
	"same_y" bigint NOT NULL,
	"same_xy" bigint NOT NULL,
	"same_yy" bigint NOT NULL,
	"other_x" bigint NOT NULL,
	"other_y" bigint NOT NULL,
	"other_xy" bigint NOT NULL,
	"other_yy" bigint NOT NULL,
	CONSTRAINT "report_people_pk" PRIMARY KEY("campaign","day","version","tier","segment","arm")
);
--> statement-breakpoint
CREATE TABLE "report_recalls" (
	"campaign" text NOT NULL,
	"day" date NOT NULL,
	"tier" text NOT NULL,
	"arm" text NOT NULL,
	"age" smallint NOT NULL,
	"recalls" bigint NOT NULL,
	CONSTRAINT "report_recalls_pk" PRIMARY KEY("campaign","day","tier","arm","age")
);
--> statement-breakpoint
CREATE TABLE "report_stages" (
	"campaign" text NOT NULL,
	"day" date NOT NULL,
	"tier" text NOT NULL,
	"arm" text NOT NULL,
	"final_at" timestamp with time zone NOT NULL,
	"assigned" bigint NOT NULL,
	"contaminated" bigint NOT NULL,
	"recalled" bigint NOT NULL,
	"spend" bigint NOT NULL,
	"liability" bigint NOT NULL,
	"labour" bigint NOT NULL,
	"cost_squares" numeric NOT NULL,
	"cost_recalls" bigint NOT NULL,
	"unpaid_squares" numeric NOT NULL,
	"unpaid_recalls" bigint NOT NULL,
	CONSTRAINT "report_stages_pk" PRIMARY KEY("campaign","day","tier","arm")
);
--> statement-breakpoint
CREATE TABLE "report_funnel" (
	"campaign" text NOT NULL,
	"day" date NOT NULL,
	"arm" text NOT NULL,
	"answer" text NOT NULL,
	"reason" text NOT NULL,
	"people" bigint NOT NULL,
	"delivered" bigint NOT NULL,
	"clicked" bigint NOT NULL,
	"returned" bigint NOT NULL,
	"recalled" bigint NOT NULL,
	"redeemed" bigint NOT NULL,
	CONSTRAINT "report_funnel_pk" PRIMARY KEY("campaign","day","arm","answer","reason")
);
--> statement-breakpoint
CREATE TABLE "report_messages" (
	"campaign" text NOT NULL,
	"day" date NOT NULL,
	"sent_on" date NOT NULL,
	"step_id" integer NOT NULL,
	"channel" text NOT NULL,
	"domain" text NOT NULL,
	"state" text NOT NULL,
	"reason" text NOT NULL,
	"messages" bigint NOT NULL,
	"delivered" bigint NOT NULL,
	"opened" bigint NOT NULL,
	"clicked" bigint NOT NULL,
	"bounced" bigint NOT NULL,
	"complained" bigint NOT NULL,
	"recalled" bigint NOT NULL,
	"latency" bigint NOT NULL,
	"late" bigint NOT NULL,
	CONSTRAINT "report_messages_pk" PRIMARY KEY("campaign","day","sent_on","step_id","channel","domain","state","reason")
);
--> statement-breakpoint
CREATE TABLE "report_errors" (
	"campaign" text NOT NULL,
	"day" date NOT NULL,
	"sent_on" date NOT NULL,
	"channel" text NOT NULL,
	"reason" text NOT NULL,
	"detail" text NOT NULL,
	"messages" bigint NOT NULL,
	CONSTRAINT "report_errors_pk" PRIMARY KEY("campaign","day","sent_on","channel","reason","detail")
);
--> statement-breakpoint
CREATE TABLE "report_costs" (
	"campaign" text NOT NULL,
	"day" date NOT NULL,
	"booked_on" date NOT NULL,
	"step_id" integer NOT NULL,
	"channel" text NOT NULL,
	"kind" text NOT NULL,
	"amount" bigint NOT NULL,
	CONSTRAINT "report_costs_pk" PRIMARY KEY("campaign","day","booked_on","step_id","channel","kind")
);
--> statement-breakpoint
CREATE INDEX "episodes_cohort" ON "episodes" USING btree ("campaign","assigned_at");
--> statement-breakpoint
-- Days whose figures changed after they were thought to be over: rolled up again. The log has no key, so that two
-- transactions never wait for each other here; a day named twice is rolled up once.
CREATE FUNCTION mark_report_episodes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO report_dirty (campaign, day)
  SELECT DISTINCT campaign, (assigned_at AT TIME ZONE 'UTC')::date FROM changed;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER report_episodes_opened AFTER INSERT ON "episodes" REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION mark_report_episodes();
--> statement-breakpoint
CREATE FUNCTION mark_report_messages() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO report_dirty (campaign, day)
  SELECT DISTINCT e.campaign, (e.assigned_at AT TIME ZONE 'UTC')::date
  FROM changed c
  -- By key, row by row: the planner takes a transition table for a thousand rows and would read all episodes.
  CROSS JOIN LATERAL (SELECT r.contact_id, r.episode_id FROM touchpoint_records r
    WHERE r.contact_id = c.contact_id AND r.touchpoint_id = c.touchpoint_id OFFSET 0) r
  CROSS JOIN LATERAL (SELECT e.campaign, e.assigned_at, e.ended_at FROM episodes e
    WHERE e.contact_id = r.contact_id AND e.episode_id = r.episode_id OFFSET 0) e
  WHERE e.ended_at IS NOT NULL;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER report_events_added AFTER INSERT ON "delivery_events" REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION mark_report_messages();
--> statement-breakpoint
CREATE TABLE "report_offers" (
	"campaign" text NOT NULL,
	"day" date NOT NULL,
	"offer" text NOT NULL,
	"kind" text NOT NULL,
	"tier" text NOT NULL,
	"segment" text NOT NULL,
	"granted" bigint NOT NULL,
	"redeemed" bigint NOT NULL,
	"expired" bigint NOT NULL,
	"outstanding" bigint NOT NULL,
	"face" bigint NOT NULL,
	"value" bigint NOT NULL,
	CONSTRAINT "report_offers_pk" PRIMARY KEY("campaign","day","offer","kind","tier","segment")
);
--> statement-breakpoint
CREATE FUNCTION mark_report_grants() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO report_dirty (campaign, day)
  SELECT DISTINCT e.campaign, (e.assigned_at AT TIME ZONE 'UTC')::date
  FROM changed c CROSS JOIN LATERAL (SELECT e.campaign, e.assigned_at, e.ended_at FROM episodes e
    WHERE e.contact_id = c.contact_id AND e.episode_id = c.episode_id OFFSET 0) e
  WHERE e.ended_at IS NOT NULL;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER report_grants_changed AFTER UPDATE ON "grants" REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION mark_report_grants();
--> statement-breakpoint
CREATE TABLE "digests" (
	"scheduled_for" timestamp with time zone PRIMARY KEY NOT NULL,
	"state" text NOT NULL,
	"note" text,
	"sent_at" timestamp with time zone NOT NULL,
	CONSTRAINT "digests_state" CHECK ("digests"."state" IN ('sending', 'sent', 'failed'))
);
