import { type SQL, sql } from 'drizzle-orm'
import { type Database, rows } from '../database/connect.ts'
import { left, painter, right, table } from '../reports/layout.ts'
import type { TextStyle } from '../reports/report.ts'
import { reports } from '../reports/reports.ts'
import type { TimelineEntry } from '../reports/timeline/timeline.ts'
import { speechOf } from '../reports/words.ts'
import { readStory } from '../service/reporting.ts'
import type { Runtime } from '../service/runtime.ts'

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

interface ChannelRow {
  readonly channel: string
  readonly sent: number
  readonly delivered: number
  readonly clicked: number
  readonly failed: number
}

function told(kind: string): SQL {
  return sql`EXISTS (SELECT FROM delivery_events e
    WHERE e.contact_id = r.contact_id AND e.touchpoint_id = r.touchpoint_id AND e.kind = ${kind})`
}

/** How much went out by each channel, and what providers said of it. */
export async function formatChannels(database: Database, color: boolean): Promise<string> {
  const found = await rows<ChannelRow>(
    database,
    sql`SELECT r.channel, count(*) FILTER (WHERE r.state = 'sent') AS sent, count(*) FILTER (WHERE r.state = 'failed') AS failed,
          count(*) FILTER (WHERE r.state = 'sent' AND ${told('delivered')}) AS delivered,
          count(*) FILTER (WHERE r.state = 'sent' AND ${told('clicked')}) AS clicked
        FROM touchpoint_records r WHERE r.channel IS NOT NULL AND r.state IN ('sent', 'failed', 'uncertain')
        GROUP BY r.channel ORDER BY 2 DESC`,
  )
  const paint = painter(color)
  const { channel } = speechOf({ locale: 'en' })
  const figure = (value: number) => value.toLocaleString('en')
  return [
    paint.strong('By which channel, and what became of it'),
    ...table(
      ['channel', 'sent', 'delivered, said the provider', 'clicked', 'refused'].map((title, no) =>
        no === 0 ? left(title) : right(title),
      ),
      found.map((row) => [
        channel(row.channel),
        figure(row.sent),
        row.delivered === 0 ? '–' : figure(row.delivered),
        row.clicked === 0 ? '–' : figure(row.clicked),
        figure(row.failed),
      ]),
      paint,
    ),
    paint.faint(
      '  Refused: mailboxes, numbers and apps that are nobody’s. Mail, push and webhook report no delivery here.',
    ),
  ].join('\n')
}

/** What a message led to, beside the messages themselves. */
const TOLD: readonly TimelineEntry['kind'][] = ['opened', 'call', 'attempt', 'shown', 'returned', 'recalled']

/** The contact's story as of `now`, less what is not about their messages. */
export async function formatMessages(
  runtime: Pick<Runtime, 'database' | 'book' | 'workspace'>,
  question: { readonly externalId: string; readonly now: Date },
  style: TextStyle,
): Promise<string> {
  const timeline = await readStory(runtime, question)
  const entries = timeline.entries.filter(
    (entry) => TOLD.includes(entry.kind) || (entry.kind === 'settled' && entry.state === 'sent'),
  )
  return reports.timeline.format({ ...timeline, entries }, style)
}
