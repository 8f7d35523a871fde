import { type SQL, sql } from 'drizzle-orm'

// What the statements that count one cohort day are written with.

export interface CohortDay {
  readonly campaign: string
  /** ISO date, UTC. */
  readonly day: string
}

// CREATE TABLE AS takes no bind values, so text is written into the statement, quoted as PostgreSQL quotes it.
export function literal(text: string): SQL {
  return sql.raw(`'${text.replaceAll("'", "''")}'`)
}

/** Midnight UTC at the start of the day, or so many days later. */
export function startOf(day: string, later = 0): SQL {
  const at = new Date(Date.parse(`${day}T00:00:00Z`) + later * 86_400_000)
  return sql.raw(`timestamptz '${at.toISOString()}'`)
}

/** Exact days of 86,400 seconds, whatever the clocks do. */
export function daysOf(days: number): SQL {
  return sql.raw(`interval '${days * 86_400} seconds'`)
}
