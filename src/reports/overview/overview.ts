import type { Session } from '../../database/connect.ts'
import { type Estimate, type NotEnough, notEnough } from '../../statistics/estimate.ts'
import { type AbsentChannel, readAbsences } from '../absences.ts'
import type { Cohort } from '../cohort.ts'
import {
  ARMS,
  type Arm,
  type ArmFigures,
  addCounts,
  type CostOfArms,
  type Counts,
  checkSplit,
  costPerIncremental,
  type Effect,
  effectOfStrata,
  figuresOf,
  isCompared,
  type SplitCheck,
  type Splits,
  spentPerRecall,
  splitOf,
  upliftOf,
  type Verdict,
  verdictOf,
} from '../effect.ts'
import type { Goals } from '../goals.ts'
import { byLadder, everyoneLast } from '../people-cells.ts'
import {
  type AnswerCell,
  countAnswers,
  countEpisodes,
  countOwnDraws,
  countProgramme,
  countRuns,
  type EpisodeCell,
  orderTiers,
} from '../people-sql.ts'
import { effectOfProgramme, isProgrammeOff } from '../programme.ts'
import { inSnapshot, type Readable } from '../snapshot.ts'
import { drawnOf, effectWithin, groupBy, isDrawOff, strataOf, tierShareOf } from '../strata.ts'
import {
  type CostCell,
  checkLadder,
  countTouchpoints,
  sumCosts,
  type TouchpointCell,
} from './messages-sql.ts'
import { type Reconciliation, reconcile } from './reconciliation.ts'

export interface OverviewQuestion extends Cohort {
  /** What the arms were drawn with: the same for every version, or by version. */
  readonly split: Splits
  /** A tier's own window goes on after the episode's. */
  readonly goals: Goals
  /** Told after each query, so that a person sees a long report getting on. */
  readonly onProgress?: ((done: number, of: number) => void) | undefined
  /** What a new customer costs, in micros: shown beside the cost of an incremental recall. */
  readonly acquisition?: number | undefined
}

/** People of one entry tier or segment, by arm, and treated against held out. */
export interface Group extends Effect {
  readonly name: string
  /** The workspace's control group. Sticky, so no effect is computed against it here: see `programme`. */
  readonly control: ArmFigures
}

export interface OverviewData {
  readonly campaign: string
  readonly now: Date
  readonly from: Date | undefined
  readonly to: Date | undefined
  readonly split: SplitCheck
  readonly verdict: Verdict
  readonly overall: Group
  readonly byTier: readonly Group[]
  readonly bySegment: readonly Group[]
  /** Tiers that drew on entering, each with its own arms and its own window. */
  readonly ownDraws: readonly (Effect & {
    readonly tier: string
    /** The groups have not the sizes they were drawn with: no conclusion. */
    readonly off: boolean
  })[]
  /** All campaigns against the control group, each person's first lapse alone. Undefined without a control group. */
  readonly programme: Effect | undefined
  /** Share of persons no campaign ever touches, as the newest version drew it; 0 where there is none, or none is known. */
  readonly controlShare: number
  /** The control group has not the size it was drawn with: no conclusion about the programme. */
  readonly programmeOff: boolean
  /** Recall rate of the held out: who comes back anyway. */
  readonly natural: Estimate | NotEnough
  /** Difference over natural rate; a point figure. Undefined where nobody comes back anyway, or nothing is known. */
  readonly relativeUplift: number | undefined
  readonly reconciliation: Reconciliation
  readonly answers: readonly AnswerCell[]
  readonly touchpoints: readonly TouchpointCell[]
  readonly cost: Cost
  /** Contacts that get every message and count nowhere. */
  readonly seeds: { readonly episodes: number; readonly cost: number }
  /** Channels of the campaign that cannot be reached at this moment. */
  readonly absent: readonly AbsentChannel[]
}

export interface Cost {
  /** By step, channel and kind, all arms; integer micros. */
  readonly lines: readonly {
    readonly tier: string
    readonly step: string
    readonly channel: string | null
    readonly kind: CostCell['kind']
    readonly amount: number
  }[]
  readonly total: number
  readonly byKind: Readonly<Record<CostCell['kind'], number>>
  /** Micros of the matured episodes that are compared: what the rates below divide. */
  readonly matured: CostOfArms
  /** Micros; over matured episodes. Undefined: not estimable yet. */
  readonly perRecall: number | undefined
  readonly perIncremental: number | undefined
  readonly perIncrementalWithoutLabour: number | undefined
  readonly acquisition: number | undefined
}

/**
 * The campaign's counts and what follows from them, for episodes assigned in [from, to), as of `now`.
 * Where `now` lies in the past, people are counted as they stood then; messages as they stand today.
 * An unknown campaign is a report of nothing.
 */
export async function readReport(readable: Readable, question: OverviewQuestion): Promise<OverviewData> {
  return await inSnapshot(readable, (session) => readOverview(session, question))
}

/** Of one report. */
const QUERIES = 10

async function readOverview(session: Session, question: OverviewQuestion): Promise<OverviewData> {
  const { campaign, now, from, to } = question
  let done = 0
  const step = async <T>(query: Promise<T>): Promise<T> => {
    const found = await query
    done += 1
    question.onProgress?.(done, QUERIES)
    return found
  }
  const cells = await step(countEpisodes(session, question))
  const tiers = await step(orderTiers(session, campaign))
  const stages = await step(countOwnDraws(session, question, question.goals))
  const programme = await step(countProgramme(session, question))
  const answers = await step(countAnswers(session, question))
  const runs = await step(countRuns(session, question))
  const touchpoints = await step(countTouchpoints(session, question))
  const ladder = await step(checkLadder(session, question))
  const costs = await step(sumCosts(session, question))
  const absent = await step(readAbsences(session, now, campaign))

  const counted = cells.filter((cell): cell is Counted => cell.arm !== 'seed')
  const split = checkSplit(counted, question.split)
  const overall = groupOf('', counted, question.split)
  const segments = [...new Set(counted.map((cell) => cell.segment))].sort(everyoneLast)
  const entered = new Set(counted.map((cell) => cell.tier))
  const natural = overall.heldOut.rate
  return {
    campaign,
    now,
    from,
    to,
    split,
    verdict: verdictOf(overall, split.alarm),
    overall,
    byTier: [...entered].sort(byLadder(tiers)).map((tier) =>
      groupOf(
        tier,
        counted.filter((cell) => cell.tier === tier),
        question.split,
      ),
    ),
    bySegment: segments.map((segment) =>
      groupOf(
        segment,
        counted.filter((cell) => cell.segment === segment),
        question.split,
      ),
    ),
    ownDraws: [...new Set(stages.map((cell) => cell.tier))].sort(byLadder(tiers)).map((tier) => {
      const own = stages.filter((cell) => cell.tier === tier)
      const shareOf = ({ version }: { version: number }) => tierShareOf(question.split, version, tier)
      const strata = groupBy(own, shareOf)
      const off = isDrawOff(own.map((cell) => ({ ...cell, share: shareOf(cell) })))
      const drawn = drawnOf(strata, (cells, arm) => addCounts(cells.filter((cell) => cell.arm === arm)))
      return { tier, off, ...effectOfStrata(drawn) }
    }),
    programme: effectOfProgramme(programme),
    controlShare: controlOf(question.split),
    programmeOff: isProgrammeOff(
      programme,
      (cell) =>
        cell.share ??
        (cell.campaign === campaign ? splitOf(question.split, cell.version)?.control : undefined),
    ),
    natural: natural.kind === 'estimate' ? natural : notEnough('nobody_held_out'),
    relativeUplift: upliftOf(overall),
    reconciliation: reconcile(runs, answers, episodesByArm(counted), ladder),
    answers,
    touchpoints,
    cost: costOf(costs, strataOf(counted, question.split), overall, question.acquisition),
    seeds: {
      episodes: sum(cells.filter((cell) => cell.arm === 'seed').map((cell) => cell.assigned)),
      cost: sum(costs.filter((cell) => cell.arm === 'seed').map((cell) => cell.amount)),
    },
    absent,
  }
}

function controlOf(split: Splits): number {
  if ('holdout' in split) return split.control
  return split.get(Math.max(...split.keys()))?.control ?? 0
}

type Counted = EpisodeCell & { arm: Arm }

function countsOf(cells: readonly Counted[], arm: Arm): Counts {
  return addCounts(cells.filter((cell) => cell.arm === arm))
}

function groupOf(name: string, cells: readonly Counted[], split: Splits): Group {
  return { name, ...effectWithin(cells, split, countsOf), control: figuresOf(countsOf(cells, 'control')) }
}

function episodesByArm(cells: readonly { arm: Arm; assigned: number }[]): Record<Arm, number> {
  const count = { treated: 0, holdout: 0, control: 0 }
  for (const arm of ARMS)
    count[arm] = sum(cells.filter((cell) => cell.arm === arm).map((cell) => cell.assigned))
  return count
}

function costOf(
  cells: readonly CostCell[],
  strata: readonly (readonly Counted[])[],
  effect: Effect,
  acquisition: number | undefined,
): Cost {
  const counted = cells.filter((cell) => cell.arm !== 'seed')
  const lines = new Map<string, Cost['lines'][number]>()
  const byKind = { spend: 0, liability: 0, labour: 0 }
  for (const { tier, step, channel, kind, amount } of counted) {
    byKind[kind] += amount
    const key = JSON.stringify([tier, step, channel, kind])
    lines.set(key, { tier, step, channel, kind, amount: amount + (lines.get(key)?.amount ?? 0) })
  }
  const ofArms = (of: readonly CostCell[]) => ({
    treated: sum(of.filter((cell) => cell.arm === 'treated').map((cell) => cell.matured)),
    heldOut: sum(of.filter((cell) => cell.arm === 'holdout').map((cell) => cell.matured)),
  })
  const drawn = (of: readonly CostCell[]) =>
    strata.map((own) => {
      const versions = new Set(own.map(({ version }) => version))
      return {
        treated: countsOf(own, 'treated'),
        heldOut: countsOf(own, 'holdout'),
        cost: ofArms(of.filter(({ version }) => versions.has(version))),
      }
    })
  const all = drawn(counted)
  const compared = all.some(isCompared) ? all.filter(isCompared) : all
  const matured = {
    treated: sum(compared.map(({ cost }) => cost.treated)),
    heldOut: sum(compared.map(({ cost }) => cost.heldOut)),
  }
  return {
    lines: [...lines.values()],
    total: byKind.spend + byKind.liability + byKind.labour,
    byKind,
    matured,
    perRecall: spentPerRecall(matured, effect),
    perIncremental: costPerIncremental(all, effect),
    perIncrementalWithoutLabour: costPerIncremental(
      drawn(counted.filter((cell) => cell.kind !== 'labour')),
      effect,
    ),
    acquisition,
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
