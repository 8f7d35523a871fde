import { type SQL, sql } from 'drizzle-orm'

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
