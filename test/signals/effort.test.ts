import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { rows } from '../../src/database/connect.ts'
import { freshenSignals } from '../../src/service/signals.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop } from '../support/shop.ts'

// limits.effort: who brings little and uses little gets one message of the two; whoever brings much gets both.

const CAMPAIGN = `
version: 1
campaign: measured
title: Measured effort
schedule: "0 9 * * *"
timezone: UTC
goals: { recall: { event: session } }
window: 30d
holdout: 0%
limits: { effort: { light: 1 } }
tiers:
  - name: only
    inactive: 3d..90d
    steps:
      - { id: first, channel: log, template: hello }
      - { id: second, channel: log, template: hello, after: 1d }
`

test('low value and low potential get fewer messages, each skipped with its reason', async () => {
  const now = new Date('2026-06-01T09:00:00Z')
  const clock = manualClock(now)
  const channel = testChannel('log')
  const shop = await openShop({ database: await freshDatabase(), clock, channels: [channel] })
  const at = (days: number) => new Date(now.getTime() - days * 86_400_000).toISOString()
  await shop.importActivity([
    ...[10, 11, 12, 13, 14].map((day) => ({
      external_id: 'star',
      type: 'order',
      occurred_at: at(day),
      value: 500,
    })),
    { external_id: 'small', type: 'order', occurred_at: at(10), value: 5 },
    { external_id: 'looker', type: 'session', occurred_at: at(10) },
  ])
  await freshenSignals(shop.runtime)
  await shop.apply(CAMPAIGN)
  expect((await shop.run('measured')).answers).toEqual({ opened: 3 })
  for (const days of [0, 1]) {
    clock.set(new Date(now.getTime() + days * 86_400_000))
    await dispatchDue(shop.database, { now: clock.now(), jobs: Number.POSITIVE_INFINITY }, async (batch) => {
      await processBatch(shop.runtime.worker, batch)
    })
  }
  const found = await rows<{ contact: string; step: string; state: string; reason: string | null }>(
    shop.database,
    sql`SELECT c.external_id AS contact, s.step, r.state, r.reason
        FROM touchpoint_records r JOIN contacts c USING (contact_id) JOIN steps s USING (step_id) ORDER BY 1, 2`,
  )
  expect(found).toEqual([
    { contact: 'looker', step: 'first', state: 'sent', reason: null },
    { contact: 'looker', step: 'second', state: 'skipped', reason: 'effort' },
    { contact: 'small', step: 'first', state: 'sent', reason: null },
    { contact: 'small', step: 'second', state: 'skipped', reason: 'effort' },
    { contact: 'star', step: 'first', state: 'sent', reason: null },
    { contact: 'star', step: 'second', state: 'sent', reason: null },
  ])
  await shop.runtime.close()
})
