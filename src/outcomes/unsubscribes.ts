import { type SQL, sql } from 'drizzle-orm'
import {
  type Database,
  execute,
  rows,
  type Session,
  type Transaction,
  transaction,
} from '../database/connect.ts'
import { isOwnListing, type OwnWay } from '../database/listings.ts'
import { keepContacts } from '../database/person-locks.ts'
import { keyTable, recordOf } from '../touchpoints/keys.ts'
import { suppress } from './do-not-contact.ts'
import { isAddressed, type ReportingChannel } from './reporting.ts'
import { findPresent, findSentTo } from './sent-to.ts'

/** Somebody who wants no more of a channel, by the message that had the link. */
export interface Unsubscribe {
  readonly contactId: number
  readonly touchpointId: number
  /** How they said so. */
  readonly way: OwnWay
}

/**
 * Records an unsubscription in one transaction: the address the message went to goes on the do-not-contact list, what is
 * planned, queued or claimed for it is skipped, and the message it came from knows. So does the address the contact has
 * by now: they were told that we will not write again, whatever they changed since. A repeat changes nothing.
 * @returns false where both were on the list already, or there is none any more
 */
export async function recordUnsubscribe(
  database: Database,
  now: Date,
  channel: ReportingChannel,
  leaving: Unsubscribe,
): Promise<boolean> {
  if (!isAddressed(channel)) return false
  return await transaction(database, async (tx) => {
    await keepContacts(tx, sql`c.contact_id = ${leaving.contactId}`)
    await execute(
      tx,
      sql`
      INSERT INTO delivery_events (contact_id, touchpoint_id, event_id, kind, detail, occurred_at, received_at, channel, step_id,
        settled_at)
      SELECT k.contact_id, k.touchpoint_id, 'unsubscribed', 'unsubscribed', ${leaving.way}, ${now}, ${now}, r.channel, r.step_id,
        r.settled_at
      FROM ${keyTable([leaving])} CROSS JOIN LATERAL ${recordOf(sql`k`, sql`r.channel, r.step_id, r.settled_at`)} r
      ON CONFLICT DO NOTHING`,
    )
    const said = [{ ...leaving, reason: 'unsubscribe' }]
    const found = [...(await findSentTo(tx, channel, said)), ...(await findPresent(tx, channel, said))]
    const added = await suppress(tx, now, channel, { source: leaving.way, found })
    return added.length > 0
  })
}

/**
 * Whether a contact's e-mail address is on the do-not-contact list for no other reason than that its person unsubscribed,
 * and is nobody else's: then they may take it back.
 */
export async function maySubscribeAgain(session: Session, contactId: number): Promise<boolean> {
  const found = await execute(session, sql`SELECT FROM ${OWN_ENTRY} WHERE ${isTheirs(contactId)}`)
  return found > 0
}

/** An unsubscription that was taken back. */
export interface TakenBack {
  readonly at: Date
  readonly way: string
  /** All accounts that have the address. */
  readonly contactIds: readonly number[]
}

/**
 * Takes a contact's address off the list, where {@link maySubscribeAgain}; undefined where it was not on it any more. That
 * they had left is for the caller to record: nothing else remembers it. What was skipped meanwhile stays so.
 */
export async function takeBackUnsubscribe(
  tx: Transaction,
  contactId: number,
): Promise<TakenBack | undefined> {
  const [taken] = await rows<TakenBack>(
    tx,
    sql`DELETE FROM suppressions x WHERE (kind, key) IN (SELECT s.kind, s.key FROM ${OWN_ENTRY} WHERE ${isTheirs(contactId)})
        RETURNING suppressed_at AS at, source AS way,
          ARRAY(SELECT o.contact_id FROM contacts o WHERE o.email_key = x.key ORDER BY o.contact_id) AS "contactIds"`,
  )
  return taken
}

const OWN_ENTRY = sql`contacts c JOIN suppressions s ON s.kind = 'email' AND s.key = c.email_key`

function isTheirs(contactId: number): SQL {
  return sql`c.contact_id = ${contactId} AND ${isOwnListing(sql`s`)}
    AND NOT EXISTS (SELECT FROM contacts o WHERE o.email_key = s.key AND o.person_id <> c.person_id)`
}
