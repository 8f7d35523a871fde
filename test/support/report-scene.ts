import { type SQL, sql } from 'drizzle-orm'
import { type Database, execute } from '../../src/database/connect.ts'
import type { CountingRules } from '../../src/reports/rollup/cohort-sql.ts'

// What tests of reports begin with.

export const RULES: CountingRules = {
  activity: ['session', 'order'],
  order: 'order',
  goalsOf: async () => new Map([1, 2, 3].map((version) => [version, 'session'])),
  earnedOf: async () => ({ order: 0.3, order_refunded: -0.3 }),
}

/** What days are counted into, without `report_`. Not the code's own list: a table it forgets is to be missed. */
export const FIGURES = [
  'people',
  'repeats',
  'recalls',
  'stages',
  'variants',
  'funnel',
  'messages',
  'errors',
  'costs',
  'offers',
]

/** Empties the report tables, and what late news leave behind that a history does not clear. */
export async function clearReports(database: Database): Promise<void> {
  for (const table of [
    ...['days', 'dirty', ...FIGURES].map((table) => `report_${table}`),
    'delivery_events',
    'feed_days',
    'grants',
    'annotations',
  ]) {
    await execute(database, sql`DELETE FROM ${sql.identifier(table)}`)
  }
}

/**
 * Books for many at once, before their days are counted. Labour is booked call by call, and each time the days are looked up
 * that are to be counted anew: for thousands of calls that takes half a second, and here all days are.
 */
export async function bookMany(database: Database, statement: SQL): Promise<void> {
  const lookUp = (whether: 'DISABLE' | 'ENABLE') =>
    execute(database, sql`ALTER TABLE ledger ${sql.raw(whether)} TRIGGER report_labour_booked`)
  await lookUp('DISABLE')
  await execute(database, statement)
  await lookUp('ENABLE')
}
