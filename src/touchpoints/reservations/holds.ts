import { type SQL, sql } from 'drizzle-orm'
import { bigints } from '../../database/arrays.ts'
import { execute, preparedRows, type Session, type Transaction } from '../../database/connect.ts'
import type { TouchpointKey } from '../keys.ts'

// What batches hold of budgets: a row each, written where it is decided (budgets.ts), until all of the batch is settled and
// booked. Of what may be out by then and is tried again, the part is kept; what dead workers held is found by the sweeper.

/** What one touchpoint may cost, in micros, by kind. */
export interface Claimed extends TouchpointKey {
  readonly spend: number
  readonly liability: number
  /** A provider was asked before for what it promises, and the account may have it: that part is held also where it waits. */
  readonly asked?: boolean
}

/** One row for each budget the batch may cost anything of. */
export async function writeHolds(
  tx: Transaction,
  claimId: string,
  budgets: readonly { readonly campaign: string; readonly kind: 'spend' | 'liability' }[],
  accepted: readonly Claimed[],
): Promise<void> {
  const holds = budgets.flatMap(({ campaign, kind }) => {
    const costly = accepted.filter((claim) => claim[kind] > 0)
    if (costly.length === 0) return []
    const total = costly.reduce((sum, claim) => sum + claim[kind], 0)
    return [
      sql`(${claimId}::uuid, ${campaign}::text, ${kind}::text, ${bigints(costly.map((claim) => claim.contactId))},
        ${bigints(costly.map((claim) => claim.touchpointId))}, ${bigints(costly.map((claim) => claim[kind]))},
        ${total}::bigint)`,
    ]
  })
  if (holds.length === 0) return
  await preparedRows(
    tx,
    sql`INSERT INTO budget_holds (claim_id, campaign, kind, contact_ids, touchpoint_ids, amounts, amount)
      VALUES ${sql.join(holds, sql`, `)}`,
  )
}

/**
 * What is held of `b`, a budget. Of what is kept for messages in doubt, that of those that are still to be tried: whatever
 * takes one from the work table books its price in the same statement, and lets go of nothing.
 */
export function heldSql(campaign: string): SQL {
  return sql`coalesce((SELECT sum(CASE WHEN h.kept THEN (
        SELECT sum(k.amount) FROM unnest(h.contact_ids, h.touchpoint_ids, h.amounts) AS k(contact_id, touchpoint_id, amount)
        CROSS JOIN LATERAL (SELECT FROM touchpoints t
          WHERE t.contact_id = k.contact_id AND t.touchpoint_id = k.touchpoint_id OFFSET 0) t)
        ELSE h.amount END)
      FROM budget_holds h WHERE h.campaign = ${campaign} AND h.kind = b.kind), 0)`
}

/**
 * Lets go of what a batch held, once everything it spent is booked. What may be out and is tried again keeps its part for as
 * long as it is.
 * @param doubts some of the batch may be out, and is tried again
 */
export async function releaseBudgets(session: Session, claimId: string, doubts = false): Promise<void> {
  if (!doubts) {
    await preparedRows(session, sql`DELETE FROM budget_holds WHERE claim_id = ${claimId}::uuid`)
    return
  }
  await execute(
    session,
    sql`
    WITH ended AS (
      SELECT * FROM budget_holds h WHERE h.claim_id = ${claimId}::uuid FOR UPDATE
    ), ${KEPT}
    DELETE FROM budget_holds h USING ended e WHERE ${IS_GONE}`,
  )
}

/** CTEs after `ended`, holds whose claim is over: of each is kept what may be out and is tried again ({@link heldSql}). */
const KEPT = sql`kept AS (
      SELECT e.claim_id, e.kind, array_agg(k.contact_id) AS contact_ids, array_agg(k.touchpoint_id) AS touchpoint_ids,
        array_agg(k.amount) AS amounts, sum(k.amount)::bigint AS amount
      FROM ended e CROSS JOIN LATERAL unnest(e.contact_ids, e.touchpoint_ids, e.amounts)
        AS k(contact_id, touchpoint_id, amount)
      JOIN touchpoints t USING (contact_id, touchpoint_id)
      WHERE e.kind = 'spend' AND t.doubted GROUP BY e.claim_id, e.kind
    ), shrunk AS (
      UPDATE budget_holds h SET kept = true, contact_ids = k.contact_ids, touchpoint_ids = k.touchpoint_ids,
        amounts = k.amounts, amount = k.amount
      FROM kept k WHERE h.claim_id = k.claim_id AND h.kind = k.kind AND (NOT h.kept OR h.amount <> k.amount)
    )`
/** True of a hold `h` that is the one of `ended e`, where nothing of it is kept. */
const IS_GONE = sql`h.claim_id = e.claim_id AND h.kind = e.kind
      AND NOT EXISTS (SELECT FROM kept k WHERE k.claim_id = e.claim_id AND k.kind = e.kind)`

/** Micros that the claim of `x`, a touchpoint, holds of the budget of spend for it: null where it holds none. */
export const HELD_FOR = sql`(SELECT k.amount FROM budget_holds h
      CROSS JOIN LATERAL unnest(h.touchpoint_ids, h.amounts) AS k(touchpoint_id, amount)
      WHERE h.claim_id = x.claim_id AND h.kind = 'spend' AND k.touchpoint_id = x.touchpoint_id)`

/**
 * Lets go of what dead workers held, once none of their touchpoints is theirs any more, nor of their grants any but those a
 * provider may yet credit; and forgets what was kept for messages that are in doubt no more.
 */
export async function sweepBudgets(session: Session): Promise<number> {
  return await execute(
    session,
    sql`
    WITH ended AS (
      SELECT h.* FROM budget_holds h
      WHERE NOT EXISTS (
          SELECT FROM unnest(h.contact_ids, h.touchpoint_ids) AS k(contact_id, touchpoint_id)
          JOIN touchpoints t USING (contact_id, touchpoint_id) WHERE t.claim_id = h.claim_id)
        -- What a provider was asked for and has not answered is counted by itself from then on (askedSql).
        AND NOT EXISTS (
          SELECT FROM unnest(h.contact_ids) AS k(contact_id)
          JOIN grants g USING (contact_id)
          WHERE g.claim_id = h.claim_id AND g.state = 'reserved' AND g.credit IS DISTINCT FROM 'asking')
      -- A worker that is letting go of its own at this moment is not waited for.
      FOR UPDATE SKIP LOCKED
    ), ${KEPT}
    DELETE FROM budget_holds h USING ended e WHERE ${IS_GONE}`,
  )
}
