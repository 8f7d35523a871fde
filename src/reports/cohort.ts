import { type SQL, sql } from 'drizzle-orm'

/** Which part of a campaign's history: episodes assigned in [from, to), as of `now`. */
export interface Cohort {
  readonly campaign: string
  readonly now: Date
  readonly from?: Date | undefined
  readonly to?: Date | undefined
}

/** `column` within the cohort's range and not after its `now`. */
export function inCohort(column: SQL, { now, from, to }: Omit<Cohort, 'campaign'>): SQL {
  const lower = from ? sql` AND ${column} >= ${from}` : sql``
  const upper = to ? sql` AND ${column} < ${to}` : sql``
  return sql`${column} <= ${now}${lower}${upper}`
}
