import { sql } from 'drizzle-orm'
import { rows, type Session } from '../../database/connect.ts'

// What was promised to one contact and what they did with it, who called them, and what they said they want: each by the
// contact's own key.

export interface GrantRow {
  campaign: string
  offer: string
  offerKind: string
  state: 'reserved' | 'granted' | 'redeemed' | 'expired'
  code: string | null
  reservedAt: Date
  grantedAt: Date | null
  expiresAt: Date
  redeemedAt: Date | null
  /** Micros of the order it was redeemed with. */
  redeemedValue: number | null
}

export async function findGrants(session: Session, contactId: number, now: Date): Promise<GrantRow[]> {
  return await rows<GrantRow>(
    session,
    sql`
    SELECT campaign, offer, kind AS "offerKind", state, code, reserved_at AS "reservedAt", granted_at AS "grantedAt",
      expires_at AS "expiresAt", redeemed_at AS "redeemedAt", redeemed_value AS "redeemedValue"
    FROM grants WHERE contact_id = ${contactId} AND reserved_at <= ${now} ORDER BY reserved_at, grant_id`,
  )
}

export interface ReleasedRow {
  campaign: string
  offer: string
  step: string
  reservedAt: Date
  releasedAt: Date
  /** How the message had ended by then; null where it was put off or is tried again. */
  state: 'failed' | 'skipped' | 'cancelled' | null
  reason: string | null
}

/**
 * Promises that came to nothing: the message did not go out, and the offer was given back. A step has one message an
 * episode, and its record of the time between tells why.
 */
export async function findReleased(session: Session, contactId: number, now: Date): Promise<ReleasedRow[]> {
  return await rows<ReleasedRow>(
    session,
    sql`
    SELECT g.campaign, g.offer, s.step, g.reserved_at AS "reservedAt", g.released_at AS "releasedAt", r.state, r.reason
    FROM released_grants g JOIN steps s USING (step_id)
    LEFT JOIN LATERAL (SELECT r.state, r.reason FROM touchpoint_records r
      WHERE r.contact_id = g.contact_id AND r.step_id = g.step_id AND r.settled_at BETWEEN g.reserved_at AND g.released_at
        AND r.state IN ('failed', 'skipped', 'cancelled')
      ORDER BY r.settled_at DESC LIMIT 1) r ON true
    WHERE g.contact_id = ${contactId} AND g.released_at <= ${now} ORDER BY g.released_at, g.grant_id`,
  )
}

export interface RefusedRow {
  /** Null where nobody was given the code. */
  campaign: string | null
  offer: string | null
  code: string
  reason: string
  /** Micros of the order it was tried with. */
  value: number | null
  redeemedAt: Date
}

export async function findRefused(session: Session, contactId: number, now: Date): Promise<RefusedRow[]> {
  return await rows<RefusedRow>(
    session,
    sql`
    SELECT campaign, offer, code, reason, value, redeemed_at AS "redeemedAt"
    FROM refused_redemptions WHERE contact_id = ${contactId} AND redeemed_at <= ${now}
    ORDER BY redeemed_at, redemption_key`,
  )
}

export interface CallRow {
  campaign: string
  callKind: string
  taker: 'agent' | 'robot'
  owner: string | null
  openedAt: Date
  dueAt: Date
  closedAt: Date | null
  closedBy: string | null
  /** An attempt ended it, and tells it. */
  made: boolean
}

export async function findCalls(session: Session, contactId: number, now: Date): Promise<CallRow[]> {
  return await rows<CallRow>(
    session,
    sql`
    SELECT campaign, kind AS "callKind", taker, owner, opened_at AS "openedAt", due_at AS "dueAt",
      closed_at AS "closedAt", closed_by AS "closedBy", state = 'done' AS made
    FROM calls WHERE contact_id = ${contactId} AND opened_at <= ${now} ORDER BY opened_at, call_id`,
  )
}

export interface AttemptRow {
  campaign: string
  attemptNo: number
  madeAt: Date
  madeBy: string
  outcome: string
  reason: string | null
  seconds: number
  sentiment: string | null
  notes: string | null
  nextAttemptAt: Date | null
}

export async function findAttempts(session: Session, contactId: number, now: Date): Promise<AttemptRow[]> {
  return await rows<AttemptRow>(
    session,
    sql`
    SELECT c.campaign, a.attempt_no AS "attemptNo", a.made_at AS "madeAt", a.made_by AS "madeBy", a.outcome, a.reason,
      a.seconds, a.sentiment, a.notes, a.next_attempt_at AS "nextAttemptAt"
    FROM call_attempts a JOIN calls c USING (contact_id, call_id)
    WHERE a.contact_id = ${contactId} AND a.made_at <= ${now} ORDER BY a.made_at, a.call_id, a.attempt_no`,
  )
}

export interface ReasonRow {
  source: string
  reason: string
  note: string | null
  saidAt: Date
}

/** Why they stay away, as they said it; what was said in a call is told with its attempt. */
export async function findReasons(session: Session, contactId: number, now: Date): Promise<ReasonRow[]> {
  return await rows<ReasonRow>(
    session,
    sql`
    SELECT source, reason, note, said_at AS "saidAt" FROM reasons_given
    WHERE contact_id = ${contactId} AND said_at <= ${now} AND source <> 'call' ORDER BY said_at, reason_id`,
  )
}

export interface ChoiceRow {
  channelsOff: string[]
  topicsOff: string[]
  atMost: number | null
  withinDays: number | null
  pausedUntil: Date | null
  source: string
  chosenAt: Date
}

export async function findChoices(session: Session, contactId: number, now: Date): Promise<ChoiceRow[]> {
  return await rows<ChoiceRow>(
    session,
    sql`
    SELECT channels_off AS "channelsOff", topics_off AS "topicsOff", at_most AS "atMost", within_days AS "withinDays",
      paused_until AS "pausedUntil", source, chosen_at AS "chosenAt"
    FROM preferences WHERE contact_id = ${contactId} AND chosen_at <= ${now} ORDER BY chosen_at`,
  )
}

export interface ConsentRow {
  channel: string
  decision: 'given' | 'withdrawn'
  source: string
  decidedAt: Date
}

export async function findConsents(session: Session, contactId: number, now: Date): Promise<ConsentRow[]> {
  return await rows<ConsentRow>(
    session,
    sql`
    SELECT channel, decision, source, decided_at AS "decidedAt" FROM consents
    WHERE contact_id = ${contactId} AND decided_at <= ${now} ORDER BY decided_at, channel`,
  )
}

export interface ShownRow {
  campaign: string
  step: string
  title: string
  shownAt: Date
}

/** Messages of the user's own app that were shown there. */
export async function findShown(session: Session, contactId: number, now: Date): Promise<ShownRow[]> {
  return await rows<ShownRow>(
    session,
    sql`
    SELECT s.campaign, s.step, m.title, m.shown_at AS "shownAt"
    FROM inapp_messages m JOIN steps s USING (step_id)
    WHERE m.contact_id = ${contactId} AND m.shown_at <= ${now} ORDER BY m.shown_at, m.touchpoint_id`,
  )
}
