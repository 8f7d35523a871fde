import { type Context, Hono } from 'hono'
import { greetProvider, takeReceipts } from '../../service/receipts.ts'
import type { Runtime } from '../../service/runtime.ts'
import { refuse } from '../answers.ts'

const ERRORS = { 400: 'malformed', 401: 'unauthorised', 404: 'not_found' } as const

/** Where providers report: each channel verifies its own provider's signature, so there is no other key. */
export function receiptsApi(options: { runtime: Runtime }): Hono {
  const { runtime } = options
  const read = (c: Context, provider: string | undefined) => {
    const { pathname, search } = new URL(c.req.url)
    const base = runtime.workspace.web.url
    // What the provider was told to call, and signs: behind a proxy the request itself says something else.
    const url = base === undefined ? c.req.url : `${base.replace(/\/+$/, '')}${pathname}${search}`
    return { url, provider, headers: c.req.header() }
  }
  const greet = async (c: Context, channel: string, provider: string | undefined) => {
    const greeting = await greetProvider(runtime, channel, read(c, provider))
    if (greeting.outcome === 'accepted') return c.text(greeting.answer)
    return refuse(c, greeting.status, ERRORS[greeting.status], greeting.reason)
  }
  const take = async (c: Context, channel: string, provider: string | undefined) => {
    const body = new Uint8Array(await c.req.arrayBuffer())
    const taken = await takeReceipts(runtime, channel, { ...read(c, provider), body })
    if (taken.outcome === 'refused') return refuse(c, taken.status, ERRORS[taken.status], taken.reason)
    const { answer, added, ignored, replies } = taken
    if (answer) return c.body(answer.body, 200, { 'Content-Type': answer.type })
    return c.json({ added, ignored, replies })
  }
  return new Hono()
    .get('/v1/receipts/:channel', (c) => greet(c, c.req.param('channel'), undefined))
    .get('/v1/receipts/:channel/:provider', (c) => greet(c, c.req.param('channel'), c.req.param('provider')))
    .post('/v1/receipts/:channel', (c) => take(c, c.req.param('channel'), undefined))
    .post('/v1/receipts/:channel/:provider', (c) => take(c, c.req.param('channel'), c.req.param('provider')))
}
