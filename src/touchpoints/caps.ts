import { sql } from 'drizzle-orm'
import { Temporal } from 'temporal-polyfill'
import type { Campaign } from '../config/campaign.ts'
import { formatRate, type Rate } from '../config/quantities.ts'
import { bigints, ofAnyLength } from '../database/arrays.ts'
import { preparedRows, type Session, type Transaction } from '../database/connect.ts'
import { effortSpent } from './gather.ts'
import { deferOrSkip, type Verdict } from './guards.ts'
import { lockByKey } from './keys.ts'
import { isOpen } from './lifecycle.ts'
import type { Cleared } from './message.ts'

// How much one person may get, over all campaigns. What was sent (or may have been) counts where it falls into the
// window; what is being sent at this moment counts in every window; and what is due and ranks higher goes first.

export type Cap = Campaign['limits']['per_person'][number]

/** A message of a person: sent, under way, or due and waiting. */
export interface Message {
  readonly personId: number
  readonly touchpointId: number
  readonly state: 'sent' | 'open' | 'due'
  /** When it was sent; null while it was not. */
  readonly at: Date | null
  /** Of what is due, any it may go out on. */
  readonly channels: readonly string[]
  readonly topic: string | null
  readonly priority: number
  readonly plannedFor: Date
}

/** What asks to be sent. */
export interface Applicant {
  readonly personId: number
  readonly touchpointId: number
  readonly channel: string
  readonly topic: string | undefined
  readonly priority: number
  readonly plannedFor: Date
  /** IANA zone of the recipient: their days and weeks are counted. */
  readonly zone: string
}

export type CapDecision = 'admit' | { readonly verdict: Verdict }

/** Seconds after which somebody who let another message go first is looked at again. */
const YIELD = 300

/** Where a rate counts: it begins at `from`, and what is too much may go at `next`. */
interface Window {
  readonly from: Date
  readonly next: Date
}

/** The window a rate counts in at a moment. */
export function windowOf(rate: Rate, zone: string, now: Date): Window {
  const { per } = rate
  if (typeof per === 'number') {
    return { from: new Date(now.getTime() - per * 1000 + 1), next: new Date(now.getTime() + per * 1000) }
  }
  const known = current[per].get(zone)
  if (known && known.from <= now && now < known.next) return known
  const window = calendarWindow(per, zone, now)
  current[per].set(zone, window)
  return window
}

/**
 * The latest day and week of each zone, for the life of the process: with a few hundred zones, looking them up anew for
 * each batch was most of what caps cost. Whoever asks cannot tell: what is known answers only where it holds the very
 * zone and moment that are asked about.
 */
const current = { day: new Map<string, Window>(), week: new Map<string, Window>() }

function calendarWindow(per: 'day' | 'week', zone: string, now: Date): Window {
  const today = Temporal.Instant.fromEpochMilliseconds(now.getTime()).toZonedDateTimeISO(zone).startOfDay()
  const first = per === 'day' ? today : today.subtract({ days: today.dayOfWeek - 1 }).startOfDay()
  const next = first.add(per === 'day' ? { days: 1 } : { weeks: 1 }).startOfDay()
  return { from: new Date(first.epochMilliseconds), next: new Date(next.epochMilliseconds) }
}

/**
 * Who may send. Pure. Applicants are taken in the order of their rank, and each that is admitted counts for the next.
 * @param messages all of the applicants’ persons: those sent since the earliest window began, those open, those due
 * @param maxDelay seconds after its planned time at which a message is given up
 */
export function decideCaps(
  caps: readonly Cap[],
  applicants: readonly Applicant[],
  messages: readonly Message[],
  { now, maxDelay }: { now: Date; maxDelay: number },
): Map<number, CapDecision> {
  const byPerson = new Map<number, Message[]>()
  for (const message of messages) {
    const known = byPerson.get(message.personId)
    if (known) known.push(message)
    else byPerson.set(message.personId, [message])
  }
  const decisions = new Map<number, CapDecision>()
  const applying = new Set(applicants.map(({ touchpointId }) => touchpointId))
  const never = caps.some(({ at_most: most }) => most.count === 0)
  for (const applicant of applicants.toSorted(byRank)) {
    const { personId, touchpointId, channel, topic, priority, plannedFor, zone } = applicant
    const others = (byPerson.get(personId) ?? []).filter((other) => other.touchpointId !== touchpointId)
    // With nothing beside it, all but a cap of nought have room.
    const binding = others.length > 0 || never ? caps : []
    const concerned = binding
      .filter(
        (cap) => (cap.channel ?? channel) === channel && (cap.topic === undefined || cap.topic === topic),
      )
      .map((cap) => {
        const { from, next } = windowOf(cap.at_most, zone, now)
        return { cap, next, within: others.filter((other) => counted(cap, other, from)) }
      })
    const yields =
      full(concerned, applicant, { now, maxDelay }) ??
      yielding(concerned, applicant, others, { applying, now, maxDelay })
    decisions.set(touchpointId, yields ? { verdict: yields } : 'admit')
    if (yields) continue
    const admitted = { personId, touchpointId, topic: topic ?? null, priority, plannedFor }
    const open = { ...admitted, state: 'open', at: null, channels: [channel] } as const
    byPerson.set(personId, [...others, open])
  }
  return decisions
}

function counted(cap: Cap, message: Message, from: Date): boolean {
  if (cap.channel !== undefined && !message.channels.includes(cap.channel)) return false
  if (cap.topic !== undefined && message.topic !== cap.topic) return false
  if (message.state === 'due') return false
  return message.at === null || message.at >= from
}

/** A cap that concerns an applicant: when its window ends, and what counts within. */
interface Concern {
  readonly cap: Cap
  readonly next: Date
  readonly within: readonly Message[]
}

/** What the first cap says that has no room left. */
function full(
  concerned: readonly Concern[],
  { plannedFor }: Applicant,
  { now, maxDelay }: { now: Date; maxDelay: number },
): Verdict | undefined {
  const reached = concerned.find(({ cap, within }) => within.length >= cap.at_most.count)
  if (!reached) return undefined
  const { cap } = reached
  const skip: Verdict = { kind: 'skip', reason: 'frequency_cap', detail: describeCap(cap) }
  if (cap.then === 'skip') return skip
  const latest = plannedFor.getTime() + maxDelay * 1000
  const verdict = deferOrSkip(freeAgain(reached, now), latest, 'frequency_cap')
  // What cannot wait until it is allowed was stopped by the cap, not by the clock.
  return verdict.kind === 'skip' ? skip : verdict
}

/** Of a calendar window, its end; of a span, when enough of what counts has left it. */
function freeAgain({ cap, within, next }: Concern, now: Date): Date {
  const { per, count } = cap.at_most
  if (typeof per !== 'number') return next
  const times = within.map((message) => (message.at ?? now).getTime()).toSorted((a, b) => a - b)
  const leaving = times[within.length - count] ?? now.getTime()
  return new Date(leaving + per * 1000)
}

/** There is room, but not for everybody who is due: whoever ranks higher goes first, and the others look again. */
function yielding(
  concerned: readonly Concern[],
  applicant: Applicant,
  others: readonly Message[],
  at: {
    applying: ReadonlySet<number>
    now: Date
    maxDelay: number
  },
): Verdict | undefined {
  for (const { cap, within } of concerned) {
    const room = cap.at_most.count - within.length
    const ahead = others.filter(
      (other) =>
        other.state === 'due' &&
        // Who applies in this batch and ranks higher was decided before.
        !at.applying.has(other.touchpointId) &&
        (cap.channel === undefined || other.channels.includes(cap.channel)) &&
        (cap.topic === undefined || other.topic === cap.topic) &&
        byRank(other, applicant) < 0,
    )
    if (ahead.length < room) continue
    const latest = applicant.plannedFor.getTime() + at.maxDelay * 1000
    return deferOrSkip(new Date(at.now.getTime() + YIELD * 1000), latest, 'outranked')
  }
  return undefined
}

interface Ranked {
  readonly priority: number
  readonly plannedFor: Date
  readonly touchpointId: number
}

function byRank(a: Ranked, b: Ranked): number {
  return (
    b.priority - a.priority ||
    a.plannedFor.getTime() - b.plannedFor.getTime() ||
    a.touchpointId - b.touchpointId
  )
}

/** `2 per day`, `1 per week on sms`, `1 per day about news`. */
function describeCap({ at_most: most, channel, topic }: Cap): string {
  return [
    formatRate(most),
    ...(channel === undefined ? [] : [`on ${channel}`]),
    ...(topic === undefined ? [] : [`about ${topic}`]),
  ].join(' ')
}

/** What {@link reserveCaps} would decide of one message at this moment, reserving nothing. */
export async function foreseeCaps(session: Session, limits: CapLimits, one: Cleared): Promise<CapDecision> {
  const applicants = applicantsOf(limits, [one])
  // The message itself may not be among those that are due yet.
  const messages = await readMessages(session, limits, applicants, fewest(limits) - 1)
  return decideCaps(limits.caps, applicants, messages, limits).get(one.candidate.touchpointId) ?? 'admit'
}

interface CapLimits {
  readonly caps: readonly Cap[]
  readonly topic: string | undefined
  readonly priority: number
  readonly maxDelay: number
  readonly now: Date
}

function applicantsOf({ topic, priority }: CapLimits, cleared: readonly Cleared[]): Applicant[] {
  return cleared.map(({ candidate, channel, contact }) => ({
    personId: candidate.personId,
    touchpointId: candidate.touchpointId,
    plannedFor: candidate.plannedFor,
    zone: contact.timezone,
    channel,
    topic,
    priority,
  }))
}

/** When the first of the windows that concern the applicants began. */
function earliestStart({ caps, now }: CapLimits, applicants: readonly Applicant[]): Date {
  const zones = new Set(applicants.map(({ zone }) => zone))
  const starts = caps.flatMap(({ at_most: most }) =>
    [...zones].map((zone) => windowOf(most, zone, now).from.getTime()),
  )
  return new Date(Math.min(...starts))
}

/**
 * Decides a claim’s caps and marks what is admitted as reserved: a claimed touchpoint with a channel counts as open, until
 * it is settled, put back or swept. To be called under the locks on the persons, taken by a statement before: what is
 * counted here stays true until the transaction ends.
 */
export async function reserveCaps(
  tx: Transaction,
  claimId: string,
  limits: CapLimits,
  cleared: readonly Cleared[],
): Promise<Map<number, CapDecision>> {
  const decisions = await decisionsOf(tx, limits, cleared)
  const admitted = cleared.filter(({ candidate }) => decisions.get(candidate.touchpointId) === 'admit')
  const held = new Set(await markReserved(tx, claimId, admitted))
  for (const { candidate } of admitted) {
    if (!held.has(candidate.touchpointId)) decisions.set(candidate.touchpointId, anew(limits))
  }
  return decisions
}

async function decisionsOf(
  tx: Transaction,
  limits: CapLimits,
  cleared: readonly Cleared[],
): Promise<Map<number, CapDecision>> {
  if (limits.caps.length === 0) {
    return new Map(cleared.map(({ candidate }) => [candidate.touchpointId, 'admit']))
  }
  const applicants = applicantsOf(limits, cleared)
  const messages = await readMessages(tx, limits, applicants, fewest(limits))
  return decideCaps(limits.caps, applicants, messages, limits)
}

/** What the guards saw is no longer so: they look again. What is another worker's by now is not put back, by its fence. */
function anew({ now }: CapLimits): CapDecision {
  return { verdict: { kind: 'defer', until: now, cause: 'changed' } }
}

/** No cap holds back the messages of a person who has so many at most, sent, open and due ones together. */
function fewest({ caps }: CapLimits): number {
  return Math.min(...caps.map(({ at_most: most }) => most.count))
}

/**
 * The messages of those who have more than `most`: by the contacts who are the same person now. Nearly everybody has
 * fewer, and then no cap says no. Each part is look-ups by contact, in the work table and in the months of the record
 * that the windows reach into; `OFFSET 0` holds the planner to that, who still takes the record of a first run for empty
 * and would read all of it for every batch.
 */
async function readMessages(
  session: Session,
  limits: CapLimits,
  applicants: readonly Applicant[],
  most: number,
): Promise<Message[]> {
  const { now } = limits
  const since = earliestStart(limits, applicants)
  const persons = [...new Set(applicants.map(({ personId }) => personId))]
  return await preparedRows<Message>(
    session,
    sql`
    WITH people AS MATERIALIZED (
      SELECT c.contact_id, c.person_id FROM contacts c WHERE c.person_id = ANY (${bigints(persons)})
    ), known AS (
      SELECT p.person_id, r.touchpoint_id, 'sent' AS state, r.settled_at AS at, ARRAY[r.channel] AS channels, s.topic,
        s.priority, r.planned_for
      FROM people p CROSS JOIN LATERAL (
        SELECT * FROM touchpoint_records r WHERE r.contact_id = p.contact_id AND r.settled_at >= ${since}
          AND r.state IN ('sent', 'uncertain') OFFSET 0) r
      JOIN steps s ON s.step_id = r.step_id
      UNION ALL
      -- What another system sent before: no touchpoint of ours has a number below nought.
      SELECT p.person_id, -1, 'sent', o.sent_at, ARRAY[o.channel], nullif(o.topic, ''), 0::smallint, o.sent_at
      FROM people p CROSS JOIN LATERAL (
        SELECT * FROM outside_sends o WHERE o.contact_id = p.contact_id AND o.sent_at >= ${since} OFFSET 0) o
      UNION ALL
      SELECT p.person_id, t.touchpoint_id,
        CASE WHEN t.state IN ('claimed', 'sending') AND t.channel IS NOT NULL THEN 'open' ELSE 'due' END, NULL,
        CASE WHEN t.channel IS NOT NULL THEN ARRAY[t.channel] ELSE s.channels END, s.topic, s.priority, t.planned_for
      FROM people p CROSS JOIN LATERAL (SELECT * FROM touchpoints t WHERE t.contact_id = p.contact_id OFFSET 0) t
      JOIN steps s ON s.step_id = t.step_id
      WHERE t.state = 'sending' OR t.state = 'claimed'
        OR (t.due_at <= ${now} AND ${isOpen(sql`s`)})
    )
    SELECT person_id AS "personId", touchpoint_id AS "touchpointId", state, at, channels, topic, priority,
      planned_for AS "plannedFor"
    FROM (SELECT *, count(*) OVER (PARTITION BY person_id) AS messages FROM known) AS counted
    WHERE messages > ${most}::bigint`,
  )
}

/**
 * Reserves what is still the claim’s, of the person it was counted for, and within the effort its episode is worth. A
 * contact that was merged or parted since it was gathered was counted among the wrong messages. Another step of the
 * episode that reserved meanwhile was not counted at all: contacts, too, are locked with their person.
 * @returns the touchpoints that are reserved now
 */
async function markReserved(
  tx: Transaction,
  claimId: string,
  admitted: readonly Cleared[],
): Promise<number[]> {
  if (admitted.length === 0) return []
  const candidates = admitted.map(({ candidate }) => candidate)
  const keys = sql`unnest(${ofAnyLength(bigints(candidates.map((one) => one.contactId)))},
        ${bigints(candidates.map((one) => one.touchpointId))}, ${sql.param(admitted.map(({ channel }) => channel))}::text[],
        ${bigints(candidates.map((one) => one.personId))}, ${sql.param(candidates.map((one) => one.effort))}::int[]
      ) AS k(contact_id, touchpoint_id, channel, person_id, effort)`
  const limited = candidates.some(({ effort }) => effort !== null)
  const state = sql`t.claim_id = ${claimId}::uuid AND t.state = 'claimed'
          AND EXISTS (SELECT FROM contacts c WHERE c.contact_id = k.contact_id AND c.person_id = k.person_id)
          ${limited ? sql`AND (k.effort IS NULL OR k.effort > ${effortSpent()})` : sql``}`
  const reserved = await preparedRows<{ touchpointId: number }>(
    tx,
    sql`
    WITH locked AS (
      ${lockByKey(keys, state)}
    )
    UPDATE touchpoints t SET channel = locked.channel FROM locked
    WHERE t.contact_id = locked.contact_id AND t.touchpoint_id = locked.touchpoint_id
    RETURNING t.touchpoint_id AS "touchpointId"`,
  )
  return reserved.map((row) => row.touchpointId)
}
