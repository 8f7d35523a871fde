import { sql } from 'drizzle-orm'
import { rows, type Session } from '../database/connect.ts'
import type { Offer } from './offers.ts'

// What is left of the offers of a campaign, and whether it will last.

/** What is left of one offer. */
export interface Pool {
  readonly campaign: string
  readonly offer: string
  readonly terms: Pick<Offer, 'stock' | 'deliver' | 'codes'>
  /** Ever granted or reserved. */
  readonly taken: number
  /** Imported codes in all, those nobody has and that are good now, and of these the ones that end within seven days. */
  readonly codes: number
  readonly free: number
  readonly ending: number
}

/** Days within which the end of codes is worth a word. */
const SOON = 7

export async function readPools(
  session: Session,
  now: Date,
  campaign: string,
  offers: Readonly<Record<string, Pool['terms']>>,
): Promise<Pool[]> {
  const soon = new Date(now.getTime() + SOON * 86_400_000)
  const names = Object.keys(offers)
  const found = await rows<Omit<Pool, 'campaign' | 'terms'>>(
    session,
    sql`
    SELECT k.offer, coalesce((SELECT s.taken FROM offer_stocks s WHERE s.campaign = ${campaign} AND s.offer = k.offer), 0)
        AS taken, c.codes, c.free, c.ending
    FROM unnest(${sql.param(names)}::text[]) AS k(offer)
    CROSS JOIN LATERAL (
      SELECT count(*) AS codes,
        count(*) FILTER (WHERE contact_id IS NULL AND (expires_at IS NULL OR expires_at > ${now})) AS free,
        count(*) FILTER (WHERE contact_id IS NULL AND expires_at > ${now} AND expires_at <= ${soon}) AS ending
      FROM offer_codes o WHERE o.campaign = ${campaign} AND o.offer = k.offer AND o.imported_at IS NOT NULL) c
    ORDER BY k.offer`,
  )
  return found.flatMap((row): Pool[] => {
    const terms = offers[row.offer]
    return terms ? [{ ...row, campaign, terms }] : []
  })
}

/** What is wrong or soon will be, and what mends it. */
export interface Shortage {
  /** `out`: nothing is left. */
  readonly state: 'out' | 'low'
  readonly found: string
  readonly mend: string
}

/** A tenth left is low. Pure; undefined where there is nothing to say. */
export function shortageOf({
  campaign,
  offer,
  terms,
  taken,
  codes,
  free,
  ending,
}: Pool): Shortage | undefined {
  const name = `${campaign}.${offer}`
  const { stock } = terms
  if (stock !== undefined && taken >= stock) {
    return { state: 'out', found: `${name} has given out its stock of ${stock}`, mend: RAISE }
  }
  if (terms.deliver === 'code' && terms.codes === 'imported') {
    const mend = `Run \`winback import codes ${name} FILE\`.`
    if (codes === 0) return { state: 'out', found: `no codes were imported for ${name}`, mend }
    if (free === 0) return { state: 'out', found: `${name} has no code left of ${codes}`, mend }
    if (free * 10 < codes) return { state: 'low', found: `${name} has ${free} codes left of ${codes}`, mend }
    if (ending * 2 > free) {
      return {
        state: 'low',
        found: `${ending} of the ${free} codes left for ${name} end within a week`,
        mend,
      }
    }
  }
  if (stock !== undefined && (stock - taken) * 10 < stock) {
    return { state: 'low', found: `${name} has ${stock - taken} left of its stock of ${stock}`, mend: RAISE }
  }
  return undefined
}

const RAISE = 'Raise `stock` in the campaign file and apply it, or let the step have an `otherwise`.'

/** What is short of a campaign’s offers. */
export async function readShortages(
  session: Session,
  now: Date,
  campaign: string,
  offers: Readonly<Record<string, Pool['terms']>>,
): Promise<Shortage[]> {
  if (Object.keys(offers).length === 0) return []
  return (await readPools(session, now, campaign, offers)).flatMap((pool) => shortageOf(pool) ?? [])
}
