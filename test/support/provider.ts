import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { LoopbackAnswer, LoopbackRequest } from '../../src/simulator/providers/loopback.ts'

export type { LoopbackAnswer, LoopbackRequest } from '../../src/simulator/providers/loopback.ts'

// A provider of the test's own, over real HTTP: it says what it was asked and answers as it is told.

/** What a provider does instead of answering. */
export type Misbehaviour = 'silence' | 'hang up'

export interface Provider {
  readonly url: string
  readonly asked: LoopbackRequest[]
  /** How many requests came in, those included that `instead` was done to. */
  readonly reached: number
  /** The most requests that were under way at one time. */
  readonly peak: number
  /** Undefined: as `serve` says. */
  instead: LoopbackAnswer | Misbehaviour | undefined
  stop(): Promise<void>
}

/**
 * @param serve what the provider does while `instead` says nothing else; it checks what the real one would check
 * @param at the port it listens at; one that is free, by default
 */
export async function openProvider(
  serve: (asked: LoopbackRequest) => LoopbackAnswer | Misbehaviour,
  at = 0,
): Promise<Provider> {
  const asked: LoopbackRequest[] = []
  let underWay = 0
  let reached = 0
  let peak = 0
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      const one = { method, path: url, headers, body: Buffer.concat(chunks) }
      underWay += 1
      reached += 1
      peak = Math.max(peak, underWay)
      const { instead } = provider
      // Long enough for those who come at the same time to be seen together.
      setTimeout(() => {
        underWay -= 1
        const answer = instead ?? serve(one)
        if (instead === undefined) asked.push(one)
        if (answer === 'silence') return
        if (answer === 'hang up') {
          request.socket.destroy()
          return
        }
        response.writeHead(answer.status, answer.headers ?? { 'Content-Type': 'application/json' })
        response.end(answer.body ?? '')
      }, 15)
    })
  })
  await new Promise<void>((resolve) => server.listen(at, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const provider: Provider = {
    url: `http://127.0.0.1:${port}/`,
    asked,
    get reached() {
      return reached
    },
    get peak() {
      return peak
    },
    instead: undefined,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return provider
}
