import { type SQL, sql } from 'drizzle-orm'
import { bigints, ofAnyLength, texts } from '../database/arrays.ts'

// Touchpoints by their keys, as statements take them: sets as tables of arrays, locked in the order of the keys.

/** One touchpoint, by primary key. */
export interface TouchpointKey {
  readonly contactId: number
  readonly touchpointId: number
}

/** The keys as a table `k(contact_id, touchpoint_id)`: two arrays, whatever the number of rows. */
export function keyTable(keys: readonly TouchpointKey[]): SQL {
  const contactIds = bigints(keys.map((key) => key.contactId))
  const touchpointIds = bigints(keys.map((key) => key.touchpointId))
  return sql`unnest(${ofAnyLength(contactIds)}, ${touchpointIds}) AS k(contact_id, touchpoint_id)`
}

/**
 * The record of the message that `k` names, once it is settled: a subquery of one row, to be joined LATERAL. Of the tables,
 * one a month, the newest is looked into first, and an older one only where it is in none that is newer.
 * @param k a row with contact_id and touchpoint_id
 * @param columns those that are wanted: to hand on all of them would take longer than to find the row
 */
export function recordOf(k: SQL, columns: SQL, where = sql`true`): SQL {
  return sql`(SELECT ${columns} FROM touchpoint_records r
    WHERE r.contact_id = ${k}.contact_id AND r.touchpoint_id = ${k}.touchpoint_id AND ${where}
    ORDER BY r.settled_at DESC LIMIT 1)`
}

/** A touchpoint that is about to be handed over, and to where. */
export interface Going extends TouchpointKey {
  readonly channel: string
  /** The keyed hash of the address or number it goes to; absent where it goes to none of them. */
  readonly addressKey?: Buffer | null
}

/** {@link keyTable} with the channel and where each goes: `k(contact_id, touchpoint_id, channel, address_key)`. */
export function goingTable(keys: readonly Going[]): SQL {
  return sql`unnest(${ofAnyLength(bigints(keys.map((key) => key.contactId)))},
    ${bigints(keys.map((key) => key.touchpointId))}, ${texts(keys.map((key) => key.channel))},
    ${sql.param(keys.map((key) => key.addressKey ?? null))}::bytea[]
  ) AS k(contact_id, touchpoint_id, channel, address_key)`
}

/**
 * Locks the touchpoints of a table of keys, one after another in the order of their keys, and gives back the rows of the
 * table whose touchpoint is in the state. By key and not as a join: with statistics from before anything was queued, a
 * join read the whole work table and held each row it found against all keys.
 * @param keys a table `k` with contact_id and touchpoint_id, among other columns
 * @param state what has to hold of `t`, the touchpoint, once it is locked; may read `k`
 */
export function lockByKey(keys: SQL, state: SQL): SQL {
  return sql`SELECT k.* FROM (SELECT * FROM ${keys} ORDER BY contact_id, touchpoint_id) k
      CROSS JOIN LATERAL (SELECT FROM touchpoints t
        WHERE t.contact_id = k.contact_id AND t.touchpoint_id = k.touchpoint_id AND ${state} FOR UPDATE) t`
}
