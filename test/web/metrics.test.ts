import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ManualClock, manualClock } from '../../src/clock.ts'
import { pause, resume } from '../../src/config/switches.ts'
import { execute } from '../../src/database/connect.ts'
import { countSends } from '../../src/touchpoints/breakers.ts'
import { endAbsence, recordAbsence } from '../../src/touchpoints/sending/absences.ts'
import { createApiKey } from '../../src/web/api-keys.ts'
import { composeWeb } from '../../src/web/server.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop, type Shop } from '../support/shop.ts'

let shop: Shop
const now = new Date('2026-03-01T00:00:00Z')
const twoHoursAgo = new Date(now.getTime() - 2 * 3600_000)

let clock: ManualClock

beforeAll(async () => {
  clock = manualClock(now)
  const channels = [testChannel('email')]
  shop = await openShop({ database: await freshDatabase(), clock, channels })
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
  expect(figures).toContain('winback_http_requests_total{method="GET",status="4xx"} 1')
  expect(figures).toMatch(/winback_http_requests_total\{method="GET",status="2xx"\} 1/)
})

test('what is due, since when, what went out and what is held back, by campaign', async () => {
  const { database } = shop
  const { text } = await createApiKey(database, { name: 'on call', scopes: ['read'], now, by: 'test' })
  const app = composeWeb({ runtime: shop.runtime })
  const scrape = () => app.request('/metrics', { headers: { authorization: `Bearer ${text}` } })
  await shop.apply(oneTierCampaign('weekly', ['{ id: remind, channel: email, template: hello }']))
  await shop.importContacts([{ external_id: 'b', email: 'b@people.test' }])
  await shop.importActivity([{ external_id: 'b', type: 'session', occurred_at: '2026-02-20T00:00:00Z' }])
  await shop.run('weekly')
  await countSends(database, { campaign: 'weekly', channel: 'email', now, sent: 7 })
  await countSends(database, { campaign: 'weekly', channel: 'email', now: twoHoursAgo, sent: 9 })
  await pause(database, { scope: 'channel', name: 'sms' }, { reason: 'test', clock })
  await recordAbsence(database, 'email', 'ECONNREFUSED', now)
  clock.advance(1800)
  const figures = await (await scrape()).text()
  expect(figures).toContain('winback_touchpoints_due{campaign="weekly"} 1')
  expect(figures).toContain('winback_touchpoints_under_way{campaign="weekly"} 0')
  expect(figures).toContain('winback_oldest_due_seconds{campaign="weekly"} 1800')
  expect(figures).toContain('winback_sent_last_hour{campaign="weekly",channel="email"} 7')
  expect(figures).toContain('winback_switch{scope="channel",name="sms",state="paused"} 1')
  expect(figures).toContain('winback_run_age_seconds{campaign="weekly"} 1800')
  expect(figures).toContain('winback_channel_away_seconds{channel="email"} 1800')
  await resume(database, { scope: 'channel', name: 'sms' })
  await endAbsence(database, 'email')
  clock.advance(20)
  const after = await (await scrape()).text()
  expect(after).not.toContain('winback_switch{')
  expect(after).not.toContain('winback_channel_away_seconds{')
})

test('a database that fails is told, and asked again at once', async () => {
  const { database } = shop
  const { text } = await createApiKey(database, { name: 'failing', scopes: ['read'], now, by: 'test' })
  const app = composeWeb({ runtime: shop.runtime })
  const scrape = async () =>
    (await app.request('/metrics', { headers: { authorization: `Bearer ${text}` } })).status
  await execute(database, sql`ALTER TABLE send_counts RENAME TO elsewhere`)
  expect(await scrape()).toBe(500)
  await execute(database, sql`ALTER TABLE elsewhere RENAME TO send_counts`)
  expect(await scrape()).toBe(200)
})
