import {
  clustering,
  clusteringWithin,
  type PairProducts,
  type RepeatedHeads,
} from '../../statistics/clusters.ts'
import { type Estimate, type NotEnough, notEnough } from '../../statistics/estimate.ts'
import { meanOf, type Sample, sampleOf, welch } from '../../statistics/means.ts'
import { type CostMoments, incrementalOf, netBenefit } from '../../statistics/net-benefit.ts'
import { type RatioMoments, ratio, ratioDifference } from '../../statistics/ratio.ts'
import { fewRecalls } from '../../statistics/sequence.ts'

// What the variants of a step cost, as figures (variant-costs-text.ts puts them into words). Pairs of lapses of one person
// have the cost as x and the recall as y.

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

/** What a variant costs, from its sums. */
export function variantCost(moments: CostMoments, pairs: PairProducts | undefined): VariantCost {
  const sample = sampleOfCost(moments)
  const more = pairs ? clusteringWithin(pairs, meansOf(moments)).x : 0
  return {
    moments,
    perPerson: meanOf(sample, 0.95, sample && Math.max(0, sample.variance / sample.n + more)),
    perRecall: fewRecalls(moments.recalls) ? notEnough('few_recalls') : ratio(ratioOf(moments, pairs)),
  }
}

/** What a variant costs more than another: a mean by Welch, a ratio of sums by the delta method. */
export function compareCosts(
  variant: CostMoments,
  first: CostMoments,
  pairs: RepeatedHeads | undefined,
  recallValue: number | undefined,
): CostComparison {
  const incremental = incrementalOf(variant, first, pairs)
  const [one, other] = [sampleOfCost(variant), sampleOfCost(first)]
  const alone = one && other ? one.variance / one.n + other.variance / other.n : 0
  const more = pairs ? clustering(pairs, meansOf(variant), meansOf(first)).x : 0
  const both = pairs && { yy: pairs.both.xx, xx: pairs.both.yy, yx: pairs.both.xy, xy: pairs.both.yx }
  return {
    perPerson: plainEstimate(welch(one, other, 0.95, Math.max(0, alone + more))),
    perRecall: fewRecalls(variant.recalls, first.recalls)
      ? notEnough('few_recalls')
      : plainEstimate(ratioDifference(ratioOf(variant, pairs?.first), ratioOf(first, pairs?.second), both)),
    benefit:
      recallValue === undefined
        ? undefined
        : 'kind' in incremental
          ? incremental
          : netBenefit(incremental, recallValue),
  }
}

function meansOf({ n, cost, recalls }: CostMoments) {
  return { n, x: cost / n, y: recalls / n }
}

function sampleOfCost({ n, cost, costSquares }: CostMoments): Sample | undefined {
  return sampleOf({ n, sum: cost, sumOfSquares: costSquares })
}

/**
 * Cost over recalls, each a sum over lapses. A recall is 0 or 1, and so is its square; a person's lapses are multiplied
 * with each other, too.
 */
function ratioOf(
  { n, cost, recalls, costSquares, products }: CostMoments,
  pairs: PairProducts | undefined,
): RatioMoments {
  return {
    persons: n,
    y: cost,
    x: recalls,
    yy: costSquares + (pairs?.xx ?? 0),
    xx: recalls + (pairs?.yy ?? 0),
    xy: products + (pairs?.xy ?? 0),
  }
}

function plainEstimate(found: Estimate | NotEnough): Estimate | NotEnough {
  if (found.kind !== 'estimate') return found
  const { kind, value, low, high, confidence } = found
  return { kind, value, low, high, confidence }
}
