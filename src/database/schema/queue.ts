import { sql } from 'drizzle-orm'
import { check, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { at } from './columns.ts'

/** Schedulers and workers that run, each with the queue it has. Times are the database's own. */
export const queueProcesses = pgTable(
  'queue_processes',
  {
    processId: uuid('process_id').primaryKey(),
    role: text('role').notNull(),
    /** The machine it runs on. */
    host: text('host').notNull(),
    engine: text('engine').notNull(),
    /** Where the queue is, as the process names it, without a password; empty where it is on this database. */
    place: text('place').notNull(),
    /** The same of all who have the same queue, whatever they call it. */
    queueId: text('queue_id').notNull(),
    seenAt: at('seen_at').notNull(),
  },
  (t) => [check('queue_processes_role', sql`${t.role} IN ('scheduler', 'worker')`)],
)
