import { type SQL, sql } from 'drizzle-orm'
import { bigints } from '../database/arrays.ts'
import { execute, preparedRows, rows, type Session, type Transaction } from '../database/connect.ts'
import { type GrantKey, grantTable } from './grants.ts'

// What becomes of grants, set-wise: granted in the statement that says that their message went out or may have, given back
// where it did not, credited or refused by a provider, expired. The ledger follows each.

/** Whose reserved grants are to be concluded: a claim that has ended, or all that were left behind. */
export type Left = { readonly claimId: string; readonly contactIds: readonly number[] } | 'behind'

/**
 * A CTE `granted`: what was reserved for messages that went out, or may have, is granted in the statement that says so.
 * Afterwards nobody can tell: of a message that is tried again, each try may promise something else. One contact has few
 * grants, so they are found by contact. Who holds a grant says that it is reserved: asked for the state, too, the planner
 * reads every reserved grant there is for each touchpoint.
 * @param out contact_id, touchpoint_id and claim_id of those messages, each by the claim that sent it
 */
export function grantedWith(out: SQL, now: Date): SQL {
  return sql`granted AS (
      UPDATE grants g SET state = 'granted', granted_at = ${now}, claim_id = NULL FROM (${out}) o
      WHERE g.contact_id = o.contact_id AND g.touchpoint_id = o.touchpoint_id AND g.claim_id = o.claim_id
      RETURNING g.contact_id, g.touchpoint_id, g.episode_id, g.step_id, g.expected
    )`
}

/** Rows for the ledger, as `channel` is among its columns: what the grants of the CTE `granted` are expected to cost. */
export function expectedCostRows(now: Date): SQL {
  return sql`SELECT contact_id, touchpoint_id, episode_id, step_id, 'liability', NULL, expected, ${now}::timestamptz
      FROM granted WHERE expected > 0`
}

/**
 * Concludes grants that are still reserved though their touchpoint is no longer under way: no message that may be out
 * promises them ({@link grantedWith}), so they are given back. By the worker at the end of its batch, and by the sweeper
 * for workers that are gone; either may come first. One that a provider was asked to credit is never given back, for the
 * account may have it: it is granted once nobody will ask again.
 */
export async function concludeGrants(
  tx: Transaction,
  now: Date,
  left: Left,
): Promise<{ granted: number; released: number }> {
  const which =
    left === 'behind'
      ? sql`g.state = 'reserved'`
      : sql`g.contact_id = ANY (${bigints(left.contactIds)}) AND g.claim_id = ${left.claimId}::uuid`
  // Locked first and looked at in the next statement. The sweeper waits for nobody: who holds a grant concludes it.
  const locked = await preparedRows<GrantKey & { campaign: string; offer: string }>(
    tx,
    sql`SELECT g.contact_id AS "contactId", g.grant_id AS "grantId", g.campaign, g.offer FROM grants g
      WHERE ${which} ORDER BY g.contact_id, g.grant_id
      FOR UPDATE ${left === 'behind' ? sql`SKIP LOCKED` : sql``}`,
  )
  const offers = new Map<string, typeof locked>()
  for (const grant of locked) {
    const place = JSON.stringify([grant.campaign, grant.offer])
    const same = offers.get(place)
    if (same) same.push(grant)
    else offers.set(place, [grant])
  }
  let granted = 0
  let released = 0
  for (const [, keys] of [...offers].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const [first] = keys
    if (!first) continue
    const [result] = await preparedRows<{ granted: number; released: number }>(
      tx,
      sql`
      WITH ended AS MATERIALIZED (
        SELECT g.contact_id, g.grant_id, g.credit IS NOT NULL AS asked, t.waiting IS TRUE AS again
        FROM ${grantTable(keys)}
        CROSS JOIN LATERAL (SELECT * FROM grants g
          WHERE g.contact_id = k.contact_id AND g.grant_id = k.grant_id OFFSET 0) g
        -- By key: as EXISTS it was answered by reading and hashing the whole work table, for every batch.
        LEFT JOIN LATERAL (SELECT true AS waiting, claim_id FROM touchpoints t
          WHERE t.contact_id = g.contact_id AND t.touchpoint_id = g.touchpoint_id OFFSET 0) t ON true
        WHERE g.state = 'reserved' AND (t.claim_id = g.claim_id) IS NOT TRUE
      ), granted AS (
        UPDATE grants g SET state = 'granted', granted_at = ${now}, claim_id = NULL FROM ended e
        -- A message that is tried again asks again, with the same key.
        WHERE g.contact_id = e.contact_id AND g.grant_id = e.grant_id AND e.asked AND NOT e.again
        RETURNING g.contact_id, g.touchpoint_id, g.episode_id, g.step_id, g.expected
      ), booked AS (
        INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
        ${expectedCostRows(now)}
      ), gone AS (
        DELETE FROM grants g USING ended e
        WHERE g.contact_id = e.contact_id AND g.grant_id = e.grant_id AND NOT e.asked
        RETURNING g.*
      ), ${givenBack(first, now)}
      SELECT (SELECT count(*) FROM granted) AS granted, (SELECT count(*) FROM gone) AS released`,
    )
    granted += result?.granted ?? 0
    released += result?.released ?? 0
  }
  return { granted, released }
}

/**
 * A provider is about to be asked to credit these grants: from here on the accounts may have them. Waits for the disk, so
 * that the number of each, by which a repeat is recognised, outlives a crash of the server. Who asked last is remembered:
 * a refusal that another has heard before may be out of date (giveBackRefused).
 * @returns the ids of those that may be asked for, each with whether anybody has asked for it before; what the claim holds no
 *   more may not
 */
export async function markAsked(
  session: Session,
  claimId: string,
  keys: readonly GrantKey[],
): Promise<Map<number, { readonly before: boolean }>> {
  const asked = await rows<{ grantId: number; before: boolean }>(
    session,
    sql`
    WITH locked AS (
      SELECT g.contact_id, g.grant_id, g.credit IS NOT NULL AS before
      FROM ${grantTable(keys)} JOIN grants g USING (contact_id, grant_id)
      WHERE (g.state = 'reserved' AND g.claim_id = ${claimId}::uuid) OR (g.state = 'granted' AND g.credit = 'asking')
      ORDER BY g.contact_id, g.grant_id FOR UPDATE OF g
    )
    UPDATE grants g SET credit = 'asking', claim_id = ${claimId}::uuid FROM locked
    WHERE g.contact_id = locked.contact_id AND g.grant_id = locked.grant_id
    RETURNING g.grant_id AS "grantId", locked.before`,
  )
  return new Map(asked.map(({ grantId, before }) => [grantId, { before }]))
}

/**
 * The provider was asked for these grants for the first time, and the call did not reach it: no account has them. What
 * another claim has asked for since is left to it.
 */
export async function markUnasked(
  session: Session,
  claimId: string,
  keys: readonly GrantKey[],
): Promise<void> {
  if (keys.length === 0) return
  await execute(
    session,
    sql`UPDATE grants g SET credit = NULL FROM ${grantTable(keys)}
      WHERE g.contact_id = k.contact_id AND g.grant_id = k.grant_id
        AND g.state = 'reserved' AND g.credit = 'asking' AND g.claim_id = ${claimId}::uuid`,
  )
}

/**
 * Nobody will ask a provider again, nor know its answer, for these contacts are being erased: what it was asked to credit is
 * outstanding, for the accounts may have it.
 * @param contacts a query of contact_id
 */
export async function grantAsked(tx: Transaction, now: Date, contacts: SQL): Promise<void> {
  await execute(
    tx,
    sql`
    WITH granted AS (
      UPDATE grants g SET state = 'granted', granted_at = ${now}, claim_id = NULL
      WHERE g.contact_id IN (${contacts}) AND g.state = 'reserved' AND g.credit = 'asking'
      RETURNING g.contact_id, g.touchpoint_id, g.episode_id, g.step_id, g.expected
    )
    INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
    ${expectedCostRows(now)}`,
  )
}

/** A provider has credited these grants: they are outstanding whatever becomes of the message. */
export async function markCredited(session: Session, now: Date, keys: readonly GrantKey[]): Promise<void> {
  if (keys.length === 0) return
  await execute(
    session,
    sql`
    WITH known AS (
      UPDATE grants g SET credit = 'credited', claim_id = NULL FROM ${grantTable(keys)}
      WHERE g.contact_id = k.contact_id AND g.grant_id = k.grant_id AND g.state = 'granted' AND g.credit = 'asking'
    ), granted AS (
      UPDATE grants g SET credit = 'credited', state = 'granted', granted_at = ${now}, claim_id = NULL
      FROM ${grantTable(keys)}
      WHERE g.contact_id = k.contact_id AND g.grant_id = k.grant_id AND g.state = 'reserved'
      RETURNING g.contact_id, g.touchpoint_id, g.episode_id, g.step_id, g.expected
    )
    INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
    ${expectedCostRows(now)}`,
  )
}

/**
 * A provider has refused these grants: nothing was credited, and they are given back at once, with what was booked of those
 * that counted as granted while nobody knew. The message may go without them all the same, and that it went out must not
 * make them granted. What another claim has asked for since is left to it: the account may have it by now.
 */
export async function giveBackRefused(
  session: Session,
  claimId: string,
  now: Date,
  offer: { readonly campaign: string; readonly offer: string },
  keys: readonly GrantKey[],
): Promise<void> {
  if (keys.length === 0) return
  await execute(
    session,
    sql`
    WITH gone AS (
      DELETE FROM grants g USING ${grantTable(keys)}
      WHERE g.contact_id = k.contact_id AND g.grant_id = k.grant_id
        AND g.credit = 'asking' AND (g.claim_id = ${claimId}::uuid OR (g.state = 'granted' AND g.claim_id IS NULL))
      RETURNING g.*
    ), ${givenBack(offer, now)}, ${settling(sql`gone`, sql`0`, now)}
    SELECT FROM gone`,
  )
}

/** CTEs after `gone`, the grants of an offer that were deleted: remembered, their codes free again, and their stock. */
function givenBack(
  { campaign, offer }: { readonly campaign: string; readonly offer: string },
  now: Date,
): SQL {
  return sql`remembered AS (
        INSERT INTO released_grants (contact_id, grant_id, campaign, offer, step_id, reserved_at, released_at)
        SELECT contact_id, grant_id, campaign, offer, step_id, reserved_at, ${now}::timestamptz FROM gone
      ), freed AS (
        UPDATE offer_codes o SET contact_id = NULL, grant_id = NULL FROM gone
        WHERE o.contact_id = gone.contact_id AND o.grant_id = gone.grant_id AND o.imported_at IS NOT NULL
      ), dropped AS (
        DELETE FROM offer_codes o USING gone
        WHERE o.contact_id = gone.contact_id AND o.grant_id = gone.grant_id AND o.imported_at IS NULL
      ), given AS (
        UPDATE offer_stocks SET taken = taken - (SELECT count(*) FROM gone)
        WHERE campaign = ${campaign} AND offer = ${offer} AND EXISTS (SELECT FROM gone)
      )`
}

/** Outstanding grants past their time: expired, and their expected cost taken back. Any number may do it at once. */
export async function expireGrants(session: Session, now: Date): Promise<number> {
  return await execute(
    session,
    sql`
    WITH due AS (
      SELECT contact_id, grant_id FROM grants WHERE state = 'granted' AND expires_at <= ${now}
      ORDER BY contact_id, grant_id LIMIT 10000 FOR UPDATE SKIP LOCKED
    ), expired AS (
      UPDATE grants g SET state = 'expired' FROM due
      WHERE g.contact_id = due.contact_id AND g.grant_id = due.grant_id
      RETURNING g.*
    ), ${settling(sql`expired`, sql`0`, now)}
    SELECT FROM expired`,
  )
}

/** A CTE `settled` that brings what the ledger holds for the grants `g` of a CTE to `target` micros each. */
export function settling(grants: SQL, target: SQL, now: Date): SQL {
  return sql`settled AS (
      INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, amount, booked_at)
      SELECT g.contact_id, g.touchpoint_id, g.episode_id, g.step_id, 'liability', ${target} - booked.amount, ${now}
      FROM ${grants} g
      CROSS JOIN LATERAL (SELECT coalesce(sum(l.amount), 0)::bigint AS amount FROM ledger l
        WHERE l.contact_id = g.contact_id AND l.touchpoint_id = g.touchpoint_id AND l.kind = 'liability') booked
      WHERE ${target} <> booked.amount
    )`
}
