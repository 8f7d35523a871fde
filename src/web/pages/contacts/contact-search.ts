import { type SQL, sql } from 'drizzle-orm'
import { rows } from '../../../database/connect.ts'
import type { Runtime } from '../../../service/runtime.ts'

export interface Found {
  readonly externalId: string
  readonly email: string | null
  readonly phone: string | null
  /** Null where they never were: of them, the day of their sign-up is none. */
  readonly lastActive: Date | null
  readonly campaigns: readonly string[]
}

/** Contacts that are shown; who looks for somebody types another letter. */
export const MOST_FOUND = 50

/** Contacts by an exact address, or the beginning of an id. */
export async function searchContacts(
  { database, addressKeys }: Pick<Runtime, 'database' | 'addressKeys'>,
  words: string,
): Promise<Found[]> {
  const keys = addressKeys(words.includes('@') ? 'email' : 'phone', words)
  return await rows<Found>(database, searchSql(words, keys))
}

/**
 * Ids and addresses are looked up each in its index and put together: one condition with OR over two tables would read
 * all of both. Ids are stored in the order of their bytes, so a beginning is a range. 1,000,000 contacts: 1 ms.
 */
export function searchSql(words: string, keys: readonly Buffer[]): SQL {
  const list = sql`${sql.param([...keys])}::bytea[]`
  const last = `${words}\u{10FFFF}`
  return sql`SELECT c.external_id AS "externalId", c.email, c.phone, a.last_active_at AS "lastActive",
      ARRAY(SELECT e.campaign FROM episodes e WHERE e.contact_id = c.contact_id AND e.ended_at IS NULL) AS campaigns
    FROM contacts c LEFT JOIN contact_activity a USING (contact_id)
    WHERE c.contact_id IN (
      (SELECT x.contact_id FROM external_ids x WHERE x.external_id >= ${words} AND x.external_id < ${last}
        ORDER BY x.external_id LIMIT ${MOST_FOUND})
      UNION (SELECT k.contact_id FROM contacts k WHERE k.email_key = ANY (${list}) LIMIT ${MOST_FOUND})
      UNION (SELECT k.contact_id FROM contacts k WHERE k.phone_key = ANY (${list}) LIMIT ${MOST_FOUND}))
    ORDER BY c.external_id LIMIT ${MOST_FOUND}`
}
