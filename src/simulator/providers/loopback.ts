import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

// Providers of messages as the demo and the tests meet them: each a server on this machine that checks what the real
// one would check, and sends nothing on.

/** A request as it came in. */
export interface LoopbackRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

export interface LoopbackAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** What a provider says to a request. */
export type Serve = (asked: LoopbackRequest) => LoopbackAnswer

export interface Loopback {
  /** Ends in a slash. */
  readonly url: string
  close(): Promise<void>
}

/** Listens on a free port of the loopback. */
export async function openLoopback(serve: Serve): Promise<Loopback> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      const answer = serve({ method, path: url, headers, body: Buffer.concat(chunks) })
      response.writeHead(answer.status, answer.headers ?? { 'Content-Type': 'application/json' })
      response.end(answer.body ?? '')
    })
  })
  await new Promise<void>((listening, failed) => {
    server.once('error', failed)
    server.listen(0, '127.0.0.1', listening)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    close: async () => {
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
    },
  }
}

/** An answer in JSON. */
export function answer(
  value: unknown,
  status = 200,
  headers?: Readonly<Record<string, string>>,
): LoopbackAnswer {
  return { status, body: JSON.stringify(value), ...(headers ? { headers } : {}) }
}
