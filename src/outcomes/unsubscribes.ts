import { sql } from 'drizzle-orm'
import { type Database, execute, transaction } from '../database/connect.ts'
import { prepareSuppressions, type ReportingChannel } from './receipts.ts'
import { recordSuppressions } from './silence.ts'

/** Somebody who wants no more of a channel, by the message that had the link. */
export interface Unsubscribe {
  readonly contactId: number
  readonly touchpointId: number
  /** How they said so: `one-click`, `page`, `mail`. */
  readonly way: string
}

/**
 * Records an unsubscription in one transaction: the contact's address goes on the do-not-contact list, what is
 * planned, queued or claimed for it is skipped, and the message it came from knows. A repeat changes nothing.
 * @returns false where the address was on the list already, or the contact has none any more
 */
export async function recordUnsubscribe(
  database: Database,
  now: Date,
  channel: ReportingChannel,
  leaving: Unsubscribe,
): Promise<boolean> {
  const { kind } = channel
  if (kind !== 'email' && kind !== 'phone') return false
  const key = sql.identifier(`${kind}_key`)
  return await transaction(database, async (tx) => {
    await prepareSuppressions(tx)
    const added = await execute(
      tx,
      sql`
      WITH inserted AS (
        INSERT INTO suppressions (kind, key, reason, source, suppressed_at)
        SELECT ${kind}, c.${key}, 'unsubscribe', ${leaving.way}, ${now} FROM contacts c
        WHERE c.contact_id = ${leaving.contactId} AND c.${key} IS NOT NULL
        ON CONFLICT DO NOTHING RETURNING kind, key
      )
      INSERT INTO new_suppressions SELECT kind, key FROM inserted`,
    )
    await execute(
      tx,
      sql`
      INSERT INTO delivery_events (contact_id, touchpoint_id, event_id, kind, detail, occurred_at, received_at)
      SELECT ${leaving.contactId}, ${leaving.touchpointId}, 'unsubscribed', 'unsubscribed', ${leaving.way}, ${now}, ${now}
      WHERE EXISTS (SELECT FROM touchpoint_records r
        WHERE r.contact_id = ${leaving.contactId} AND r.touchpoint_id = ${leaving.touchpointId})
      ON CONFLICT DO NOTHING`,
    )
    if (added > 0) await recordSuppressions(tx, now, channel.channelsOf)
    return added > 0
  })
}
