import { sql } from 'drizzle-orm'
import { expect, it, vi } from 'vitest'
import type { Delivery } from '../../src/channels/channel.ts'
import { manualClock } from '../../src/clock.ts'
import { rows } from '../../src/database/connect.ts'
import { startSending } from '../../src/service/sending.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import type { Engine } from '../../src/touchpoints/queue/engine.ts'
import { jobOf } from '../../src/touchpoints/queue/jobs.ts'
import { openQueue } from '../../src/touchpoints/queue/queue.ts'
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
  expect(planned).toEqual(Array.from({ length: 7 }, () => ({ attempt: 0, due: true })))
  expect(await rows(database, sql`SELECT FROM touchpoints WHERE state <> 'planned'`)).toEqual([])
  expect(errors).toEqual([])
  await shop.runtime.close()
})

it('a worker that is ending waits for no provider any longer than it is let, and no message loses a try', async () => {
  const mail = testChannel('email', { concurrency: 9 })
  const text = testChannel('sms', { concurrency: 9, idempotent: true })
  const never = new Promise<Delivery>(() => {})
  let leave = (_: Delivery) => {}
  const left = new Promise<Delivery>((resolve) => {
    leave = resolve
  })
  const note = testChannel('inapp', { concurrency: 9 })
  // One says how far it came where it is left, and the others say nothing.
  mail.answer = () => left
  text.answer = () => never
  note.answer = () => never
  mail.leave = () => leave({ outcome: 'retry', detail: 'not connected', unsent: true, unreached: true })
  const clock = manualClock(new Date('2026-03-02T09:00:00Z'))
  const database = await freshDatabase()
  const shop = await openShop({ database, clock, channels: [mail, text, note] })
  const people = Array.from({ length: 9 }, (_, n) => ({
    ...{ external_id: `u${n}`, email: `u${n}@people.test`, phone: `+1555000110${n}` },
    signed_up_at: '2026-02-20T00:00:00Z',
  }))
  await shop.importContacts(people)
  const steps = ['email', 'sms', 'inapp'].map((name) => `{ id: ${name}, channel: ${name}, template: hello }`)
  await shop.apply(oneTierCampaign('spring', steps))
  await shop.run('spring')
  const [planned] = await rows<{ count: number }>(database, sql`SELECT count(*) FROM touchpoints`)
  const engine: Engine = { kind: 'postgres', url: database.url, schema: `${database.schema}_queue` }
  const errors: unknown[] = []
  const sending = await startSending(shop.runtime, engine, {
    onError: (_, error) => errors.push(error),
    onBatch: () => {},
    onRun: () => {},
    onSweep: () => {},
  })
  const queue = await openQueue(engine, (error) => errors.push(error))
  await dispatchDue(database, { now: clock.now(), jobs: 3 }, (batch) => queue.add([jobOf(batch)]))
  await vi.waitFor(
    () => expect([mail, text, note].flatMap(({ sent }) => sent)).toHaveLength(planned?.count ?? 0),
    20_000,
  )
  const closed = sending.close()
  shop.runtime.leave()
  await closed
  await queue.close()
  expect(
    await rows(
      database,
      sql`SELECT state, channel, detail, count(*) FROM touchpoint_records GROUP BY 1, 2, 3`,
    ),
  ).toEqual([
    {
      ...{ state: 'uncertain', channel: 'inapp', count: note.sent.length },
      detail: 'this process ended before the provider answered',
    },
  ])
  expect(
    await rows(
      database,
      sql`SELECT s.step, t.attempt, t.doubted, count(*) FROM touchpoints t JOIN steps s USING (step_id)
        WHERE t.state = 'planned' GROUP BY 1, 2, 3 ORDER BY 1`,
    ),
  ).toEqual([
    { step: 'email', attempt: 0, doubted: false, count: mail.sent.length },
    { step: 'sms', attempt: 0, doubted: true, count: text.sent.length },
  ])
  // That we did not wait says nothing of the provider.
  expect(await rows(database, sql`SELECT FROM absences`)).toEqual([])
  expect(errors).toEqual([])
  // Nor is the closing of a channel waited for that waits for its sends.
  text.close = async () => void (await never)
  await shop.runtime.close()
})
