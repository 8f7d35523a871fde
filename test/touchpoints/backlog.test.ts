import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { pause } from '../../src/config/switches.ts'
import { rows } from '../../src/database/connect.ts'
import { readBacklog } from '../../src/touchpoints/backlog.ts'
import { queueDue } from '../../src/touchpoints/lifecycle.ts'
import { DAY, openPipeline, START } from '../support/pipeline.ts'

const HOUR = 3600

/** Three messages due at once, and three of a second step an hour later. */
async function open() {
  const pipeline = await openPipeline({
    tiers: [
      { name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'remind' }, { id: 'again', after: HOUR }] },
    ],
  })
  for (let n = 0; n < 3; n += 1) {
    await pipeline.addContact({ silentSince: new Date(START.getTime() - 4 * DAY * 1000) })
  }
  await pipeline.runNow()
  const [step] = await rows<{ stepId: number; campaign: string }>(
    pipeline.database,
    sql`SELECT step_id AS "stepId", campaign FROM steps WHERE step = 'remind'`,
  )
  if (!step) throw new Error('no step')
  return { ...pipeline, ...step }
}

const later = (seconds: number) => new Date(START.getTime() + seconds * 1000)

it('counts what is due and has not gone, and dates the oldest', async () => {
  const { database, stepId, campaign } = await open()
  expect(await readBacklog(database, later(-1))).toEqual([{ campaign, due: 0, underWay: 0, oldest: null }])
  expect(await readBacklog(database, later(60))).toEqual([{ campaign, due: 3, underWay: 0, oldest: START }])
  await queueDue(database, { stepId, now: later(60), limit: 2 })
  expect(await readBacklog(database, later(60))).toMatchObject([{ due: 1, underWay: 2, oldest: START }])
  await queueDue(database, { stepId, now: later(60), limit: 2 })
  expect(await readBacklog(database, later(60))).toMatchObject([{ due: 0, underWay: 3, oldest: null }])
  // The second step's.
  expect(await readBacklog(database, later(2 * HOUR))).toMatchObject([
    { due: 3, underWay: 3, oldest: later(HOUR) },
  ])
})

it('takes what is paused for due, and for no reason to wake anybody', async () => {
  const { database, clock, campaign } = await open()
  await pause(database, { scope: 'campaign', name: campaign }, { reason: 'test', clock })
  expect(await readBacklog(database, later(60))).toEqual([{ campaign, due: 3, underWay: 0, oldest: null }])
})

it('counts as many of a step as it is asked to, the oldest first', async () => {
  const { database, campaign } = await open()
  expect(await readBacklog(database, later(2 * HOUR), 2)).toEqual([
    { campaign, due: 4, underWay: 0, oldest: START },
  ])
})
