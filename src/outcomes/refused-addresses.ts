import { sql } from 'drizzle-orm'
import { earlier } from '../clock.ts'
import { type Database, rows, type Transaction, transaction } from '../database/connect.ts'
import { refusalSource } from '../database/listings.ts'
import { keyTable, type TouchpointKey } from '../touchpoints/keys.ts'
import { type Found, suppress } from './do-not-contact.ts'
import { type Addressed, isAddressed, type ReportingChannel } from './reporting.ts'
import { asSpelledNow, presentKey } from './sent-to.ts'

// Addresses that a provider refuses at the handover itself, as those of nobody. A gateway that is set up wrongly says so of
// everybody's: one refusal alone proves nothing.

/** Seconds after which a second refusal is no repeat of the first. */
const APART = 86_400

/**
 * Puts on the do-not-contact list what was refused for the second time, a day apart at least, as if it had bounced: where the
 * provider took no message to it in between, and took others' within the last day.
 * @param refused messages that were just recorded as failed, their address said to be nobody's
 */
export async function listRefused(
  database: Database,
  now: Date,
  channel: ReportingChannel,
  refused: readonly TouchpointKey[],
): Promise<void> {
  if (!isAddressed(channel)) return
  await transaction(database, async (tx) => {
    const found = await findRefused(tx, now, channel, refused)
    await suppress(tx, now, channel, { source: refusalSource(channel.name), found })
  })
}

async function findRefused(
  tx: Transaction,
  now: Date,
  channel: Addressed,
  refused: readonly TouchpointKey[],
): Promise<Found[]> {
  const before = earlier(now, APART)
  const found = await rows<{ key: Buffer; present: Buffer | null; phone: string | null }>(
    tx,
    sql`
    SELECT DISTINCT r.address_key AS key, ${presentKey(channel)} AS present, c.phone
    FROM ${keyTable(refused)}
    JOIN touchpoint_records r USING (contact_id, touchpoint_id)
    JOIN contacts c USING (contact_id)
    WHERE r.channel = ${channel.name} AND r.state = 'failed' AND r.address_key IS NOT NULL
      AND EXISTS (SELECT FROM touchpoint_records earlier
        WHERE earlier.contact_id = r.contact_id AND earlier.channel = r.channel AND earlier.address_key = r.address_key
          AND earlier.state = 'failed' AND earlier.reason = 'bad_address' AND earlier.settled_at <= ${before}
          AND NOT EXISTS (SELECT FROM touchpoint_records taken
            WHERE taken.contact_id = r.contact_id AND taken.channel = r.channel AND taken.address_key = r.address_key
              AND taken.state = 'sent' AND taken.settled_at >= earlier.settled_at))
      AND EXISTS (SELECT FROM send_counts s
        WHERE s.channel = ${channel.name} AND s.sent > 0 AND s.sent_at > ${before})`,
  )
  return found.map(({ key, ...today }) => ({ key: asSpelledNow(channel, key, today), reason: 'hard_bounce' }))
}
