import { randomUUID } from 'node:crypto'
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import { messageOf } from '../errors.ts'
import type { Refusal } from './answers.ts'

// HTTP as it comes in from anybody: slowly, never whole, all at once, or as no HTTP at all. What a connection holds is
// bounded, and ends.

/** How long a connection may hold what. Milliseconds. */
export interface Patience {
  /** For the headers of a request, and for the whole of it: at most a megabyte. */
  readonly headers: number
  readonly request: number
  /** How often it is looked who is late. */
  readonly look: number
  /** Without a byte in either direction: an answer that nobody reads, a report that takes its time. */
  readonly silence: number
}

const PATIENCE: Patience = { headers: 20_000, request: 60_000, look: 5_000, silence: 300_000 }

/** Requests of one connection that may wait for each other. No browser and no proxy sends a second before the first is answered. */
const PIPELINED = 16

/** A server for what the app answers; it does not listen yet. */
export function openListener(
  fetch: Parameters<typeof getRequestListener>[0],
  patience: Patience = PATIENCE,
): Server {
  const listener = getRequestListener(fetch, {
    overrideGlobalObjects: false,
    // HTTP/1.0 need not name a host, and what asks for the health of a server often does not.
    hostname: 'localhost',
    errorHandler: (error) =>
      Response.json(refusal(`it cannot be read: ${messageOf(error)}`), { status: 400 }),
  })
  const lines = new WeakMap<Duplex, Line>()
  const server = createServer(
    {
      headersTimeout: patience.headers,
      requestTimeout: patience.request,
      connectionsCheckingInterval: patience.look,
    },
    oneAfterAnother(listener, lines),
  )
  server.setTimeout(patience.silence)
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const begun = lines.get(socket)?.some(({ response }) => response.headersSent) ?? false
    if (begun || !socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
    socket.end(answerTo(error), () => socket.destroy())
  })
  return server
}

type Line = { readonly response: ServerResponse; begin(): void }[]

/** Serves the requests of a connection in their order, so that many on one are worth no more than one on each of many. */
function oneAfterAnother(listener: RequestListener, lines: WeakMap<Duplex, Line>): RequestListener {
  return (request, response) => {
    const socket: Socket = request.socket
    if (socket.destroyed) return
    const line = lines.get(socket) ?? []
    lines.set(socket, line)
    if (line.length >= PIPELINED) return void socket.destroy()
    line.push({ response, begin: () => void listener(request, response) })
    response.once('close', () => {
      line.shift()
      if (!socket.destroyed) line[0]?.begin()
    })
    if (line.length === 1) line[0]?.begin()
  }
}

/** What Node's parser says of a request it gave up, as an answer. */
function answerTo({ code = '', message }: NodeJS.ErrnoException): string {
  const [status, reason] =
    code === 'HPE_HEADER_OVERFLOW'
      ? ['431 Request Header Fields Too Large', 'its address and headers are larger than 16 KB']
      : code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW'
        ? ['413 Payload Too Large', 'the extensions of its chunks are larger than 16 KB']
        : code === 'ERR_HTTP_REQUEST_TIMEOUT'
          ? ['408 Request Timeout', 'it did not come in whole in time']
          : ['400 Bad Request', `it is no HTTP: ${message}`]
  const body = JSON.stringify(refusal(reason))
  const headers = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close`
  return `HTTP/1.1 ${status}\r\n${headers}\r\n\r\n${body}`
}

function refusal(reason: string): Refusal {
  return { error: 'malformed', reason: `the request was not served: ${reason}`, request_id: randomUUID() }
}
