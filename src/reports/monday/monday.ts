import { sql } from 'drizzle-orm'
import { rows, type Session } from '../../database/connect.ts'
import type { Estimate, NotEnough } from '../../statistics/estimate.ts'
import type { Group } from '../../statistics/newcombe.ts'
import { stratifiedNewcombe, type WeighedStratum, weighStrata } from '../../statistics/strata.ts'
import { type AbsentChannel, readAbsences } from '../absences.ts'
import { type CostData, costWithin } from '../cost/cost.ts'
import {
  type Arm,
  checkSplit,
  type Effect,
  effectOfStrata,
  type SplitCheck,
  type Verdict,
  verdictOf,
} from '../effect.ts'
import type { About } from '../freshness.ts'
import {
  countsOf,
  type DayCell,
  type Figure,
  inRange,
  type PeopleCell,
  readDays,
  readPeople,
  total,
} from '../people-cells.ts'
import type { CampaignQuestion } from '../question.ts'
import { inSnapshot, type Readable } from '../snapshot.ts'
import { drawnOf, effectWithin, strataByDay, strataOf } from '../strata.ts'

// The first page: what a marketer asks on Monday, as figures (monday-text.ts puts them into words). Weeks are those of the assignment, Monday to Sunday, UTC.

export interface Week {
  /** The Monday, ISO. */
  readonly day: string
  readonly effect: Effect
}

interface ContrastSide {
  readonly count: number
  readonly of: number
  /** A head; of the held out, where several shares were: standardised to the seasons the treated came in. */
  readonly rate: number | undefined
}

/** One group against the other in one respect, over all assigned; each share held out within itself. */
export interface Contrast {
  readonly name: string
  readonly treated: ContrastSide
  readonly heldOut: ContrastSide
  /** Rates: Newcombe. Undefined where it is a mean and only its two values are given. */
  readonly difference: Estimate | NotEnough | undefined
}

export interface MondayData extends About {
  readonly split: SplitCheck
  readonly verdict: Verdict
  readonly overall: Effect
  /** The newest week whose observation is complete, and the week before. */
  readonly lastFinal: Week | undefined
  readonly weekBefore: Week | undefined
  /** The newest week whose intake is over while its observation is not, at its age in days; the last final week beside it at the same age. */
  readonly running:
    | { readonly week: Week; readonly age: number; readonly finalAtThatAge: Effect | undefined }
    | undefined
  readonly weeks: readonly Week[]
  readonly cost: CostData
  /** By channel: messages, the recalls that came next after one, micros spent. Attributed, not incremental. */
  readonly channels: readonly {
    readonly channel: string
    readonly sent: number
    readonly recalled: number
    readonly spend: number
  }[]
  readonly annoyed: readonly Contrast[]
  readonly touchesAHead: number | undefined
  readonly stayed: readonly Contrast[]
  /** Channels of the campaign that cannot be reached at this moment. */
  readonly absent: readonly AbsentChannel[]
}

export async function readMonday(readable: Readable, question: CampaignQuestion): Promise<MondayData> {
  return await inSnapshot(readable, async (session) => {
    const people = await readPeople(session, question, ['week', 'version'])
    const split = checkSplit(people, question.split)
    const overall = effectWithin(people, question.split, countsOf)
    const cost = await costWithin(session, question)
    // A week is as old as it was when its sums were counted.
    const { countedAt = question.now } = cost.freshness
    const known = countedAt < question.now ? countedAt : question.now
    const { final, running } = weeksOver(people, known)
    const weeks = final.map(
      (day): Week => ({
        day,
        effect: effectWithin(
          people.filter((cell) => cell.day === day),
          question.split,
          countsOf,
        ),
      }),
    )
    const lastFinal = weeks.at(-1)
    const before = lastFinal && isoDay(Date.parse(lastFinal.day) - WEEK)
    const strata = strataOf(people, question.split)
    const treated = people.filter((cell) => cell.arm === 'treated')
    return {
      range: question,
      freshness: cost.freshness,
      annotations: cost.annotations,
      split,
      verdict: verdictOf(overall, split.alarm),
      overall,
      lastFinal,
      weekBefore: weeks.find(({ day }) => day === before),
      running:
        running === undefined
          ? undefined
          : await readRunning(session, question, { running, lastFinal: lastFinal?.day, known }),
      weeks,
      cost,
      channels: await readChannels(session, question),
      annoyed: annoyedOf(strata),
      touchesAHead:
        total(treated, 'assigned') > 0 ? total(treated, 'touches') / total(treated, 'assigned') : undefined,
      stayed: stayedOf(strata),
      absent: await readAbsences(session, question.now, question.campaign),
    }
  })
}

/** The Mondays of the weeks nobody comes into any more: those observed to the end, in order, and the newest that is not. */
function weeksOver(
  people: readonly PeopleCell[],
  now: Date,
): { readonly final: readonly string[]; readonly running: string | undefined } {
  const open = new Set(people.filter((cell) => !cell.final).map((cell) => cell.day))
  const over = [...new Set(people.map((cell) => cell.day))].filter((week) => ageOf(week, now) >= 0).sort()
  return {
    final: over.filter((week) => !open.has(week)),
    running: over.findLast((week) => open.has(week) && ageOf(week, now) >= 1),
  }
}

async function readChannels(session: Session, question: CampaignQuestion): Promise<MondayData['channels']> {
  return await rows<MondayData['channels'][number]>(
    session,
    sql`
    SELECT m.channel, m.sent, m.recalled, coalesce(c.spend, 0) AS spend
    FROM (SELECT channel, sum(messages)::bigint AS sent, sum(recalled)::bigint AS recalled FROM report_messages
          WHERE ${inRange(question)} AND state = 'sent' GROUP BY channel) m
    LEFT JOIN (SELECT channel, sum(amount)::float8 AS spend FROM report_costs WHERE ${inRange(question)} AND kind = 'spend'
               GROUP BY channel) c USING (channel)
    ORDER BY m.recalled DESC, m.channel`,
  )
}

async function readRunning(
  session: Session,
  question: CampaignQuestion,
  {
    running,
    lastFinal,
    known,
  }: { readonly running: string; readonly lastFinal: string | undefined; readonly known: Date },
): Promise<MondayData['running']> {
  const age = ageOf(running, known)
  const days = await readDays(session, question)
  // Recalls by age are known by day alone.
  const recalls = await rows<{ day: string; arm: string; recalls: number }>(
    session,
    sql`
    SELECT day::text AS day, arm, sum(recalls)::bigint AS recalls FROM report_recalls
    WHERE ${inRange(question)} AND age < ${age} GROUP BY 1, 2`,
  )
  const count = (cells: readonly DayCell[], arm: Arm) => {
    const dates = new Set(cells.map(({ day }) => day))
    const recalled = recalls
      .filter((row) => row.arm === arm && dates.has(row.day))
      .reduce((sum, row) => sum + row.recalls, 0)
    const { assigned, contaminated } = countsOf(cells, arm)
    return { assigned, contaminated, matured: assigned, recalled }
  }
  const atAge = (week: string): Effect => {
    const own = days.filter(({ day }) => mondayOf(day) === week)
    return effectOfStrata(drawnOf(strataByDay(own, question.split), count))
  }
  return {
    week: { day: running, effect: atAge(running) },
    age,
    finalAtThatAge: lastFinal === undefined ? undefined : atAge(lastFinal),
  }
}

const DAY = 86_400_000
const WEEK = 7 * DAY

function isoDay(at: number): string {
  return new Date(at).toISOString().slice(0, 10)
}

function mondayOf(day: string): string {
  const at = Date.parse(day)
  // 1970 began on a Thursday.
  return isoDay(at - ((at / DAY + 3) % 7) * DAY)
}

/** Whole days that the week's last comer has been observed. */
function ageOf(week: string, now: Date): number {
  return Math.floor((now.getTime() - (Date.parse(week) + WEEK)) / DAY)
}

/** A figure, over all who could have one. @param kind of how many it is true, or how many of something each had */
function contrast(
  strata: readonly (readonly PeopleCell[])[],
  figure: Figure,
  base: Figure,
  kind: 'rate' | 'mean' = 'rate',
): Contrast {
  const side = (of: readonly PeopleCell[], arm: Arm): Group => {
    const own = of.filter((cell) => cell.arm === arm)
    return { recalled: total(own, figure), assigned: total(own, base) }
  }
  const sides = strata.map((of) => ({ treated: side(of, 'treated'), heldOut: side(of, 'holdout') }))
  const weighed = weighStrata(sides)
  const whole = (arm: 'treated' | 'heldOut'): ContrastSide => {
    const sum = (of: 'recalled' | 'assigned') => sides.reduce((all, each) => all + each[arm][of], 0)
    const [recalled, assigned] = [sum('recalled'), sum('assigned')]
    const alone = assigned > 0 ? recalled / assigned : undefined
    return { count: recalled, of: assigned, rate: 'kind' in weighed ? alone : weighedMean(weighed, arm) }
  }
  return {
    name: figure,
    treated: whole('treated'),
    heldOut: whole('heldOut'),
    difference: kind === 'rate' ? stratifiedNewcombe(sides) : undefined,
  }
}

function weighedMean(strata: readonly WeighedStratum[], arm: 'treated' | 'heldOut'): number {
  return strata.reduce((sum, each) => sum + (each.weight * each[arm].recalled) / each[arm].assigned, 0)
}

function annoyedOf(strata: readonly (readonly PeopleCell[])[]): Contrast[] {
  return (['optedOut', 'complained', 'uninstalled'] as const).map((figure) =>
    contrast(strata, figure, 'assigned'),
  )
}

function stayedOf(strata: readonly (readonly PeopleCell[])[]): Contrast[] {
  return [
    contrast(strata, 'active7', 'past7'),
    contrast(strata, 'active30', 'past30'),
    contrast(strata, 'active90', 'past90'),
    contrast(strata, 'fullPriceBuyers30', 'past30'),
    contrast(strata, 'fullPrice30', 'past30', 'mean'),
    contrast(strata, 'orders30', 'past30', 'mean'),
  ]
}
