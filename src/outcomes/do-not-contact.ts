import { sql } from 'drizzle-orm'
import { execute, rows, type Transaction } from '../database/connect.ts'
import { notePartialNumbers } from '../database/partial-numbers.ts'
import type { ReportingChannel } from './reporting.ts'
import { recordSuppressions } from './silence.ts'

// The do-not-contact list, as what comes back of messages adds to it: a bounce, a complaint, a wrong number, somebody
// who wants no more. Files that bring such a list come through src/contacts/suppressions.ts.

/** What an address is compared by, and why it gets nothing more. */
export interface Found {
  readonly key: Buffer
  readonly reason: string
}

/**
 * Puts addresses of one kind on the list and skips what waits for them, in the caller's transaction. A number that a
 * contact carries goes on it in all its spellings: another contact, or tomorrow's file, may write it differently. One that
 * nobody carries any more goes on it as it is known; contacts that come are held against that.
 * @param found a key may come twice
 * @param source who says so
 * @returns the keys that were not on it before, other spellings included, and whether a contact carries them
 */
export async function suppress(
  tx: Transaction,
  now: Date,
  {
    kind,
    channelsOf,
    phoneKeys,
  }: Pick<ReportingChannel, 'channelsOf' | 'phoneKeys'> & { kind: 'email' | 'phone' },
  { found, source }: { found: readonly Found[]; source: string },
): Promise<{ readonly key: Buffer; readonly carried: boolean }[]> {
  if (found.length === 0) return []
  // Tells recordSuppressions what is new; empty at the start of each transaction.
  await execute(
    tx,
    sql`CREATE TEMP TABLE IF NOT EXISTS new_suppressions (kind text NOT NULL, key bytea NOT NULL)
      ON COMMIT DELETE ROWS`,
  )
  const spelled = kind === 'phone' ? await otherSpellings(tx, found, phoneKeys) : []
  const known = new Set(spelled.map(({ key }) => key.toString('hex')))
  if (kind === 'phone' && found.some(({ key }) => !known.has(key.toString('hex')))) {
    await notePartialNumbers(tx)
  }
  const listed = [...found, ...spelled]
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
  return added
}

/** The numbers of the contacts that carry these keys, as others may have written them. */
async function otherSpellings(
  tx: Transaction,
  listed: readonly Found[],
  phoneKeys: ReportingChannel['phoneKeys'],
): Promise<Found[]> {
  const carriers = await rows<{ phone: string; reason: string }>(
    tx,
    sql`SELECT DISTINCT c.phone, f.reason FROM unnest(${sql.param(listed.map(({ key }) => key))}::bytea[],
        ${sql.param(listed.map(({ reason }) => reason))}::text[]) AS f(key, reason)
      -- By an index each: however the contact writes it, or by the number with its country, which a message is remembered by.
      CROSS JOIN LATERAL (SELECT n.phone FROM contacts n WHERE n.phone_key = f.key
        UNION SELECT n.phone FROM contacts n WHERE n.whole_key = f.key) c
      WHERE c.phone IS NOT NULL`,
  )
  return carriers.flatMap(({ phone, reason }) => phoneKeys(phone).map((key) => ({ key, reason })))
}
