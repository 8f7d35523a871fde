import { sql } from 'drizzle-orm'
import { check, index, pgTable, primaryKey, serial, smallint, text } from 'drizzle-orm/pg-core'
import { at, bytea, id } from './columns.ts'

/** Keys of signed links. The newest that is not retired signs; all that are not retired verify. */
export const signingKeys = pgTable('signing_keys', {
  keyId: serial('key_id').primaryKey(),
  /** 32 random bytes in hex. Never printed. */
  secret: text('secret').notNull(),
  createdAt: at('created_at').notNull(),
  retiredAt: at('retired_at'),
})

/**
 * What a contact agreed to and took back, channel by channel. Append-only; what holds now is derived (see
 * permissions.ts), so that a record that arrives late or twice ends at the same answer.
 */
export const consents = pgTable(
  'consents',
  {
    contactId: id('contact_id').notNull(),
    channel: text('channel').notNull(),
    decision: text('decision').notNull(),
    decidedAt: at('decided_at').notNull(),
    /** Version of the words that were agreed to; null for a withdrawal, or where nobody knows. */
    wording: text('wording'),
    /** Where it happened: `checkout`, `preferences page`, `import of consents.csv`. */
    source: text('source').notNull(),
    /** What shows it: a form's id, a recording, a letter. */
    proof: text('proof'),
    recordedAt: at('recorded_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.contactId, t.channel, t.decidedAt, t.decision] }),
    check('consents_decision', sql`${t.decision} IN ('given', 'withdrawn')`),
  ],
)

/** What a contact chose, whole, each time it chose. Append-only: the latest of a person holds. */
export const preferences = pgTable(
  'preferences',
  {
    contactId: id('contact_id').notNull(),
    chosenAt: at('chosen_at').notNull(),
    /** Channels nothing is wanted on; `*` is all of them. */
    channelsOff: text('channels_off').array().notNull(),
    topicsOff: text('topics_off').array().notNull(),
    /** At most so many messages in so many days; both null without a limit. */
    atMost: smallint('at_most'),
    withinDays: smallint('within_days'),
    /** Nothing before this. */
    pausedUntil: at('paused_until'),
    source: text('source').notNull(),
    /** Why, where the contact said so. */
    reason: text('reason'),
  },
  (t) => [
    primaryKey({ columns: [t.contactId, t.chosenAt] }),
    check('preferences_frequency', sql`(${t.atMost} IS NULL) = (${t.withinDays} IS NULL)`),
    index('preferences_left').on(t.chosenAt).where(sql`cardinality(channels_off) > 0`),
  ],
)

/** Keyed hashes of the external ids of those who were erased: tonight's import must not bring them back. */
export const erasedIds = pgTable('erased_ids', {
  key: bytea('key').primaryKey(),
  erasedAt: at('erased_at').notNull(),
})
