import { sql } from 'drizzle-orm'
import { boolean, check, date, index, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { at, micros } from './columns.ts'

/** The budgets there are: a row each, as the lock under which is decided. */
export const budgets = pgTable(
  'budgets',
  { campaign: text('campaign').notNull(), kind: text('kind').notNull() },
  (t) => [
    primaryKey({ columns: [t.campaign, t.kind] }),
    check('budgets_kind', sql`${t.kind} IN ('spend', 'liability')`),
  ],
)

/** What was booked of a budget, by the campaign's own days. */
export const budgetDays = pgTable(
  'budget_days',
  {
    campaign: text('campaign').notNull(),
    kind: text('kind').notNull(),
    day: date('day').notNull(),
    spent: micros('spent').notNull(),
  },
  (t) => [primaryKey({ columns: [t.campaign, t.kind, t.day] })],
)

/** What was booked and is not in `budget_days` yet; a trigger on the ledger writes it. */
export const budgetEntries = pgTable(
  'budget_entries',
  {
    campaign: text('campaign').notNull(),
    kind: text('kind').notNull(),
    bookedAt: at('booked_at').notNull(),
    amount: micros('amount').notNull(),
  },
  (t) => [index('budget_entries_campaign').on(t.campaign, t.kind)],
)

/** What batches under way may still spend; and what was kept of it for messages that may be out and are tried again. */
export const budgetHolds = pgTable(
  'budget_holds',
  {
    claimId: uuid('claim_id').notNull(),
    campaign: text('campaign').notNull(),
    kind: text('kind').notNull(),
    contactIds: micros('contact_ids').array().notNull(),
    touchpointIds: micros('touchpoint_ids').array().notNull(),
    /** Micros, of each touchpoint. */
    amounts: micros('amounts').array().notNull(),
    amount: micros('amount').notNull(),
    /** The batch is over: what counts is the part of those of its touchpoints that are not settled yet. */
    kept: boolean('kept').notNull().default(false),
  },
  (t) => [
    primaryKey({ columns: [t.claimId, t.kind] }),
    index('budget_holds_campaign').on(t.campaign, t.kind),
  ],
)
