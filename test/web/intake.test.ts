import { gzipSync } from 'node:zlib'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { type ApiCall, callReader } from '../../src/contacts/api-calls.ts'
import type { Hooks } from '../../src/contacts/hooks.ts'
import { connect, type Database, execute, rows, transaction } from '../../src/database/connect.ts'
import { ingestApi } from '../../src/web/api/ingest.ts'
import { createApiKey, openKeyRing } from '../../src/web/api-keys.ts'
import { openIntake } from '../../src/web/intake.ts'
import { testChannel } from '../support/channel.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { openShop, type Shop } from '../support/shop.ts'
import { untilWaiting } from '../support/waiting.ts'

const NOW = new Date('2026-03-01T12:00:00Z')
const clock = manualClock(NOW)
let database: Database
let shop: Shop

beforeAll(async () => {
  database = await emptiedDatabase()
  shop = await openShop({ database, clock, channels: [testChannel('log')] })
})
beforeEach(async () => {
  await emptiedDatabase()
})
afterAll(() => shop.runtime.close())

const open = (limits: Partial<Parameters<typeof openIntake>[1]> = {}, hooks: Hooks = {}) =>
  openIntake(
    { database, workspace: shop.runtime.workspace, clock, hooks },
    { group: 10_000, waiting: 50_000, size: 1_000_000, lanes: 1, ...limits },
  )

function callOf(userId: string, messageId: string, event = 'session'): ApiCall {
  const call = callReader(
    shop.runtime.workspace,
    NOW,
    undefined,
  )({ type: 'track', userId, event, messageId }, undefined)
  if (typeof call === 'string') throw new Error(call)
  return call
}

const taken = () =>
  rows<{ contact: string; type: string }>(
    database,
    sql`SELECT c.external_id AS contact, a.type FROM activity a JOIN contacts c USING (contact_id) ORDER BY 1, 2`,
  )

/** Holds every claim of a message id up until `work` ends. */
async function whileClaimsWait<T>(work: () => Promise<T>): Promise<T> {
  return transaction(database, async (tx) => {
    await execute(tx, sql`LOCK TABLE ingest_keys IN EXCLUSIVE MODE`)
    return await work()
  })
}

test('429 while too much is under way: nothing of it is taken, and it is welcome afterwards', async () => {
  const { text } = await createApiKey(database, {
    name: 'shop',
    scopes: ['events:write'],
    now: NOW,
    by: 'test',
  })
  const { workspace } = shop.runtime
  const app = ingestApi({
    workspace,
    clock,
    keys: openKeyRing(database, clock),
    intake: open({ waiting: 3 }),
  })
  const send = (...ids: string[]) =>
    app.request('/v1/batch', {
      method: 'POST',
      headers: { authorization: `Bearer ${text}` },
      body: JSON.stringify({
        batch: ids.map((id) => ({ type: 'track', event: 'session', userId: id, messageId: id })),
      }),
    })
  const first = await whileClaimsWait(async () => {
    const under = send('a', 'b')
    await untilWaiting(database)
    const refused = await send('c', 'd')
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(await refused.json()).toMatchObject({ error: 'busy' })
    return { under }
  })
  expect((await first.under).status).toBe(200)
  expect((await taken()).map(({ contact }) => contact)).toEqual(['a', 'b'])
  expect(await (await send('c', 'd')).json()).toMatchObject({ accepted: 2, repeated: 0 })
  // A request larger than all that may wait is taken where nothing else is under way.
  expect(await (await send('e', 'f', 'g', 'h')).json()).toMatchObject({ accepted: 4 })
})

test('a packed request waits as what it was before it was packed', async () => {
  const { text } = await createApiKey(database, {
    name: 'shop',
    scopes: ['events:write'],
    now: NOW,
    by: 'test',
  })
  const app = ingestApi({
    workspace: shop.runtime.workspace,
    clock,
    keys: openKeyRing(database, clock),
    intake: open({ size: 2000 }),
  })
  const send = (id: string, size: number) => {
    const body = JSON.stringify({ userId: id, event: 'session', messageId: id }).padEnd(size)
    const packed = gzipSync(body)
    expect(packed.length).toBeLessThan(200)
    return app.request('/v1/track', {
      method: 'POST',
      headers: { authorization: `Bearer ${text}`, 'content-encoding': 'gzip' },
      body: new Uint8Array(packed),
    })
  }
  const first = await whileClaimsWait(async () => {
    const under = send('a', 1200)
    await untilWaiting(database)
    expect((await send('b', 801)).status).toBe(429)
    return { under, beside: send('c', 800) }
  })
  expect([(await first.under).status, (await first.beside).status]).toEqual([200, 200])
  expect((await taken()).map(({ contact }) => contact)).toEqual(['a', 'c'])
})

test('of large calls fewer wait than of small ones: what is held is bounded by its size', async () => {
  const intake = open({ size: 1000 })
  const first = await whileClaimsWait(async () => {
    const under = intake.take([callOf('a', 'm1')], 600)
    await untilWaiting(database)
    expect(intake.take([callOf('b', 'm2')], 401)).toBeUndefined()
    return { under, beside: intake.take([callOf('c', 'm3')], 400) }
  })
  expect([await first.under, await first.beside]).toEqual([
    { accepted: 1, repeated: 0 },
    { accepted: 1, repeated: 0 },
  ])
  // Larger than all that may wait, it is taken where nothing else is under way.
  expect(await open({ size: 1000 }).take([callOf('b', 'm2')], 1001)).toEqual({ accepted: 1, repeated: 0 })
})

test('a return is recorded while its transaction has the only connection: whoever has the others may wait for it', async () => {
  await shop.apply(`
version: 1
campaign: spring
title: Spring
schedule: "0 9 * * *"
goals: { recall: { event: session } }
window: 30d
holdout: 0%
tiers: [{ name: only, inactive: 3d.., steps: [{ id: remind, channel: log, template: hello }] }]
`)
  await shop.importContacts([{ external_id: 'li' }])
  const lastSeen = new Date(NOW.getTime() - 5 * 86_400_000).toISOString()
  await shop.importActivity([{ external_id: 'li', type: 'session', occurred_at: lastSeen }])
  await shop.run('spring')
  const narrow = connect(database.url, { max: 1 })
  onTestFinished(() => narrow.close())
  // It has read no version of the campaign yet.
  const { runtime } = await openShop({ database: narrow, clock, channels: [testChannel('log')] })
  const { workspace, hooks } = runtime
  const intake = openIntake(
    { database: narrow, workspace, clock, hooks },
    { group: 100, waiting: 1000, size: 1_000_000, lanes: 1 },
  )
  clock.set(new Date(NOW.getTime() + 60_000))
  await intake.take([callOf('li', 'm1')], 100)
  const found = await rows<{ by: string }>(database, sql`SELECT silenced_by AS by FROM episodes`)
  expect(found).toEqual([{ by: 'returned' }])
  clock.set(NOW)
})

test('a group that fails as a whole is recorded request by request: nobody pays for another’s', async () => {
  const groups: number[] = []
  const intake = open(
    {},
    {
      onActivity: async (tx) => {
        const found = await rows<{ type: string }>(tx, sql`SELECT type FROM new_activity`)
        groups.push(found.length)
        if (found.some(({ type }) => type === 'poison')) throw new Error('it is poison')
      },
    },
  )
  // The first goes alone; what comes meanwhile is one group.
  const answers = await Promise.allSettled([
    intake.take([callOf('u0', 'm0')], 100),
    intake.take([callOf('u1', 'm1'), callOf('u1', 'm1')], 100),
    intake.take([callOf('u2', 'm2'), callOf('u2', 'm3', 'poison')], 100),
    intake.take([callOf('u3', 'm4'), callOf('u0', 'm0')], 100),
  ])
  expect(groups).toEqual([1, 4, 1, 2, 1])
  expect(
    answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : answer.reason.message)),
  ).toEqual([
    { accepted: 1, repeated: 0 },
    { accepted: 1, repeated: 1 },
    'it is poison',
    { accepted: 1, repeated: 1 },
  ])
  expect((await taken()).map(({ contact }) => contact)).toEqual(['u0', 'u1', 'u3'])
  // Nothing of the refused one was kept: not its message ids either.
  expect(await open().take([callOf('u2', 'm2'), callOf('u2', 'm3', 'poison')], 100)).toEqual({
    accepted: 2,
    repeated: 0,
  })
})

test('groups under way side by side: a message id in both counts once, and the sums hold', async () => {
  const intake = open({ lanes: 2, group: 40 })
  const requests = Array.from({ length: 60 }, (_, request) =>
    Array.from({ length: 20 }, (_, n) => {
      // Each message comes twice, of the same contact, in requests that are neighbours.
      const message = Math.floor(request / 2) * 20 + n
      return callOf(`u${message % 7}`, `m${message}`)
    }),
  )
  const answers = await Promise.all(requests.map((calls) => intake.take(calls, 100)))
  const sum = (of: 'accepted' | 'repeated') =>
    answers.reduce((total, answer) => total + (answer?.[of] ?? 0), 0)
  expect([sum('accepted'), sum('repeated')]).toEqual([600, 600])
  const [found] = await rows(
    database,
    sql`SELECT (SELECT count(*) FROM activity) AS events, (SELECT sum(activity_count)::int FROM contact_activity) AS counted,
          (SELECT sum(events)::int FROM feed_days) AS fed, (SELECT count(*) FROM contacts) AS contacts`,
  )
  expect(found).toEqual({ events: 600, counted: 600, fed: 600, contacts: 7 })
})
