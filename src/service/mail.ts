import { sql } from 'drizzle-orm'
import { readReturned } from '../channels/email/bounce.ts'
import { parseClick } from '../channels/email/links.ts'
import { isMachine } from '../channels/email/machine.ts'
import { type Referred, readReference } from '../channels/reference.ts'
import type { LeavingReason } from '../config/reasons.ts'
import { recordLeaving, recordOptOut } from '../contacts/preferences.ts'
import { rows, transaction } from '../database/connect.ts'
import { keepContacts } from '../database/person-locks.ts'
import { recordReceipts } from '../outcomes/receipts.ts'
import { secondsSinceSent } from '../outcomes/sent-to.ts'
import { recordUnsubscribe } from '../outcomes/unsubscribes.ts'
import { type Purpose, readToken } from '../tokens/token.ts'
import { readSigningKeys } from './links.ts'
import type { Runtime } from './runtime.ts'

// What comes back of e-mail: links that were followed, pictures that were loaded, mail that returned. A token says
// which message it is about, and is believed for its signature alone.

const CHANNEL = 'email'

/** What a followed link leads to; undefined where its token is not one of ours. The click is recorded. */
export async function followLink(
  runtime: Runtime,
  token: string,
  userAgent: string | undefined,
): Promise<{ url: string } | undefined> {
  const payload = await readLink(runtime, 'click', token)
  const click = payload === undefined ? undefined : parseClick(payload)
  const message = click && readReference(click.reference)
  if (!click || !message) return undefined
  // A scanner follows every link of a mail before anybody sees it: it is led on, and is no click.
  if (!(await isByMachine(runtime, message, userAgent)))
    await record(runtime, message, 'clicked', `click ${click.url}`, click.url)
  return { url: click.url }
}

/** Records that a message's pictures were loaded, by a person or by a machine. */
export async function recordOpening(
  runtime: Runtime,
  token: string,
  userAgent: string | undefined,
): Promise<void> {
  const payload = await readLink(runtime, 'open', token)
  const message = payload === undefined ? undefined : readReference(payload)
  if (!message) return
  const kind = (await isByMachine(runtime, message, userAgent)) ? 'prefetched' : 'opened'
  await record(runtime, message, kind, kind)
}

/** The message an unsubscription link belongs to, or undefined where it is not one of ours. */
export async function readUnsubscribeLink(runtime: Runtime, token: string): Promise<Referred | undefined> {
  const payload = await readLink(runtime, 'unsubscribe', token)
  return payload === undefined ? undefined : readReference(payload)
}

/**
 * Stops e-mail to whoever a message went to, by whichever account; and, where it went by a channel that is no e-mail, that
 * channel.
 * @returns false where both were so already
 */
export async function unsubscribe(
  runtime: Runtime,
  message: Referred,
  way: 'one-click' | 'page' | 'mail',
): Promise<boolean> {
  const { database, clock } = runtime
  const listed = await recordUnsubscribe(database, clock.now(), runtime.reporting(CHANNEL), {
    ...message,
    way,
  })
  const refused = await refuseChannelOf(runtime, message, `unsubscribe: ${way}`)
  return refused || listed
}

/**
 * A card, a push or a text has the link, too, where its template prints it. Whoever gets it may have no e-mail that could be
 * listed, and the list of e-mails silences no other channel: so the channel it went by is refused, as the person's own choice.
 * So is e-mail where the person has another account with an address that is not on the list: they read that nothing more
 * comes this way, and the next campaign would write to that one.
 */
async function refuseChannelOf(
  { database, clock, hooks, reporting }: Runtime,
  { contactId, touchpointId }: Referred,
  source: string,
): Promise<boolean> {
  return await transaction(database, async (tx) => {
    await keepContacts(tx, sql`c.contact_id = ${contactId}`)
    const [went] = await rows<{ channel: string; elsewhere: boolean }>(
      tx,
      sql`SELECT m.channel, EXISTS (SELECT FROM contacts o WHERE o.person_id = c.person_id AND o.email_key IS NOT NULL
              AND NOT EXISTS (SELECT FROM suppressions s WHERE s.kind = 'email' AND s.key = o.email_key)) AS elsewhere
          FROM contacts c JOIN (
            SELECT contact_id, channel FROM touchpoint_records WHERE contact_id = ${contactId} AND touchpoint_id = ${touchpointId}
            UNION ALL
            SELECT contact_id, channel FROM touchpoints WHERE contact_id = ${contactId} AND touchpoint_id = ${touchpointId}
          ) m USING (contact_id) WHERE m.channel IS NOT NULL`,
    )
    if (!went || (reporting(went.channel).kind === 'email' && !went.elsewhere)) return false
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

/** What a returned mail came to. */
export interface TakenMail {
  readonly outcome: 'recorded' | 'unsubscribed' | 'ignored' | 'refused'
  /** In words, for whoever handed it in. */
  readonly detail: string
}

/** Takes a mail that came to one of our mailboxes: a bounce, a complaint, a wish to be left alone. */
export async function takeReturnedMail(
  runtime: Runtime,
  raw: Uint8Array,
  recipients: readonly string[] = [],
): Promise<TakenMail> {
  const { database, clock } = runtime
  const now = clock.now()
  const read = await readReturned(raw, { keys: await readSigningKeys(database), now, recipients })
  switch (read.outcome) {
    case 'ignored':
    case 'refused':
      return { outcome: read.outcome, detail: read.reason }
    case 'unsubscribe': {
      const fresh = await unsubscribe(runtime, read.message, 'mail')
      return { outcome: 'unsubscribed', detail: fresh ? 'nothing more is sent' : 'it was known already' }
    }
    case 'events': {
      const recorded = await recordReceipts(database, now, runtime.reporting(CHANNEL), read.events)
      const what = read.events.map(({ kind, detail }) => `${kind}: ${detail ?? ''}`).join('; ')
      return recorded.added > 0
        ? { outcome: 'recorded', detail: what }
        : { outcome: 'ignored', detail: `known already, or about no message of ours (${what})` }
    }
  }
}

async function readLink(runtime: Runtime, purpose: Purpose, token: string): Promise<string | undefined> {
  const keys = await readSigningKeys(runtime.database)
  const reading = readToken(keys, purpose, token, runtime.clock.now())
  return reading.outcome === 'read' ? reading.payload : undefined
}

async function isByMachine(
  { database, clock }: Runtime,
  message: Referred,
  userAgent: string | undefined,
): Promise<boolean> {
  return isMachine(userAgent, await secondsSinceSent(database, message, clock.now()))
}

async function record(
  runtime: Runtime,
  message: Referred,
  kind: 'clicked' | 'opened' | 'prefetched',
  eventId: string,
  detail?: string,
): Promise<void> {
  const { database, clock } = runtime
  const at = clock.now()
  await recordReceipts(database, at, runtime.reporting(CHANNEL), [
    { ...message, kind, eventId: eventId.slice(0, 300), at, ...(detail === undefined ? {} : { detail }) },
  ])
}
