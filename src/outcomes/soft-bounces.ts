import { sql } from 'drizzle-orm'
import { bigints, texts } from '../database/arrays.ts'
import { execute, rows, type Transaction } from '../database/connect.ts'
import type { TouchpointKey } from '../touchpoints/keys.ts'
import { nameOf } from './reported.ts'

// How much of what a channel sent in a day came back for a passing reason. A server of ours that is blocked or set up wrongly gets
// everybody's mail back: one that came back on such a day says nothing of its address.

/** Rows a day has: receipts that come at the same moment seldom wait for one another. */
const STRIPES = 64

/** A message that came back; when it was settled, or null while it is under way. */
interface Returned extends TouchpointKey {
  readonly settledAt: Date | null
}

/** Counts messages among what came back on the day they were settled, each once. @param soft events that were just recorded */
export async function countSoftBounces(
  tx: Transaction,
  now: Date,
  channel: string,
  soft: readonly Returned[],
): Promise<void> {
  if (soft.length === 0) return
  const told = new Map<string, Returned & { readonly events: number }>()
  for (const event of soft) {
    told.set(nameOf(event), { ...event, events: (told.get(nameOf(event))?.events ?? 0) + 1 })
  }
  const messages = [...told.values()]
  const stripes = sql`SELECT DISTINCT (k.settled_at AT TIME ZONE 'UTC')::date AS day, k.contact_id % ${STRIPES}::int AS stripe`
  const given = sql`unnest(${bigints(messages.map(({ contactId }) => contactId))},
      ${bigints(messages.map(({ touchpointId }) => touchpointId))},
      ${sql.param(messages.map(({ settledAt }) => (settledAt ?? now).toISOString()))}::timestamptz[],
      ${sql.param(messages.map(({ events }) => events))}::int[]
    ) AS k(contact_id, touchpoint_id, settled_at, events)`
  // Locked first: who is told of one message twice at a time, under two ids, sees in the next statement what was counted.
  await execute(
    tx,
    sql`INSERT INTO soft_bounces (channel, day, stripe, messages)
      SELECT ${channel}, day, stripe, 0 FROM (${stripes} FROM ${given}) s ORDER BY day, stripe
      ON CONFLICT (channel, day, stripe) DO UPDATE SET messages = soft_bounces.messages`,
  )
  await execute(
    tx,
    sql`UPDATE soft_bounces b SET messages = b.messages + n.messages FROM (
        SELECT day, stripe, count(*) AS messages FROM (${stripes}, k.contact_id, k.touchpoint_id, k.events FROM ${given}) s
        -- None but those that were just recorded.
        WHERE s.events = (SELECT count(*) FROM delivery_events e
          WHERE e.contact_id = s.contact_id AND e.touchpoint_id = s.touchpoint_id AND e.kind = 'soft_bounce')
        GROUP BY day, stripe) n
      WHERE b.channel = ${channel} AND b.day = n.day AND b.stripe = n.stripe`,
  )
}

/** What a channel sent on a day, and how much of it came back for a passing reason. */
export interface ReturnedOf {
  readonly sent: number
  readonly returned: number
}

/** What became of the days' messages, by day (`2026-03-02`, UTC). */
export async function readDays(
  tx: Transaction,
  channel: string,
  days: readonly string[],
): Promise<ReadonlyMap<string, ReturnedOf>> {
  const found = await rows<ReturnedOf & { day: string }>(
    tx,
    sql`
    SELECT k.day::text, (SELECT coalesce(sum(s.sent), 0)::bigint FROM send_counts s WHERE s.channel = ${channel}
        AND s.sent_at >= k.day::timestamptz AND s.sent_at < k.day::timestamptz + interval '1 day') AS sent,
      (SELECT coalesce(sum(b.messages), 0)::bigint FROM soft_bounces b
        WHERE b.channel = ${channel} AND b.day = k.day) AS returned
    FROM unnest(${texts([...new Set(days)])}::date[]) AS k(day)`,
  )
  return new Map(found.map(({ day, ...counts }) => [day, counts]))
}

/** The share of others' messages that may come back on a day on which something else than the addresses is the reason. */
const SHARE = 0.2

/**
 * Whether a message that came back on a day tells of its address: where others' were sent, and no more than one in five of
 * them came back. Pure.
 */
export function tellsOfAddress({ sent, returned }: ReturnedOf): boolean {
  const others = sent - 1
  return others > 0 && returned - 1 <= SHARE * others
}
