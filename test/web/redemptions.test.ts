import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { rows } from '../../src/database/connect.ts'
import { createApiKey } from '../../src/web/api-keys.ts'
import { composeWeb } from '../../src/web/server.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop } from '../support/shop.ts'

const NOW = new Date('2026-03-10T09:00:00Z')

it('redemptions over HTTP are keyed, answered with a reason, and refused without the scope', async () => {
  const shop = await openShop({ database: await freshDatabase(), clock: manualClock(NOW), channels: [] })
  const { database, runtime } = shop
  await shop.importContacts([{ external_id: 'lee', signed_up_at: '2025-01-01' }])
  await rows(
    database,
    sql`INSERT INTO grants (contact_id, episode_id, campaign, offer, kind, step_id, touchpoint_id, state, code, face,
        expected, reserved_at, granted_at, expires_at)
      SELECT contact_id, 1, 'game', 'five', 'coupon', 1, 1, 'granted', 'A-1', 100, 10, '2026-03-09', '2026-03-09',
        '2026-03-16' FROM contacts`,
  )
  await rows(
    database,
    sql`INSERT INTO offer_codes (code, shown, campaign, offer, contact_id, grant_id)
      SELECT 'A1', 'A-1', 'game', 'five', contact_id, grant_id FROM grants`,
  )
  const app = composeWeb({ runtime })
  const keyOf = async (scope: 'redemptions' | 'read') =>
    (await createApiKey(database, { name: scope, scopes: [scope], now: NOW, by: 'test' })).text
  const [good, weak] = [await keyOf('redemptions'), await keyOf('read')]
  const post = async (body: unknown, key = good, headers: Record<string, string> = {}) => {
    const response = await app.request('/v1/redemptions', {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  const redeemed = async () => (await rows(database, sql`SELECT FROM grants WHERE state = 'redeemed'`)).length

  expect((await post({ key: 'o1', code: 'a1' }, weak)).status).toBe(403)
  expect((await post({ key: 'o1', code: 'a1' }, 'nonsense')).status).toBe(401)
  for (const wrong of ['{', '[]', { code: 'a1' }, { key: 'o1', code: 7 }, { key: 'o1', code: 'x\u0000' }]) {
    expect((await post(wrong)).status).toBe(400)
  }
  for (const wrong of [{ key: 'o1', code: 7 }, { redemptions: [{ key: 'o1', code: 7 }] }]) {
    expect((await post(wrong)).body.reason).toMatch(/^(redemptions\[0\]\.)?code: expected a text, found `7`/)
  }
  expect(await post({ key: 'o0', code: 'nope' })).toMatchObject({
    status: 422,
    body: { error: 'unknown_code' },
  })
  const long = await post({ code: 'a1' }, good, { 'idempotency-key': 'o'.repeat(201) })
  expect(long).toMatchObject({ status: 400, body: { reason: expect.stringContaining('Idempotency-Key') } })
  const ahead = (seconds: number) => new Date(NOW.getTime() + seconds * 1000).toISOString()
  expect(await post({ key: 'o1', code: 'a1', redeemed_at: ahead(61) })).toMatchObject({
    status: 422,
    body: { error: 'future' },
  })
  expect(await redeemed()).toBe(0)
  // The shop's clock is a little ahead: it was now.
  const told = { code: 'a1', redeemed_at: ahead(2) }
  expect(await post(told, good, { 'idempotency-key': 'o1' })).toMatchObject({
    status: 200,
    body: { outcome: 'redeemed', campaign: 'game', offer: 'five' },
  })
  expect(await rows(database, sql`SELECT redeemed_at AS at FROM grants`)).toEqual([{ at: NOW }])
  expect(await post({ key: 'o1', code: 'A-1' })).toMatchObject({ status: 200, body: { outcome: 'repeated' } })
  const many = [
    { key: 'o2', code: 'A-1' },
    { key: 'o3', external_id: 'lee', offer: 'ten' },
  ]
  // One name for a whole request is no name for each of many.
  const nameless = { redemptions: [{ code: 'A-1' }] }
  expect((await post(nameless, good, { 'idempotency-key': 'o4' })).status).toBe(400)
  expect((await post({ redemptions: many })).body).toMatchObject({
    results: [{ reason: 'already_redeemed' }, { reason: 'unknown_grant' }],
  })
  expect(await redeemed()).toBe(1)
})
