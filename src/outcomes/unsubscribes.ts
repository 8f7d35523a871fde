import { sql } from 'drizzle-orm'
import { type Database, execute, transaction } from '../database/connect.ts'
import { suppress } from './do-not-contact.ts'
import type { ReportingChannel } from './receipts.ts'

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
    await execute(
      tx,
      sql`
      INSERT INTO delivery_events (contact_id, touchpoint_id, event_id, kind, detail, occurred_at, received_at)
      SELECT ${leaving.contactId}, ${leaving.touchpointId}, 'unsubscribed', 'unsubscribed', ${leaving.way}, ${now}, ${now}
      WHERE EXISTS (SELECT FROM touchpoint_records r
        WHERE r.contact_id = ${leaving.contactId} AND r.touchpoint_id = ${leaving.touchpointId})
      ON CONFLICT DO NOTHING`,
    )
    const added = await suppress(
      tx,
      now,
      { ...channel, kind },
      {
        source: leaving.way,
        found: sql`SELECT ${key} AS key, 'unsubscribe' AS reason FROM contacts WHERE contact_id = ${leaving.contactId}`,
      },
    )
    return added.length > 0
  })
}
