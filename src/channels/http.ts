import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import { pipeline, type Readable } from 'node:stream'
import { createUnzip } from 'node:zlib'
import { messageOf } from '../errors.ts'
import type { Retry } from './channel.ts'

// Requests to providers. What `fetch` cannot say is here: whether a request that failed had left this machine. Before
// a connection stands nothing was handed over; after that, nobody knows. Redirects are not followed.

export interface Call {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** Milliseconds, where fewer are left than the client's deadline. */
  readonly within?: number
  /** Gives up when it aborts, and not when the time is over. */
  readonly signal?: AbortSignal
  /** Bytes of the answer that are read, for whom its status says what matters: the rest is left, and may break off. */
  readonly most?: number
}

export type Exchange =
  | {
      readonly kind: 'answered'
      readonly status: number
      readonly headers: IncomingMessage['headers']
      readonly text: string
    }
  /** It never left: no connection came about (`unreached`), or it cannot be made into a request. */
  | { readonly kind: 'unsent'; readonly detail: string; readonly unreached: boolean }
  /** It may have arrived. */
  | { readonly kind: 'lost'; readonly detail: string }

export interface HttpClient {
  /** Never throws. Ends within the deadline. */
  call(call: Call): Promise<Exchange>
  /** Gives up what is under way, and sends nothing any more. */
  close(): void
}

/** Bytes of an answer: what is longer is no answer of a provider. */
const LARGEST_ANSWER = 1_000_000
const CLOSED = 'nobody waits for the answer any more: this process is ending'

/**
 * @param options.deadline milliseconds
 * @param options.reuse keeps connections. One that is kept may be closed by the other side just as a request goes out,
 *   and then nobody knows: only for providers that recognise a repeat
 * @param options.lookup resolves names in the place of the system's resolver
 */
export function openHttp(options: { deadline: number; reuse: boolean; lookup?: LookupFunction }): HttpClient {
  const { deadline, reuse, lookup } = options
  const agents = {
    'http:': new HttpAgent({ keepAlive: reuse }),
    'https:': new HttpsAgent({ keepAlive: reuse }),
  }
  const underWay = new Set<ClientRequest>()
  let closed = false
  return {
    call: ({ method, url, headers, body, within = deadline, signal, most }) =>
      new Promise<Exchange>((resolve) => {
        if (closed) return resolve({ kind: 'unsent', detail: CLOSED, unreached: false })
        let connected = false
        let answered = false
        let enough: (() => void) | undefined
        const fail = (said: string) => {
          clearTimeout(timer)
          if (enough) return enough()
          const detail = closed ? CLOSED : said
          resolve(connected ? { kind: 'lost', detail } : { kind: 'unsent', detail, unreached: true })
        }
        const bytes = body === undefined ? undefined : Buffer.from(body)
        const open = () => {
          const target = new URL(url)
          const secure = target.protocol === 'https:'
          const request = (secure ? httpsRequest : httpRequest)(target, {
            method,
            headers: { ...headers, ...(bytes ? { 'Content-Length': String(bytes.length) } : {}) },
            agent: agents[secure ? 'https:' : 'http:'],
            ...(lookup ? { lookup } : {}),
          })
          request.on('socket', (socket) => {
            if (!socket.connecting) connected = true
            else socket.once(secure ? 'secureConnect' : 'connect', () => (connected = true))
          })
          return request
        }
        let timer: NodeJS.Timeout | undefined
        let request: ReturnType<typeof open>
        try {
          request = open()
        } catch (error) {
          // A URL or a header that cannot be sent: a token with a line break in it.
          return resolve({ kind: 'unsent', detail: messageOf(error), unreached: false })
        }
        underWay.add(request)
        if (signal)
          signal.addEventListener('abort', () => request.destroy(new Error(messageOf(signal.reason))))
        else
          timer = setTimeout(() => request.destroy(new Error(`no answer within ${within / 1000} s`)), within)
        request.on('error', (error) => fail(messageOf(error)))
        // Comes in any case. It alone tells of a connection that Node gave up itself, as after an answer of 101.
        request.on('close', () => {
          underWay.delete(request)
          if (!answered) fail('the connection ended without an answer')
        })
        request.on('response', (response) => {
          answered = true
          const chunks: Buffer[] = []
          let length = 0
          const read = () => {
            clearTimeout(timer)
            const { statusCode = 0, headers } = response
            // Takes off the mark some put before UTF-8, which is no part of JSON.
            const text = new TextDecoder().decode(Buffer.concat(chunks).subarray(0, most))
            resolve({ kind: 'answered', status: statusCode, headers, text })
          }
          if (most !== undefined) enough = read
          const body = unpacked(response)
          body.on('data', (chunk: Buffer) => {
            length += chunk.length
            if (length > LARGEST_ANSWER) request.destroy(new Error('the answer does not end'))
            else chunks.push(chunk)
            if (most === undefined || length < most) return
            read()
            request.destroy()
          })
          body.on('error', (error) => fail(messageOf(error)))
          body.on('end', read)
          body.on('close', () => fail('the answer broke off'))
        })
        request.end(bytes)
      }),
    close: () => {
      closed = true
      for (const request of underWay) request.destroy()
      agents['http:'].destroy()
      agents['https:'].destroy()
    },
  }
}

/** What somebody packed without being asked to. */
function unpacked(response: IncomingMessage): Readable {
  const packed = /^(x-)?gzip$|^deflate$/i.test(response.headers['content-encoding'] ?? '')
  return packed ? pipeline(response, createUnzip(), () => {}) : response
}

/** What a request that never left means for the message it was to carry. Pure. */
export function neverLeft({ detail, unreached }: Extract<Exchange, { kind: 'unsent' }>): Retry {
  return { outcome: 'retry', detail, unsent: true, unreached }
}

/**
 * Whether an answer says of no request in particular that nothing is taken now: too many of them, out of service, a gateway that
 * finds nobody behind it, or nobody who answers. Of the gateways' (502, 503, 504) a request may have been taken for all that.
 */
export function saysTakesNone(status: number): boolean {
  return status === 429 || (status >= 502 && status <= 504)
}

/** Seconds. Whoever names more is asked again by then: a header that is nonsense must not cost a message its time. */
const LONGEST_WAIT = 21_600

/**
 * Seconds of a `Retry-After` header, whether it counts or names a time, six hours at most; undefined where it says
 * nothing usable.
 */
export function retryAfter(headers: IncomingMessage['headers'] | Headers, now: Date): number | undefined {
  const value = headers instanceof Headers ? headers.get('retry-after') : headers['retry-after']
  if (value === undefined || value === null) return undefined
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - now.getTime()) / 1000
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(Math.ceil(seconds), LONGEST_WAIT) : undefined
}

/** Parses JSON that somebody else wrote; undefined where it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
