import { createHmac } from 'node:crypto'
import type { EventKind, Receipts, RefusedWebhook, Webhook } from '../channel.ts'
import { readReference } from '../reference.ts'
import { sameSecret } from '../signatures.ts'
import type { TwilioSettings } from './settings.ts'
import { isOptOut } from './words.ts'

/**
 * Twilio's signature of a form it posts: HMAC-SHA1 over the URL and each parameter's name and value, sorted by name,
 * in base64. https://www.twilio.com/docs/usage/security#validating-requests
 */
export function signTwilio(url: string, form: Iterable<readonly [string, string]>, token: string): string {
  const parameters = [...form].toSorted(([a, x], [b, y]) =>
    a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0,
  )
  const text = url + parameters.map(([name, value]) => name + value).join('')
  return createHmac('sha1', token).update(text).digest('base64')
}

/** Statuses that tell something; `accepted`, `queued` and `sending` only say that it is on its way. */
const KINDS: Readonly<Record<string, EventKind>> = {
  sent: 'sent',
  delivered: 'delivered',
  read: 'opened',
  undelivered: 'soft_bounce',
  failed: 'soft_bounce',
}
/** Error codes of numbers that are nobody's, or cannot take text. */
const GONE = ['21211', '21614', '30005', '30006']
/** The person has told Twilio to let nothing more through, some time before: no complaint of this message. */
export const OPTED_OUT = 21610

/**
 * Twilio signs the URL it was given, whatever a proxy has made of it since: by us in one spelling (a host in small letters,
 * no port that goes without saying), on its own pages as the settings have it. What people answer it may have been told to
 * report to our other address, without the provider at its end.
 */
function givenAs(url: string, called: URL): string[] {
  const { origin, pathname } = new URL(url)
  const { search } = called
  return [
    `${origin}${pathname}${search}`,
    `${url.replace(/\?.*/s, '')}${search}`,
    `${origin}${called.pathname}${search}`,
    called.href,
  ]
}

/** Reads a status callback, or a message that somebody sent. */
export function readTwilioReceipts(
  webhook: Webhook,
  settings: Pick<TwilioSettings, 'auth_token' | 'callback_url'>,
): Receipts | RefusedWebhook {
  const form = new URLSearchParams(Buffer.from(webhook.body).toString('utf8'))
  const called = new URL(webhook.url)
  const signature = webhook.headers['x-twilio-signature'] ?? ''
  const urls = settings.callback_url === undefined ? [called.href] : givenAs(settings.callback_url, called)
  if (!urls.some((url) => sameSecret(signature, signTwilio(url, form, settings.auth_token)))) {
    return { outcome: 'refused', status: 401, reason: 'X-Twilio-Signature does not fit the request' }
  }
  const sid = form.get('MessageSid') ?? form.get('SmsSid')
  if (!sid) return { outcome: 'refused', status: 400, reason: 'there is no MessageSid' }
  const at = webhook.now
  const status = form.get('MessageStatus')
  if (status === null) {
    const [from, text] = [form.get('From'), form.get('Body')]
    if (!from || text === null) {
      return { outcome: 'refused', status: 400, reason: 'there is neither MessageStatus nor From and Body' }
    }
    const optOut = form.get('OptOutType') === 'STOP' || isOptOut(text)
    const reply = { from, text, optOut, eventId: sid, at }
    // An empty answer of TwiML: nothing is said here, the confirmation goes out by itself.
    return {
      outcome: 'accepted',
      events: [],
      replies: [reply],
      answer: { type: 'text/xml', body: '<Response/>' },
    }
  }
  const named = readReference(called.searchParams.get('ref') ?? '')
  const code = form.get('ErrorCode') ?? ''
  const reported = KINDS[status]
  if (!named || reported === undefined) return { outcome: 'accepted', events: [], replies: [] }
  const kind =
    reported !== 'soft_bounce'
      ? reported
      : GONE.includes(code)
        ? 'hard_bounce'
        : code === String(OPTED_OUT)
          ? 'unsubscribed'
          : reported
  const event = {
    ...named,
    kind,
    eventId: `${sid}:${status}`,
    at,
    providerId: sid,
    ...(code ? { detail: `error ${code}` } : {}),
  }
  return { outcome: 'accepted', events: [event], replies: [] }
}
