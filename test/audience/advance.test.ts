import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { runCampaign } from '../../src/audience/run.ts'
import { execute, rows } from '../../src/database/connect.ts'
import { DAY, openPipeline, START } from '../support/pipeline.ts'

it('moves those who stay silent, by the tiers of the version that took them in', async () => {
  const pipeline = await openPipeline()
  const { database, clock, campaign } = pipeline
  const silentSince = new Date(START.getTime() - 4 * DAY * 1000)
  const [stays, back, slow] = [
    await pipeline.addContact({ silentSince }),
    await pipeline.addContact({ silentSince }),
    await pipeline.addContact({ silentSince }),
  ]
  await pipeline.runNow()
  await pipeline.addActivity(back, new Date(START.getTime() + DAY * 1000))
  await execute(database, sql`UPDATE episodes SET version = 2 WHERE contact_id = ${slow}`)
  const tiers = campaign.tiers.map((tier) =>
    tier.no === 1 ? { ...tier, to: 10 * DAY } : { ...tier, from: 10 * DAY },
  )
  const second = { ...campaign, version: 2, tiers }
  const book = {
    ...pipeline.run.book,
    campaign: async (_name: string, version: number) => (version === 2 ? second : campaign),
  }
  clock.set(new Date(START.getTime() + 4 * DAY * 1000))
  expect((await runCampaign({ ...pipeline.run, book }, campaign, clock.now())).advanced).toBe(1)
  const moved = await rows(database, sql`SELECT contact_id AS contact FROM stages WHERE tier_no = 2`)
  expect(moved).toEqual([{ contact: stays }])
})

it('entering the next tier closes the calls of the one before that were not made; care goes on', async () => {
  const pipeline = await openPipeline()
  const { database, clock } = pipeline
  await pipeline.addContact({ silentSince: new Date(START.getTime() - 4 * DAY * 1000) })
  await pipeline.runNow()
  await execute(
    database,
    sql`INSERT INTO calls (contact_id, touchpoint_id, episode_id, step_id, campaign, kind, script, taker, priority, state,
          opened_at, due_at, next_attempt_at)
        SELECT e.contact_id, no, e.episode_id, 1, 'test', kind, 's', 'agent', 0, 'open', ${START}, ${START}, ${START}
        FROM episodes e CROSS JOIN (VALUES (-1, 'recall'), (-2, 'care')) AS k(no, kind)`,
  )
  const states = () => rows(database, sql`SELECT kind, state, closed_by AS by FROM calls ORDER BY kind`)
  clock.set(new Date(START.getTime() + DAY * 1000))
  await pipeline.runNow()
  expect(await states()).toEqual([
    { kind: 'care', state: 'open', by: null },
    { kind: 'recall', state: 'open', by: null },
  ])
  clock.set(new Date(START.getTime() + 4 * DAY * 1000))
  expect((await pipeline.runNow()).advanced).toBe(1)
  expect(await states()).toEqual([
    { kind: 'care', state: 'open', by: null },
    { kind: 'recall', state: 'closed', by: 'superseded' },
  ])
})
