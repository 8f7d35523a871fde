import { sql } from 'drizzle-orm'
import { execute, rows, type Transaction } from '../database/connect.ts'
import { lockNames } from './persons.ts'
import { isErased } from './privacy/erased.ts'

/**
 * Makes contacts, without a sign-up date, of the external ids of a staged chunk (`line`, `external_id`) that nobody knows.
 * @param among of these ids alone
 * @returns how many
 */
export async function makeUnknown(
  tx: Transaction,
  now: Date,
  staged: 'incoming_events' | 'incoming_calls' | 'incoming_sends' | 'incoming_consents',
  among?: readonly string[],
): Promise<number> {
  const those = among === undefined ? sql`` : sql` WHERE external_id = ANY (${sql.param([...among])}::text[])`
  const incoming = sql`(SELECT line, external_id FROM ${sql.identifier(staged)}${those})`
  const [unknown] = await rows<{ any: boolean }>(
    tx,
    sql`SELECT EXISTS (SELECT FROM ${incoming} i WHERE i.external_id IS NOT NULL
          AND NOT EXISTS (SELECT FROM external_ids x WHERE x.external_id = i.external_id)
            AND NOT ${isErased(sql`i.external_id`)}) AS any`,
  )
  if (!unknown?.any) return 0
  await lockNames(tx)
  return await execute(
    tx,
    sql`WITH fresh AS MATERIALIZED (
          SELECT nextval('contacts_contact_id_seq') AS contact_id, external_id FROM (
            SELECT external_id, min(line) AS line FROM ${incoming} i
            WHERE external_id IS NOT NULL
              AND NOT EXISTS (SELECT FROM external_ids x WHERE x.external_id = i.external_id)
              AND NOT ${isErased(sql`i.external_id`)}
            GROUP BY external_id ORDER BY line
          ) AS ids
        ), named AS (
          INSERT INTO external_ids (external_id, contact_id)
          SELECT external_id, contact_id FROM fresh ORDER BY external_id
        ), made AS (
          INSERT INTO contacts (contact_id, person_id, external_id, imported_at) OVERRIDING SYSTEM VALUE
          SELECT contact_id, contact_id, external_id, ${now} FROM fresh
        )
        INSERT INTO contact_activity (contact_id) SELECT contact_id FROM fresh`,
  )
}
