import { type SQL, sql } from 'drizzle-orm'
import { Temporal } from 'temporal-polyfill'
import { later } from '../clock.ts'
import { localDay } from '../config/local-time.ts'
import type { Rates, WarmUp } from '../config/rates.ts'
import {
  type Database,
  execute,
  preparedRows,
  rows,
  type Transaction,
  transaction,
} from '../database/connect.ts'

// How fast a channel may send, over all workers: so many within a span for the provider's rate, and a number a day while
// a dormant list is warmed up or a breaker is tried again. Taken where batches are queued, so that what has to wait waits
// in `planned`, where pauses and priority act.

/** Messages a day while a breaker that has opened is tried again. */
const TRIAL = 200
/**
 * Seconds by which clocks of processes may differ. A span that begins later than that was begun by a clock that has been put
 * right since, and would give nothing until that time has come.
 */
const APART = 300

/** What a channel's row remembers. */
interface Bucket {
  /** What is taken of the rate in its span, below nought: whatever is given back is added, and no rate need be known for it. */
  readonly tokens: number
  /** When the span began: with the first that was taken once the one before was over. */
  readonly refilledAt: Date
  /** Local day of the workspace, and what was taken in it. */
  readonly day: string
  readonly taken: number
}

/** How many may go at a warm-up's day; null once it is over, 0 before it begins. Grows by the same factor each day. */
export function warmUpOn(warmUp: WarmUp, day: string): number | null {
  const age = Temporal.PlainDate.from(warmUp.starts).until(Temporal.PlainDate.from(day), {
    largestUnit: 'days',
  }).days
  const days = Math.max(1, Math.round(warmUp.over / 86_400))
  if (age < 0) return 0
  if (age >= days) return null
  const growth = days === 1 ? 1 : (warmUp.to / warmUp.from) ** (age / (days - 1))
  return Math.floor(warmUp.from * growth)
}

/** What limits a channel on a day. */
interface Limits {
  readonly rate: { readonly count: number; readonly per: number } | undefined
  /** How many may go in the day; null where the rate alone limits. */
  readonly daily: number | null
}

/** Pure: the provider's rate, and the smaller of what the warm-up and a breaker on trial let go in the day. */
function limitsOn({ channels, trials }: StandingRates, channel: string, day: string): Limits {
  const rate = channels.get(channel)
  const ramp = rate?.warmUp ? warmUpOn(rate.warmUp, day) : null
  const trial = trials.has(channel) ? TRIAL : null
  const daily = ramp === null ? trial : trial === null ? ramp : Math.min(ramp, trial)
  return { rate: rate?.rate, daily }
}

/** Pure: what of `wanted` a bucket gives now, and what is left in it. */
function takeFrom(
  bucket: Bucket,
  { rate, daily }: Limits,
  now: Date,
  day: string,
  wanted: number,
): { allowed: number; bucket: Bucket } {
  const taken = bucket.day === day ? bucket.taken : 0
  const room = daily === null ? wanted : Math.max(0, daily - taken)
  // What was taken comes back at once when the span is over: bit by bit, a rate of so many a day gave twice as many on its first.
  const over = !rate || later(bucket.refilledAt, rate.per) <= now
  // One that was begun by a wrong clock begins anew, with what is taken of it.
  const wrong = bucket.refilledAt > later(now, APART)
  const tokens = over ? 0 : Math.min(0, bucket.tokens)
  const allowed = Math.min(wanted, room, rate ? Math.max(0, rate.count + tokens) : wanted)
  return {
    allowed,
    bucket: {
      tokens: tokens - (rate ? allowed : 0),
      refilledAt: (over && allowed > 0) || wrong ? now : bucket.refilledAt,
      day,
      taken: taken + allowed,
    },
  }
}

/**
 * The day whose number is counted: tomorrow's already where the clock of another process has come so far. Were each to begin
 * its own day anew, two that differ by a second would have a day's number as often as they take turns around midnight. Pure.
 */
function countingDay(today: string, days: readonly string[]): string {
  if (!days.some((day) => day > today)) return today
  const tomorrow = Temporal.PlainDate.from(today).add({ days: 1 }).toString()
  return days.includes(tomorrow) ? tomorrow : today
}

/** Rates, and the channels that send a few on trial. */
export interface StandingRates extends Rates {
  readonly trials: ReadonlySet<string>
}

/** What may be queued of a step now. */
export interface Allowance {
  readonly allowed: number
  /** A daily number is what limits: those who lapsed last go first. */
  readonly ramping: boolean
  /** Local day of the workspace it was taken in, to be given back to; undefined where nothing limits. */
  readonly day?: string
}

/**
 * Takes up to `wanted` for a step from each of its channels that has a limit: which of them a message goes out on is not
 * known yet. What is not used is to be given back: by {@link giveBack}, or {@link freedWith} whatever takes it away.
 */
export async function takeRate(
  database: Database,
  rates: StandingRates,
  channels: readonly string[],
  now: Date,
  wanted: number,
): Promise<Allowance> {
  const limited = channels
    .filter((channel) => rates.channels.has(channel) || rates.trials.has(channel))
    .toSorted()
  if (limited.length === 0) return { allowed: wanted, ramping: false }
  const today = localDay(rates.timezone, now)
  return await transaction(database, async (tx) => {
    const found = await lockBuckets(tx, limited, now, today)
    const day = countingDay(
      today,
      found.map((row) => row.day),
    )
    const places = found.map(({ channel, ...bucket }) => ({
      channel,
      limits: limitsOn(rates, channel, today),
      bucket,
    }))
    const allowed = places.reduce(
      (most, { bucket, limits }) => takeFrom(bucket, limits, now, day, most).allowed,
      wanted,
    )
    for (const { channel, bucket, limits } of places) {
      await writeBucket(tx, channel, takeFrom(bucket, limits, now, day, allowed).bucket)
    }
    return { allowed, ramping: places.some(({ limits }) => limits.daily !== null), day }
  })
}

/** A channel's row as it is read. */
type FoundBucket = Bucket & { readonly channel: string }

/** Locks the rows of channels, in order, made where there is none, with the places in them that were freed since. */
async function lockBuckets(
  tx: Transaction,
  channels: readonly string[],
  now: Date,
  today: string,
): Promise<FoundBucket[]> {
  const named = sql`${sql.param(channels)}::text[]`
  await execute(
    tx,
    sql`INSERT INTO send_rates (channel, tokens, refilled_at, day, taken)
      SELECT channel, 0, ${now}, ${today}::date, 0 FROM unnest(${named}) AS k(channel)
      ORDER BY channel ON CONFLICT DO NOTHING`,
  )
  return await rows<FoundBucket>(
    tx,
    sql`
    WITH locked AS MATERIALIZED (
      SELECT * FROM send_rates WHERE channel = ANY (${named}) ORDER BY channel FOR UPDATE
    ), freed AS (
      DELETE FROM freed_places f USING locked l WHERE f.channel = l.channel
      RETURNING f.channel, f.places, CASE WHEN f.day = l.day THEN f.places ELSE 0 END AS of_day
    )
    SELECT l.channel, coalesce(l.tokens, 0) + coalesce(f.places, 0) AS tokens, l.refilled_at AS "refilledAt", l.day::text,
      greatest(0, l.taken - coalesce(f.of_day, 0))::int AS taken
    FROM locked l LEFT JOIN (
      SELECT channel, sum(places) AS places, sum(of_day) AS of_day FROM freed GROUP BY channel) f USING (channel)
    ORDER BY channel`,
  )
}

async function writeBucket(tx: Transaction, channel: string, bucket: Bucket): Promise<void> {
  await execute(
    tx,
    sql`UPDATE send_rates SET tokens = ${bucket.tokens}, refilled_at = ${bucket.refilledAt}, day = ${bucket.day}::date,
      taken = ${bucket.taken} WHERE channel = ${channel}`,
  )
}

/** Places on a channel that were not used. */
export interface Unused {
  readonly channel: string
  /** Its provider was not asked: places in the rate. */
  readonly untried: number
  /** Nothing went out: places in the day's number. */
  readonly unsent: number
}

/**
 * Gives back what was taken on channels and not used: of the provider's rate where it was not asked, whatever it answered; of
 * a day's number where the message did not go out. A place in that is given back to its own day: once that is over, nobody
 * needs it.
 */
export async function giveBack(
  database: Database,
  unused: readonly Unused[],
  day: string | undefined,
): Promise<void> {
  const some = unused.filter(({ untried, unsent }) => untried > 0 || unsent > 0)
  if (some.length === 0 || day === undefined) return
  const numbers = (key: 'untried' | 'unsent') => sql.param(some.map((each) => Math.max(0, each[key])))
  await execute(
    database,
    sql`UPDATE send_rates s SET tokens = s.tokens + k.untried,
        taken = CASE WHEN s.day = ${day}::date THEN greatest(0, s.taken - k.unsent) ELSE s.taken END
      FROM (SELECT r.channel, u.untried, u.unsent
        FROM unnest(${sql.param(some.map(({ channel }) => channel))}::text[], ${numbers('untried')}::int[],
          ${numbers('unsent')}::int[]) AS u(channel, untried, unsent)
        JOIN send_rates r USING (channel) ORDER BY r.channel FOR UPDATE OF r) k
      WHERE s.channel = k.channel`,
  )
}

/**
 * A CTE `freed`: touchpoints are taken from the queue, or from the worker that had claimed them, and the places that were
 * taken for them are not needed. They are put down for the next look: the rates' own rows are everybody's, and would be
 * held until the transaction ends. Who works on a batch gives back for what it settles or puts back itself, and no more.
 * @param taken the touchpoints as they were: step_id, state, rated_on
 */
export function freedWith(taken: SQL): SQL {
  return sql`freed AS (
      INSERT INTO freed_places (channel, day, places)
      SELECT r.channel, x.rated_on, count(*) FROM ${taken} x JOIN steps s USING (step_id)
      -- A channel that has no rate any more stands still on an earlier day: nothing was taken there.
      JOIN send_rates r ON r.channel = ANY (s.channels) AND r.day >= x.rated_on
      WHERE x.state IN ('queued', 'claimed') AND x.rated_on IS NOT NULL GROUP BY 1, 2
    )`
}

/** The rates as they stand now: with the channels whose breaker is being tried. */
export async function readRates(database: Database, rates: Rates): Promise<StandingRates> {
  const found = await preparedRows<{ channel: string }>(
    database,
    sql`SELECT channel FROM breakers WHERE state = 'half_open'`,
  )
  return { ...rates, trials: new Set(found.map(({ channel }) => channel)) }
}
