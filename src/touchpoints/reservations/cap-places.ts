import { sql } from 'drizzle-orm'
import { bigints, ofAnyLength } from '../../database/arrays.ts'
import { preparedRows, type Session, type Transaction } from '../../database/connect.ts'
import { effortSpent } from '../gather.ts'
import { lockByKey } from '../keys.ts'
import { isOpen } from '../lifecycle.ts'
import type { Cleared } from '../message.ts'
import { type Applicant, type Cap, type CapDecision, decideCaps, type Message, windowOf } from './caps.ts'

// The places under the caps of persons, and within the effort of episodes: what counts is read for a whole batch, and
// what is admitted is marked, under the locks on the persons.

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
        CASE WHEN t.doubted OR (t.state IN ('claimed', 'sending') AND t.channel IS NOT NULL) THEN 'open' ELSE 'due' END, NULL,
        CASE WHEN t.channel IS NOT NULL THEN ARRAY[t.channel] WHEN t.doubted_on IS NOT NULL THEN ARRAY[t.doubted_on] ELSE s.channels END, s.topic, s.priority, t.planned_for
      FROM people p CROSS JOIN LATERAL (SELECT * FROM touchpoints t WHERE t.contact_id = p.contact_id OFFSET 0) t
      JOIN steps s ON s.step_id = t.step_id
      WHERE t.state = 'sending' OR t.state = 'claimed' OR t.doubted
        OR (t.due_at <= ${now} AND ${isOpen(sql`s`, now)})
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
