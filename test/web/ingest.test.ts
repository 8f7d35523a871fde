import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { Analytics } from '@segment/analytics-node'
import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { ingestCalls, pruneIngest } from '../../src/contacts/live.ts'
import { externalIdHashSql } from '../../src/contacts/privacy/erased.ts'
import { type Database, execute, rows, type Transaction, transaction } from '../../src/database/connect.ts'
import { createApiKey } from '../../src/web/api-keys.ts'
import { composeWeb, startWeb } from '../../src/web/server.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { testChannel } from '../support/channel.ts'
import { codePoint } from '../support/code-points.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { assertPatiently } from '../support/patience.ts'
import { rowsRead } from '../support/rows-read.ts'
import { openShop, type Shop, WORKSPACE } from '../support/shop.ts'

const NOW = new Date('2026-03-01T12:00:00Z')
const clock = manualClock(NOW)
const workspace = `${WORKSPACE.replace('first_name: string', 'first_name: string, plan: string')}
events: { names: { "Lesson Done": assignment_done }, horizon: 2d, rate: 100000 }
`
let database: Database
let shop: Shop
let key: string
let app: ReturnType<typeof composeWeb>

beforeAll(async () => {
  database = await emptiedDatabase()
  shop = await openShop({ database, clock, channels: [testChannel('log')], workspace })
})
beforeEach(async () => {
  clock.set(NOW)
  await emptiedDatabase()
  const made = await createApiKey(database, { name: 'shop', scopes: ['events:write'], now: NOW, by: 'test' })
  key = made.text
  app = composeWeb({ runtime: shop.runtime, onError: (where, error) => console.error(where, error) })
})
afterAll(() => shop.runtime.close())

type Json = Record<string, unknown>
interface Answered {
  readonly status: number
  readonly json: Json
  readonly headers: Headers
}

async function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answered> {
  const answer = await app.request(`/v1/${path}`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${key}:`).toString('base64')}`, ...headers },
    body: typeof body === 'string' || body instanceof Uint8Array ? (body as string) : JSON.stringify(body),
  })
  return { status: answer.status, json: (await answer.json()) as Json, headers: answer.headers }
}

const ago = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000).toISOString()
const events = () =>
  rows<{ contact: string; type: string; at: Date; value: number | null; properties: Json | null }>(
    database,
    sql`SELECT c.external_id AS contact, a.type, a.occurred_at AS at, a.value, a.properties
        FROM activity a JOIN contacts c USING (contact_id) ORDER BY a.occurred_at, a.type, a.key`,
  )
/** Everything an event may have changed. */
const traces = () =>
  rows<Json>(
    database,
    sql`SELECT (SELECT count(*) FROM contacts) AS contacts, (SELECT count(*) FROM external_ids) AS ids,
          (SELECT count(*) FROM activity) AS activity, (SELECT count(*) FROM ingest_keys) AS keys,
          (SELECT count(*) FROM anonymous_activity) AS visitors, (SELECT count(*) FROM anonymous_ids) AS links,
          (SELECT coalesce(sum(events), 0)::int FROM feed_days) AS fed,
          (SELECT coalesce(sum(activity_count), 0)::int FROM contact_activity) AS counted`,
  )

describe('calls', () => {
  test('keep apart whose ids differ in the last of nineteen digits, written as numbers', async () => {
    const call = (id: string) =>
      `{"type":"track","userId":${id},"messageId":"m${id}","event":"order","timestamp":"${ago(5)}"}`
    const answer = await post(
      'batch',
      `{"batch":[${call('1234567890123456781')},${call('1234567890123456782')}]}`,
    )
    expect(answer.status).toBe(200)
    expect((await events()).map(({ contact }) => contact).sort()).toEqual([
      '1234567890123456781',
      '1234567890123456782',
    ])
  })

  test('become events under our names, with their values, and contacts where there was none', async () => {
    const batch = [
      {
        type: 'track',
        userId: 'u1',
        event: 'Order Completed',
        properties: { revenue: 12.5, coupon: 'X' },
        timestamp: ago(50),
      },
      { type: 'track', userId: 'u1', event: 'Lesson Done', timestamp: ago(40) },
      { type: 'page', userId: 'u2', name: 'Home', timestamp: ago(30) },
      { type: 'screen', userId: 7, timestamp: ago(20) },
      { type: 'group', userId: 'u2', groupId: 'acme', traits: { size: 3 }, timestamp: ago(10) },
      { type: 'track', userId: 'u2', event: 'Jumped', properties: { value: 'high' }, timestamp: ago(5) },
      {
        type: 'track',
        userId: 'u2',
        event: 'Order Completed',
        properties: { revenue: 3, currency: 'USD' },
        timestamp: ago(4),
      },
    ]
    expect(await post('batch', { batch })).toMatchObject({
      status: 200,
      json: { success: true, accepted: 7, repeated: 0 },
    })
    expect(
      (await events()).map(({ contact, type, value, properties }) => [contact, type, value, properties]),
    ).toEqual([
      ['u1', 'order', 12_500_000, { revenue: 12.5, coupon: 'X' }],
      ['u1', 'assignment_done', null, null],
      ['u2', 'session', null, { name: 'Home' }],
      ['7', 'session', null, null],
      ['u2', 'group', null, { group_id: 'acme', size: 3 }],
      ['u2', 'Jumped', null, { value: 'high' }],
      ['u2', 'order', null, { revenue: 3, currency: 'USD' }],
    ])
    const [u1] = await rows(
      database,
      sql`SELECT orders_total, activity_count FROM contact_activity JOIN contacts USING (contact_id) WHERE external_id = 'u1'`,
    )
    expect(u1).toEqual({ orders_total: 12_500_000, activity_count: 1 })
  })

  test('a message id is taken once: in a batch, again later, at another time, of another contact, from a file', async () => {
    const call = (userId: string, timestamp: string) => ({
      type: 'track',
      userId,
      event: 'x',
      messageId: 'm1',
      timestamp,
    })
    const { json } = await post('batch', {
      batch: [call('u1', ago(9)), call('u1', ago(8)), call('u2', ago(9))],
    })
    expect(json).toMatchObject({ accepted: 1, repeated: 2 })
    expect((await post('track', call('u3', ago(1)))).json).toMatchObject({ accepted: 0, repeated: 1 })
    const filed = { type: 'x', occurred_at: ago(3), message_id: 'm1' }
    expect(await shop.importActivity([{ external_id: 'u4', ...filed }])).toMatchObject({ inserted: 0 })
    expect(await shop.importActivity([{ external_id: 'u4', ...filed, message_id: 'm2' }])).toMatchObject({
      inserted: 1,
    })
    expect((await post('track', { ...call('u5', ago(1)), messageId: 'm2' })).json).toMatchObject({
      repeated: 1,
    })
    expect((await events()).map(({ contact }) => contact)).toEqual(['u1', 'u4'])
    expect(await rows(database, sql`SELECT FROM contacts`)).toHaveLength(2)
  })

  test('message ids are forgotten after the horizon, and an exact repeat still changes nothing', async () => {
    const call = { userId: 'u1', event: 'session', messageId: 'm1', timestamp: ago(1) }
    await post('track', call)
    clock.advance(2 * 86_400 - 60)
    expect(await pruneIngest(database, clock.now(), shop.workspace.events.horizon)).toBe(0)
    clock.advance(120)
    expect(await pruneIngest(database, clock.now(), shop.workspace.events.horizon)).toBe(1)
    await post('track', call)
    expect(await events()).toHaveLength(1)
  })

  test('an event writes no index of what its contact did anew', async () => {
    const { workspace } = shop
    await post('track', { userId: 'u1', event: 'session', messageId: 'm1', timestamp: ago(60) })
    const counted = async (tx: Transaction) => {
      const [row] = await rows<{ changed: number; hot: number }>(
        tx,
        sql`SELECT n_tup_upd AS changed, n_tup_hot_upd AS hot FROM pg_stat_xact_user_tables WHERE relname = 'contact_activity'`,
      )
      return row ?? { changed: 0, hot: 0 }
    }
    const { before, after } = await transaction(database, async (tx) => {
      const before = await counted(tx)
      const event = { type: 'session', value: null, properties: null }
      const call = { messageId: 'm2', externalId: 'u1', anonymousId: null, at: NOW.getTime(), event }
      await ingestCalls(tx, [call], { workspace, addressKey: 'key', now: NOW, hooks: {} })
      return { before, after: await counted(tx) }
    })
    expect({ changed: after.changed - before.changed, hot: after.hot - before.hot }).toEqual({
      changed: 1,
      hot: 1,
    })
  })

  test('what is forgotten is found wherever it stands, and nothing else is read for it', async () => {
    const { horizon } = shop.workspace.events
    // As after years: whatever came took the room of what had been forgotten.
    const received = sql`${clock.now()}::timestamptz - make_interval(secs => ${horizon} * 1.001 * (n::bigint * 7919 % 20000) / 20000)`
    const many = sql`generate_series(1, 20000) n`
    await execute(
      database,
      sql`INSERT INTO ingest_keys SELECT 'events', gen_random_uuid(), ${received} FROM ${many}`,
    )
    await execute(
      database,
      sql`INSERT INTO anonymous_activity (anonymous_id, occurred_at, key, type, received_at)
          SELECT 'v' || n, at, n, 'session', at - make_interval(secs => 90 * 86400 - ${horizon}::int)
          FROM ${many} CROSS JOIN LATERAL (SELECT ${received} AS at) r`,
    )
    await execute(database, sql`ANALYZE ingest_keys, anonymous_activity`)
    const read = await transaction(database, async (tx) => {
      let pruned = 0
      const of = await rowsRead(tx, async () => {
        pruned = await pruneIngest(tx, clock.now(), horizon)
      })
      return { pruned, of }
    })
    expect(read.pruned).toBeGreaterThan(20)
    for (const table of ['ingest_keys', 'anonymous_activity']) expect(read.of[table]).toBeLessThan(200)
  })

  test('a sender whose clock is ahead is set right by its sentAt; the future is refused', async () => {
    const late = new Date(NOW.getTime() + 3_600_000).toISOString()
    const call = { type: 'track', userId: 'u1', event: 'x', timestamp: late }
    const refused = await post('batch', { batch: [call] })
    expect([refused.status, refused.json.reason]).toEqual([
      400,
      expect.stringContaining('lies in the future'),
    ])
    await post('batch', {
      batch: [
        { ...call, timestamp: ago(-50) },
        { ...call, timestamp: ago(-60) },
      ],
      sentAt: late,
    })
    expect((await events()).map(({ at }) => at.toISOString())).toEqual([ago(10), ago(0)])
  })
})

describe('identify', () => {
  const contact = async (id: string) => {
    const [row] = await rows<Json>(
      database,
      sql`SELECT c.email, c.phone, c.locale, c.timezone, c.signed_up_at, c.attributes, c.person_id
          FROM external_ids x JOIN contacts c USING (contact_id) WHERE x.external_id = ${id}`,
    )
    return row
  }

  test('fills in the contact as an import would, and links persons', async () => {
    await post('identify', {
      userId: 'u1',
      traits: {
        email: ' Ada@Example.com',
        phone: '+86 138-0013-8000',
        firstName: 'Ada',
        createdAt: '2025-01-01',
        hobby: 'chess',
      },
      context: { locale: 'zh-CN', timezone: 'Asia/Shanghai' },
    })
    expect(await contact('u1')).toMatchObject({
      email: 'ada@example.com',
      phone: '+8613800138000',
      locale: 'zh-CN',
      timezone: 'Asia/Shanghai',
      signed_up_at: new Date('2025-01-01'),
      attributes: { first_name: 'Ada' },
    })
    await post('identify', { userId: 'u2', traits: { email: 'ada@example.com', plan: 'pro' } })
    expect((await contact('u2'))?.person_id).toBe((await contact('u1'))?.person_id)
  })

  test('a field keeps what was said of it last, by the time of saying and not of arrival', async () => {
    const said = (minutes: number, traits: Json) => ({
      type: 'identify',
      userId: 'u1',
      traits,
      timestamp: ago(minutes),
    })
    const calls = [
      said(30, { plan: 'free', first_name: 'A', email: 'a@example.com' }),
      said(20, { plan: 'pro', email: 'b@example.com' }),
      said(10, { first_name: 'C' }),
    ]
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(calls, { minLength: 3 }),
        fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
        async (order, together) => {
          await execute(database, sql`TRUNCATE contacts, external_ids, contact_activity, ingest_keys`)
          const batches: unknown[][] = []
          for (const [place, call] of order.entries()) {
            const last = batches.at(-1)
            if (last && together[place]) last.push(call)
            else batches.push([call])
          }
          for (const batch of batches) await post('batch', { batch })
          expect(await contact('u1')).toMatchObject({
            email: 'b@example.com',
            attributes: { plan: 'pro', first_name: 'C' },
          })
        },
      ),
      { numRuns: 6 },
    )
  })
})

describe('visitors', () => {
  test('are who has a word for nothing as their id, or the 0 of all guests: as contacts, they would be one', async () => {
    const nobody = ['null', 'undefined', 'NaN', '-', '0', 0]
    const batch = nobody.map((userId, no) => ({
      ...{ type: 'track', event: 'session', messageId: 'undefined', timestamp: ago(9) },
      ...{ userId, anonymousId: no === 0 ? 'v1' : 'undefined' },
    }))
    expect((await post('batch', { batch: batch.slice(0, 1) })).status).toBe(200)
    for (const call of batch.slice(1)) {
      const { status, json } = await post('batch', { batch: [call] })
      expect([status, JSON.stringify(json)]).toEqual([
        400,
        expect.stringContaining(`neither a userId nor an anonymousId: \\"${call.userId}\\" is nobody’s`),
      ])
    }
    expect((await post('alias', { userId: 'u1', previousId: 'null' })).status).toBe(400)
    expect(await rows(database, sql`SELECT FROM contacts`)).toHaveLength(0)
    await post('identify', { userId: 'u1', anonymousId: 'v1', messageId: 'undefined' })
    expect(await events()).toHaveLength(1)
  })

  const visit = (anonymousId: string, minutes: number, more: Json = {}) => ({
    type: 'page',
    anonymousId,
    timestamp: ago(minutes),
    ...more,
  })

  test('what they did waits for a name, then is the contact’s, and so is what they do afterwards', async () => {
    await post('batch', { batch: [visit('v1', 50), visit('v2', 45)] })
    expect(await rows(database, sql`SELECT FROM contacts`)).toHaveLength(0)
    await post('identify', {
      userId: 'u1',
      anonymousId: 'v1',
      traits: { email: 'a@example.com' },
      timestamp: ago(40),
    })
    await post('batch', { batch: [visit('v1', 30), visit('v2', 25)] })
    expect((await events()).map(({ contact, at }) => [contact, at.toISOString()])).toEqual([
      ['u1', ago(50)],
      ['u1', ago(30)],
    ])
    await post('alias', { previousId: 'v2', userId: 'u2', timestamp: ago(20) })
    expect((await events()).map(({ contact }) => contact)).toEqual(['u1', 'u2', 'u1', 'u2'])
    expect(await rows(database, sql`SELECT FROM anonymous_activity`)).toHaveLength(0)
    const [u1] = await rows(
      database,
      sql`SELECT activity_count, last_active_at FROM contact_activity JOIN contacts USING (contact_id) WHERE external_id = 'u1'`,
    )
    expect(u1).toEqual({ activity_count: 2, last_active_at: new Date(ago(30)) })
  })

  test('the same, whatever the order in which the calls arrive', async () => {
    const calls = [
      visit('v1', 50, { messageId: 'a' }),
      { type: 'alias', previousId: 'v1', userId: 'u1', timestamp: ago(40), messageId: 'b' },
      visit('v1', 30, { messageId: 'c' }),
      visit('v1', 20, { userId: 'u1', messageId: 'd' }),
    ]
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(calls, { minLength: 4 }), async (order) => {
        await execute(
          database,
          sql`TRUNCATE contacts, external_ids, contact_activity, ingest_keys, activity, anonymous_ids, anonymous_activity`,
        )
        for (const call of order) await post('batch', { batch: [call] })
        expect((await events()).map(({ contact, at }) => [contact, at.toISOString()])).toEqual([
          ['u1', ago(50)],
          ['u1', ago(30)],
          ['u1', ago(20)],
        ])
      }),
      { numRuns: 6 },
    )
  })

  test('an alias of a contact is a second name of it; of two contacts, nothing', async () => {
    await post('track', { userId: 'old', event: 'session', timestamp: ago(9) })
    await post('alias', { previousId: 'old', userId: 'new', timestamp: ago(8) })
    await post('track', { userId: 'new', event: 'session', timestamp: ago(7) })
    await post('track', { userId: 'other', event: 'session', timestamp: ago(6) })
    await post('alias', { previousId: 'old', userId: 'other', timestamp: ago(5) })
    expect((await events()).map(({ contact }) => contact)).toEqual(['old', 'old', 'other'])
  })

  test('an alias of a contact that the same batch has told of is a second name of it', async () => {
    const told = (userId: string, event: string) => ({ type: 'track', userId, event, timestamp: ago(9) })
    const alias = (previousId: string, userId: string) => ({ type: 'alias', previousId, userId })
    await post('batch', { batch: [told('old', 'a'), alias('old', 'new'), told('new', 'b')] })
    // One that is told of only afterwards is nobody yet.
    await post('batch', { batch: [alias('later', 'first'), told('later', 'c'), told('first', 'd')] })
    const found = await events()
    expect(new Map(found.map(({ type, contact }) => [type, contact]))).toEqual(
      new Map([
        ['a', 'old'],
        ['b', 'old'],
        ['c', 'later'],
        ['d', 'first'],
      ]),
    )
  })
})

test('an erased contact does not come back, beside an unknown one and with a visitor’s id', async () => {
  await execute(
    database,
    sql`INSERT INTO erased_ids (key, erased_at) SELECT ${externalIdHashSql(sql`'gone'::text`)}, ${NOW}`,
  )
  const call = (userId: string, anonymousId?: string) => ({
    type: 'track',
    userId,
    anonymousId,
    event: 'session',
  })
  const { status } = await post('batch', { batch: [call('gone'), call('gone', 'v1'), call('u1')] })
  expect(status).toBe(200)
  await shop.importActivity([
    { external_id: 'gone', type: 'session', occurred_at: ago(1) },
    { external_id: 'u2', type: 'session', occurred_at: ago(1) },
  ])
  expect((await events()).map(({ contact }) => contact).toSorted()).toEqual(['u1', 'u2'])
  expect(await rows(database, sql`SELECT FROM anonymous_activity`)).toEqual([])
  // Nor is its id written down again as the name of somebody else's device, or of a stranger's.
  const renamed = { type: 'alias', previousId: 'gone', userId: 'u1' }
  await post('batch', { batch: [renamed, { type: 'track', anonymousId: 'gone', event: 'session' }] })
  await post('batch', { batch: [{ type: 'track', anonymousId: 'v2', event: 'session' }] })
  const kept = sql`SELECT anonymous_id AS id FROM anonymous_ids UNION ALL SELECT anonymous_id FROM anonymous_activity`
  expect(await rows(database, kept)).toEqual([{ id: 'v2' }])
  expect((await events()).map(({ contact }) => contact).toSorted()).toEqual(['u1', 'u2'])
})

describe('refusals change nothing', () => {
  const fine = { type: 'track', userId: 'u1', event: 'session' }

  const refused: readonly (readonly [path: string, body: unknown, reason: RegExp])[] = [
    ['track', '{', /malformed JSON/],
    ['track', '[]', /expected a JSON object/],
    ['track', Buffer.from([0x7b, 0xff, 0x7d]), /not UTF-8/],
    ['track', { event: 'x' }, /neither a userId nor an anonymousId/],
    ['track', { userId: { $ne: null }, event: 'x' }, /userId: expected text/],
    ['track', { userId: '..', event: 'x' }, /userId: "\.\." is a step in a path/],
    ['identify', { userId: ' . ' }, /userId: "\." is a step in a path/],
    ['track', { userId: 'u1' }, /event: expected the name/],
    ['track', { userId: 'u1', event: 'x', timestamp: 'yesterday' }, /timestamp: /],
    ['track', { userId: 'u1', event: 'x', timestamp: '1999-12-31T23:59:59Z' }, /before the year 2000/],
    ['track', { userId: 'u1', event: 'x', messageId: 5 }, /messageId/],
    ['track', { userId: 'u1', event: 'a\u0000b' }, /NUL/],
    ['track', '{"userId":"u1","event":"x","properties":{"a":"\\ud800"}}', /surrogate/],
    [
      'track',
      { userId: 'u1', event: 'Order Completed', properties: { revenue: 'much' } },
      /revenue: not an amount/,
    ],
    ['track', { userId: 'u1', event: 'x', properties: [] }, /properties: expected a JSON object/],
    [
      'track',
      `{"userId":"u1","event":"x","properties":{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}}`,
      /nested deeper/,
    ],
    ['track', { userId: 'u1', event: 'x', properties: { pad: 'x'.repeat(33_000) } }, /larger than 32 KB/],
    ['identify', { userId: 'u1', traits: { price: 'cheap' } }, /traits: attributes.price/],
    // Without the option of an import by which a file may have it.
    ['identify', { userId: 'u1', traits: { price: '4,5' } }, /such as 1234\.50$/],
    ['identify', { userId: 'u1', traits: { createdAt: -1e300 } }, /signed_up_at: -1e\+300 is further/],
    ['alias', { userId: 'u1' }, /previousId/],
    ['group', { userId: 'u1' }, /groupId/],
    ['batch', {}, /batch: expected a list/],
    ['batch', { batch: [] }, /one event at least/],
    ['batch', { batch: [fine, { ...fine, type: 'shout' }] }, /batch\[1\]: type: expected one of/],
    ['batch', { batch: [fine, null] }, /batch\[1\]: expected a JSON object/],
    [
      'batch',
      { batch: Array.from({ length: 40 }, () => ({ ...fine, properties: { pad: 'x'.repeat(15_000) } })) },
      /larger than 500 KB/,
    ],
  ]

  test('400 with the reason', async () => {
    const before = await traces()
    for (const [path, body, reason] of refused) {
      const { status, json } = await post(path, body)
      expect({ status, reason: json.reason }).toEqual({ status: 400, reason: expect.stringMatching(reason) })
      expect(json.request_id).toEqual(expect.any(String))
    }
    expect(await traces()).toEqual(before)
  })

  test('more than the key may send is told when to come again', async () => {
    const slow = {
      ...shop.runtime,
      workspace: { ...shop.workspace, events: { ...shop.workspace.events, rate: 10 } },
    }
    app = composeWeb({ runtime: slow })
    const batch = Array.from({ length: 8 }, () => fine)
    expect((await post('batch', { batch })).status).toBe(200)
    const refused = await post('batch', { batch })
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(refused.json).toMatchObject({ error: 'too_fast', reason: 'this key may send 10 events a second' })
    clock.advance(1)
    expect((await post('batch', { batch })).status).toBe(200)
    expect(await events()).toHaveLength(16)
  })

  test('an encoded body, another method, no key', async () => {
    expect((await post('track', fine, { 'content-encoding': 'br' })).status).toBe(415)
    expect((await app.request('/v1/track')).status).toBe(404)
    expect((await post('track', fine, { authorization: 'Bearer nothing' })).status).toBe(401)
  })

  test('an event called like what every object has is an event like any other', async () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']
    for (const event of names) {
      const { status, json } = await post('track', {
        ...fine,
        event,
        properties: { value: 7 },
        messageId: event,
      })
      expect({ status, json }).toEqual({ status: 200, json: { success: true, accepted: 1, repeated: 0 } })
    }
    const counted = await rows<{ type: string; value: string }>(
      database,
      sql`SELECT type, value FROM activity WHERE type = ANY (${sql.param(names)}::text[])`,
    )
    expect(counted.map(({ type }) => type).toSorted()).toEqual(names.toSorted())
  })

  test('whatever is sent: served whole, or refused with a reason and nothing changed', async () => {
    const odd = fc.oneof(
      fc.string({ unit: codePoint }),
      fc.double(),
      fc.constantFrom(
        null,
        true,
        '',
        '\u0000',
        '__proto__',
        '2026-02-30T00:00:00Z',
        -1e300,
        '😀'.repeat(300),
      ),
      fc.object({ maxDepth: 2 }),
    )
    const call = fc.record(
      {
        type: fc.oneof(
          { weight: 4, arbitrary: fc.constantFrom('track', 'identify', 'page', 'alias', 'group') },
          { weight: 1, arbitrary: odd },
        ),
        userId: fc.oneof(
          { weight: 4, arbitrary: fc.constantFrom('u1', 'u2', 'o’hara', "'; DROP TABLE contacts; --") },
          { weight: 1, arbitrary: odd },
        ),
        anonymousId: fc.oneof(
          { weight: 4, arbitrary: fc.constantFrom('v1', 'v2') },
          { weight: 1, arbitrary: odd },
        ),
        event: fc.oneof(
          { weight: 4, arbitrary: fc.constantFrom('session', 'Order Completed') },
          { weight: 1, arbitrary: odd },
        ),
        previousId: fc.oneof(fc.constantFrom('v1', 'u1'), odd),
        groupId: odd,
        messageId: odd,
        timestamp: fc.oneof(
          {
            weight: 4,
            arbitrary: fc
              .date({ min: new Date('2025-12-01'), max: NOW, noInvalidDate: true })
              .map((date) => date.toISOString()),
          },
          { weight: 1, arbitrary: odd },
        ),
        properties: fc.oneof(fc.object(), odd),
        traits: fc.oneof(
          fc.record(
            { email: odd, phone: odd, locale: odd, timezone: odd, createdAt: odd, plan: odd },
            { requiredKeys: [] },
          ),
          odd,
        ),
        context: odd,
      },
      { requiredKeys: [] },
    )
    await assertPatiently(
      fc.asyncProperty(fc.array(call, { maxLength: 4 }), odd, async (batch, sentAt) => {
        const before = await traces()
        const { status, json } = await post('batch', { batch, sentAt })
        if (status === 200) {
          expect(Number(json.accepted) + Number(json.repeated)).toBe(batch.length)
          return
        }
        expect({ status, json }).toMatchObject({ status: 400, json: { reason: expect.stringMatching(/./) } })
        expect(await traces()).toEqual(before)
      }),
      { numRuns: 60, milliseconds: 15_000 },
    )
  })
})

describe('under load', () => {
  test('repeats and late events among many: each exactly once, the sums right', async () => {
    const people = 300
    const sent = Array.from({ length: 6000 }, (_, n) => ({
      type: 'track',
      userId: `u${(n * 7919) % people}`,
      event: n % 10 === 0 ? 'Order Completed' : 'session',
      messageId: `m${n}`,
      // One in twenty is up to sixty days late.
      timestamp: ago(n % 20 === 7 ? 1440 * (1 + (n % 60)) : 60 - (n % 50)),
      ...(n % 10 === 0 ? { properties: { revenue: n } } : {}),
    }))
    // One in twenty comes again, with another time and in another batch.
    const repeats = sent.filter((_, n) => n % 20 === 3).map((call) => ({ ...call, timestamp: ago(2000) }))
    const mixed = [...sent, ...repeats].map((call, n) => ({ call, place: n < 6000 ? n : (n * 31) % 6000 }))
    const all = mixed.toSorted((one, other) => one.place - other.place).map(({ call }) => call)
    const batches = Array.from({ length: 63 }, (_, n) => all.slice(n * 100, n * 100 + 100))
    const answers = await Promise.all(batches.map((batch) => post('batch', { batch })))
    expect(answers.map(({ status }) => status)).toEqual(batches.map(() => 200))
    expect(answers.reduce((sum, { json }) => sum + Number(json.accepted), 0)).toBe(6000)
    expect(answers.reduce((sum, { json }) => sum + Number(json.repeated), 0)).toBe(300)
    const [found] = await rows<Json>(
      database,
      sql`SELECT count(*) AS events, sum(value)::bigint AS value FROM activity`,
    )
    const [summed] = await rows<Json>(
      database,
      sql`SELECT count(*) AS contacts, sum(activity_count)::bigint AS events, sum(orders_total)::bigint AS value FROM contact_activity`,
    )
    const value = sent.filter((_, n) => n % 10 === 0).reduce((sum, _call, n) => sum + n * 10, 0) * 1e6
    expect(found).toEqual({ events: 6000, value })
    expect(summed).toEqual({ contacts: people, events: 6000, value })
    const [fed] = await rows<Json>(database, sql`SELECT sum(events)::bigint AS events FROM feed_days`)
    expect(fed).toEqual({ events: 6000 })
  })
})

test('Segment’s own library works unchanged', async () => {
  const server = await startWeb({ runtime: shop.runtime }, { host: '127.0.0.1', port: 0 })
  const analytics = new Analytics({ writeKey: key, host: server.address, flushAt: 3, maxRetries: 0 })
  const failures: unknown[] = []
  analytics.on('error', (error) => failures.push(error))
  clock.set(new Date(Date.now() + 1000))
  analytics.page({ anonymousId: 'v1', name: 'Home' })
  analytics.identify({
    userId: 'u1',
    anonymousId: 'v1',
    traits: { email: 'ada@example.com', firstName: 'Ada' },
  })
  analytics.track({ userId: 'u1', event: 'Order Completed', properties: { revenue: 9.5, coupon: 'SPRING' } })
  analytics.screen({ userId: 'u1', name: 'Cart' })
  analytics.group({ userId: 'u1', groupId: 'acme' })
  analytics.alias({ userId: 'u1', previousId: 'before' })
  await analytics.closeAndFlush()
  await server.close()
  expect(failures).toEqual([])
  expect((await events()).map(({ contact, type, value }) => [contact, type, value]).toSorted()).toEqual([
    ['u1', 'group', null],
    ['u1', 'order', 9_500_000],
    ['u1', 'session', null],
    ['u1', 'session', null],
  ])
})

describe('packed by gzip, over a connection of its own', () => {
  const LIMIT = 500 * 1024
  /** Sends bytes as they are. In pieces, they have no Content-Length: so mobile libraries send theirs. */
  async function serve(): Promise<
    (path: string, body: Uint8Array, headers: Record<string, string>, inPieces?: boolean) => Promise<Answered>
  > {
    const server = await startWeb({ runtime: shop.runtime }, { host: '127.0.0.1', port: 0 })
    onTestFinished(() => server.close())
    const authorization = `Basic ${Buffer.from(`${key}:`).toString('base64')}`
    return async (path, body, headers, inPieces = false) => {
      const answer = await fetch(`${server.address}/v1/${path}`, {
        method: 'POST',
        headers: { authorization, ...headers },
        body: inPieces ? new Blob([new Uint8Array(body)]).stream() : new Uint8Array(body),
        duplex: 'half',
      })
      return { status: answer.status, json: (await answer.json()) as Json, headers: answer.headers }
    }
  }
  const batchOf = (...ids: string[]) => ({
    batch: ids.map((id) => ({ type: 'track', userId: id, event: 'session', messageId: id })),
    sentAt: NOW.toISOString(),
    writeKey: key,
  })
  const gzipped = (body: unknown) => gzipSync(JSON.stringify(body))
  const contacts = async () => (await events()).map(({ contact }) => contact).toSorted()

  test('it is taken as Segment’s libraries send it, where they send it', async () => {
    const send = await serve()
    const json = { 'content-type': 'application/json', 'content-encoding': 'gzip' }
    const answers = [
      await send('batch', gzipped(batchOf('python', 'php')), json),
      await send('import', gzipped(batchOf('android')), json, true),
      await send('import', Buffer.from(JSON.stringify(batchOf('ruby'))), {
        'content-type': 'application/json',
      }),
      await send('b', gzipped(batchOf('kotlin')), { ...json, 'content-type': 'text/plain' }, true),
      await send('track', gzipped({ userId: 'one', event: 'session' }), { 'content-encoding': 'x-gzip' }),
    ]
    expect(answers.map(({ status, json: { accepted } }) => [status, accepted])).toEqual([
      [200, 2],
      [200, 1],
      [200, 1],
      [200, 1],
      [200, 1],
    ])
    expect(await contacts()).toEqual(['android', 'kotlin', 'one', 'php', 'python', 'ruby'])
    const again = await send('import', gzipped(batchOf('python', 'php')), json)
    expect(again.json).toEqual({ success: true, accepted: 0, repeated: 2 })
  })

  test('what Segment’s own library sends is taken packed, too', async () => {
    const server = await startWeb({ runtime: shop.runtime }, { host: '127.0.0.1', port: 0 })
    onTestFinished(() => server.close())
    const encodings: unknown[] = []
    const analytics = new Analytics({
      writeKey: key,
      host: server.address,
      maxRetries: 0,
      httpClient: (url, { body, headers, method }) => {
        encodings.push('gzip')
        return fetch(url, {
          method,
          headers: { ...headers, 'Content-Encoding': 'gzip' },
          body: new Uint8Array(gzipSync(String(body))),
        })
      },
    })
    const failures: unknown[] = []
    analytics.on('error', (error) => failures.push(error))
    clock.set(new Date(Date.now() + 1000))
    analytics.track({ userId: 'u1', event: 'session' })
    await analytics.closeAndFlush()
    expect([failures, encodings]).toEqual([[], ['gzip']])
    expect(await contacts()).toEqual(['u1'])
  })

  test('a body is as large as it was before it was packed', async () => {
    const send = await serve()
    const before = await traces()
    const gzip = { 'content-encoding': 'gzip' }
    const padded = (size: number) => gzipSync(JSON.stringify(batchOf('u1')).padEnd(size))
    const bomb = gzipSync(Buffer.alloc(400_000_000, ' '))
    expect(bomb.length).toBeLessThan(LIMIT)
    for (const large of [padded(LIMIT + 1), bomb]) {
      const { status, json } = await send('batch', large, gzip)
      expect({ status, json }).toMatchObject({
        status: 413,
        json: { error: 'too_large', reason: 'the body inflates to more than 500 KB; send smaller batches' },
      })
    }
    expect(await traces()).toEqual(before)
    expect((await send('batch', padded(LIMIT), gzip)).status).toBe(200)
  })

  test('damaged or cut, it is refused with the reason, and nothing is changed', async () => {
    const send = await serve()
    const before = await traces()
    const whole = gzipped(batchOf('u1'))
    const damaged = Buffer.from(whole)
    // The last eight bytes are the checksum and the length.
    damaged.writeUInt8(255 - damaged.readUInt8(damaged.length - 8), damaged.length - 8)
    for (const [body, reason] of [
      [whole.subarray(0, -3), 'the body is no whole gzip: unexpected end of file'],
      [whole.subarray(0, 30), 'the body is no whole gzip: unexpected end of file'],
      [new Uint8Array(), 'the body is no whole gzip: unexpected end of file'],
      [damaged, 'the body is no whole gzip: incorrect data check'],
      [Buffer.from(JSON.stringify(batchOf('u1'))), 'the body is no whole gzip: incorrect header check'],
      [gzipSync('{"batch":'), expect.stringContaining('malformed JSON')],
      [gzipSync(Buffer.from([0xff])), 'the body is not UTF-8'],
      [gzipped({ batch: [] }), expect.stringContaining('one event at least')],
    ] as const) {
      const { status, json } = await send('batch', body, { 'content-encoding': 'gzip' })
      expect({ status, json }).toMatchObject({ status: 400, json: { error: 'malformed', reason } })
    }
    expect(await traces()).toEqual(before)
  })

  test('packed in another way, or twice, it is not read; nor is it without a good key', async () => {
    const send = await serve()
    const plain = JSON.stringify(batchOf('u1'))
    for (const [encoding, body] of [
      ['br', brotliCompressSync(plain)],
      ['deflate', deflateSync(plain)],
      ['zstd', Buffer.from(plain)],
      ['gzip, gzip', gzipSync(gzipSync(plain))],
    ] as const) {
      const { status, json } = await send('batch', body, { 'content-encoding': encoding })
      const reason = `a body encoded as ${encoding} is not read; send it plain or as gzip`
      expect({ status, json }).toMatchObject({ status: 415, json: { error: 'encoding', reason } })
    }
    const bomb = gzipSync(Buffer.alloc(10_000_000))
    const headers = { 'content-encoding': 'gzip', authorization: 'Bearer nothing' }
    expect((await send('batch', bomb, headers)).status).toBe(401)
  })
})

test('a return is known and what was planned is cancelled in the transaction that the answer waits for', async () => {
  // Some are drawn into the group that is not contacted; hardly all twelve.
  const people = Array.from({ length: 12 }, (_, no) => ({
    external_id: `u${no}`,
    signed_up_at: ago(1440 * 10),
  }))
  await shop.importContacts(people)
  await shop.apply(oneTierCampaign('back', ['{ id: later, channel: log, template: hello, after: 1d }']))
  expect((await shop.run('back')).answers).toEqual({ opened: 12 })
  const planned = () =>
    rows<{ userId: string }>(
      database,
      sql`SELECT external_id AS "userId" FROM touchpoints JOIN contacts USING (contact_id) ORDER BY 1`,
    )
  const [one, ...others] = await planned()
  expect(one).toBeDefined()
  clock.advance(60)
  expect((await post('track', { ...one, event: 'session' })).status).toBe(200)
  expect(await planned()).toEqual(others)
  const [record] = await rows(database, sql`SELECT state, reason FROM touchpoint_records`)
  expect(record).toEqual({ state: 'cancelled', reason: 'returned' })
})
