import { type SQL, sql } from 'drizzle-orm'

// The seam of an entry: what the time of a campaign's tiers is counted from. Each kind is one small file of SQL;
// selection, plan, explain and the past all read through it.

/** Moments in (after, upTo]; null has no bound. */
export interface MomentRange {
  readonly after: Date | null
  readonly upTo: Date | null
}

/** Without any bound. */
export const ANY_MOMENT: MomentRange = { after: null, upTo: null }

/** Narrows a column of contact ids to a chunk, to one person, or to one contact. */
export type Which = (contactId: SQL) => SQL

/** Narrows nothing. */
export const everybody: Which = () => sql`true`

/** One kind of entry, as SQL that selection, plan, explain and the past read. */
export interface Entry {
  /** The moment of a contact, NULL where there is none: an expression over `a`, `c`, `s` and what `join` adds, as `m`. */
  readonly since: SQL
  /** Joined after contact_activity `a`, contacts `c` and contact_signals `s`; at most one row a contact. */
  join(moments: MomentRange, now: Date, which: Which): SQL
  /** One moment is entered once and never again. Silence may be met again after `reentry.wait`. */
  readonly once: boolean
}
