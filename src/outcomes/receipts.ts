import { sql } from 'drizzle-orm'
import type { DeliveryEvent, EventKind } from '../channels/channel.ts'
import { bigints, ofAnyLength } from '../database/arrays.ts'
import { type Database, preparedRows, type Transaction, transaction } from '../database/connect.ts'
import { ensurePartitions } from '../database/partitions.ts'
import { keepContacts } from '../database/person-locks.ts'
import { PROVIDER_WORDS, storable } from '../database/storable.ts'
import type { TouchpointKey } from '../touchpoints/keys.ts'
import { type Settlement, settlementOf } from '../touchpoints/lifecycle.ts'
import { resolve } from '../touchpoints/recovery.ts'
import { bookCosts, lockRecords } from './costs.ts'
import { list, suppress } from './do-not-contact.ts'
import { findReported, nameOf, type Reported, type Settled } from './reported.ts'
import { isAddressed, type ReportingChannel } from './reporting.ts'
import { findCalled, findSentTo } from './sent-to.ts'
import { countSoftBounces } from './soft-bounces.ts'
import { findWornOut } from './worn-out.ts'

// What providers report. Events are added and never changed; a repeat is not added; and what a message came to is
// the furthest of its events. So neither the order of reports nor their number makes a difference.

/** What recording receipts came to, in events. */
export interface RecordedReceipts {
  /** Events that were not known before. */
  readonly added: number
  /** Repeats, and events about messages that are not ours. */
  readonly ignored: number
  /** Uncertain sends of which it is now known that they went out. */
  readonly settled: number
  /** Addresses that get nothing more. */
  readonly suppressed: number
}

/**
 * Records what a channel's provider reports, with all that follows, in one transaction: an uncertain send is settled,
 * a hard bounce, a complaint or an unsubscription silences the address it went to, the ledger gets the difference to what the
 * message cost in fact. An event about a message we never gave to this channel is left alone.
 * @param onLeaving hears of whoever complains or wants no more on a channel whose messages go to no address; in the transaction,
 *   once for each event
 */
export async function recordReceipts(
  database: Database,
  now: Date,
  channel: ReportingChannel,
  events: readonly DeliveryEvent[],
  onLeaving?: (tx: Transaction, events: readonly DeliveryEvent[]) => Promise<void>,
): Promise<RecordedReceipts> {
  if (events.length === 0) return { added: 0, ignored: 0, settled: 0, suppressed: 0 }
  await ensurePartitions(database, 'touchpoint_records', [now])
  const about = bigints([...new Set(events.map(({ contactId }) => contactId))])
  return await transaction(database, async (tx) => {
    await keepContacts(tx, sql`c.contact_id = ANY (${about})`)
    const messages = await findReported(tx, now, channel.name, events)
    const added = await addEvents(tx, now, channel.name, events, messages)
    if (added.length === 0) return { added: 0, ignored: events.length, settled: 0, suppressed: 0 }
    const suppressed = await suppressAddresses(tx, now, channel, added)
    const leaving = added.filter(({ kind }) => kind === 'unsubscribed' || kind === 'complaint')
    if (leaving.length > 0 && !isAddressed(channel)) await onLeaving?.(tx, leaving)
    const heardOf = new Set(added.map(nameOf))
    // Of what is under way, the next sweep looks what was told of it.
    const recorded = messages.filter(isSettled).filter((message) => heardOf.has(nameOf(message)))
    const locked = await lockRecords(tx, recorded)
    const doubtful = new Set(locked.filter(({ uncertain }) => uncertain).map(nameOf))
    const known = knownSent(added.filter((event) => doubtful.has(nameOf(event))))
    const settled = known.length > 0 ? await resolve(tx, now, known) : 0
    await bookCosts(tx, now, added, locked)
    return { added: added.length, ignored: events.length - added.length, settled, suppressed }
  })
}

function isSettled(message: Reported): message is Reported & Settled {
  return message.settledAt !== null
}

/** An event, and when its message was settled; null while it was under way. */
type Added = DeliveryEvent & Pick<Reported, 'settledAt'>

/** @returns the events that are new and about one of the messages, one for each id */
async function addEvents(
  tx: Transaction,
  now: Date,
  channel: string,
  events: readonly DeliveryEvent[],
  messages: readonly Reported[],
): Promise<Added[]> {
  const byName = new Map(messages.map((message) => [nameOf(message), message] as const))
  const byId = new Map(events.map((event) => [`${nameOf(event)} ${event.eventId}`, event] as const))
  const unique = [...byId.values()].flatMap((event) => {
    const message = byName.get(nameOf(event))
    if (message === undefined) return []
    const { stepId, settledAt } = message
    return [{ ...event, eventId: storable(event.eventId), at: timeOf(event.at, now), stepId, settledAt }]
  })
  if (unique.length === 0) return []
  const added = await preparedRows<{ contactId: number; touchpointId: number; eventId: string }>(
    tx,
    sql`
    INSERT INTO delivery_events (contact_id, touchpoint_id, event_id, kind, detail, occurred_at, received_at, cost, ours,
      channel, step_id, settled_at)
    SELECT contact_id, touchpoint_id, event_id, kind, detail, occurred_at, ${now}, cost, ours, ${channel}, step_id, settled_at
    FROM unnest(${ofAnyLength(bigints(unique.map((event) => event.contactId)))},
        ${bigints(unique.map((event) => event.touchpointId))},
        ${sql.param(unique.map((event) => event.eventId))}::text[],
        ${sql.param(unique.map((event) => event.kind))}::text[],
        ${sql.param(unique.map(({ detail }) => (detail ? storable(detail, PROVIDER_WORDS) : null)))}::text[],
        ${sql.param(unique.map((event) => event.at.toISOString()))}::timestamptz[],
        ${sql.param(unique.map((event) => event.cost ?? null))}::bigint[],
        ${sql.param(unique.map((event) => event.kind === 'soft_bounce' && event.ours === true))}::boolean[],
        ${sql.param(unique.map((event) => event.stepId))}::int[],
        ${sql.param(unique.map((event) => event.settledAt?.toISOString() ?? null))}::timestamptz[]
      ) AS g(contact_id, touchpoint_id, event_id, kind, detail, occurred_at, cost, ours, step_id, settled_at)
    ORDER BY contact_id, touchpoint_id, event_id
    ON CONFLICT DO NOTHING
    RETURNING contact_id AS "contactId", touchpoint_id AS "touchpointId", event_id AS "eventId"`,
  )
  const keys = new Set(added.map((row) => `${nameOf(row)} ${row.eventId}`))
  return unique.filter((event) => keys.has(`${nameOf(event)} ${event.eventId}`))
}

/**
 * Now at the latest, for its clock may be ahead; a time that is none must not turn away the whole call: it would come again
 * for ever.
 */
function timeOf(said: Date, now: Date): Date {
  return new Date(Math.min(Math.max(said.getTime() || 0, 0), now.getTime()))
}

/** Whatever a provider reports of a message proves that it was handed over; what it says of the cost is booked beside it. */
function knownSent(events: readonly DeliveryEvent[]): Settlement[] {
  const byTouchpoint = new Map<number, Settlement>()
  for (const event of events) {
    const before = byTouchpoint.get(event.touchpointId)
    const { providerId } = event
    byTouchpoint.set(event.touchpointId, {
      ...knownByReport(event),
      // What cannot be stored of one id must not turn away the whole call: it would come again for ever.
      providerId: providerId ? storable(providerId, PROVIDER_WORDS) : (before?.providerId ?? null),
    })
  }
  return [...byTouchpoint.values()]
}

/** What a report of a message says by having come at all: it was sent. */
export function knownByReport(message: TouchpointKey): Settlement {
  return settlementOf(message, 'sent', null, 'known by a receipt')
}

/** Why an address gets nothing more, by what was reported of a message to it. */
const FINAL: Readonly<Partial<Record<EventKind, string>>> = {
  hard_bounce: 'hard_bounce',
  complaint: 'complaint',
  unsubscribed: 'unsubscribe',
}

/** Puts the addresses of messages of which something {@link FINAL} was reported on the do-not-contact list, and skips what waits. */
async function suppressAddresses(
  tx: Transaction,
  now: Date,
  channel: ReportingChannel,
  events: readonly Added[],
): Promise<number> {
  if (!isAddressed(channel)) return 0
  const soft = events.filter((event) => event.kind === 'soft_bounce')
  await countSoftBounces(tx, now, channel.name, soft)
  const said = events.flatMap((event) => {
    const reason = FINAL[event.kind]
    return reason === undefined ? [] : [{ ...event, reason }]
  })
  const found = [
    ...(said.length > 0 ? await findSentTo(tx, channel, said) : []),
    ...(soft.length > 0 ? await findWornOut(tx, channel, soft) : []),
  ]
  if (found.length === 0) return 0
  const added = await suppress(tx, now, channel, { source: `receipt of ${channel.name}`, found })
  // An address counts whoever has it by now; another spelling of a number only where somebody has it.
  const sentTo = new Set(found.map(({ key }) => key.toString('hex')))
  return added.filter(({ key, carried }) => carried || sentTo.has(key.toString('hex'))).length
}

/**
 * Puts a number that is somebody else's on the list, in the caller's transaction, which has what waits for it skipped.
 * @param call.said the number, as whoever rang it writes it
 * @returns whether it was not there before
 */
export async function listCalled(
  tx: Transaction,
  now: Date,
  channel: ReportingChannel,
  call: { readonly contactId: number; readonly callId: number; readonly said: string | undefined },
): Promise<boolean> {
  const to = { ...channel, kind: 'phone' as const }
  const found = await findCalled(tx, to, call, 'hard_bounce')
  const added = await list(tx, now, to, { source: 'call: wrong number', found })
  return added.length > 0
}
