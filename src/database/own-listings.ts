import { type SQL, sql } from 'drizzle-orm'

// Entries of the do-not-contact list that somebody made of their own address, and may take back. Whatever others put
// there (a provider that reports a bounce or a complaint, an operator's file) stays.

/** How somebody unsubscribes by what we sent them; a provider or a file is another source. */
export type OwnWay = 'one-click' | 'page' | 'mail'
const OWN_WAYS = ['one-click', 'page', 'mail'] as const satisfies readonly OwnWay[]

/** True of an entry that its own person made. @param entry the row of `suppressions` */
export function isOwnListing(entry: SQL): SQL {
  return sql`(${entry}.kind = 'email' AND ${entry}.reason = 'unsubscribe'
    AND ${entry}.source = ANY (${sql.param([...OWN_WAYS])}::text[]))`
}

/**
 * A statement that lets others have a say of what its own person put on the list: it is not theirs alone to take back any
 * more. Why and since when the address is silent stays as it was first said; reports have counted it.
 * @param others a query of kind, key, reason, source; a key once
 */
export function outweighOwn(others: SQL): SQL {
  return sql`UPDATE suppressions s SET source = s.source || '; ' || o.source FROM (${others}) o
    WHERE s.kind = o.kind AND s.key = o.key AND ${isOwnListing(sql`s`)} AND NOT ${isOwnListing(sql`o`)}`
}
