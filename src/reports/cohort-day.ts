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

/** What of an event's value is earned, by event type: 0.3 of an order, −0.3 of what is paid back of one. */
export type Earned = Readonly<Record<string, number>>

/**
 * What a contact's events within (from, to] brought in, as a subquery: integer micros, rounded once a head.
 * @param place expressions of the statement's own
 */
export function marginWithin(earned: Earned, place: { contact: SQL; from: SQL; to: SQL }): SQL {
  const types = Object.keys(earned)
  if (types.length === 0) return sql`(SELECT 0::bigint AS margin)`
  const share = sql.join(
    types.map((type) => sql`WHEN ${literal(type)} THEN ${sql.raw(String(earned[type]))}::numeric`),
    sql` `,
  )
  return sql`(
      SELECT coalesce(round(sum(a.value * CASE a.type ${share} END)), 0)::bigint AS margin FROM activity a
      WHERE a.contact_id = ${place.contact} AND a.type IN (${sql.join(types.map(literal), sql`, `)})
        AND a.occurred_at > ${place.from} AND a.occurred_at <= ${place.to}
    )`
}
