import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { rows } from '../../src/database/connect.ts'
import { startSending } from '../../src/service/sending.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import type { Engine } from '../../src/touchpoints/engine.ts'
import { jobOf } from '../../src/touchpoints/jobs.ts'
import { openQueue } from '../../src/touchpoints/queue.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop } from '../support/shop.ts'

it('a worker that is ending ends what it is sending, and leaves the rest of its batch to others, untried', async () => {
  const channel = testChannel('email', { concurrency: 2 })
  const sent: string[] = []
  let answer = () => {}
  const answered = new Promise<void>((resolve) => {
    answer = resolve
  })
  let begin = () => {}
  const begun = new Promise<void>((resolve) => {
    begin = resolve
  })
  channel.send = async ({ key }) => {
    sent.push(key)
    if (sent.length === 2) begin()
    await answered
    return { outcome: 'sent', providerId: key, cost: 0 }
  }
  const clock = manualClock(new Date('2026-03-02T09:00:00Z'))
  const database = await freshDatabase()
  const shop = await openShop({ database, clock, channels: [channel] })
  const people = Array.from({ length: 9 }, (_, n) => `u${n}`)
  await shop.importContacts(people.map((id) => ({ external_id: id, email: `${id}@people.test` })))
  const occurred_at = '2026-02-20T00:00:00Z'
  await shop.importActivity(people.map((id) => ({ external_id: id, type: 'session', occurred_at })))
  await shop.apply(oneTierCampaign('spring', ['{ id: remind, channel: email, template: hello }']))
  await shop.run('spring')
  const errors: unknown[] = []
  const onError = (_: string, error: unknown) => errors.push(error)
  const engine: Engine = { kind: 'postgres', url: database.url, schema: `${database.schema}_queue` }
  const sending = await startSending(shop.runtime, engine, {
    onError,
    onBatch: () => {},
    onRun: () => {},
    onSweep: () => {},
  })
  const queue = await openQueue(engine, (error) => errors.push(error))
  await dispatchDue(database, { now: clock.now(), jobs: 1 }, (batch) => queue.add([jobOf(batch)]))
  await begun
  const closed = sending.close()
  answer()
  await closed
  await queue.close()
  const planned = await rows<{ attempt: number; due: boolean }>(
    database,
    sql`SELECT attempt, due_at <= ${clock.now()} AS due FROM touchpoints WHERE state = 'planned'`,
  )
  const [ended] = await rows<{ count: number }>(
    database,
    sql`SELECT count(*) FROM touchpoint_records WHERE state = 'sent'`,
  )
  expect(sent).toHaveLength(2)
  expect(ended?.count).toBe(2)
  // A tenth of the people, more or less, is the workspace's control group.
  expect(planned.length).toBeGreaterThan(2)
  expect(planned).toEqual(planned.map(() => ({ attempt: 0, due: true })))
  expect(await rows(database, sql`SELECT FROM touchpoints WHERE state <> 'planned'`)).toEqual([])
  expect(errors).toEqual([])
  await shop.runtime.close()
})
