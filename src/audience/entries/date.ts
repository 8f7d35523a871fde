import { sql } from 'drizzle-orm'
import type { CompiledEntry } from '../../config/compiled.ts'
import type { Entry } from './entry.ts'

/**
 * Since (or until) a date the contact has. OFFSET 0 keeps the expression from being copied into every place that
 * asks for the moment: an attribute is parsed out of JSON, once a contact.
 */
export function dateEntry(entry: Extract<CompiledEntry, { kind: 'date' }>): Entry {
  return {
    since: sql`m.since`,
    join: (_, now) => sql`CROSS JOIN LATERAL (SELECT (${entry.sql(now)}) AS since OFFSET 0) m`,
    once: true,
  }
}
