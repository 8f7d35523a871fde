import { sql } from 'drizzle-orm'
import { rows, type Session } from '../../database/connect.ts'
import { type Adjusted, stratifiedCuped } from '../../statistics/cuped.ts'
import type { Estimate, NotEnough } from '../../statistics/estimate.ts'
import { benjaminiHochberg, holm, selectedConfidence } from '../../statistics/many.ts'
import type { Group } from '../../statistics/newcombe.ts'
import { ratioDifference } from '../../statistics/ratio.ts'
import { stratifiedSequence } from '../../statistics/sequence.ts'
import { differenceSpread, widened } from '../../statistics/spread.ts'
import { stratifiedNewcombe, stratifiedRate, stratifiedTest } from '../../statistics/strata.ts'
import { wilson } from '../../statistics/wilson.ts'
import {
  addCounts,
  type Counts,
  checkSplit,
  type Effect,
  effectOfStrata,
  groupsOf,
  type SplitCheck,
  type Splits,
  upliftOf,
  type Verdict,
  verdictOf,
} from '../effect.ts'
import { type About, readAbout } from '../freshness.ts'
import {
  byLadder,
  countsOf,
  type DayCell,
  everyoneLast,
  finalOf,
  inRange,
  knownAt,
  type PeopleCell,
  readDays,
  readPeople,
  total,
  WHEN_COUNTED,
} from '../people-cells.ts'
import { orderTiers } from '../people-sql.ts'
import type { CampaignQuestion } from '../question.ts'
import { type RepeatCell, readRepeats, recallsByPerson, repeatedHeads } from '../repeats.ts'
import { inSnapshot, type Readable } from '../snapshot.ts'
import {
  drawnOf,
  effectWithin,
  groupBy,
  isDrawOff,
  joinTierShares,
  strataByDay,
  strataOf,
} from '../strata.ts'
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

export interface LiftData extends About {
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
  readonly ownDraws: readonly (Effect & {
    readonly tier: string
    /** The groups have not the sizes they were drawn with: no conclusion. */
    readonly off: boolean
    readonly adjusted: number | undefined
  })[]
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
    const overall = effectWithin(cells, question.split, countsOf)
    const several = strataOf(cells, question.split).length > 1
    const verdict = verdictOf(overall, split.alarm)
    const judged = judgeCells(cells, tiers, question.split, verdict)
    return {
      ...(await readAbout(session, question)),
      split,
      verdict,
      overall,
      relativeUplift: upliftOf(overall),
      clustered: clusteredDifference(overall, several, await readRepeats(session, question)),
      steadied: steadiedDifference(cells, question.split),
      cells: judged,
      tiers: tiers.filter((tier) => judged.some((cell) => cell.tier === tier)),
      segments: [...new Set(judged.map((cell) => cell.segment))].sort(everyoneLast),
      curves: await readCurves(session, question, days),
      sequence: sequenceOf(days, question.split),
      ownDraws: await readOwnDraws(session, question, tiers),
      variants: await readVariants(session, question),
    }
  })
}

/**
 * The difference with a person's episodes as one cluster. Pairs of lapses are not known by share: where there were several, the
 * interval is widened by what clustering takes of all together.
 */
function clusteredDifference(
  { treated, heldOut, difference }: Effect,
  several: boolean,
  repeats: readonly RepeatCell[],
): Estimate | NotEnough | undefined {
  if (several && difference.kind === 'estimate') {
    const pairs = repeatedHeads(repeats, { unit: 'episode' }, { x: 'n', y: 'y' })
    const rateOf = ({ matured, recalled }: Counts) => ({ n: matured, y: recalled / matured })
    return pairs && widened(difference, differenceSpread(rateOf(treated), rateOf(heldOut), pairs), -1)
  }
  const found = recallsByPerson(repeats, treated, heldOut)
  const clustered = found && ratioDifference(found.treated, found.heldOut, found.both)
  return clustered?.kind === 'estimate' ? widened(clustered, 1, -1) : clustered
}

/** An interval of a mean knows nothing of the ends that a difference of rates has, and of few people goes beyond them. */
function steadiedDifference(cells: readonly PeopleCell[], split: Splits): Adjusted {
  const found = stratifiedCuped(
    strataOf(cells, split).map((own) => ({
      treated: pairedOf(own, 'treated'),
      heldOut: pairedOf(own, 'holdout'),
    })),
  )
  const { raw, adjusted } = found
  return {
    ...found,
    raw: raw.kind === 'estimate' ? widened(raw, 1, -1) : raw,
    adjusted: adjusted.kind === 'estimate' ? widened(adjusted, 1, -1) : adjusted,
  }
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

/**
 * Cells are findings only where the campaign as a whole is one, and then only those that survive their number.
 * @param ladder tiers in their order, which is that of the cells
 */
function judgeCells(
  cells: readonly PeopleCell[],
  ladder: readonly string[],
  split: Splits,
  verdict: Verdict,
): LiftCell[] {
  const places = new Map(
    cells.map(({ tier, segment }) => [JSON.stringify([tier, segment]), { tier, segment }]),
  )
  const inLadder = byLadder(ladder)
  const ordered = [...places.values()].sort(
    (a, b) => inLadder(a.tier, b.tier) || everyoneLast(a.segment, b.segment),
  )
  const found = ordered.map(({ tier, segment }) => {
    const own = cells.filter((cell) => cell.tier === tier && cell.segment === segment)
    const drawn = drawnOf(strataOf(own, split), countsOf)
    const strata = drawn.map(groupsOf)
    const test = stratifiedTest(strata)
    const p = test.kind === 'tested' ? test.p : undefined
    return { tier, segment, strata, effect: effectOfStrata(drawn), p }
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
      interval: stratifiedNewcombe(cell.strata, isSelected(at) ? confidence : 0.95),
    }
  })
}

/**
 * The share that has come back by each day since the assignment, over all assigned of final cohorts: the same people at
 * every age, so that a curve does not bend where cohorts drop out. Recalls by age are known by day alone.
 */
async function readCurves(
  session: Session,
  range: CampaignQuestion,
  days: readonly DayCell[],
): Promise<LiftData['curves']> {
  const final = days.filter((cell) => cell.final)
  const strata = strataByDay(final, range.split)
  const places = strata.flatMap((own, at) =>
    [...new Set(own.map(({ day }) => day))].map((day) => ({ day, at })),
  )
  const found = await rows<{ stratum: number; arm: string; age: number; recalls: number }>(
    session,
    sql`
    SELECT k.stratum, r.arm, r.age::int AS age, sum(r.recalls)::bigint AS recalls
    FROM report_recalls r
    JOIN unnest(${sql.param(places.map(({ day }) => day))}::date[], ${sql.param(places.map(({ at }) => at))}::int[])
      AS k(day, stratum) USING (day)
    WHERE ${inRange(range, 'r')} AND r.arm IN ('treated', 'holdout') GROUP BY k.stratum, r.arm, r.age`,
  )
  const window = Math.max(0, ...final.map((cell) => cell.windowDays))
  const cameBack = strata.map((own, stratum) => {
    const arm = (name: 'treated' | 'holdout'): Group[] => {
      const { matured: assigned } = countsOf(own, name)
      let recalled = 0
      return Array.from({ length: window }, (_, age) => {
        recalled += found
          .filter((row) => row.stratum === stratum && row.arm === name && row.age === age)
          .reduce((sum, row) => sum + row.recalls, 0)
        return { assigned, recalled: Math.min(recalled, assigned) }
      })
    }
    return { treated: arm('treated'), heldOut: arm('holdout') }
  })
  const nobody = { assigned: 0, recalled: 0 }
  const curve = (arm: 'treated' | 'heldOut'): CurvePoint[] =>
    Array.from({ length: window }, (_, age) => {
      const at = cameBack.map(({ treated, heldOut }) => ({
        treated: treated[age] ?? nobody,
        heldOut: heldOut[age] ?? nobody,
      }))
      const compared = stratifiedRate(at, arm)
      // Without anybody to compare with, those who are there.
      const rate = compared.kind === 'estimate' ? compared : wilson(...sumOf(at.map((each) => each[arm])))
      return { age: age + 1, rate }
    }).filter(({ rate }) => rate.kind === 'estimate')
  return { treated: curve('treated'), heldOut: curve('heldOut') }
}

function sumOf(groups: readonly Group[]): [recalled: number, assigned: number] {
  const sum = (of: keyof Group) => groups.reduce((all, group) => all + group[of], 0)
  return [sum('recalled'), sum('assigned')]
}

/** How the difference and its interval for daily looks developed, cohort by cohort. */
function sequenceOf(days: readonly DayCell[], split: Splits): LiftData['sequence'] {
  const final = days.filter((cell) => cell.final)
  const dates = [...new Set(final.map(({ day }) => day))].sort()
  const strata = strataOf(final, split).map((own) => ({
    byDate: new Map(groupBy(own, ({ day }) => day).map((cells) => [cells[0]?.day, cells])),
    treated: { recalled: 0, assigned: 0 },
    heldOut: { recalled: 0, assigned: 0 },
  }))
  return dates.map((day) => {
    for (const { byDate, treated, heldOut } of strata) {
      for (const cell of byDate.get(day) ?? []) {
        const group = cell.arm === 'treated' ? treated : cell.arm === 'holdout' ? heldOut : undefined
        if (!group) continue
        group.recalled += cell.recalled
        group.assigned += cell.assigned
      }
    }
    return { day, estimate: stratifiedSequence(strata) }
  })
}

async function readOwnDraws(
  session: Session,
  range: CampaignQuestion,
  tiers: readonly string[],
): Promise<LiftData['ownDraws']> {
  const found = await rows<Counts & { tier: string; arm: string; shares: string }>(
    session,
    sql`
    SELECT s.tier, s.arm, k.shares, sum(s.assigned)::bigint AS assigned, sum(s.contaminated)::bigint AS contaminated,
      coalesce(sum(s.assigned) FILTER (WHERE s.final_at <= ${knownAt(range.now)}), 0)::bigint AS matured,
      coalesce(sum(s.recalled) FILTER (WHERE s.final_at <= ${knownAt(range.now)}), 0)::bigint AS recalled
    FROM report_stages s ${WHEN_COUNTED} ${joinTierShares(range.split)}
    WHERE ${inRange(range, 's')} GROUP BY s.tier, s.arm, k.shares ORDER BY min(s.day)`,
  )
  const effects = tiers
    .filter((tier) => found.some((row) => row.tier === tier))
    .map((tier) => {
      const own = found.filter((row) => row.tier === tier)
      const strata = groupBy(own, ({ shares }) => shares)
      const off = isDrawOff(own.map(({ shares: share, arm, assigned }) => ({ share, arm, assigned })))
      const drawn = drawnOf(strata, (own, arm) => addCounts(own.filter((row) => row.arm === arm)))
      const test = stratifiedTest(drawn.map(groupsOf))
      return { tier, off, effect: effectOfStrata(drawn), p: test.kind === 'tested' ? test.p : undefined }
    })
  const adjusted = holm(effects.map(({ p }) => p ?? 1))
  return effects.map(({ tier, off, effect, p }, at) => ({
    tier,
    off,
    ...effect,
    adjusted: p === undefined ? undefined : adjusted[at],
  }))
}
