import { sql } from 'drizzle-orm'
import { rows, type Transaction } from '../database/connect.ts'
import { keyTable, type TouchpointKey } from '../touchpoints/keys.ts'
import { LEASES } from '../touchpoints/lifecycle.ts'
import type { Found } from './do-not-contact.ts'
import type { Addressed } from './reporting.ts'
import { asSpelledNow, presentKey, presentWholeKey, sentToKeys } from './sent-to.ts'

// Addresses that return what is sent to them, each time for a passing reason: nobody is there any more.

/** Soft bounces in a row that are as good as a hard one. */
const PATIENCE = 5

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
  const last = sql`coalesce(r.address_key, ${presentWholeKey(channel)})`
  const tried = sql`FROM tried_addresses a WHERE a.contact_id = r.contact_id AND a.touchpoint_id = r.touchpoint_id
          AND a.channel = r.channel`
  const found = await rows<{ key: Buffer; present: Buffer | null; phone: string | null }>(
    tx,
    sql`
    SELECT DISTINCT went.key, ${presentKey(channel)} AS present, c.phone
    FROM ${keyTable(soft)} JOIN contacts c USING (contact_id)
    CROSS JOIN LATERAL (${sentToKeys(channel)}) AS went(key)
    CROSS JOIN LATERAL (
      SELECT count(*) FILTER (WHERE returned.soft AND NOT returned.taken) AS soft FROM (
        SELECT r.touchpoint_id,
          CASE WHEN EXISTS (SELECT ${tried}) AND NOT EXISTS (SELECT ${tried} AND a.address_key = went.key)
            -- A try ends within its lease, and is settled as it ends.
            THEN r.settled_at - make_interval(secs => ${LEASES.send}) ELSE '-infinity' END AS since
        FROM touchpoint_records r
        WHERE r.contact_id = k.contact_id AND r.channel = ${channel.name} AND r.state = 'sent'
          AND (${last} = went.key OR EXISTS (SELECT ${tried} AND a.address_key = went.key))
        ORDER BY r.settled_at DESC, r.touchpoint_id DESC LIMIT ${PATIENCE}
      ) message
      CROSS JOIN LATERAL (
        SELECT coalesce(bool_or(kind = 'soft_bounce'), false) AS soft,
          coalesce(bool_or(kind NOT IN ('sent', 'soft_bounce')), false) AS taken
        FROM delivery_events e WHERE e.contact_id = k.contact_id AND e.touchpoint_id = message.touchpoint_id
          AND e.received_at > message.since
      ) returned
    ) history
    WHERE history.soft = ${PATIENCE}`,
  )
  return found.map(({ key, ...now }) => ({ key: asSpelledNow(channel, key, now), reason: 'hard_bounce' }))
}
