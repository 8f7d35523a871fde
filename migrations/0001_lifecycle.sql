-- The touchpoint life-cycle as edges. A net under the code, not the mechanism: every writer already says which
-- state it moves from. (Distributed PostgreSQL may not offer triggers; dropping this one loses no rule.)
CREATE FUNCTION "touchpoint_edge"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.state, NEW.state) IN (
    ('planned', 'queued'), ('queued', 'claimed'), ('claimed', 'sending'),
    ('queued', 'planned'), ('claimed', 'planned'), ('sending', 'planned')
  ) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'touchpoint %: no edge from % to %', OLD.touchpoint_id, OLD.state, NEW.state
    USING ERRCODE = 'check_violation';
END $$;
--> statement-breakpoint
CREATE TRIGGER "touchpoint_edge" BEFORE UPDATE ON "touchpoints"
  FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION "touchpoint_edge"();
--> statement-breakpoint
CREATE FUNCTION "touchpoint_birth"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'touchpoint %: born %, not planned', NEW.touchpoint_id, NEW.state USING ERRCODE = 'check_violation';
END $$;
--> statement-breakpoint
CREATE TRIGGER "touchpoint_birth" BEFORE INSERT ON "touchpoints"
  FOR EACH ROW WHEN (NEW.state <> 'planned') EXECUTE FUNCTION "touchpoint_birth"();
