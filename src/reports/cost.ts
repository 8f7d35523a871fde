import { sql } from 'drizzle-orm'
import { rows, type Session } from '../database/connect.ts'
import type { Estimate, NotEnough } from '../statistics/estimate.ts'
import type { Sides } from '../statistics/fieller.ts'
import {
  type CostMoments,
  type CostPerRecall,
  costPerRecall,
  incrementalOfStrata,
  netBenefit,
} from '../statistics/net-benefit.ts'
import { type Roi, type RoiMoments, roiOfStrata } from '../statistics/roi.ts'
import { type Annotation, readAnnotations } from './annotations.ts'
import { checkSplit, type SplitCheck } from './effect.ts'
import { type Freshness, readFreshness } from './freshness.ts'
import type { Earned } from './margins.ts'
import { costMoments, countsOf, inRange, type Range, readPeople, roiMoments } from './people-cells.ts'
import { orderTiers } from './people-sql.ts'
import type { CampaignQuestion } from './question.ts'
import { readRepeats, repeatedHeads } from './repeats.ts'
import { inSnapshot, type Readable } from './snapshot.ts'
import { drawnOf, effectWithin, groupBy, joinTierShares, strataOf } from './strata.ts'

// What it cost, what one won back by us costs, and what the cost earned.

export interface CostLine {
  readonly tier: string
  readonly step: string
  readonly channel: string
  readonly kind: 'spend' | 'liability' | 'labour'
  /** Integer micros. */
  readonly amount: number
}

/** Price of one more recall, with labour and without; micros. */
export interface Price {
  readonly name: string
  readonly withLabour: CostPerRecall | NotEnough
  readonly withoutLabour: CostPerRecall | NotEnough
  /** λΔE − ΔC a head, at the campaign's value of a recall. */
  readonly benefit: Estimate | undefined
  /** Extra margin for extra cost; absent where no goal has a margin. */
  readonly roi: { readonly withLabour: Roi | NotEnough; readonly withoutLabour: Roi | NotEnough } | undefined
}

export interface CostData {
  readonly range: Range
  readonly freshness: Freshness
  readonly annotations: readonly Annotation[]
  readonly lines: readonly CostLine[]
  /** All campaign first, then tiers: by their own draw where they have one, by entry otherwise. */
  readonly prices: readonly Price[]
  /** Somebody lapsed more than once: their lapses are taken together in all intervals. */
  readonly repeated: boolean
  readonly split: SplitCheck
  /** The groups do not have the sizes they were drawn with: no price is one. */
  readonly alarm: boolean
  /** Treated that are in no price, for nobody was held out beside them. */
  readonly uncompared: number
  /** Booked by day. */
  readonly days: readonly {
    readonly day: string
    readonly spend: number
    readonly liability: number
    readonly labour: number
  }[]
  readonly budget: CampaignQuestion['budget']
  readonly recallValue: number | undefined
  readonly acquisition: number | undefined
  /** What was counted as margin; undefined where no goal has one, or not every day was counted with the same. */
  readonly earned: Earned | undefined
  /** The version whose goals can no longer be read: margin is of what was known of them last. */
  readonly goalsUnread: number | undefined
}

export async function readCost(readable: Readable, question: CampaignQuestion): Promise<CostData> {
  return await inSnapshot(readable, (session) => costWithin(session, question))
}

/** {@link readCost} as part of a report that has its snapshot already. */
export async function costWithin(session: Session, question: CampaignQuestion): Promise<CostData> {
  const people = await readPeople(session, question, ['tier', 'version'])
  const tiers = await orderTiers(session, question.campaign)
  const lines = await rows<CostLine>(
    session,
    sql`
      SELECT p.tier, p.step, c.channel, c.kind, sum(c.amount)::float8 AS amount
      FROM report_costs c JOIN steps p USING (step_id) WHERE ${inRange(question, 'c')}
      GROUP BY p.tier, p.step, c.channel, c.kind ORDER BY min(p.tier_no), min(p.step_no), p.step, c.channel, c.kind`,
  )
  const days = await rows<CostData['days'][number]>(
    session,
    sql`
      SELECT booked_on::text AS day, coalesce(sum(amount) FILTER (WHERE kind = 'spend'), 0)::float8 AS spend,
        coalesce(sum(amount) FILTER (WHERE kind = 'liability'), 0)::float8 AS liability,
        coalesce(sum(amount) FILTER (WHERE kind = 'labour'), 0)::float8 AS labour
      FROM report_costs WHERE ${inRange(question)} GROUP BY booked_on ORDER BY booked_on`,
  )
  const stages = await rows<{
    tier: string
    arm: string
    shares: string
    n: number
    recalls: number
    cost: number
    costSquares: number
    products: number
    unpaid: number
    unpaidSquares: number
    unpaidProducts: number
    buyers: number
    margin: number
    marginSquares: number
    marginCosts: number
    marginUnpaid: number
  }>(
    session,
    sql`
      SELECT s.tier, s.arm, k.shares, sum(s.assigned)::bigint AS n, sum(s.recalled)::bigint AS recalls,
        sum(s.spend + s.liability + s.labour)::float8 AS cost, sum(s.cost_squares)::float8 AS "costSquares",
        sum(s.cost_recalls)::float8 AS products, sum(s.spend + s.liability)::float8 AS unpaid,
        sum(s.unpaid_squares)::float8 AS "unpaidSquares", sum(s.unpaid_recalls)::float8 AS "unpaidProducts",
        sum(s.buyers)::bigint AS buyers, sum(s.margin)::float8 AS margin, sum(s.margin_squares)::float8 AS "marginSquares",
        sum(s.margin_costs)::float8 AS "marginCosts", sum(s.margin_unpaid)::float8 AS "marginUnpaid"
      FROM report_stages s ${joinTierShares(question.split)}
      WHERE ${inRange(question, 's')} AND s.final_at <= ${question.now}
      GROUP BY s.tier, s.arm, k.shares ORDER BY min(s.day)`,
  )
  const earned = await readEarned(session, question)
  const repeats = await readRepeats(session, question)
  const priceOf = (
    name: string,
    which: Parameters<typeof repeatedHeads>[1],
    moments: Moments<CostMoments>,
    earning: Moments<RoiMoments>,
  ): Price => {
    const judged = (labour: boolean) =>
      incrementalOfStrata(moments(labour), repeatedHeads(repeats, which, { x: labour ? 'c' : 'u', y: 'y' }))
    const returned = (labour: boolean) =>
      roiOfStrata(earning(labour), repeatedHeads(repeats, which, { x: 'm', y: labour ? 'c' : 'u' }))
    const [paid, unpaid] = [judged(true), judged(false)]
    return {
      name,
      withLabour: 'kind' in paid ? paid : costPerRecall(paid),
      withoutLabour: 'kind' in unpaid ? unpaid : costPerRecall(unpaid),
      benefit:
        'kind' in paid || question.recallValue === undefined
          ? undefined
          : netBenefit(paid, question.recallValue),
      roi: earned && { withLabour: returned(true), withoutLabour: returned(false) },
    }
  }
  /** Of people, each share held out within itself. */
  const priceOfPeople = (name: string, tier: string | undefined) => {
    const strata = strataOf(
      people.filter((cell) => tier === undefined || cell.tier === tier),
      question.split,
    )
    return priceOf(
      name,
      { unit: 'episode', tier },
      (labour) => drawnOf(strata, (cells, arm) => costMoments(cells, arm, labour)),
      (labour) => drawnOf(strata, (cells, arm) => roiMoments(cells, arm, labour)),
    )
  }
  type Stage = (typeof stages)[number]
  const ofStage = (row: Stage | undefined, labour: boolean): CostMoments => {
    if (!row) return { n: 0, cost: 0, recalls: 0, costSquares: 0, products: 0 }
    return labour
      ? row
      : {
          n: row.n,
          recalls: row.recalls,
          cost: row.unpaid,
          costSquares: row.unpaidSquares,
          products: row.unpaidProducts,
        }
  }
  const roiOfStage = (row: Stage | undefined, labour: boolean): RoiMoments => {
    const { n, cost, costSquares } = ofStage(row, labour)
    const { buyers = 0, margin = 0, marginSquares = 0, marginCosts = 0, marginUnpaid = 0 } = row ?? {}
    return {
      n,
      cost,
      costSquares,
      buyers,
      margin,
      marginSquares,
      products: labour ? marginCosts : marginUnpaid,
    }
  }
  /** Of a tier's own draw, each share it held out within itself. */
  const priceOfStage = (tier: string) => {
    const strata = groupBy(
      stages.filter((row) => row.tier === tier),
      ({ shares }) => shares,
    )
    const armOf = (own: readonly Stage[], wanted: string) => own.find(({ arm }) => arm === wanted)
    return priceOf(
      tier,
      { unit: 'stage', tier },
      (labour) => drawnOf(strata, (own, arm) => ofStage(armOf(own, arm), labour)),
      (labour) => drawnOf(strata, (own, arm) => roiOfStage(armOf(own, arm), labour)),
    )
  }
  const split = checkSplit(people, question.split)
  const entered = new Set(people.map((cell) => cell.tier))
  return {
    range: question,
    freshness: await readFreshness(session, question),
    annotations: await readAnnotations(session, question),
    lines,
    prices: [
      priceOfPeople('', undefined),
      ...tiers
        .filter((tier) => entered.has(tier) || stages.some((each) => each.tier === tier))
        .map((tier) =>
          stages.some((each) => each.tier === tier && each.arm === 'holdout')
            ? priceOfStage(tier)
            : priceOfPeople(tier, tier),
        ),
    ],
    repeated: repeats.length > 0,
    split,
    alarm: split.alarm,
    uncompared: effectWithin(people, question.split, countsOf).uncompared,
    days,
    budget: question.budget,
    recallValue: question.recallValue,
    acquisition: question.acquisition,
    earned,
    goalsUnread: question.goalsUnread,
  }
}

type Moments<Of> = (labour: boolean) => readonly Sides<Of>[]

/** What the days in question were counted with; undefined where that is nothing, or not the same on all of them. */
async function readEarned(session: Session, question: CampaignQuestion): Promise<Earned | undefined> {
  const found = await rows<{ earned: Earned }>(
    session,
    sql`SELECT DISTINCT earned FROM report_days WHERE ${inRange(question)}`,
  )
  const [first, ...others] = found
  return first && others.length === 0 && Object.keys(first.earned).length > 0 ? first.earned : undefined
}
