import { sql } from 'drizzle-orm'
import { check, date, doublePrecision, index, integer, pgTable, text } from 'drizzle-orm/pg-core'
import { at } from './columns.ts'

/** What was queued on a channel, over all processes: of its rate, and of the number of the day. */
export const sendRates = pgTable('send_rates', {
  channel: text('channel').primaryKey(),
  /** What is taken of the rate since `refilled_at`, below nought. */
  tokens: doublePrecision('tokens'),
  refilledAt: at('refilled_at').notNull(),
  day: date('day').notNull(),
  taken: integer('taken').notNull(),
})

/** Places on a channel that were taken and are not needed, until the next look: whoever frees some waits for nobody. */
export const freedPlaces = pgTable('freed_places', {
  channel: text('channel').notNull(),
  /** Whose number they were taken from. */
  day: date('day').notNull(),
  places: integer('places').notNull(),
})

/** Messages that went out, a row for each batch and channel: what breakers and `stop` rules take shares of. */
export const sendCounts = pgTable(
  'send_counts',
  {
    campaign: text('campaign').notNull(),
    channel: text('channel').notNull(),
    sentAt: at('sent_at').notNull(),
    sent: integer('sent').notNull(),
  },
  (t) => [index('send_counts_sent_at').on(t.sentAt)],
)

/** Channels that were paused by their own figures, and are tried again. A closed breaker has no row. */
export const breakers = pgTable(
  'breakers',
  {
    channel: text('channel').primaryKey(),
    state: text('state').notNull(),
    since: at('since').notNull(),
    reason: text('reason').notNull(),
  },
  (t) => [check('breakers_state', sql`${t.state} IN ('open', 'half_open')`)],
)

/** Channels whose provider cannot be reached, and that rest meanwhile. One that was reached since has no row. */
export const absences = pgTable('absences', {
  channel: text('channel').primaryKey(),
  since: at('since').notNull(),
  /** Tries in vain until now, each with one batch or a few. */
  tries: integer('tries').notNull(),
  triedAt: at('tried_at').notNull(),
  /** When it is tried again. */
  nextAt: at('next_at').notNull(),
  /** What the last try said. */
  detail: text('detail').notNull(),
})

/** When a campaign was last paused by its `stop` rules: what was counted before is not counted again. */
export const stopMarks = pgTable('stop_marks', {
  campaign: text('campaign').primaryKey(),
  stoppedAt: at('stopped_at').notNull(),
})
