import { type SQL, sql } from 'drizzle-orm'
import { execute, rows, type Transaction } from '../database/connect.ts'
import type { ReportingChannel } from './receipts.ts'
import { recordSuppressions } from './silence.ts'

// The do-not-contact list, as what comes back of messages adds to it: a bounce, a complaint, a wrong number, somebody
// who wants no more. Files that bring such a list come through src/contacts/suppressions.ts.

/**
 * Puts addresses of one kind on the list and skips what waits for them, in the caller's transaction.
 * @param found a SELECT of `key` and `reason`; a key may be null, or come twice
 * @param source who says so
 * @returns the keys that were not on it before
 */
export async function suppress(
  tx: Transaction,
  now: Date,
  { kind, channelsOf }: { kind: 'email' | 'phone'; channelsOf: ReportingChannel['channelsOf'] },
  { found, source }: { found: SQL; source: string },
): Promise<Buffer[]> {
  // Tells recordSuppressions what is new; empty at the start of each transaction.
  await execute(
    tx,
    sql`CREATE TEMP TABLE IF NOT EXISTS new_suppressions (kind text NOT NULL, key bytea NOT NULL)
      ON COMMIT DELETE ROWS`,
  )
  const added = await rows<{ key: Buffer }>(
    tx,
    sql`
    WITH inserted AS (
      INSERT INTO suppressions (kind, key, reason, source, suppressed_at)
      SELECT DISTINCT ON (f.key) ${kind}::text, f.key, f.reason, ${source}::text, ${now}::timestamptz
      FROM (${found}) AS f WHERE f.key IS NOT NULL
      ORDER BY f.key, f.reason
      ON CONFLICT DO NOTHING RETURNING kind, key
    )
    INSERT INTO new_suppressions SELECT kind, key FROM inserted RETURNING key`,
  )
  if (added.length > 0) await recordSuppressions(tx, now, channelsOf)
  return added.map(({ key }) => key)
}
