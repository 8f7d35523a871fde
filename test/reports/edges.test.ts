import { sql } from 'drizzle-orm'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Database, execute, rows, transaction } from '../../src/database/connect.ts'
import { readCampaigns } from '../../src/reports/campaigns.ts'
import { readCost } from '../../src/reports/cost/cost.ts'
import { deliverySheet, readDelivery } from '../../src/reports/delivery.ts'
import { readLeaving } from '../../src/reports/leaving.ts'
import { readLift } from '../../src/reports/lift/lift.ts'
import { countsOf, readPeople } from '../../src/reports/people-cells.ts'
import type { CampaignQuestion } from '../../src/reports/question.ts'
import { rollUp } from '../../src/reports/rollup/rollup.ts'
import { freshDatabase } from '../support/database.ts'
import { clearHistory, DAY, day, type History, writeHistory } from '../support/episodes.ts'
import { clearReports, RULES } from '../support/report-scene.ts'
import { rowsRead } from '../support/rows-read.ts'

// Figures where it is easiest to count wrongly: what comes after a window, what is many and looks different, what a mean is over.

let database: Database
let history: History
beforeAll(async () => {
  database = await freshDatabase({ max: 3 })
  history = await writeHistory(
    database,
    'graded',
    { coupon: ['coupon'], call: ['call'] },
    { drawing: ['call'] },
  )
})
beforeEach(async () => {
  await clearHistory(database)
  await clearReports(database)
})

const NOW = day(60)
const question: CampaignQuestion = {
  campaign: 'graded',
  now: NOW,
  split: new Map([[1, { holdout: 0.1, control: 0, tiers: new Map([['call', 0.5]]) }]]),
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

  it('counts by domain as many as were sent by e-mail: small domains, and addresses that are gone, too', async () => {
    for (const n of [0, 1, 2]) {
      const made = await history.assign({ arm: 'treated', count: 12, at: day(n) })
      for (const [at, { contactId }] of made.entries())
        await execute(
          database,
          sql`UPDATE contacts SET email = ${`c@d${n * 12 + at}.test`} WHERE contact_id = ${contactId}`,
        )
    }
    const [erased] = await history.assign({ arm: 'treated', count: 2, at: day(3) })
    await execute(database, sql`DELETE FROM contacts WHERE contact_id = ${erased?.contactId}`)
    await rollUp(database, NOW, RULES)
    const data = await readDelivery(database, question)
    const sum = data.domains.reduce((all, { sent }) => all + sent, 0)
    expect([data.channels[0]?.sent, sum, data.domains.length]).toEqual([38, 38, 32])
    const last = (locale: string) =>
      deliverySheet(data, { ...style, locale })
        .tables.find(({ id }) => id === 'domains')
        ?.rows.slice(-2)
        .map(([name, sent]) => `${name?.text}: ${sent?.text}`)
    expect(last('en')).toEqual(['other domains: 6', 'domain no longer known: 2'])
    expect(last('zh-CN')).toEqual(['其他域名: 6', '域名已不可知: 2'])
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

  it('compares a tier’s own draw of a day once the windows of both arms are over', async () => {
    const tell = async (now: Date) => {
      await rollUp(database, now, RULES)
      const asked = { ...question, now }
      const [draw] = (await readLift(database, asked)).ownDraws
      const price = (await readCost(database, asked)).prices.find(({ name }) => name === 'call')
      return { treated: draw?.treated.matured, heldOut: draw?.heldOut.matured, price: price?.withLabour }
    }
    for (const [at, last] of [
      [day(0), day(20)],
      [day(1), day(1)],
    ] as const) {
      const made = await history.assign({ arm: 'treated', tier: 'call', count: 40, recalled: 20, at })
      const ids = made.map(({ contactId }) => contactId)
      await execute(
        database,
        sql`UPDATE stages SET arm = 'holdout' WHERE contact_id = ANY (${sql.param(ids.filter((_, no) => no % 2))}::bigint[])`,
      )
      // The one who enters the tier last is one of the treated.
      await execute(database, sql`UPDATE stages SET entered_at = ${last} WHERE contact_id = ${ids[0]}`)
    }
    expect(await tell(day(40))).toMatchObject({ treated: 20, heldOut: 20 })
    expect(await tell(day(55))).toMatchObject({ treated: 40, heldOut: 40 })
  })

  it('completes a day as a whole, of which the held out may have come with the first intake alone', async () => {
    await history.assign({ arm: 'treated', count: 30, recalled: 9, at: day(0) })
    await history.assign({ arm: 'treated', count: 30, recalled: 9, at: day(0.75) })
    await history.assign({ arm: 'holdout', count: 5, recalled: 1, at: day(0) })
    const matured = async (now: Date) => {
      await rollUp(database, now, RULES)
      const cells = await readPeople(database, { campaign: 'graded', now })
      return [countsOf(cells, 'treated').matured, countsOf(cells, 'holdout').matured]
    }
    expect(await matured(day(30.5))).toEqual([0, 0])
    expect(await matured(day(30.75))).toEqual([60, 5])
  })

  it('counts who had opted out, as a file says it after the window is over', async () => {
    const [consent, list, later, before] = (
      await history.assign({ arm: 'treated', count: 4, at: day(0) })
    ).map(({ contactId }) => contactId)
    const again = await history.assign({ arm: 'treated', count: 1, persons: [before ?? 0], at: day(40) })
    await execute(
      database,
      sql`UPDATE contacts SET email_key = int8send(contact_id) WHERE contact_id IN (${list}, ${later})`,
    )
    const withdraw = async (contactId: number | undefined, at: Date) =>
      await execute(
        database,
        sql`INSERT INTO consents (contact_id, channel, decision, decided_at, source, recorded_at)
            VALUES (${contactId}, 'email', 'withdrawn', ${at}, 'list', ${day(80)})`,
      )
    const count = async (now: Date) => {
      const { days } = await rollUp(database, now, RULES)
      const found = await rows<{ out: number }>(
        database,
        sql`SELECT opted_out AS out FROM report_people ORDER BY day`,
      )
      return { days, out: found.map(({ out }) => out) }
    }
    await withdraw(again[0]?.contactId, day(50))
    expect(await count(day(80))).toEqual({ days: 2, out: [0, 1] })
    expect(await count(day(80))).toEqual({ days: 0, out: [0, 1] })
    await withdraw(consent, day(29))
    await execute(
      database,
      sql`INSERT INTO suppressions (kind, key, reason, source, suppressed_at)
          SELECT 'email', int8send(contact_id), 'unsubscribe', 'list', at
          FROM (VALUES (${list}::bigint, ${day(30)}::timestamptz), (${later}, ${day(31)})) AS listed(contact_id, at)`,
    )
    expect(await count(day(80))).toEqual({ days: 1, out: [2, 1] })
    // Whoever had withdrawn before does not do so anew.
    await withdraw(before, day(20))
    expect(await count(day(80))).toEqual({ days: 2, out: [3, 0] })
    // What holds from now on is in no window that is over.
    await withdraw(consent, day(80))
    expect(await count(day(80))).toEqual({ days: 0, out: [3, 0] })
    for (const table of ['consents', 'suppressions'])
      await execute(database, sql`DELETE FROM ${sql.identifier(table)}`)
  })

  it('takes a colleague who tries the link of a message for no one who leaves', async () => {
    const [reader] = await history.assign({ arm: 'treated', count: 1, at: day(0) })
    const [seed] = await history.assign({ arm: 'seed', count: 1, at: day(0) })
    const people = [reader, seed].map((each) => each?.contactId ?? 0)
    await execute(
      database,
      sql`UPDATE contacts SET email_key = int8send(contact_id), phone_key = int8send(contact_id)`,
    )
    await execute(
      database,
      sql`INSERT INTO suppressions (kind, key, reason, source, suppressed_at)
          SELECT kind, int8send(contact_id), 'unsubscribe', 'one-click', ${day(3)}::timestamptz
          FROM unnest(${sql.param(people)}::bigint[]) AS contact_id, unnest(ARRAY['email', 'phone']) AS kind
          UNION ALL SELECT 'email', int8send(-1), 'unsubscribe', 'list', ${day(3)}::timestamptz`,
    )
    const { said } = await readLeaving(database, question)
    await execute(database, sql`DELETE FROM suppressions`)
    const left = { source: 'suppression', reason: 'unsubscribe' }
    expect(said).toEqual([
      // Somebody's whom nobody knows here is on the list, too.
      { ...left, what: 'email', people: 2 },
      { ...left, what: 'phone', people: 1 },
    ])
  })

  it('tells colleagues from who leaves by the colleagues, and looks up nobody else', async () => {
    const left = await history.assign({ arm: 'treated', count: 3000, at: day(0) })
    const people = left.map(({ contactId }) => contactId)
    await execute(database, sql`UPDATE contacts SET email_key = int8send(contact_id)`)
    await execute(
      database,
      sql`INSERT INTO suppressions (kind, key, reason, source, suppressed_at)
          SELECT 'email', int8send(contact_id), 'unsubscribe', 'one-click', ${day(3)}::timestamptz
          FROM unnest(${sql.param(people)}::bigint[]) AS contact_id`,
    )
    await execute(
      database,
      sql`INSERT INTO preferences (contact_id, chosen_at, channels_off, topics_off, source)
          SELECT contact_id, ${day(3)}::timestamptz, ARRAY['email'], '{}', 'preferences page'
          FROM unnest(${sql.param(people)}::bigint[]) AS contact_id`,
    )
    await execute(database, sql`ANALYZE contacts, episodes, suppressions, preferences`)
    const read = await transaction(database, (tx) => rowsRead(tx, () => readLeaving(tx, question)))
    for (const table of ['suppressions', 'preferences'])
      await execute(database, sql`DELETE FROM ${sql.identifier(table)}`)
    expect(read.episodes).toBeLessThan(100)
    expect(read.contacts).toBeLessThan(100)
  })

  it('says of campaigns beside each other, as of a day that is past, nothing of who was yet to come', async () => {
    await history.assign({ arm: 'treated', count: 9, at: day(0) })
    await history.assign({ arm: 'holdout', count: 1, at: day(0) })
    // With these, the groups would be off.
    await history.assign({ arm: 'holdout', count: 50, at: day(20) })
    await rollUp(database, NOW, RULES)
    const [line] = await readCampaigns(database, [question], day(10))
    expect(line).toMatchObject({
      recent: 10,
      effect: { treated: { assigned: 9 }, heldOut: { assigned: 1 } },
      verdict: { kind: 'not_yet' },
    })
  })
})
