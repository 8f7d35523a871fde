import { sql } from 'drizzle-orm'
import { it } from 'vitest'
import { execute } from '../../src/database/connect.ts'
import { readReport } from '../../src/reports/overview.ts'
import { formatReport } from '../../src/reports/overview-text.ts'
import { freshDatabase } from '../support/database.ts'
import { day, writeHistory } from '../support/episodes.ts'

it('is quick', async () => {
  const database = await freshDatabase()
  const history = await writeHistory(
    database,
    'graded',
    { coupon: ['remind', 'coupon'], trial: ['trial'] },
    { drawing: ['trial'] },
  )
  for (let i = 0; i < 5; i++) {
    await history.assign({ arm: 'treated', count: 48000, recalled: 6000 + i, at: day(i) })
    await history.assign({
      arm: 'treated',
      count: 8000,
      recalled: 900,
      at: day(i),
      tier: 'trial',
      segment: 'vip',
    })
    await history.assign({ arm: 'holdout', count: 5300, recalled: 500 + i, at: day(i) })
    await history.assign({
      arm: 'holdout',
      count: 900,
      recalled: 90,
      at: day(i),
      tier: 'trial',
      segment: 'vip',
    })
    await history.assign({ arm: 'control', count: 3272, recalled: 250, at: day(i) })
  }
  await execute(
    database,
    sql`INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, amount, booked_at) SELECT contact_id, touchpoint_id, episode_id, step_id, 'spend', 50000, settled_at FROM touchpoint_records`,
  )
  await execute(database, sql`ANALYZE`)
  const start = performance.now()
  const data = await readReport(database, {
    campaign: 'graded',
    now: day(60),
    split: { holdout: 0.1, control: 0.05 },
    goal: 'session',
    acquisition: 220_000_000,
  })
  console.log('read ms', performance.now() - start)
  console.log(formatReport(data, { locale: 'en', currency: 'CNY', color: false, width: 130 }))
  console.log(formatReport(data, { locale: 'zh-CN', currency: 'CNY', color: false, width: 100 }))
}, 300000)
