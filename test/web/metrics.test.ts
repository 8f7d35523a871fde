import { afterAll, beforeAll, expect, test } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { createApiKey } from '../../src/web/api-keys.ts'
import { composeWeb } from '../../src/web/server.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop, type Shop } from '../support/shop.ts'

let shop: Shop
const now = new Date('2026-03-01T00:00:00Z')
beforeAll(async () => {
  shop = await openShop({ database: await freshDatabase(), clock: manualClock(now), channels: [] })
})
afterAll(() => shop.runtime.close())

test('figures for Prometheus, with a key that may read, of requests and of what the database holds', async () => {
  const app = composeWeb({ runtime: shop.runtime })
  const made = { name: 'prometheus', scopes: ['read'] as const, now, by: 'test' }
  const { text } = await createApiKey(shop.database, { ...made, scopes: [...made.scopes] })
  await shop.importContacts([{ external_id: 'a', email: 'a@people.test' }])
  await shop.importActivity([{ external_id: 'a', type: 'session', occurred_at: '2026-02-28T23:00:00Z' }])
  expect((await app.request('/metrics')).status).toBe(401)
  await app.request('/healthz')
  const answer = await app.request('/metrics', { headers: { authorization: `Bearer ${text}` } })
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toContain('text/plain')
  const figures = await answer.text()
  expect(figures).toContain('winback_activity_lag_seconds 3600')
  expect(figures).toContain('winback_switches 0')
  expect(figures).toContain('winback_http_requests_total{method="GET",status="4xx"} 1')
  expect(figures).toMatch(/winback_http_requests_total\{method="GET",status="2xx"\} 1/)
})
