import type { Context, MiddlewareHandler } from 'hono'

/**
 * Refuses bodies of more than `most` bytes, by what the request says of its length, or else by reading that far. What
 * was read is given on as a request of its own: hono's middleware copies the one that came, which is the server's own
 * kind and cannot be copied, so that every DELETE without a length and every chunked body failed.
 */
export function limitBody(most: number, refuse: (c: Context) => Response): MiddlewareHandler {
  return async (c, next) => {
    const { headers, method, url } = c.req.raw
    if (headers.has('content-length') && !headers.has('transfer-encoding')) {
      return Number(headers.get('content-length')) > most ? refuse(c) : await next()
    }
    const { body } = c.req.raw
    if (!body) return await next()
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of body) {
      size += chunk.length
      if (size > most) return refuse(c)
      chunks.push(chunk)
    }
    c.req.raw = new Request(url, { method, headers, body: Buffer.concat(chunks) })
    return await next()
  }
}
