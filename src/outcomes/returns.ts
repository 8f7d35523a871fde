import { type SQL, sql } from 'drizzle-orm'
import { ON_RETURN } from '../config/campaign.ts'
import type { CampaignBook, CompiledCampaign } from '../config/compiled.ts'
import { silencedByOf } from '../config/silenced-by.ts'
import { bigints } from '../database/arrays.ts'
import { execute, rows, type Transaction } from '../database/connect.ts'
import { WinbackError } from '../errors.ts'
import { cancel } from '../touchpoints/interruptions.ts'
import { closeCalls } from './calls.ts'

// What new activity means for open episodes: sending stops, the return and the recall are written down. Runs inside
// the transaction that records the activity, so that there is no moment at which a return is known and not heeded.

interface Touched {
  readonly contactId: number
  readonly episodeId: number
  readonly campaign: string
  readonly version: number
}

/**
 * Records returns and recalls for the new activity in the temp table `new_activity(contact_id, occurred_at, type,
 * value)`, which ingest has just filled.
 *
 * - Any activity after `lapsed_at` silences (the primary goal alone, where the campaign says `silenced_by: goal`): the
 *   contact was not as lost as the selection thought, even where the event is older than the assignment and only
 *   arrives now. Before a date that lies ahead it is the assignment that counts.
 * - The return is the first such event after `assigned_at`, the recall of a goal the first such event within the
 *   window: both are minima, so that late and out-of-order events end at the same answer.
 *
 * @param activityTypes event types that count as being active
 */
export async function recordReturns(
  tx: Transaction,
  now: Date,
  dependencies: { book: CampaignBook; activityTypes: readonly string[] },
): Promise<void> {
  const touched = await rows<Touched>(
    tx,
    sql`
    SELECT e.contact_id AS "contactId", e.episode_id AS "episodeId", e.campaign, e.version FROM episodes e
    WHERE e.ended_at IS NULL AND e.arm <> 'seed' AND e.contact_id IN (SELECT contact_id FROM new_activity)
    ORDER BY e.contact_id, e.episode_id FOR UPDATE OF e`,
  )
  if (touched.length === 0) return
  // Each looked up by its key: OFFSET 0 holds the planner to it. While its statistics are of before the returns, it takes
  // those who have returned for hardly any, and holds each of them against each key: 23 s a statement.
  const episodes = sql`unnest(${bigints(touched.map((row) => row.contactId))},
      ${bigints(touched.map((row) => row.episodeId))}) AS k(contact_id, episode_id)
    CROSS JOIN LATERAL (SELECT * FROM episodes o
      WHERE o.contact_id = k.contact_id AND o.episode_id = k.episode_id OFFSET 0) o`
  const versions = await versionsOf(dependencies.book, touched)
  await silenceReturned(tx, now, episodes, silencerTable(versions, dependencies.activityTypes))
  await recordRecalls(tx, episodes, goalTable(versions))
  const returned = sql`SELECT o.contact_id, o.episode_id FROM ${episodes} WHERE o.silenced_by = 'returned'`
  await cancel(tx, {
    which: sql`(t.contact_id, t.episode_id) IN (${returned}) AND NOT ${isReleased(sql`t.step_id`)}`,
    reason: 'returned',
    now,
  })
  await closeCalls(tx, now, {
    which: sql`(c.contact_id, c.episode_id) IN (${returned})`,
    by: 'returned',
    kinds: ['recall'],
  })
  await releaseSteps(tx, now, episodes, versions)
}

/** True of a step that the return releases: what silences the rest is what it waits for. */
export function isReleased(stepId: SQL): SQL {
  return sql`EXISTS (SELECT FROM steps s WHERE s.step_id = ${stepId} AND s.tier = ${ON_RETURN}::text)`
}

/**
 * Plans the steps that wait for the return, once an episode, in the transaction that records it. For the contacted
 * alone: whoever was held out, by the campaign or by a tier, would otherwise get of it what the measurement says they
 * get nothing of. Activity that silenced without being a return (it is older than the assignment) releases nothing.
 */
async function releaseSteps(
  tx: Transaction,
  now: Date,
  episodes: SQL,
  versions: readonly Heeded[],
): Promise<void> {
  const steps = versions.flatMap(({ name, version, onReturn }) =>
    onReturn.map((step) => sql`(${name}::text, ${version}::int, ${step.stepId}::int, ${step.after}::int)`),
  )
  if (steps.length === 0) return
  await execute(
    tx,
    sql`
    WITH plan(campaign, version, step_id, after) AS (VALUES ${sql.join(steps, sql`, `)}), released AS (
      UPDATE episodes e SET released_at = ${now} FROM (
        SELECT o.contact_id, o.episode_id FROM ${episodes}
        WHERE o.released_at IS NULL AND o.returned_at IS NOT NULL AND o.silenced_by = 'returned'
          AND o.arm = 'treated' AND NOT o.contaminated
          AND (o.campaign, o.version) IN (SELECT campaign, version FROM plan)
          AND NOT EXISTS (SELECT FROM stages s
            WHERE s.contact_id = o.contact_id AND s.episode_id = o.episode_id AND s.arm = 'holdout')
      ) due
      WHERE e.contact_id = due.contact_id AND e.episode_id = due.episode_id
      RETURNING e.contact_id, e.episode_id, e.campaign, e.version
    )
    INSERT INTO touchpoints (contact_id, episode_id, step_id, planned_for, due_at)
    SELECT r.contact_id, r.episode_id, p.step_id, at, at
    FROM released r JOIN plan p USING (campaign, version)
    CROSS JOIN LATERAL (SELECT ${now}::timestamptz + make_interval(secs => p.after) AS at) due`,
  )
}

async function silenceReturned(tx: Transaction, now: Date, episodes: SQL, silencers: SQL): Promise<void> {
  await execute(
    tx,
    sql`
    UPDATE episodes e SET
      silenced_at = coalesce(e.silenced_at, ${now}),
      silenced_by = coalesce(e.silenced_by, 'returned'),
      returned_at = least(e.returned_at, news.returned_at)
    FROM (
      SELECT o.contact_id, o.episode_id,
        min(n.occurred_at) FILTER (WHERE n.occurred_at > o.assigned_at) AS returned_at
      FROM ${episodes}
      JOIN ${silencers} ON s.campaign = o.campaign AND s.version = o.version
      JOIN new_activity n ON n.contact_id = o.contact_id AND n.occurred_at > least(o.lapsed_at, o.assigned_at)
        AND n.type = ANY (s.types)
      GROUP BY o.contact_id, o.episode_id
    ) news
    WHERE e.contact_id = news.contact_id AND e.episode_id = news.episode_id`,
  )
}

async function recordRecalls(tx: Transaction, episodes: SQL, goals: SQL): Promise<void> {
  await execute(
    tx,
    sql`
    INSERT INTO recalls AS r (contact_id, episode_id, goal_no, recalled_at, value)
    SELECT DISTINCT ON (o.contact_id, o.episode_id, g.goal_no)
      o.contact_id, o.episode_id, g.goal_no, n.occurred_at, n.value
    FROM ${episodes}
    JOIN ${goals} ON g.campaign = o.campaign AND g.version = o.version
    JOIN new_activity n ON n.contact_id = o.contact_id AND n.type = g.event
      AND n.occurred_at > o.assigned_at AND n.occurred_at <= o.window_ends_at
    ORDER BY o.contact_id, o.episode_id, g.goal_no, n.occurred_at
    ON CONFLICT (contact_id, episode_id, goal_no) DO UPDATE
      SET recalled_at = excluded.recalled_at, value = excluded.value
      WHERE excluded.recalled_at < r.recalled_at`,
  )
}

/** What of a version is heeded when somebody comes back. */
interface Heeded extends Pick<CompiledCampaign, 'name' | 'version' | 'silencedBy' | 'onReturn'> {
  /** The events that reach its goals, the primary first. */
  readonly goals: readonly string[]
}

async function versionsOf(book: CampaignBook, touched: readonly Touched[]): Promise<Heeded[]> {
  const versions = new Map(touched.map((row) => [`${row.campaign} ${row.version}`, row]))
  return Promise.all([...versions.values()].map((each) => heededOf(book, each)))
}

/**
 * Of a version that no longer compiles, what its text says: it must not turn away what others do, and whoever comes back
 * is written to no more. What the return releases waits for their next activity, with a Winback that reads it.
 */
async function heededOf(
  book: CampaignBook,
  { campaign: name, version }: Pick<Touched, 'campaign' | 'version'>,
): Promise<Heeded> {
  const eventsOf = (goals: CompiledCampaign['definition']['goals']) =>
    Object.values(goals).map(({ event }) => event)
  try {
    const { silencedBy, definition, onReturn } = await book.campaign(name, version)
    return { name, version, silencedBy, goals: eventsOf(definition.goals), onReturn }
  } catch (error) {
    if (!(error instanceof WinbackError)) throw error
    const { definition } = await book.text(name, version)
    const { goals } = definition
    // Without them nobody knows who was recalled, and nothing would say so.
    if (!goals) throw error
    return { name, version, silencedBy: silencedByOf(definition), goals: eventsOf(goals), onReturn: [] }
  }
}

/** What silences the versions at hand, as a table `s(campaign, version, types)`. */
function silencerTable(versions: readonly Heeded[], activityTypes: readonly string[]): SQL {
  const values = versions.map(({ name, version, silencedBy, goals: [goal] }) => {
    const types = silencedBy === 'activity' || goal === undefined ? activityTypes : [goal]
    return sql`(${name}::text, ${version}::int, ${sql.param([...types])}::text[])`
  })
  return sql`(VALUES ${sql.join(values, sql`, `)}) AS s(campaign, version, types)`
}

/** The goals of the versions at hand as a table `g(campaign, version, goal_no, event)`. */
function goalTable(versions: readonly Heeded[]): SQL {
  const values = versions.flatMap(({ name, version, goals }) =>
    goals.map((event, goalNo) => sql`(${name}::text, ${version}::int, ${goalNo}::smallint, ${event}::text)`),
  )
  return sql`(VALUES ${sql.join(values, sql`, `)}) AS g(campaign, version, goal_no, event)`
}
