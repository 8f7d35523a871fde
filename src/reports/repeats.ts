import { type SQL, sql } from 'drizzle-orm'
import { rows, type Session } from '../database/connect.ts'
import type { PairProducts, RepeatedHeads } from '../statistics/clusters.ts'
import type { CrossMoments, RatioMoments } from '../statistics/ratio.ts'
import type { Counts } from './effect.ts'
import { inRange, knownAt, type Range, WHEN_COUNTED } from './people-cells.ts'
import { type Letter, PRODUCTS, type ProductName } from './rollup/repeats.ts'

// Persons who lapsed several times, as sums of products: what every interval of means over lapses is clustered with.

type DrawnArm = 'treated' | 'holdout'

/** Of pairs of lapses, by what each drew: products of their figures. */
export interface PairCell extends Readonly<Record<ProductName, number>> {
  readonly arm: string
  readonly earlierArm: string
}

export interface RepeatCell extends PairCell {
  readonly unit: 'episode' | 'stage'
  readonly tier: string
  readonly arm: DrawnArm
  readonly earlierArm: DrawnArm
  /** Pairs of which the earlier is the last one before in its arm. */
  readonly next: number
}

/** Of final cohorts; both lapses within the range, for outside it a person is not there twice. */
export async function readRepeats(session: Session, range: Range): Promise<RepeatCell[]> {
  return await rows<RepeatCell>(
    session,
    sql`
    SELECT r.unit, r.tier, r.arm, r.earlier_arm AS "earlierArm", sum(r.next)::bigint AS next, ${PRODUCT_SUMS}
    FROM report_repeats r ${WHEN_COUNTED} WHERE ${bothInRange(range)} AND r.unit <> 'variant'
    GROUP BY r.unit, r.tier, r.arm, r.earlier_arm`,
  )
}

/** Pairs of lapses that drew a variant of one step; `arm` is the variant. */
export interface VariantPair extends PairCell {
  readonly step: string
  readonly version: number
  readonly earlierVersion: number
}

/** As {@link readRepeats}. */
export async function readVariantRepeats(session: Session, range: Range): Promise<VariantPair[]> {
  return await rows<VariantPair>(
    session,
    sql`
    SELECT p.step, p.version, q.version AS "earlierVersion", r.arm, r.earlier_arm AS "earlierArm", ${PRODUCT_SUMS}
    FROM report_repeats r ${WHEN_COUNTED} JOIN steps p ON p.step_id = r.step_id JOIN steps q ON q.step_id = r.earlier_step_id
    WHERE ${bothInRange(range)} AND r.unit = 'variant'
    GROUP BY p.step, p.version, q.version, r.arm, r.earlier_arm`,
  )
}

const PRODUCT_SUMS = sql.join(
  PRODUCTS.map((name) => sql`sum(r.${sql.identifier(name)})::float8 AS ${sql.identifier(name)}`),
  sql`, `,
)

function bothInRange(range: Range): SQL {
  const since = range.from === undefined ? sql`` : sql` AND r.earlier >= ${range.from}::date`
  return sql`${inRange(range, 'r')}${since} AND r.final_at <= ${knownAt(range.now)}`
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
  return headsOf(own, 'treated', 'holdout', figures)
}

/** Of pairs by what each lapse drew, those of two of the groups, with two of their figures as x and y. */
export function headsOf(
  cells: readonly PairCell[],
  first: string,
  second: string,
  figures: { readonly x: Letter; readonly y: Letter },
): RepeatedHeads {
  const of = (arm: string, earlier: string) =>
    cells.filter((cell) => cell.arm === arm && cell.earlierArm === earlier)
  // Within a group a pair counts in both orders; across them, the first group's is the first whichever lapse was.
  const within = (arm: string) => productsOf(of(arm, arm), of(arm, arm), figures)
  return {
    first: within(first),
    second: within(second),
    both: productsOf(of(first, second), of(second, first), figures),
  }
}

/** @param asKept pairs whose later head is the first; @param turned pairs whose later head is the second */
function productsOf(
  asKept: readonly PairCell[],
  turned: readonly PairCell[],
  { x, y }: { readonly x: Letter; readonly y: Letter },
): PairProducts {
  const sum = (cells: readonly PairCell[], later: Letter, earlier: Letter) =>
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
