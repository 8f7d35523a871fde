import { z } from 'zod'
import { openHttp, saysTakesNone } from '../channels/http.ts'
import { hostOf, LOOPBACK } from '../channels/private-hosts.ts'
import { privateHosts } from '../channels/server-name.ts'

// Crediting an offer to the account, in the user's own system: one HTTP call a grant, with the same key however often
// it is made.

/** The `offers.provider` block of winback.yaml. */
export const offerProviderSettings = z
  .strictObject({
    url: z
      .url({ protocol: /^https?$/, error: 'expected an address such as https://shop.example/credits' })
      .describe(
        'POSTed to, once for each grant and again with the same Idempotency-Key where in doubt; https, unless the host is allowed',
      ),
    token: z.string().optional().describe('Sent as Authorization: Bearer; only as a reference'),
    allow_private: privateHosts.describe('Hosts, by name, in a private network: they may be called by http'),
    timeout: z.int().min(100).max(30_000).prefault(5000).describe('Milliseconds for one call'),
    concurrency: z.int().min(1).max(100).prefault(20).describe('Calls under way at once in a process'),
  })
  .superRefine(({ url, allow_private: allowed }, context) => {
    if (!URL.canParse(url)) return
    const target = new URL(url)
    const host = hostOf(target)
    if (target.protocol !== 'http:' || [...LOOPBACK, ...allowed].includes(host)) return
    context.addIssue({
      code: 'custom',
      path: ['url'],
      message: `${host} must be called by https, or be named in allow_private: the token, and who is credited what, would go out in clear`,
    })
  })
export type OfferProviderSettings = z.output<typeof offerProviderSettings>

/** What the provider is told of one grant. */
export interface CreditRequest {
  /** The same for every call of a grant: sent as Idempotency-Key and in the body. */
  readonly key: string
  readonly external_id: string
  readonly campaign: string
  readonly offer: string
  readonly kind: string
  /** The kind’s own terms, as a message would say them. */
  readonly terms: Readonly<Record<string, unknown>>
  readonly expires_at: string
}

/**
 * `unknown`: perhaps it was credited. Asking again with the same key is the only way to know. With `takesNone` it credits
 * nobody at this moment, whoever is asked for. `unasked`: certainly not by this call, which did not reach the provider, or
 * was not let in; that says nothing of the grant, nor of an earlier call.
 */
export type CreditAnswer =
  | { readonly outcome: 'credited' }
  | { readonly outcome: 'refused'; readonly detail: string }
  | { readonly outcome: 'unknown'; readonly detail: string; readonly takesNone?: boolean }
  | { readonly outcome: 'unasked'; readonly detail: string }

/** Whoever credits offers to accounts. */
export interface OfferProvider {
  readonly concurrency: number
  /** Never throws for what a provider may do. */
  credit(request: CreditRequest): Promise<CreditAnswer>
  /** Waits for no answer any more: what is under way is not known. */
  leave?(): void
}

/** Statuses that say nothing about the request itself: it may be made again. */
const AGAIN = new Set([408, 409, 425, 429])

/** Characters of an answer that are kept, and bytes of it that are read. */
const SAID = 300
const READ = 65_536

/**
 * A provider over HTTP. 2xx means credited (now or by an earlier call with the key); 4xx refused for good, but for
 * 401 (it does not let us in, whatever is asked), 408, 409 (a call with the key is under way), 425 and 429; anything else,
 * a time-out included, is not known, where the call may have arrived. 429, 502, 503 and 504 say so of every call.
 * @param timeOut a signal that aborts after so many milliseconds
 */
export function openOfferProvider(
  settings: OfferProviderSettings,
  timeOut: (milliseconds: number) => AbortSignal = (milliseconds) => AbortSignal.timeout(milliseconds),
): OfferProvider {
  const { url, token, timeout, concurrency } = settings
  // It recognises a repeat: a connection may be kept.
  const http = openHttp({ deadline: timeout, reuse: true })
  return {
    concurrency,
    credit: async (request) => {
      const exchange = await http.call({
        method: 'POST',
        url,
        headers: {
          'content-type': 'application/json',
          'idempotency-key': request.key,
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        body: JSON.stringify(request),
        signal: timeOut(timeout),
        most: READ,
      })
      if (exchange.kind === 'unsent') return { outcome: 'unasked', detail: exchange.detail }
      if (exchange.kind === 'lost') return { outcome: 'unknown', detail: exchange.detail }
      const { status, text } = exchange
      if (status >= 200 && status < 300) return { outcome: 'credited' }
      // Pages of errors show what was asked, headers and all: it is kept, and the token is not.
      const words = token === undefined ? text : text.replaceAll(token, '•••')
      const detail = `${status} ${words.slice(0, SAID)}`.trim()
      if (status === 401) return { outcome: 'unasked', detail }
      const refused = status >= 400 && status < 500 && !AGAIN.has(status)
      if (refused) return { outcome: 'refused', detail }
      return { outcome: 'unknown', detail, ...(saysTakesNone(status) ? { takesNone: true } : {}) }
    },
    leave: () => http.close(),
  }
}
