import { type SQL, sql } from 'drizzle-orm'
import { earlier } from '../clock.ts'
import { bigints, ofAnyLength } from '../database/arrays.ts'
import { execute, preparedRows, rows, type Session, type Transaction } from '../database/connect.ts'
import { generateCode, normaliseCode } from './codes.ts'
import { expectedOf, faceOf, hasImportedCodes, type Offer } from './offers.ts'

// Grants as they are made, set-wise. A grant is reserved together with the touchpoint's other reservations, and becomes
// granted or is given back once it is known whether the message went out (conclusion.ts). The grant of an episode is decided
// by one at a time, under the lock on its person; stock and codes under the row of offer_stocks, which is taken as late as
// can be: everybody who promises the offer waits for it. Grants that exist are locked before that row.

/** Who is to be granted something: a touchpoint of a claim. */
export interface Wanted {
  readonly contactId: number
  readonly touchpointId: number
  readonly episodeId: number
}

/** A grant as a message needs it. */
export interface Grant {
  readonly grantId: number
  readonly code: string | null
  readonly expiresAt: Date
  /** Not outstanding yet: what it is expected to cost is booked nowhere. */
  readonly fresh: boolean
  /** Of a provider that credits it: it was asked and gave no answer yet, or it has credited it. */
  readonly credit: 'asking' | 'credited' | null
}

/** What became of one wish: a grant, a reason why there is none, or nothing yet (another step is granting it). */
export type GrantAnswer = Grant | { readonly refused: GrantRefusal } | 'busy'

/** Why there is no grant. */
export type GrantRefusal =
  | 'stock'
  | 'codes'
  | 'per_contact'
  | 'lifetime'
  | 'cool_down'
  | 'redeemed'
  | 'expired'

/** The offer of a step, as its messages promise it. */
export interface StepOffer {
  readonly campaign: string
  readonly name: string
  readonly terms: Offer
  /** How many may be granted in all, by all versions of the campaign; undefined where there are as many as are asked for. */
  readonly stock: number | undefined
  readonly stepId: number
  /** `deliver: account` with a provider that credits it. */
  readonly credits: boolean
}

interface Standing {
  readonly grantId: number | null
  readonly state: 'reserved' | 'granted' | 'redeemed' | 'expired' | null
  readonly holder: number | null
  readonly code: string | null
  readonly expiresAt: Date | null
  readonly credit: 'asking' | 'credited' | null
  readonly recent: number
  readonly ever: number
  readonly last: Date | null
}

const NOTHING_BEFORE: Standing = {
  grantId: null,
  state: null,
  holder: null,
  code: null,
  expiresAt: null,
  credit: null,
  recent: 0,
  ever: 0,
  last: null,
}

/**
 * Reserves the offer for a claim's touchpoints, all of one step. To be called within the transaction that holds the
 * locks on their persons; takes the offer's row and keeps it to the end.
 * @returns an answer for every touchpoint, by its id
 */
export async function reserveGrants(
  tx: Transaction,
  offer: StepOffer,
  claimId: string,
  now: Date,
  wanted: readonly Wanted[],
): Promise<Map<number, GrantAnswer>> {
  const standings = await readStandings(tx, offer, now, wanted)
  const answers = new Map<number, GrantAnswer>()
  const fresh: Wanted[] = []
  const again: (GrantKey & { readonly touchpointId: number })[] = []
  for (const wish of wanted) {
    const standing = standings.get(wish.touchpointId) ?? NOTHING_BEFORE
    const decided = decide(wish.touchpointId, standing, offer.terms, now)
    if (decided === undefined) fresh.push(wish)
    else if (decided !== 'mine') answers.set(wish.touchpointId, decided)
    else if (standing.grantId) {
      again.push({ ...wish, grantId: standing.grantId })
      answers.set(wish.touchpointId, { ...grantOf(standing, standing.grantId), fresh: true })
    }
  }
  const held = again.length > 0 ? await holdAgain(tx, claimId, again) : new Set<number>()
  // Given back meanwhile by whoever concludes what an earlier claim left.
  for (const { grantId, touchpointId } of again) if (!held.has(grantId)) answers.set(touchpointId, 'busy')
  if (fresh.length === 0) return answers
  const count = await takeStock(tx, offer, fresh.length)
  const made = await insertGrants(tx, offer, claimId, now, fresh.slice(0, count))
  if (made.size < count) await giveBack(tx, offer, count - made.size)
  // Where the codes end first there is stock left, for those as well for whom none was taken.
  const refused = made.size < count ? 'codes' : 'stock'
  for (const { touchpointId } of fresh) answers.set(touchpointId, made.get(touchpointId) ?? { refused })
  return answers
}

/**
 * What {@link reserveGrants} would answer one wish at this moment, reserving nothing: a grant made for it (`fresh`), the
 * one the episode has (`held`), or why there is none.
 */
export async function foreseeGrant(
  session: Session,
  offer: StepOffer,
  now: Date,
  wish: Wanted,
): Promise<'fresh' | 'held' | 'busy' | { readonly refused: GrantRefusal }> {
  const { campaign, name, terms, stock } = offer
  const standings = await readStandings(session, offer, now, [wish])
  const decided = decide(wish.touchpointId, standings.get(wish.touchpointId) ?? NOTHING_BEFORE, terms, now)
  if (decided === 'mine') return 'held'
  if (decided !== undefined) return decided === 'busy' || 'refused' in decided ? decided : 'held'
  const [place] = await rows<{ taken: number }>(
    session,
    sql`SELECT taken FROM offer_stocks WHERE campaign = ${campaign} AND offer = ${name}`,
  )
  if ((place?.taken ?? 0) >= (stock ?? Number.POSITIVE_INFINITY)) return { refused: 'stock' }
  if (hasImportedCodes(terms) && (await freeCodes(session, offer, now, 1)).length === 0)
    return { refused: 'codes' }
  return 'fresh'
}

/** The grant of an offer that an episode has, its promise not yet over; undefined where it has none. */
export async function outstandingGrant(
  session: Session,
  {
    campaign,
    offer,
    contactId,
    episodeId,
  }: { campaign: string; offer: string; contactId: number; episodeId: number },
): Promise<Pick<Grant, 'code' | 'expiresAt'> | undefined> {
  const [grant] = await rows<Pick<Grant, 'code' | 'expiresAt'>>(
    session,
    sql`SELECT code, expires_at AS "expiresAt" FROM grants
        WHERE contact_id = ${contactId} AND episode_id = ${episodeId} AND campaign = ${campaign} AND offer = ${offer}
          AND state IN ('reserved', 'granted')`,
  )
  return grant
}

/**
 * Takes as much of the stock as there is, `wanted` at most, and holds the offer's row until the transaction ends. Taken
 * first and compared afterwards: the row's own figure is what is counted up, whoever changed it last.
 */
async function takeStock(tx: Transaction, offer: StepOffer, wanted: number): Promise<number> {
  const { campaign, name, stock } = offer
  const take = () =>
    preparedRows<{ taken: number }>(
      tx,
      sql`UPDATE offer_stocks SET taken = taken + ${wanted} WHERE campaign = ${campaign} AND offer = ${name}
        RETURNING taken`,
    )
  let [place] = await take()
  if (!place) {
    await execute(
      tx,
      sql`INSERT INTO offer_stocks (campaign, offer) VALUES (${campaign}, ${name}) ON CONFLICT DO NOTHING`,
    )
    ;[place] = await take()
  }
  const before = (place?.taken ?? wanted) - wanted
  const left = Math.max(0, (stock ?? Number.POSITIVE_INFINITY) - before)
  const count = Math.min(wanted, left)
  if (count < wanted) await giveBack(tx, offer, wanted - count)
  return count
}

/** Of what {@link takeStock} took in the same transaction. */
async function giveBack(tx: Transaction, { campaign, name }: StepOffer, count: number): Promise<void> {
  await preparedRows(
    tx,
    sql`UPDATE offer_stocks SET taken = taken - ${count} WHERE campaign = ${campaign} AND offer = ${name}`,
  )
}

/** Pure: what an episode's grant and the person's past say. `mine` goes on with the grant there is. */
function decide(
  touchpointId: number,
  standing: Standing,
  terms: Offer,
  now: Date,
): GrantAnswer | 'mine' | undefined {
  const { state, grantId } = standing
  if (state === 'redeemed') return { refused: 'redeemed' }
  if (state === 'expired') return { refused: 'expired' }
  if (grantId !== null && standing.expiresAt !== null && standing.expiresAt <= now) {
    return { refused: 'expired' }
  }
  if (state === 'granted' && grantId !== null) return grantOf(standing, grantId)
  if (state === 'reserved') return standing.holder === touchpointId ? 'mine' : 'busy'
  const { per_contact: perContact, lifetime, cool_down: coolDown } = terms
  if (lifetime !== undefined && standing.ever >= lifetime) return { refused: 'lifetime' }
  if (perContact && standing.recent >= perContact.count) return { refused: 'per_contact' }
  if (coolDown !== undefined && standing.last && standing.last.getTime() + coolDown * 1000 > now.getTime()) {
    return { refused: 'cool_down' }
  }
  return undefined
}

function grantOf(standing: Standing, grantId: number): Grant {
  const { code, credit } = standing
  return { grantId, code, credit, expiresAt: standing.expiresAt ?? new Date(0), fresh: false }
}

const SPANS = { day: 86_400, week: 604_800 }

/**
 * The grant each episode has already, and what the person has had of this kind over all campaigns: by the contacts
 * who are the same person now, whoever they were then.
 * @returns by touchpoint; without an entry where there has been nothing
 */
async function readStandings(
  session: Session,
  { campaign, name, terms }: StepOffer,
  now: Date,
  wanted: readonly Wanted[],
): Promise<Map<number, Standing>> {
  const per = terms.per_contact?.per
  const span = per === undefined ? 0 : typeof per === 'number' ? per : SPANS[per]
  const limited =
    terms.per_contact !== undefined || terms.lifetime !== undefined || terms.cool_down !== undefined
  const past = limited
    ? sql`SELECT count(*) FILTER (WHERE p.reserved_at > ${earlier(now, span)}) AS recent,
        count(*) AS ever, max(p.reserved_at) AS last
      FROM contacts me JOIN contacts c ON c.person_id = me.person_id
      CROSS JOIN LATERAL (SELECT g.reserved_at FROM grants g
        WHERE g.contact_id = c.contact_id AND g.kind = ${terms.kind} OFFSET 0) p
      WHERE me.contact_id = w.contact_id`
    : sql`SELECT 0 AS recent, 0 AS ever, NULL::timestamptz AS last`
  const found = await preparedRows<Standing & { touchpointId: number }>(
    session,
    sql`
    SELECT w.touchpoint_id AS "touchpointId", g.grant_id AS "grantId", g.state, g.touchpoint_id AS holder, g.code,
      g.expires_at AS "expiresAt", g.credit, past.recent, past.ever, past.last
    FROM ${wantedTable(wanted)}
    -- By contact, one after another: the planner may still take the grants of a first run for none.
    LEFT JOIN LATERAL (SELECT * FROM grants g WHERE g.contact_id = w.contact_id AND g.episode_id = w.episode_id
      AND g.campaign = ${campaign} AND g.offer = ${name} OFFSET 0) g ON true
    CROSS JOIN LATERAL (${past}) past
    WHERE g.grant_id IS NOT NULL OR past.ever > 0`,
  )
  return new Map(found.map((standing) => [standing.touchpointId, standing]))
}

function wantedTable(wanted: readonly Wanted[]): SQL {
  return sql`unnest(${ofAnyLength(bigints(wanted.map((wish) => wish.contactId)))},
    ${bigints(wanted.map((wish) => wish.touchpointId))}, ${bigints(wanted.map((wish) => wish.episodeId))}
  ) AS w(contact_id, touchpoint_id, episode_id)`
}

/** A try that comes again finds what the one before reserved. @returns those that are still there */
async function holdAgain(tx: Transaction, claimId: string, held: readonly GrantKey[]): Promise<Set<number>> {
  const found = await rows<{ grantId: number }>(
    tx,
    sql`
    WITH locked AS (
      SELECT g.contact_id, g.grant_id FROM ${grantTable(held)} JOIN grants g USING (contact_id, grant_id)
      WHERE g.state = 'reserved' ORDER BY g.contact_id, g.grant_id FOR UPDATE OF g
    )
    UPDATE grants g SET claim_id = ${claimId}::uuid FROM locked
    WHERE g.contact_id = locked.contact_id AND g.grant_id = locked.grant_id
    RETURNING g.grant_id AS "grantId"`,
  )
  return new Set(found.map(({ grantId }) => grantId))
}

/** The primary key of a grant. */
export interface GrantKey {
  readonly contactId: number
  readonly grantId: number
}

/** Grants by primary key, as a table `k(contact_id, grant_id)`. */
export function grantTable(keys: readonly GrantKey[]): SQL {
  return sql`unnest(${ofAnyLength(bigints(keys.map((key) => key.contactId)))}, ${bigints(keys.map((key) => key.grantId))})
    AS k(contact_id, grant_id)`
}

/**
 * Makes the grants, each with its code: of the imported ones as many as there are, so that the last may go without.
 * @returns by touchpoint; without an entry where there was no code left
 */
async function insertGrants(
  tx: Transaction,
  offer: StepOffer,
  claimId: string,
  now: Date,
  wanted: readonly Wanted[],
): Promise<Map<number, Grant>> {
  const { terms, campaign, name, stepId } = offer
  const byCode = terms.deliver === 'code'
  const codes = hasImportedCodes(terms)
    ? await freeCodes(tx, offer, now, wanted.length)
    : wanted.map(() => ({ shown: byCode ? generateCode() : null, expiresAt: null }))
  const served = wanted.slice(0, codes.length)
  if (served.length === 0) return new Map()
  const end = now.getTime() + terms.valid * 1000
  const expiries = codes.map(({ expiresAt }) => new Date(Math.min(end, expiresAt?.getTime() ?? end)))
  const made = await preparedRows<{ touchpointId: number; grantId: number }>(
    tx,
    sql`
    WITH made AS (
      INSERT INTO grants (contact_id, episode_id, campaign, offer, kind, step_id, touchpoint_id, claim_id, state,
        code, face, expected, reserved_at, expires_at)
      SELECT w.contact_id, w.episode_id, ${campaign}::text, ${name}::text, ${terms.kind}::text, ${stepId}::int,
        w.touchpoint_id, ${claimId}::uuid, 'reserved', w.code, ${faceOf(terms)}::bigint,
        ${expectedOf(terms)}::bigint, ${now}::timestamptz, w.expires_at
      FROM unnest(${ofAnyLength(bigints(served.map((wish) => wish.contactId)))}, ${bigints(served.map((wish) => wish.touchpointId))},
        ${bigints(served.map((wish) => wish.episodeId))}, ${sql.param(codes.map(({ shown }) => shown))}::text[],
        ${sql.param(expiries.map((expiry) => expiry.toISOString()))}::timestamptz[]) AS w(contact_id, touchpoint_id, episode_id, code, expires_at)
      RETURNING contact_id, grant_id, touchpoint_id, code
    ), issued AS (
      INSERT INTO offer_codes AS o (code, shown, campaign, offer, contact_id, grant_id)
      SELECT k.code, m.code, ${campaign}::text, ${name}::text, m.contact_id, m.grant_id
      FROM made m JOIN unnest(${sql.param(codes.map(({ shown }) => shown))}::text[],
        ${sql.param(codes.map(({ shown }) => shown && normaliseCode(shown)))}::text[]) AS k(shown, code)
        ON k.shown = m.code
      ON CONFLICT (code) DO UPDATE SET contact_id = excluded.contact_id, grant_id = excluded.grant_id
        WHERE o.contact_id IS NULL
    )
    SELECT touchpoint_id AS "touchpointId", grant_id AS "grantId" FROM made`,
  )
  const ids = new Map(made.map(({ touchpointId, grantId }) => [touchpointId, grantId]))
  return new Map(
    served.flatMap(({ touchpointId }, place): [number, Grant][] => {
      const [grantId, code, expiresAt] = [ids.get(touchpointId), codes[place], expiries[place]]
      if (grantId === undefined || !code || !expiresAt) return []
      return [[touchpointId, { grantId, code: code.shown, expiresAt, credit: null, fresh: true }]]
    }),
  )
}

/**
 * Imported codes nobody has, those that end first going first, those without an end last. The caller holds the offer's
 * row: nobody else takes any. Two stretches of one index: a condition that joined them would read every code that has
 * ended already, each time.
 */
async function freeCodes(
  session: Session,
  { campaign, name }: StepOffer,
  now: Date,
  count: number,
): Promise<{ shown: string; expiresAt: Date | null }[]> {
  const free = sql`SELECT shown, code, expires_at FROM offer_codes
    WHERE campaign = ${campaign} AND offer = ${name} AND contact_id IS NULL`
  return await rows(
    session,
    sql`
    SELECT shown, expires_at AS "expiresAt" FROM (
      (${free} AND expires_at > ${now} ORDER BY expires_at, code LIMIT ${count})
      UNION ALL
      (${free} AND expires_at IS NULL ORDER BY expires_at, code LIMIT ${count})
    ) soonest ORDER BY expires_at NULLS LAST, code LIMIT ${count}`,
  )
}
