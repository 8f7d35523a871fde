import { type SQL, sql } from 'drizzle-orm'
import { execute, rows, type Session, type Transaction } from '../database/connect.ts'
import { ensurePartitionsWithin } from '../database/partitions.ts'

// Every edge of a touchpoint's life, as set-based SQL. Nothing else changes the work table.
//
//   planned ─▶ queued ─▶ claimed ─▶ sending ─▶ (settled: a row of touchpoint_records)
//      ▲─────────┴──────────┴──────────┘ release, defer, retry
//
// Claims are fenced: a claim writes a fresh claim_id and a lease, and every later statement says
// `claim_id = $mine`. Leases are real time of the database (clock_timestamp()); all else is the caller's `now`.
// Sets are locked in primary key order, so that two of these statements cannot wait for each other.

/** Seconds a batch may wait in the queue before the sweeper takes it back. */
export const QUEUED_LEASE = 300
/** Seconds a worker has for a claimed batch; renewed with each slice it marks. */
export const CLAIM_LEASE = 120
/** Seconds after a slice was marked within which each of its sends has ended; above every channel's deadline. */
export const SEND_LEASE = 90

/** One touchpoint, by primary key. */
export interface TouchpointKey {
  readonly contactId: number
  readonly touchpointId: number
}

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
  /** Micros of expected redemption: booked once for each episode and offer, at the first `sent`. */
  readonly liability: number
}

/** A touchpoint that goes back to `planned`, to be looked at again at dueAt. */
export interface Deferral extends TouchpointKey {
  readonly dueAt: Date
  /** True where a send was tried: counts as an attempt. */
  readonly tried: boolean
}

/** The keys as a table `k(contact_id, touchpoint_id)`: two arrays, whatever the number of rows. */
function keyTable(keys: readonly TouchpointKey[]): SQL {
  return sql`unnest(${sql.param(keys.map((key) => key.contactId))}::bigint[], ${sql.param(
    keys.map((key) => key.touchpointId),
  )}::bigint[]) AS k(contact_id, touchpoint_id)`
}

/**
 * planned → queued: takes up to `limit` due touchpoints of a step, oldest first, for one job.
 * Rows another dispatcher is taking are passed over rather than waited for.
 */
export async function queueDue(
  session: Session,
  batch: { stepId: number; now: Date; limit: number },
): Promise<TouchpointKey[]> {
  return await rows<TouchpointKey>(
    session,
    sql`
    WITH due AS (
      SELECT contact_id, touchpoint_id FROM touchpoints
      WHERE step_id = ${batch.stepId} AND due_at <= ${batch.now} AND state = 'planned'
      ORDER BY due_at LIMIT ${batch.limit}
      FOR UPDATE SKIP LOCKED
    )
    UPDATE touchpoints t
    SET state = 'queued', lease_until = clock_timestamp() + make_interval(secs => ${QUEUED_LEASE})
    FROM due WHERE t.contact_id = due.contact_id AND t.touchpoint_id = due.touchpoint_id
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
): Promise<TouchpointKey[]> {
  return await rows<TouchpointKey>(
    session,
    sql`
    WITH locked AS (
      SELECT t.contact_id, t.touchpoint_id FROM ${keyTable(keys)}
      JOIN touchpoints t USING (contact_id, touchpoint_id)
      WHERE t.state = 'queued'
      ORDER BY t.contact_id, t.touchpoint_id FOR UPDATE OF t
    )
    UPDATE touchpoints t
    SET state = 'claimed', claim_id = ${claimId}::uuid,
        lease_until = clock_timestamp() + make_interval(secs => ${CLAIM_LEASE})
    FROM locked WHERE t.contact_id = locked.contact_id AND t.touchpoint_id = locked.touchpoint_id
    RETURNING t.contact_id AS "contactId", t.touchpoint_id AS "touchpointId"`,
  )
}

/**
 * claimed → sending, for one slice. The row lock decides between this and a return, an opt-out or an erasure that
 * is being recorded: whichever comes second finds the row changed. A pause that was switched on meanwhile marks
 * nothing. The lease is renewed from now, and that of the claim's rest with it.
 * @returns the touchpoints that may be handed over; the rest is no longer this worker's, or is paused
 */
export async function markSending(
  session: Session,
  claimId: string,
  slice: { keys: readonly (TouchpointKey & { channel: string })[]; campaign: string },
): Promise<TouchpointKey[]> {
  const channels = sql`unnest(${sql.param(slice.keys.map((key) => key.contactId))}::bigint[],
    ${sql.param(slice.keys.map((key) => key.touchpointId))}::bigint[],
    ${sql.param(slice.keys.map((key) => key.channel))}::text[]) AS k(contact_id, touchpoint_id, channel)`
  return await rows<TouchpointKey>(
    session,
    sql`
    WITH locked AS (
      SELECT t.contact_id, t.touchpoint_id, k.channel FROM ${channels}
      JOIN touchpoints t USING (contact_id, touchpoint_id)
      WHERE t.claim_id = ${claimId}::uuid AND t.state = 'claimed' AND t.lease_until > clock_timestamp()
        AND NOT EXISTS (
          SELECT FROM switches s
          WHERE (s.scope = 'workspace') OR (s.scope = 'campaign' AND s.name = ${slice.campaign})
             OR (s.scope = 'channel' AND s.name = k.channel))
      ORDER BY t.contact_id, t.touchpoint_id FOR UPDATE OF t
    )
    UPDATE touchpoints t
    SET state = 'sending', channel = locked.channel,
        lease_until = clock_timestamp() + make_interval(secs => ${SEND_LEASE})
    FROM locked WHERE t.contact_id = locked.contact_id AND t.touchpoint_id = locked.touchpoint_id
    RETURNING t.contact_id AS "contactId", t.touchpoint_id AS "touchpointId"`,
  )
}

/** Keeps the rest of a claim for another CLAIM_LEASE; only where the lease is still live. */
export async function renew(
  session: Session,
  claimId: string,
  keys: readonly TouchpointKey[],
): Promise<number> {
  return await execute(
    session,
    sql`
    WITH locked AS (
      SELECT t.contact_id, t.touchpoint_id FROM ${keyTable(keys)}
      JOIN touchpoints t USING (contact_id, touchpoint_id)
      WHERE t.claim_id = ${claimId}::uuid AND t.state = 'claimed' AND t.lease_until > clock_timestamp()
      ORDER BY t.contact_id, t.touchpoint_id FOR UPDATE OF t
    )
    UPDATE touchpoints t SET lease_until = clock_timestamp() + make_interval(secs => ${CLAIM_LEASE})
    FROM locked WHERE t.contact_id = locked.contact_id AND t.touchpoint_id = locked.touchpoint_id`,
  )
}

/**
 * claimed | sending → settled, in one statement: out of the work table, into the record, into the ledger.
 * Rows that are no longer this claim's are left alone.
 * @returns how many were settled
 */
export async function settle(
  session: Session,
  claimId: string,
  now: Date,
  ended: readonly Settlement[],
): Promise<number> {
  const column = <K extends keyof Settlement>(key: K) => sql.param(ended.map((row) => row[key]))
  const [result] = await rows<{ settled: number }>(
    session,
    sql`
    WITH verdict AS (
      SELECT * FROM unnest(
        ${column('contactId')}::bigint[], ${column('touchpointId')}::bigint[], ${column('state')}::text[],
        ${column('reason')}::text[], ${column('detail')}::text[], ${column('channel')}::text[],
        ${column('template')}::text[], ${column('providerId')}::text[], ${column('cost')}::bigint[],
        ${column('liability')}::bigint[]
      ) AS v(contact_id, touchpoint_id, state, reason, detail, channel, template, provider_id, cost, liability)
    ), locked AS (
      SELECT t.contact_id, t.touchpoint_id, t.episode_id, t.step_id, t.attempt, t.planned_for,
             v.state, v.reason, v.detail, v.channel, v.template, v.provider_id, v.cost, v.liability
      FROM verdict v JOIN touchpoints t USING (contact_id, touchpoint_id)
      WHERE t.claim_id = ${claimId}::uuid
      ORDER BY t.contact_id, t.touchpoint_id FOR UPDATE OF t
    ), gone AS (
      DELETE FROM touchpoints t USING locked l
      WHERE t.contact_id = l.contact_id AND t.touchpoint_id = l.touchpoint_id
      RETURNING l.*
    ), recorded AS (
      INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, state, reason, detail,
        channel, template, provider_id, attempt, cost, planned_for, settled_at)
      SELECT contact_id, touchpoint_id, episode_id, step_id, state, reason, detail,
        channel, template, provider_id, attempt + (state IN ('sent', 'failed', 'uncertain'))::int, cost, planned_for,
        ${now}
      FROM gone
    ), booked AS (
      INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, amount, booked_at)
      SELECT contact_id, touchpoint_id, episode_id, step_id, kind, amount, ${now}
      FROM gone g
      CROSS JOIN LATERAL (VALUES ('spend', g.cost), ('liability', g.liability)) AS entry(kind, amount)
      WHERE amount > 0
    )
    SELECT count(*) AS settled FROM gone`,
  )
  return result?.settled ?? 0
}

/** claimed | sending → planned: not now (a deferral), or not handed over (a retry, which counts as an attempt). */
export async function putBack(
  session: Session,
  claimId: string,
  deferred: readonly Deferral[],
): Promise<number> {
  return await execute(
    session,
    sql`
    WITH locked AS (
      SELECT t.contact_id, t.touchpoint_id, k.due_at, k.tried
      FROM unnest(
        ${sql.param(deferred.map((row) => row.contactId))}::bigint[],
        ${sql.param(deferred.map((row) => row.touchpointId))}::bigint[],
        ${sql.param(deferred.map((row) => row.dueAt.toISOString()))}::timestamptz[],
        ${sql.param(deferred.map((row) => row.tried))}::boolean[]
      ) AS k(contact_id, touchpoint_id, due_at, tried)
      JOIN touchpoints t USING (contact_id, touchpoint_id)
      WHERE t.claim_id = ${claimId}::uuid
      ORDER BY t.contact_id, t.touchpoint_id FOR UPDATE OF t
    )
    UPDATE touchpoints t
    SET state = 'planned', due_at = locked.due_at, attempt = t.attempt + locked.tried::int,
        claim_id = NULL, lease_until = NULL, channel = NULL
    FROM locked WHERE t.contact_id = locked.contact_id AND t.touchpoint_id = locked.touchpoint_id`,
  )
}

/**
 * planned | queued | claimed → cancelled, for all touchpoints a condition picks out; `sending` is past recall.
 * To be run in the transaction that records the cause (a return, the next tier, a stop), after it has taken its
 * locks on the episodes.
 * @param which an SQL condition over `t` (touchpoints)
 * @param state `skipped` where a guard would have said so (a suppression), else `cancelled`
 */
export async function cancel(
  tx: Transaction,
  cause: { which: SQL; reason: string; detail?: string; now: Date; state?: 'cancelled' | 'skipped' },
): Promise<number> {
  await ensurePartitionsWithin(tx, 'touchpoint_records', [cause.now])
  const [result] = await rows<{ cancelled: number }>(
    tx,
    sql`
    WITH locked AS (
      SELECT t.* FROM touchpoints t
      WHERE t.state IN ('planned', 'queued', 'claimed') AND (${cause.which})
      ORDER BY t.contact_id, t.touchpoint_id FOR UPDATE OF t
    ), gone AS (
      DELETE FROM touchpoints t USING locked l
      WHERE t.contact_id = l.contact_id AND t.touchpoint_id = l.touchpoint_id
      RETURNING l.*
    ), recorded AS (
      INSERT INTO touchpoint_records
        (contact_id, touchpoint_id, episode_id, step_id, state, reason, detail, attempt, planned_for, settled_at)
      SELECT contact_id, touchpoint_id, episode_id, step_id, ${cause.state ?? 'cancelled'}, ${cause.reason},
        ${cause.detail ?? null}, attempt, planned_for, ${cause.now}
      FROM gone
    )
    SELECT count(*) AS cancelled FROM gone`,
  )
  return result?.cancelled ?? 0
}

/**
 * uncertain → sent | failed: what became of a send is known after all (the worker that made it was only slow, or a
 * receipt came). The record is amended in place; nothing else ever changes one.
 */
export async function resolve(session: Session, known: readonly Settlement[]): Promise<number> {
  return await execute(
    session,
    sql`
    UPDATE touchpoint_records r SET state = k.state, reason = k.reason, detail = k.detail, provider_id = k.provider_id
    FROM unnest(
      ${sql.param(known.map((row) => row.contactId))}::bigint[], ${sql.param(known.map((row) => row.touchpointId))}::bigint[],
      ${sql.param(known.map((row) => row.state))}::text[], ${sql.param(known.map((row) => row.reason))}::text[],
      ${sql.param(known.map((row) => row.detail))}::text[], ${sql.param(known.map((row) => row.providerId))}::text[]
    ) AS k(contact_id, touchpoint_id, state, reason, detail, provider_id)
    WHERE r.contact_id = k.contact_id AND r.touchpoint_id = k.touchpoint_id AND r.state = 'uncertain'
      AND k.state IN ('sent', 'failed')`,
  )
}
