-- Several lapses of one person are one cluster. What its variance asks for beside the sums of heads are products of two
-- lapses of a person; they were kept of recalls alone, and by contact.
CREATE TABLE "report_repeats" (
	"campaign" text NOT NULL,
	"day" date NOT NULL,
	"earlier" date NOT NULL,
	"unit" text NOT NULL,
	"tier" text NOT NULL,
	"arm" text NOT NULL,
	"earlier_arm" text NOT NULL,
	"final_at" timestamp with time zone NOT NULL,
	"next" bigint NOT NULL,
	"nn" numeric NOT NULL,
	"ny" numeric NOT NULL,
	"nc" numeric NOT NULL,
	"nu" numeric NOT NULL,
	"nm" numeric NOT NULL,
	"yn" numeric NOT NULL,
	"yy" numeric NOT NULL,
	"yc" numeric NOT NULL,
	"yu" numeric NOT NULL,
	"ym" numeric NOT NULL,
	"cn" numeric NOT NULL,
	"cy" numeric NOT NULL,
	"cc" numeric NOT NULL,
	"cm" numeric NOT NULL,
	"un" numeric NOT NULL,
	"uy" numeric NOT NULL,
	"uu" numeric NOT NULL,
	"um" numeric NOT NULL,
	"mn" numeric NOT NULL,
	"my" numeric NOT NULL,
	"mc" numeric NOT NULL,
	"mu" numeric NOT NULL,
	"mm" numeric NOT NULL,
	CONSTRAINT "report_repeats_pk" PRIMARY KEY("campaign","day","earlier","unit","tier","arm","earlier_arm")
);
--> statement-breakpoint
INSERT INTO "report_dirty" ("campaign", "day")
SELECT DISTINCT "campaign", (assigned_at AT TIME ZONE 'UTC')::date FROM "episodes" WHERE "episode_no" > 1;
--> statement-breakpoint
ALTER TABLE "report_people" DROP COLUMN "persons",
	DROP COLUMN "same_x",
	DROP COLUMN "same_y",
	DROP COLUMN "same_xy",
	DROP COLUMN "same_yy",
	DROP COLUMN "other_x",
	DROP COLUMN "other_y",
	DROP COLUMN "other_xy",
	DROP COLUMN "other_yy";
--> statement-breakpoint
-- What changes an episode's figures changes the products that later ones of the same person have with it.
CREATE FUNCTION later_lapse_days(contact bigint, of_campaign text, since timestamp with time zone) RETURNS SETOF report_dirty
LANGUAGE sql STABLE AS $$
  SELECT DISTINCT of_campaign, (l.assigned_at AT TIME ZONE 'UTC')::date
  -- By contact each: without statistics the planner would rather read all that the campaign ever opened.
  FROM (SELECT contact AS contact_id
        UNION SELECT o.contact_id FROM (SELECT c.person_id FROM contacts c WHERE c.contact_id = contact OFFSET 0) me
        CROSS JOIN LATERAL (SELECT c.contact_id FROM contacts c WHERE c.person_id = me.person_id OFFSET 0) o) who
  CROSS JOIN LATERAL (SELECT e.campaign, e.assigned_at FROM episodes e WHERE e.contact_id = who.contact_id OFFSET 0) l
  WHERE l.campaign = of_campaign AND l.assigned_at >= since
$$;
--> statement-breakpoint
CREATE OR REPLACE FUNCTION mark_report_messages() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO report_dirty (campaign, day)
  SELECT DISTINCT l.campaign, l.day
  FROM changed c
  -- By key, row by row: the planner takes a transition table for a thousand rows and would read all episodes.
  CROSS JOIN LATERAL (SELECT r.contact_id, r.episode_id FROM touchpoint_records r
    WHERE r.contact_id = c.contact_id AND r.touchpoint_id = c.touchpoint_id OFFSET 0) r
  CROSS JOIN LATERAL (SELECT e.contact_id, e.campaign, e.assigned_at FROM episodes e
    WHERE e.contact_id = r.contact_id AND e.episode_id = r.episode_id AND e.ended_at IS NOT NULL OFFSET 0) e
  CROSS JOIN LATERAL later_lapse_days(e.contact_id, e.campaign, e.assigned_at) l;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE OR REPLACE FUNCTION mark_report_grants() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO report_dirty (campaign, day)
  SELECT DISTINCT l.campaign, l.day
  FROM changed c
  CROSS JOIN LATERAL (SELECT e.contact_id, e.campaign, e.assigned_at FROM episodes e
    WHERE e.contact_id = c.contact_id AND e.episode_id = c.episode_id AND e.ended_at IS NOT NULL OFFSET 0) e
  CROSS JOIN LATERAL later_lapse_days(e.contact_id, e.campaign, e.assigned_at) l;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE OR REPLACE FUNCTION mark_report_labour() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO report_dirty (campaign, day)
  SELECT l.campaign, l.day
  FROM (SELECT e.contact_id, e.campaign, e.assigned_at FROM episodes e
    WHERE e.contact_id = NEW.contact_id AND e.episode_id = NEW.episode_id AND e.ended_at IS NOT NULL OFFSET 0) e
  CROSS JOIN LATERAL later_lapse_days(e.contact_id, e.campaign, e.assigned_at) l;
  RETURN NULL;
END $$;
