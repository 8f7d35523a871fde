import { type SQL, sql } from 'drizzle-orm/sql'
import { type Fact, instant } from '../fact.ts'

// Facts that hold a contact against everybody: thresholds and parameters are fitted over all contacts now and then, and
// each fit is kept, so that what was known at a moment can be asked later.

/** A column of the newest fit that was known at `now`: uncorrelated, so read once a statement. */
export function fitted(
  column: 'recency' | 'frequency' | 'monetary' | 'use' | 'bgnbd' | 'silence',
  now: Date,
): SQL {
  return sql`(SELECT f.${sql.identifier(column)} FROM signal_fits f
    WHERE f.fitted_at <= ${instant(now)} ORDER BY f.fitted_at DESC LIMIT 1)`
}

/** A fact that is known from the first fit on. @param value SQL over `a`, the contact's activity, at a moment */
export function fitFact(
  path: string,
  type: 'number' | 'string',
  description: string,
  value: (now: Date) => SQL,
): Fact {
  return { path, type, description, known: 'fit', from: 'anywhere', sql: value }
}
