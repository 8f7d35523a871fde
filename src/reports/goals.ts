import { type SQL, sql } from 'drizzle-orm'
import { literal } from './rollup/cohort-day.ts'

/**
 * The event of the primary goal, by version of a campaign. A recall is of the goal of the version its episode opened with,
 * whatever a later one wants; of a version that is not here, recorded recalls alone count.
 */
export type Goals = ReadonlyMap<number, string>

/** The event of the goal of a version, as an expression: NULL, which no event is, where it is not known. */
export function goalOf(goals: Goals, version: SQL): SQL {
  const events = [...new Set(goals.values())]
  if (events.length === 0) return sql`NULL::text`
  const cases = events.map((event) => {
    const versions = [...goals].filter(([, each]) => each === event).map(([each]) => sql.raw(String(each)))
    return sql`WHEN ${version} IN (${sql.join(versions, sql`, `)}) THEN ${literal(event)}`
  })
  return sql`CASE ${sql.join(cases, sql` `)} END`
}
