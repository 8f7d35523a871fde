import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { ANNUAL_REPORT, annualReportSql } from '../../src/config/annual-report.ts'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import { refreshStandings } from '../../src/touchpoints/standings.ts'
import { freshDatabase } from '../support/database.ts'

const NOW = new Date('2026-11-27T04:00:00Z')
const ZONE = 'Asia/Shanghai'
const workspace = { activity: ['session', 'order'], orders: { event: 'order' }, timezone: ZONE }

interface Event {
  at: Date
  type: string
  value: number | null
  properties?: Readonly<Record<string, unknown>>
}

let database: Database
let contacts = 0
beforeAll(async () => {
  database = await freshDatabase()
  await ensurePartitions(database, 'activity', { from: new Date('2025-01-01T00:00:00Z'), to: NOW })
})

async function addContact(events: readonly Event[], signedUpAt: Date | null = null): Promise<number> {
  contacts += 1
  const id = contacts
  const orders = events.filter(({ type }) => type === 'order')
  const total = orders.reduce((sum, { value }) => sum + (value ?? 0) * 1e6, 0)
  await execute(
    database,
    sql`INSERT INTO contacts (contact_id, person_id, external_id, signed_up_at, imported_at)
      OVERRIDING SYSTEM VALUE VALUES (${id}, ${id}, ${`c${id}`}, ${signedUpAt}, ${NOW})`,
  )
  const first = events.length > 0 ? new Date(Math.min(...events.map(({ at }) => at.getTime()))) : null
  await execute(
    database,
    sql`INSERT INTO contact_activity (contact_id, first_active_at, orders_count, orders_total)
      VALUES (${id}, ${first}, ${orders.length}, ${total})`,
  )
  for (const [no, { at, type, value, properties }] of events.entries()) {
    await execute(
      database,
      sql`INSERT INTO activity (contact_id, occurred_at, key, type, value, properties, received_at)
        VALUES (${id}, ${at}, ${no}, ${type}, ${value === null ? null : value * 1e6},
          ${properties === undefined ? null : JSON.stringify(properties)}::jsonb, ${NOW})`,
    )
  }
  return id
}

async function reportOf(contactId: number): Promise<Record<string, unknown>> {
  const [row] = await rows<{ report: Record<string, unknown> }>(
    database,
    sql`SELECT r.report FROM contacts c JOIN contact_activity a USING (contact_id)
      LEFT JOIN LATERAL (${annualReportSql(workspace, NOW)}) r ON true WHERE c.contact_id = ${contactId}`,
  )
  return row?.report ?? {}
}

const at = (text: string) => new Date(text)

describe('the annual report', () => {
  it('is what somebody would count by hand', async () => {
    const contact = await addContact(
      [
        { at: at('2025-11-20T00:00:00Z'), type: 'order', value: 999 }, // more than a year ago
        { at: at('2026-03-01T16:30:00Z'), type: 'order', value: 120.5, properties: { product: 'Longjing' } }, // 2 March in Shanghai
        { at: at('2026-03-02T01:00:00Z'), type: 'session', value: null }, // the same local day
        { at: at('2026-03-31T16:30:00Z'), type: 'order', value: 60, properties: { product: 'Longjing' } }, // 1 April in Shanghai
        {
          at: at('2026-07-09T03:00:00Z'),
          type: 'favourite_added',
          value: null,
          properties: { product: 'Puer' },
        },
        { at: at('2026-07-10T03:00:00Z'), type: 'review', value: null, properties: { product: 'Puer' } },
      ],
      at('2023-11-28T04:00:00Z'),
    )
    const report = await reportOf(contact)
    expect(report).toMatchObject({
      member_days: 1095,
      active_days: 2,
      orders: 2,
      spend: 180.5,
      favourites: 1,
      favourite: 'Longjing',
      best_month_spend: 120.5,
    })
    // March for a reader of any zone.
    for (const timeZone of ['Pacific/Honolulu', ZONE, 'Pacific/Kiritimati']) {
      const month = new Intl.DateTimeFormat('en', { timeZone, year: 'numeric', month: 'long' })
      expect(month.format(new Date(String(report.best_month)))).toBe('March 2026')
    }
    expect(report.months).toHaveLength(12)
    expect(report.months).toContainEqual({ month: '2026-03', spend: 120.5, orders: 1, active_days: 1 })
    expect(report.months).toContainEqual({ month: '2026-04', spend: 60, orders: 1, active_days: 1 })
    expect(report.months).toContainEqual({ month: '2026-11', spend: 0, orders: 0, active_days: 0 })
  })

  it('leaves out what is not known, and counts nought where nothing happened', async () => {
    const report = await reportOf(await addContact([]))
    for (const absent of ['member_since', 'member_days', 'favourite', 'best_month', 'rank']) {
      expect(report).not.toHaveProperty(absent)
    }
    expect(report).toMatchObject({ active_days: 0, orders: 0, spend: 0 })
  })

  it.each([
    { product: { id: 12, name: 'Longjing' }, category: 'Tea' },
    { product: ['Longjing'], title: '', category: 'Tea' },
    { product: true, name: null, title: ' \t', category: 'Tea' },
  ])('names what was liked best by the first words there are, and by no data: %j', async (properties) => {
    const liked = [{ at: at('2026-07-09T03:00:00Z'), type: 'like', value: null, properties }]
    expect(await reportOf(await addContact(liked))).toMatchObject({ favourite: 'Tea' })
  })

  it('finds the best month wherever in the year it lies, its first days included', async () => {
    const contact = await addContact([
      { at: at('2025-11-27T03:59:00Z'), type: 'order', value: 2000 }, // a minute more than a year ago
      { at: at('2025-11-28T04:00:00Z'), type: 'order', value: 900 },
      { at: at('2026-03-28T04:00:00Z'), type: 'order', value: 50 },
    ])
    expect(await reportOf(contact)).toMatchObject({
      orders: 2,
      spend: 950,
      best_month: '2025-11-15T04:00:00+00:00',
      best_month_spend: 900,
    })
  })

  it('gives what the catalogue says, and nothing else', async () => {
    const events = [{ at: at('2026-10-01T00:00:00Z'), type: 'order', value: 5, properties: { product: 'x' } }]
    const keys = Object.keys(await reportOf(await addContact(events)))
    const listed = ANNUAL_REPORT.map(({ path }) => path.replace('report.', ''))
    expect(keys.filter((key) => !listed.includes(key))).toEqual([])
    expect(listed.filter((key) => !keys.includes(key))).toEqual(['rank'])
  })

  it('adds up as a plain count does, whatever happened', async () => {
    const event = fc.record({
      at: fc.date({ min: at('2025-10-01T00:00:00Z'), max: NOW, noInvalidDate: true }),
      type: fc.constantFrom('session', 'order', 'favourite_added', 'like', 'other'),
      value: fc.option(fc.integer({ min: 0, max: 500 })),
    })
    const local = new Intl.DateTimeFormat('sv-SE', { timeZone: ZONE, dateStyle: 'short' })
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 12 }), async (events) => {
        const report = await reportOf(await addContact(events))
        const year = events.filter((one) => one.at.getTime() > NOW.getTime() - 365 * 86_400_000)
        const orders = year.filter(({ type }) => type === 'order')
        const active = year.filter(({ type }) => type === 'order' || type === 'session')
        expect(report).toMatchObject({
          active_days: new Set(active.map((one) => local.format(one.at))).size,
          orders: orders.length,
          spend: orders.reduce((sum, { value }) => sum + (value ?? 0), 0),
          favourites: year.filter(({ type }) => type === 'favourite_added' || type === 'like').length,
        })
      }),
      { numRuns: 40 },
    )
  })

  it('looks for a hundred buyers once an hour, and not before every batch', async () => {
    const looked = async (now: Date) => {
      await refreshStandings(database, now)
      return await rows(database, sql`SELECT percent, computed_at AS at FROM spend_standings`)
    }
    const hourAgo = new Date(NOW.getTime() - 3_600_000)
    expect(await looked(hourAgo)).toEqual([{ percent: 0, at: hourAgo }])
    expect(await looked(new Date(NOW.getTime() - 1000))).toEqual([{ percent: 0, at: hourAgo }])
    expect(await looked(NOW)).toEqual([{ percent: 0, at: NOW }])
    await execute(database, sql`DELETE FROM spend_standings`)
  })

  it('ranks a buyer among all buyers, once there are a hundred, anew each day', async () => {
    await execute(
      database,
      sql`WITH made AS (
        INSERT INTO contacts (contact_id, person_id, external_id, imported_at) OVERRIDING SYSTEM VALUE
        SELECT 10000 + n, 10000 + n, 'r' || n, ${NOW} FROM generate_series(1, 1000) n RETURNING contact_id
      ) INSERT INTO contact_activity (contact_id, orders_count, orders_total)
        SELECT contact_id, 1, (contact_id - 10000) * 1000000000 FROM made`,
    )
    await execute(database, sql`UPDATE contact_activity SET orders_count = 0 WHERE contact_id <= 10000`)
    await refreshStandings(database, NOW)
    // The top hundredth are ten: the eleventh is none of them.
    expect(await reportOf(10_991)).toMatchObject({ rank: 1 })
    expect(await reportOf(10_990)).toMatchObject({ rank: 2 })
    expect(await reportOf(10_700)).toMatchObject({ rank: 31 })
    expect(await reportOf(10_701)).toMatchObject({ rank: 30 })
    expect(await reportOf(10_100)).not.toHaveProperty('rank')
    await execute(
      database,
      sql`UPDATE contact_activity SET orders_total = 10::bigint ^ 15 WHERE contact_id = 10100`,
    )
    await refreshStandings(database, new Date(NOW.getTime() + 3_600_000))
    expect(await reportOf(10_100)).toMatchObject({ rank: 1 })
    const [kept] = await rows<{ at: Date }>(database, sql`SELECT max(computed_at) AS at FROM spend_standings`)
    expect(kept?.at).toEqual(NOW)
    // Where most spent the same, none of them is before the others.
    await execute(database, sql`UPDATE contact_activity SET orders_total = 5000000 WHERE contact_id > 10400`)
    await execute(
      database,
      sql`UPDATE contact_activity SET orders_total = 1000000 WHERE contact_id BETWEEN 10001 AND 10400`,
    )
    await refreshStandings(database, new Date(NOW.getTime() + 90_000_000))
    expect(await reportOf(10_990)).not.toHaveProperty('rank')
  })
})
