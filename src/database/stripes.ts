import { type SQL, sql } from 'drizzle-orm'
import { execute, type Transaction } from './connect.ts'

// A selection decides on contact_activity as it stands and opens episodes; an ingest changes contact_activity and
// cancels what the return makes moot. Were they to overlap on one contact, an episode could open on a return just
// being recorded and nobody would cancel its touchpoints. So contacts fall into stripes: ingest holds its stripes
// shared, a selection holds the one it works on alone.

/** Contacts of consecutive ids in one stripe: also the size of a selection's chunk. */
export const STRIPE_WIDTH = 10_000
/** How many stripes there are: few enough that an ingest of scattered contacts may hold them all. */
export const STRIPES = 64
/** First half of the lock's key: a replay in a schema of its own does not wait for the real one. */
const LOCK = `hashtext(current_schema() || '.stripe')`

/** The stripe a contact falls into. */
export function stripeOf(contactId: number): number {
  return Math.floor(contactId / STRIPE_WIDTH) % STRIPES
}

/**
 * Locks, shared and until the transaction ends, the stripes of the contacts that `contactIds` (a query of one
 * column, `contact_id`) names; in ascending order, so that two of these never wait for one another.
 */
export async function lockStripesShared(tx: Transaction, contactIds: SQL): Promise<void> {
  await execute(tx, stripesSharedSql(contactIds))
}

/** The statement of {@link lockStripesShared}; without bind values where `contactIds` has none. */
export function stripesSharedSql(contactIds: SQL): SQL {
  return sql`SELECT pg_advisory_xact_lock_shared(${sql.raw(LOCK)}, stripe) FROM (
        SELECT DISTINCT ((contact_id / ${sql.raw(String(STRIPE_WIDTH))}) % ${sql.raw(String(STRIPES))})::int AS stripe
        FROM (${contactIds}) AS chunk ORDER BY stripe
      ) AS stripes`
}

/** Locks one stripe for the transaction alone: nothing is ingested for its contacts until it ends. */
export async function lockStripe(tx: Transaction, stripe: number): Promise<void> {
  await execute(tx, sql`SELECT pg_advisory_xact_lock(${sql.raw(LOCK)}, ${stripe}::int)`)
}
