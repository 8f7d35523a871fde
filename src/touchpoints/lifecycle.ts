import { type SQL, sql } from 'drizzle-orm'
import { LONGEST_REST, type Wait } from '../config/waits.ts'
import { bigints, ofAnyLength, texts } from '../database/arrays.ts'
import { AWAITING_NO_DISK, execute, preparedRows, type Session } from '../database/connect.ts'
import { PROVIDER_WORDS, storable } from '../database/storable.ts'
import { expectedCostRows, grantedWith } from '../offers/conclusion.ts'
import { type LastLook, mayGo } from './guards/last-look.ts'
import { type Going, goingTable, keyTable, lockByKey, type TouchpointKey } from './keys.ts'
import { resting } from './sending/absences.ts'

// A touchpoint's way from `planned` to its record, as set-based SQL: what a dispatcher and a worker do to it. What happens
// meanwhile and takes it from under them is in interruptions.ts; what they leave behind when they die, in recovery.ts.
// Elsewhere, rows of the work table are only born (as `planned`: audience/stages.ts, audience/seeds.ts,
// outcomes/returns.ts), marked with the channel that cap-places.ts reserved, and removed when a person is erased.
//
//   planned ─▶ queued ─▶ claimed ─▶ sending ─▶ (settled: a row of touchpoint_records)
//      ▲─────────┴──────────┴──────────┘ release, defer, retry
//
// From `claimed` straight to settled goes what was not sent after all, and what is sent without any effect outside.
// Claims are fenced: a claim writes a fresh claim_id and a lease, and every later statement says
// `claim_id = $mine`. Leases are real time of the database (clock_timestamp()); all else is the caller's `now`.
// Sets are locked in primary key order, so that two of these statements cannot wait for each other.

/** How long each hold on a touchpoint lasts before the sweeper takes it back; seconds of real time. */
export interface Leases {
  /** A batch may wait in the queue. */
  readonly queued: number
  /** A worker has for a claimed batch; renewed while it works through it. */
  readonly claim: number
  /** After a slice was marked, until each of its sends has ended: above every channel's deadline. */
  readonly send: number
}

export const LEASES: Leases = { queued: 300, claim: 120, send: 90 }

/** How a touchpoint ends, or what stays to be recorded of it. */
export interface Settlement extends TouchpointKey {
  readonly state: 'sent' | 'failed' | 'skipped' | 'cancelled' | 'uncertain'
  readonly reason: string | null
  readonly detail: string | null
  readonly channel: string | null
  readonly template: string | null
  readonly providerId: string | null
  /** Micros of spend, booked when positive. */
  readonly cost: number
}

/**
 * How a touchpoint ends of which there is no message to tell: neither channel nor template, provider's id or price.
 * @param detail in whoever's words: what of them cannot be stored must not keep a whole batch from being settled
 */
export function settlementOf(
  { contactId, touchpointId }: TouchpointKey,
  state: Settlement['state'],
  reason: string | null,
  detail: string | null,
): Settlement {
  const nothing = { channel: null, template: null, providerId: null, cost: 0 }
  const words = detail === null ? null : storable(detail, PROVIDER_WORDS)
  return { contactId, touchpointId, state, reason, detail: words, ...nothing }
}

/** How many were recorded alike; `channel` is the one they went out by, or may have. */
export interface RecordCount extends Pick<Settlement, 'state' | 'channel'> {
  /** Why, where they were skipped. */
  readonly skipped: string | null
  readonly number: number
}

/** Of how many touchpoints a settlement is the record. Pure. */
export function numberOf(recorded: readonly RecordCount[]): number {
  return recorded.reduce((sum, { number }) => sum + number, 0)
}

/** A touchpoint that goes back to `planned`, to be looked at again at dueAt. */
export interface Deferral extends TouchpointKey {
  readonly dueAt: Date
  /** True where a send was tried: counts as an attempt. */
  readonly tried: boolean
  /**
   * It may have gone out, and the provider recognises a repeat: where it went to is remembered beside where it goes next, and
   * what it promised stays promised.
   */
  readonly doubted?: boolean
  /** Micros of spend, if it went out. */
  readonly cost?: number
  readonly why: Wait
}

/**
 * True where a step may be worked on: pauses, stops, kill switches and channels that rest gate what is dispatched and
 * touch no rows. A step is closed where all its channels are.
 * @param step an alias of `steps`
 * @param now when; without it, rests are over some time and are left aside
 */
export function isOpen(step: SQL, now?: Date): SQL {
  const off = sql`(SELECT coalesce(array_agg(w.name), '{}') FROM switches w WHERE w.scope = 'channel')`
  return sql`NOT EXISTS (SELECT FROM switches w
      WHERE w.scope = 'workspace' OR (w.scope = 'campaign' AND w.name = ${step}.campaign))
    AND NOT ${step}.channels <@ ${now ? sql`(${off} || ${resting(now)})` : off}`
}

/**
 * Has due what was put back, each until the next try, because the provider of a channel was away. What somebody holds at
 * this moment comes by its own time.
 */
export async function makeDue(session: Session, channel: string, now: Date): Promise<void> {
  await execute(
    session,
    sql`UPDATE touchpoints t SET due_at = ${now} FROM (
        SELECT contact_id, touchpoint_id FROM touchpoints
        WHERE step_id IN (SELECT step_id FROM steps WHERE ${channel} = ANY (channels)) AND state = 'planned'
          AND waits = 'unreachable' AND due_at > ${now}
          AND due_at <= ${now}::timestamptz + make_interval(secs => ${LONGEST_REST})
        FOR UPDATE SKIP LOCKED
      ) waiting
      WHERE t.contact_id = waiting.contact_id AND t.touchpoint_id = waiting.touchpoint_id`,
  )
}

/**
 * planned → queued: takes up to `limit` due touchpoints of a step, oldest first, for one job. Each has its place in what
 * limits the channels, taken on the day `ratedOn`: whoever takes it from the queue or from its worker gives that back.
 * Rows another dispatcher is taking are passed over rather than waited for.
 */
export async function queueDue(
  session: Session,
  batch: { stepId: number; now: Date; limit: number; newest?: boolean; ratedOn?: string | undefined },
  lease = LEASES.queued,
): Promise<TouchpointKey[]> {
  // By the lapse where few may go a day: those who left last know us best. It reads all that is due, few times a day.
  const lapsed = sql`(SELECT e.lapsed_at FROM episodes e
    WHERE e.contact_id = touchpoints.contact_id AND e.episode_id = touchpoints.episode_id)`
  const order = batch.newest ? sql`${lapsed} DESC, due_at` : sql`due_at`
  return await preparedRows<TouchpointKey>(
    session,
    sql`
    WITH due AS (
      SELECT contact_id, touchpoint_id FROM touchpoints
      WHERE step_id = ${batch.stepId} AND due_at <= ${batch.now} AND state = 'planned'
        AND EXISTS (SELECT FROM steps s WHERE s.step_id = ${batch.stepId} AND ${isOpen(sql`s`, batch.now)})
      ORDER BY ${order} LIMIT ${batch.limit}
      FOR UPDATE SKIP LOCKED
    )
    UPDATE touchpoints t
    SET state = 'queued', lease_until = clock_timestamp() + make_interval(secs => ${lease}),
      rated_on = ${batch.ratedOn ?? null}::date
    FROM due WHERE t.contact_id = due.contact_id AND t.touchpoint_id = due.touchpoint_id AND ${AWAITING_NO_DISK}
    RETURNING t.contact_id AS "contactId", t.touchpoint_id AS "touchpointId"`,
  )
}

/**
 * queued → claimed, for the touchpoints of a job that are still queued. What another worker holds, what was
 * cancelled and what has already ended are simply not returned: a job that runs twice finds nothing to do.
 */
export async function claim(
  session: Session,
  claimId: string,
  keys: readonly TouchpointKey[],
  lease = LEASES.claim,
): Promise<TouchpointKey[]> {
  return await preparedRows<TouchpointKey>(
    session,
    sql`
    WITH locked AS (
      ${lockByKey(keyTable(keys), sql`t.state = 'queued'`)}
    )
    UPDATE touchpoints t
    SET state = 'claimed', claim_id = ${claimId}::uuid, waits = NULL,
        lease_until = clock_timestamp() + make_interval(secs => ${lease})
    FROM locked WHERE t.contact_id = locked.contact_id AND t.touchpoint_id = locked.touchpoint_id
      AND ${AWAITING_NO_DISK}
    RETURNING t.contact_id AS "contactId", t.touchpoint_id AS "touchpointId"`,
  )
}

/**
 * claimed → sending, for one slice. The row lock decides between this and a return, an opt-out or an erasure that
 * is being recorded: whichever comes second finds the row changed. A pause that was switched on meanwhile marks
 * nothing; neither does what the person allows no more, by whatever way it came about (a merge, a message that another
 * worker sent). The slice's own lease begins here; {@link renew} keeps the rest of the claim. Where each message goes is
 * remembered before it does, for whatever comes back of it: the contact may have another address by then.
 * @returns the touchpoints that may be handed over; the rest is no longer this worker's, or is paused
 */
export async function markSending(
  session: Session,
  claimId: string,
  slice: LastLook & { keys: readonly Going[] },
  lease = LEASES.send,
): Promise<TouchpointKey[]> {
  return await preparedRows<TouchpointKey>(
    session,
    sql`
    WITH locked AS (
      ${lockByKey(goingTable(slice.keys), sql`t.claim_id = ${claimId}::uuid AND ${mayGo(sql`k.channel`, slice)}`)}
    )
    UPDATE touchpoints t
    SET state = 'sending', channel = locked.channel, address_key = locked.address_key,
        lease_until = clock_timestamp() + make_interval(secs => ${lease})
    FROM locked WHERE t.contact_id = locked.contact_id AND t.touchpoint_id = locked.touchpoint_id
    RETURNING t.contact_id AS "contactId", t.touchpoint_id AS "touchpointId"`,
  )
}

/** Keeps the rest of a claim for another lease, counted from now; only where the lease is still live. */
export async function renew(
  session: Session,
  claimId: string,
  keys: readonly TouchpointKey[],
  lease = LEASES.claim,
): Promise<number> {
  return await execute(
    session,
    sql`
    WITH locked AS (
      ${lockByKey(
        keyTable(keys),
        sql`t.claim_id = ${claimId}::uuid AND t.state = 'claimed' AND t.lease_until > clock_timestamp()`,
      )}
    )
    UPDATE touchpoints t SET lease_until = clock_timestamp() + make_interval(secs => ${lease})
    FROM locked WHERE t.contact_id = locked.contact_id AND t.touchpoint_id = locked.touchpoint_id`,
  )
}

/**
 * claimed | sending → settled, in one statement: out of the work table, into the record, into the ledger.
 * Rows that are no longer this claim's are left alone. What is not tried again though an earlier try may have gone out is
 * uncertain, whatever the verdict ({@link inDoubt}).
 * @param promised the claim has reserved grants: those of what went out are granted with it
 * @returns what was recorded, which need not be what was asked
 */
export async function settle(
  session: Session,
  claimId: string,
  now: Date,
  ended: readonly Settlement[],
  promised = false,
): Promise<RecordCount[]> {
  return await settleWhere(session, { claimId, now, ended, which: sql`true`, promised })
}

/**
 * claimed → settled, for sends that have no effect outside: {@link markSending} and {@link settle} in one statement. What
 * is settled is what may go at this moment, by the same row lock and the same last look; there is no time between the
 * two in which a worker could die and leave a send in doubt, which is all that `sending` is for.
 * @returns what was recorded; the rest is no longer this worker's, or may not go
 */
export async function settleUnmarked(
  session: Session,
  claimId: string,
  sent: readonly Settlement[],
  last: LastLook,
  promised: boolean,
): Promise<RecordCount[]> {
  const { now } = last
  return await settleWhere(session, {
    claimId,
    now,
    ended: sent,
    which: mayGo(sql`v.channel`, last),
    promised,
  })
}

async function settleWhere(
  session: Session,
  what: {
    readonly claimId: string
    readonly now: Date
    readonly ended: readonly Settlement[]
    /** What has to hold of `t`, the touchpoint, once it is locked; may read `v`, its settlement. */
    readonly which: SQL
    readonly promised: boolean
  },
): Promise<RecordCount[]> {
  const { claimId, now, ended, which, promised } = what
  const words = (key: 'state' | 'reason' | 'detail' | 'channel' | 'template' | 'providerId') =>
    texts(ended.map((row) => row[key]))
  const numbers = (key: 'contactId' | 'touchpointId' | 'cost') => bigints(ended.map((row) => row[key]))
  const out = sql`SELECT contact_id, touchpoint_id, ${claimId}::uuid AS claim_id FROM gone
        WHERE state IN ('sent', 'uncertain')`
  return await preparedRows<RecordCount>(
    session,
    sql`
    WITH verdict AS (
      SELECT * FROM unnest(
        ${ofAnyLength(numbers('contactId'))}, ${numbers('touchpointId')}, ${words('state')},
        ${words('reason')}, ${words('detail')}, ${words('channel')},
        ${words('template')}, ${words('providerId')}, ${numbers('cost')}
      ) AS v(contact_id, touchpoint_id, state, reason, detail, channel, template, provider_id, cost)
    ), locked AS (
      SELECT v.contact_id, v.touchpoint_id, t.episode_id, t.step_id, t.variant, t.attempt, t.address_key,
             t.planned_for, ${inDoubt(sql`v.state`)} AS state, v.reason, v.detail, v.template, v.provider_id,
             CASE WHEN ${notTriedAgain(sql`v.state`)} THEN t.doubted_on ELSE v.channel END AS channel,
             CASE WHEN ${notTriedAgain(sql`v.state`)} THEN coalesce(t.doubted_cost, 0) ELSE v.cost END AS cost,
             (v.state IN ('sent', 'failed', 'uncertain'))::int AS tried
      FROM (SELECT * FROM verdict ORDER BY contact_id, touchpoint_id) v
      -- One after another by their keys, and so in order: as a join, some batches read the whole work table.
      CROSS JOIN LATERAL (SELECT * FROM touchpoints t
        WHERE t.contact_id = v.contact_id AND t.touchpoint_id = v.touchpoint_id
          AND t.claim_id = ${claimId}::uuid AND ${which} FOR UPDATE) t
    ), gone AS (
      DELETE FROM touchpoints t USING locked l
      WHERE t.contact_id = l.contact_id AND t.touchpoint_id = l.touchpoint_id
      RETURNING l.*
    ), recorded AS (
      INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, variant, state, reason, detail,
        channel, template, provider_id, address_key, attempt, cost, planned_for, settled_at)
      SELECT contact_id, touchpoint_id, episode_id, step_id, variant, state, reason, detail,
        channel, template, provider_id, address_key, attempt + tried, cost, planned_for,
        ${now}
      FROM gone
    )${promised ? sql`, ${grantedWith(out, now)}` : sql``}, booked AS (
      INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
      SELECT contact_id, touchpoint_id, episode_id, step_id, 'spend', channel, cost, ${now}::timestamptz
      FROM gone WHERE cost > 0
      ${promised ? sql`UNION ALL ${expectedCostRows(now)}` : sql``}
    )
    SELECT state, channel, CASE WHEN state = 'skipped' THEN reason END AS skipped, count(*) AS number
    FROM gone GROUP BY 1, 2, 3`,
  )
}

/**
 * Whether `t`, a touchpoint, may have gone out though it is not tried again: a return came before the next try, a cap, the
 * end of its time.
 * @param state what it would be recorded as
 */
function notTriedAgain(state: SQL): SQL {
  return sql`(t.doubted AND ${state} IN ('skipped', 'cancelled'))`
}

/** What `t` is recorded as: uncertain where it may have gone out; its reason then says why it was not tried again. */
export function inDoubt(state: SQL): SQL {
  return sql`CASE WHEN ${notTriedAgain(state)} THEN 'uncertain' ELSE ${state} END`
}

/**
 * claimed | sending → planned: not now (a deferral), or not handed over (a retry, which counts as an attempt); and why. What
 * may be out all the same keeps what it promised.
 */
export async function putBack(
  session: Session,
  claimId: string,
  now: Date,
  deferred: readonly Deferral[],
): Promise<number> {
  const later = sql`unnest(
        ${bigints(deferred.map((row) => row.contactId))},
        ${bigints(deferred.map((row) => row.touchpointId))},
        ${sql.param(deferred.map((row) => row.dueAt.toISOString()))}::timestamptz[],
        ${sql.param(deferred.map((row) => row.tried))}::boolean[],
        ${sql.param(deferred.map((row) => row.why))}::text[],
        ${sql.param(deferred.map((row) => row.doubted ?? false))}::boolean[],
        ${bigints(deferred.map((row) => row.cost ?? 0))}
      ) AS k(contact_id, touchpoint_id, due_at, tried, why, doubted, cost)`
  const doubted = deferred.some((row) => row.doubted)
  return await execute(
    session,
    sql`
    WITH locked AS (
      ${lockByKey(later, sql`t.claim_id = ${claimId}::uuid`)}
    )${
      doubted
        ? sql`, remembered AS (
      ${rememberTried(sql`SELECT t.* FROM locked JOIN touchpoints t USING (contact_id, touchpoint_id) WHERE locked.doubted`)}
    ), ${grantedWith(sql`SELECT contact_id, touchpoint_id, ${claimId}::uuid AS claim_id FROM locked WHERE doubted`, now)}, booked AS (
      INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
      ${expectedCostRows(now)}
    )`
        : sql``
    }
    UPDATE touchpoints t
    SET state = 'planned', due_at = locked.due_at, waits = locked.why, attempt = t.attempt + locked.tried::int,
        doubted = t.doubted OR locked.doubted,
        doubted_on = CASE WHEN locked.doubted THEN t.channel ELSE t.doubted_on END,
        doubted_cost = CASE WHEN locked.doubted THEN locked.cost ELSE t.doubted_cost END,
        claim_id = NULL, lease_until = NULL, channel = NULL, address_key = NULL
    FROM locked WHERE t.contact_id = locked.contact_id AND t.touchpoint_id = locked.touchpoint_id`,
  )
}

/**
 * Keeps where messages may have gone whose address their next try forgets.
 * @param tried rows of touchpoints as they were
 */
export function rememberTried(tried: SQL): SQL {
  return sql`INSERT INTO tried_addresses (contact_id, touchpoint_id, channel, address_key)
      SELECT contact_id, touchpoint_id, channel, address_key FROM (${tried}) t
      WHERE t.state = 'sending' AND t.address_key IS NOT NULL
      ON CONFLICT DO NOTHING`
}
