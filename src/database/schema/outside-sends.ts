import { pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import { at, id } from './columns.ts'

/** What another system sent before Winback did: imported, so that caps and sunset know of it. */
export const outsideSends = pgTable(
  'outside_sends',
  {
    contactId: id('contact_id').notNull(),
    sentAt: at('sent_at').notNull(),
    channel: text('channel').notNull(),
    /** What it was about, in the workspace's own topics; empty where the file does not say. */
    topic: text('topic').notNull().default(''),
    importedAt: at('imported_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.contactId, t.sentAt, t.channel, t.topic] })],
)
