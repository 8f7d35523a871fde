import { type SQL, sql } from 'drizzle-orm'
import type { CampaignBook } from '../config/compiled.ts'
import type { EventName } from '../config/event-names.ts'
import { execute, rows, type Transaction } from '../database/connect.ts'

// What comes in late about lapses that have ended. Reports know that of a day more activities or orders are there than when
// they counted it; of what the feed does not count they have to be told.

/** What reports look at whatever the goals are: what was paid back, and who took the app off. */
const WATCHED: readonly EventName[] = ['order_refunded', 'uninstalled']

/**
 * Has the days of ended lapses counted again whose window a new event lies in, where it is one that reports look at and the
 * feed does not count. From the temp table `new_activity(contact_id, occurred_at, type, value)`, which ingest has just
 * filled. What happens now lies in no window that is over, and marks nothing.
 * @param counted event types that the feed counts
 */
export async function markLate(
  tx: Transaction,
  { book, counted }: { readonly book: CampaignBook; readonly counted: readonly string[] },
): Promise<void> {
  const late = sql`new_activity n CROSS JOIN LATERAL (
      SELECT e.contact_id, e.campaign, e.version, e.assigned_at FROM episodes e
      WHERE e.contact_id = n.contact_id AND e.ended_at IS NOT NULL AND e.arm <> 'seed' AND n.occurred_at > e.assigned_at
        -- A tier's own window, and that of its variants, begins as it is entered.
        AND (n.occurred_at <= e.window_ends_at OR EXISTS (SELECT FROM stages s
          WHERE s.contact_id = e.contact_id AND s.episode_id = e.episode_id AND n.occurred_at > s.entered_at
            AND n.occurred_at <= s.entered_at + (e.window_ends_at - e.assigned_at)))
      OFFSET 0) e`
  const found = await rows<{ campaign: string; version: number; type: string }>(
    tx,
    sql`SELECT DISTINCT e.campaign, e.version, n.type FROM ${late}
      WHERE n.type <> ALL (${sql.param([...counted])}::text[])`,
  )
  const watched: SQL[] = []
  for (const { campaign, version, type } of found) {
    const { goals = {} } = (await book.text(campaign, version)).definition
    const looked = [...WATCHED, ...Object.values(goals).map(({ event }) => event)]
    if (looked.includes(type)) watched.push(sql`(${campaign}::text, ${version}::int, ${type}::text)`)
  }
  if (watched.length === 0) return
  await execute(
    tx,
    sql`INSERT INTO report_dirty (campaign, day)
      SELECT DISTINCT l.campaign, l.day FROM ${late}
      JOIN (VALUES ${sql.join(watched, sql`, `)}) AS w(campaign, version, type)
        ON (w.campaign, w.version, w.type) = (e.campaign, e.version, n.type)
      CROSS JOIN LATERAL later_lapse_days(e.contact_id, e.campaign, e.assigned_at) l`,
  )
}
