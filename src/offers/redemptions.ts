import { sql } from 'drizzle-orm'
import { bigints } from '../database/arrays.ts'
import { execute, rows, type Transaction } from '../database/connect.ts'
import { isMistyped, normaliseCode, readGenerated } from './codes.ts'
import { settling } from './conclusion.ts'
import { type GrantKey, grantTable } from './grants.ts'

// An offer was used. Whoever says so may say it twice, late, or about a code that is not theirs: every claim gets an
// answer, and only a good one changes anything.

/** Somebody says that an offer was used: by its code, or by the contact and the offer's name. */
export interface RedemptionClaim {
  /** Names the redemption, such as the order's id: the same key again is the same redemption. */
  readonly key: string
  readonly code?: string | undefined
  readonly externalId?: string | undefined
  readonly offer?: string | undefined
  readonly at: Date
  /** Micros of the order it was used with. */
  readonly value?: number | undefined
}

/** Why a claim is refused. */
export const REFUSALS = {
  unknown_code: 'nobody was given this code',
  mistyped_code: 'its check letter does not fit: it was mistyped, or is no code of ours',
  unknown_contact: 'no contact has this external_id',
  unknown_grant: 'the contact has no grant of this offer',
  foreign: 'the code belongs to another account',
  expired: 'it was used after the grant had expired',
  too_early: 'it was used before it was granted',
  future: 'it lies in the future',
  already_redeemed: 'it was redeemed before, with another key',
  incomplete: 'say a code, or external_id and offer',
} as const

export type RedemptionRefusal = keyof typeof REFUSALS

export type RedemptionAnswer =
  | { readonly outcome: 'redeemed' | 'repeated'; readonly campaign: string; readonly offer: string }
  | { readonly outcome: 'refused'; readonly reason: RedemptionRefusal }

interface Found {
  readonly no: number
  /** That it may be about: of a code, the one it was given with; else all that the contact has had of that offer. */
  readonly grants: readonly GrantKey[]
  /** Whose the external id is that was said. */
  readonly ownerId: number | null
  /** The code is there, whoever has it; imported ones have no check letter. */
  readonly known: boolean
}

interface Held extends GrantKey {
  readonly campaign: string
  readonly offer: string
  readonly state: 'reserved' | 'granted' | 'redeemed' | 'expired'
  readonly reservedAt: Date
  readonly expiresAt: Date
  readonly redemptionKey: string | null
}

/**
 * Redeems, in the caller's transaction, and settles what the offer costs: its expected cost becomes its value. Whether
 * the person has come back meanwhile, or would have without us, makes no difference to what it costs. A redemption
 * that is only heard of after the grant has expired counts by its own time.
 * @returns an answer for each claim, in their order
 */
export async function redeem(
  tx: Transaction,
  now: Date,
  claims: readonly RedemptionClaim[],
): Promise<RedemptionAnswer[]> {
  if (claims.length === 0) return []
  const found = await findGrants(tx, claims)
  const held = await lockGrants(tx, found)
  const redeemed: { contactId: number; grantId: number; at: Date; value: number | null; key: string }[] = []
  const answers = claims.map((claim, no): RedemptionAnswer => {
    const place = found.get(no)
    const grant = grantFor(
      claim,
      place?.grants.flatMap(({ contactId, grantId }) => held.get(`${contactId} ${grantId}`) ?? []) ?? [],
    )
    const answer = answerTo(claim, place, grant, now)
    if (answer.outcome === 'redeemed' && grant) {
      const { contactId, grantId } = grant
      redeemed.push({ contactId, grantId, at: claim.at, value: claim.value ?? null, key: claim.key })
      held.set(`${contactId} ${grantId}`, { ...grant, state: 'redeemed', redemptionKey: claim.key })
    }
    return answer
  })
  if (redeemed.length > 0) {
    await execute(
      tx,
      sql`
      WITH redeemed AS (
        UPDATE grants g SET state = 'redeemed', redeemed_at = k.at, redeemed_value = k.value,
          redemption_key = k.key, granted_at = coalesce(g.granted_at, g.reserved_at), claim_id = NULL
        FROM unnest(${bigints(redeemed.map((row) => row.contactId))},
          ${bigints(redeemed.map((row) => row.grantId))},
          ${sql.param(redeemed.map((row) => row.at.toISOString()))}::timestamptz[],
          ${sql.param(redeemed.map((row) => row.value))}::bigint[],
          ${sql.param(redeemed.map((row) => row.key))}::text[]) AS k(contact_id, grant_id, at, value, key)
        WHERE g.contact_id = k.contact_id AND g.grant_id = k.grant_id
        RETURNING g.*
      ), ${settling(sql`redeemed`, sql`g.face`, now)}
      SELECT FROM redeemed`,
    )
  }
  return answers
}

/**
 * Pure: the grant a claim is about. What was told before is told again; else the one that ends first of those that were good
 * at the time it was used, for it may be heard of late; else one that is good now, to say what is wrong with the claim.
 */
function grantFor({ key, at }: RedemptionClaim, held: readonly Held[]): Held | undefined {
  const byEnd = held.toSorted((a, b) => a.expiresAt.getTime() - b.expiresAt.getTime())
  const unused = byEnd.filter(({ state }) => state !== 'redeemed')
  return (
    byEnd.find(({ redemptionKey }) => redemptionKey === key) ??
    unused.find(({ reservedAt, expiresAt }) => reservedAt <= at && at < expiresAt) ??
    unused.find(({ state }) => state !== 'expired') ??
    byEnd[0]
  )
}

/** Pure: what is to be said to one claim. */
function answerTo(
  claim: RedemptionClaim,
  place: Found | undefined,
  grant: Held | undefined,
  now: Date,
): RedemptionAnswer {
  const refused = (reason: RedemptionRefusal): RedemptionAnswer => ({ outcome: 'refused', reason })
  if (claim.code === undefined && (claim.externalId === undefined || claim.offer === undefined)) {
    return refused('incomplete')
  }
  if (!grant) {
    if (claim.code === undefined) return refused(place?.ownerId == null ? 'unknown_contact' : 'unknown_grant')
    return refused(!place?.known && isMistyped(claim.code) ? 'mistyped_code' : 'unknown_code')
  }
  if (claim.externalId !== undefined && place?.ownerId !== grant.contactId) return refused('foreign')
  if (claim.offer !== undefined && claim.offer !== grant.offer) return refused('unknown_grant')
  const { campaign, offer } = grant
  if (grant.state === 'redeemed') {
    return grant.redemptionKey === claim.key
      ? { outcome: 'repeated', campaign, offer }
      : refused('already_redeemed')
  }
  if (claim.at > now) return refused('future')
  if (claim.at < grant.reservedAt) return refused('too_early')
  if (claim.at >= grant.expiresAt) return refused('expired')
  return { outcome: 'redeemed', campaign, offer }
}

/** The grants each claim may be about: the code's, else the contact's own of that offer. */
async function findGrants(tx: Transaction, claims: readonly RedemptionClaim[]): Promise<Map<number, Found>> {
  const text = (of: (claim: RedemptionClaim) => string | undefined) =>
    sql`${sql.param(claims.map((claim) => of(claim) ?? null))}::text[]`
  const found = await rows<Found>(
    tx,
    sql`
    SELECT k.no::int - 1 AS no, coalesce(o.grants, own.grants, '[]') AS grants, x.contact_id AS "ownerId",
      EXISTS (SELECT FROM offer_codes c WHERE c.code IN (k.code, k.generated)) AS known
    FROM unnest(${text(({ code }) => code && normaliseCode(code))}, ${text(({ code }) => code && readGenerated(code))},
      ${text(({ externalId }) => externalId)}, ${text(({ offer }) => offer)})
      WITH ORDINALITY AS k(code, generated, external_id, offer, no)
    LEFT JOIN LATERAL (SELECT jsonb_build_array(jsonb_build_object('contactId', contact_id, 'grantId', grant_id)) AS grants
      FROM offer_codes
      -- Of somebody who was erased there is the code alone, so that it is not given out again.
      WHERE code IN (k.code, k.generated) AND grant_id IS NOT NULL ORDER BY code = k.code DESC LIMIT 1) o ON true
    LEFT JOIN external_ids x ON x.external_id = k.external_id
    LEFT JOIN LATERAL (
      SELECT jsonb_agg(jsonb_build_object('contactId', g.contact_id, 'grantId', g.grant_id)) AS grants FROM grants g
      WHERE k.code IS NULL AND g.contact_id = x.contact_id AND g.offer = k.offer) own ON true`,
  )
  return new Map(found.map((row) => [row.no, row]))
}

/** Locks first; the next statement reads what then holds. */
async function lockGrants(tx: Transaction, found: ReadonlyMap<number, Found>): Promise<Map<string, Held>> {
  const places = [...found.values()].flatMap(({ grants }) => grants)
  const keys = sql`SELECT contact_id, grant_id FROM ${grantTable(places)}`
  await execute(
    tx,
    sql`SELECT FROM grants WHERE (contact_id, grant_id) IN (${keys}) ORDER BY contact_id, grant_id FOR NO KEY UPDATE`,
  )
  const held = await rows<Held>(
    tx,
    sql`SELECT contact_id AS "contactId", grant_id AS "grantId", campaign, offer, state, reserved_at AS "reservedAt",
        expires_at AS "expiresAt", redemption_key AS "redemptionKey"
      FROM grants WHERE (contact_id, grant_id) IN (${keys})`,
  )
  return new Map(held.map((grant) => [`${grant.contactId} ${grant.grantId}`, grant]))
}

/**
 * Redemptions among new activity: events of the type the workspace names, whose properties hold a code. Within the
 * transaction that records them, from its temporary tables. Nobody waits for the answers: those that refuse are kept
 * with their reason.
 * @param event.type of the event; `event.code` the property that holds the code
 * @returns an answer for each event, the oldest first
 */
export async function redeemActivity(
  tx: Transaction,
  now: Date,
  event: { type: string; code: string },
): Promise<RedemptionAnswer[]> {
  const claims = await rows<{
    contactId: number
    key: string
    code: string
    externalId: string
    at: Date
    value: number | null
  }>(
    tx,
    sql`
    SELECT DISTINCT i.contact_id AS "contactId", 'event ' || i.contact_id || ' ' || i.key AS key, i.properties ->> ${event.code} AS code,
      c.external_id AS "externalId", i.occurred_at AS at, i.value
    FROM new_activity n JOIN incoming_activity i USING (contact_id, occurred_at, type)
    JOIN contacts c ON c.contact_id = i.contact_id
    WHERE n.type = ${event.type} AND i.properties ->> ${event.code} IS NOT NULL
    ORDER BY at, key`,
  )
  const answers = await redeem(
    tx,
    now,
    claims.map(({ value, contactId: _, ...claim }) => ({ ...claim, ...(value === null ? {} : { value }) })),
  )
  const refused = claims.flatMap((claim, no): Refused[] => {
    const answer = answers[no]
    return answer?.outcome === 'refused' ? [{ ...claim, reason: answer.reason }] : []
  })
  if (refused.length > 0) await keepRefused(tx, now, refused)
  return answers
}

interface Refused {
  readonly contactId: number
  readonly key: string
  readonly code: string
  readonly reason: RedemptionRefusal
  readonly at: Date
  readonly value: number | null
}

/** With the campaign and offer of the code, where somebody was given it or it is free. */
async function keepRefused(tx: Transaction, now: Date, refused: readonly Refused[]): Promise<void> {
  await execute(
    tx,
    sql`INSERT INTO refused_redemptions (contact_id, redemption_key, code, reason, campaign, offer, value, redeemed_at,
          recorded_at)
        SELECT k.contact_id, k.key, k.said, k.reason, o.campaign, o.offer, k.value, k.at, ${now}
        FROM unnest(${bigints(refused.map((row) => row.contactId))},
          ${sql.param(refused.map((row) => row.key))}::text[],
          ${sql.param(refused.map((row) => row.code.slice(0, 100)))}::text[],
          ${sql.param(refused.map((row) => normaliseCode(row.code)))}::text[],
          ${sql.param(refused.map((row) => readGenerated(row.code)))}::text[],
          ${sql.param(refused.map((row) => row.reason))}::text[],
          ${sql.param(refused.map((row) => row.value))}::bigint[],
          ${sql.param(refused.map((row) => row.at.toISOString()))}::timestamptz[])
          AS k(contact_id, key, said, code, generated, reason, value, at)
        LEFT JOIN LATERAL (SELECT campaign, offer FROM offer_codes WHERE code IN (k.code, k.generated)
          ORDER BY code = k.code DESC LIMIT 1) o ON true
        ORDER BY k.contact_id, k.key ON CONFLICT DO NOTHING`,
  )
}
