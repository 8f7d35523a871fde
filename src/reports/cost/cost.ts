import { sql } from 'drizzle-orm'
import { rows, type Session } from '../../database/connect.ts'
import { checkSplit, type SplitCheck } from '../effect.ts'
import { type About, readAbout } from '../freshness.ts'
import type { Earned } from '../margins.ts'
import { countsOf, inRange, type Range, readPeople } from '../people-cells.ts'
import { ladderOf, orderTiers } from '../people-sql.ts'
import type { CampaignQuestion } from '../question.ts'
import { readRepeats } from '../repeats.ts'
import { inSnapshot, type Readable } from '../snapshot.ts'
import { effectWithin } from '../strata.ts'
import { type Price, pricesOf, readStages } from './prices.ts'

// What it cost, what one won back by us costs, and what the cost earned.

export interface CostLine {
  readonly tier: string
  readonly step: string
  readonly channel: string
  readonly kind: 'spend' | 'liability' | 'labour'
  /** Integer micros. */
  readonly amount: number
}

/** What was booked on a day, in micros. */
interface CostDay {
  /** ISO date, UTC. */
  readonly day: string
  readonly spend: number
  readonly liability: number
  readonly labour: number
}

export interface CostData extends About {
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
  readonly days: readonly CostDay[]
  readonly budget: CampaignQuestion['budget']
  /** Micros booked of the whole campaign by now, whatever days are asked about: what its budgets are held against. */
  readonly booked: Readonly<Record<'spend' | 'liability', number>>
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
  const repeats = await readRepeats(session, question)
  const stages = await readStages(session, question)
  const tiers = await orderTiers(session, question.campaign)
  const earned = await readEarned(session, question)
  const split = checkSplit(people, question.split)
  return {
    ...(await readAbout(session, question)),
    lines: await readLines(session, question),
    prices: pricesOf({ people, stages, repeats, earned: earned !== undefined, question }, tiers),
    repeated: repeats.length > 0,
    split,
    alarm: split.alarm,
    uncompared: effectWithin(people, question.split, countsOf).uncompared,
    days: await readDays(session, question),
    budget: question.budget,
    booked: await readBooked(session, question.campaign),
    recallValue: question.recallValue,
    acquisition: question.acquisition,
    earned,
    goalsUnread: question.goalsUnread,
  }
}

/** In the order of tiers and steps. */
async function readLines(session: Session, range: Range): Promise<CostLine[]> {
  return await rows<CostLine>(
    session,
    sql`
      SELECT p.tier, p.step, c.channel, c.kind, sum(c.amount)::float8 AS amount
      FROM report_costs c JOIN steps p USING (step_id) JOIN ${ladderOf(range.campaign)} l USING (tier, step)
      WHERE ${inRange(range, 'c')}
      GROUP BY l.place, p.tier, p.step, c.channel, c.kind ORDER BY l.place, c.channel, c.kind`,
  )
}

/** By the day it was booked on, oldest first. */
async function readDays(session: Session, range: Range): Promise<CostDay[]> {
  return await rows<CostDay>(
    session,
    sql`
      SELECT booked_on::text AS day, coalesce(sum(amount) FILTER (WHERE kind = 'spend'), 0)::float8 AS spend,
        coalesce(sum(amount) FILTER (WHERE kind = 'liability'), 0)::float8 AS liability,
        coalesce(sum(amount) FILTER (WHERE kind = 'labour'), 0)::float8 AS labour
      FROM report_costs WHERE ${inRange(range)} GROUP BY booked_on ORDER BY booked_on`,
  )
}

/** As the budgets themselves count, what went to seeds included; of one that nothing was held of yet, as reports do. */
async function readBooked(session: Session, campaign: string): Promise<CostData['booked']> {
  const found = await rows<{ kind: 'spend' | 'liability'; booked: number }>(
    session,
    sql`
      SELECT k.kind, coalesce(CASE WHEN b.campaign IS NULL
          THEN (SELECT sum(c.amount) FROM report_costs c WHERE c.campaign = ${campaign} AND c.kind = k.kind)
          ELSE coalesce((SELECT sum(d.spent) FROM budget_days d WHERE d.campaign = ${campaign} AND d.kind = k.kind), 0)
            + coalesce((SELECT sum(e.amount) FROM budget_entries e WHERE e.campaign = ${campaign} AND e.kind = k.kind), 0)
        END, 0)::float8 AS booked
      FROM unnest(ARRAY['spend', 'liability']) AS k(kind)
      LEFT JOIN budgets b ON b.campaign = ${campaign} AND b.kind = k.kind`,
  )
  const of = (kind: string) => found.find((row) => row.kind === kind)?.booked ?? 0
  return { spend: of('spend'), liability: of('liability') }
}

/** What the days in question were counted with; undefined where that is nothing, or not the same on all of them. */
async function readEarned(session: Session, question: CampaignQuestion): Promise<Earned | undefined> {
  const found = await rows<{ earned: Earned }>(
    session,
    sql`SELECT DISTINCT earned FROM report_days WHERE ${inRange(question)}`,
  )
  const [first, ...others] = found
  return first && others.length === 0 && Object.keys(first.earned).length > 0 ? first.earned : undefined
}
