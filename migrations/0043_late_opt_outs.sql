-- Lists of who opted out come when a window is long over, with the moments they speak of. A withdrawal is one anew or it is not
-- by what was decided before it, so any decision is told of the windows that end after it.
CREATE FUNCTION mark_report_consents() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO report_dirty (campaign, day)
  SELECT DISTINCT e.campaign, (e.assigned_at AT TIME ZONE 'UTC')::date
  FROM changed c
  -- By key, row by row: the planner takes a transition table for a thousand rows and would read all episodes.
  CROSS JOIN LATERAL (SELECT o.campaign, o.assigned_at FROM episodes o
    WHERE o.contact_id = c.contact_id AND o.ended_at IS NOT NULL AND c.decided_at <= o.window_ends_at OFFSET 0) e;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER report_consents_told AFTER INSERT ON "consents" REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION mark_report_consents();
--> statement-breakpoint
CREATE FUNCTION mark_report_suppressions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO report_dirty (campaign, day)
  SELECT DISTINCT e.campaign, (e.assigned_at AT TIME ZONE 'UTC')::date
  FROM changed c
  CROSS JOIN LATERAL (
    SELECT t.contact_id FROM contacts t WHERE c.kind = 'email' AND t.email_key = c.key
    UNION ALL SELECT t.contact_id FROM contacts t WHERE c.kind = 'phone' AND t.phone_key = c.key OFFSET 0) who
  CROSS JOIN LATERAL (SELECT o.campaign, o.assigned_at FROM episodes o
    WHERE o.contact_id = who.contact_id AND o.ended_at IS NOT NULL
      AND c.suppressed_at > o.assigned_at AND c.suppressed_at <= o.window_ends_at OFFSET 0) e
  WHERE c.reason IN ('unsubscribe', 'complaint');
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER report_suppressions_told AFTER INSERT ON "suppressions" REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION mark_report_suppressions();
