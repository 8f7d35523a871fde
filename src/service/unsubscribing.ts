import { sql } from 'drizzle-orm'
import { type Referred, readReference } from '../channels/reference.ts'
import type { LeavingReason } from '../config/reasons.ts'
import { recordLeaving, recordOptOut } from '../contacts/preferences.ts'
import { rows, transaction } from '../database/connect.ts'
import { keepContacts } from '../database/person-locks.ts'
import { recordUnsubscribe } from '../outcomes/unsubscribes.ts'
import { readLink } from './links.ts'
import type { Runtime } from './runtime.ts'

// What the link of an unsubscription stops, whichever channel brought it, and why they went.

/** The message an unsubscription link belongs to, or undefined where it is not one of ours. */
export async function readUnsubscribeLink(runtime: Runtime, token: string): Promise<Referred | undefined> {
  const payload = await readLink(runtime, 'unsubscribe', token)
  return payload === undefined ? undefined : readReference(payload)
}

/**
 * Whose message it is: a contact's, with the locale they are written to in; of one who was erased since, so that nobody knows
 * where it went; or nobody's, as that of a test.
 */
export async function ownerOf(
  { database }: Pick<Runtime, 'database'>,
  { contactId }: Referred,
): Promise<{ readonly locale: string | null } | 'erased' | 'nobody'> {
  if (contactId === 0) return 'nobody'
  const [found] = await rows<{ locale: string | null }>(
    database,
    sql`SELECT locale FROM contacts WHERE contact_id = ${contactId}`,
  )
  return found ?? 'erased'
}

/**
 * Stops e-mail to whoever a message went to, by whichever account and to whichever address they will have; and, where it went
 * by a channel that is no e-mail, that channel.
 * @returns false where all were so already
 */
export async function unsubscribe(
  runtime: Runtime,
  message: Referred,
  way: 'one-click' | 'page' | 'mail',
): Promise<boolean> {
  const { database, clock } = runtime
  const listed = await recordUnsubscribe(database, clock.now(), runtime.reporting('email'), {
    ...message,
    way,
  })
  const refused = await refuseChannelOf(runtime, message, `unsubscribe: ${way}`)
  return refused || listed
}

/**
 * The channel the message went by is refused as well, as the person's own choice. They read that nothing more comes this way,
 * and the list knows addresses: another account may have another one, an import brings a new one, and a card, a push or a
 * text, which have the link where their template prints it, go to none that could be listed.
 */
async function refuseChannelOf(
  { database, clock, hooks }: Runtime,
  { contactId, touchpointId }: Referred,
  source: string,
): Promise<boolean> {
  return await transaction(database, async (tx) => {
    await keepContacts(tx, sql`c.contact_id = ${contactId}`)
    const [went] = await rows<{ channel: string }>(
      tx,
      sql`SELECT m.channel FROM contacts c JOIN (
            SELECT contact_id, channel FROM touchpoint_records WHERE contact_id = ${contactId} AND touchpoint_id = ${touchpointId}
            UNION ALL
            SELECT contact_id, channel FROM touchpoints WHERE contact_id = ${contactId} AND touchpoint_id = ${touchpointId}
          ) m USING (contact_id) WHERE m.channel IS NOT NULL`,
    )
    if (!went) return false
    const refused = { channel: went.channel, source }
    return (await recordOptOut(tx, contactId, refused, { now: clock.now(), hooks })) === 'recorded'
  })
}

/** Why they go, as they chose it after they had unsubscribed. */
export async function recordReason(
  { database, clock }: Runtime,
  { contactId }: Referred,
  reason: LeavingReason,
): Promise<void> {
  await recordLeaving(database, contactId, { reason, source: 'unsubscribe page', now: clock.now() })
}
