import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { execute } from '../../src/database/connect.ts'
import { readCost } from '../../src/reports/cost/cost.ts'
import { readPeople, roiMoments } from '../../src/reports/people-cells.ts'
import { rollUp } from '../../src/reports/rollup/rollup.ts'
import { readEarnings } from '../../src/simulator/earnings.ts'
import { freshDatabase } from '../support/database.ts'
import { day, writeHistory } from '../support/episodes.ts'
import { RULES } from '../support/report-scene.ts'
import { roiOf } from '../support/roi.ts'

test('the ROI beside the planted one is the cost report’s, the lapses of a person taken together', async () => {
  const database = await freshDatabase({ max: 3 })
  const history = await writeHistory(database, 'graded', { coupon: ['remind'] })
  const groups = [
    { arm: 'treated', count: 90 },
    { arm: 'holdout', count: 30 },
  ] as const
  for (const { arm, count } of groups) {
    const first = await history.assign({ arm, count, at: day(0) })
    // The same buy every time, and cost every time.
    const persons = first.map(({ personId }) => personId)
    await history.assign({ arm, count, at: day(40), episodeNo: 2, persons })
    for (const contact of persons.slice(0, 24))
      for (const at of [2, 42])
        await execute(
          database,
          sql`INSERT INTO activity (contact_id, occurred_at, key, type, value, received_at)
              VALUES (${contact}, ${day(at)}, ${at}, 'order', ${1e6 * (1 + (contact % 7))}, ${day(at)})`,
        )
  }
  await execute(
    database,
    sql`INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
        SELECT contact_id, touchpoint_id, episode_id, step_id, 'spend', 'email', 100000, settled_at FROM touchpoint_records`,
  )
  const now = day(100)
  await rollUp(database, now, RULES)
  const question = { campaign: 'graded', now, split: new Map([[1, { holdout: 0.25, control: 0 }]]) }
  const earnings = await readEarnings(database, question)
  const { prices } = await readCost(database, question)
  expect(earnings).toEqual({ cost: 100_000, roi: prices[0]?.roi?.withLabour })
  const people = await readPeople(database, question)
  const alone = roiOf(roiMoments(people, 'treated', true), roiMoments(people, 'holdout', true))
  expect(earnings?.roi).toMatchObject({ ratio: { answer: 'ratio' } })
  expect(alone).toMatchObject({ ratio: { answer: 'ratio' } })
  expect(earnings?.roi).not.toEqual(alone)
})
