import { sql } from 'drizzle-orm'
import { type Database, rows } from '../database/connect.ts'
import type { TextStyle } from '../reports/report.ts'
import { reports } from '../reports/reports.ts'
import type { Entry } from '../reports/timeline.ts'

// One person of the demo, and what they got: the ladder as its recipient sees it.

/** Who got messages on most channels, and of those most messages; undefined where nobody got any. */
export async function findRecipient(database: Database): Promise<string | undefined> {
  const [found] = await rows<{ externalId: string }>(
    database,
    sql`SELECT c.external_id AS "externalId" FROM touchpoint_records r JOIN contacts c USING (contact_id)
        WHERE r.state = 'sent' GROUP BY c.contact_id, c.external_id
        ORDER BY count(DISTINCT r.channel) DESC, count(*) DESC, c.contact_id LIMIT 1`,
  )
  return found?.externalId
}

/** What a message led to, beside the messages themselves. */
const TOLD: readonly Entry['kind'][] = ['opened', 'call', 'attempt', 'shown', 'returned', 'recalled']

/** The contact's story as of `now`, less what is not about their messages. */
export async function formatMessages(
  database: Database,
  question: { readonly externalId: string; readonly now: Date },
  style: TextStyle,
): Promise<string> {
  const timeline = await reports.timeline.read(database, question)
  const entries = timeline.entries.filter(
    (entry) => TOLD.includes(entry.kind) || (entry.kind === 'settled' && entry.state === 'sent'),
  )
  return reports.timeline.format({ ...timeline, entries }, style)
}
