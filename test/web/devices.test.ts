import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { later, manualClock } from '../../src/clock.ts'
import { parseDevice, registerDevices } from '../../src/contacts/devices.ts'
import { execute, rows, type Transaction, transaction } from '../../src/database/connect.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { createApiKey } from '../../src/web/api-keys.ts'
import { composeWeb } from '../../src/web/server.ts'
import { type TestChannel, testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { openShop, type Shop, WORKSPACE } from '../support/shop.ts'
import { countWaiting } from '../support/waiting.ts'

const NOW = new Date('2026-03-10T09:00:00Z')
const CAMPAIGN = `
version: 1
campaign: game
title: Game
schedule: "0 9 * * *"
timezone: UTC
goals: { recall: { event: session } }
window: 30d
holdout: 0%
limits: { spread: 0s }
tiers:
  - name: coupon
    inactive: 3d..7d
    steps:
      - { id: remind, channel: [push, email], template: hello }
      - { id: again, after: 1d, channel: [push, email], template: hello }
`
const PUSH = 'channels:\n  push: { jpush: { app_key: a, master_secret: b } }'

let shop: Shop
let mail: TestChannel
let pushes: TestChannel
let post: (body: unknown, method?: string, path?: string) => Promise<Response>

beforeAll(async () => {
  mail = testChannel('email')
  const base = testChannel('email')
  base.answer = () => ({ outcome: 'sent', dead: ['t-old'] })
  pushes = {
    ...base,
    name: 'push',
    addressOf: ({ devices = [] }) => devices.map(({ token }) => token).join(' ') || undefined,
  }
  const workspace = WORKSPACE.replace('channels:', PUSH)
  const clock = manualClock(NOW)
  shop = await openShop({ database: await freshDatabase(), clock, channels: [pushes, mail], workspace })
  const people = ['a', 'b']
  await shop.importContacts(people.map((id) => ({ external_id: id, email: `${id}@x.example` })))
  await shop.importActivity(
    people.map((id) => ({ external_id: id, type: 'session', occurred_at: '2026-03-06T00:00:00Z' })),
  )
  const key = { name: 'app', scopes: ['events:write'] as const, now: NOW, by: 'test' }
  const { text } = await createApiKey(shop.database, key)
  const app = composeWeb({ runtime: shop.runtime })
  post = async (body, method = 'POST', path = '/v1/devices') =>
    await app.request(path, {
      method,
      body: typeof body === 'string' ? body : JSON.stringify(body),
      headers: { Authorization: `Bearer ${text}` },
    })
})
afterAll(() => shop.runtime.close())

const known = () =>
  rows<{ who: string; token: string }>(
    shop.database,
    sql`SELECT x.external_id AS who, token FROM devices JOIN external_ids x USING (contact_id) ORDER BY who, token`,
  )
const device = (external_id: string, token: string) => ({ external_id, provider: 'jpush', token })

describe('a device', () => {
  it('is registered once, and moves along with whoever signs in on it', async () => {
    for (const who of ['b', 'a', 'a']) expect((await post(device(who, 't-1'))).status).toBe(200)
    expect(await known()).toEqual([{ who: 'a', token: 't-1' }])
    expect((await post(device('b', 't-2'))).status).toBe(200)
    expect((await post(device('b', 't-2'), 'DELETE')).status).toBe(200)
    expect(await known()).toEqual([{ who: 'a', token: 't-1' }])
  })

  it('is one contact’s, though two sign in on it at the same moment', async () => {
    const signIn = (who: string, seconds: number) => (tx: Transaction) =>
      registerDevices(tx, [
        { externalId: who, provider: 'jpush', token: 't-both', keys: null, at: later(NOW, seconds) },
      ])
    let second: Promise<unknown> = Promise.resolve()
    await transaction(shop.database, async (tx) => {
      await signIn('a', 1)(tx)
      let done = false
      second = transaction(shop.database, signIn('b', 2)).finally(() => {
        done = true
      })
      await eventually(
        'the second waits for the first, or has not waited',
        async () => done || (await countWaiting(shop.database)) > 0,
        (so) => so,
      )
    })
    await second
    expect((await known()).filter(({ token }) => token === 't-both')).toEqual([{ who: 'b', token: 't-both' }])
    await execute(shop.database, sql`DELETE FROM devices WHERE token = 't-both'`)
  })

  it('is refused with a reason, and nothing changes', async () => {
    const app = composeWeb({ runtime: shop.runtime })
    expect((await app.request('/v1/devices', { method: 'POST', body: '{}' })).status).toBe(401)
    expect((await post(device('nobody', 't-3'))).status).toBe(404)
    const web = { external_id: 'a', provider: 'web', token: 'https://push.example/1' }
    const [p256dh, auth] = [65, 16].map((bytes) => Buffer.alloc(bytes, 4).toString('base64url'))
    for (const body of [
      '{',
      '[]',
      {},
      device('a', ''),
      device('a', 't\u0000'),
      { ...device('a', 't'), provider: 'pigeon' },
      web,
      { ...web, keys: { p256dh: 'x', auth: 'y' } },
      // Node decodes both as if the first character were not there.
      { ...web, keys: { p256dh: `\u0000${p256dh}`, auth } },
      `{"external_id":"a","provider":"web","token":"https://push.example/1","keys":{"p256dh":"${p256dh}","auth":"\\ud800${auth}"}}`,
      { ...web, token: 'http://push.example/1' },
    ]) {
      const answer = await post(body)
      expect(answer.status).toBe(400)
      expect(await answer.json()).toMatchObject({ error: 'malformed', reason: expect.stringMatching(/./) })
    }
    for (const [body, reason] of [
      [{}, 'external_id is missing'],
      [{ external_id: 7 }, 'external_id: expected text'],
      [[device('a', 't-4')], 'expected an object'],
    ] as const) {
      expect(await (await post(body)).json()).toMatchObject({ reason })
    }
    expect(await known()).toEqual([{ who: 'a', token: 't-1' }])
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(typeof parseDevice(value)).toBe('string')
      }),
    )
  })

  it('comes with identify, and is whose it was last, in whatever order that arrives', async () => {
    const said = (userId: string, minutes: number, token: unknown) => ({
      type: 'identify',
      userId,
      timestamp: new Date(NOW.getTime() - minutes * 60_000).toISOString(),
      context: { device: { id: 'd-1', type: 'android', token } },
    })
    const calls = [
      said('a', 30, 't-app'),
      said('b', 20, 't-app'),
      said('a', 25, 't-own'),
      said('b', 10, 't-own'),
    ]
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(calls, { minLength: 4 }),
        fc.boolean(),
        async (order, together) => {
          await execute(shop.database, sql`DELETE FROM devices`)
          for (const batch of together ? [order] : order.map((call) => [call])) {
            expect((await post({ batch }, 'POST', '/v1/batch')).status).toBe(200)
          }
          expect(await known()).toEqual([
            { who: 'b', token: 't-app' },
            { who: 'b', token: 't-own' },
          ])
        },
      ),
      { numRuns: 6 },
    )
    // What a library put there by itself is no reason to refuse what it brings.
    for (const token of ['', 7, null, 'x'.repeat(2001)]) {
      expect((await post(said('a', 0, token), 'POST', '/v1/identify')).status).toBe(200)
    }
    expect(await known()).toHaveLength(2)
    expect((await post(said('new', 0, 't-app'), 'POST', '/v1/identify')).status).toBe(200)
    expect(await known()).toContainEqual({ who: 'new', token: 't-app' })
    await execute(shop.database, sql`DELETE FROM devices`)
    await post(device('a', 't-1'))
  })

  it('is where a step goes first, e-mail to who has none; a dead one is forgotten', async () => {
    await post(device('a', 't-old'))
    await shop.apply(CAMPAIGN)
    await shop.run('game')
    const work = () =>
      dispatchDue(shop.database, { now: shop.clock.now(), jobs: 1000 }, async (batch) => {
        await processBatch(shop.runtime.worker, batch)
      })
    await work()
    expect(pushes.sent.map(({ address }) => address.split(' ').toSorted())).toEqual([['t-1', 't-old']])
    expect(mail.sent.map(({ address }) => address)).toEqual(['b@x.example'])
    expect(await known()).toEqual([{ who: 'a', token: 't-1' }])
    shop.clock.set(new Date('2026-03-11T10:00:00Z'))
    await work()
    expect(pushes.sent.at(-1)?.address).toBe('t-1')
  })
})
