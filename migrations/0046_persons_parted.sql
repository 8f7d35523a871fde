-- Whose lapse it is was looked up by whom a contact is one person with today: of two that have parted since, either lapse
-- counted as the first of its person, and neither as the other's neighbour, once the day was counted again.
CREATE INDEX "episodes_person" ON "episodes" ("person_id");
--> statement-breakpoint
CREATE OR REPLACE FUNCTION later_lapse_days(contact bigint, of_campaign text, since timestamp with time zone) RETURNS SETOF report_dirty
LANGUAGE sql STABLE AS $$
  SELECT DISTINCT of_campaign, (l.assigned_at AT TIME ZONE 'UTC')::date
  -- By key each: without statistics the planner would rather read all that the campaign ever opened.
  FROM (SELECT DISTINCT e.person_id FROM episodes e WHERE e.contact_id = contact OFFSET 0) was
  CROSS JOIN LATERAL (
    SELECT e.campaign, e.assigned_at FROM episodes e WHERE e.contact_id = contact
    UNION ALL SELECT e.campaign, e.assigned_at FROM episodes e WHERE e.person_id = was.person_id OFFSET 0
  ) l
  WHERE l.campaign = of_campaign AND l.assigned_at >= since
$$;
--> statement-breakpoint
INSERT INTO "report_dirty" ("campaign", "day")
SELECT DISTINCT e.campaign, (e.assigned_at AT TIME ZONE 'UTC')::date FROM "episodes" e
WHERE e.person_id IN (SELECT f.person_id FROM "episodes" f JOIN "contacts" c USING (contact_id) WHERE c.person_id <> f.person_id);
