import { sql } from 'drizzle-orm'
import { rows, type Session } from '../../database/connect.ts'
import type { Estimate, NotEnough } from '../../statistics/estimate.ts'
import type { Sides } from '../../statistics/fieller.ts'
import {
  type CostMoments,
  type CostPerRecall,
  costPerRecall,
  incrementalOfStrata,
  netBenefit,
} from '../../statistics/net-benefit.ts'
import type { Group } from '../../statistics/newcombe.ts'
import { type Roi, type RoiMoments, roiOfStrata } from '../../statistics/roi.ts'
import { stratifiedNewcombe } from '../../statistics/strata.ts'
import { costMoments, inRange, knownAt, type PeopleCell, roiMoments, WHEN_COUNTED } from '../people-cells.ts'
import type { CampaignQuestion } from '../question.ts'
import { type RepeatCell, repeatedHeads } from '../repeats.ts'
import { drawnOf, groupBy, isDrawOff, joinTierShares, strataOf } from '../strata.ts'

// What one more recall costs and what the cost earned: of all the campaign, and of each tier, by people or by the tier's own draw.

/** Price of one more recall, with labour and without; micros. */
export interface Price {
  readonly name: string
  /** Of a tier's own draw, whose groups have not the sizes they were drawn with: no price is one. */
  readonly off: boolean
  /** The tier draws by itself, and of nobody who drew is the window over: until then it is of those who entered with it. */
  readonly pending: boolean
  readonly withLabour: CostPerRecall | NotEnough
  readonly withoutLabour: CostPerRecall | NotEnough
  /** λΔE − ΔC a head, at the campaign's value of a recall. */
  readonly benefit: Estimate | undefined
  /** Extra margin for extra cost; absent where no goal has a margin. */
  readonly roi: { readonly withLabour: Roi | NotEnough; readonly withoutLabour: Roi | NotEnough } | undefined
}

/** Sums of one arm of a tier's own draw, by the share it held out; money in micros. */
interface StageCell {
  readonly tier: string
  readonly arm: string
  readonly shares: string
  readonly n: number
  readonly recalls: number
  /** With labour; its squares, and its products with recalls. */
  readonly cost: number
  readonly costSquares: number
  readonly products: number
  /** Without labour. */
  readonly unpaid: number
  readonly unpaidSquares: number
  readonly unpaidProducts: number
  readonly buyers: number
  readonly margin: number
  readonly marginSquares: number
  readonly marginCosts: number
  readonly marginUnpaid: number
}

/** Of final cohorts, oldest first. */
export async function readStages(session: Session, question: CampaignQuestion): Promise<StageCell[]> {
  return await rows<StageCell>(
    session,
    sql`
      SELECT s.tier, s.arm, k.shares, sum(s.assigned)::bigint AS n, sum(s.recalled)::bigint AS recalls,
        sum(s.spend + s.liability + s.labour)::float8 AS cost, sum(s.cost_squares)::float8 AS "costSquares",
        sum(s.cost_recalls)::float8 AS products, sum(s.spend + s.liability)::float8 AS unpaid,
        sum(s.unpaid_squares)::float8 AS "unpaidSquares", sum(s.unpaid_recalls)::float8 AS "unpaidProducts",
        sum(s.buyers)::bigint AS buyers, sum(s.margin)::float8 AS margin, sum(s.margin_squares)::float8 AS "marginSquares",
        sum(s.margin_costs)::float8 AS "marginCosts", sum(s.margin_unpaid)::float8 AS "marginUnpaid"
      FROM report_stages s ${WHEN_COUNTED} ${joinTierShares(question.split)}
      WHERE ${inRange(question, 's')} AND s.final_at <= ${knownAt(question.now)}
      GROUP BY s.tier, s.arm, k.shares ORDER BY min(s.day)`,
  )
}

/** What prices are made of. */
interface Counted {
  /** By tier and version. */
  readonly people: readonly PeopleCell[]
  readonly stages: readonly StageCell[]
  readonly repeats: readonly RepeatCell[]
  /** Margin was counted, and the same way on all days. */
  readonly earned: boolean
  readonly question: Pick<CampaignQuestion, 'split' | 'recallValue'>
}

/**
 * All campaign first, under an empty name, then the tiers that anybody entered: by their own draw where they have one, by
 * entry otherwise.
 */
export function pricesOf(counted: Counted, tiers: readonly string[]): Price[] {
  const entered = new Set([...counted.people, ...counted.stages].map(({ tier }) => tier))
  const draws = new Set(counted.stages.filter(({ arm }) => arm === 'holdout').map(({ tier }) => tier))
  const versions = [...counted.question.split.values()]
  const priceOfTier = (tier: string): Price =>
    draws.has(tier)
      ? priceOfDraw(counted, tier)
      : {
          ...priceOfPeople(counted, tier, tier),
          pending: versions.some(({ tiers: held }) => (held?.get(tier) ?? 0) > 0),
        }
  return [
    priceOfPeople(counted, '', undefined),
    ...tiers.filter((tier) => entered.has(tier)).map(priceOfTier),
  ]
}

/** Of people, all of them or those who entered with a tier; each share held out within itself. */
function priceOfPeople(counted: Counted, name: string, tier: string | undefined): Price {
  const strata = strataOf(
    counted.people.filter((cell) => tier === undefined || cell.tier === tier),
    counted.question.split,
  )
  return priceOf(counted, {
    name,
    off: false,
    which: { unit: 'episode', tier },
    spent: (labour) => drawnOf(strata, (cells, arm) => costMoments(cells, arm, labour)),
    gained: (labour) => drawnOf(strata, (cells, arm) => roiMoments(cells, arm, labour)),
  })
}

/** Of a tier's own draw, each share it held out within itself. */
function priceOfDraw(counted: Counted, tier: string): Price {
  const drew = counted.stages.filter((cell) => cell.tier === tier)
  const strata = groupBy(drew, ({ shares }) => shares)
  const armOf = (own: readonly StageCell[], wanted: string) => own.find(({ arm }) => arm === wanted)
  return priceOf(counted, {
    name: tier,
    off: isDrawOff(drew.map(({ shares: share, arm, n }) => ({ share, arm, assigned: n }))),
    which: { unit: 'stage', tier },
    spent: (labour) => drawnOf(strata, (own, arm) => costOfStage(armOf(own, arm), labour)),
    gained: (labour) => drawnOf(strata, (own, arm) => roiOfStage(armOf(own, arm), labour)),
  })
}

/** Whom a price is of, with both arms of each stratum; with labour or without. */
interface Compared {
  readonly name: string
  readonly off: boolean
  readonly which: Parameters<typeof repeatedHeads>[1]
  spent(labour: boolean): readonly Sides<CostMoments>[]
  gained(labour: boolean): readonly Sides<RoiMoments>[]
}

function priceOf(
  { repeats, earned, question }: Counted,
  { name, off, which, spent, gained }: Compared,
): Price {
  const judged = (labour: boolean) =>
    incrementalOfStrata(spent(labour), repeatedHeads(repeats, which, { x: labour ? 'c' : 'u', y: 'y' }))
  const returned = (labour: boolean) =>
    roiOfStrata(gained(labour), repeatedHeads(repeats, which, { x: 'm', y: labour ? 'c' : 'u' }))
  const [paid, unpaid] = [judged(true), judged(false)]
  const difference = stratifiedNewcombe(
    spent(true).map(({ treated, heldOut }) => ({ treated: groupOf(treated), heldOut: groupOf(heldOut) })),
  )
  const shown = difference.kind === 'estimate' && difference.low > 0
  return {
    name,
    off,
    pending: false,
    withLabour: 'kind' in paid ? paid : costPerRecall(paid, { shown }),
    withoutLabour: 'kind' in unpaid ? unpaid : costPerRecall(unpaid, { shown }),
    benefit:
      'kind' in paid || question.recallValue === undefined
        ? undefined
        : netBenefit(paid, question.recallValue),
    roi: earned ? { withLabour: returned(true), withoutLabour: returned(false) } : undefined,
  }
}

function groupOf({ n, recalls }: CostMoments): Group {
  return { recalled: recalls, assigned: n }
}

/** Heads, cost and recalls of one arm; nobody where it drew nobody. @param labour with it or without */
function costOfStage(cell: StageCell | undefined, labour: boolean): CostMoments {
  if (!cell) return { n: 0, cost: 0, recalls: 0, costSquares: 0, products: 0 }
  const { n, recalls } = cell
  return labour
    ? { n, recalls, cost: cell.cost, costSquares: cell.costSquares, products: cell.products }
    : { n, recalls, cost: cell.unpaid, costSquares: cell.unpaidSquares, products: cell.unpaidProducts }
}

/** Heads, margin and cost of one arm; nobody where it drew nobody. @param labour with it or without */
function roiOfStage(cell: StageCell | undefined, labour: boolean): RoiMoments {
  const { n, cost, costSquares } = costOfStage(cell, labour)
  const { buyers = 0, margin = 0, marginSquares = 0, marginCosts = 0, marginUnpaid = 0 } = cell ?? {}
  const products = labour ? marginCosts : marginUnpaid
  return { n, cost, costSquares, buyers, margin, marginSquares, products }
}
