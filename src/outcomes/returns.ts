import { type SQL, sql } from 'drizzle-orm'
import type { CampaignBook } from '../config/compiled.ts'
import { execute, rows, type Transaction } from '../database/connect.ts'
import { cancel } from '../touchpoints/lifecycle.ts'

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
 * - Any activity after `lapsed_at` silences: the contact was not as lost as the selection thought, even where the
 *   event is older than the assignment and only arrives now.
 * - The return is the first activity after `assigned_at`, the recall of a goal the first such event within the
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
  const keys = sql`unnest(${sql.param(touched.map((row) => row.contactId))}::bigint[],
    ${sql.param(touched.map((row) => row.episodeId))}::bigint[]) AS k(contact_id, episode_id)`
  await silenceReturned(tx, now, keys, dependencies.activityTypes)
  await recordRecalls(tx, keys, await goalTable(dependencies.book, touched))
  await cancel(tx, {
    which: sql`(t.contact_id, t.episode_id) IN (
      SELECT e.contact_id, e.episode_id FROM ${keys} JOIN episodes e USING (contact_id, episode_id)
      WHERE e.silenced_by = 'returned')`,
    reason: 'returned',
    now,
  })
}

async function silenceReturned(
  tx: Transaction,
  now: Date,
  keys: SQL,
  types: readonly string[],
): Promise<void> {
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
      FROM ${keys} JOIN episodes o USING (contact_id, episode_id)
      JOIN new_activity n ON n.contact_id = o.contact_id AND n.occurred_at > o.lapsed_at
        AND n.type = ANY (${sql.param(types)}::text[])
      GROUP BY o.contact_id, o.episode_id
    ) news
    WHERE e.contact_id = news.contact_id AND e.episode_id = news.episode_id`,
  )
}

async function recordRecalls(tx: Transaction, keys: SQL, goals: SQL): Promise<void> {
  await execute(
    tx,
    sql`
    INSERT INTO recalls AS r (contact_id, episode_id, goal_no, recalled_at, value)
    SELECT DISTINCT ON (e.contact_id, e.episode_id, g.goal_no)
      e.contact_id, e.episode_id, g.goal_no, n.occurred_at, n.value
    FROM ${keys} JOIN episodes e USING (contact_id, episode_id)
    JOIN ${goals} ON g.campaign = e.campaign AND g.version = e.version
    JOIN new_activity n ON n.contact_id = e.contact_id AND n.type = g.event
      AND n.occurred_at > e.assigned_at AND n.occurred_at <= e.window_ends_at
    ORDER BY e.contact_id, e.episode_id, g.goal_no, n.occurred_at
    ON CONFLICT (contact_id, episode_id, goal_no) DO UPDATE
      SET recalled_at = excluded.recalled_at, value = excluded.value
      WHERE excluded.recalled_at < r.recalled_at`,
  )
}

/** The goals of the versions at hand as a table `g(campaign, version, goal_no, event)`. */
async function goalTable(book: CampaignBook, touched: readonly Touched[]): Promise<SQL> {
  const versions = new Map(touched.map((row) => [`${row.campaign} ${row.version}`, row]))
  const values: SQL[] = []
  for (const { campaign, version } of versions.values()) {
    const { definition } = await book.campaign(campaign, version)
    for (const [goalNo, goal] of Object.values(definition.goals).entries()) {
      values.push(sql`(${campaign}::text, ${version}::int, ${goalNo}::smallint, ${goal.event}::text)`)
    }
  }
  return sql`(VALUES ${sql.join(values, sql`, `)}) AS g(campaign, version, goal_no, event)`
}
