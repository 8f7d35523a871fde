import { sql } from 'drizzle-orm'
import { rows, type Session } from '../../database/connect.ts'
import type { RepeatedHeads } from '../../statistics/clusters.ts'
import type { Estimate, NotEnough } from '../../statistics/estimate.ts'
import { holm } from '../../statistics/many.ts'
import { differenceTest } from '../../statistics/miettinen-nurminen.ts'
import type { CostMoments } from '../../statistics/net-benefit.ts'
import { newcombe } from '../../statistics/newcombe.ts'
import { type SampleRatio, sampleRatio } from '../../statistics/sample-ratio.ts'
import { recallsUntilVerdict, sequenceTest } from '../../statistics/sequence.ts'
import { differenceSpread, rateSpread, widened } from '../../statistics/spread.ts'
import { type ArmFigures, type Counts, figuresOf } from '../effect.ts'
import { inRange, knownAt, WHEN_COUNTED } from '../people-cells.ts'
import { ladderOf } from '../people-sql.ts'
import type { CampaignQuestion, VariantShare } from '../question.ts'
import { headsOf, type PairCell, readVariantRepeats, type VariantPair } from '../repeats.ts'
import { type CostComparison, compareCosts, type VariantCost, variantCost } from './variant-costs.ts'

// Which variant of a step brings back more, as figures. Among all for whom the step was planned, sent to or not: which
// variant somebody drew may decide whether it can be sent, so the sent alone are no groups to compare.

/** Chance of calling any of a step's variants different where none is, over all looks. */
const ALPHA = 0.05

export interface VariantFigures extends ArmFigures {
  readonly name: string
  /** What it was drawn with, in (0, 1]. */
  readonly share: number
  /** Of the assigned. */
  readonly sent: number
  readonly cost: VariantCost
}

/** A variant against the step's first. */
export interface VariantComparison {
  readonly variant: string
  /** Its recall rate minus the first's, with the Newcombe interval: for one look. */
  readonly difference: Estimate | NotEnough
  /** p of the score test, adjusted by Holm over the step's comparisons: for one look. Undefined where nothing can be tested. */
  readonly adjusted: number | undefined
  /** The same of the p that holds at every look: what the verdict rests on. */
  readonly adjustedDaily: number | undefined
  /** About how many more recalls of the first it takes to tell, if rates stay as they are; undefined: no number would do. */
  readonly recallsNeeded: number | undefined
  readonly verdict: 'not_yet' | 'no_difference' | 'better' | 'worse'
  readonly cost: CostComparison
}

/** Whether the variants have the sizes they were drawn with. */
export interface VariantSplit {
  readonly test: SampleRatio | NotEnough
  /** Touchpoints of a variant that has no share. */
  readonly strayed: number
  /** True: nothing may be concluded about this step. */
  readonly alarm: boolean
}

/** A step that compares variants, over the versions that drew with the same names and shares. */
export interface ComparedStep {
  readonly tier: string
  readonly step: string
  readonly versions: readonly number[]
  readonly split: VariantSplit
  /** In the order of the file: the first is the one the others are held against. */
  readonly variants: readonly VariantFigures[]
  readonly comparisons: readonly VariantComparison[]
  /** Somebody drew one more than once: their lapses are taken together in all intervals. */
  readonly repeated: boolean
  /** What a recall is worth to the campaign, micros. */
  readonly recallValue: number | undefined
}

interface VariantRow extends Counts {
  readonly tier: string
  readonly step: string
  readonly version: number
  readonly variant: string
  readonly sent: number
  /** Of the complete. */
  readonly cost: number
  readonly costSquares: number
  readonly costRecalls: number
}

/**
 * Every step that compared variants, newest versions first within a step. Versions the question does not know the shares
 * of are left out: nothing could be held against them.
 */
export async function readVariants(session: Session, question: CampaignQuestion): Promise<ComparedStep[]> {
  // Variants of a step and day become final together: their last windows would else end a moment apart.
  const found = await rows<VariantRow>(
    session,
    sql`
    SELECT p.tier, p.step, p.version, v.variant, sum(v.assigned)::bigint AS assigned,
      sum(v.contaminated)::bigint AS contaminated, sum(v.sent)::bigint AS sent,
      coalesce(sum(v.assigned) FILTER (WHERE v.final), 0)::bigint AS matured,
      coalesce(sum(v.recalled) FILTER (WHERE v.final), 0)::bigint AS recalled,
      coalesce(sum(v.cost) FILTER (WHERE v.final), 0)::float8 AS cost,
      coalesce(sum(v.cost_squares) FILTER (WHERE v.final), 0)::float8 AS "costSquares",
      coalesce(sum(v.cost_recalls) FILTER (WHERE v.final), 0)::float8 AS "costRecalls"
    FROM (
      SELECT r.*, max(r.final_at) OVER (PARTITION BY r.day, r.step_id) <= ${knownAt(question.now)} AS final
      FROM report_variants r ${WHEN_COUNTED} WHERE ${inRange(question, 'r')}
    ) v JOIN steps p USING (step_id) JOIN ${ladderOf(question.campaign)} l USING (tier, step)
    GROUP BY l.place, p.tier, p.step, p.version, v.variant
    ORDER BY l.place, p.version DESC`,
  )
  return compareSteps(found, await readVariantRepeats(session, question), question)
}

/** Rows of one step and of versions with the same names and shares, judged together. Pure. */
function compareSteps(
  found: readonly VariantRow[],
  repeats: readonly VariantPair[],
  { variants: known = new Map(), recallValue }: Pick<CampaignQuestion, 'variants' | 'recallValue'>,
): ComparedStep[] {
  const keyOf = (step: string, version: number) => {
    const shares = known.get(version)?.get(step)
    return shares && JSON.stringify([step, shares.map(({ name, share }) => [name, share])])
  }
  const groups = new Map<string, { shares: readonly VariantShare[]; rows: VariantRow[] }>()
  for (const row of found) {
    const shares = known.get(row.version)?.get(row.step)
    const key = keyOf(row.step, row.version)
    if (!shares || key === undefined) continue
    const group = groups.get(key) ?? { shares, rows: [] }
    groups.set(key, group)
    group.rows.push(row)
  }
  return [...groups].map(([key, { shares, rows: own }]) => {
    // A person is twice in what is counted together alone.
    const again = repeats.filter(({ step, version, earlierVersion }) =>
      [version, earlierVersion].every((each) => keyOf(step, each) === key),
    )
    return compareStep(own, again, shares, recallValue)
  })
}

function compareStep(
  own: readonly VariantRow[],
  again: readonly VariantPair[],
  shares: readonly VariantShare[],
  recallValue: number | undefined,
): ComparedStep {
  const [newest] = own
  const figures = shares.map(({ name, share }): VariantFigures => {
    const mine = own.filter((row) => row.variant === name)
    const sum = (of: keyof Counts | 'sent' | 'cost' | 'costSquares' | 'costRecalls') =>
      mine.reduce((total, row) => total + row[of], 0)
    const counts = {
      assigned: sum('assigned'),
      contaminated: sum('contaminated'),
      matured: sum('matured'),
      recalled: sum('recalled'),
    }
    const moments = {
      n: counts.matured,
      recalls: counts.recalled,
      cost: sum('cost'),
      costSquares: sum('costSquares'),
      products: sum('costRecalls'),
    }
    return variantFigures({ name, share, sent: sum('sent') }, counts, moments, again)
  })
  const strayed = own
    .filter((row) => !shares.some(({ name }) => name === row.variant))
    .reduce((total, { assigned }) => total + assigned, 0)
  const test = sampleRatio(figures.map(({ assigned, share }) => ({ observed: assigned, expected: share })))
  const alarm = strayed > 0 || (test.kind === 'tested' && test.alarm)
  return {
    tier: newest?.tier ?? '',
    step: newest?.step ?? '',
    versions: [...new Set(own.map(({ version }) => version))].toSorted((a, b) => a - b),
    split: { test, strayed, alarm },
    variants: figures,
    comparisons: compareWithFirst(figures, again, recallValue),
    repeated: again.length > 0,
    recallValue,
  }
}

/** One variant's figures, from its sums. @param again pairs of lapses of one person: of any variants, or none */
export function variantFigures(
  drawn: Pick<VariantFigures, 'name' | 'share' | 'sent'>,
  counts: Counts,
  moments: CostMoments,
  again: readonly PairCell[] = [],
): VariantFigures {
  const figures = figuresOf(counts)
  const pairs = pairsOf(again, drawn.name, drawn.name)?.first
  const spread = rateSpread({ n: counts.matured, y: counts.recalled / counts.matured }, pairs)
  const rate = figures.rate.kind === 'estimate' ? widened(figures.rate, spread, 0) : figures.rate
  return { ...drawn, ...figures, rate, cost: variantCost(moments, pairs) }
}

/** Pairs with cost as x and recall as y; undefined where nobody is there twice. */
function pairsOf(again: readonly PairCell[], first: string, second: string): RepeatedHeads | undefined {
  return again.length === 0 ? undefined : headsOf(again, first, second, { x: 'c', y: 'y' })
}

/**
 * Each variant against the first, with p corrected for how many there are.
 * @param again pairs of lapses of one person
 * @param recallValue what a recall is worth, micros
 */
export function compareWithFirst(
  figures: readonly VariantFigures[],
  again: readonly PairCell[] = [],
  recallValue?: number,
): VariantComparison[] {
  const [first, ...others] = figures
  if (!first) return []
  const groupOf = ({ recalled, matured }: Counts) => ({ recalled, assigned: matured })
  const rateOf = ({ recalled, matured }: Counts) => ({ n: matured, y: recalled / matured })
  const control = groupOf(first)
  const found = others.map((variant) => {
    const group = groupOf(variant)
    const pairs = pairsOf(again, variant.name, first.name)
    const spread = differenceSpread(rateOf(variant), rateOf(first), pairs)
    const difference = newcombe(group, control)
    return {
      variant: variant.name,
      difference: difference.kind === 'estimate' ? widened(difference, spread, -1) : difference,
      once: differenceTest(group, control, spread),
      daily: sequenceTest(group, control, { spread }),
      // As strict as the first of the corrected comparisons has to be.
      recallsNeeded: recallsUntilVerdict([{ treated: group, heldOut: control }], {
        confidence: 1 - ALPHA / others.length,
        spread,
      }),
      cost: compareCosts(variant.cost.moments, first.cost.moments, pairs, recallValue),
    }
  })
  // What cannot be tested yet counts among the comparisons: the correction is for all that are looked at.
  const adjusted = holm(found.map(({ once }) => (once.kind === 'tested' ? once.p : 1)))
  const adjustedDaily = holm(found.map(({ daily }) => (daily.kind === 'tested' ? daily.p : 1)))
  return found.map(({ variant, difference, once, daily, recallsNeeded, cost }, at) => ({
    variant,
    difference,
    adjusted: once.kind === 'tested' ? adjusted[at] : undefined,
    adjustedDaily: daily.kind === 'tested' ? adjustedDaily[at] : undefined,
    recallsNeeded,
    cost,
    verdict:
      daily.kind !== 'tested' || difference.kind !== 'estimate'
        ? 'not_yet'
        : (adjustedDaily[at] ?? 1) > ALPHA
          ? 'no_difference'
          : difference.value > 0
            ? 'better'
            : 'worse',
  }))
}
