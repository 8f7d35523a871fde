import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline as pipe } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { sql } from 'drizzle-orm'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { rows } from '../../src/database/connect.ts'
import { offer } from '../../src/offers/offers.ts'
import {
  type CreditRequest,
  type OfferProvider,
  offerProviderSettings,
  openOfferProvider,
} from '../../src/offers/provider.ts'
import { sweep } from '../../src/touchpoints/sweep.ts'
import { DAY, openPipeline, START } from '../support/pipeline.ts'

// A shop that credits accounts over HTTP, checks what such a shop would check, and fails in every way a network can.

/** What the shop does with one call: an answer, silence, or a line that breaks before or after it has credited. */
type Turn = number | 'credit, say nothing' | 'say nothing' | 'credit, drop' | 'drop'

const TOKEN = 'shop-secret'
const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function openShop(...turns: Turn[]) {
  const credited = new Map<string, CreditRequest>()
  const keys: string[] = []
  const problems: string[] = []
  // Whoever calls loses patience when the shop has heard the call and says nothing: however busy the machine, not before.
  const patience = new Map<string, AbortController>()
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (part: Buffer) => (body += part.toString('utf8')))
    request.on('end', () => {
      const said = JSON.parse(body) as CreditRequest
      const key = String(request.headers['idempotency-key'])
      keys.push(key)
      if (request.method !== 'POST') problems.push(`method ${request.method}`)
      if (request.headers['content-type'] !== 'application/json') problems.push('content-type')
      if (key !== said.key) problems.push(`the header says ${key}, the body ${said.key}`)
      const earlier = credited.get(key)
      if (earlier && JSON.stringify(earlier) !== body) problems.push(`${key} was about something else before`)
      if (request.headers.authorization !== `Bearer ${TOKEN}`) {
        response.writeHead(401).end(`who is ${request.headers.authorization}?`)
        return
      }
      const turn = turns.shift() ?? 200
      const credits = typeof turn === 'number' ? turn < 300 : turn.startsWith('credit')
      if (credits && !earlier) credited.set(key, said)
      if (typeof turn === 'number') response.writeHead(turn, { location: '/' }).end(`said ${turn}`)
      else if (turn.endsWith('drop')) request.socket.destroy()
      else patience.get(key)?.abort(new Error('the time is over'))
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  closing.push(async () => {
    server.closeAllConnections()
    await new Promise((closed) => server.close(closed))
  })
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/credit`
  const open = (changes: { token?: string; url?: string } = {}): OfferProvider => {
    const settings = offerProviderSettings.parse({ url, token: TOKEN, ...changes })
    const credit = (request: CreditRequest) => {
      const timeOut = (milliseconds: number) => {
        if (milliseconds !== settings.timeout) problems.push(`a time-out of ${milliseconds}`)
        const controller = new AbortController()
        patience.set(request.key, controller)
        return controller.signal
      }
      return openOfferProvider(settings, timeOut).credit(request)
    }
    return { concurrency: settings.concurrency, credit }
  }
  return { url, credited, keys, problems, open }
}

const REQUEST: CreditRequest = {
  key: 'grant-7',
  external_id: 'u 7 顾客',
  campaign: 'test',
  offer: 'five',
  kind: 'coupon',
  terms: { amount: 5 },
  expires_at: '2026-03-01T00:00:00.000Z',
}

describe('the provider of offers over HTTP', () => {
  it('is told whom, what and until when, with its token and a key', async () => {
    const shop = await openShop(200, 201, 204)
    for (const _ of [200, 201, 204]) {
      expect(await shop.open().credit(REQUEST)).toEqual({ outcome: 'credited' })
    }
    expect(shop.problems).toEqual([])
    expect([...shop.credited]).toEqual([['grant-7', REQUEST]])
  })

  it('has refused for good with a status that speaks of the request, and its words are kept', async () => {
    for (const status of [400, 402, 404, 410, 422]) {
      const shop = await openShop(status)
      expect(await shop.open().credit(REQUEST)).toEqual({
        outcome: 'refused',
        detail: `${status} said ${status}`,
      })
      expect(shop.credited.size).toBe(0)
    }
  })

  it('was not asked where it does not let us in, or cannot be reached', async () => {
    const shop = await openShop()
    expect(await shop.open({ token: 'stale' }).credit(REQUEST)).toEqual({
      outcome: 'unasked',
      detail: '401 who is Bearer •••?',
    })
    for (const url of [
      'http://127.0.0.1:1/',
      'https://nowhere.invalid/',
      shop.url.replace('http:', 'https:'),
    ]) {
      expect(await shop.open({ url }).credit(REQUEST)).toMatchObject({ outcome: 'unasked' })
    }
    expect(shop.credited.size).toBe(0)
  })

  it('leaves it open with a status that speaks of itself, and follows nobody elsewhere', async () => {
    for (const status of [408, 409, 425, 429, 500, 502, 503]) {
      const shop = await openShop(status)
      expect(await shop.open().credit(REQUEST)).toEqual({
        outcome: 'unknown',
        detail: `${status} said ${status}`,
        ...([429, 502, 503].includes(status) ? { takesNone: true } : {}),
      })
    }
    const shop = await openShop(307)
    expect(await shop.open().credit(REQUEST)).toMatchObject({ outcome: 'unknown' })
    expect(shop.keys).toHaveLength(1)
  })

  it.each<Turn>(['say nothing', 'credit, say nothing', 'drop', 'credit, drop'])(
    'leaves it open where it does this: %s; the same key then credits once',
    async (turn) => {
      const shop = await openShop(turn, 200)
      expect(await shop.open().credit(REQUEST)).toMatchObject({ outcome: 'unknown' })
      expect(await shop.open().credit(REQUEST)).toEqual({ outcome: 'credited' })
      expect(shop.keys).toEqual(['grant-7', 'grant-7'])
      expect(shop.credited.size).toBe(1)
      expect(shop.problems).toEqual([])
    },
  )
})

it('a provider that says nothing is waited for no longer than was agreed', async () => {
  const { url } = await openShop('say nothing')
  const provider = openOfferProvider(offerProviderSettings.parse({ url, token: TOKEN, timeout: 100 }))
  expect(await provider.credit(REQUEST)).toEqual({
    outcome: 'unknown',
    detail: 'The operation was aborted due to timeout',
  })
})

it('a provider is waited for no longer by a process that ends, and asked for nothing more', async () => {
  const shop = await openShop('credit, say nothing', 200)
  const settings = offerProviderSettings.parse({ url: shop.url, token: TOKEN, timeout: 30_000 })
  const provider = openOfferProvider(settings)
  const asking = provider.credit(REQUEST)
  await vi.waitFor(() => expect(shop.credited.size).toBe(1), { interval: 1, timeout: 20_000 })
  provider.leave?.()
  expect(await asking).toMatchObject({ outcome: 'unknown' })
  expect(await provider.credit(REQUEST)).toMatchObject({ outcome: 'unasked' })
  // The next process asks with the same key.
  expect(await openOfferProvider(settings).credit(REQUEST)).toEqual({ outcome: 'credited' })
  expect([shop.credited.size, shop.keys.length]).toEqual([1, 2])
})

it('a provider whose answer has no end, packed small, is heard no further than its words are kept', async () => {
  const server = createServer((_request, response) => {
    response.writeHead(422, { 'content-encoding': 'gzip' })
    const endless = function* () {
      for (;;) yield Buffer.alloc(65_536, 'no, ')
    }
    pipe(Readable.from(endless()), createGzip(), response).catch(() => {})
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  closing.push(async () => {
    server.closeAllConnections()
    await new Promise((closed) => server.close(closed))
  })
  const { port } = server.address() as AddressInfo
  const settings = offerProviderSettings.parse({ url: `http://127.0.0.1:${port}/` })
  const never = () => new AbortController().signal
  const detail = `422 ${'no, '.repeat(75)}`.trim()
  expect(await openOfferProvider(settings, never).credit(REQUEST)).toEqual({ outcome: 'refused', detail })
})

describe('a campaign whose offers the provider credits', () => {
  const begin = async (...turns: Turn[]) => {
    const shop = await openShop(...turns)
    const terms = offer.parse({
      kind: 'coupon',
      amount: '5 CNY',
      valid: '7d',
      expected_redemption: '8%',
      deliver: 'account',
    })
    const steps = [{ id: 'one', offer: { name: 'five', terms } }]
    const pipeline = await openPipeline({ tiers: [{ name: 'only', from: 3 * DAY, to: null, steps }] })
    for (let made = 0; made < 3; made += 1) {
      await pipeline.addContact({ silentSince: new Date(START.getTime() - 4 * DAY * 1000) })
    }
    await pipeline.runNow()
    Object.assign(pipeline.worker, { offerProvider: shop.open() })
    const later = async (seconds: number) => {
      await sweep(pipeline.database, pipeline.clock.now(), [])
      pipeline.clock.set(new Date(pipeline.clock.now().getTime() + seconds * 1000))
      await pipeline.work()
    }
    await pipeline.work()
    return { shop, pipeline, later }
  }

  it('credits every account once and writes once, however the line breaks', async () => {
    const turns: Turn[] = ['credit, drop', 'credit, say nothing', 503, 429, 'credit, drop', 'drop']
    const { shop, pipeline, later } = await begin(...turns)
    expect(pipeline.channel.sent).toHaveLength(0)
    await later(60)
    await later(300)
    await later(1800)
    expect(shop.problems).toEqual([])
    expect(shop.credited.size).toBe(3)
    expect(shop.keys.length).toBe(turns.length + 3)
    expect(pipeline.channel.sent).toHaveLength(3)
    const grants = await rows(pipeline.database, sql`SELECT state, credit FROM grants`)
    expect(grants).toEqual(Array(3).fill({ state: 'granted', credit: 'credited' }))
    const [ledger] = await rows(
      pipeline.database,
      sql`SELECT sum(amount)::bigint AS sum FROM ledger WHERE kind = 'liability'`,
    )
    expect(ledger).toEqual({ sum: 3 * 400_000 })
  })

  it('writes to nobody whom the provider refused, and says its words', async () => {
    const { shop, pipeline } = await begin(422, 422, 422)
    expect(pipeline.channel.sent).toHaveLength(0)
    expect(shop.credited.size).toBe(0)
    const [record] = await rows(pipeline.database, sql`SELECT reason, detail FROM touchpoint_records`)
    expect(record).toEqual({ reason: 'offer_unavailable', detail: 'provider: 422 said 422' })
    expect(await rows(pipeline.database, sql`SELECT FROM grants`)).toEqual([])
  })
})
