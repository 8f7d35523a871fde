import { sql } from 'drizzle-orm'
import { rows, type Session } from '../database/connect.ts'
import type { PairProducts, RepeatedHeads } from '../statistics/clusters.ts'
import type { CrossMoments, RatioMoments } from '../statistics/ratio.ts'
import type { Counts } from './effect.ts'
import { inRange, type Range } from './people-cells.ts'
import { type Letter, PRODUCTS, type ProductName } from './rollup-repeats.ts'

// Persons who lapsed several times, as sums of products: what every interval of means over lapses is clustered with.

type DrawnArm = 'treated' | 'holdout'

export interface RepeatCell extends Readonly<Record<ProductName, number>> {
  readonly unit: 'episode' | 'stage'
  readonly tier: string
  readonly arm: DrawnArm
  readonly earlierArm: DrawnArm
  /** Pairs of which the earlier is the last one before in its arm. */
  readonly next: number
}

/** Of final cohorts; both lapses within the range, for outside it a person is not there twice. */
export async function readRepeats(session: Session, range: Range): Promise<RepeatCell[]> {
  const products = sql.join(
    PRODUCTS.map((name) => sql`sum(${sql.identifier(name)})::float8 AS ${sql.identifier(name)}`),
    sql`, `,
  )
  const since = range.from === undefined ? sql`` : sql` AND earlier >= ${range.from}::date`
  return await rows<RepeatCell>(
    session,
    sql`
    SELECT unit, tier, arm, earlier_arm AS "earlierArm", sum(next)::bigint AS next, ${products}
    FROM report_repeats WHERE ${inRange(range)}${since} AND final_at <= ${range.now}
    GROUP BY unit, tier, arm, earlier_arm`,
  )
}

/** Which lapses: all, those that entered with a tier, or those that drew in it. */
interface Which {
  readonly unit: RepeatCell['unit']
  readonly tier?: string | undefined
}

/**
 * Pairs of lapses of one person, with two of their figures as x and y; the treated are the first of the arms. Undefined
 * where nobody is there twice.
 */
export function repeatedHeads(
  repeats: readonly RepeatCell[],
  { unit, tier }: Which,
  figures: { readonly x: Letter; readonly y: Letter },
): RepeatedHeads | undefined {
  const own = repeats.filter((cell) => cell.unit === unit && (tier === undefined || cell.tier === tier))
  if (own.length === 0) return undefined
  const of = (arm: DrawnArm, earlier: DrawnArm) =>
    own.filter((cell) => cell.arm === arm && cell.earlierArm === earlier)
  // Within an arm a pair counts in both orders; across them, the treated is the first whichever lapse was.
  const within = (arm: DrawnArm) => productsOf(of(arm, arm), of(arm, arm), figures)
  return {
    first: within('treated'),
    second: within('holdout'),
    both: productsOf(of('treated', 'holdout'), of('holdout', 'treated'), figures),
  }
}

/** @param asKept pairs whose later head is the first; @param turned pairs whose later head is the second */
function productsOf(
  asKept: readonly RepeatCell[],
  turned: readonly RepeatCell[],
  { x, y }: { readonly x: Letter; readonly y: Letter },
): PairProducts {
  const sum = (cells: readonly RepeatCell[], later: Letter, earlier: Letter) =>
    cells.reduce((all, cell) => all + cell[`${later}${earlier}` as ProductName], 0)
  const of = (first: Letter, second: Letter) => sum(asKept, first, second) + sum(turned, second, first)
  return {
    nn: of('n', 'n'),
    nx: of('n', x),
    ny: of('n', y),
    xn: of(x, 'n'),
    xx: of(x, x),
    xy: of(x, y),
    yn: of(y, 'n'),
    yx: of(y, x),
    yy: of(y, y),
  }
}

/** Recalls and lapses of both arms, summed by person; undefined where nobody is there twice. */
export function recallsByPerson(
  repeats: readonly RepeatCell[],
  treated: Pick<Counts, 'matured' | 'recalled'>,
  heldOut: Pick<Counts, 'matured' | 'recalled'>,
): { treated: RatioMoments; heldOut: RatioMoments; both: CrossMoments } | undefined {
  const pairs = repeatedHeads(repeats, { unit: 'episode' }, { x: 'y', y: 'n' })
  if (!pairs) return undefined
  const again = (arm: DrawnArm) =>
    repeats
      .filter((cell) => cell.unit === 'episode' && cell.arm === arm && cell.earlierArm === arm)
      .reduce((sum, { next }) => sum + next, 0)
  const moments = (arm: DrawnArm, counts: typeof treated, { nn, xn, xx }: PairProducts): RatioMoments => ({
    persons: counts.matured - again(arm),
    x: counts.matured,
    y: counts.recalled,
    // (Σ)² over a person's lapses: each with itself, and with each other.
    xx: counts.matured + nn,
    yy: counts.recalled + xx,
    xy: counts.recalled + xn,
  })
  const { nn, xx, xn, nx } = pairs.both
  return {
    treated: moments('treated', treated, pairs.first),
    heldOut: moments('holdout', heldOut, pairs.second),
    both: { xx: nn, yy: xx, yx: xn, xy: nx },
  }
}
