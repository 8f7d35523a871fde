import { type SQL, sql } from 'drizzle-orm/sql'
import { ago, type Fact, instant, signal } from '../fact.ts'
import type { SignalSettings } from '../signal-settings.ts'

// Signs of discontent. Each is true or false, never unknown: what nobody ever said is no sign.

export const RISK_SIGNS = ['sign_in', 'use', 'complaint', 'review', 'nps', 'assignments'] as const
export type RiskSign = (typeof RISK_SIGNS)[number]

/**
 * Days of activity within a window of days that ends `skip` days before today (UTC). The stored bits have the last
 * day of activity first; shifted by the days since, they have today first: time passes and nothing is recomputed.
 */
function usedDays(now: Date, days: number, skip: number): SQL {
  const today = sql`(${instant(now)} AT TIME ZONE 'UTC')::date`
  return sql`bit_count(substring(s.use_bits >> greatest(0, ${today} - s.last_day) FROM ${sql.raw(String(skip + 1))} FOR ${sql.raw(String(days))}))`
}

function signsSql(risk: SignalSettings['risk'], now: Date): Record<RiskSign, SQL> {
  const days = Math.floor(risk.use.window / 86_400)
  const [recent, earlier] = [usedDays(now, days, 0), usedDays(now, days, days)]
  return {
    sign_in: sql`s.sign_in_at <= ${ago(now, risk.sign_in.after)}`,
    use: sql`(${earlier} >= ${risk.use.days}::int AND ${recent} <= ${earlier} * (1 - ${risk.use.drop}::numeric))`,
    complaint: sql`s.complaints_open > 0`,
    review: sql`(s.review_rating < ${risk.review.below}::numeric AND s.review_at > ${ago(now, risk.review.within)})`,
    nps: sql`s.nps < ${risk.nps.below}::numeric`,
    assignments: sql`s.assignments_open >= ${risk.assignments.open}::int`,
  }
}

function riskScore(risk: SignalSettings['risk'], now: Date): SQL {
  const signs = signsSql(risk, now)
  const parts = RISK_SIGNS.map(
    (name) => sql`CASE WHEN ${signs[name]} THEN ${risk[name].weight}::numeric ELSE 0 END`,
  )
  return sql`(${sql.join(parts, sql` + `)})`
}

export function riskFacts({ risk }: SignalSettings): Fact[] {
  const score = (now: Date) => riskScore(risk, now)
  const { light, medium, severe } = risk.grades
  const sign = (name: RiskSign, description: string) =>
    signal(`risk.${name}`, 'bool', description, (now) => sql`coalesce(${signsSql(risk, now)[name]}, false)`)
  return [
    {
      ...signal(
        'risk.grade',
        'string',
        'none, light, medium or severe: the weights of the signs added up',
        (
          now,
        ) => sql`(SELECT CASE WHEN k.score >= ${severe}::numeric THEN 'severe' WHEN k.score >= ${medium}::numeric THEN 'medium'
        WHEN k.score >= ${light}::numeric THEN 'light' ELSE 'none' END FROM (SELECT ${score(now)} AS score OFFSET 0) k)`,
      ),
      values: ['none', 'light', 'medium', 'severe'],
    },
    signal('risk.score', 'number', 'The sum itself', score),
    sign('sign_in', 'No sign-in for two weeks (`signals.risk.sign_in.after`)'),
    sign('use', 'Active on half as many days as in the two weeks before, or fewer'),
    sign('complaint', 'A complaint is not resolved'),
    sign('review', 'The latest review is bad'),
    sign('nps', 'The latest NPS answer is below 6'),
    sign('assignments', 'Tasks wait to be done'),
  ]
}
