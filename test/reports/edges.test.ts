import { sql } from 'drizzle-orm'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import { deliverySheet, readDelivery } from '../../src/reports/delivery.ts'
import type { CampaignQuestion } from '../../src/reports/question.ts'
import { rollUp } from '../../src/reports/rollup.ts'
import { freshDatabase } from '../support/database.ts'
import { clearHistory, DAY, day, type History, writeHistory } from '../support/episodes.ts'
import { clearReports, RULES } from '../support/report-scene.ts'

// Figures where it is easiest to count wrongly: what comes after a window, what is many and looks different, what a mean is over.

let database: Database
let history: History
beforeAll(async () => {
  database = await freshDatabase({ max: 3 })
  history = await writeHistory(database, 'graded', { coupon: ['coupon'] })
})
beforeEach(async () => {
  await clearHistory(database)
  await clearReports(database)
})

const NOW = day(60)
const question: CampaignQuestion = {
  campaign: 'graded',
  now: NOW,
  split: new Map([[1, { holdout: 0.1, control: 0 }]]),
}
const style = { locale: 'en', currency: 'CNY', color: false, width: 160 }

/** What a provider reported of a message: seconds after it was sent. */
async function report(contactId: number, kind: string, seconds: number): Promise<void> {
  await execute(
    database,
    sql`INSERT INTO delivery_events (contact_id, touchpoint_id, event_id, kind, occurred_at, received_at)
        SELECT contact_id, touchpoint_id, ${kind}, ${kind}, at, at FROM touchpoint_records
        CROSS JOIN LATERAL (SELECT settled_at + make_interval(secs => ${seconds}) AS at) a
        WHERE contact_id = ${contactId}`,
  )
}

describe('figures at the edges', () => {
  it('counts all whom a provider refused in the same words, and keeps no address of theirs', async () => {
    await history.assign({ arm: 'treated', count: 40, at: day(0) })
    await execute(
      database,
      sql`UPDATE touchpoint_records SET state = 'failed', reason = 'bad_address', detail = CASE
            WHEN touchpoint_id % 4 = 0 THEN '400 the number +861380000' || (touchpoint_id % 10000 + 10000) || ' is not valid'
            ELSE '550 5.1.1 <p' || touchpoint_id || '@people.test>: unknown' END`,
    )
    await rollUp(database, NOW, RULES)
    const { errors, channels } = await readDelivery(database, question)
    expect(errors.map(({ messages, detail }) => [messages, detail])).toEqual([
      [30, '550 5.1.1 <…>: unknown'],
      [10, '400 the number … is not valid'],
    ])
    expect(channels[0]?.failed).toBe(40)
    const kept = await rows(database, sql`SELECT FROM report_errors WHERE detail LIKE '%people.test%'`)
    expect(kept).toEqual([])
  })

  it('means the time to delivery over those messages of which a provider said when they arrived', async () => {
    const made = await history.assign({ arm: 'treated', count: 4, at: day(0) })
    const [slow, slower, clicked] = made.map(({ contactId }) => contactId)
    await report(slow ?? 0, 'delivered', 100)
    await report(slower ?? 0, 'delivered', 300)
    await report(clicked ?? 0, 'clicked', 9000)
    await rollUp(database, NOW, RULES)
    const data = await readDelivery(database, question)
    expect(data.channels[0]).toMatchObject({ sent: 4, delivered: 3, timed: 2, latency: 400, late: 0 })
    const [row] = deliverySheet(data, style).tables[0]?.rows ?? []
    expect(row?.[8]?.text).toBe('200')
  })

  it('counts of who complained what was said within the window', async () => {
    const made = await history.assign({ arm: 'treated', count: 3, at: day(0) })
    const [inTime, last, late] = made.map(({ contactId }) => contactId)
    await report(inTime ?? 0, 'complaint', DAY / 1000)
    await report(last ?? 0, 'complaint', (30 * DAY) / 1000)
    await report(late ?? 0, 'complaint', (31 * DAY) / 1000)
    await rollUp(database, NOW, RULES)
    expect(await rows(database, sql`SELECT assigned, complained FROM report_people`)).toEqual([
      { assigned: 3, complained: 2 },
    ])
    // Of the messages all that were complained of, whenever.
    expect((await readDelivery(database, question)).channels[0]?.complained).toBe(3)
  })
})
