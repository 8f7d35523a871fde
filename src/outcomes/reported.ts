import { type SQL, sql } from 'drizzle-orm'
import { preparedRows, type Transaction } from '../database/connect.ts'
import { keyTable, recordOf, type TouchpointKey } from '../touchpoints/keys.ts'

// The messages that receipts are about. Their records lie in a table a month, and no receipt says in which: were all of them
// looked into, each month that is kept would make each receipt slower, for ever.

/** A message of which a channel reports, and where it is known by. */
export interface Reported extends TouchpointKey {
  readonly stepId: number
  /** When it was settled; null while it is under way. */
  readonly settledAt: Date | null
}

/** A record of which it is known when it was settled. */
export interface Settled extends TouchpointKey {
  readonly settledAt: Date
}

/** Seconds within which nearly all that is reported of was settled: a month's table or two. */
const RECENT = 31 * 86_400

type Looked = Reported & { readonly ours: boolean | null }

/**
 * Which of the messages were given to the channel. What is reported of was mostly settled a few days ago: the months before
 * are looked into for what neither is under way nor was recorded lately.
 */
export async function findReported(
  tx: Transaction,
  now: Date,
  channel: string,
  messages: readonly TouchpointKey[],
): Promise<Reported[]> {
  const since = sql`${now}::timestamptz - make_interval(secs => ${RECENT})`
  const found = await look(tx, channel, messages, sql`r.settled_at >= ${since}`)
  const known = new Set(found.map(nameOf))
  const others = messages.filter((message) => !known.has(nameOf(message)))
  const older = others.length === 0 ? [] : await look(tx, channel, others, sql`r.settled_at < ${since}`)
  return [...found, ...older].filter(({ ours }) => ours)
}

/** A message's two ids, as one. */
export function nameOf({ contactId, touchpointId }: TouchpointKey): string {
  return `${contactId} ${touchpointId}`
}

async function look(
  tx: Transaction,
  channel: string,
  messages: readonly TouchpointKey[],
  when: SQL,
): Promise<Looked[]> {
  return await preparedRows<Looked>(
    tx,
    sql`
    SELECT k.contact_id AS "contactId", k.touchpoint_id AS "touchpointId", coalesce(r.step_id, t.step_id) AS "stepId",
      r.settled_at AS "settledAt", coalesce(r.ours, t.ours) AS ours
    FROM (SELECT DISTINCT contact_id, touchpoint_id FROM ${keyTable(messages)}) k
    -- A quick provider reports before the send is settled, and about a send that is being tried again.
    LEFT JOIN LATERAL (SELECT t.step_id, t.channel = ${channel} OR t.attempt > 0 AS ours FROM touchpoints t
      WHERE t.contact_id = k.contact_id AND t.touchpoint_id = k.touchpoint_id OFFSET 0) t ON true
    LEFT JOIN LATERAL ${recordOf(sql`k`, sql`r.step_id, r.settled_at, r.channel = ${channel} AS ours`, when)} r ON true
    WHERE r.step_id IS NOT NULL OR t.step_id IS NOT NULL`,
  )
}

/**
 * True of the records `r` of these messages and of few others: that they lie in the same months, which are then all that is
 * looked into. Reckoned by the server, the moments are nothing that it would plan each statement anew for.
 */
export function isOfMonths(messages: readonly Settled[]): SQL {
  const moments = messages.map(({ settledAt }) => settledAt.getTime())
  const [first, last] = [new Date(Math.min(...moments)), new Date(Math.max(...moments))]
  return sql`r.settled_at BETWEEN ${first}::timestamptz - interval '1 second' AND ${last}::timestamptz + interval '1 second'`
}
