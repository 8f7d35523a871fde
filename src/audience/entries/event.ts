import { sql } from 'drizzle-orm'
import type { CompiledEntry } from '../../config/compiled.ts'
import type { Entry } from './entry.ts'

/**
 * Since an event of the contact: the first of its type, or the newest within the moments asked for. Aggregated for the
 * whole chunk and then joined, through the primary key of activity: a look-up contact by contact visits every month's
 * index for each of them.
 */
export function eventEntry(entry: Extract<CompiledEntry, { kind: 'event' }>): Entry {
  return {
    since: sql`m.since`,
    join: ({ after, upTo }, now, which) => {
      const latest = upTo !== null && upTo < now ? upTo : now
      const where = entry.where ? sql` AND (${entry.where.sql(now)}) IS TRUE` : sql``
      const of = sql`FROM activity v WHERE ${which(sql`v.contact_id`)} AND v.type = ${entry.type}
        AND v.occurred_at <= ${latest}::timestamptz${where}`
      const newer = after === null ? sql`` : sql` > ${after}::timestamptz`
      // The first is the first of all time, so the lower bound may only be asked of the result.
      const events = entry.first
        ? sql`SELECT v.contact_id, min(v.occurred_at) AS since ${of} GROUP BY v.contact_id
            ${after === null ? sql`` : sql`HAVING min(v.occurred_at)${newer}`}`
        : sql`SELECT v.contact_id, max(v.occurred_at) AS since ${of}
            ${after === null ? sql`` : sql`AND v.occurred_at${newer}`} GROUP BY v.contact_id`
      return sql`LEFT JOIN (${events}) m ON m.contact_id = a.contact_id`
    },
    once: true,
  }
}
