import { sql } from 'drizzle-orm'
import type { Entry } from './entry.ts'

/** Since the newest activity, else the sign-up: a column, kept with what the contact did. */
export const silenceEntry: Entry = {
  since: sql`a.silent_since`,
  join: () => sql``,
  once: false,
}
