import { type SQL, sql } from 'drizzle-orm'
import type { CallOutcome, Sentiment } from '../channels/channel.ts'
import { later } from '../clock.ts'
import { isLeavingReason } from '../config/reasons.ts'
import { execute, rows, type Session, type Transaction } from '../database/connect.ts'
import { lockPersons } from '../database/person-locks.ts'
import { storable } from '../database/storable.ts'
import { lockStripesShared } from '../database/stripes.ts'
import { lockEpisodes, lockWaiting } from '../touchpoints/interruptions.ts'
import { type Call, type CallKey, isHeld } from './calls.ts'

// What became of an attempt to call somebody, and what follows from it. An attempt is recorded once, whoever reports
// it how often, also where the call has become pointless meanwhile: it was made.

export interface Attempt {
  readonly eventId: string
  readonly at: Date
  readonly by: string
  readonly outcome: CallOutcome
  readonly reason?: string | undefined
  readonly seconds: number
  readonly sentiment?: Sentiment | undefined
  readonly notes?: string | undefined
  readonly transcript?: string | undefined
  readonly nextAttemptAt?: Date | undefined
  /** The number that was called, as whoever called it writes it. */
  readonly phone?: string | undefined
}

export interface AttemptTerms {
  /** Micros an hour. */
  readonly wage: number
  /** Attempts until a call that reaches nobody is given up. */
  readonly attempts: number
  /** Contacts, as a query of `contact_id`, whose messages are taken back with it. */
  readonly reached?: SQL | undefined
}

/** What an attempt means for its call. Pure. */
export type Following = { readonly state: 'done' } | { readonly state: 'open'; readonly nextAttemptAt: Date }

/** Seconds until somebody who could not be reached is tried again, where nobody said otherwise. */
const AGAIN = { no_answer: 4 * 3600, call_back: 24 * 3600 }

function followAttempt(attempt: Attempt, attemptNo: number, most: number): Following {
  const { outcome, at, nextAttemptAt } = attempt
  if (outcome !== 'no_answer' && outcome !== 'call_back') return { state: 'done' }
  // Who asked to be called is called, however often nobody answered before.
  if (outcome === 'no_answer' && attemptNo >= most) return { state: 'done' }
  return { state: 'open', nextAttemptAt: nextAttemptAt ?? later(at, AGAIN[outcome]) }
}

/** Why marketing to somebody ends with an attempt; undefined where it does not. Who has a wrong number is somebody else. */
function endsMarketing({ outcome, sentiment }: Attempt): 'opted_out' | 'negative' | undefined {
  if (outcome === 'wrong_number') return undefined
  if (outcome === 'opted_out') return 'opted_out'
  return sentiment === 'negative' ? 'negative' : undefined
}

interface Held {
  readonly touchpointId: number
  readonly episodeId: number
  readonly stepId: number
  readonly taker: 'agent' | 'robot'
  readonly state: Call['state']
  readonly attempts: number
  readonly claimedBy: string | null
  readonly claimedAt: Date | null
}

/**
 * Locks all an attempt may touch, in the order everybody does: the contact, its person, its episode, what waits for those
 * it silences, then the call.
 * @param ends whether marketing to the person ends with it
 * @param reached whose messages are taken back besides
 * @returns undefined where there is no such call
 */
async function holdCall(
  tx: Transaction,
  key: CallKey,
  ends: boolean,
  reached: SQL | undefined,
): Promise<Held | undefined> {
  const { contactId, callId } = key
  // Before the episode: a call may end in an opt-out, which asks for the stripe, and a selection holds that while it
  // takes episodes.
  await lockStripesShared(tx, sql`SELECT ${contactId}::bigint AS contact_id`)
  await execute(tx, sql`SELECT FROM contacts WHERE contact_id = ${contactId} FOR NO KEY UPDATE`)
  if (ends) await lockPersons(tx, [contactId])
  const [place] = await rows<{ episodeId: number }>(
    tx,
    sql`SELECT episode_id AS "episodeId" FROM calls WHERE contact_id = ${contactId} AND call_id = ${callId}`,
  )
  if (!place) return undefined
  await lockEpisodes(tx, [{ contactId, episodeId: place.episodeId }])
  const accounts = sql`SELECT o.contact_id FROM contacts c JOIN contacts o USING (person_id) WHERE c.contact_id = ${contactId}`
  const silenced = [...(ends ? [accounts] : []), ...(reached ? [reached] : [])]
  if (silenced.length > 0) {
    await lockWaiting(tx, sql`t.contact_id IN (${sql.join(silenced, sql` UNION ALL `)})`)
  }
  const [held] = await rows<Held>(
    tx,
    sql`SELECT touchpoint_id AS "touchpointId", episode_id AS "episodeId", step_id AS "stepId", taker, state, attempts,
          claimed_by AS "claimedBy", claimed_at AS "claimedAt"
        FROM calls WHERE contact_id = ${contactId} AND call_id = ${callId} FOR UPDATE`,
  )
  return held
}

export type AttemptAnswer =
  | {
      readonly outcome: 'recorded'
      /** Marketing to the contact is to end with it. */
      readonly ends: 'opted_out' | 'negative' | undefined
      /** A call that a person is to make now. */
      readonly care: boolean
    }
  | {
      readonly outcome: 'repeated'
      /** What was recorded, where the repeat says something else of the call. */
      readonly before: string | undefined
    }
  | { readonly outcome: 'unknown' }

/**
 * Records an attempt with all that is this side's: the call is done or waits for its next attempt, its minutes are
 * booked as labour, its reason is kept, and somebody who left a robot unhappy or asks for a person gets one.
 */
export async function recordAttempt(
  tx: Transaction,
  now: Date,
  key: CallKey,
  attempt: Attempt,
  terms: AttemptTerms,
): Promise<AttemptAnswer> {
  const ends = endsMarketing(attempt)
  const held = await holdCall(tx, key, ends !== undefined, terms.reached)
  if (!held) return { outcome: 'unknown' }
  const attemptNo = held.attempts + 1
  const { reason, notes } = keptOf(attempt)
  const following = followAttempt(attempt, attemptNo, terms.attempts)
  const next = following.state === 'open' ? following.nextAttemptAt : null
  const added = await execute(
    tx,
    sql`INSERT INTO call_attempts (contact_id, call_id, attempt_no, event_id, made_at, made_by, outcome, reason, seconds,
          sentiment, notes, transcript, next_attempt_at)
        VALUES (${key.contactId}, ${key.callId}, ${attemptNo}, ${storable(attempt.eventId)}, ${attempt.at}, ${attempt.by},
          ${attempt.outcome}, ${reason}, ${attempt.seconds}, ${attempt.sentiment ?? null},
          ${notes}, ${attempt.transcript === undefined ? null : storable(attempt.transcript)},
          ${next})
        ON CONFLICT (contact_id, call_id, event_id) DO NOTHING`,
  )
  if (added === 0) return (await findRepeat(tx, key, attempt)) ?? { outcome: 'unknown' }
  const open = held.state === 'open' || held.state === 'claimed'
  await execute(
    tx,
    sql`UPDATE calls SET attempts = ${attemptNo} ${
      !open
        ? sql``
        : following.state === 'done'
          ? sql`, state = 'done', closed_at = ${now}, closed_by = ${attempt.outcome}`
          : isOthers(held, attempt.by, now)
            ? sql`, next_attempt_at = ${next}`
            : sql`, state = 'open', claimed_by = NULL, claimed_at = NULL, address_key = NULL, next_attempt_at = ${next}`
    } WHERE contact_id = ${key.contactId} AND call_id = ${key.callId}`,
  )
  // What the robot costs is its price; what a person costs is time.
  if (held.taker === 'agent') await bookLabour(tx, now, key, held, attempt.seconds * (terms.wage / 3600))
  if (reason !== null) await keepReason(tx, key, held, attempt, { reason, note: notes })
  const care =
    held.taker === 'robot' &&
    ends !== 'opted_out' &&
    (ends === 'negative' || attempt.outcome === 'handed_over')
  if (care) await openCare(tx, now, key)
  return { outcome: 'recorded', ends, care }
}

/** Reason and notes as they are kept: a reason that is none of the list is `other`, and stands in the notes. */
function keptOf({ reason, notes }: Attempt): Pick<AttemptMade, 'reason' | 'notes'> {
  const known = reason !== undefined && isLeavingReason(reason)
  const noted = [...(reason !== undefined && !known ? [reason] : []), notes]
    .filter((text) => text !== undefined)
    .join('\n')
  return {
    reason: reason === undefined ? null : known ? reason : 'other',
    notes: noted === '' ? null : storable(noted),
  }
}

/** Whether somebody else has the call by now: who tells late of an attempt takes it from nobody. */
function isOthers(held: Held, by: string, now: Date): boolean {
  return isHeld(held, now) && held.claimedBy !== by
}

async function bookLabour(
  tx: Transaction,
  now: Date,
  key: CallKey,
  held: Held,
  amount: number,
): Promise<void> {
  const micros = Math.round(amount)
  if (micros <= 0) return
  await execute(
    tx,
    sql`INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
        VALUES (${key.contactId}, ${held.touchpointId}, ${held.episodeId}, ${held.stepId}, 'labour', 'callback', ${micros},
          ${now})`,
  )
}

/** Why somebody stays away, as they said it in a call. */
async function keepReason(
  tx: Transaction,
  { contactId }: CallKey,
  { episodeId }: Held,
  { at, by }: Attempt,
  said: { readonly reason: string; readonly note: string | null },
): Promise<void> {
  await execute(
    tx,
    sql`INSERT INTO reasons_given (contact_id, source, reason, episode_id, said_at, note, recorded_by)
        VALUES (${contactId}, 'call', ${said.reason}, ${episodeId}, ${at}, ${said.note}, ${by})`,
  )
}

/** Seconds within which somebody who was unhappy should hear from a person. */
const CARE_WITHIN = 24 * 3600

/** What whoever calls back is told, in the contact's language; the robot's transcript is with the call. */
const CARE_SCRIPT = {
  zh: '机器人拨打后，对方不满意或要求人工服务。请先看通话记录，再致电致歉并听取意见，不要推销。',
  en: 'The robot left this person unhappy, or they asked for somebody. Read the transcript first. Then call, apologise and listen; sell nothing.',
}

/** A call that a person makes, to listen. It is no marketing, and no return closes it. None follows it: no robot makes it. */
async function openCare(tx: Transaction, now: Date, key: CallKey): Promise<void> {
  await execute(
    tx,
    sql`INSERT INTO calls (contact_id, touchpoint_id, episode_id, step_id, campaign, kind, script, taker, owner, priority,
          state, opened_at, due_at, next_attempt_at)
        SELECT c.contact_id, c.touchpoint_id, c.episode_id, c.step_id, c.campaign, 'care',
          CASE WHEN o.locale ILIKE 'zh%' THEN ${CARE_SCRIPT.zh}::text ELSE ${CARE_SCRIPT.en}::text END, 'agent', c.owner, 100, 'open',
          ${now}, ${now}::timestamptz + make_interval(secs => ${CARE_WITHIN}), ${now}
        FROM calls c JOIN contacts o USING (contact_id)
        WHERE c.contact_id = ${key.contactId} AND c.call_id = ${key.callId}
        ON CONFLICT DO NOTHING`,
  )
}

/** The attempt as a repeat; undefined where it was not recorded before. */
export async function findRepeat(
  tx: Transaction,
  key: CallKey,
  attempt: Attempt,
): Promise<(AttemptAnswer & { readonly outcome: 'repeated' }) | undefined> {
  type Said = Pick<AttemptMade, 'outcome' | 'reason' | 'seconds' | 'sentiment' | 'notes'>
  const [found] = await rows<Said & Pick<AttemptMade, 'nextAttemptAt'>>(
    tx,
    sql`SELECT outcome, reason, seconds, sentiment, notes, next_attempt_at AS "nextAttemptAt" FROM call_attempts
        WHERE contact_id = ${key.contactId} AND call_id = ${key.callId} AND event_id = ${storable(attempt.eventId)}`,
  )
  if (!found) return undefined
  const { outcome, seconds, sentiment = null, nextAttemptAt: next = found.nextAttemptAt } = attempt
  const said: Said = { outcome, seconds, sentiment, ...keptOf(attempt) }
  const same =
    (Object.keys(said) as (keyof Said)[]).every((field) => said[field] === found[field]) &&
    (found.nextAttemptAt === null || next?.getTime() === found.nextAttemptAt.getTime())
  return { outcome: 'repeated', before: same ? undefined : found.outcome }
}

/** The call a robot was told of by its touchpoint; undefined where it is not (or not yet) there. */
export async function findRobotCall(
  tx: Transaction,
  message: { contactId: number; touchpointId: number },
): Promise<CallKey | undefined> {
  const [found] = await rows<CallKey>(
    tx,
    sql`SELECT contact_id AS "contactId", call_id AS "callId" FROM calls
        WHERE contact_id = ${message.contactId} AND touchpoint_id = ${message.touchpointId} AND taker = 'robot'`,
  )
  return found
}

/** The message to the robot of which nobody knows whether it took the call; undefined where there is no such doubt. */
export async function findDoubtedCall(
  session: Session,
  message: { contactId: number; touchpointId: number },
): Promise<{ readonly episodeId: number; readonly stepId: number } | undefined> {
  const [found] = await rows<{ episodeId: number; stepId: number }>(
    session,
    sql`SELECT episode_id AS "episodeId", step_id AS "stepId" FROM touchpoint_records
        WHERE contact_id = ${message.contactId} AND touchpoint_id = ${message.touchpointId}
          AND state = 'uncertain' AND channel = 'callback'`,
  )
  return found
}

/** An attempt as it was recorded. */
export interface AttemptMade {
  readonly attemptNo: number
  readonly madeAt: Date
  readonly madeBy: string
  readonly outcome: string
  readonly reason: string | null
  readonly seconds: number
  readonly sentiment: string | null
  readonly notes: string | null
  readonly transcript: string | null
  readonly nextAttemptAt: Date | null
}

/** All attempts to call for the same touchpoint, a robot's before the care that followed it included; oldest first. */
export async function readAttempts(tx: Transaction, key: CallKey): Promise<AttemptMade[]> {
  return await rows<AttemptMade>(
    tx,
    sql`SELECT a.attempt_no AS "attemptNo", a.made_at AS "madeAt", a.made_by AS "madeBy", a.outcome, a.reason, a.seconds,
          a.sentiment, a.notes, a.transcript, a.next_attempt_at AS "nextAttemptAt"
        FROM calls mine JOIN calls c ON c.contact_id = mine.contact_id AND c.touchpoint_id = mine.touchpoint_id
        JOIN call_attempts a ON a.contact_id = c.contact_id AND a.call_id = c.call_id
        WHERE mine.contact_id = ${key.contactId} AND mine.call_id = ${key.callId}
        ORDER BY a.made_at, a.call_id, a.attempt_no`,
  )
}
