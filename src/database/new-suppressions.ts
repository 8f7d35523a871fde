import { sql } from 'drizzle-orm'
import { execute, type Transaction } from './connect.ts'

/**
 * Makes the temporary table `new_suppressions(kind, key)`, where it is not there yet: what a transaction puts on the
 * do-not-contact list, for whoever skips what waits for it. It is empty as each transaction begins.
 */
export async function openNewSuppressions(tx: Transaction): Promise<void> {
  await execute(
    tx,
    sql`CREATE TEMP TABLE IF NOT EXISTS new_suppressions (kind text NOT NULL, key bytea NOT NULL) ON COMMIT DELETE ROWS`,
  )
}
