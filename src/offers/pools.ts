import { sql } from 'drizzle-orm'
import { later } from '../clock.ts'
import { rows, type Session } from '../database/connect.ts'
import { hasImportedCodes, type Offer } from './offers.ts'

// What is left of the offers of a campaign, and whether it will last.

/** The terms that say how much of an offer there is. */
export type PoolTerms = Pick<Offer, 'stock' | 'deliver' | 'codes'>

/** What is left of one offer. */
export interface Pool {
  readonly campaign: string
  readonly offer: string
  readonly terms: PoolTerms
  /** Ever granted or reserved. */
  readonly taken: number
  /** Imported codes in all, those nobody has and that are good now, and of these the ones that end within seven days. */
  readonly codes: number
  readonly free: number
  readonly ending: number
}

/** Days within which the end of codes is worth a word. */
const SOON = 7

/** A pool whose offer may no longer stand in the campaign's file. */
export type KnownPool = Omit<Pool, 'terms'> & { readonly terms: PoolTerms | undefined }

/**
 * What is left of the offers of a campaign's file, and of those that were granted once.
 * @param offers of the file, by name
 */
export async function readPools(
  session: Session,
  now: Date,
  campaign: string,
  offers: Readonly<Record<string, PoolTerms>>,
): Promise<KnownPool[]> {
  const soon = later(now, SOON * 86_400)
  const found = await rows<Omit<Pool, 'campaign' | 'terms'>>(
    session,
    sql`
    SELECT k.offer, coalesce(s.taken, 0) AS taken, c.codes, c.free, c.ending
    FROM (SELECT unnest(${sql.param(Object.keys(offers))}::text[]) AS offer
      UNION SELECT offer FROM offer_stocks WHERE campaign = ${campaign}) k
    LEFT JOIN offer_stocks s ON s.campaign = ${campaign} AND s.offer = k.offer
    CROSS JOIN LATERAL (
      SELECT count(*) AS codes,
        count(*) FILTER (WHERE contact_id IS NULL AND (expires_at IS NULL OR expires_at > ${now})) AS free,
        count(*) FILTER (WHERE contact_id IS NULL AND expires_at > ${now} AND expires_at <= ${soon}) AS ending
      FROM offer_codes o WHERE o.campaign = ${campaign} AND o.offer = k.offer AND o.imported_at IS NOT NULL) c
    ORDER BY k.offer`,
  )
  return found.map((row) => ({ ...row, campaign, terms: offers[row.offer] }))
}

/** What a pool lacks: everything, nearly everything, time, or enough for those who are about to be promised some. */
export type Lack =
  | 'stock_out'
  | 'never_imported'
  | 'codes_out'
  | 'codes_low'
  | 'codes_ending'
  | 'stock_low'
  | 'codes_few'
  | 'stock_few'

/** All that a pool lacks, the first to be mended first; a tenth left is low. Pure. */
export function lacksOf({ terms, taken, codes, free, ending }: Pool): Lack[] {
  const { stock } = terms
  const imported = hasImportedCodes(terms)
  const found: [Lack, boolean][] = [
    ['stock_out', stock !== undefined && taken >= stock],
    ['never_imported', imported && codes === 0],
    ['codes_out', imported && codes > 0 && free === 0],
    ['codes_low', imported && free > 0 && free * 10 < codes],
    ['codes_ending', imported && ending * 2 > free],
    ['stock_low', stock !== undefined && taken < stock && (stock - taken) * 10 < stock],
  ]
  return found.flatMap(([lack, holds]) => (holds ? [lack] : []))
}

/** What is wrong or soon will be, and what mends it. */
export interface OfferShortage {
  /** `out`: nothing is left. */
  readonly state: 'out' | 'low'
  readonly lack: Lack
  readonly offer: string
  /** How many are left, of how many; of `codes_ending`, how many of those left end; of `…_few`, for how many promises. */
  readonly left: number
  readonly of: number
  readonly found: string
  readonly mend: string
}

/** The first thing a pool lacks, in words. Pure; undefined where there is nothing to say. */
export function shortageOf(pool: Pool): OfferShortage | undefined {
  const { campaign, offer, terms, taken, codes, free, ending } = pool
  const name = `${campaign}.${offer}`
  const { stock = 0 } = terms
  const [lack] = lacksOf(pool)
  switch (lack) {
    case 'stock_out': {
      const found = `${name} has given out its stock of ${stock}`
      return { state: 'out', lack, offer, left: 0, of: stock, found, mend: RAISE }
    }
    case 'never_imported': {
      const found = `no codes were imported for ${name}`
      return { state: 'out', lack, offer, left: 0, of: 0, found, mend: fill(name) }
    }
    case 'codes_out': {
      const found = `${name} has no code left of ${codes}`
      return { state: 'out', lack, offer, left: 0, of: codes, found, mend: fill(name) }
    }
    case 'codes_low': {
      const found = `${name} has ${free} codes left of ${codes}`
      return { state: 'low', lack, offer, left: free, of: codes, found, mend: fill(name) }
    }
    case 'codes_ending': {
      const found = `${ending} of the ${free} codes left for ${name} end within a week`
      return { state: 'low', lack, offer, left: ending, of: free, found, mend: fill(name) }
    }
    case 'stock_low': {
      const found = `${name} has ${stock - taken} left of its stock of ${stock}`
      return { state: 'low', lack, offer, left: stock - taken, of: stock, found, mend: RAISE }
    }
    case undefined:
      return undefined
  }
}

const fill = (name: string) => `Run \`winback import codes ${name} FILE\`.`

const RAISE = 'Raise `stock` in the campaign file and apply it, or let the step have an `otherwise`.'

/** That an offer does not last for so many promises. Pure; undefined where it does. */
function tooFewFor(promises: number, pool: Pool): OfferShortage | undefined {
  const { campaign, offer, terms, taken, free } = pool
  const inStock = Math.max(0, (terms.stock ?? Number.POSITIVE_INFINITY) - taken)
  const imported = hasImportedCodes(terms)
  const left = imported ? Math.min(inStock, free) : inStock
  if (promises <= left) return undefined
  const name = `${campaign}.${offer}`
  const found = `${name} has ${left} left, and up to ${promises} of those who would be taken in now may be promised one`
  return imported && free < inStock
    ? { state: 'low', lack: 'codes_few', offer, left, of: promises, found, mend: fill(name) }
    : { state: 'low', lack: 'stock_few', offer, left, of: promises, found, mend: RAISE }
}

/**
 * What is short of the offers of a campaign’s file.
 * @param promised how many of each are about to be promised, where that is known
 */
export async function readShortages(
  session: Session,
  now: Date,
  campaign: string,
  offers: Readonly<Record<string, PoolTerms>>,
  promised: ReadonlyMap<string, number> = new Map(),
): Promise<OfferShortage[]> {
  if (Object.keys(offers).length === 0) return []
  const pools = await readPools(session, now, campaign, offers)
  return pools.flatMap(({ terms, ...rest }) => {
    if (!terms) return []
    const pool = { ...rest, terms }
    const short = shortageOf(pool)
    // What is out is short of everything; of what is low, how many it leaves out says more.
    if (short?.state === 'out') return short
    return tooFewFor(promised.get(pool.offer) ?? 0, pool) ?? short ?? []
  })
}
