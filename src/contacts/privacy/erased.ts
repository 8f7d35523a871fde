import { type SQL, sql } from 'drizzle-orm'
import { rows, type Transaction } from '../../database/connect.ts'

/** The keyed hash of an external id, of a text expression; the key is the database's own. */
export function externalIdHashSql(externalId: SQL): SQL {
  return sql`sha256(convert_to((SELECT value FROM settings WHERE name = 'address_key') || ':external_id:' || ${externalId}, 'UTF8'))`
}

/**
 * True of an external id whose contact was erased: whatever makes contacts leaves it out, in the very statement that
 * makes them. An erasure that commits before that statement is seen by it; one that commits after finds the contact.
 * Where nobody was ever erased, one look a statement says so, and nothing is hashed.
 */
export function isErased(externalId: SQL): SQL {
  return sql`((SELECT EXISTS (SELECT FROM erased_ids))
    AND EXISTS (SELECT FROM erased_ids WHERE key = ${externalIdHashSql(externalId)}))`
}

/** How many rows of a staged chunk are of contacts that were erased. */
export async function countErased(
  tx: Transaction,
  staged: 'incoming_contacts' | 'incoming_events' | 'incoming_sends' | 'incoming_consents',
): Promise<number> {
  // Where somebody was erased, only what nobody has now is hashed.
  const [found] = await rows<{ count: number }>(
    tx,
    sql`SELECT CASE WHEN EXISTS (SELECT FROM erased_ids) THEN (
          SELECT count(*) FROM (
            SELECT i.external_id FROM ${sql.identifier(staged)} i
            WHERE (SELECT x.contact_id FROM external_ids x WHERE x.external_id = i.external_id) IS NULL OFFSET 0
          ) AS unknown WHERE ${isErased(sql`unknown.external_id`)}
        ) ELSE 0 END AS count`,
  )
  return found?.count ?? 0
}

/** The places of those external ids whose contact was erased, of a list. */
export async function erasedAmong(
  tx: Transaction,
  externalIds: readonly (string | undefined)[],
): Promise<ReadonlySet<number>> {
  const found = await rows<{ place: number }>(
    tx,
    sql`SELECT k.no::int - 1 AS place
        FROM unnest(${sql.param(externalIds.map((each) => each ?? null))}::text[]) WITH ORDINALITY AS k(external_id, no)
        WHERE NOT EXISTS (SELECT FROM external_ids x WHERE x.external_id = k.external_id)
          AND ${isErased(sql`k.external_id`)}`,
  )
  return new Set(found.map(({ place }) => place))
}
