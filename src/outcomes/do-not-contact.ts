import { sql } from 'drizzle-orm'
import { execute, rows, type Transaction } from '../database/connect.ts'
import { joinVoices } from '../database/listings.ts'
import { openNewSuppressions } from '../database/new-suppressions.ts'
import { notePartialNumbers } from '../database/partial-numbers.ts'
import type { Addressed } from './reporting.ts'
import { recordSuppressions } from './silence.ts'

// The do-not-contact list, as what comes back of messages adds to it: a bounce, a complaint, a wrong number, somebody
// who wants no more. Files that bring such a list come through src/contacts/suppressions.ts.

/** What an address is compared by, and why it gets nothing more. */
export interface Found {
  readonly key: Buffer
  readonly reason: string
}

/** What goes on the list. */
interface Listing {
  /** A key may come twice. */
  readonly found: readonly Found[]
  /** Who says so. */
  readonly source: string
}

/** A key that was not on the list before, and whether a contact carries it. */
interface Listed {
  readonly key: Buffer
  readonly carried: boolean
}

/** {@link list}, and skips what waits for the addresses, in the caller's transaction. */
export async function suppress(
  tx: Transaction,
  now: Date,
  to: Addressed,
  listing: Listing,
): Promise<Listed[]> {
  const added = await list(tx, now, to, listing)
  if (added.length > 0) await recordSuppressions(tx, now, to.channelsOf)
  return added
}

/**
 * Puts addresses of one kind on the list, in the caller's transaction, which has {@link recordSuppressions} skip what waits
 * for them. A number that a contact carries goes on it in all its spellings: another contact, or tomorrow's file, may write
 * it differently. One that nobody carries any more goes on it as it is known; contacts that come are held against that.
 * Whoever puts the same address there meanwhile waits: so the list comes before stripes, episodes, touchpoints and calls.
 * @returns the keys that were not on it before, other spellings included
 */
export async function list(
  tx: Transaction,
  now: Date,
  { kind, phoneKeys }: Addressed,
  { found, source }: Listing,
): Promise<Listed[]> {
  if (found.length === 0) return []
  await openNewSuppressions(tx)
  const spelled = kind === 'phone' ? await otherSpellings(tx, found, phoneKeys) : []
  const known = new Set(spelled.map(({ key }) => key.toString('hex')))
  if (kind === 'phone' && found.some(({ key }) => !known.has(key.toString('hex')))) {
    await notePartialNumbers(tx)
  }
  const listed = [...found, ...spelled]
  const carried = sql.identifier(`${kind}_key`)
  const entries = sql`SELECT DISTINCT ON (f.key) ${kind}::text AS kind, f.key, f.reason, ${source}::text AS source
    FROM unnest(${sql.param(listed.map(({ key }) => key))}::bytea[],
      ${sql.param(listed.map(({ reason }) => reason))}::text[]) AS f(key, reason)
    ORDER BY f.key, f.reason`
  const insert = () =>
    rows<Listed>(
      tx,
      sql`
    WITH inserted AS (
      INSERT INTO suppressions (kind, key, reason, source, suppressed_at)
      SELECT kind, key, reason, source, ${now}::timestamptz FROM (${entries}) e
      ON CONFLICT DO NOTHING RETURNING kind, key
    )
    INSERT INTO new_suppressions SELECT kind, key FROM inserted
    RETURNING key, EXISTS (SELECT FROM contacts c WHERE c.${carried} = key) AS carried`,
    )
  const added = await insert()
  if (added.length === new Set(listed.map(({ key }) => key.toString('hex'))).size) return added
  // Afterwards: the entry may be one that the insertion has waited for.
  await execute(tx, joinVoices(entries))
  // Or one that was being taken off the list, for which this has waited.
  return [...added, ...(await insert())]
}

/** The numbers of the contacts that carry these keys, as others may have written them. */
async function otherSpellings(
  tx: Transaction,
  listed: readonly Found[],
  phoneKeys: Addressed['phoneKeys'],
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
