import { type SQL, sql } from 'drizzle-orm'
import { execute, rows, type Transaction } from '../database/connect.ts'
import type { ReportingChannel } from './receipts.ts'
import { recordSuppressions } from './silence.ts'

// The do-not-contact list, as what comes back of messages adds to it: a bounce, a complaint, a wrong number, somebody
// who wants no more. Files that bring such a list come through src/contacts/suppressions.ts.

/**
 * Puts addresses of one kind on the list and skips what waits for them, in the caller's transaction. A number that a
 * contact carries goes on it in all its spellings: another contact, or tomorrow's file, may write it differently.
 * @param found a SELECT of `key` and `reason`; a key may be null, or come twice
 * @param source who says so
 * @returns the keys that contacts carry and that were not on it before
 */
export async function suppress(
  tx: Transaction,
  now: Date,
  {
    kind,
    channelsOf,
    phoneKeys,
  }: Pick<ReportingChannel, 'channelsOf' | 'phoneKeys'> & { kind: 'email' | 'phone' },
  { found, source }: { found: SQL; source: string },
): Promise<Buffer[]> {
  // Tells recordSuppressions what is new; empty at the start of each transaction.
  await execute(
    tx,
    sql`CREATE TEMP TABLE IF NOT EXISTS new_suppressions (kind text NOT NULL, key bytea NOT NULL)
      ON COMMIT DELETE ROWS`,
  )
  const listed = await rows<{ key: Buffer; reason: string }>(
    tx,
    sql`SELECT f.key, min(f.reason) AS reason FROM (${found}) AS f WHERE f.key IS NOT NULL GROUP BY f.key`,
  )
  if (kind === 'phone') listed.push(...(await otherSpellings(tx, listed, phoneKeys)))
  const carried = sql.identifier(`${kind}_key`)
  const added = await rows<{ key: Buffer; carried: boolean }>(
    tx,
    sql`
    WITH inserted AS (
      INSERT INTO suppressions (kind, key, reason, source, suppressed_at)
      SELECT DISTINCT ON (f.key) ${kind}::text, f.key, f.reason, ${source}::text, ${now}::timestamptz
      FROM unnest(${sql.param(listed.map(({ key }) => key))}::bytea[],
        ${sql.param(listed.map(({ reason }) => reason))}::text[]) AS f(key, reason)
      ORDER BY f.key, f.reason
      ON CONFLICT DO NOTHING RETURNING kind, key
    )
    INSERT INTO new_suppressions SELECT kind, key FROM inserted
    RETURNING key, EXISTS (SELECT FROM contacts c WHERE c.${carried} = key) AS carried`,
  )
  if (added.length > 0) await recordSuppressions(tx, now, channelsOf)
  return added.flatMap((each) => (each.carried ? [each.key] : []))
}

/** The numbers of the contacts that carry these keys, as others may have written them. */
async function otherSpellings(
  tx: Transaction,
  listed: readonly { key: Buffer; reason: string }[],
  phoneKeys: ReportingChannel['phoneKeys'],
): Promise<{ key: Buffer; reason: string }[]> {
  const carriers = await rows<{ phone: string; reason: string }>(
    tx,
    sql`SELECT DISTINCT c.phone, f.reason FROM unnest(${sql.param(listed.map(({ key }) => key))}::bytea[],
        ${sql.param(listed.map(({ reason }) => reason))}::text[]) AS f(key, reason)
      JOIN contacts c ON c.phone_key = f.key WHERE c.phone IS NOT NULL`,
  )
  return carriers.flatMap(({ phone, reason }) => phoneKeys(phone).map((key) => ({ key, reason })))
}
