import { z } from 'zod'
import { hostOf, LOOPBACK } from '../channels/private-hosts.ts'
import { messageOf } from '../errors.ts'

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
    allow_private: z
      .array(z.string())
      .prefault([])
      .describe('Hosts, by name, in a private network: they may be called by http'),
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

/** `unknown`: perhaps it was credited. Asking again with the same key is the only way to know. */
export type CreditAnswer =
  | { readonly outcome: 'credited' }
  | { readonly outcome: 'refused'; readonly detail: string }
  | { readonly outcome: 'unknown'; readonly detail: string }

export interface OfferProvider {
  readonly concurrency: number
  /** Never throws for what a provider may do. */
  credit(request: CreditRequest): Promise<CreditAnswer>
}

/** Statuses that say nothing about the request itself: it may be made again. */
const AGAIN = new Set([408, 409, 425, 429])

/**
 * A provider over HTTP. 2xx means credited (now or by an earlier call with the key); 4xx refused for good, but for
 * 408, 409 (a call with the key is under way), 425 and 429; anything else, a time-out included, is not known.
 * @param timeOut a signal that aborts after so many milliseconds
 */
export function openOfferProvider(
  settings: OfferProviderSettings,
  timeOut: (milliseconds: number) => AbortSignal = (milliseconds) => AbortSignal.timeout(milliseconds),
): OfferProvider {
  const { url, token, timeout, concurrency } = settings
  return {
    concurrency,
    credit: async (request) => {
      try {
        const response = await fetch(url, {
          method: 'POST',
          redirect: 'error',
          headers: {
            'content-type': 'application/json',
            'idempotency-key': request.key,
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          },
          body: JSON.stringify(request),
          signal: timeOut(timeout),
        })
        const said = await beginningOf(response)
        if (response.ok) return { outcome: 'credited' }
        const detail = `${response.status} ${said}`.trim()
        const refused = response.status >= 400 && response.status < 500 && !AGAIN.has(response.status)
        return { outcome: refused ? 'refused' : 'unknown', detail }
      } catch (error) {
        return { outcome: 'unknown', detail: messageOf(error) }
      }
    },
  }
}

/** Characters of an answer that are kept, and bytes of it that are read. */
const SAID = 300
const READ = 65_536

/** The beginning of what was answered. However long the rest is, and however small it came packed, it is left. */
async function beginningOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for await (const chunk of body ?? []) {
      chunks.push(chunk)
      length += chunk.length
      if (length >= READ) break
    }
  } catch {
    // The status has said what matters.
  }
  return new TextDecoder().decode(Buffer.concat(chunks).subarray(0, SAID * 4)).slice(0, SAID)
}
