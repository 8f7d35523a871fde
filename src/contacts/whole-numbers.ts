import { sql } from 'drizzle-orm'
import type { Clock } from '../clock.ts'
import { bigints } from '../database/arrays.ts'
import { type Database, execute, rows, type Transaction, transaction } from '../database/connect.ts'
import { settingsOf } from '../database/migrate.ts'
import { notePartialNumbers } from '../database/partial-numbers.ts'
import { addressHash, wholeNumber } from './addresses.ts'
import { lockAllStripes } from './contacts.ts'
import type { Hooks } from './hooks.ts'
import { silenceSpelled } from './listed-numbers.ts'
import { type Linking, linkPersons, lockContacts, numberKey, prepareLinks } from './persons.ts'

// What contacts' numbers are compared by depends on the countries of numbers that have none. Where the workspace names
// others than it did, all are compared anew: with one another, and with the do-not-contact list.

/** Contacts a transaction. */
const CHUNK = 10_000
/** The row of `settings` that says by which countries the numbers were last compared. */
const SETTING = 'number_countries'

export interface Comparing extends Linking {
  /** Asked for each chunk, as a file's is. */
  readonly clock: Clock
  readonly hooks: Hooks
}

/**
 * Links persons by their numbers as the countries have them, if that was last done by others: numbers are told apart that
 * were one, and the other way about. Whose number is on the do-not-contact list in a way that could not be read before is
 * silenced. One statement where nothing has changed. Interrupted, it is begun anew.
 */
export async function compareNumbers(database: Database, options: Comparing): Promise<void> {
  const last = await lastToCompare(database, options.countries)
  if (last === undefined) return
  const wanted = options.countries.join(' ')
  const { addressKey } = await settingsOf(database)
  const [listed] = await rows(database, sql`SELECT FROM suppressions WHERE kind = 'phone' LIMIT 1`)
  if (listed) await notePartialNumbers(database)
  for (let after = 0; after < last; ) {
    after = await transaction(database, (tx) =>
      compareChunk(tx, after, { ...options, now: options.clock.now(), addressKey }),
    )
  }
  await execute(
    database,
    sql`INSERT INTO settings (name, value) VALUES (${SETTING}, ${wanted})
        ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
  )
}

/**
 * The last contact whose number is still to be compared by these countries, 0 where there is none; undefined where all
 * have been.
 */
export async function lastToCompare(
  database: Database,
  countries: readonly string[],
): Promise<number | undefined> {
  const [known] = await rows<{ countries: string; last: number }>(
    database,
    sql`SELECT (SELECT value FROM settings WHERE name = ${SETTING}) AS countries,
          coalesce((SELECT max(contact_id) FROM contacts), 0) AS last`,
  )
  // Where no country was ever named, numbers are compared as they are written.
  return !known || (known.countries ?? '') === countries.join(' ') ? undefined : known.last
}

/** @returns the last contact of the chunk; infinity where there are no more */
async function compareChunk(
  tx: Transaction,
  after: number,
  options: Omit<Comparing, 'clock'> & { readonly now: Date; readonly addressKey: string },
): Promise<number> {
  const { countries, addressKey, sharedByAtMost, now, hooks } = options
  await lockContacts(tx)
  await lockAllStripes(tx)
  await prepareLinks(tx)
  const found = await rows<{ contactId: number; phone: string; whole: Buffer | null }>(
    tx,
    sql`SELECT contact_id AS "contactId", phone, whole_key AS whole FROM contacts
        WHERE contact_id > ${after} AND phone IS NOT NULL ORDER BY contact_id LIMIT ${CHUNK} FOR NO KEY UPDATE`,
  )
  const changed = found.flatMap(({ contactId, phone, whole }) => {
    const number = wholeNumber(phone, countries)
    const key = number === phone ? null : addressHash(addressKey, 'phone', number)
    const same = key === null ? whole === null : whole?.equals(key)
    return same ? [] : [{ contactId, key }]
  })
  if (changed.length > 0) {
    await execute(
      tx,
      sql`WITH anew AS (
            SELECT c.contact_id, ${numberKey(sql`c`)} AS before, coalesce(n.key, c.phone_key) AS after, n.key
            FROM unnest(${bigints(changed.map(({ contactId }) => contactId))},
              ${sql.param(changed.map(({ key }) => key))}::bytea[]) AS n(contact_id, key)
            JOIN contacts c USING (contact_id)
          ), written AS (
            UPDATE contacts c SET whole_key = a.key FROM anew a WHERE c.contact_id = a.contact_id
          )
          INSERT INTO touched_identifiers (kind, key, contact_id, added)
          SELECT 'phone', before, contact_id, FALSE FROM anew UNION ALL SELECT 'phone', after, contact_id, TRUE FROM anew`,
    )
    await linkPersons(tx, { sharedByAtMost, now, hooks })
  }
  await silenceSpelled(tx, found, { ...options, besideErased: true })
  return found.at(CHUNK - 1)?.contactId ?? Number.POSITIVE_INFINITY
}
