import { hash } from 'node:crypto'
import { readReturned } from '../channels/email/bounce.ts'
import { parseClick } from '../channels/email/links.ts'
import { isMachine } from '../channels/email/machine.ts'
import { type Referred, readReference } from '../channels/reference.ts'
import { recordReceipts } from '../outcomes/receipts.ts'
import { secondsSinceSent } from '../outcomes/sent-to.ts'
import type { SigningKeys } from '../tokens/token.ts'
import { readLink, readSigningKeys } from './links.ts'
import type { Runtime } from './runtime.ts'
import { ownerOf, unsubscribe } from './unsubscribing.ts'

// What comes back of e-mail: links that were followed, pictures that were loaded, mail that returned. A token says
// which message it is about, and is believed for its signature alone.

const CHANNEL = 'email'
/** Characters an event may be known by; of a longer link the hash, for two may begin alike. */
const LONGEST_ID = 300

/** Where a link leads. */
export interface FollowedLink {
  readonly url: string
  /** Why the click could not be recorded. */
  readonly lost?: unknown
}

/**
 * What a followed link leads to; undefined where its token is not one of ours. The click is recorded.
 * @param readKeys of signed links; by default, those of now
 */
export async function followLink(
  runtime: Runtime,
  token: string,
  userAgent: string | undefined,
  readKeys?: () => Promise<SigningKeys>,
): Promise<FollowedLink | undefined> {
  const payload = await readLink(runtime, 'click', token, readKeys)
  const click = payload === undefined ? undefined : parseClick(payload)
  const message = click && readReference(click.reference)
  if (!click || !message) return undefined
  const { url } = click
  try {
    // A scanner follows every link of a mail before anybody sees it: it is led on, and is no click.
    if (!(await isByMachine(runtime, message, userAgent)))
      await record(runtime, message, 'clicked', `click ${url}`, url)
    return { url }
  } catch (lost) {
    // Whoever follows it has nothing to do with our records.
    return { url, lost }
  }
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

/** What a returned mail came to. */
export interface TakenMail {
  readonly outcome: 'recorded' | 'unsubscribed' | 'ignored' | 'refused'
  /** In words, for whoever handed it in. */
  readonly detail: string
}

/** Why there is nobody to leave alone. */
const NOBODYS = {
  erased: 'the account it was sent to has been erased; which address that was, nobody knows any more',
  nobody: 'the message was a test, and no contact’s',
} as const

/** Takes a mail that came to one of our mailboxes: a bounce, a complaint, a wish to be left alone. */
export async function takeReturnedMail(
  runtime: Runtime,
  raw: Uint8Array,
  recipients: readonly string[],
): Promise<TakenMail> {
  const { database, clock } = runtime
  const now = clock.now()
  const read = await readReturned(raw, { keys: await readSigningKeys(database), now, recipients })
  switch (read.outcome) {
    case 'ignored':
    case 'refused':
      return { outcome: read.outcome, detail: read.reason }
    case 'unsubscribe': {
      const owner = await ownerOf(runtime, read.message)
      if (typeof owner === 'string') return { outcome: 'ignored', detail: NOBODYS[owner] }
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
  const known = eventId.length > LONGEST_ID ? `${kind} ${hash('sha256', eventId, 'base64url')}` : eventId
  await recordReceipts(database, at, runtime.reporting(CHANNEL), [
    { ...message, kind, eventId: known, at, ...(detail === undefined ? {} : { detail }) },
  ])
}
