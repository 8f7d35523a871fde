import { sql } from 'drizzle-orm'
import { rows, type Transaction } from '../database/connect.ts'
import { keyTable, type TouchpointKey } from '../touchpoints/keys.ts'
import { LEASES } from '../touchpoints/lifecycle.ts'
import type { Found } from './do-not-contact.ts'
import type { Addressed } from './reporting.ts'
import { asSpelledNow, presentKey, presentWholeKey, sentToKeys } from './sent-to.ts'
import { readDays, tellsOfAddress } from './soft-bounces.ts'

// Addresses that return what is sent to them, each time for a passing reason: nobody is there any more. What came back for a reason
// of ours, or on a day on which others' did as well, tells nothing of that, neither for nor against.

/** Soft bounces in a row that are as good as a hard one. */
const PATIENCE = 5
/** Messages that are looked at: among so many, the sender may have been the reason now and then. */
const LOOKED_AT = 30

/** What became of a message to an address. */
export interface Fate {
  /** The UTC day it was sent on. */
  readonly day: string
  /** It came back for a passing reason that may be the address's; where it is one of ours alone, `ours`. */
  readonly came: 'through' | 'back' | 'ours' | 'unknown'
}

/**
 * Whether the last messages there were came back, as many as are enough. Pure.
 * @param fates the newest first
 * @param tells whether what came back of a day tells of its address
 */
export function isWornOut(fates: readonly Fate[], tells: (day: string) => boolean): boolean {
  let row = 0
  for (const { day, came } of fates) {
    if (came === 'through' || came === 'unknown') return false
    if (came === 'back' && tells(day)) row += 1
    if (row === PATIENCE) return true
  }
  return false
}

/**
 * Addresses that returned the last messages there were for them. One that was tried at several addresses counts for each
 * that may have returned it: what was reported before it was tried at the last is not said of that.
 * @param soft messages of which a soft bounce was just recorded
 */
export async function findWornOut(
  tx: Transaction,
  channel: Addressed,
  soft: readonly TouchpointKey[],
): Promise<Found[]> {
  const addresses = await readFates(tx, channel, soft)
  // Of nearly all, something got through lately: of what days they are need not be asked.
  const returning = addresses.filter(({ fates }) => isWornOut(fates, () => true))
  if (returning.length === 0) return []
  const days = await readDays(
    tx,
    channel.name,
    returning.flatMap(({ fates }) => fates.map(({ day }) => day)),
  )
  const tells = (day: string) => tellsOfAddress(days.get(day) ?? { sent: 0, returned: 0 })
  return returning
    .filter(({ fates }) => isWornOut(fates, tells))
    .map(({ key, ...now }) => ({ key: asSpelledNow(channel, key, now), reason: 'hard_bounce' }))
}

interface Address {
  readonly key: Buffer
  readonly present: Buffer | null
  readonly phone: string | null
  readonly fates: readonly Fate[]
}

/** Where the messages went, each address with what became of the last there were for it. */
async function readFates(
  tx: Transaction,
  channel: Addressed,
  soft: readonly TouchpointKey[],
): Promise<Address[]> {
  const last = sql`coalesce(r.address_key, ${presentWholeKey(channel)})`
  const tried = sql`FROM tried_addresses a WHERE a.contact_id = r.contact_id AND a.touchpoint_id = r.touchpoint_id
          AND a.channel = r.channel`
  return await rows<Address>(
    tx,
    sql`
    SELECT went.key, ${presentKey(channel)} AS present, c.phone, history.fates
    FROM (SELECT DISTINCT ON (went.key, k.contact_id) went.key, k.contact_id FROM ${keyTable(soft)}
      JOIN contacts c USING (contact_id) CROSS JOIN LATERAL (${sentToKeys(channel)}) AS went(key)) went
    JOIN contacts c USING (contact_id)
    CROSS JOIN LATERAL (
      SELECT json_agg(json_build_object('day', message.day, 'came', CASE WHEN returned.taken THEN 'through'
          WHEN returned.back THEN 'back' WHEN returned.ours THEN 'ours' ELSE 'unknown' END) ORDER BY message.no) AS fates
      FROM (
        SELECT r.touchpoint_id, (r.settled_at AT TIME ZONE 'UTC')::date AS day,
          row_number() OVER (ORDER BY r.settled_at DESC, r.touchpoint_id DESC) AS no,
          CASE WHEN EXISTS (SELECT ${tried}) AND NOT EXISTS (SELECT ${tried} AND a.address_key = went.key)
            -- A try ends within its lease, and is settled as it ends.
            THEN r.settled_at - make_interval(secs => ${LEASES.send}) ELSE '-infinity' END AS since
        FROM touchpoint_records r
        WHERE r.contact_id = went.contact_id AND r.channel = ${channel.name} AND r.state = 'sent'
          AND (${last} = went.key OR EXISTS (SELECT ${tried} AND a.address_key = went.key))
        ORDER BY no LIMIT ${LOOKED_AT}
      ) message
      CROSS JOIN LATERAL (
        SELECT bool_or(kind NOT IN ('sent', 'soft_bounce')) AS taken,
          bool_or(kind = 'soft_bounce' AND NOT ours) AS back, bool_or(kind = 'soft_bounce') AS ours
        FROM delivery_events e WHERE e.contact_id = went.contact_id AND e.touchpoint_id = message.touchpoint_id
          AND e.received_at > message.since
      ) returned
    ) history
    WHERE history.fates IS NOT NULL`,
  )
}
