import { sql } from 'drizzle-orm'
import { rows, type Session } from '../database/connect.ts'
import { type Estimate, type NotEnough, notEnough } from '../statistics/estimate.ts'
import { holm } from '../statistics/many.ts'
import { meanOf, sampleOf, welch } from '../statistics/means.ts'
import { differenceTest } from '../statistics/miettinen-nurminen.ts'
import { type CostMoments, incrementalOf, netBenefit } from '../statistics/net-benefit.ts'
import { newcombe } from '../statistics/newcombe.ts'
import { type RatioMoments, ratio, ratioDifference } from '../statistics/ratio.ts'
import { type SampleRatio, sampleRatio } from '../statistics/sample-ratio.ts'
import { fewRecalls, recallsUntilVerdict, sequenceTest } from '../statistics/sequence.ts'
import { type ArmFigures, type Counts, figuresOf } from './effect.ts'
import { inRange } from './people-cells.ts'
import type { CampaignQuestion, VariantShare } from './question.ts'

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

/** What was booked to the complete of a variant: messages, offers and labour of the tier. Micros. */
export interface VariantCost {
  /** Sums over the complete, one lapse a head. */
  readonly moments: CostMoments
  /** A person, sent to or not, with the interval of a mean. */
  readonly perPerson: Estimate | NotEnough
  /** For each who came back; not enough data below the recalls that a verdict asks for. */
  readonly perRecall: Estimate | NotEnough
}

/** What a variant costs more than the step's first; for one look. Micros. */
export interface CostComparison {
  readonly perPerson: Estimate | NotEnough
  readonly perRecall: Estimate | NotEnough
  /** λΔE − ΔC a head, at the campaign's value of a recall; undefined where it names none. */
  readonly benefit: Estimate | NotEnough | undefined
}

/** A variant against the step's first. */
export interface Comparison {
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
  readonly comparisons: readonly Comparison[]
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
      SELECT r.*, max(r.final_at) OVER (PARTITION BY r.day, r.step_id) <= ${question.now} AS final
      FROM report_variants r WHERE ${inRange(question, 'r')}
    ) v JOIN steps p USING (step_id)
    GROUP BY p.tier_no, p.step_no, p.tier, p.step, p.version, v.variant
    ORDER BY p.tier_no, p.step_no, p.version DESC`,
  )
  return compareSteps(found, question)
}

/** Rows of one step and of versions with the same names and shares, judged together. Pure. */
function compareSteps(
  found: readonly VariantRow[],
  { variants: known = new Map(), recallValue }: Pick<CampaignQuestion, 'variants' | 'recallValue'>,
): ComparedStep[] {
  const groups = new Map<string, { shares: readonly VariantShare[]; rows: VariantRow[] }>()
  for (const row of found) {
    const shares = known.get(row.version)?.get(row.step)
    if (!shares) continue
    const key = JSON.stringify([row.step, shares.map(({ name, share }) => [name, share])])
    const group = groups.get(key) ?? { shares, rows: [] }
    groups.set(key, group)
    group.rows.push(row)
  }
  return [...groups.values()].map(({ shares, rows: own }) => compareStep(own, shares, recallValue))
}

function compareStep(
  own: readonly VariantRow[],
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
    const cost = costOf({
      n: counts.matured,
      recalls: counts.recalled,
      cost: sum('cost'),
      costSquares: sum('costSquares'),
      products: sum('costRecalls'),
    })
    return { name, share, sent: sum('sent'), ...figuresOf(counts), cost }
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
    comparisons: compareWithFirst(figures, recallValue),
    recallValue,
  }
}

/** What a variant costs, from its sums. */
export function costOf(moments: CostMoments): VariantCost {
  return {
    moments,
    perPerson: meanOf(sampleOfCost(moments)),
    perRecall: fewRecalls(moments.recalls) ? notEnough('few_recalls') : ratio(ratioOf(moments)),
  }
}

/**
 * What a variant costs more than another: a mean by Welch, a ratio of sums by the delta method. A lapse is the unit: each
 * draws its variant anew, so several of one person are in either by chance.
 */
function compareCosts(
  variant: CostMoments,
  first: CostMoments,
  recallValue: number | undefined,
): CostComparison {
  const incremental = incrementalOf(variant, first)
  return {
    perPerson: plainEstimate(welch(sampleOfCost(variant), sampleOfCost(first))),
    perRecall: fewRecalls(variant.recalls, first.recalls)
      ? notEnough('few_recalls')
      : plainEstimate(ratioDifference(ratioOf(variant), ratioOf(first))),
    benefit:
      recallValue === undefined
        ? undefined
        : 'kind' in incremental
          ? incremental
          : netBenefit(incremental, recallValue),
  }
}

function sampleOfCost({ n, cost, costSquares }: CostMoments) {
  return sampleOf({ n, sum: cost, sumOfSquares: costSquares })
}

/** Cost over recalls, each a sum over lapses. A recall is 0 or 1, and so is its square. */
function ratioOf({ n, cost, recalls, costSquares, products }: CostMoments): RatioMoments {
  return { persons: n, y: cost, x: recalls, yy: costSquares, xx: recalls, xy: products }
}

function plainEstimate(found: Estimate | NotEnough): Estimate | NotEnough {
  if (found.kind !== 'estimate') return found
  const { kind, value, low, high, confidence } = found
  return { kind, value, low, high, confidence }
}

/**
 * Each variant against the first, with p corrected for how many there are.
 * @param recallValue what a recall is worth, micros
 */
export function compareWithFirst(figures: readonly VariantFigures[], recallValue?: number): Comparison[] {
  const [first, ...others] = figures
  if (!first) return []
  const groupOf = ({ recalled, matured }: Counts) => ({ recalled, assigned: matured })
  const control = groupOf(first)
  const found = others.map((variant) => {
    const group = groupOf(variant)
    return {
      variant: variant.name,
      difference: newcombe(group, control),
      once: differenceTest(group, control),
      daily: sequenceTest(group, control),
      // As strict as the first of the corrected comparisons has to be.
      recallsNeeded: recallsUntilVerdict(group, control, { confidence: 1 - ALPHA / others.length }),
      cost: compareCosts(variant.cost.moments, first.cost.moments, recallValue),
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
