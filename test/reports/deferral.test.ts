import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { execute } from '../../src/database/connect.ts'
import { deferralOf, readWaiting } from '../../src/reports/deferral.ts'
import { DAY, openPipeline, START } from '../support/pipeline.ts'

const later = (seconds: number) => new Date(START.getTime() + seconds * 1000)

it('tells a retry from the send window and from a pause', () => {
  const put = { state: 'planned', attempt: 0, plannedFor: START, dueAt: later(60), paused: false }
  expect(deferralOf(put)).toBe('quiet_hours')
  expect(deferralOf({ ...put, attempt: 1 })).toBe('retry')
  expect(deferralOf({ ...put, paused: true })).toBe('paused')
  expect(deferralOf({ ...put, dueAt: START })).toBeNull()
  expect(deferralOf({ ...put, state: 'queued' })).toBeNull()
  expect(deferralOf({ ...put, state: 'sent', dueAt: null })).toBeNull()
})

it('counts what waits by reason, with the earliest moment; what is planned for later waits for nothing', async () => {
  const pipeline = await openPipeline({
    tiers: [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'one' }, { id: 'two', after: DAY }] }],
    definition: { limits: { send_window: { default: '09:00-21:00' } } },
  })
  const silentSince = later(-4 * DAY)
  const [first] = [await pipeline.addContact({ silentSince }), await pipeline.addContact({ silentSince })]
  await pipeline.runNow()
  await pipeline.work()
  // 01:00: both wait for nine o'clock.
  expect(await readWaiting(pipeline.database, START)).toEqual([
    { why: 'quiet_hours', touchpoints: 2, earliest: new Date('2026-03-02T09:00:00Z') },
  ])
  await execute(
    pipeline.database,
    sql`UPDATE touchpoints SET attempt = 1, due_at = ${later(60)} WHERE contact_id = ${first} AND due_at > planned_for`,
  )
  expect(await readWaiting(pipeline.database, START)).toEqual([
    { why: 'retry', touchpoints: 1, earliest: later(60) },
    { why: 'quiet_hours', touchpoints: 1, earliest: new Date('2026-03-02T09:00:00Z') },
  ])
  expect(await readWaiting(pipeline.database, later(120))).toContainEqual({
    why: 'held',
    touchpoints: 1,
    earliest: later(60),
  })
})
