import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, it, test } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { rows } from '../../src/database/connect.ts'
import { API_CHANGES } from '../../src/web/api/changes.ts'
import { createApiKey, SCOPES, type Scope } from '../../src/web/api-keys.ts'
import { AUDIT_WORDS } from '../../src/web/pages/audit-words.ts'
import { composeWeb } from '../../src/web/server.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { withFullDisk } from '../support/full-disk.ts'
import { openShop, type Shop } from '../support/shop.ts'

// Whatever is changed by the API stands in the audit, by the name of the key.

const NOW = new Date('2026-03-02T09:20:00Z')
const clock = manualClock(NOW)
let shop: Shop
let app: ReturnType<typeof composeWeb>
let key: { keyId: string; text: string }

beforeAll(async () => {
  shop = await openShop({ database: await freshDatabase(), clock, channels: [testChannel('email')] })
  await shop.importContacts([{ external_id: 'ann-7', email: 'ann@example.com' }])
  app = composeWeb({ runtime: shop.runtime })
  const scopes = Object.keys(SCOPES) as Scope[]
  key = await createApiKey(shop.database, { name: 'till', scopes, now: NOW, by: 'test' })
})
afterAll(() => shop.runtime.close())

const ask = async (method: string, path: string, body?: unknown, by = key) =>
  await app.request(path, {
    method,
    headers: { Authorization: `Bearer ${by.text}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
const entries = async () =>
  (
    await rows<{ entry: string; all: string }>(
      shop.database,
      sql`SELECT concat_ws(' ', actor, via, action, about) AS entry, audit::text AS all FROM audit ORDER BY audit_id`,
    )
  ).map(({ entry, all }) => {
    expect(all).not.toMatch(/ann-7|ann@/i)
    return entry.replace(/contact \d+/, 'contact N')
  })

test('every route that changes something is in the table of what is recorded, and no other', () => {
  const changing = app.routes
    .filter(({ method, path }) => !['GET', 'HEAD', 'ALL'].includes(method) && path.startsWith('/v1/'))
    .map(({ method, path }) => `${method} ${path}`)
  expect([...new Set(changing)].filter((route) => !(route in API_CHANGES))).toEqual([])
  const all = new Set(app.routes.map(({ method, path }) => `${method} ${path}`))
  expect(Object.keys(API_CHANGES).filter((route) => !all.has(route))).toEqual([])
  const actions = Object.values(API_CHANGES).flatMap((change) => change?.action ?? [])
  expect(actions.filter((action) => AUDIT_WORDS[action] === undefined)).toEqual([])
})

test('every form is one that is known to leave an entry, to be the contact’s own, or about the session alone', () => {
  const forms = app.routes
    .filter(({ method, path }) => method === 'POST' && !path.startsWith('/v1/'))
    .map(({ path }) => path)
  expect([...new Set(forms)].toSorted()).toEqual([
    // calls-page.test.ts
    ...['/calls/:id/outcome', '/calls/:id/release', '/calls/:id/take', '/calls/next'],
    // pages.test.ts
    ...['/campaigns/:campaign/decide', '/campaigns/:campaign/pause', '/campaigns/:campaign/plan'],
    ...['/campaigns/:campaign/resume', '/campaigns/:campaign/stop'],
    // pages.test.ts
    '/contacts/:contact/allow',
    ...['/contacts/:contact/erase', '/contacts/:contact/export', '/contacts/:contact/preferences'],
    '/preferences/:token',
    ...['/settings/keys', '/settings/keys/revoke', '/settings/signing-keys', '/settings/users'],
    ...['/settings/users/link', '/settings/users/switch'],
    ...['/sign-in', '/sign-out', '/u/:token'],
    // sign-in.test.ts
    '/welcome/:secret',
  ])
})

it('has no change without its entry: what cannot be recorded is not done', async () => {
  const { database } = shop
  const event = { userId: 'ann-7', event: 'session', messageId: 'm1', timestamp: NOW.toISOString() }
  await withFullDisk(database, 'audit', async () => {
    expect((await ask('PUT', '/v1/preferences/ann-7', { channels_off: ['email'] })).status).toBe(500)
    expect((await ask('DELETE', '/v1/contacts/ann-7')).status).toBe(500)
    expect((await ask('POST', '/v1/track', event)).status).toBe(500)
  })
  expect(await rows(database, sql`SELECT FROM contacts`)).toHaveLength(1)
  expect(await rows(database, sql`SELECT FROM preferences`)).toEqual([])
  // Nor is the hour's entry left out for one that could not be made.
  expect((await ask('POST', '/v1/track', event)).status).toBe(200)
  expect(await entries()).toEqual(['till api data.send'])
})

it('records each change under the key’s name, a program’s traffic once an hour, and nothing that was refused', async () => {
  const event = { userId: 'ann-7', event: 'session', messageId: 'm1', timestamp: NOW.toISOString() }
  expect((await ask('POST', '/v1/track', event)).status).toBe(200)
  await ask('POST', '/v1/batch', { batch: [{ type: 'track', ...event }] })
  const other = { name: 'shop', scopes: ['events:write'], now: NOW, by: 'test' } as const
  await ask('POST', '/v1/track', event, await createApiKey(shop.database, other))
  await ask('POST', '/v1/track', { nothing: true })
  await ask('GET', '/v1/preferences/ann-7')
  await ask('PUT', '/v1/preferences/ann-7', { channels_off: ['email'] })
  await ask('PUT', '/v1/preferences/ann-7', { nonsense: 1 })
  await ask('POST', '/v1/redemptions', { redemptions: [{ key: 'r1', code: 'X', external_id: 'ann-7' }] })
  expect((await ask('POST', '/v1/redemptions', { key: 'r2', code: 'X' })).status).toBe(422)
  await ask('GET', '/v1/contacts/ann-7/export')
  await ask('GET', '/v1/inapp/ann-7')
  await ask('POST', '/v1/calls/call-1-1/claim', { agent: 'mei' })
  clock.set(new Date('2026-03-02T10:00:00Z'))
  await ask('POST', '/v1/track', { ...event, messageId: 'm2' })
  expect((await ask('DELETE', '/v1/contacts/ann-7')).status).toBe(200)
  expect(await entries()).toEqual([
    'till api data.send',
    'shop api data.send',
    'till api contact.preferences contact N',
    'till api offer.redeem',
    'till api contact.export contact N',
    'till api inapp.use',
    'till api data.send',
    'till api contact.erase contact N',
  ])
})
