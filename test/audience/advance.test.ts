import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { execute, rows } from '../../src/database/connect.ts'
import { DAY, openPipeline, START } from '../support/pipeline.ts'

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
