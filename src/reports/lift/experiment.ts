import { type Adjusted, cuped } from '../../statistics/cuped.ts'
import { type Estimate, type NotEnough, scaleEstimate } from '../../statistics/estimate.ts'
import { holm } from '../../statistics/many.ts'
import {
  type MeansTest,
  meanOf,
  relativeWelch,
  sampleOf,
  sampleOfCount,
  welch,
} from '../../statistics/means.ts'
import { differenceTest } from '../../statistics/miettinen-nurminen.ts'
import { type CostPerRecall, costPerRecall, incrementalOf, netBenefit } from '../../statistics/net-benefit.ts'
import { newcombe } from '../../statistics/newcombe.ts'
import { type SampleRatio, sampleRatio } from '../../statistics/sample-ratio.ts'
import { confidenceSequence, MINIMUM_RECALLS, recallsUntilVerdict } from '../../statistics/sequence.ts'
import { wilson } from '../../statistics/wilson.ts'

// Any experiment, summed up by arm: what may be claimed of it. Pure; the sums come from a file as it streams by.

/** Below this, an adjusted p is called a difference. */
const ALPHA = 0.05

/** Sums over one arm's rows. Covariate and cost stay 0 where the file has none. */
export interface ArmSums {
  n: number
  sum: number
  sumOfSquares: number
  /** Rows whose outcome is not 0. */
  withAny: number
  covariateSum: number
  covariateSumOfSquares: number
  productSum: number
  cost: number
  costSquares: number
  costProducts: number
}

export function emptySums(): ArmSums {
  return {
    n: 0,
    sum: 0,
    sumOfSquares: 0,
    withAny: 0,
    covariateSum: 0,
    covariateSumOfSquares: 0,
    productSum: 0,
    cost: 0,
    costSquares: 0,
    costProducts: 0,
  }
}

/** Adds one row: its outcome, what was known before and what it cost, each 0 where the file has none. */
export function addRow(sums: ArmSums, outcome: number, covariate: number, cost: number): void {
  sums.n += 1
  sums.sum += outcome
  sums.sumOfSquares += outcome * outcome
  if (outcome !== 0) sums.withAny += 1
  sums.covariateSum += covariate
  sums.covariateSumOfSquares += covariate * covariate
  sums.productSum += covariate * outcome
  sums.cost += cost
  sums.costSquares += cost * cost
  sums.costProducts += cost * outcome
}

export interface Experiment {
  /** Sums by arm, in the order the arms are shown. */
  readonly arms: ReadonlyMap<string, ArmSums>
  readonly control: string
  /** Every outcome is 0 or 1: rates are compared, not means. */
  readonly rates: boolean
  readonly covariate: boolean
  readonly cost: boolean
  /** Weights the arms were drawn with, on any scale. Undefined: the split cannot be checked. */
  readonly split?: ReadonlyMap<string, number> | undefined
  /** What one more of the outcome is worth, in the unit of the cost. */
  readonly value?: number | undefined
}

export type ExperimentVerdict =
  /** The arms do not have the sizes they were drawn with. */
  | { readonly kind: 'groups_off' }
  /** An arm is empty or has one row, or too few outcomes for any verdict. */
  | { readonly kind: 'not_yet'; readonly missing: number }
  /** `needed`: about how many more outcomes of the control it would take, if rates stay as they are. */
  | { readonly kind: 'no_difference'; readonly needed: number | undefined }
  | { readonly kind: 'more' }
  | { readonly kind: 'fewer' }

export interface ArmResult {
  readonly arm: string
  readonly n: number
  readonly sum: number
  /** Rate (Wilson) or mean (Student). */
  readonly level: Estimate | NotEnough
}

export interface Comparison {
  readonly arm: string
  /** First − control: Newcombe for rates, Welch for means. */
  readonly difference: Estimate | NotEnough
  /** The difference over the control's level. */
  readonly relative: MeansTest | NotEnough
  /** The difference times the arm's size: what would not have been otherwise. */
  readonly extra: Estimate | NotEnough
  /** Two-sided; undefined where nothing can be tested. `adjusted` by Holm over all arms. */
  readonly p: number | undefined
  readonly adjusted: number | undefined
  /** For rates: the interval that holds however often one looks. */
  readonly sequence: Estimate | NotEnough | undefined
  readonly cuped: Adjusted | undefined
  readonly cost:
    | { readonly each: CostPerRecall; readonly benefit: Estimate | undefined }
    | NotEnough
    | undefined
  readonly verdict: ExperimentVerdict
}

export interface ExperimentResult {
  readonly control: string
  readonly rates: boolean
  readonly split: SampleRatio | NotEnough | undefined
  /** Groups that somebody is in and the split has no share for: no accident, whatever the test says. */
  readonly strays: readonly string[]
  readonly alarm: boolean
  readonly arms: readonly ArmResult[]
  readonly comparisons: readonly Comparison[]
}

/** What the sums allow to say, arm by arm against the control. An unknown control is a comparison with nobody. */
export function judgeExperiment(experiment: Experiment): ExperimentResult {
  const { arms, control, rates } = experiment
  const base = arms.get(control) ?? emptySums()
  const split =
    experiment.split &&
    sampleRatio(
      [...new Set([...arms.keys(), ...experiment.split.keys()])].map((arm) => ({
        observed: arms.get(arm)?.n ?? 0,
        expected: experiment.split?.get(arm) ?? 0,
      })),
    )
  const strays = experiment.split ? [...arms.keys()].filter((arm) => !experiment.split?.get(arm)) : []
  const alarm = strays.length > 0 || (split?.kind === 'tested' && split.alarm)
  const others = [...arms].filter(([arm]) => arm !== control)
  const compared = others.map(([arm, sums]) => compare(arm, sums, base, experiment))
  const adjusted = holm(compared.map(({ p }) => p ?? 1))
  return {
    control,
    rates,
    split,
    strays,
    alarm,
    arms: [...arms].map(([arm, sums]) => ({ arm, n: sums.n, sum: sums.sum, level: levelOf(sums, rates) })),
    comparisons: compared.map((found, at) => {
      const value = found.p === undefined ? undefined : adjusted[at]
      const verdict = verdictOf(
        arms.get(found.arm) ?? base,
        base,
        { ...found, adjusted: value },
        rates,
        alarm,
      )
      return { ...found, adjusted: value, verdict }
    }),
  }
}

function levelOf(sums: ArmSums, rates: boolean): Estimate | NotEnough {
  if (rates) return wilson(sums.sum, sums.n)
  return meanOf(sampleOf(sums))
}

type Compared = Omit<Comparison, 'verdict' | 'adjusted'>

function compare(arm: string, sums: ArmSums, base: ArmSums, experiment: Experiment): Compared {
  const groups = [
    { recalled: sums.sum, assigned: sums.n },
    { recalled: base.sum, assigned: base.n },
  ] as const
  const means = welch(sampleOf(sums), sampleOf(base))
  const tested = experiment.rates ? differenceTest(...groups) : means
  const difference = experiment.rates ? newcombe(...groups) : means
  const sample = ({ sum, n }: ArmSums) => sampleOfCount(sum, n)
  return {
    arm,
    difference,
    relative: experiment.rates
      ? relativeWelch(sample(sums), sample(base))
      : relativeWelch(sampleOf(sums), sampleOf(base)),
    extra: difference.kind === 'estimate' ? scaleEstimate(difference, sums.n) : difference,
    p: tested.kind === 'not_enough' ? undefined : tested.p,
    sequence: experiment.rates ? confidenceSequence(...groups) : undefined,
    cuped: experiment.covariate ? cuped(sums, base) : undefined,
    cost: experiment.cost ? costOf(sums, base, difference, experiment.value) : undefined,
  }
}

function costOf(
  sums: ArmSums,
  base: ArmSums,
  difference: Estimate | NotEnough,
  value: number | undefined,
): Comparison['cost'] {
  const moments = (arm: ArmSums) => ({
    n: arm.n,
    cost: arm.cost,
    recalls: arm.sum,
    costSquares: arm.costSquares,
    products: arm.costProducts,
    recallSquares: arm.sumOfSquares,
    returned: arm.withAny,
  })
  const incremental = incrementalOf(moments(sums), moments(base))
  if ('kind' in incremental) return incremental
  return {
    each: costPerRecall(incremental, { shown: difference.kind === 'estimate' && difference.low > 0 }),
    benefit: value === undefined ? undefined : netBenefit(incremental, value),
  }
}

function verdictOf(
  arm: ArmSums,
  base: ArmSums,
  { difference, adjusted }: Pick<Comparison, 'difference' | 'adjusted'>,
  rates: boolean,
  alarm: boolean,
): ExperimentVerdict {
  if (alarm) return { kind: 'groups_off' }
  if (difference.kind === 'not_enough' || adjusted === undefined) return { kind: 'not_yet', missing: 0 }
  const missing = rates ? MINIMUM_RECALLS - Math.min(arm.sum, base.sum) : 0
  if (missing > 0) return { kind: 'not_yet', missing }
  if (adjusted < ALPHA) return { kind: difference.value > 0 ? 'more' : 'fewer' }
  const needed = rates
    ? recallsUntilVerdict([
        {
          treated: { recalled: arm.sum, assigned: arm.n },
          heldOut: { recalled: base.sum, assigned: base.n },
        },
      ])
    : undefined
  return { kind: 'no_difference', needed }
}
