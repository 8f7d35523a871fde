import { type SQL, sql } from 'drizzle-orm'
import { bigints } from './arrays.ts'
import { execute, preparedRows, type Transaction } from './connect.ts'

/**
 * Locks the persons of these contacts, in order, until the transaction ends: what is decided of a person as a whole (caps,
 * offers, choices) is decided by one at a time. Between statements: what a later statement counts stays true until the end.
 * The lock is on the row of the contact the person is named after; once that one is erased, on the first that is left.
 */
export async function lockPersons(tx: Transaction, contactIds: readonly number[]): Promise<void> {
  await preparedRows(
    tx,
    sql`SELECT FROM (
        SELECT DISTINCT CASE
          -- Nearly everybody is one contact, and needs no second look.
          WHEN c.person_id = c.contact_id OR EXISTS (SELECT FROM contacts n WHERE n.contact_id = c.person_id)
            THEN c.person_id
          ELSE (SELECT min(o.contact_id) FROM contacts o WHERE o.person_id = c.person_id) END AS contact_id
        FROM contacts c WHERE c.contact_id = ANY (${bigints(contactIds)}) ORDER BY 1) named
      CROSS JOIN LATERAL (SELECT FROM contacts p WHERE p.contact_id = named.contact_id FOR NO KEY UPDATE) p`,
  )
}

/**
 * Keeps contacts from being erased until the transaction ends: what is written of them meanwhile would outlive them. It
 * comes before all other locks, as in an erasure, and keeps out nobody else.
 * @param which an SQL condition over `c` (contacts)
 */
export async function keepContacts(tx: Transaction, which: SQL): Promise<void> {
  await execute(tx, sql`SELECT FROM contacts c WHERE ${which} ORDER BY c.contact_id FOR KEY SHARE`)
}
