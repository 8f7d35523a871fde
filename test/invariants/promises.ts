import { type SQL, sql } from 'drizzle-orm'
import { ON_RETURN } from '../../src/config/campaign.ts'
import { type Database, execute, rows, type Session } from '../../src/database/connect.ts'

// The numbered promises of docs/domain.md as far as rows can tell, for whatever has just been done to them: a story of
// the model, a property, or ten minutes of everything at once. Each question names those who break it.

/** Every touchpoint once, at work or settled. */
const TOUCHES = sql`(SELECT contact_id, touchpoint_id, episode_id, step_id FROM touchpoints
  UNION SELECT contact_id, touchpoint_id, episode_id, step_id FROM touchpoint_records)`

/** What ought to be there: each step of each treated stage, and each step a return has released. */
const WANTED = sql`(SELECT s.contact_id, s.episode_id, p.step_id
    FROM stages s JOIN episodes e USING (contact_id, episode_id)
    JOIN steps p ON p.campaign = e.campaign AND p.version = e.version AND p.tier_no = s.tier_no
    WHERE s.arm = 'treated' AND p.tier <> ${ON_RETURN}::text
  UNION ALL SELECT e.contact_id, e.episode_id, p.step_id
    FROM episodes e JOIN steps p ON p.campaign = e.campaign AND p.version = e.version AND p.tier = ${ON_RETURN}::text
    WHERE e.released_at IS NOT NULL)`

const questions = (now: Date): Readonly<Record<string, SQL>> => ({
  'I1 once: a step of an episode has several touchpoints': sql`
    SELECT contact_id, episode_id, step_id FROM ${TOUCHES} t GROUP BY 1, 2, 3 HAVING count(*) > 1`,
  // What is settled is not at work either. A doubt that was cleared up has its record amended, not a second one.
  'I1 once: a touchpoint ended several times': sql`
    SELECT contact_id, touchpoint_id FROM (
      SELECT contact_id, touchpoint_id FROM touchpoint_records
      UNION ALL SELECT contact_id, touchpoint_id FROM touchpoints) t GROUP BY 1, 2 HAVING count(*) > 1`,
  'I2 reconciled: the runs opened as many as there are': sql`
    SELECT opened, episodes FROM (SELECT
      (SELECT coalesce(sum(contacts), 0) FROM run_answers WHERE answer = 'opened') AS opened,
      (SELECT count(*) FROM episodes WHERE arm IN ('treated', 'holdout', 'control')) AS episodes) n
    WHERE opened <> episodes`,
  'I2 reconciled: a step of a treated stage has no touchpoint': sql`
    SELECT * FROM ${WANTED} w EXCEPT SELECT contact_id, episode_id, step_id FROM ${TOUCHES} t`,
  'I2 reconciled: a touchpoint belongs to no treated stage': sql`
    SELECT contact_id, episode_id, step_id FROM ${TOUCHES} t EXCEPT SELECT * FROM ${WANTED} w`,
  'I3 held out means untouched': sql`
    SELECT t.contact_id, t.episode_id, p.tier_no FROM ${TOUCHES} t JOIN steps p USING (step_id)
      JOIN stages s USING (contact_id, episode_id)
      WHERE s.tier_no = p.tier_no AND s.arm <> 'treated'
    UNION ALL SELECT e.contact_id, e.episode_id, 0 FROM episodes e WHERE e.arm <> 'treated' AND (
      EXISTS (SELECT FROM grants g WHERE g.contact_id = e.contact_id AND g.episode_id = e.episode_id)
      OR EXISTS (SELECT FROM calls c WHERE c.contact_id = e.contact_id AND c.episode_id = e.episode_id)
      OR EXISTS (SELECT FROM inapp_messages m WHERE m.contact_id = e.contact_id AND m.episode_id = e.episode_id))`,
  // Only who was contacted, and came back, is greeted.
  'I3 held out means not greeted': sql`
    SELECT e.contact_id, e.episode_id, e.arm, e.returned_at FROM episodes e WHERE e.released_at IS NOT NULL
      AND (e.arm <> 'treated' OR e.returned_at IS NULL OR EXISTS (SELECT FROM stages s
        WHERE s.contact_id = e.contact_id AND s.episode_id = e.episode_id AND s.arm <> 'treated'))`,
  // By who is a person now: the later ones of those who were merged have fallen silent.
  'one episode a person, in a campaign and in a group': sql`
    SELECT c.person_id, one, count(*) FROM episodes e JOIN contacts c USING (contact_id)
      CROSS JOIN LATERAL (VALUES ('campaign ' || e.campaign), ('group ' || e.exclusive)) AS of(one)
      WHERE e.ended_at IS NULL AND e.outcome_until > ${now} AND e.silenced_at IS NULL AND e.arm <> 'seed'
      GROUP BY c.person_id, one HAVING count(*) > 1`,
  // What is under way, or came back from it, may still be there; what never was may not.
  'I4 returned means silent': sql`
    SELECT t.contact_id, t.touchpoint_id, t.state FROM touchpoints t JOIN episodes e USING (contact_id, episode_id)
    JOIN steps p USING (step_id)
    WHERE e.silenced_at IS NOT NULL AND p.tier <> ${ON_RETURN}::text AND t.state <> 'sending' AND t.attempt = 0`,
  'I7 stock: what is taken is what was granted': sql`
    SELECT campaign, offer, s.taken, g.granted FROM offer_stocks s
    FULL JOIN (SELECT campaign, offer, count(*) AS granted FROM grants GROUP BY 1, 2) g USING (campaign, offer)
    WHERE coalesce(s.taken, 0) <> coalesce(g.granted, 0)`,
  'I7 stock: a code is two people’s': sql`
    SELECT code FROM grants WHERE code IS NOT NULL GROUP BY code HAVING count(*) > 1`,
})

/** What is broken of the promises, with the first rows that show it; nothing where all hold. One question to the server. */
export async function brokenPromises(session: Session, now: Date): Promise<string[]> {
  const asked = Object.entries(questions(now)).map(
    ([promise, question]) => sql`SELECT ${promise}::text AS promise, to_jsonb(broken) AS row
      FROM (SELECT * FROM (${question}) question LIMIT 5) broken`,
  )
  const found = await rows<{ promise: string; row: unknown }>(session, sql.join(asked, sql` UNION ALL `))
  return found.map(({ promise, row }) => `${promise}: ${JSON.stringify(row)}`)
}

/**
 * I4 at the very moment of the marking: a trigger looks, with a snapshot of its own, whether the return is committed
 * already, and the marking fails where it is.
 */
export async function heedReturns(database: Database): Promise<void> {
  await execute(
    database,
    sql`CREATE OR REPLACE FUNCTION heed_returns() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF EXISTS (SELECT FROM episodes e WHERE e.contact_id = NEW.contact_id AND e.episode_id = NEW.episode_id
            AND e.silenced_at IS NOT NULL)
          AND NOT EXISTS (SELECT FROM steps s WHERE s.step_id = NEW.step_id AND s.tier = 'on_return') THEN
          RAISE EXCEPTION 'touchpoint % is being sent after its return', NEW.touchpoint_id;
        END IF;
        RETURN NEW;
      END $$`,
  )
  await execute(
    database,
    sql`CREATE TRIGGER heed_returns BEFORE UPDATE ON touchpoints FOR EACH ROW WHEN (NEW.state = 'sending' AND OLD.state <> 'sending')
      EXECUTE FUNCTION heed_returns()`,
  )
}

/** I11 at every change: an arm that was drawn and is written anew makes the change fail. */
export async function heedArms(database: Database): Promise<void> {
  await execute(
    database,
    sql`CREATE OR REPLACE FUNCTION heed_arms() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'an arm of episode % was drawn again', NEW.episode_id;
      END $$`,
  )
  for (const table of ['episodes', 'stages']) {
    await execute(
      database,
      sql`CREATE TRIGGER heed_arms BEFORE UPDATE OF arm ON ${sql.identifier(table)} FOR EACH ROW
        WHEN (NEW.arm <> OLD.arm) EXECUTE FUNCTION heed_arms()`,
    )
  }
}

/** I12: rows of any table of any schema (the queue's, too) in whose text, jsonb, array or bytea one of the words is. */
export async function findWords(session: Session, words: readonly string[]): Promise<string[]> {
  const tables = await rows<{ schema: string; table: string }>(
    session,
    sql`SELECT n.nspname AS schema, c.relname AS table FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
          AND n.nspname NOT LIKE 'pg_temp%' ORDER BY 1, 2`,
  )
  const found: string[] = []
  for (const { schema, table } of tables) {
    const hits = await rows<{ row: string }>(
      session,
      sql`SELECT t::text AS row FROM ${sql.identifier(schema)}.${sql.identifier(table)} t
          WHERE EXISTS (SELECT FROM unnest(${sql.param([...words])}::text[]) w WHERE strpos(lower(t::text), lower(w)) > 0)`,
    )
    found.push(...hits.map(({ row }) => `${schema}.${table}: ${row}`))
  }
  return found
}
