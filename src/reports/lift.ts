import { sql } from 'drizzle-orm'
import { rows, type Session } from '../database/connect.ts'
import { type Adjusted, cuped } from '../statistics/cuped.ts'
import type { Estimate, NotEnough } from '../statistics/estimate.ts'
import { benjaminiHochberg, holm, selectedConfidence } from '../statistics/many.ts'
import { differenceTest } from '../statistics/miettinen-nurminen.ts'
import { newcombe } from '../statistics/newcombe.ts'
import { ratioDifference } from '../statistics/ratio.ts'
import { confidenceSequence } from '../statistics/sequence.ts'
import { wilson } from '../statistics/wilson.ts'
import { type Annotation, readAnnotations } from './annotations.ts'
import {
  checkSplit,
  type Effect,
  effectOf,
  type SplitCheck,
  upliftOf,
  type Verdict,
  verdictOf,
} from './effect.ts'
import { type Freshness, readFreshness } from './freshness.ts'
import {
  countsOf,
  type DayCell,
  finalOf,
  inRange,
  type PeopleCell,
  type Range,
  readDays,
  readPeople,
  total,
} from './people-cells.ts'
import { orderTiers } from './people-sql.ts'
import type { CampaignQuestion } from './question.ts'
import { type RepeatCell, readRepeats, recallsByPerson } from './repeats.ts'
import { inSnapshot, type Readable } from './snapshot.ts'
import { type ComparedStep, readVariants } from './variants.ts'

// Won back by us, as figures (lift-text.ts puts them into words): overall, in each cell of tier × segment, by day since the
// assignment, and as it built up over time.

/** The share of false findings among cells that are called findings. */
const Q = 0.05

export interface LiftCell extends Effect {
  readonly tier: string
  readonly segment: string
  /** Adjusted for the number of cells (Benjamini–Hochberg); undefined where nothing can be tested. */
  readonly adjusted: number | undefined
  /** The campaign's own figure came first, and the cell is among those that remain. */
  readonly selected: boolean
  /** As wide as the selection asks for. */
  readonly interval: Estimate | NotEnough
}

export interface CurvePoint {
  /** Whole days since the assignment. */
  readonly age: number
  readonly rate: Estimate | NotEnough
}

export interface LiftData {
  readonly range: Range
  readonly freshness: Freshness
  readonly annotations: readonly Annotation[]
  readonly split: SplitCheck
  readonly verdict: Verdict
  readonly overall: Effect
  /** Difference over the rate of the held out: less than it seems. */
  readonly relativeUplift: number | undefined
  /** The difference with errors clustered by person; undefined where nobody has several episodes. */
  readonly clustered: Estimate | NotEnough | undefined
  /** Steadied by the days each was active in the ninety before. */
  readonly steadied: Adjusted
  readonly cells: readonly LiftCell[]
  readonly tiers: readonly string[]
  readonly segments: readonly string[]
  readonly curves: { readonly treated: readonly CurvePoint[]; readonly heldOut: readonly CurvePoint[] }
  /** By the last day of intake that is in: what a look on the day it became final would have shown. */
  readonly sequence: readonly { readonly day: string; readonly estimate: Estimate | NotEnough }[]
  /** Tiers that drew on entering, with p adjusted by Holm. */
  readonly ownDraws: readonly (Effect & { readonly tier: string; readonly adjusted: number | undefined })[]
  /** Steps that compare variants. */
  readonly variants: readonly ComparedStep[]
}

export async function readLift(readable: Readable, question: CampaignQuestion): Promise<LiftData> {
  return await inSnapshot(readable, async (session) => {
    const days = await readDays(session, question)
    const cells = await readPeople(session, question, ['tier', 'segment', 'version'])
    const tiers = await orderTiers(session, question.campaign)
    const split = checkSplit(
      cells.map(({ version, arm, assigned }) => ({ version, arm, assigned })),
      question.split,
    )
    const overall = effectOf(countsOf(cells, 'treated'), countsOf(cells, 'holdout'))
    const verdict = verdictOf(overall, split.alarm)
    const judged = judgeCells(cells, verdict)
    return {
      range: question,
      freshness: await readFreshness(session, question),
      annotations: await readAnnotations(session, question),
      split,
      verdict,
      overall,
      relativeUplift: upliftOf(overall),
      clustered: clusteredDifference(overall, await readRepeats(session, question)),
      steadied: cuped(pairedOf(cells, 'treated'), pairedOf(cells, 'holdout')),
      cells: judged,
      tiers: [...tiers.filter((tier) => judged.some((cell) => cell.tier === tier))],
      segments: [...new Set(judged.map((cell) => cell.segment))].sort(
        (a, b) => Number(a === 'everyone') - Number(b === 'everyone') || a.localeCompare(b),
      ),
      curves: await readCurves(session, question, days),
      sequence: sequenceOf(days),
      ownDraws: await readOwnDraws(session, question, tiers),
      variants: await readVariants(session, question),
    }
  })
}

/** The pooled difference with a person's episodes as one cluster. */
function clusteredDifference(
  { treated, heldOut }: Effect,
  repeats: readonly RepeatCell[],
): Estimate | NotEnough | undefined {
  const found = recallsByPerson(repeats, treated, heldOut)
  return found && ratioDifference(found.treated, found.heldOut, found.both)
}

function pairedOf(cells: readonly PeopleCell[], arm: 'treated' | 'holdout') {
  const final = finalOf(cells, arm)
  const recalled = total(final, 'recalled')
  return {
    n: total(final, 'assigned'),
    sum: recalled,
    sumOfSquares: recalled,
    covariateSum: total(final, 'before'),
    covariateSumOfSquares: total(final, 'beforeSquares'),
    productSum: total(final, 'beforeRecalls'),
  }
}

/** Cells are findings only where the campaign as a whole is one, and then only those that survive their number. */
function judgeCells(cells: readonly PeopleCell[], verdict: Verdict): LiftCell[] {
  const keys = [...new Set(cells.map(({ tier, segment }) => JSON.stringify([tier, segment])))].sort()
  const found = keys.map((key) => {
    const [tier = '', segment = ''] = JSON.parse(key) as string[]
    const own = cells.filter((cell) => cell.tier === tier && cell.segment === segment)
    const effect = effectOf(countsOf(own, 'treated'), countsOf(own, 'holdout'))
    const test = differenceTest(...groupsOf(effect))
    return { tier, segment, effect, p: test.kind === 'tested' ? test.p : undefined }
  })
  const tested = found.filter(({ p }) => p !== undefined)
  const adjusted = benjaminiHochberg(tested.map(({ p = 1 }) => p))
  const open = verdict.kind === 'won_back' || verdict.kind === 'harm'
  const isSelected = (at: number) => open && at >= 0 && (adjusted[at] ?? 1) <= Q
  const selected = tested.filter((_cell, at) => isSelected(at)).length
  const confidence = selectedConfidence(Q, selected, Math.max(1, tested.length))
  return found.map((cell) => {
    const at = tested.indexOf(cell)
    return {
      tier: cell.tier,
      segment: cell.segment,
      ...cell.effect,
      adjusted: at === -1 ? undefined : adjusted[at],
      selected: isSelected(at),
      interval: newcombe(...groupsOf(cell.effect), isSelected(at) ? confidence : 0.95),
    }
  })
}

function groupsOf({ treated, heldOut }: Effect) {
  return [
    { recalled: treated.recalled, assigned: treated.matured },
    { recalled: heldOut.recalled, assigned: heldOut.matured },
  ] as const
}

/**
 * The share that has come back by each day since the assignment, over all assigned of final cohorts: the same people at
 * every age, so that a curve does not bend where cohorts drop out.
 */
async function readCurves(
  session: Session,
  range: Range,
  days: readonly DayCell[],
): Promise<LiftData['curves']> {
  const found = await rows<{ arm: string; age: number; recalls: number }>(
    session,
    sql`
    SELECT r.arm, r.age::int AS age, sum(r.recalls)::bigint AS recalls
    FROM report_recalls r
    JOIN (SELECT day, tier, arm FROM report_people WHERE ${inRange(range)}
          GROUP BY day, tier, arm HAVING max(final_at) <= ${range.now}) f USING (day, tier, arm)
    WHERE ${inRange(range, 'r')} AND r.arm IN ('treated', 'holdout') GROUP BY r.arm, r.age ORDER BY r.age`,
  )
  const window = Math.max(0, ...days.filter((cell) => cell.final).map((cell) => cell.windowDays))
  const curve = (arm: 'treated' | 'holdout'): CurvePoint[] => {
    const assigned = days
      .filter((cell) => cell.final && cell.arm === arm)
      .reduce((sum, cell) => sum + cell.assigned, 0)
    let recalled = 0
    return Array.from({ length: assigned === 0 ? 0 : window }, (_, age) => {
      recalled += found
        .filter((row) => row.arm === arm && row.age === age)
        .reduce((sum, row) => sum + row.recalls, 0)
      return { age: age + 1, rate: wilson(Math.min(recalled, assigned), assigned) }
    })
  }
  return { treated: curve('treated'), heldOut: curve('holdout') }
}

/** How the difference and its interval for daily looks developed, cohort by cohort. */
function sequenceOf(days: readonly DayCell[]): LiftData['sequence'] {
  const final = days.filter((cell) => cell.final)
  const dates = [...new Set(final.map((cell) => cell.day))].sort()
  const treated = { recalled: 0, assigned: 0 }
  const heldOut = { recalled: 0, assigned: 0 }
  const byDate = new Map<string, DayCell[]>()
  for (const cell of final) byDate.set(cell.day, [...(byDate.get(cell.day) ?? []), cell])
  return dates.map((day) => {
    for (const cell of byDate.get(day) ?? []) {
      const group = cell.arm === 'treated' ? treated : cell.arm === 'holdout' ? heldOut : undefined
      if (!group) continue
      group.recalled += cell.recalled
      group.assigned += cell.assigned
    }
    return { day, estimate: confidenceSequence(treated, heldOut) }
  })
}

async function readOwnDraws(
  session: Session,
  range: Range,
  tiers: readonly string[],
): Promise<LiftData['ownDraws']> {
  const found = await rows<{
    tier: string
    arm: string
    assigned: number
    contaminated: number
    matured: number
    recalled: number
  }>(
    session,
    sql`
    SELECT tier, arm, sum(assigned)::bigint AS assigned, sum(contaminated)::bigint AS contaminated,
      coalesce(sum(assigned) FILTER (WHERE final_at <= ${range.now}), 0)::bigint AS matured,
      coalesce(sum(recalled) FILTER (WHERE final_at <= ${range.now}), 0)::bigint AS recalled
    FROM report_stages WHERE ${inRange(range)} GROUP BY tier, arm`,
  )
  const none = { assigned: 0, contaminated: 0, matured: 0, recalled: 0 }
  const effects = tiers
    .filter((tier) => found.some((row) => row.tier === tier))
    .map((tier) => {
      const arm = (name: string) => found.find((row) => row.tier === tier && row.arm === name) ?? none
      const effect = effectOf(arm('treated'), arm('holdout'))
      const test = differenceTest(...groupsOf(effect))
      return { tier, effect, p: test.kind === 'tested' ? test.p : undefined }
    })
  const adjusted = holm(effects.map(({ p }) => p ?? 1))
  return effects.map(({ tier, effect, p }, at) => ({
    tier,
    ...effect,
    adjusted: p === undefined ? undefined : adjusted[at],
  }))
}
