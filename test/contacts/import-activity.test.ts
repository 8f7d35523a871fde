import { Readable } from 'node:stream'
import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { importActivity, importContacts } from '../../src/contacts/import.ts'
import { microsOf } from '../../src/contacts/values/amounts.ts'
import { type Database, rows } from '../../src/database/connect.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { file, options } from './files.ts'

const summed = (database: Database) =>
  rows<Record<string, unknown>>(
    database,
    sql`SELECT external_id, silent_since, last_active_at, first_active_at, activity_count, orders_count,
          orders_total, first_order_at, last_order_at
        FROM contacts JOIN contact_activity USING (contact_id) ORDER BY external_id`,
  )
const at = (text: string) => new Date(`${text}T00:00:00Z`)

describe('importActivity', () => {
  it('says how many contacts nobody knew: their ids may be written otherwise where people are', async () => {
    const database = await emptiedDatabase()
    await importContacts(database, file('c.csv', 'external_id\nu1\n'), options())
    const orders = file(
      'a.csv',
      'external_id,type,occurred_at\nu1,order,2026-01-01\nann@example.com,order,2026-01-01\nann@example.com,order,2026-01-02\n',
    )
    expect(await importActivity(database, orders, options())).toMatchObject({ inserted: 3, unknown: 1 })
    expect(await importActivity(database, orders, options())).toMatchObject({ inserted: 0, unknown: 0 })
  })

  it('takes a word for nothing for no message id and no coupon', async () => {
    const database = await emptiedDatabase()
    const orders = file(
      'a.csv',
      'external_id,type,occurred_at,message_id,coupon\nu1,order,2026-01-01,NULL,NULL\nu2,order,2026-01-01,NULL,-\n',
    )
    const mapping = { fields: { 'properties.coupon': 'coupon' } }
    expect(await importActivity(database, orders, options({ mapping }))).toMatchObject({ inserted: 2 })
    expect(await rows(database, sql`SELECT properties FROM activity`)).toEqual([
      { properties: null },
      { properties: null },
    ])
  })

  it('takes a value and a coupon of nothing but spaces for none', async () => {
    const database = await emptiedDatabase()
    const orders = file('a.csv', 'external_id,type,occurred_at,value,coupon\nu1,order,2026-01-01,   ,    \n')
    const mapping = { fields: { 'properties.coupon': 'coupon' } }
    expect(await importActivity(database, orders, options({ mapping }))).toMatchObject({ inserted: 1 })
    expect(await rows(database, sql`SELECT value, properties FROM activity`)).toEqual([
      { value: null, properties: null },
    ])
  })

  it('keeps no value that is in another currency, as over HTTP, and says so', async () => {
    const database = await emptiedDatabase()
    const orders = file(
      'a.csv',
      `external_id,type,occurred_at,value,currency
u1,order,2026-01-01,100,CNY
u1,order,2026-01-02,100,USD
u1,order,2026-01-03,100,cny
u1,order,2026-01-04,100,
u1,session,2026-01-05,,USD
`,
    )
    const mapping = { fields: { 'properties.currency': 'currency' } }
    const summary = await importActivity(database, orders, options({ mapping }))
    expect(summary).toMatchObject({
      inserted: 5,
      rejected: 0,
      warnings: 1,
      warningReasons: [
        { reason: 'kept without value: … is not the workspace’s currency, CNY', rows: 1, line: 3 },
      ],
    })
    expect(await summed(database)).toMatchObject([{ orders_count: 4, orders_total: 300_000_000 }])
    expect(await importActivity(database, orders, options({ mapping }))).toMatchObject({ inserted: 0 })
    // Of rows without properties it is a column nobody reads, and whoever forgot it is told.
    const forgotten = file(
      'b.csv',
      'external_id,type,occurred_at,value,currency\nu2,order,2026-01-01,9,USD\n',
    )
    expect((await importActivity(database, forgotten, options())).unused).toEqual([
      { column: 'currency', meant: 'properties.currency' },
    ])
    const lines = file(
      'c.ndjson',
      '{"external_id":"u3","type":"order","occurred_at":"2026-01-01","value":5,"properties":{"currency":"EUR"}}\n',
    )
    expect(await importActivity(database, lines, options())).toMatchObject({ inserted: 1, warnings: 1 })
    expect((await summed(database)).at(-1)).toMatchObject({ orders_count: 1, orders_total: 0 })
  })

  it('names the types that nothing is read of: whoever has them alone looks as if they did nothing', async () => {
    const database = await emptiedDatabase()
    const types = ['purchase', 'Session', 'purchase', 'order', 'nps', 'session']
    const lines = types.map((type) => `u1,${type},2026-01-02\n`).join('')
    const path = file('types.csv', `external_id,type,occurred_at\n${lines}`)
    const summary = await importActivity(database, path, options())
    expect(summary).toMatchObject({
      inserted: 6,
      uncounted: [
        { type: 'purchase', rows: 2 },
        { type: 'Session', rows: 1, meant: 'session' },
      ],
    })
  })

  it('sums what each contact did; the same file again adds nothing, true duplicates stay', async () => {
    const database = await emptiedDatabase()
    await importContacts(
      database,
      file('c.csv', 'external_id,signed_up_at\nu1,2025-12-24\nu2,2025-12-25\n'),
      options(),
    )
    const path = file(
      'a.csv',
      `external_id,type,occurred_at,value
u1,session,2026-01-02,
u1,order,2026-01-01,29.33
u1,order,2026-01-01,29.33
u1,email_open,2026-02-20,
u3,session,2025-11-30,
u2,email_open,2026-01-01,
`,
    )
    const seen: unknown[] = []
    const hooks = {
      onActivity: async (tx: Parameters<typeof rows>[0]) => {
        seen.push(...(await rows(tx, sql`SELECT type FROM new_activity ORDER BY 1`)))
      },
    }
    expect(await importActivity(database, path, options({ chunk: 3, hooks }))).toMatchObject({
      rows: 6,
      inserted: 6,
      unchanged: 0,
    })
    expect(seen).toHaveLength(6)
    const expected = [
      {
        external_id: 'u1',
        silent_since: at('2026-01-02'),
        last_active_at: at('2026-01-02'),
        first_active_at: at('2026-01-01'),
        activity_count: 3,
        orders_count: 2,
        orders_total: 58_660_000,
        first_order_at: at('2026-01-01'),
        last_order_at: at('2026-01-01'),
      },
      {
        external_id: 'u2',
        silent_since: at('2025-12-25'),
        last_active_at: null,
        first_active_at: null,
        activity_count: 0,
        orders_count: 0,
        orders_total: 0,
        first_order_at: null,
        last_order_at: null,
      },
      {
        external_id: 'u3',
        silent_since: at('2025-11-30'),
        last_active_at: at('2025-11-30'),
        first_active_at: at('2025-11-30'),
        activity_count: 1,
        orders_count: 0,
        orders_total: 0,
        first_order_at: null,
        last_order_at: null,
      },
    ]
    expect(await summed(database)).toEqual(expected)
    const feed = sql`SELECT day::text, events, newest_at FROM feed_days ORDER BY day`
    const days = [
      { day: '2025-11-30', events: 1, newest_at: at('2025-11-30') },
      { day: '2026-01-01', events: 2, newest_at: at('2026-01-01') },
      { day: '2026-01-02', events: 1, newest_at: at('2026-01-02') },
    ]
    expect(await rows(database, feed)).toEqual(days)
    expect(await importActivity(database, path, options({ chunk: 2, hooks }))).toMatchObject({
      inserted: 0,
      unchanged: 6,
    })
    expect(seen).toHaveLength(6)
    expect(await summed(database)).toEqual(expected)
    expect(await rows(database, feed)).toEqual(days)
    expect(await rows(database, sql`SELECT FROM activity`)).toHaveLength(6)
    const signedUp = file('d.csv', 'external_id,signed_up_at\nu1,2026-02-01\nu2,2026-02-01\n')
    expect(await importContacts(database, signedUp, options())).toMatchObject({ updated: 2 })
    expect(await summed(database)).toMatchObject([
      { silent_since: at('2026-01-02') },
      { silent_since: at('2026-02-01') },
      { silent_since: at('2025-11-30') },
    ])
    // What comes late makes nothing older.
    for (const hour of ['12', '06']) {
      const late = `external_id,type,occurred_at\nu3,session,2025-11-30T${hour}:00:00Z\n`
      await importActivity(database, file(`${hour}.csv`, late), options())
    }
    const [first] = await rows(database, feed)
    expect(first).toEqual({ day: '2025-11-30', events: 3, newest_at: new Date('2025-11-30T12:00:00Z') })
  })

  it('knows an event by its message id, and keeps its properties', async () => {
    const database = await emptiedDatabase()
    const lines = [
      '{"external_id":"u1","type":"order","occurred_at":"2026-01-01T10:00:00Z","value":5,"message_id":"m1","properties":{"sku":"a"}}',
      '{"external_id":"u1","type":"order","occurred_at":"2026-01-01T10:00:00Z","value":6,"message_id":"m1"}',
      '{"external_id":"u1","type":"order","occurred_at":"2026-01-01T10:00:00Z","value":5,"message_id":"m2"}',
    ]
    const summary = await importActivity(database, file('a.ndjson', lines.join('\n')), options())
    expect(summary).toMatchObject({ inserted: 2, unchanged: 1 })
    expect(await rows(database, sql`SELECT value, properties FROM activity ORDER BY properties`)).toEqual([
      { value: 5_000_000, properties: { sku: 'a' } },
      { value: 5_000_000, properties: null },
    ])
  })

  it('knows a message id again at whatever time, in the chunk, the file and another file', async () => {
    const database = await emptiedDatabase()
    const line = (contact: string, time: string, message: string) => `${contact},order,${time},5,${message}\n`
    const header = 'external_id,type,occurred_at,value,message_id\n'
    const first = file(
      'a.csv',
      `${header}${line('u1', '2026-01-01', 'm1')}${line('u1', '2025-11-02', 'm1')}${line('u2', '2026-01-01', 'm1')}${line('u1', '2026-01-03', 'm1')}${line('u1', '2026-01-04', '')}`,
    )
    expect(await importActivity(database, first, options({ chunk: 3 }))).toMatchObject({
      inserted: 3,
      unchanged: 2,
    })
    // Of somebody else, it is another event.
    const lines = [
      line('u1', '2025-06-01', 'm1'),
      line('u1', '2025-06-01', 'm2'),
      line('u3', '2026-01-01', 'm1'),
    ]
    const later = file('b.csv', `${header}${lines.join('')}`)
    expect(await importActivity(database, later, options())).toMatchObject({ inserted: 2, unchanged: 1 })
    expect(await summed(database)).toMatchObject([
      {
        external_id: 'u1',
        orders_count: 3,
        last_order_at: at('2026-01-04'),
        first_order_at: at('2025-06-01'),
      },
      { external_id: 'u2', orders_count: 1 },
      { external_id: 'u3', orders_count: 1 },
    ])
  })

  it('refuses a refund that has the message id of its order, and repeats of either are known', async () => {
    const database = await emptiedDatabase()
    // One within the horizon of message ids, one before it, one in the same file.
    const orders = file(
      'o.csv',
      'external_id,type,occurred_at,value,message_id\nu1,order,2026-02-27,40,#1\nu1,order,2025-06-01,30,#2\n',
    )
    expect(await importActivity(database, orders, options())).toMatchObject({ inserted: 2 })
    const refunds = file(
      'r.csv',
      `external_id,type,occurred_at,value,message_id
u1,order_refunded,2026-02-28,40,#1
u1,order_refunded,2025-06-01,30,#2
u1,order,2025-06-02,30,#2
u2,order_refunded,2025-06-03,9,R3
u2,order,2025-06-01,20,R3
`,
    )
    expect(await importActivity(database, refunds, options())).toMatchObject({
      ...{ rows: 5, inserted: 1, unchanged: 1, rejected: 3 },
      reasons: [
        {
          reason: 'message_id: … is that of another event, of type order; give each an id of its own',
          ...{ rows: 2, line: 2 },
        },
        {
          reason:
            'message_id: … is that of another event, of type order_refunded; give each an id of its own',
          ...{ rows: 1, line: 6 },
        },
      ],
    })
    expect(await importActivity(database, orders, options())).toMatchObject({ unchanged: 2, rejected: 0 })
    // Of a chunk that has some, each is told of.
    const many = (type: string) => {
      const lines = Array.from({ length: 350 }, (_, no) => `u3,${type},2025-06-01,1,N${no}\n`)
      return file(`${type}.csv`, `external_id,type,occurred_at,value,message_id\n${lines.join('')}`)
    }
    expect(await importActivity(database, many('order'), options())).toMatchObject({ inserted: 350 })
    expect(await importActivity(database, many('order_refunded'), options())).toMatchObject({ rejected: 350 })
  })

  it('rejects an event that PostgreSQL cannot hold, and takes those around it', async () => {
    const database = await emptiedDatabase()
    const event = (more: string) => `{"external_id":"u1","type":"session","occurred_at":"2026-01-01"${more}}`
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
    const path = file(
      'a.ndjson',
      [
        event(String.raw`,"properties":{"a":"\\u0000 \ud83d\ude00 \\ud83d"}`),
        event(String.raw`,"properties":{"a":"abc\ud83d"}`),
        event(String.raw`,"properties":{"a":{"b\u0000":1}}`),
        event(String.raw`,"properties":{"a":"\\\udc00"}`),
        event(String.raw`,"properties":"{\"a\":\"\\u0000\"}"`),
        event(`,"properties":{"a":${deep}}`),
        event(String.raw`,"message_id":"m\ud83d"`),
        event(String.raw`,"type":"m\u0000"`),
        String.raw`{"external_id":"\ud83d","type":"session","occurred_at":"2026-01-01"}`,
        event(',"message_id":"m2"'),
      ].join('\n'),
    )
    expect(await importActivity(database, path, options())).toMatchObject({ inserted: 2, rejected: 8 })
    expect(await rows(database, sql`SELECT properties FROM activity ORDER BY properties`)).toEqual([
      { properties: { a: '\\u0000 \u{1f600} \\ud83d' } },
      { properties: null },
    ])
    const csv = file(
      'a.csv',
      String.raw`external_id,type,occurred_at,properties
u1,session,2026-01-02,"{""a"":""\ud83d""}"
u1,session,2026-01-02,"{""a"":""fine""}"
`,
    )
    expect(await importActivity(database, csv, options())).toMatchObject({ inserted: 1, rejected: 1 })
  })

  it('takes the orders of a contact whose sum no column holds: as much of it as one does', async () => {
    const database = await emptiedDatabase()
    const orders = (id: string, value: number) =>
      Array.from(
        { length: 1025 },
        (_, no) =>
          `{"external_id":"${id}","type":"order","occurred_at":"2026-01-01T00:${String(no % 60).padStart(2, '0')}:00Z","value":${value}}\n`,
      ).join('')
    const both = file('a.ndjson', orders('spent', 9e9) + orders('returned', -9e9))
    expect(await importActivity(database, both, options())).toMatchObject({ inserted: 2050 })
    // And what comes after them.
    const next = file('b.ndjson', orders('spent', 1) + orders('returned', -1))
    expect(await importActivity(database, next, options())).toMatchObject({ inserted: 2050 })
    const totals = sql`SELECT external_id AS id, orders_total::text AS total
      FROM contacts JOIN contact_activity USING (contact_id) ORDER BY external_id`
    expect(await rows(database, totals)).toEqual([
      { id: 'returned', total: '-9223372036854775808' },
      { id: 'spent', total: '9223372036854775807' },
    ])
  })

  it('rejects what cannot be: no type, a bad amount, a time to come or before 1970', async () => {
    const database = await emptiedDatabase()
    const path = file(
      'a.csv',
      `external_id,type,occurred_at,value
u1,,2026-01-01,
u1,order,2026-01-01,much
u1,session,2026-03-01T00:00:01Z,
u1,session,1969-12-31,
u1,session,,
u1,session,2026-03-01T00:00:00Z,
`,
    )
    const summary = await importActivity(database, path, options())
    expect(summary).toMatchObject({ rows: 6, inserted: 1, rejected: 5 })
    expect(microsOf('120,50')).toBe(
      'value: "120,50" is not an amount; expected digits and a point, such as 1234.50, or say --decimal ,',
    )
  })

  it('reads amounts with a comma where the mapping says so, and refuses those that might be either', async () => {
    const database = await emptiedDatabase()
    const path = file(
      'de.csv',
      'external_id;type;occurred_at;value\nu1;order;2026-01-01;1.234,50\nu1;order;2026-01-02;1.234\nu1;order;2026-01-03;49,9\nu1;order;2026-01-04;49.90\nu1;order;2026-01-05;1,234.50\n',
    )
    const mapping = { delimiter: ';', decimal: ',' } as const
    expect(await importActivity(database, path, options({ mapping }))).toMatchObject({
      inserted: 3,
      reasons: [
        {
          reason: 'value: … is not an amount; expected digits and a comma, such as 1.234,50',
          rows: 2,
          line: 5,
        },
      ],
    })
    expect(await summed(database)).toMatchObject([{ external_id: 'u1', orders_total: 2_518_400_000 }])
    const people = file('people.csv', 'external_id;points\nu1;12,5\n')
    expect(await importContacts(database, people, options({ mapping }))).toMatchObject({ updated: 1 })
    expect(await rows(database, sql`SELECT attributes FROM contacts`)).toEqual([
      { attributes: { points: 12.5 } },
    ])
  })

  it('reads columns by number, whitespace between them, constants and dates of a format', async () => {
    const database = await emptiedDatabase()
    const path = file('orders.txt', ' 00004 0001 19970101  2   29.33\n 00004 0001 19970118  2   29.73\n')
    const mapping = {
      delimiter: 'whitespace',
      header: false,
      date_format: 'yyyymmdd',
      fields: { external_id: 1, occurred_at: 3, 'properties.quantity': 4, value: 5 },
      set: { type: 'order' },
    } as const
    expect(await importActivity(database, path, options({ mapping }))).toMatchObject({ rows: 2, inserted: 2 })
    expect(await summed(database)).toMatchObject([
      { external_id: '00004', orders_count: 2, orders_total: 59_060_000, silent_since: at('1997-01-18') },
    ])
    expect(await rows(database, sql`SELECT DISTINCT properties FROM activity`)).toEqual([
      { properties: { quantity: '2' } },
    ])
  })

  it('records together with what follows from it, or not at all', async () => {
    const database = await emptiedDatabase()
    const path = file('a.csv', 'external_id,type,occurred_at\nu1,session,2026-01-01\n')
    const failing = {
      onActivity: async () => {
        throw new Error('no')
      },
    }
    await expect(importActivity(database, path, options({ hooks: failing }))).rejects.toThrow('no')
    expect(await rows(database, sql`SELECT FROM activity`)).toEqual([])
    expect(await rows(database, sql`SELECT FROM feed_days`)).toEqual([])
    expect(await importActivity(database, path, options())).toMatchObject({ inserted: 1 })
  })

  it('takes what happens while another program writes it out', async () => {
    const database = await emptiedDatabase()
    const moving = manualClock(at('2026-03-01'))
    async function* rows() {
      yield Buffer.from('external_id,type,occurred_at\nu1,session,2026-02-28\n')
      moving.advance(1200)
      yield Buffer.from('u1,session,2026-03-01T00:19:00Z\n')
    }
    const given = options({ clock: moving, input: Readable.from(rows()), rejectFile: file('r.csv', '') })
    expect(await importActivity(database, 'a.csv', given)).toMatchObject({ inserted: 2, rejected: 0 })
    const [contact] = await summed(database)
    expect(contact).toMatchObject({ last_active_at: new Date('2026-03-01T00:19:00Z') })
  })

  it('is right when two files of the same contacts come in at once', async () => {
    const database = await emptiedDatabase()
    const lines = (from: number) =>
      Array.from({ length: 400 }, (_, n) => `u${(n * 7 + from) % 40},session,2026-01-0${1 + (n % 9)}`)
    const paths = [0, 13, 29].map((from) =>
      file('a.csv', `external_id,type,occurred_at\n${lines(from).join('\n')}\n`),
    )
    await Promise.all(paths.map((path) => importActivity(database, path, options({ chunk: 50 }))))
    const [check] = await rows<{ wrong: number }>(
      database,
      sql`SELECT count(*) AS wrong FROM contact_activity a JOIN (
            SELECT contact_id, count(*) AS n, max(occurred_at) AS last FROM activity GROUP BY contact_id
          ) AS real USING (contact_id) WHERE n <> activity_count OR last <> last_active_at`,
    )
    expect(check).toEqual({ wrong: 0 })
    expect(await rows(database, sql`SELECT FROM external_ids`)).toHaveLength(40)
  })
})
