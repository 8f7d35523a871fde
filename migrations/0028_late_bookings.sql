-- What became of a send may be known, and a call made, after its episode has ended: its day is counted again. Neither
-- trigger runs as a batch is settled: records are changed afterwards alone, and labour is booked call by call.
CREATE TRIGGER report_records_amended AFTER UPDATE ON "touchpoint_records" REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION mark_report_messages();
--> statement-breakpoint
CREATE FUNCTION mark_report_labour() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO report_dirty (campaign, day)
  SELECT e.campaign, (e.assigned_at AT TIME ZONE 'UTC')::date FROM episodes e
  WHERE e.contact_id = NEW.contact_id AND e.episode_id = NEW.episode_id AND e.ended_at IS NOT NULL;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER report_labour_booked AFTER INSERT ON "ledger"
  FOR EACH ROW WHEN (NEW.kind = 'labour') EXECUTE FUNCTION mark_report_labour();
