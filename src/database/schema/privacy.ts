import { pgTable, serial, text } from 'drizzle-orm/pg-core'
import { at } from './columns.ts'

/** Keys of signed links. The newest that is not retired signs; all that are not retired verify. */
export const signingKeys = pgTable('signing_keys', {
  keyId: serial('key_id').primaryKey(),
  /** 32 random bytes in hex. Never printed. */
  secret: text('secret').notNull(),
  createdAt: at('created_at').notNull(),
  retiredAt: at('retired_at'),
})
