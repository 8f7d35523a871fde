-- Of which step a receipt is, by which channel it came and in which month its message lies: to count what went wrong within a week,
-- and to tell whose lapse it concerns, each was looked up in the tables of all months that are kept. A version that runs beside
-- this one writes none of them, and then it is looked up as before.
ALTER TABLE "delivery_events" ADD COLUMN "channel" text,
	ADD COLUMN "step_id" integer,
	ADD COLUMN "settled_at" timestamp with time zone;
--> statement-breakpoint
CREATE FUNCTION mark_report_receipts() RETURNS trigger LANGUAGE plpgsql
-- Planned once: then the months that do not matter are left out as it begins.
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  first timestamp with time zone;
  last timestamp with time zone;
BEGIN
  SELECT min(c.settled_at) - interval '1 second', max(c.settled_at) + interval '1 second' INTO first, last FROM changed c;
  IF EXISTS (SELECT FROM changed c WHERE c.step_id IS NULL) THEN
    first := '-infinity';
    last := 'infinity';
  END IF;
  -- What is under way has no record that could say whose it is.
  IF first IS NULL THEN
    RETURN NULL;
  END IF;
  INSERT INTO report_dirty (campaign, day)
  SELECT DISTINCT l.campaign, l.day
  FROM changed c
  -- By key, row by row: the planner takes a transition table for a thousand rows and would read all episodes.
  CROSS JOIN LATERAL (SELECT r.contact_id, r.episode_id FROM touchpoint_records r
    WHERE r.contact_id = c.contact_id AND r.touchpoint_id = c.touchpoint_id AND r.settled_at BETWEEN first AND last OFFSET 0) r
  CROSS JOIN LATERAL (SELECT e.contact_id, e.campaign, e.assigned_at FROM episodes e
    WHERE e.contact_id = r.contact_id AND e.episode_id = r.episode_id AND e.ended_at IS NOT NULL OFFSET 0) e
  CROSS JOIN LATERAL later_lapse_days(e.contact_id, e.campaign, e.assigned_at) l;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER report_events_added AFTER INSERT ON "delivery_events" REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION mark_report_receipts();
