import { type SQL, sql } from 'drizzle-orm/sql'
import { parseDuration } from './quantities.ts'

// Moments and spans as text. What is not exactly a moment is unknown rather than an error, in SQL too: one bad value
// among a million must not stop the statement that meets it.

const DAY = '[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])'
const TIME = '([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])'
const INSTANT = `^(?!0000)${DAY}(T${TIME})?$`

/**
 * The instant an ISO 8601 text names: `2026-11-25T09:00:00+08:00`, or `2026-11-25` for its midnight in UTC;
 * undefined for anything else, the 30th of February included, and what is of no year from 1 to 9999 in UTC.
 */
export function parseInstant(text: string): Date | undefined {
  if (!new RegExp(INSTANT).test(text)) return undefined
  const day = new Date(`${text.slice(0, 10)}T00:00:00Z`)
  if (day.toISOString().slice(0, 10) !== text.slice(0, 10)) return undefined
  const moment = new Date(text)
  return isWritable(moment) ? moment : undefined
}

/**
 * {@link parseInstant} as SQL: a timestamptz, NULL where `text` is no instant. Each CASE stands before the cast
 * it protects (pg_input_is_valid would be shorter; PostgreSQL 15 does not have it).
 */
export function instantSql(text: SQL): SQL {
  const lastDay = sql`extract(day FROM make_date(substr(${text}, 1, 4)::int, substr(${text}, 6, 2)::int, 1)
    + interval '1 month' - interval '1 day')`
  const moment = sql`(CASE WHEN length(${text}) = 10 THEN ${text} || 'T00:00:00Z' ELSE ${text} END)::timestamptz`
  return sql`CASE WHEN ${text} ~ ${sql.raw(`'${INSTANT}'`)} THEN CASE WHEN substr(${text}, 9, 2)::int <= ${lastDay}
    THEN CASE WHEN substr(${text}, 1, 4) NOT IN ('0001', '9999')
        OR (${moment} >= '0001-01-01T00:00:00Z' AND ${moment} < '10000-01-01T00:00:00Z')
      THEN ${moment} END END END`
}

/** The first and last moment conditions calculate with; beyond them a result is unknown, as in CEL. */
export const FIRST_INSTANT = new Date('0001-01-01T00:00:00.000Z')
export const LAST_INSTANT = new Date('9999-12-31T23:59:59.999Z')

/** Whether a moment is of the years that ISO 8601 writes in four digits, as dates do that are written anywhere. */
export function isWritable(moment: Date): boolean {
  return moment >= FIRST_INSTANT && moment <= LAST_INSTANT
}

/** Seconds of `7d`, `90m`, or of Go's form as CEL has it: `1h30m`, `-1.5s`; undefined for anything else. */
export function parseSpan(text: string): number | undefined {
  const simple = parseDuration(text)
  if (simple !== undefined) return simple
  if (!/^-?(\d+(\.\d+)?(ms|[smhdw]))+$/.test(text)) return undefined
  const unit = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }
  let seconds = 0
  for (const [, number, name] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g)) {
    seconds += Number(number) * unit[name as keyof typeof unit]
  }
  const rounded = Math.round(seconds * 1000) / 1000
  return text.startsWith('-') ? -rounded : rounded
}
