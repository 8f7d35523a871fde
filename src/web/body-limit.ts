import type { Context, MiddlewareHandler } from 'hono'
import { refuse } from './answers.ts'

// Bodies are read before anybody knows whose they are. A limit for each does not bound all of them together: a thousand
// that come in byte by byte are a gigabyte.

/** Bytes up to which a body is left to whoever reads it. */
const SMALL = 16_384

/** Memory for bodies that are not whole yet. */
export interface BodyMemory {
  /** @param giveUp called when others need the room: nobody has been coming in for longer */
  hold(giveUp: () => void): { add(bytes: number): void; release(): void }
}

/** @param most bytes that all of them may take */
export function openBodyMemory(most: number): BodyMemory {
  const held = new Map<() => void, number>()
  let total = 0
  const release = (giveUp: () => void) => {
    total -= held.get(giveUp) ?? 0
    held.delete(giveUp)
  }
  return {
    hold: (giveUp) => {
      held.set(giveUp, 0)
      return {
        add: (bytes) => {
          const before = held.get(giveUp)
          if (before === undefined) return
          held.set(giveUp, before + bytes)
          total += bytes
          for (const oldest of held.keys()) {
            if (total <= most) break
            release(oldest)
            oldest()
          }
        },
        release: () => release(giveUp),
      }
    },
  }
}

/**
 * Refuses bodies of more than `most` bytes, by what the request says of its length, or else by reading that far. What
 * was read is given on as a request of its own: hono's middleware copies the one that came, which is the server's own
 * kind and cannot be copied, so that every DELETE without a length and every chunked body failed.
 * @param memory where bodies come from anybody: what all of them may hold at a time
 */
export function limitBody(
  most: number,
  tooLarge: (c: Context) => Response,
  memory?: BodyMemory,
): MiddlewareHandler {
  return async (c, next) => {
    const { headers, method, url } = c.req.raw
    if (headers.has('content-length') && !headers.has('transfer-encoding')) {
      const length = Number(headers.get('content-length'))
      if (length > most) return tooLarge(c)
      if (!memory || length <= SMALL) return await next()
    }
    const reader = c.req.raw.body?.getReader()
    if (!reader) return await next()
    let gaveUp = false
    const room = memory?.hold(() => {
      gaveUp = true
      void reader.cancel().catch(() => {})
    })
    const chunks: Uint8Array[] = []
    let size = 0
    try {
      for (;;) {
        const { done, value } = await reader.read()
        if (gaveUp) {
          c.header('Retry-After', '1')
          return refuse(
            c,
            429,
            'busy',
            'more is coming in than can be kept in memory; send it again in a second',
          )
        }
        if (done) break
        size += value.length
        if (size > most) return tooLarge(c)
        chunks.push(value)
        room?.add(value.length)
      }
    } finally {
      room?.release()
    }
    c.req.raw = new Request(url, { method, headers, body: Buffer.concat(chunks) })
    return await next()
  }
}
