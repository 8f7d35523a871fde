-- The same edges as before (0001), read without calling a function for each row and each change: that was a twentieth of
-- what a message takes of PostgreSQL. What has no edge fails as before, and its statement with it.
DROP TRIGGER "touchpoint_edge" ON "touchpoints";
--> statement-breakpoint
CREATE OR REPLACE FUNCTION "touchpoint_edge"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'touchpoint %: no edge from % to %', OLD.touchpoint_id, OLD.state, NEW.state
    USING ERRCODE = 'check_violation';
END $$;
--> statement-breakpoint
-- To `planned` from anywhere; and a state may stay what it is. After the row: before it, PostgreSQL would lock it again.
CREATE TRIGGER "touchpoint_edge" AFTER UPDATE ON "touchpoints"
  FOR EACH ROW WHEN (CASE NEW.state
    WHEN 'queued' THEN OLD.state NOT IN ('planned', 'queued')
    WHEN 'claimed' THEN OLD.state NOT IN ('queued', 'claimed')
    WHEN 'sending' THEN OLD.state NOT IN ('claimed', 'sending')
    ELSE false
  END) EXECUTE FUNCTION "touchpoint_edge"();
