import { type SQL, sql } from 'drizzle-orm'
import { sampleRatio } from '../statistics/sample-ratio.ts'
import {
  type Arm,
  type Counts,
  type Effect,
  effectOfStrata,
  type Split,
  type Splits,
  splitOf,
} from './effect.ts'

// Where the share held out was changed on the way: cells by the share that their version drew with, which are compared each
// within itself. How many are kept out as control changes nothing between the treated and the held out, so it makes no stratum.

/** A version whose split is not known is one of its own: within a version, nothing was changed. */
function shareOf(split: Splits, version: number): string {
  return String(splitOf(split, version)?.holdout ?? `version ${version}`)
}

/** What a version's own draw of a tier held out; one for all whose share is not known. */
export function tierShareOf(split: Splits, version: number, tier: string): string {
  return String(splitOf(split, version)?.tiers?.get(tier) ?? '')
}

/**
 * Joins `k.shares` to rows of `report_stages s`, which are known by day and not by version: what the tier's own draw held out of
 * those taken in on that day, by any version of it. As {@link strataByDay}.
 */
export function joinTierShares(split: ReadonlyMap<number, Split>): SQL {
  const known = [...split].flatMap(([version, { tiers = new Map<string, number>() }]) =>
    [...tiers].map(([tier, share]) => ({ version, tier, share })),
  )
  return sql`CROSS JOIN LATERAL (
      SELECT coalesce(string_agg(DISTINCT t.share::text, ' ' ORDER BY t.share::text), '') AS shares
      FROM report_people p JOIN unnest(${sql.param(known.map(({ version }) => version))}::int[],
        ${sql.param(known.map(({ tier }) => tier))}::text[], ${sql.param(known.map(({ share }) => share))}::float8[])
        AS t(version, tier, share) ON t.version = p.version AND t.tier = s.tier
      WHERE p.campaign = s.campaign AND p.day = s.day
    ) k`
}

/**
 * Whether a tier's own draw has not the sizes it was drawn with, each share by itself: nothing may be concluded from it then.
 * What is known of a day alone, on which the share was changed, is left out, and so is a share that is not known.
 * @param drawn all that drew, complete or not, by what {@link tierShareOf} or {@link joinTierShares} says of them
 */
export function isDrawOff(
  drawn: readonly { readonly share: string; readonly arm: string; readonly assigned: number }[],
): boolean {
  const observed = { treated: 0, holdout: 0 }
  const expected = { treated: 0, holdout: 0 }
  for (const { share, arm, assigned } of drawn) {
    const held = share === '' ? Number.NaN : Number(share)
    if (!(held > 0 && held < 1)) continue
    observed[arm === 'holdout' ? 'holdout' : 'treated'] += assigned
    expected.treated += (1 - held) * assigned
    expected.holdout += held * assigned
  }
  const test = sampleRatio(
    (['treated', 'holdout'] as const).map((arm) => ({ observed: observed[arm], expected: expected[arm] })),
  )
  return test.kind === 'tested' && test.alarm
}

/** Cells by the share held out, the oldest version's first. */
export function strataOf<Cell extends { readonly version: number }>(
  cells: readonly Cell[],
  split: Splits,
): Cell[][] {
  return groupBy(
    cells.toSorted((a, b) => a.version - b.version),
    ({ version }) => shareOf(split, version),
  )
}

/**
 * Cells of days by the shares of their day, oldest first, where a figure is known by day and not by version. The day of the
 * change has two, and is a stratum of its own: one day is one season.
 */
export function strataByDay<Cell extends { readonly day: string; readonly version: number }>(
  cells: readonly Cell[],
  split: Splits,
): Cell[][] {
  const days = groupBy(
    cells.toSorted((a, b) => (a.day < b.day ? -1 : a.day > b.day ? 1 : 0)),
    ({ day }) => day,
  )
  return groupBy(days, (own) =>
    JSON.stringify([...new Set(own.map(({ version }) => shareOf(split, version)))].sort()),
  ).map((own) => own.flat())
}

/** In the order in which each key comes first. */
export function groupBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Item[][] {
  const groups = new Map<string, Item[]>()
  for (const item of items) {
    const own = groups.get(keyOf(item))
    if (own) own.push(item)
    else groups.set(keyOf(item), [item])
  }
  return [...groups.values()]
}

type OfArm<Cell, Of> = (cells: readonly Cell[], arm: Extract<Arm, 'treated' | 'holdout'>) => Of

/** What each stratum counts, or sums up, of either side. */
export function drawnOf<Cell, Of>(
  strata: readonly (readonly Cell[])[],
  of: OfArm<Cell, Of>,
): { readonly treated: Of; readonly heldOut: Of }[] {
  // Nobody at all are two empty groups still.
  return (strata.length > 0 ? strata : [[]]).map((own) => ({
    treated: of(own, 'treated'),
    heldOut: of(own, 'holdout'),
  }))
}

/** Treated against held out over some cells, each share within itself. */
export function effectWithin<Cell extends { readonly version: number }>(
  cells: readonly Cell[],
  split: Splits,
  count: OfArm<Cell, Counts>,
): Effect {
  return effectOfStrata(drawnOf(strataOf(cells, split), count))
}
