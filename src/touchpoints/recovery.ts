import { sql } from 'drizzle-orm'
import { bigints, ofAnyLength } from '../database/arrays.ts'
import { execute, preparedRows, rows, type Session } from '../database/connect.ts'
import { expectedCostRows, grantedWith } from '../offers/conclusion.ts'
import { countedDoubts } from './breakers.ts'
import { keyTable, type TouchpointKey } from './keys.ts'
import { rememberTried, type Settlement } from './lifecycle.ts'
import { freedWith } from './rates.ts'
import { HELD_FOR } from './reservations/holds.ts'

// What workers leave behind when they die: touchpoints whose lease is over, and sends of which nobody knows how they ended
// until somebody says; and what a clock that was ahead has put off.

/** What a sweep found and mended. */
export interface Swept {
  /** Claims or queue places whose lease ran out before anything was handed over: planned again. */
  readonly released: number
  /** Sends of unknown outcome on a channel that recognises repeats: to be sent again with the same key. */
  readonly repeated: number
  /** Sends of unknown outcome elsewhere: recorded, never repeated. */
  readonly uncertain: number
}

/**
 * Whatever has outlived its lease: queued | claimed → planned, and of `sending` → planned where the channel recognises a
 * repeat, else → uncertain. It may be out, so what it promises is granted; what it costs is not known, and counts as what was
 * held for it. Leases are the database's real time; `now` dates the records, whose partition must be there.
 *
 * It reads the due part of the work table through its index. An index on the lease would find the expired at once,
 * and would turn each of a touchpoint's changes of state into a non-HOT update.
 * @param idempotent names of the channels whose provider recognises a repeat by its key
 */
export async function reclaimExpired(
  session: Session,
  now: Date,
  idempotent: readonly string[],
): Promise<Swept> {
  const [swept] = await rows<Swept>(
    session,
    sql`
    WITH expired AS MATERIALIZED (
      SELECT t.* FROM steps s JOIN touchpoints t ON t.step_id = s.step_id AND t.due_at <= ${now}
      WHERE t.state IN ('queued', 'claimed', 'sending') AND t.lease_until < clock_timestamp()
      ORDER BY t.contact_id, t.touchpoint_id LIMIT 10000 FOR UPDATE OF t SKIP LOCKED
    ), remembered AS (
      ${rememberTried(sql`SELECT * FROM expired x WHERE x.channel = ANY (${sql.param(idempotent)}::text[])`)}
    ), ${freedWith(sql`expired`)}, priced AS MATERIALIZED (
      SELECT x.*, CASE WHEN x.state = 'sending' THEN coalesce(${HELD_FOR}, x.doubted_cost) ELSE x.doubted_cost END AS price
      FROM expired x
    ), ${grantedWith(sql`SELECT contact_id, touchpoint_id, claim_id FROM expired WHERE state = 'sending'`, now)}, released AS (
      UPDATE touchpoints t
      SET state = 'planned', claim_id = NULL, lease_until = NULL, channel = NULL, address_key = NULL,
          waits = CASE WHEN t.state = 'sending' THEN 'retry' END,
          attempt = t.attempt + (t.state = 'sending')::int, doubted = t.doubted OR t.state = 'sending',
          doubted_on = CASE WHEN t.state = 'sending' THEN t.channel ELSE t.doubted_on END, doubted_cost = x.price
      FROM priced x
      WHERE t.contact_id = x.contact_id AND t.touchpoint_id = x.touchpoint_id
        AND (x.state <> 'sending' OR x.channel = ANY (${sql.param(idempotent)}::text[]))
      RETURNING x.state
    ), gone AS (
      DELETE FROM touchpoints t USING priced x
      WHERE t.contact_id = x.contact_id AND t.touchpoint_id = x.touchpoint_id
        AND x.state = 'sending' AND NOT x.channel = ANY (${sql.param(idempotent)}::text[])
      RETURNING x.*
    ), recorded AS (
      INSERT INTO touchpoint_records
        (contact_id, touchpoint_id, episode_id, step_id, variant, state, detail, channel, address_key, attempt, cost,
          planned_for, settled_at)
      SELECT contact_id, touchpoint_id, episode_id, step_id, variant, 'uncertain',
        'the worker went away while it was sending', channel, address_key, attempt + 1, coalesce(price, 0), planned_for, ${now}
      FROM gone
    ), booked AS (
      INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
      SELECT contact_id, touchpoint_id, episode_id, step_id, 'spend', channel, price, ${now}::timestamptz
      FROM gone WHERE price > 0 UNION ALL ${expectedCostRows(now)}
    ), counted AS (
      ${countedDoubts(sql`SELECT step_id, channel, 'uncertain' AS state FROM gone`, now)}
    )
    SELECT (SELECT count(*) FROM released WHERE state <> 'sending') AS released,
      (SELECT count(*) FROM released WHERE state = 'sending') AS repeated,
      (SELECT count(*) FROM gone) AS uncertain`,
  )
  return swept ?? { released: 0, repeated: 0, uncertain: 0 }
}

/**
 * queued → planned: what the queue took no job for, with the places that were taken for it. Where a worker has it after all, it
 * is left alone.
 */
export async function unqueue(session: Session, keys: readonly TouchpointKey[]): Promise<void> {
  await execute(
    session,
    sql`WITH refused AS MATERIALIZED (
        SELECT t.* FROM (SELECT * FROM ${keyTable(keys)} ORDER BY contact_id, touchpoint_id) k
        CROSS JOIN LATERAL (SELECT * FROM touchpoints t
          WHERE t.contact_id = k.contact_id AND t.touchpoint_id = k.touchpoint_id AND t.state = 'queued' FOR UPDATE) t
      ), ${freedWith(sql`refused`)}
      UPDATE touchpoints t SET state = 'planned', lease_until = NULL FROM refused r
      WHERE t.contact_id = r.contact_id AND t.touchpoint_id = r.touchpoint_id`,
  )
}

/**
 * uncertain → sent | failed: what became of a send is known after all (the worker that made it was only slow, or a
 * receipt came). The record is amended in place. The ledger gets the difference: what
 * the sweeper could not know the price of is booked, what never went out is taken back. What was booked is read off the
 * locked record, which holds it for as long as the outcome is unknown. The offer's liability stays with its grant, which outlives the message: another step
 * may promise it anew, and it ends by redemption or expiry.
 */
export async function resolve(session: Session, now: Date, known: readonly Settlement[]): Promise<number> {
  const column = <K extends keyof Settlement>(key: K) => sql.param(known.map((row) => row[key]))
  const numbers = (key: 'contactId' | 'touchpointId' | 'cost') => bigints(known.map((row) => row[key]))
  const [result] = await preparedRows<{ resolved: number }>(
    session,
    sql`
    WITH known AS (
      SELECT * FROM unnest(
        ${ofAnyLength(numbers('contactId'))}, ${numbers('touchpointId')}, ${column('state')}::text[],
        ${column('reason')}::text[], ${column('detail')}::text[], ${column('template')}::text[],
        ${column('providerId')}::text[], ${numbers('cost')}
      ) AS k(contact_id, touchpoint_id, state, reason, detail, template, provider_id, cost)
      WHERE state IN ('sent', 'failed')
    ), doubted AS (
      SELECT r.contact_id, r.touchpoint_id, r.cost AS before, k.state, k.reason, k.detail, k.provider_id, k.template,
        CASE k.state WHEN 'sent' THEN greatest(k.cost, r.cost) ELSE 0 END AS cost
      FROM known k JOIN touchpoint_records r USING (contact_id, touchpoint_id)
      WHERE r.state = 'uncertain'
      ORDER BY r.contact_id, r.touchpoint_id FOR UPDATE OF r
    ), amended AS (
      UPDATE touchpoint_records r SET state = d.state, reason = d.reason, detail = d.detail,
        provider_id = coalesce(d.provider_id, r.provider_id), template = coalesce(d.template, r.template), cost = d.cost
      FROM doubted d
      WHERE r.contact_id = d.contact_id AND r.touchpoint_id = d.touchpoint_id AND r.state = 'uncertain'
      RETURNING r.contact_id, r.touchpoint_id, r.episode_id, r.step_id, r.channel, d.before, d.cost
    ), booked AS (
      INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
      SELECT contact_id, touchpoint_id, episode_id, step_id, 'spend', channel, cost - before, ${now}
      FROM amended WHERE cost <> before
    )
    SELECT count(*) AS resolved FROM amended`,
  )
  return result?.resolved ?? 0
}

/** Messages that are looked at again at a time. */
const CHUNK = 10_000

/**
 * Has due now what was put back to a later time, some at a time, because that was reckoned from a wrong clock; what is to be
 * tried again, only beyond `longest` seconds. None before it was planned for: by a clock that is years behind, as that of a
 * machine without a battery is until it hears the time, the caps and budgets of those days have all their room.
 * @returns how many; 0 when there are no more
 */
export async function lookAgain(session: Session, now: Date, longest: number): Promise<number> {
  return await execute(
    session,
    sql`UPDATE touchpoints t SET due_at = greatest(t.planned_for, ${now}::timestamptz) FROM (
        SELECT contact_id, touchpoint_id FROM touchpoints
        WHERE state = 'planned' AND waits IS NOT NULL AND due_at > greatest(planned_for, ${now}::timestamptz)
          + make_interval(secs => CASE waits WHEN 'retry' THEN ${longest}::int ELSE 0 END)
        LIMIT ${CHUNK} FOR UPDATE SKIP LOCKED
      ) waiting
      WHERE t.contact_id = waiting.contact_id AND t.touchpoint_id = waiting.touchpoint_id`,
  )
}
