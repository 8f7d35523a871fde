import { createPrivateKey, createSign } from 'node:crypto'
import { z } from 'zod'
import { messageOf, WinbackError } from '../../errors.ts'
import { type Exchange, neverLeft, openHttp, parseJson, retryAfter } from '../http.ts'
import { LARGEST_PAYLOAD, type Push } from './content.ts'
import type { DeviceOutcome, PushProvider } from './device.ts'
import type { FcmSettings } from './settings.ts'

// Firebase Cloud Messaging, HTTP v1, by a service account: a JWT signed with its key is exchanged for a bearer token
// (RFC 7523), which is good for an hour.

const SCOPE = 'https://www.googleapis.com/auth/firebase.messaging'
const granted = z.object({ access_token: z.string(), expires_in: z.coerce.number().positive() })
const denied = z.object({ error: z.string(), error_description: z.string().optional() })
const accepted = z.object({ name: z.string() })
const failed = z.object({
  error: z.object({
    status: z.string().optional(),
    message: z.string().optional(),
    details: z.array(z.looseObject({ errorCode: z.string().optional() })).optional(),
  }),
})

/** The assertion of RFC 7523. @param now seconds since 1970 */
function signAssertion(settings: FcmSettings, now: number): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = {
    iss: settings.client_email,
    scope: SCOPE,
    aud: settings.token_url,
    iat: now,
    exp: now + 3600,
  }
  const text = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`
  return `${text}.${createSign('RSA-SHA256').update(text).sign(settings.private_key, 'base64url')}`
}

/** @throws WinbackError `channels.push.settings` for a key that cannot be read */
export function openFcm(settings: FcmSettings, deadline: number): PushProvider {
  try {
    createPrivateKey(settings.private_key)
  } catch (cause) {
    throw new WinbackError(
      'channels.push.settings',
      `channels.push.fcm.private_key cannot be read: ${messageOf(cause)}`,
      { remedy: 'Refer to the PEM of the service account: `private_key` of its JSON file.', cause },
    )
  }
  // Half for the bearer token, where there is none; half for the push.
  const http = openHttp({ deadline: deadline / 2, reuse: false })
  const url = new URL(
    `v1/projects/${encodeURIComponent(settings.project_id)}/messages:send`,
    settings.endpoint,
  )
  let bearer: { token: string; until: number } | undefined
  let granting: Promise<string> | undefined

  const grant = async (): Promise<string> => {
    const now = Date.now() / 1000
    const exchange = await http.call({
      method: 'POST',
      url: settings.token_url,
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({
        grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        assertion: signAssertion(settings, Math.floor(now)),
      }).toString(),
    })
    if (exchange.kind !== 'answered') throw new Error(exchange.detail)
    const answer = granted.safeParse(parseJson(exchange.text)).data
    if (!answer) {
      // In Google's words (RFC 6749, 5.2): a key that was revoked and a clock that is wrong have one status.
      const words = denied.safeParse(parseJson(exchange.text)).data
      const said = [exchange.status, words?.error, words?.error_description].filter(Boolean).join(' ')
      throw new Error(`Google answers ${said} to ${settings.client_email}`)
    }
    bearer = { token: answer.access_token, until: now + answer.expires_in - 60 }
    return answer.access_token
  }
  const authorise = (): Promise<string> => {
    if (bearer && bearer.until > Date.now() / 1000) return Promise.resolve(bearer.token)
    granting ??= grant().finally(() => {
      granting = undefined
    })
    return granting
  }

  return {
    send: async (device, push) => {
      // Real time, whatever clock the campaign runs by: Apple compares it with its own.
      const expires = Math.floor(Date.now() / 1000) + push.ttl
      const body = JSON.stringify({ message: messageTo(device.token, push, expires) })
      if (Buffer.byteLength(body) > LARGEST_PAYLOAD) {
        return {
          outcome: 'rejected',
          reason: 'content',
          detail: `the message is over ${LARGEST_PAYLOAD} bytes`,
        }
      }
      let token: string
      try {
        token = await authorise()
      } catch (error) {
        const detail = `no access to FCM: ${messageOf(error)}`
        return { outcome: 'retry', detail, unsent: true, unreached: true }
      }
      const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
      const exchange = await http.call({ method: 'POST', url: url.href, headers, body })
      if (exchange.kind === 'answered' && exchange.status === 401) bearer = undefined
      return classify(exchange)
    },
    check: async () => {
      await authorise()
      return `FCM project ${settings.project_id}`
    },
    close: () => http.close(),
  }
}

/** Each kind of device has its own way to say for how long a push waits; unsaid, it is four weeks. @param expires Unix seconds */
function messageTo(token: string, push: Push, expires: number) {
  const { title, body, url, tap, reference, ttl } = push
  return {
    token,
    notification: { title, body },
    data: { reference, ...(url === undefined ? {} : { url }), ...(tap === undefined ? {} : { tap }) },
    android: { ttl: `${ttl}s`, collapse_key: reference },
    apns: { headers: { 'apns-collapse-id': reference, 'apns-expiration': String(expires) } },
    webpush: { headers: { TTL: String(ttl) } },
  }
}

function classify(exchange: Exchange): DeviceOutcome {
  if (exchange.kind === 'unsent') return neverLeft(exchange)
  if (exchange.kind === 'lost') return { outcome: 'uncertain', detail: exchange.detail }
  const { status, headers, text } = exchange
  const value = parseJson(text)
  if (status < 300) {
    const name = accepted.safeParse(value).data?.name
    return name === undefined
      ? { outcome: 'uncertain', detail: `FCM answers ${status} without a name` }
      : { outcome: 'sent', providerId: name }
  }
  const error = failed.safeParse(value).data?.error
  const code =
    error?.details?.find(({ errorCode }) => errorCode !== undefined)?.errorCode ?? error?.status ?? ''
  const detail = `FCM answers ${status} ${code} ${error?.message ?? ''}`.trim()
  // Not in FCM's words, so another's: a proxy, a redirect. It says nothing of the device.
  if (!error && status < 500 && status !== 429) return { outcome: 'retry', detail, after: 300 }
  if (code === 'UNREGISTERED' || status === 404) return { outcome: 'dead', detail }
  if (status === 400 && /registration token/i.test(error?.message ?? '')) return { outcome: 'dead', detail }
  if (status === 400) return { outcome: 'rejected', reason: 'content', detail }
  // Apple or the browsers do not know the key that the project has for them: FCM is there for all other devices.
  if (code === 'THIRD_PARTY_AUTH_ERROR') return { outcome: 'retry', detail, after: 300 }
  // Of the 403, SENDER_ID_MISMATCH is about the device: the service account is of another project than its app. It is alive,
  // and were it forgotten, the mistake would still be felt when it has long been mended. Google's PERMISSION_DENIED is about us.
  if (status === 401 || (status === 403 && code === 'PERMISSION_DENIED')) {
    return { outcome: 'retry', detail, unsent: true, unreached: true }
  }
  if (status === 403) return { outcome: 'retry', detail, after: 300 }
  // Google's own word for both is to try again later: nothing was taken. The rate may be that of one device.
  if (status === 429 || status === 503) {
    const after = retryAfter(headers, new Date()) ?? 60
    return { outcome: 'retry', detail, after, takesNone: status === 503 }
  }
  return status >= 500 ? { outcome: 'uncertain', detail } : { outcome: 'rejected', reason: 'refused', detail }
}
