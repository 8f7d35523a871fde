import { sql } from 'drizzle-orm'
import type { AddressKind, DeliveryEvent } from '../channels/channel.ts'
import { bigints, ofAnyLength } from '../database/arrays.ts'
import {
  type Database,
  execute,
  preparedRows,
  rows,
  type Transaction,
  transaction,
} from '../database/connect.ts'
import { ensurePartitions } from '../database/partitions.ts'
import { storable } from '../database/storable.ts'
import { keyTable, resolve, type Settlement } from '../touchpoints/lifecycle.ts'
import { suppress } from './do-not-contact.ts'

// What providers report. Events are added and never changed; a repeat is not added; and what a message came to is
// the furthest of its events. So neither the order of reports nor their number makes a difference.

/** What recording needs to know of the channel that reports. */
export interface ReportingChannel {
  readonly name: string
  readonly kind: AddressKind
  /** Names of the channels that deliver to each kind of address: those a suppression silences. */
  readonly channelsOf: { readonly email: readonly string[]; readonly phone: readonly string[] }
  /** What a number is compared by, in each of its spellings. */
  phoneKeys(phone: string): readonly Buffer[]
}

export interface Recorded {
  /** Events that were not known before. */
  readonly added: number
  /** Repeats, and events about messages that are not ours. */
  readonly ignored: number
  /** Uncertain sends of which it is now known that they went out. */
  readonly settled: number
  /** Addresses that get nothing more. */
  readonly suppressed: number
}

/** At most this many characters of a provider's words are kept. */
const DETAIL = 500

/**
 * Records what a channel's provider reports, with all that follows, in one transaction: an uncertain send is settled,
 * a hard bounce or a complaint silences the address, the ledger gets the difference to what the message cost in fact.
 * An event about a message we never gave to this channel is left alone.
 */
export async function recordReceipts(
  database: Database,
  now: Date,
  channel: ReportingChannel,
  events: readonly DeliveryEvent[],
): Promise<Recorded> {
  if (events.length === 0) return { added: 0, ignored: 0, settled: 0, suppressed: 0 }
  await ensurePartitions(database, 'touchpoint_records', [now])
  return await transaction(database, async (tx) => {
    const added = await addEvents(tx, now, channel.name, events)
    if (added.length === 0) return { added: 0, ignored: events.length, settled: 0, suppressed: 0 }
    const suppressed = await suppressAddresses(tx, now, channel, added)
    await lockRecords(tx, added)
    const settled = await resolve(tx, now, knownSent(added))
    await bookFacts(tx, now, added)
    return { added: added.length, ignored: events.length - added.length, settled, suppressed }
  })
}

/** @returns the events that are new, one for each id */
async function addEvents(
  tx: Transaction,
  now: Date,
  channel: string,
  events: readonly DeliveryEvent[],
): Promise<DeliveryEvent[]> {
  const byId = new Map(
    events.map((event) => [`${event.contactId} ${event.touchpointId} ${event.eventId}`, event] as const),
  )
  const unique = [...byId.values()].map((event) => ({ ...event, eventId: storable(event.eventId) }))
  const added = await preparedRows<{ contactId: number; touchpointId: number; eventId: string }>(
    tx,
    sql`
    WITH given AS (
      SELECT * FROM unnest(${ofAnyLength(bigints(unique.map((event) => event.contactId)))},
        ${bigints(unique.map((event) => event.touchpointId))},
        ${sql.param(unique.map((event) => event.eventId))}::text[],
        ${sql.param(unique.map((event) => event.kind))}::text[],
        ${sql.param(unique.map(({ detail }) => (detail ? storable(detail).slice(0, DETAIL) : null)))}::text[],
        ${sql.param(unique.map((event) => event.at.toISOString()))}::timestamptz[]
      ) AS g(contact_id, touchpoint_id, event_id, kind, detail, occurred_at)
    )
    INSERT INTO delivery_events (contact_id, touchpoint_id, event_id, kind, detail, occurred_at, received_at)
    SELECT contact_id, touchpoint_id, event_id, kind, detail, least(occurred_at, ${now}), ${now} FROM given g
    -- A quick provider reports before the send is settled, and about a send that is being tried again.
    WHERE EXISTS (SELECT FROM touchpoint_records r WHERE r.contact_id = g.contact_id
        AND r.touchpoint_id = g.touchpoint_id AND r.channel = ${channel})
      OR EXISTS (SELECT FROM touchpoints t WHERE t.contact_id = g.contact_id
        AND t.touchpoint_id = g.touchpoint_id AND (t.channel = ${channel} OR t.attempt > 0))
    ORDER BY contact_id, touchpoint_id, event_id
    ON CONFLICT DO NOTHING
    RETURNING contact_id AS "contactId", touchpoint_id AS "touchpointId", event_id AS "eventId"`,
  )
  const keys = new Set(added.map((row) => `${row.contactId} ${row.touchpointId} ${row.eventId}`))
  return unique.filter((event) => keys.has(`${event.contactId} ${event.touchpointId} ${event.eventId}`))
}

/** Two receipts about one message wait for each other here, so that each sees what the other booked. */
async function lockRecords(tx: Transaction, events: readonly DeliveryEvent[]): Promise<void> {
  await preparedRows(
    tx,
    sql`SELECT FROM touchpoint_records r WHERE (r.contact_id, r.touchpoint_id) IN
        (SELECT k.contact_id, k.touchpoint_id FROM ${keyTable(events)})
      ORDER BY r.contact_id, r.touchpoint_id FOR UPDATE OF r`,
  )
}

/** Whatever a provider reports of a message proves that it was handed over. */
function knownSent(events: readonly DeliveryEvent[]): Settlement[] {
  const byTouchpoint = new Map<number, Settlement>()
  for (const { contactId, touchpointId, providerId, cost } of events) {
    const before = byTouchpoint.get(touchpointId)
    byTouchpoint.set(touchpointId, {
      contactId,
      touchpointId,
      state: 'sent',
      reason: null,
      detail: 'known by a receipt',
      channel: null,
      template: null,
      providerId: providerId ?? before?.providerId ?? null,
      cost: Math.max(cost ?? 0, before?.cost ?? 0),
    })
  }
  return [...byTouchpoint.values()]
}

/** Books the difference between what a message was thought to cost and what the provider says. */
async function bookFacts(tx: Transaction, now: Date, events: readonly DeliveryEvent[]): Promise<void> {
  const facts = events.flatMap((event) => (event.cost === undefined ? [] : [{ ...event, cost: event.cost }]))
  if (facts.length === 0) return
  await execute(
    tx,
    sql`
    WITH fact AS (
      SELECT contact_id, touchpoint_id, max(cost) AS cost
      FROM unnest(${bigints(facts.map((event) => event.contactId))},
        ${bigints(facts.map((event) => event.touchpointId))},
        ${bigints(facts.map((event) => event.cost))}) AS f(contact_id, touchpoint_id, cost)
      GROUP BY contact_id, touchpoint_id
    )
    INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
    SELECT r.contact_id, r.touchpoint_id, r.episode_id, r.step_id, 'spend', r.channel, f.cost - booked.before, ${now}
    FROM fact f JOIN touchpoint_records r USING (contact_id, touchpoint_id)
    CROSS JOIN LATERAL (SELECT coalesce(sum(l.amount), 0)::bigint AS before FROM ledger l
      WHERE l.contact_id = r.contact_id AND l.touchpoint_id = r.touchpoint_id AND l.kind = 'spend') booked
    WHERE r.state = 'sent' AND f.cost <> booked.before`,
  )
}

/** Hard bounces and complaints put the address on the do-not-contact list and skip what waits for it. */
async function suppressAddresses(
  tx: Transaction,
  now: Date,
  channel: ReportingChannel,
  events: readonly DeliveryEvent[],
): Promise<number> {
  if (channel.kind !== 'email' && channel.kind !== 'phone') return 0
  const final = [
    ...events.filter(({ kind }) => kind === 'hard_bounce' || kind === 'complaint'),
    ...(await findWornOut(tx, channel.name, events)),
  ]
  if (final.length === 0) return 0
  const key = sql.identifier(`${channel.kind}_key`)
  const suppressed = await suppress(
    tx,
    now,
    { ...channel, kind: channel.kind },
    {
      source: `receipt of ${channel.name}`,
      found: sql`SELECT c.${key} AS key, e.reason
        FROM unnest(${bigints(final.map((event) => event.contactId))},
          ${sql.param(final.map((event) => event.kind))}::text[]) AS e(contact_id, reason)
        JOIN contacts c USING (contact_id)`,
    },
  )
  return suppressed.length
}

/** A number that is somebody else's gets nothing more: what waits for it is skipped. In the caller's transaction. */
export async function suppressPhone(
  tx: Transaction,
  now: Date,
  channel: ReportingChannel,
  contactId: number,
): Promise<void> {
  await suppress(
    tx,
    now,
    { ...channel, kind: 'phone' },
    {
      source: 'call: wrong number',
      found: sql`SELECT phone_key AS key, 'hard_bounce' AS reason FROM contacts WHERE contact_id = ${contactId}`,
    },
  )
}

/** Soft bounces in a row that are as good as a hard one. */
const PATIENCE = 5

/** Contacts whose last messages all came back, each for a passing reason: nobody is there any more. */
async function findWornOut(
  tx: Transaction,
  channel: string,
  events: readonly DeliveryEvent[],
): Promise<{ contactId: number; kind: 'hard_bounce' }[]> {
  const soft = [
    ...new Set(events.filter(({ kind }) => kind === 'soft_bounce').map((event) => event.contactId)),
  ]
  if (soft.length === 0) return []
  return await rows(
    tx,
    sql`
    SELECT g.contact_id AS "contactId", 'hard_bounce' AS kind FROM unnest(${bigints(soft)}) AS g(contact_id)
    CROSS JOIN LATERAL (
      SELECT count(*) FILTER (WHERE returned.soft AND NOT returned.taken) AS soft FROM (
        SELECT touchpoint_id FROM touchpoint_records r
        WHERE r.contact_id = g.contact_id AND r.channel = ${channel} AND r.state = 'sent'
        ORDER BY settled_at DESC, touchpoint_id DESC LIMIT ${PATIENCE}
      ) last
      CROSS JOIN LATERAL (
        SELECT coalesce(bool_or(kind = 'soft_bounce'), false) AS soft,
          coalesce(bool_or(kind NOT IN ('sent', 'soft_bounce')), false) AS taken
        FROM delivery_events e WHERE e.contact_id = g.contact_id AND e.touchpoint_id = last.touchpoint_id
      ) returned
    ) history
    WHERE history.soft = ${PATIENCE}`,
  )
}
