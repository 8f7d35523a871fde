import { z } from 'zod'
import { type Exchange, neverLeft, openHttp, parseJson } from '../http.ts'
import { LARGEST_PAYLOAD, type Push } from './content.ts'
import type { DeviceOutcome, PushProvider } from './device.ts'
import type { JpushSettings } from './settings.ts'

// JPush, REST API v3: for mainland China, where neither FCM nor most web push arrives. A `cid` from its pool makes a
// repeat recognisable for a day, so an answer that is lost, or none, is asked for once more with the same one.

const pushed = z.object({ msg_id: z.union([z.string(), z.number()]) })
const pool = z.object({ cidlist: z.array(z.string()) })
const failed = z.object({ error: z.object({ code: z.coerce.number(), message: z.string() }) })

/** How many cids are taken from the pool at a time: what an account without a contract may have. */
const CIDS = 10
/** Milliseconds a cid is used for. JPush knows it for a day, in which a lost answer has to be asked for again. */
const FRESH = 43_200_000

export function openJpush(settings: JpushSettings, deadline: number): PushProvider {
  // A cid, the push, and once more where its answer was lost.
  const http = openHttp({ deadline: deadline / 3, reuse: false })
  const authorization = `Basic ${Buffer.from(`${settings.app_key}:${settings.master_secret}`).toString('base64')}`
  const headers = { Authorization: authorization, 'Content-Type': 'application/json' }
  const url = (path: string) => new URL(path, settings.endpoint).href
  let cids: readonly string[] = []
  /** Until when they are used; real time, ms. */
  let cidsUntil = 0
  /** Until when the account has used up its rate; real time, ms. */
  let heldUntil = 0

  const call = async (method: 'GET' | 'POST', path: string, body?: string): Promise<Exchange> => {
    const exchange = await http.call({
      method,
      url: url(path),
      headers,
      ...(body === undefined ? {} : { body }),
    })
    if (exchange.kind === 'answered') heldUntil = holdOf(exchange, heldUntil)
    return exchange
  }
  const takeCid = async (): Promise<string | Exchange> => {
    const [known, ...left] = cids
    if (known !== undefined && Date.now() < cidsUntil) {
      cids = left
      return known
    }
    const exchange = await call('GET', `v3/push/cid?count=${CIDS}&type=push`)
    const list =
      exchange.kind === 'answered' ? pool.safeParse(parseJson(exchange.text)).data?.cidlist : undefined
    const [first, ...rest] = list ?? []
    if (first === undefined) return exchange
    cids = rest
    cidsUntil = Date.now() + FRESH
    return first
  }

  return {
    send: async (device, push) => {
      const held = heldUntil - Date.now()
      if (held > 0) {
        const after = Math.ceil(held / 1000)
        return { outcome: 'retry', detail: 'JPush’s rate is used up', after, takesNone: true }
      }
      const cid = await takeCid()
      // Nothing has been pushed yet, so whatever came of asking for a cid, it can be tried again.
      if (typeof cid !== 'string') return forLater(classify(cid))
      const body = JSON.stringify(pushTo(device.token, push, cid, settings.production))
      if (Buffer.byteLength(body) > LARGEST_PAYLOAD) {
        return { outcome: 'rejected', reason: 'content', detail: `the push is over ${LARGEST_PAYLOAD} bytes` }
      }
      const first = await call('POST', 'v3/push', body)
      const known = first.kind === 'unsent' || (first.kind === 'answered' && first.status < 500)
      if (known) return classify(first)
      // Of one that it has pushed JPush says again what it said.
      const again = classify(await call('POST', 'v3/push', body))
      // One that never left, or was turned away unread (the rate, our key), says nothing of the first; the next try has another cid.
      return again.outcome === 'retry' ? classify(first) : again
    },
    check: async () => {
      const exchange = await call('GET', 'v3/push/cid?count=1&type=push')
      if (exchange.kind !== 'answered') throw new Error(exchange.detail)
      if (exchange.status !== 200) throw new Error(`JPush answers ${exchange.status} to ${settings.app_key}`)
      return `JPush app ${settings.app_key}`
    },
    close: () => http.close(),
  }
}

function pushTo(token: string, push: Push, cid: string, production: boolean) {
  const { title, body, url, tap, reference, ttl } = push
  // Android shows nothing at all of a push without a text.
  const alert = body === '' ? title : body
  const extras = { reference, ...(url === undefined ? {} : { url }), ...(tap === undefined ? {} : { tap }) }
  return {
    cid,
    platform: 'all',
    audience: { registration_id: [token] },
    notification: { android: { alert, title, extras }, ios: { alert: { title, body }, extras } },
    options: { time_to_live: Math.min(ttl, 864_000), apns_production: production },
  }
}

/** A rate of which nothing is left holds the next push until it is renewed; `Reset` is in seconds. */
function holdOf({ headers, status }: Extract<Exchange, { kind: 'answered' }>, before: number): number {
  const [left, reset] = ['x-rate-limit-remaining', 'x-rate-limit-reset'].map((name) =>
    Number(headers[name] ?? Number.NaN),
  )
  const seconds = reset !== undefined && reset > 0 && reset <= 3600 ? reset : 60
  return left === 0 || status === 429 ? Date.now() + seconds * 1000 : before
}

function forLater(outcome: DeviceOutcome): DeviceOutcome {
  return outcome.outcome === 'retry'
    ? outcome
    : { outcome: 'retry', detail: `no cid: ${outcome.detail ?? 'none came'}`, after: 60 }
}

/** https://docs.jiguang.cn/jpush/server/push/rest_api_v3_push (error codes) */
function classify(exchange: Exchange): DeviceOutcome {
  if (exchange.kind === 'unsent') return neverLeft(exchange)
  if (exchange.kind === 'lost') return { outcome: 'uncertain', detail: exchange.detail }
  const { status, text, headers } = exchange
  const value = parseJson(text)
  if (status < 300) {
    const id = pushed.safeParse(value).data?.msg_id
    return id === undefined
      ? { outcome: 'uncertain', detail: `JPush answers ${status} without an id` }
      : { outcome: 'sent', providerId: String(id) }
  }
  const { code = 0, message = '' } = failed.safeParse(value).data?.error ?? {}
  const detail = `JPush answers ${status} ${code || ''} ${message}`.replace(/ +/g, ' ').trim()
  // 1011: nobody has this registration id (any more).
  if (code === 1011) return { outcome: 'dead', detail }
  if (status === 429 || code === 2002) {
    const reset = Number(headers['x-rate-limit-reset'] ?? Number.NaN)
    return { outcome: 'retry', detail, after: reset > 0 && reset <= 3600 ? reset : 60, takesNone: true }
  }
  // 1008: there is no such app; 2003, 2004: it may push no more, or not by this API.
  if (status === 401 || [1004, 1008, 2003, 2004].includes(code)) {
    return { outcome: 'retry', detail, unsent: true, unreached: true }
  }
  if (status === 403) return { outcome: 'retry', detail, after: 3600 }
  if (status >= 500) return { outcome: 'uncertain', detail }
  // JPush numbers its refusals. What has none is another's: a proxy, a redirect.
  if (!code) return { outcome: 'retry', detail, after: 300 }
  return { outcome: 'rejected', reason: code === 1005 || code === 1003 ? 'content' : 'refused', detail }
}
