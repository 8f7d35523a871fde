import { type SQL, sql } from 'drizzle-orm'
import { bigints } from '../database/arrays.ts'
import { execute, rows, type Transaction } from '../database/connect.ts'
import { cancel } from '../touchpoints/interruptions.ts'

/**
 * Ends the episodes a condition picks out, with what is left of their touchpoints. The locks on the episodes come first,
 * in their order; only then is anything of them changed.
 * @param which an SQL condition over `e` (episodes)
 * @param end.reason what their touchpoints are cancelled with
 * @param end.endReason what the episodes end with, an SQL expression over `e`
 * @returns how many ended
 */
export async function endEpisodes(
  tx: Transaction,
  which: SQL,
  { reason, endReason, now }: { reason: string; endReason: SQL; now: Date },
): Promise<number> {
  const ending = await rows<{ contactId: number; episodeId: number }>(
    tx,
    sql`SELECT e.contact_id AS "contactId", e.episode_id AS "episodeId" FROM episodes e
      WHERE ${which} ORDER BY e.contact_id, e.episode_id FOR UPDATE OF e`,
  )
  if (ending.length === 0) return 0
  const keys = sql`unnest(${bigints(ending.map((row) => row.contactId))},
    ${bigints(ending.map((row) => row.episodeId))}) AS ending(contact_id, episode_id)`
  await cancel(tx, {
    which: sql`(t.contact_id, t.episode_id) IN (SELECT contact_id, episode_id FROM ${keys})`,
    reason,
    now,
  })
  return await execute(
    tx,
    sql`UPDATE episodes e SET ended_at = ${now}, end_reason = ${endReason} FROM ${keys}
      WHERE e.contact_id = ending.contact_id AND e.episode_id = ending.episode_id`,
  )
}
