import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Webhook } from '../../../src/channels/channel.ts'
import { describeChannel } from '../../../src/channels/conformance.ts'
import { guardedLookup, isPrivateAddress, refusalOf } from '../../../src/channels/private-hosts.ts'
import { referenceOf } from '../../../src/channels/reference.ts'
import { webhookSettings } from '../../../src/channels/webhook/settings.ts'
import { openWebhook, webhook } from '../../../src/channels/webhook/webhook.ts'
import { serveWebhook } from '../../../src/simulator/providers/signed.ts'
import { eventually } from '../../support/eventually.ts'
import { type LoopbackRequest, openProvider } from '../../support/provider.ts'
import { readNow } from '../../support/receipts.ts'

const SECRET = 'sixteen letters at least'
const li = {
  contactId: 1,
  externalId: 'c-1',
  email: 'li@x.example',
  phone: null,
  locale: 'en',
  timezone: 'UTC',
}
const template = {
  name: 'hello',
  render: () => ({ front: { subject: 'Hi' }, html: '<p>Hi</p>', text: 'Hi' }),
}
const settingsFor = (url: string, more: object = {}) =>
  webhookSettings.parse({
    url,
    secret: SECRET,
    allow_private: ['127.0.0.1'],
    batch: 3,
    connections: 2,
    ...more,
  })

interface Item {
  key: string
  reference: string
  to: { external_id: string; email?: string }
  text: string
}
const itemsOf = (asked: LoopbackRequest): Item[] =>
  (JSON.parse(asked.body.toString()) as { items: Item[] }).items

const now = new Date('2026-03-02T04:00:00Z')

/** A report as the provider signs it. */
function signed(body: string, options: { secret?: string; at?: number; key?: string } = {}): Webhook {
  const { secret = SECRET, at = now.getTime() / 1000, key = 'winback' } = options
  const signature = `v1=${createHmac('sha256', secret).update(`${at}.${body}`).digest('hex')}`
  return {
    url: 'https://shop.example/',
    provider: undefined,
    headers: { 'x-winback-key': key, 'x-winback-timestamp': String(at), 'x-winback-signature': signature },
    body: Buffer.from(body),
    now,
  }
}

const openOwnProvider = () => openProvider(serveWebhook(SECRET))
const all = (result: object) => (keys: string[]) => ({ results: keys.map((key) => ({ key, ...result })) })

describeChannel(
  'webhook',
  {
    module: webhook,
    reachable: [li, { ...li, email: null }],
    unreachable: [],
    template,
    view: {},
    open: async (deadline) => {
      const server = await openOwnProvider()
      const provoke = (instead: typeof server.instead) => () => {
        server.instead = instead
      }
      const say = (result: object) =>
        provoke({
          status: 200,
          body: JSON.stringify(all(result)(['bad address', 'content', 'later'].map((name) => `tp-${name}`))),
        })
      return {
        channel: openWebhook(settingsFor(server.url), { deadline }),
        faults: [
          {
            name: 'bad address',
            provoke: say({ status: 'rejected', reason: 'bad_address' }),
            promised: 'rejected',
            reason: 'bad_address',
          },
          {
            name: 'content',
            provoke: say({ status: 'rejected', reason: 'content', detail: '' }),
            promised: 'rejected',
            reason: 'content',
          },
          { name: 'later', provoke: say({ status: 'retry', after: 5 }), promised: 'retry' },
          {
            name: 'no word of it',
            provoke: provoke({ status: 200, body: '{"results":[]}' }),
            promised: 'retry',
          },
          { name: 'nonsense', provoke: provoke({ status: 200, body: 'ok' }), promised: 'retry' },
          {
            name: 'too many',
            provoke: provoke({ status: 429, headers: { 'Retry-After': '3' } }),
            promised: 'retry',
          },
          { name: 'wrong secret', provoke: provoke({ status: 401 }), promised: 'retry', unreached: true },
          {
            name: 'a redirect',
            provoke: provoke({ status: 302, headers: { Location: 'http://169.254.169.254/' } }),
            promised: 'retry',
          },
          {
            name: 'out of order',
            provoke: provoke({ status: 503 }),
            promised: 'retry',
            unsent: false,
            unreached: false,
          },
          { name: 'silence', provoke: provoke('silence'), promised: 'retry', unsent: false, silent: true },
          { name: 'hanging up', provoke: provoke('hang up'), promised: 'retry', unsent: false },
        ],
        heal: provoke(undefined),
        taken: () => server.asked.flatMap(itemsOf).map((item) => item.key),
        attempts: () => server.reached,
        secrets: [SECRET],
        peak: () => server.peak,
        report: (reference: string) => {
          const event = { reference, kind: 'delivered', id: 'e-1', at: '2026-03-02T03:59:00Z' }
          return signed(JSON.stringify({ events: [event] }))
        },
        stop: server.stop,
      }
    },
  },
  { describe, it },
)

describe('a batch', () => {
  it('holds what was sent at the same time, with a key for the whole and one for each', async () => {
    const server = await openOwnProvider()
    const channel = openWebhook(settingsFor(server.url, { include: ['email'] }))
    const content = channel.render(template, {}, li)
    const address = channel.addressOf(li)
    if (!address) throw new Error('no address')
    const send = (id: number) =>
      channel.send({ contactId: 1, touchpointId: id, key: `tp-${id}`, address, content })
    const sent = await Promise.all([1, 2, 3, 4].map(send))
    expect(sent.map((delivery) => delivery.outcome === 'sent' && delivery.providerId)).toEqual(
      [1, 2, 3, 4].map((id) => `own-tp-${id}`),
    )
    expect(server.asked.map((asked) => itemsOf(asked).length).toSorted()).toEqual([1, 3])
    expect(itemsOf(server.asked[0] as LoopbackRequest)[0]).toEqual({
      key: 'tp-1',
      reference: referenceOf({ contactId: 1, touchpointId: 1 }),
      to: { external_id: 'c-1', locale: 'en', timezone: 'UTC', email: 'li@x.example' },
      template: 'hello',
      front: { subject: 'Hi' },
      text: 'Hi',
      html: '<p>Hi</p>',
    })
    const keyOf = (asked: LoopbackRequest | undefined) => asked?.headers['idempotency-key']
    await Promise.all([3, 2, 1].map(send))
    expect(keyOf(server.asked[2])).toBe(keyOf(server.asked.find((asked) => itemsOf(asked).length === 3)))
    await channel.close()
    await server.stop()
  })

  it('that is too large is halved until it is not, and the next begins as small; one alone is refused', async () => {
    const limit = { items: 3 }
    const sizes: number[] = []
    const own = serveWebhook(SECRET)
    const server = await openProvider((asked) => {
      const { length } = itemsOf(asked)
      sizes.push(length)
      return length > limit.items ? { status: 413 } : own(asked)
    })
    const channel = openWebhook(settingsFor(server.url, { batch: 8 }))
    const content = channel.render(template, {}, li)
    const address = channel.addressOf(li)
    if (!address) throw new Error('no address')
    const send = (id: number) =>
      channel.send({ contactId: 1, touchpointId: id, key: `tp-${id}`, address, content })
    const ids = [1, 2, 3, 4, 5, 6, 7, 8]
    for (const expected of [
      [8, 4, 4, 2, 2, 2, 2],
      [2, 2, 2, 2],
    ]) {
      sizes.length = 0
      const sent = await Promise.all(ids.map(send))
      expect(sent.map(({ outcome }) => outcome)).toEqual(ids.map(() => 'sent'))
      expect(sizes).toEqual(expected)
    }
    limit.items = 0
    expect(await send(9)).toMatchObject({ outcome: 'rejected', reason: 'content' })
    await channel.close()
    await server.stop()
  })

  it('turned away by 403 is tried again in an hour, and counts as tried: it may be for what it says', async () => {
    const server = await openOwnProvider()
    server.instead = { status: 403, body: 'blocked' }
    const channel = openWebhook(settingsFor(server.url))
    const address = channel.addressOf(li)
    if (!address) throw new Error('no address')
    const content = channel.render(template, {}, li)
    const said = await channel.send({ contactId: 1, touchpointId: 1, key: 'tp-1', address, content })
    expect(said).toMatchObject({ outcome: 'retry', unsent: true, unreached: false, after: 3600 })
    await channel.close()
    await server.stop()
  })

  it.each([
    ['silence', 'silence', false],
    ['a hang-up', 'hang up', false],
    ['out of order', { status: 503 }, false],
    ['nonsense', { status: 200, body: 'ok' }, false],
    ['no word of it', { status: 200, body: '{"results":[]}' }, false],
    ['too many', { status: 429 }, true],
    ['wrong secret', { status: 401 }, true],
    ['a redirect', { status: 302, headers: { Location: 'https://x.example/' } }, true],
    ['later', { status: 200, body: JSON.stringify(all({ status: 'retry' })(['tp-1'])) }, true],
  ] as const)('that comes to nothing says whether it may have been taken: %s', async (_, instead, unsent) => {
    const server = await openOwnProvider()
    // An answer has all the time a busy machine takes.
    const channel = openWebhook(settingsFor(server.url), { deadline: instead === 'silence' ? 300 : 20_000 })
    const content = channel.render(template, {}, li)
    const address = channel.addressOf(li)
    if (!address) throw new Error('no address')
    server.instead = instead
    const message = { contactId: 1, touchpointId: 1, key: 'tp-1', address, content }
    const said = await channel.send(message)
    expect(said).toMatchObject({ outcome: 'retry' })
    expect('unsent' in said && said.unsent).toBe(unsent)
    await channel.close()
    await server.stop()
    const anew = openWebhook(settingsFor(server.url))
    expect(await anew.send(message)).toMatchObject({ outcome: 'retry', unsent: true })
    await anew.close()
  })

  it('says of some answers that they are about no message in particular', async () => {
    const server = await openOwnProvider()
    const channel = openWebhook(settingsFor(server.url))
    const content = channel.render(template, {}, li)
    const address = channel.addressOf(li)
    if (!address) throw new Error('no address')
    const said: unknown[] = []
    for (const status of [429, 502, 503, 504, 500, 403]) {
      server.instead = { status }
      const { outcome, ...more } = await channel.send({
        ...{ contactId: 1, touchpointId: 1, key: 'tp-1' },
        address,
        content,
      })
      said.push([status, outcome, 'takesNone' in more && more.takesNone])
    }
    expect(said).toEqual([
      ...[429, 502, 503, 504].map((status) => [status, 'retry', true]),
      ...[500, 403].map((status) => [status, 'retry', false]),
    ])
    await channel.close()
    await server.stop()
  })

  it('is read message by message: what is odd of one puts no other in doubt', async () => {
    const server = await openOwnProvider()
    const channel = openWebhook(settingsFor(server.url, { batch: 9 }))
    const content = channel.render(template, {}, li)
    const address = channel.addressOf(li)
    if (!address) throw new Error('no address')
    const results = [
      { key: 'tp-1', status: 'sent', id: 4711 },
      { key: 'tp-2', status: 'sent', id: null },
      { key: 'tp-3', status: 'rejected', reason: 'blocked', detail: null },
      { key: 'tp-4', status: 'retry', after: -1 },
      { key: 'tp-5', status: 'retry', after: '7' },
      { key: 'tp-6', status: 'accepted' },
      { key: 'tp-7', status: 'sent' },
      { key: 'tp-7', status: 'rejected' },
      { key: 'tp-8', status: 'sent', id: 'a' },
      { key: 'tp-8', status: 'sent', id: 'a' },
      { key: 'another’s', status: 'sent' },
      { status: 'sent' },
      null,
      'sent',
    ]
    server.instead = { status: 200, body: JSON.stringify({ results }) }
    const sends = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((id) =>
      channel.send({ contactId: 1, touchpointId: id, key: `tp-${id}`, address, content }),
    )
    expect(await Promise.all(sends)).toEqual([
      { outcome: 'sent', providerId: '4711' },
      { outcome: 'sent', providerId: 'tp-2' },
      { outcome: 'rejected', reason: 'refused', detail: 'no reason given' },
      { outcome: 'retry', detail: 'no reason given', unsent: true },
      { outcome: 'retry', detail: 'no reason given', unsent: true, after: 7 },
      { outcome: 'retry', detail: expect.stringContaining('"status":"accepted"') },
      { outcome: 'retry', detail: expect.stringContaining('cannot be understood') },
      { outcome: 'sent', providerId: 'a' },
      { outcome: 'retry', detail: 'the provider’s answer does not name this message' },
    ])
    await channel.close()
    await server.stop()
  })

  it('ends within the deadline of its messages, though others have all the connections', async () => {
    const server = await openOwnProvider()
    server.instead = 'silence'
    const channel = openWebhook(settingsFor(server.url, { batch: 2, connections: 1 }), { deadline: 1000 })
    const content = channel.render(template, {}, li)
    const address = channel.addressOf(li)
    if (!address) throw new Error('no address')
    const send = (id: number) =>
      channel.send({ contactId: 1, touchpointId: id, key: `tp-${id}`, address, content })
    const timed = async (id: number) => {
      const begun = performance.now()
      const report = await send(id)
      return { report, took: performance.now() - begun }
    }
    const first = timed(1)
    // It has gone alone: the next has to wait for its connection.
    await eventually(
      'the first is under way',
      () => server.reached,
      (reached) => reached === 1,
    )
    const second = await timed(2)
    expect(second.report).toMatchObject({ outcome: 'retry', detail: expect.stringContaining('within') })
    const { report, took } = await first
    // Waiting for the first and then for its own answer it would have taken both their times.
    expect(second.took).toBeLessThan(took * 1.7)
    expect(report).toMatchObject({ outcome: 'retry', unsent: false })
    await channel.close()
    await server.stop()
  })

  it('gives no address away unless told to', () => {
    const channel = openWebhook(settingsFor('https://provider.example/'))
    expect(channel.addressOf(li)).toEqual({ external_id: 'c-1', locale: 'en', timezone: 'UTC' })
  })
})

describe('what only this machine can reach', () => {
  it('may be named as anybody writes it', () => {
    const settings = { ...settingsFor('http://Shop.Internal/', { allow_private: ['Shop.Internal'] }) }
    expect(refusalOf(settings.url, settings.allow_private)).toBeUndefined()
  })
  it.each([
    '127.0.0.1',
    '10.1.2.3',
    '172.31.0.1',
    '192.168.1.1',
    '168.63.129.16',
    '169.254.169.254',
    '100.100.100.200',
    '0.0.0.0',
    '255.255.255.255',
    '224.0.0.1',
    '::1',
    '::',
    '::ffff:10.0.0.1',
    '::ffff:7f00:1',
    'fe80::1',
    'fd00:ec2::254',
    '64:ff9b::a00:1',
    '::ffff:0:7f00:1',
    '3fff::1',
    '2002:a00:1::',
    'ff02::1',
    'no address',
  ])('is refused: %s', (address) => expect(isPrivateAddress(address)).toBe(true))
  it.each(['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '::ffff:8.8.8.8'])(
    'is not: %s',
    (address) => expect(isPrivateAddress(address)).toBe(false),
  )
  it.each([
    ['https://127.0.0.1/', /private network/],
    ['https://2130706433/', /127.0.0.1 is in a private network/],
    ['https://0x7f.1/', /private network/],
    ['https://[::ffff:127.0.0.1]/', /private network/],
    ['http://provider.example/', /https/],
    ['https://me:secret@provider.example/', /password/],
  ])('is refused in a setting: %s', (url, reason) => {
    expect(refusalOf(url, [])).toMatch(reason)
    expect(() => openWebhook(settingsFor(url, { allow_private: [] }))).toThrow(reason)
  })
  it('is looked at when the name is resolved, and the address looked at is the one called', async () => {
    const server = await openOwnProvider()
    const answers: { address: string; family: number }[][] = []
    const resolve = (
      _host: string,
      done: (error: null, addresses: { address: string; family: number }[]) => void,
    ) => done(null, answers.shift() ?? [])
    const port = new URL(server.url).port
    const send = async (allowed: string[]) => {
      const settings = {
        ...settingsFor('https://provider.example/', { allow_private: allowed }),
        url: `http://provider.example:${port}/`,
      }
      const open = () => openWebhook(settings, { resolve })
      if (allowed.length === 0) {
        // A plain http URL is refused already; here it is the address that is looked at.
        const lookup = guardedLookup([], resolve)
        return await new Promise<string>((done) =>
          lookup('provider.example', { all: true }, (error) => done(error?.message ?? 'allowed')),
        )
      }
      const channel = open()
      const content = channel.render(template, {}, li)
      const address = channel.addressOf(li)
      if (!address) return 'no address'
      const { outcome } = await channel.send({ contactId: 1, touchpointId: 1, key: 'tp-1', address, content })
      await channel.close()
      return outcome
    }
    answers.push([
      { address: '93.184.216.34', family: 4 },
      { address: '10.0.0.7', family: 4 },
    ])
    expect(await send([])).toBe('provider.example is in a private network (10.0.0.7)')
    answers.push([{ address: '93.184.216.34', family: 4 }])
    expect(await send([])).toBe('allowed')
    // Resolved once: what a second look-up would say does not matter.
    answers.push([{ address: '127.0.0.1', family: 4 }], [{ address: '10.0.0.7', family: 4 }])
    expect(await send(['provider.example'])).toBe('sent')
    expect(answers).toHaveLength(1)
    await server.stop()
  })
})

describe('receipts of a provider of one’s own', () => {
  const channel = openWebhook(settingsFor('https://provider.example/'))
  const reference = referenceOf({ contactId: 7, touchpointId: 42 })
  const event = { reference, kind: 'clicked', id: 'e-1', at: '2026-03-02T03:59:00+08:00' }
  const post = (body: string, options?: Parameters<typeof signed>[1]) =>
    readNow(channel, signed(body, options))
  it('are read when they are signed, and fresh', () => {
    const body = JSON.stringify({ events: [{ ...event, cost: 0.25, detail: 'button' }] })
    expect(post(body)).toEqual({
      outcome: 'accepted',
      replies: [],
      events: [
        {
          contactId: 7,
          touchpointId: 42,
          kind: 'clicked',
          eventId: 'e-1',
          at: new Date('2026-03-01T19:59:00Z'),
          detail: 'button',
          cost: 250_000,
        },
      ],
    })
    expect(post(body, { secret: 'another secret of ours' })).toMatchObject({ status: 401 })
    expect(post(body, { key: 'old' })).toMatchObject({ status: 401, reason: 'X-Winback-Key is not winback' })
    expect(post(body, { at: now.getTime() / 1000 - 301 })).toMatchObject({
      status: 401,
      reason: expect.stringContaining('301 s'),
    })
    expect(post(body, { at: Number.NaN })).toMatchObject({ status: 401 })
  })
  it('are refused with a reason where they make no sense', () => {
    for (const bad of [
      '',
      '{',
      '[]',
      '{}',
      '{"events":[{}]}',
      JSON.stringify({ events: [{ ...event, kind: 'eaten' }] }),
      JSON.stringify({ events: [{ ...event, reference: 'tp-1' }] }),
    ]) {
      expect(post(bad)).toMatchObject({ outcome: 'refused', status: 400, reason: expect.stringMatching(/./) })
    }
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (body) => {
        expect(post(body)?.outcome).toMatch(/accepted|refused/)
      }),
    )
  })
})
