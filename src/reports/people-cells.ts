import { type SQL, sql } from 'drizzle-orm'
import { rows, type Session } from '../database/connect.ts'
import type { CostMoments } from '../statistics/net-benefit.ts'
import type { RoiMoments } from '../statistics/roi.ts'
import type { Arm, Counts } from './effect.ts'

// Sums of the report tables: what every report about people reads. A few thousand rows whatever the audience.

/** Cohort days [from, to), ISO dates, UTC; undefined: without that end. */
export interface Range {
  readonly campaign: string
  readonly now: Date
  readonly from?: string | undefined
  readonly to?: string | undefined
}

export interface PeopleCell {
  readonly tier: string
  readonly segment: string
  readonly version: number
  /** First day of the bucket, ISO; empty where not asked for. */
  readonly day: string
  readonly arm: Arm
  /** Every window is over. */
  readonly final: boolean
  readonly windowDays: number
  readonly assigned: number
  readonly contaminated: number
  readonly returned: number
  readonly recalled: number
  readonly optedOut: number
  readonly complained: number
  readonly uninstalled: number
  readonly touches: number
  readonly spend: number
  readonly liability: number
  readonly labour: number
  readonly costSquares: number
  readonly costRecalls: number
  readonly unpaidSquares: number
  readonly unpaidRecalls: number
  readonly margin: number
  readonly marginSquares: number
  readonly marginCosts: number
  readonly marginUnpaid: number
  readonly buyers: number
  readonly before: number
  readonly beforeSquares: number
  readonly beforeRecalls: number
  /** Of those who are past day 7, 30, 90: how many that is, and how many were active. */
  readonly past7: number
  readonly active7: number
  readonly past30: number
  readonly active30: number
  readonly orders30: number
  readonly fullPrice30: number
  readonly fullPriceBuyers30: number
  readonly past90: number
  readonly active90: number
}

/** Columns that are summed up as they are. */
const SUMS = [
  'assigned',
  'contaminated',
  'returned',
  'recalled',
  'opted_out',
  'complained',
  'uninstalled',
  'touches',
  'spend',
  'liability',
  'labour',
  'cost_squares',
  'cost_recalls',
  'unpaid_squares',
  'unpaid_recalls',
  'margin',
  'margin_squares',
  'margin_costs',
  'margin_unpaid',
  'buyers',
  'before',
  'before_squares',
  'before_recalls',
]

export type Dimension = 'tier' | 'segment' | 'version' | 'day' | 'week'

/** Sums by arm, by whether final, and by the dimensions named. */
export async function readPeople(
  session: Session,
  range: Range,
  by: readonly Dimension[] = [],
): Promise<PeopleCell[]> {
  const of = (dimension: Dimension, column: SQL, otherwise: SQL) =>
    by.includes(dimension) ? column : otherwise
  const bucket = by.includes('week')
    ? sql`date_trunc('week', day)::date::text`
    : of('day', sql`day::text`, sql`''`)
  const past = (days: number) =>
    sql`day + ${days + 1}::int <= (${knownAt(range.now)} AT TIME ZONE 'UTC')::date`
  const due = (column: string, days: number) =>
    sql`coalesce(sum(${sql.identifier(column)}) FILTER (WHERE ${past(days)}), 0)::bigint`
  const camel = (name: string) => name.replaceAll(/_(\w)/g, (_match, letter: string) => letter.toUpperCase())
  const sums = sql.join(
    // Exact up to 2^53, and no error beyond: money and squares get there.
    SUMS.map((name) => sql`sum(${sql.identifier(name)})::float8 AS ${sql.identifier(camel(name))}`),
    sql`, `,
  )
  return await rows<PeopleCell>(
    session,
    sql`
    SELECT ${of('tier', sql`tier`, sql`''`)} AS tier, ${of('segment', sql`segment`, sql`''`)} AS segment,
      ${of('version', sql`version`, sql`0`)} AS version, ${bucket} AS day, arm, final_at <= ${knownAt(range.now)} AS final,
      max(window_days) AS "windowDays", ${sums},
      ${due('assigned', 7)} AS past7, ${due('active_7', 7)} AS active7,
      ${due('assigned', 30)} AS past30, ${due('active_30', 30)} AS active30, ${due('orders_30', 30)} AS orders30,
      ${due('full_price_30', 30)} AS "fullPrice30", ${due('full_price_buyers_30', 30)} AS "fullPriceBuyers30",
      ${due('assigned', 90)} AS past90, ${due('active_90', 90)} AS active90
    FROM report_people ${WHEN_COUNTED} WHERE ${inRange(range)} GROUP BY 1, 2, 3, 4, 5, 6`,
  )
}

/** Of one cohort day, version and arm, what curves over time are made of. */
export type DayCell = Pick<
  PeopleCell,
  'day' | 'version' | 'arm' | 'final' | 'windowDays' | 'assigned' | 'contaminated' | 'recalled'
>

/** By day, version and arm: the few columns a curve needs, for there are as many rows as days. Final is a day as a whole. */
export async function readDays(session: Session, range: Range): Promise<DayCell[]> {
  return await rows<DayCell>(
    session,
    sql`
    SELECT day::text AS day, version, arm, bool_and(final_at <= ${knownAt(range.now)}) AS final,
      max(window_days) AS "windowDays", sum(assigned)::bigint AS assigned,
      sum(contaminated)::bigint AS contaminated, sum(recalled)::bigint AS recalled
    FROM report_people ${WHEN_COUNTED} WHERE ${inRange(range)} GROUP BY day, version, arm`,
  )
}

/** Joins `rolled_at` to rows of a report table: when the sums of their day were counted. */
export const WHEN_COUNTED = sql`LEFT JOIN report_days USING (campaign, day)`

/**
 * Up to when a day is known, as of `now`: whatever has come to an end since it was counted is not complete in its sums.
 * Needs {@link WHEN_COUNTED}.
 */
export function knownAt(now: Date): SQL {
  return sql`least(${now}::timestamptz, rolled_at)`
}

/**
 * `campaign` and `day` of a report table (by its alias, where the statement has several) within the range, and not after
 * its `now`: whoever asks how things stood is not shown who was yet to come.
 */
export function inRange({ campaign, from, to, now }: Range, of?: string): SQL {
  const column = (name: string) =>
    of === undefined ? sql.identifier(name) : sql`${sql.identifier(of)}.${sql.identifier(name)}`
  const lower = from === undefined ? sql`` : sql` AND ${column('day')} >= ${from}::date`
  const upper = to === undefined ? sql`` : sql` AND ${column('day')} < ${to}::date`
  const today = sql` AND ${column('day')} <= (${now}::timestamptz AT TIME ZONE 'UTC')::date`
  return sql`${column('campaign')} = ${campaign}${lower}${upper}${today}`
}

/** The moment in `column` within the days of the range, and not after its `now`. */
export function momentInRange(column: SQL, { from, to, now }: Omit<Range, 'campaign'>): SQL {
  const lower = from === undefined ? sql`` : sql` AND ${column} >= ${from}::date`
  const upper = to === undefined ? sql`` : sql` AND ${column} < ${to}::date`
  return sql`${column} <= ${now}${lower}${upper}`
}

/** Orders tiers as the ladder has them; those it does not know come last. @param ladder see `orderTiers` */
export function byLadder(ladder: readonly string[]): (a: string, b: string) => number {
  const places = new Map(ladder.map((tier, at) => [tier, at]))
  const place = (tier: string) => places.get(tier) ?? ladder.length
  return (a, b) => place(a) - place(b) || a.localeCompare(b)
}

/** Orders segments by name, what is left of the audience last. */
export function everyoneLast(a: string, b: string): number {
  return Number(a === 'everyone') - Number(b === 'everyone') || a.localeCompare(b)
}

/** Of some cells, one arm: as {@link Counts}, with only final cohorts as matured. */
export function countsOf(
  cells: readonly Pick<PeopleCell, 'arm' | 'final' | 'assigned' | 'contaminated' | 'recalled'>[],
  arm: Arm,
): Counts {
  const counts = { assigned: 0, contaminated: 0, matured: 0, recalled: 0 }
  for (const cell of cells) {
    if (cell.arm !== arm) continue
    counts.assigned += cell.assigned
    counts.contaminated += cell.contaminated
    if (!cell.final) continue
    counts.matured += cell.assigned
    counts.recalled += cell.recalled
  }
  return counts
}

/** The name of a figure. */
export type Figure = {
  [Key in keyof PeopleCell]: PeopleCell[Key] extends number ? Key : never
}[keyof PeopleCell]

/** The sum of one figure over some cells. */
export function total(cells: readonly PeopleCell[], figure: Figure): number {
  return cells.reduce((sum, cell) => sum + cell[figure], 0)
}

/** Final cells of one arm. */
export function finalOf(cells: readonly PeopleCell[], arm: Arm): PeopleCell[] {
  return cells.filter((cell) => cell.final && cell.arm === arm)
}

/** Heads, cost and recalls of one arm's final cohorts. @param labour with it or without */
export function costMoments(cells: readonly PeopleCell[], arm: Arm, labour: boolean): CostMoments {
  const final = finalOf(cells, arm)
  const cost = total(final, 'spend') + total(final, 'liability')
  return {
    n: total(final, 'assigned'),
    recalls: total(final, 'recalled'),
    cost: labour ? cost + total(final, 'labour') : cost,
    costSquares: total(final, labour ? 'costSquares' : 'unpaidSquares'),
    products: total(final, labour ? 'costRecalls' : 'unpaidRecalls'),
  }
}

/** Heads, margin and cost of one arm's final cohorts. @param labour with it or without */
export function roiMoments(cells: readonly PeopleCell[], arm: Arm, labour: boolean): RoiMoments {
  const final = finalOf(cells, arm)
  const { n, cost, costSquares } = costMoments(cells, arm, labour)
  return {
    n,
    cost,
    costSquares,
    buyers: total(final, 'buyers'),
    margin: total(final, 'margin'),
    marginSquares: total(final, 'marginSquares'),
    products: total(final, labour ? 'marginCosts' : 'marginUnpaid'),
  }
}
