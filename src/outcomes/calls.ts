import { type SQL, sql } from 'drizzle-orm'
import type { CallTask } from '../channels/channel.ts'
import { later } from '../clock.ts'
import { isSwitchedOff } from '../config/switches.ts'
import { bigints } from '../database/arrays.ts'
import { execute, rows, type Session, type Transaction } from '../database/connect.ts'

// Calls as tasks: opened when their step's send is settled, taken by one agent at a time, and closed as soon as they
// are pointless. Locks are taken in the order contact → episode → touchpoint → call.

export interface CallKey {
  readonly contactId: number
  readonly callId: number
}

const ID = /^call-([0-9a-z]{1,11})-([0-9a-z]{1,11})$/

/** `call-<contact>-<call>`, both in base 36. */
export function callIdOf({ contactId, callId }: CallKey): string {
  return `call-${contactId.toString(36)}-${callId.toString(36)}`
}

/** The call an id names; undefined where it is none of ours. */
export function readCallId(text: string): CallKey | undefined {
  const [, contact, call] = ID.exec(text) ?? []
  if (contact === undefined || call === undefined) return undefined
  return { contactId: Number.parseInt(contact, 36), callId: Number.parseInt(call, 36) }
}

/** A call to be opened, as its step said it. */
export interface OpeningCall {
  readonly contactId: number
  readonly touchpointId: number
  readonly episodeId: number
  readonly task: CallTask
}

/**
 * Opens the calls whose send has just been settled as sent, in the same transaction and under the locks on their
 * episodes: one whose contact came back a moment before is closed as it is opened.
 */
export async function openCalls(
  tx: Transaction,
  now: Date,
  step: {
    readonly stepId: number
    readonly campaign: string
    readonly kind: 'recall' | 'welcome'
    readonly owner: string | null
    readonly priority: number
    /** Seconds. */
    readonly sla: number
  },
  opening: readonly OpeningCall[],
): Promise<void> {
  if (opening.length === 0) return
  await execute(
    tx,
    sql`
    INSERT INTO calls (contact_id, touchpoint_id, episode_id, step_id, campaign, kind, script, taker, owner, priority,
      state, opened_at, due_at, next_attempt_at, closed_at, closed_by)
    SELECT g.contact_id, g.touchpoint_id, g.episode_id, ${step.stepId}::int, ${step.campaign}, ${step.kind}, g.script,
      g.taker, ${step.owner}::text, ${step.priority}::smallint, CASE WHEN silenced.by IS NULL THEN 'open' ELSE 'closed' END,
      ${now}, ${now}::timestamptz + make_interval(secs => ${step.sla}), ${now},
      CASE WHEN silenced.by IS NOT NULL THEN ${now}::timestamptz END, silenced.by
    FROM unnest(${bigints(opening.map((row) => row.contactId))},
      ${bigints(opening.map((row) => row.touchpointId))},
      ${bigints(opening.map((row) => row.episodeId))},
      ${sql.param(opening.map((row) => row.task.script))}::text[],
      ${sql.param(opening.map((row) => row.task.taker))}::text[]
    ) AS g(contact_id, touchpoint_id, episode_id, script, taker)
    JOIN episodes e ON e.contact_id = g.contact_id AND e.episode_id = g.episode_id
    CROSS JOIN LATERAL (SELECT CASE WHEN ${step.kind} = 'recall' OR e.silenced_by <> 'returned' THEN e.silenced_by
      WHEN e.contaminated THEN 'contaminated' END AS by) silenced
    WHERE EXISTS (SELECT FROM touchpoint_records r
      WHERE r.contact_id = g.contact_id AND r.touchpoint_id = g.touchpoint_id AND r.state = 'sent')
    ON CONFLICT DO NOTHING`,
  )
}

/** What is left to be called of a campaign; care for somebody who was unhappy goes on whatever else happens. */
export const CAMPAIGN_CALLS = ['recall', 'welcome'] as const

/**
 * Closes the open calls a condition picks out, in the transaction that records the cause.
 * @param which an SQL condition over `c` (calls)
 */
export async function closeCalls(
  tx: Transaction,
  now: Date,
  cause: { which: SQL; by: string; kinds: readonly ('recall' | 'welcome' | 'care')[] },
): Promise<number> {
  return await execute(
    tx,
    sql`
    WITH locked AS (
      SELECT c.contact_id, c.call_id FROM calls c
      WHERE c.state IN ('open', 'claimed') AND c.kind = ANY (${sql.param([...cause.kinds])}::text[]) AND (${cause.which})
      ORDER BY c.contact_id, c.call_id FOR UPDATE OF c
    )
    UPDATE calls c SET state = 'closed', closed_at = ${now}, closed_by = ${cause.by}
    FROM locked l WHERE c.contact_id = l.contact_id AND c.call_id = l.call_id`,
  )
}

/** Closes what waits for episodes that have ended: nobody is to be won back any more. */
export async function closeOverdueCalls(tx: Transaction, now: Date): Promise<number> {
  return await closeCalls(tx, now, {
    which: sql`EXISTS (SELECT FROM episodes e
      WHERE e.contact_id = c.contact_id AND e.episode_id = c.episode_id AND e.ended_at <= ${now})`,
    by: 'expired',
    kinds: CAMPAIGN_CALLS,
  })
}

/** Seconds after which a call that an agent took and never told of is anybody's again. */
const CLAIM_LASTS = 7200

/** A call as agents see it. */
export interface Call extends CallKey {
  readonly touchpointId: number
  readonly externalId: string
  readonly firstName: string | null
  readonly phone: string | null
  readonly locale: string | null
  readonly timezone: string | null
  readonly campaign: string
  readonly tier: string
  readonly step: string
  /** Since when the contact has been silent; null where nothing was ever heard of them. */
  readonly silentSince: Date | null
  readonly kind: 'recall' | 'welcome' | 'care'
  readonly taker: 'agent' | 'robot'
  readonly script: string
  readonly owner: string | null
  readonly priority: number
  readonly state: 'open' | 'claimed' | 'done' | 'closed'
  readonly openedAt: Date
  readonly dueAt: Date
  readonly nextAttemptAt: Date
  readonly attempts: number
  readonly claimedBy: string | null
  readonly claimedAt: Date | null
  readonly closedAt: Date | null
  readonly closedBy: string | null
  /** Its campaign, all calls or everything are paused: nobody can take it meanwhile. */
  readonly paused: boolean
  /** It is outside the campaign's hours where the contact is, until then; null where it may be made, or a time was agreed. */
  readonly quietUntil: Date | null
}

/** Where it is not the hour to call now. */
export interface Quiet {
  readonly stepId: number
  /** As the contacts have it. */
  readonly timezone: string | null
  readonly until: Date
}

/** True of a call that a switch holds back. Care is owed to somebody, whatever becomes of the campaign. */
const PAUSED = sql`(c.kind <> 'care' AND ${isSwitchedOff(sql`c.campaign`, sql`'callback'`)})`

/** When the hours of a call `c` to `o` begin, where it is outside them. Who asked to be called again said when. */
function quietUntil(quiet: readonly Quiet[]): SQL {
  if (quiet.length === 0) return sql`NULL::timestamptz`
  return sql`(SELECT q.until FROM unnest(${sql.param(quiet.map(({ stepId }) => stepId))}::int[],
      ${sql.param(quiet.map(({ timezone }) => timezone))}::text[],
      ${sql.param(quiet.map(({ until }) => until.toISOString()))}::timestamptz[]) AS q (step_id, timezone, until)
    WHERE q.step_id = c.step_id AND q.timezone IS NOT DISTINCT FROM o.timezone
      AND NOT EXISTS (SELECT FROM call_attempts m WHERE m.contact_id = c.contact_id AND m.call_id = c.call_id
        AND m.attempt_no = c.attempts AND m.outcome = 'call_back'))`
}

const columnsOf = (
  quiet: readonly Quiet[],
) => sql`c.contact_id AS "contactId", c.call_id AS "callId", c.touchpoint_id AS "touchpointId",
  o.external_id AS "externalId", o.attributes ->> 'first_name' AS "firstName", o.phone, o.locale, o.timezone,
  c.campaign, p.tier, p.step, a.silent_since AS "silentSince", c.kind, c.taker, c.script, c.owner, c.priority, c.state, c.opened_at AS "openedAt",
  c.due_at AS "dueAt", c.next_attempt_at AS "nextAttemptAt", c.attempts, c.claimed_by AS "claimedBy",
  c.claimed_at AS "claimedAt", c.closed_at AS "closedAt", c.closed_by AS "closedBy", ${PAUSED} AS paused,
  ${quietUntil(quiet)} AS "quietUntil"`

const SOURCE = sql`calls c JOIN contacts o USING (contact_id) JOIN steps p ON p.step_id = c.step_id
  LEFT JOIN contact_activity a ON a.contact_id = c.contact_id`

/** True of a call nobody holds. */
function isFree(now: Date): SQL {
  return sql`(c.state = 'open' OR (c.state = 'claimed'
    AND c.claimed_at <= ${now}::timestamptz - make_interval(secs => ${CLAIM_LASTS})))`
}

/** Whether somebody has the call, and not for so long that it is anybody's again. */
export function isHeld({ state, claimedAt }: Pick<Call, 'state' | 'claimedAt'>, now: Date): boolean {
  return state === 'claimed' && claimedAt !== null && later(claimedAt, CLAIM_LASTS) > now
}

/**
 * True of a call whose number is on the do-not-contact list. That a number is put there closes its calls; that a contact
 * has been given one that is there does not, for the next file may bring another. Care is no marketing.
 */
const SUPPRESSED = sql`(c.kind <> 'care' AND EXISTS (SELECT FROM contacts o JOIN suppressions s ON s.key = o.phone_key
    WHERE o.contact_id = c.contact_id AND s.kind = 'phone'))`

export interface CallFilter {
  /** Calls that may be made now, at the contact's hour, that nobody holds and no pause holds back; by default all that are not over. */
  readonly free?: boolean
  readonly campaign?: string | undefined
  readonly owner?: string | undefined
  readonly claimedBy?: string | undefined
  readonly limit?: number
}

/** The queue: the campaign of highest priority first, then what is due first. Calls of the robot are not in it, nor those to a number that may not be rung. */
export async function listCalls(
  session: Session,
  now: Date,
  quiet: readonly Quiet[],
  filter: CallFilter,
): Promise<Call[]> {
  const { free = false, campaign, owner, claimedBy, limit = 100 } = filter
  const conditions = [
    sql`c.state IN ('open', 'claimed') AND c.taker = 'agent' AND NOT ${SUPPRESSED}`,
    ...(free
      ? [
          sql`${isFree(now)} AND c.next_attempt_at <= ${now} AND NOT ${PAUSED}
      AND ${quietUntil(quiet)} IS NULL`,
        ]
      : []),
    ...(campaign === undefined ? [] : [sql`c.campaign = ${campaign}`]),
    ...(owner === undefined ? [] : [sql`c.owner = ${owner}`]),
    ...(claimedBy === undefined ? [] : [sql`c.state = 'claimed' AND c.claimed_by = ${claimedBy}`]),
  ]
  return await rows<Call>(
    session,
    sql`SELECT ${columnsOf(quiet)} FROM ${SOURCE} WHERE ${sql.join(conditions, sql` AND `)}
        ORDER BY c.priority DESC, c.due_at, c.contact_id, c.call_id LIMIT ${limit}`,
  )
}

/** One call, whatever its state; undefined where there is none. */
export async function readCall(
  session: Session,
  key: CallKey,
  quiet: readonly Quiet[],
): Promise<Call | undefined> {
  const [call] = await rows<Call>(
    session,
    sql`SELECT ${columnsOf(quiet)} FROM ${SOURCE} WHERE c.contact_id = ${key.contactId} AND c.call_id = ${key.callId}`,
  )
  return call
}

export type ClaimAnswer =
  | { readonly outcome: 'claimed'; readonly call: Call }
  /** Somebody else holds it. */
  | { readonly outcome: 'taken'; readonly by: string }
  /** It is over: made, or pointless by now. */
  | { readonly outcome: 'over'; readonly by: string }
  /** Held back until it is resumed. */
  | { readonly outcome: 'paused' }
  /** It is not the hour where the contact is. */
  | { readonly outcome: 'quiet_hours'; readonly until: Date; readonly timezone: string | null }
  | { readonly outcome: 'unknown' }

/**
 * An agent takes a call, once; taking one's own again is no mistake. The number it is shown with is remembered: it is what
 * they ring, whatever the contact has by the time they are through.
 */
export async function claimCall(
  tx: Transaction,
  now: Date,
  key: CallKey,
  agent: string,
  quiet: readonly Quiet[],
): Promise<ClaimAnswer> {
  // Held until the commit, so that what is remembered is what is shown.
  await execute(tx, sql`SELECT FROM contacts WHERE contact_id = ${key.contactId} FOR SHARE`)
  const taken = await execute(
    tx,
    sql`UPDATE calls c SET state = 'claimed', claimed_by = ${agent}, claimed_at = ${now},
          address_key = (SELECT coalesce(o.whole_key, o.phone_key) FROM contacts o WHERE o.contact_id = c.contact_id)
        WHERE c.contact_id = ${key.contactId} AND c.call_id = ${key.callId} AND c.taker = 'agent' AND NOT ${SUPPRESSED}
          AND ((${isFree(now)} AND NOT ${PAUSED}
              AND (SELECT ${quietUntil(quiet)} IS NULL FROM contacts o WHERE o.contact_id = c.contact_id)) OR (c.state = 'claimed' AND c.claimed_by = ${agent}))`,
  )
  const call = await readCall(tx, key, quiet)
  if (!call) return { outcome: 'unknown' }
  if (taken > 0) return { outcome: 'claimed', call }
  if (call.closedAt !== null) return { outcome: 'over', by: call.closedBy ?? '' }
  if (call.taker === 'robot') return { outcome: 'taken', by: 'robot' }
  if (call.state === 'claimed' && call.claimedBy !== agent)
    return { outcome: 'taken', by: call.claimedBy ?? '' }
  // Nobody could be in the way of a call that is open, but a pause, the hour and the list.
  if (call.paused) return { outcome: 'paused' }
  return call.quietUntil
    ? { outcome: 'quiet_hours', until: call.quietUntil, timezone: call.timezone }
    : { outcome: 'over', by: 'suppressed' }
}

/** An agent gives a call back. @returns false where the agent does not hold it */
export async function releaseCall(tx: Transaction, key: CallKey, agent: string): Promise<boolean> {
  const released = await execute(
    tx,
    sql`UPDATE calls SET state = 'open', claimed_by = NULL, claimed_at = NULL, address_key = NULL
        WHERE contact_id = ${key.contactId} AND call_id = ${key.callId} AND state = 'claimed' AND claimed_by = ${agent}`,
  )
  return released > 0
}
