import { type SQL, sql } from 'drizzle-orm'
import { bigints } from '../database/arrays.ts'
import { type Database, rows, type Transaction } from '../database/connect.ts'
import { keyTable, recordOf, type TouchpointKey } from '../touchpoints/keys.ts'
import type { Found } from './do-not-contact.ts'
import type { Addressed } from './reporting.ts'

// Where a message went, by the keyed hash that was written down before it did. What comes back of it days later is said
// of that address, whatever the contact has by now.

/** Something said about a message. */
type Said = TouchpointKey & { readonly reason: string }

/** The key of the address that `c`, a contact, has now: of a number, as it is written. */
export function presentKey({ kind }: Addressed): SQL {
  return kind === 'email' ? sql`c.email_key` : sql`c.phone_key`
}

/** The key of the address that `c` has now, as that of a message is remembered: of a number, with its country. */
export function presentWholeKey({ kind }: Addressed): SQL {
  return kind === 'email' ? sql`c.email_key` : sql`coalesce(c.whole_key, c.phone_key)`
}

/**
 * The key of the address the message `k(contact_id, touchpoint_id)` went to on the channel, be it still under way. Of one
 * that was sent before that was written down, the address its contact `c` has now.
 */
function sentToKey(channel: Addressed, otherwise = presentWholeKey(channel)): SQL {
  return sql`coalesce(
      (SELECT t.address_key FROM touchpoints t
        WHERE t.contact_id = k.contact_id AND t.touchpoint_id = k.touchpoint_id AND t.channel = ${channel.name}),
      ${recordOf(sql`k`, sql`r.address_key`, sql`r.channel = ${channel.name}`)}, ${otherwise})`
}

/**
 * Seconds that a message had been handed over for at `now`: none while its send is not yet settled. Undefined where nothing
 * is known of it.
 */
export async function secondsSinceSent(
  database: Database,
  message: TouchpointKey,
  now: Date,
): Promise<number | undefined> {
  const { contactId, touchpointId } = message
  const [found] = await rows<{ settledAt: Date }>(
    database,
    sql`SELECT ${now}::timestamptz AS "settledAt" FROM touchpoints
        WHERE contact_id = ${contactId} AND touchpoint_id = ${touchpointId}
        UNION ALL
        SELECT r.settled_at FROM ${keyTable([message])} CROSS JOIN LATERAL ${recordOf(sql`k`, sql`r.settled_at`)} r LIMIT 1`,
  )
  return found && (now.getTime() - found.settledAt.getTime()) / 1000
}

/**
 * The keys, as a query of `key`, of all addresses the message may have gone to: a provider that recognises a repeat sent it
 * to the first it was given, or never got that and sent it to the next. The address its contact has now counts where none
 * is remembered.
 */
export function sentToKeys(channel: Addressed): SQL {
  const tried = sql`SELECT a.address_key AS key FROM tried_addresses a
    WHERE a.contact_id = k.contact_id AND a.touchpoint_id = k.touchpoint_id AND a.channel = ${channel.name}`
  return sql`${tried} UNION SELECT CASE WHEN EXISTS (${tried}) THEN ${sentToKey(channel, sql`NULL`)} ELSE ${sentToKey(channel)} END`
}

/** The addresses that messages went to; of a number that its contact has only spelled anew, the present spelling. */
export async function findSentTo(
  tx: Transaction,
  channel: Addressed,
  said: readonly Said[],
): Promise<Found[]> {
  const found = await find(tx, channel, said, sentToKeys(channel))
  return found.flatMap(({ key, present, phone, reason }) =>
    key === null ? [] : [{ key: asSpelledNow(channel, key, { present, phone }), reason }],
  )
}

/** The key of a number as its contact writes it by now, where it is the same number. */
export function asSpelledNow(
  { kind, phoneKeys }: Addressed,
  key: Buffer,
  { present, phone }: { readonly present: Buffer | null; readonly phone: string | null },
): Buffer {
  if (kind !== 'phone' || phone === null || present === null) return key
  return phoneKeys(phone).some((each) => each.equals(key)) ? present : key
}

/**
 * The number that was called. A robot rang the one it was handed; an agent, the one they were shown as they took the call.
 * Whose page shows another by then says so: that the contact has it, or had it then, is held against what they say.
 * @param call.said the number, as an agent says that they rang it
 */
export async function findCalled(
  tx: Transaction,
  channel: Addressed & { readonly kind: 'phone' },
  call: { readonly contactId: number; readonly callId: number; readonly said: string | undefined },
  reason: string,
): Promise<Found[]> {
  const { contactId, callId } = call
  const [row] = await rows<{
    touchpointId: number
    taker: 'agent' | 'robot'
    shown: Buffer | null
    present: Buffer | null
    phone: string | null
  }>(
    tx,
    sql`SELECT a.touchpoint_id AS "touchpointId", a.taker, a.address_key AS shown, ${presentKey(channel)} AS present, c.phone
        FROM calls a JOIN contacts c USING (contact_id) WHERE a.contact_id = ${contactId} AND a.call_id = ${callId}`,
  )
  if (!row) return []
  if (row.taker === 'robot') {
    return await findSentTo(tx, channel, [{ contactId, touchpointId: row.touchpointId, reason }])
  }
  const said = call.said === undefined ? [] : channel.phoneKeys(call.said)
  const rung = [row.shown, row.present].find((key) => key !== null && said.some((each) => each.equals(key)))
  const key = rung ?? row.shown ?? row.present
  return key === null ? [] : [{ key: asSpelledNow(channel, key, row), reason }]
}

/** The addresses that the contacts of messages have now. */
export async function findPresent(
  tx: Transaction,
  channel: Addressed,
  said: readonly Said[],
): Promise<Found[]> {
  const found = await find(tx, channel, said, sql`SELECT ${presentKey(channel)}`)
  return found.flatMap(({ key, reason }) => (key === null ? [] : [{ key, reason }]))
}

async function find(
  tx: Transaction,
  channel: Addressed,
  said: readonly Said[],
  keys: SQL,
): Promise<{ key: Buffer | null; present: Buffer | null; phone: string | null; reason: string }[]> {
  return await rows(
    tx,
    sql`SELECT went.key, ${presentKey(channel)} AS present, c.phone, k.reason
        FROM unnest(${bigints(said.map((each) => each.contactId))}, ${bigints(said.map((each) => each.touchpointId))},
          ${sql.param(said.map((each) => each.reason))}::text[]) AS k(contact_id, touchpoint_id, reason)
        JOIN contacts c USING (contact_id) CROSS JOIN LATERAL (${keys}) AS went(key)`,
  )
}
