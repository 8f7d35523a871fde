import { pgTable, smallint } from 'drizzle-orm/pg-core'
import { at, micros } from './columns.ts'

/** What a buyer must have spent in all to stand at or above each hundredth of all buyers; refreshed once a day. */
export const spendStandings = pgTable('spend_standings', {
  /** 1–99: at 97, three of a hundred buyers have spent this much or more. 0 says when that was last looked for. */
  percent: smallint('percent').primaryKey(),
  threshold: micros('threshold').notNull(),
  computedAt: at('computed_at').notNull(),
})
