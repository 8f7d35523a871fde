import { type SQL, sql } from 'drizzle-orm/sql'
import { type Fact, instant } from '../fact.ts'
import type { SignalSettings } from '../signal-settings.ts'
import { fitFact, fitted } from './fitted.ts'

// The probability that somebody comes back by themselves. Time is counted in weeks of days: T and t_x from the first
// day of activity (UTC), x is the number of further days with activity.

const WEEK = 604_800

/** Upper ends, in days, of the bands of silence for which the fallback keeps what share came back; the last is open. */
export const SILENCE_BANDS = [1, 3, 7, 15, 30, 60, 120, 240] as const

/**
 * P(return ≤ H) = P(alive) · [1 − ((α+T)/(α+T+H))^(r+x)], BG/NBD (Fader, Hardie, Lee 2005, eq. for P(alive)):
 *
 *   P(alive) = 1 / (1 + a/(b+x−1) · ((α+T)/(α+t_x))^(r+x))   for x > 0, else 1
 *
 * The powers go through exp of a clamped logarithm: PostgreSQL raises an error where a double over- or underflows.
 */
function returnProbabilitySql(now: Date, horizon: number): SQL {
  const weeks = (from: SQL, to: SQL) =>
    sql`extract(epoch FROM ${to} - ${from}::timestamp)::float8 / ${sql.raw(String(WEEK))}`
  const moment = sql`(${instant(now)} AT TIME ZONE 'UTC')`
  return sql`(SELECT round(CASE WHEN k.x <= 0 THEN 1 ELSE
        1 / (1 + exp(greatest(-600, least(600, ln(k.p[3] / (k.p[4] + k.x - 1)) + (k.p[1] + k.x) * ln((k.p[2] + k.t) / (k.p[2] + k.tx))))))
      END::numeric * (1 - exp(greatest(-600, (k.p[1] + k.x) * ln((k.p[2] + k.t) / (k.p[2] + k.t + ${horizon / WEEK}::float8)))))::numeric, 6)
    FROM (SELECT ${fitted('bgnbd', now)} AS p, s.active_days - 1 AS x,
      ${weeks(sql`s.first_day`, sql`s.last_day::timestamp`)} AS tx,
      greatest(${weeks(sql`s.first_day`, moment)}, ${weeks(sql`s.first_day`, sql`s.last_day::timestamp`)}) AS t
      WHERE s.active_days > 0 OFFSET 0) k)`
}

/** The share that came back within the horizon of those silent for as long, by the newest fit. */
function silenceRateSql(now: Date): SQL {
  const days = sql`extract(epoch FROM ${instant(now)} - a.silent_since) / 86400`
  return sql`(${fitted('silence', now)})[width_bucket(${days}::float8, ARRAY[${sql.raw(SILENCE_BANDS.join(', '))}]::float8[]) + 1]::numeric`
}

export function returnFacts(settings: SignalSettings): Fact[] {
  const { horizon } = settings.return
  return [
    fitFact(
      'return_probability',
      'number',
      'Probability of coming back unasked within `signals.return.horizon` (30 days by default), 0 to 1',
      (now) =>
        sql`(CASE WHEN ${fitted('bgnbd', now)} IS NULL THEN ${silenceRateSql(now)} ELSE ${returnProbabilitySql(now, horizon)} END)`,
    ),
    {
      ...fitFact(
        'return_basis',
        'string',
        'What the probability rests on: bg_nbd (the contact’s own rhythm) or silence (data too thin for it)',
        (now) =>
          sql`(CASE WHEN ${fitted('bgnbd', now)} IS NOT NULL THEN 'bg_nbd' WHEN ${fitted('silence', now)} IS NOT NULL THEN 'silence' END)`,
      ),
      values: ['bg_nbd', 'silence'],
    },
  ]
}
