import { createRequire } from 'node:module'
import { messageOf, WinbackError } from '../../errors.ts'
import type { Device } from '../channel.ts'
import { openHttp, retryAfter } from '../http.ts'
import { guardedLookup, refusalOf } from '../private-hosts.ts'
import { LARGEST_PAYLOAD, type Push } from './content.ts'
import type { DeviceOutcome, PushProvider } from './device.ts'
import type { WebPushSettings } from './settings.ts'

// Web push: RFC 8030 (the protocol), 8291 (encryption for the browser), 8292 (VAPID). `web-push` encrypts and signs;
// the request is ours, since an endpoint is a URL that a browser's user gave us.

// Read where the channel is opened: every verb reads the registry of channels, and few push.
const require = createRequire(import.meta.url)

/** @throws WinbackError `channels.push.settings` for keys that cannot be used */
export function openWebPush(settings: WebPushSettings, deadline: number): PushProvider {
  const webpush = require('web-push') as typeof import('web-push')
  const { subject, public_key: publicKey, private_key: privateKey, allow_private } = settings
  const http = openHttp({ deadline, reuse: false, lookup: guardedLookup(allow_private) })
  const request = ({ token, keys }: Device, push: Push) =>
    webpush.generateRequestDetails(
      { endpoint: token, keys: keys ?? { p256dh: '', auth: '' } },
      JSON.stringify({ title: push.title, body: push.body, url: push.url, tap: push.tap }),
      {
        vapidDetails: { subject, publicKey, privateKey },
        TTL: push.ttl,
        contentEncoding: 'aes128gcm',
        urgency: 'normal',
        // A push that waits for the device is replaced by a repeat of itself.
        topic: push.reference,
      },
    )
  try {
    webpush.setVapidDetails(subject, publicKey, privateKey)
  } catch (cause) {
    throw new WinbackError('channels.push.settings', `channels.push.web: ${messageOf(cause)}`, {
      remedy: 'Make a pair of keys with `npx web-push generate-vapid-keys`.',
      cause,
    })
  }
  return {
    send: async (device, push) => {
      let details: ReturnType<typeof request>
      try {
        const refusal = refusalOf(device.token, allow_private)
        if (refusal !== undefined) return { outcome: 'dead', detail: refusal }
        const { hostname } = new URL(device.token)
        if (NOWHERE.test(hostname)) return { outcome: 'dead', detail: `${hostname} is nowhere` }
        details = request(device, push)
      } catch (error) {
        return { outcome: 'dead', detail: `no subscription: ${messageOf(error)}` }
      }
      const body = details.body ?? Buffer.alloc(0)
      if (body.length > LARGEST_PAYLOAD) {
        const detail = `${body.length} bytes; push services take ${LARGEST_PAYLOAD}`
        return { outcome: 'rejected', reason: 'content', detail }
      }
      const headers = Object.fromEntries(
        Object.entries(details.headers).map(([name, value]) => [name, String(value)]),
      )
      return classify(await http.call({ method: 'POST', url: details.endpoint, headers, body }))
    },
    check: () => Promise.resolve(`web push signed for ${subject}`),
    close: () => http.close(),
  }
}

/** RFC 6761. Browsers without a push service subscribe at permanently-removed.invalid, Edge on Android among them. */
const NOWHERE = /\.invalid$/

/** Google and Apple of keys that are not those of the subscription, by a 400. */
const OUR_KEYS = /unauthorized ?registration|vapid/i

function classify(exchange: Awaited<ReturnType<ReturnType<typeof openHttp>['call']>>): DeviceOutcome {
  if (exchange.kind === 'unsent') return { outcome: 'retry', detail: exchange.detail }
  if (exchange.kind === 'lost') return { outcome: 'uncertain', detail: exchange.detail }
  const { status, headers, text } = exchange
  const detail = `the push service answers ${status} ${text.slice(0, 200)}`.trim()
  if (status < 300) {
    const { location } = headers
    return { outcome: 'sent', ...(location === undefined ? {} : { providerId: location }) }
  }
  if (status < 400) return { outcome: 'retry', detail: `${detail}; redirects are not followed`, after: 300 }
  // RFC 8292, 4.2: our keys are not those the browser subscribed with, or not believed. It says nothing of the message.
  if (status === 401 || status === 403 || (status === 400 && OUR_KEYS.test(text))) {
    return { outcome: 'retry', detail, after: 300 }
  }
  if (status === 404 || status === 410) return { outcome: 'dead', detail }
  if (status === 413) return { outcome: 'rejected', reason: 'content', detail }
  // Too many: Microsoft's service says so by 406. https://learn.microsoft.com/answers/questions/940324
  if (status === 429 || status === 406 || status === 503) {
    return { outcome: 'retry', detail, after: retryAfter(headers, new Date()) ?? 60 }
  }
  if (status >= 500) return { outcome: 'uncertain', detail }
  return { outcome: 'rejected', reason: 'refused', detail }
}
