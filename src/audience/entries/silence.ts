import { sql } from 'drizzle-orm'
import type { Entry } from './entry.ts'

/** Since the newest activity, else the sign-up: a column, so that its index bounds the bands. */
export const silenceEntry: Entry = {
  since: sql`a.silent_since`,
  join: () => sql``,
  once: false,
}
