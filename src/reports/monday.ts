import { sql } from 'drizzle-orm'
import { rows } from '../database/connect.ts'
import type { Estimate, NotEnough } from '../statistics/estimate.ts'
import { newcombe } from '../statistics/newcombe.ts'
import type { Annotation } from './annotations.ts'
import { type CostData, costWithin } from './cost.ts'
import {
  type Arm,
  checkSplit,
  type Effect,
  effectOf,
  type SplitCheck,
  type Verdict,
  verdictOf,
} from './effect.ts'
import type { Freshness } from './freshness.ts'
import { countsOf, inRange, type PeopleCell, type Range, readPeople, total } from './people-cells.ts'
import type { CampaignQuestion } from './question.ts'
import { inSnapshot, type Readable } from './snapshot.ts'

// The first page: what a marketer asks on Monday, as figures (monday-text.ts puts them into words). Weeks are those of the assignment, Monday to Sunday, UTC.

export interface Week {
  /** The Monday, ISO. */
  readonly day: string
  readonly effect: Effect
}

/** One group against the other in one respect, over all assigned. */
export interface Contrast {
  readonly name: string
  readonly treated: { readonly count: number; readonly of: number }
  readonly heldOut: { readonly count: number; readonly of: number }
  /** Rates: Newcombe. Undefined where it is a mean and only its two values are given. */
  readonly difference: Estimate | NotEnough | undefined
}

export interface MondayData {
  readonly range: Range
  readonly freshness: Freshness
  readonly annotations: readonly Annotation[]
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
}

export async function readMonday(readable: Readable, question: CampaignQuestion): Promise<MondayData> {
  return await inSnapshot(readable, async (session) => {
    const weeks = await readPeople(session, question, ['week', 'version'])
    const split = checkSplit(weeks, question.split)
    const overall = effectOf(countsOf(weeks, 'treated'), countsOf(weeks, 'holdout'))
    const monday = (week: string) => weeks.filter((cell) => cell.day === week)
    const all = [...new Set(weeks.map((cell) => cell.day))].sort()
    const over = (week: string) => Date.parse(week) + 7 * DAY <= question.now.getTime()
    const final = all.filter((week) => over(week) && monday(week).every((cell) => cell.final))
    const weekOf = (week: string | undefined): Week | undefined =>
      week === undefined
        ? undefined
        : {
            day: week,
            effect: effectOf(countsOf(monday(week), 'treated'), countsOf(monday(week), 'holdout')),
          }
    const lastFinal = final.at(-1)
    const before = lastFinal === undefined ? undefined : isoDay(Date.parse(lastFinal) - 7 * DAY)
    const runningWeek = all
      .filter((week) => over(week) && !final.includes(week) && ageOf(week, question.now) >= 1)
      .at(-1)
    const cost = await costWithin(session, question)
    const channels = await rows<MondayData['channels'][number]>(
      session,
      sql`
      SELECT m.channel, m.sent, m.recalled, coalesce(c.spend, 0) AS spend
      FROM (SELECT channel, sum(messages)::bigint AS sent, sum(recalled)::bigint AS recalled FROM report_messages
            WHERE ${inRange(question)} AND state = 'sent' GROUP BY channel) m
      LEFT JOIN (SELECT channel, sum(amount)::float8 AS spend FROM report_costs WHERE ${inRange(question)} AND kind = 'spend'
                 GROUP BY channel) c USING (channel)
      ORDER BY m.recalled DESC, m.channel`,
    )
    const reachedAge = runningWeek === undefined ? 0 : ageOf(runningWeek, question.now)
    const byAge =
      runningWeek === undefined
        ? []
        : await rows<{ week: string; arm: string; recalls: number }>(
            session,
            sql`
            SELECT date_trunc('week', day)::date::text AS week, arm, sum(recalls)::bigint AS recalls FROM report_recalls
            WHERE ${inRange(question)} AND age < ${reachedAge} GROUP BY 1, 2`,
          )
    const atAge = (week: string): Effect => {
      const arm = (name: 'treated' | 'holdout') => {
        const cells = monday(week).filter((cell) => cell.arm === name)
        const assigned = total(cells, 'assigned')
        const recalled = byAge
          .filter((row) => row.week === week && row.arm === name)
          .reduce((sum, row) => sum + row.recalls, 0)
        return { assigned, contaminated: total(cells, 'contaminated'), matured: assigned, recalled }
      }
      return effectOf(arm('treated'), arm('holdout'))
    }
    const treated = weeks.filter((cell) => cell.arm === 'treated')
    return {
      range: question,
      freshness: cost.freshness,
      annotations: cost.annotations,
      split,
      verdict: verdictOf(overall, split.alarm),
      overall,
      lastFinal: weekOf(lastFinal),
      weekBefore: final.includes(before ?? '') ? weekOf(before) : undefined,
      running:
        runningWeek === undefined
          ? undefined
          : {
              week: { day: runningWeek, effect: atAge(runningWeek) },
              age: reachedAge,
              finalAtThatAge: lastFinal === undefined ? undefined : atAge(lastFinal),
            },
      weeks: final.flatMap((week) => weekOf(week) ?? []),
      cost,
      channels,
      annoyed: annoyedOf(weeks),
      touchesAHead:
        total(treated, 'assigned') > 0 ? total(treated, 'touches') / total(treated, 'assigned') : undefined,
      stayed: stayedOf(weeks),
    }
  })
}

const DAY = 86_400_000

function isoDay(at: number): string {
  return new Date(at).toISOString().slice(0, 10)
}

/** Whole days that the week's last comer has been observed. */
function ageOf(week: string, now: Date): number {
  return Math.floor((now.getTime() - (Date.parse(week) + 7 * DAY)) / DAY)
}

function contrast(
  cells: readonly PeopleCell[],
  name: string,
  count: (of: readonly PeopleCell[]) => number,
  base: (of: readonly PeopleCell[]) => number,
  rate = true,
): Contrast {
  const side = (arm: Arm) => {
    const own = cells.filter((cell) => cell.arm === arm)
    return { count: count(own), of: base(own) }
  }
  const [treated, heldOut] = [side('treated'), side('holdout')]
  return {
    name,
    treated,
    heldOut,
    difference: rate
      ? newcombe(
          { recalled: treated.count, assigned: treated.of },
          { recalled: heldOut.count, assigned: heldOut.of },
        )
      : undefined,
  }
}

function annoyedOf(cells: readonly PeopleCell[]): Contrast[] {
  const assigned = (of: readonly PeopleCell[]) => total(of, 'assigned')
  return (['optedOut', 'complained', 'uninstalled'] as const).map((figure) =>
    contrast(cells, figure, (of) => total(of, figure), assigned),
  )
}

function stayedOf(cells: readonly PeopleCell[]): Contrast[] {
  return [
    ...([7, 30, 90] as const).map((age) =>
      contrast(
        cells,
        `active${age}`,
        (of) => total(of, `active${age}`),
        (of) => total(of, `past${age}`),
      ),
    ),
    contrast(
      cells,
      'fullPriceBuyers30',
      (of) => total(of, 'fullPriceBuyers30'),
      (of) => total(of, 'past30'),
    ),
    contrast(
      cells,
      'fullPrice30',
      (of) => total(of, 'fullPrice30'),
      (of) => total(of, 'past30'),
      false,
    ),
    contrast(
      cells,
      'orders30',
      (of) => total(of, 'orders30'),
      (of) => total(of, 'past30'),
      false,
    ),
  ]
}
