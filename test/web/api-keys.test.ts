import { sql } from 'drizzle-orm'
import { Hono } from 'hono'
import { beforeAll, expect, test } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { type Database, rows } from '../../src/database/connect.ts'
import {
  createApiKey,
  listApiKeys,
  openKeyRing,
  REMEMBERED_MS,
  revokeApiKey,
} from '../../src/web/api-keys.ts'
import { requireScope } from '../../src/web/authorise.ts'
import { openCliShop, run } from '../cli/command.ts'
import { freshDatabase } from '../support/database.ts'

let database: Database
const clock = manualClock(new Date('2026-03-01T00:00:00Z'))
beforeAll(async () => {
  database = await freshDatabase()
})

function guarded() {
  const app = new Hono()
  app.get('/', requireScope(openKeyRing(database, clock), 'events:write'), (c) =>
    c.text(c.get('apiKey').name),
  )
  return (authorization?: string) => app.request('/', authorization ? { headers: { authorization } } : {})
}
const basic = (text: string) => `Basic ${Buffer.from(`${text}:`).toString('base64')}`

test('a key opens what its scopes say, as Basic user and as Bearer; its secret is kept nowhere', async () => {
  const make = (scopes: Parameters<typeof createApiKey>[1]['scopes']) =>
    createApiKey(database, { name: 'shop', scopes, now: clock.now(), by: 'ada' })
  const [writer, reader] = [await make(['events:write', 'read']), await make(['read'])]
  const request = guarded()
  expect((await request(basic(writer.text))).status).toBe(200)
  expect(await (await request(`Bearer ${writer.text}`)).text()).toBe('shop')
  const forbidden = await request(basic(reader.text))
  expect(forbidden.status).toBe(403)
  expect(await forbidden.json()).toMatchObject({
    error: 'forbidden',
    reason: expect.stringContaining('events:write'),
  })
  const stored = JSON.stringify(await rows(database, sql`SELECT * FROM api_keys`))
  // As drawn it may have the sign that parts it from its id, even as its first.
  const secret = writer.text.slice(`wb_${writer.keyId}_`.length)
  expect(secret).toMatch(/^[\w-]{20,}$/)
  expect(stored).not.toContain(secret)
})

test('anything else is refused with a reason', async () => {
  const { text, keyId } = await createApiKey(database, {
    name: 'x',
    scopes: ['events:write'],
    now: clock.now(),
    by: 'ada',
  })
  const request = guarded()
  const wrong = `${text.slice(0, -1)}${text.endsWith('A') ? 'B' : 'A'}`
  const unknown = `wb_${'0'.repeat(16)}_${text.slice(20)}`
  for (const header of [
    undefined,
    'Bearer',
    basic(''),
    basic(wrong),
    basic(unknown),
    `Digest ${text}`,
    'Basic %%%',
    `Bearer ${keyId}`,
  ]) {
    const answer = await request(header)
    expect([header, answer.status]).toEqual([header, 401])
    expect(answer.headers.get('www-authenticate')).toContain('Basic')
    expect(await answer.json()).toMatchObject({ error: 'unauthorised', reason: expect.any(String) })
  }
})

test('a revoked key is refused within seconds; its use is noted to the minute', async () => {
  const { text, keyId } = await createApiKey(database, {
    name: 'gone',
    scopes: ['events:write'],
    now: clock.now(),
    by: 'ada',
  })
  const request = guarded()
  expect((await request(basic(text))).status).toBe(200)
  const used = clock.now()
  clock.advance(1)
  expect((await request(basic(text))).status).toBe(200)
  const key = (await listApiKeys(database)).find((each) => each.keyId === keyId)
  expect(key?.lastUsedAt).toEqual(used)
  await revokeApiKey(database, keyId, clock.now())
  clock.advance(REMEMBERED_MS / 1000)
  expect((await request(basic(text))).status).toBe(401)
})

test('the verb makes, lists and revokes, and shows a key once', async () => {
  const { here } = await openCliShop(database)
  const made = await run(
    ['api-keys', 'create', 'backend', '--scope', 'events:write', '--scope', 'read'],
    here,
  )
  const [, text = '', keyId = ''] = /^(wb_([0-9a-f]{16})_\S{43})$/m.exec(made.stdout) ?? []
  expect(made.code).toBe(0)
  const listed = await run(['api-keys', 'list'], here)
  // Too many columns for a hundred cells: each key is told in a paragraph.
  expect(listed.stdout.replace(/\s+/g, ' ')).toMatch(
    new RegExp(`${keyId} · name backend · scopes events:write read · made [^·]*\\d:\\d\\d · last used never`),
  )
  expect(listed.stdout).not.toMatch(/\d{4}-\d\d-\d\dT/)
  expect(listed.stdout).not.toContain(text.slice(-43))
  expect((await run(['api-keys', 'revoke', keyId], here)).code).toBe(0)
  const after = JSON.parse((await run(['api-keys', 'list', '--json'], here)).stdout) as {
    keys: { keyId: string; revokedAt: string | null }[]
  }
  expect(after.keys.find((key) => key.keyId === keyId)?.revokedAt).not.toBeNull()
  const wrong = await run(['api-keys', 'create', 'x', '--scope', 'everything'], here)
  expect({ code: wrong.code, said: wrong.stderr }).toMatchObject({
    said: expect.stringContaining('there is no scope'),
  })
  expect((await run(['api-keys', 'revoke', 'abc'], here)).stderr).toContain('there is no key abc')
})
