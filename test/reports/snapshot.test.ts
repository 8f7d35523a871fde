import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { execute, rows, transaction } from '../../src/database/connect.ts'
import { inSnapshot } from '../../src/reports/snapshot.ts'
import { freshDatabase } from '../support/database.ts'
import { day, writeHistory } from '../support/episodes.ts'

it('a report sees one moment, while touchpoints move', async () => {
  const database = await freshDatabase({ max: 2 })
  const history = await writeHistory(database, 'graded', { coupon: ['coupon'] })
  await history.assign({ arm: 'treated', count: 1, settle: false })
  await execute(
    database,
    sql`INSERT INTO touchpoints (contact_id, episode_id, step_id, planned_for, due_at)
        SELECT contact_id, episode_id, ${history.stepIds.get('coupon/coupon')}, ${day(0)}, ${day(0)} FROM episodes`,
  )
  const found = await inSnapshot(database, async (session) => {
    const [waiting] = await rows<{ n: number }>(session, sql`SELECT count(*) AS n FROM touchpoints`)
    await execute(
      database,
      sql`WITH gone AS (DELETE FROM touchpoints RETURNING *)
          INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, state, attempt, planned_for, settled_at)
          SELECT contact_id, touchpoint_id, episode_id, step_id, 'sent', 1, planned_for, ${day(1)} FROM gone`,
    )
    const [settled] = await rows<{ n: number }>(session, sql`SELECT count(*) AS n FROM touchpoint_records`)
    return (waiting?.n ?? 0) + (settled?.n ?? 0)
  })
  expect(found).toBe(1)
})

it('writes nothing, and leaves a caller’s transaction as it is', async () => {
  const database = await freshDatabase({ max: 2 })
  await expect(
    inSnapshot(database, (session) => execute(session, sql`DELETE FROM contacts`)),
  ).rejects.toThrow('read-only')
  await transaction(database, async (tx) => {
    expect(await inSnapshot(tx, (session) => execute(session, sql`DELETE FROM contacts`))).toBe(0)
  })
})
