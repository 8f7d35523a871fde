import { existsSync, readFileSync } from 'node:fs'
import { sql } from 'drizzle-orm'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ManualClock, manualClock } from '../../src/clock.ts'
import { LOCKS } from '../../src/database/advisory-locks.ts'
import { type Database, rows } from '../../src/database/connect.ts'
import { ConfigError } from '../../src/errors.ts'
import { rejectFileOf, syncDue } from '../../src/service/sync.ts'
import { administer, emptyDatabase, freshName, urlOf } from '../support/database.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { openSyncing, SHOP, SYNC, type Syncing } from '../support/source.ts'

// Two real databases: the shop's own, and Winback's.

const NOW = new Date('2026-03-01T12:00:00Z')
const clock = manualClock(NOW)
const ago = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000).toISOString()
let shop: Database
let source: pg.Client
let target: Database
let syncing: Syncing

beforeAll(async () => {
  shop = await emptyDatabase()
  source = new pg.Client({ connectionString: shop.url })
  await source.connect()
  await source.query(SHOP)
})
afterAll(() => source.end())
beforeEach(async () => {
  clock.set(NOW)
  await source.query('TRUNCATE customers, orders RESTART IDENTITY')
  target = await emptiedDatabase()
  syncing = await openSyncing({ database: target, clock, shop: shop.url })
})

const customer = (id: string, minutes: number, more: Record<string, unknown> = {}) =>
  source.query(
    `INSERT INTO customers (id, email, name, points, vip, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (id) DO UPDATE SET email = excluded.email, name = excluded.name, points = excluded.points,
       vip = excluded.vip, updated_at = excluded.updated_at`,
    [
      id,
      more.email ?? `${id}@x.example`,
      more.name ?? id.toUpperCase(),
      more.points ?? 1,
      more.vip ?? true,
      ago(minutes),
    ],
  )
const contacts = () =>
  rows<Record<string, unknown>>(
    target,
    sql`SELECT external_id AS id, email, attributes, signed_up_at FROM contacts ORDER BY external_id`,
  )
const events = () =>
  rows<Record<string, unknown>>(
    target,
    sql`SELECT c.external_id AS id, a.type, a.value, a.properties FROM activity a JOIN contacts c USING (contact_id)
        ORDER BY a.occurred_at, a.key`,
  )
/** Every row of Winback that a sync may write. */
const traces = () =>
  rows<Record<string, unknown>>(
    target,
    sql`SELECT (SELECT count(*) FROM contacts) AS contacts, (SELECT count(*) FROM activity) AS activity,
          (SELECT count(*) FROM ingest_keys) AS keys, (SELECT count(*) FROM sync_cursors) AS cursors,
          (SELECT count(*) FROM sync_rejects) AS rejects, (SELECT count(*) FROM imports) AS imports,
          (SELECT count(*) FROM pg_inherits) AS partitions`,
  )

describe('contacts', () => {
  it('come typed by the mapping; the next sync reads what is new, and an overlap that changes nothing', async () => {
    await customer('a', 300, { points: 7 })
    await customer('b', 200)
    expect(await syncing.run('customers')).toMatchObject({
      ...{ state: 'done', because: 'first', rows: 2, inserted: 2, updated: 0, unchanged: 0, rejected: 0 },
      cursor: '2026-03-01 08:40:00+00',
    })
    expect(await contacts()).toEqual([
      {
        id: 'a',
        email: 'a@x.example',
        attributes: { first_name: 'A', points: 7, vip: true },
        signed_up_at: new Date('2025-01-05T00:00:00Z'),
      },
      expect.objectContaining({ id: 'b' }),
    ])
    await customer('a', 100, { points: 8, vip: false, email: 'new@x.example' })
    await customer('c', 50)
    const second = await syncing.run('customers')
    // b is read again: it shares the cursor that was come to.
    expect(second).toMatchObject({ rows: 3, inserted: 1, updated: 1, unchanged: 1 })
    expect(second.because).toBeUndefined()
    expect((await contacts())[0]).toMatchObject({
      email: 'new@x.example',
      attributes: { first_name: 'A', points: 8, vip: false },
    })
    expect(await syncing.run('customers')).toMatchObject({ rows: 1, inserted: 0, updated: 0, unchanged: 1 })
    expect(await syncing.run('customers', { full: true })).toMatchObject({
      because: 'full',
      rows: 3,
      unchanged: 3,
    })
  })

  it('of a transaction that commits late, with an earlier time, are not missed', async () => {
    await customer('a', 60)
    const slow = new pg.Client({ connectionString: shop.url })
    await slow.connect()
    await slow.query('BEGIN')
    await slow.query('INSERT INTO customers (id, updated_at) VALUES ($1, $2)', ['late', ago(5)])
    await customer('b', 1)
    expect(await syncing.run('customers')).toMatchObject({ inserted: 2, cursor: '2026-03-01 11:59:00+00' })
    await slow.query('COMMIT')
    await slow.end()
    clock.advance(60)
    expect(await syncing.run('customers')).toMatchObject({ inserted: 1 })
    expect((await contacts()).map(({ id }) => id)).toEqual(['a', 'b', 'late'])
  })

  it('whose time lies in the future do not hide those that come before', async () => {
    await customer('prophet', -100_000)
    expect(await syncing.run('customers')).toMatchObject({ inserted: 1 })
    await customer('b', 2)
    expect(await syncing.run('customers')).toMatchObject({ inserted: 1, unchanged: 1 })
  })

  it('are gone on with from a cursor of a fixed width, and not from its first letter', async () => {
    for (const id of ['abc', 'abd', 'abe']) await customer(id, 60)
    const fixed = await openSyncing({
      database: target,
      clock,
      shop: shop.url,
      source: SYNC.replace('SELECT id, email', 'SELECT id::char(5), email').replace(
        'cursor: updated_at',
        'cursor: id',
      ),
    })
    expect(await fixed.run('customers')).toMatchObject({ rows: 3, inserted: 3 })
    await customer('abf', 60)
    expect(await fixed.run('customers')).toMatchObject({ rows: 2, inserted: 1, unchanged: 1 })
  })

  it('with a date that is none are told of no option that a sync does not have', async () => {
    await customer('a', 60)
    const wrong = await openSyncing({
      database: target,
      clock,
      shop: shop.url,
      source: SYNC.replace(
        'points, vip, created_at, updated_at',
        "points, vip, '5/9/26' AS created_at, updated_at",
      ),
    })
    expect(await wrong.run('customers')).toMatchObject({
      reasons: [
        { reason: expect.stringMatching(/is not a date; expected ISO 8601 such as [\w:-]+Z$/), rows: 1 },
      ],
    })
  })

  it('with a number that is none are told of no such option either', async () => {
    await customer('a', 60)
    const wrong = await openSyncing({
      database: target,
      clock,
      shop: shop.url,
      source: SYNC.replace('points, vip,', "'4,5' AS points, vip,"),
    })
    expect(await wrong.run('customers')).toMatchObject({
      reasons: [{ reason: expect.stringMatching(/is not a number; expected .* such as 1234\.50$/), rows: 1 }],
    })
  })

  it('that were changed in the hour that the clock shows twice are not missed, where times name no zone', async () => {
    const text = SYNC.replace(
      'created_at, updated_at',
      "created_at, updated_at AT TIME ZONE 'Europe/Berlin' AS updated_at",
    ).replace('cursor: updated_at', 'cursor: updated_at\n    timezone: Europe/Berlin')
    const other = await openSyncing({ database: target, clock, shop: shop.url, source: text })
    const change = (id: string, at: string) =>
      source.query('INSERT INTO customers (id, created_at, updated_at) VALUES ($1, $2, $2)', [id, at])
    // The clock goes from 03:00 back to 02:00 at one o'clock UTC.
    await change('before', '2026-10-24T22:00:00Z')
    await change('first', '2026-10-25T00:54:00Z')
    clock.set(new Date('2026-10-25T00:55:00Z'))
    expect(await other.run('customers')).toMatchObject({ rows: 2, cursor: '2026-10-25 02:54:00' })
    await change('again', '2026-10-25T01:20:00Z')
    clock.set(new Date('2026-10-25T01:55:00Z'))
    expect(await other.run('customers')).toMatchObject({ inserted: 1, unchanged: 1 })
    clock.set(new Date('2026-10-25T07:00:00Z'))
    await change('morning', '2026-10-25T06:00:00Z')
    expect(await other.run('customers')).toMatchObject({ inserted: 1, unchanged: 2 })
    clock.set(new Date('2026-10-25T07:01:00Z'))
    expect(await other.run('customers')).toMatchObject({ rows: 1, unchanged: 1 })
  })

  it('that share one cursor value across chunks are all taken, wherever the sync ends', async () => {
    await source.query(
      `INSERT INTO customers (id, email, updated_at) SELECT 'c' || n, n || '@x.example', $1 FROM generate_series(1, 2500) AS n`,
      [ago(30)],
    )
    const stop = new AbortController()
    const cut = await syncing.run('customers', {
      chunk: 400,
      signal: stop.signal,
      onProgress: () => stop.abort(),
    })
    expect(cut).toMatchObject({ state: 'interrupted' })
    expect(cut.rows).toBeLessThan(2500)
    const rest = await syncing.run('customers', { chunk: 400 })
    expect(rest).toMatchObject({ rows: 2500, inserted: 2500 - cut.inserted, unchanged: cut.inserted })
    expect(await contacts()).toHaveLength(2500)
  })

  it('that cannot be taken go to the reject file, once, and stop nothing', async () => {
    await customer('a', 30, { email: 'no address' })
    await source.query(
      "INSERT INTO customers (id, email, created_at, updated_at) VALUES ('', 'x@x.example', '2025-01-01', $1)",
      [ago(20)],
    )
    await customer('b', 10)
    const first = await syncing.run('customers')
    const file = rejectFileOf(syncing.text, 'customers')
    expect(first).toMatchObject({ rows: 3, inserted: 2, rejected: 1, warnings: 1, rejectFile: file })
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
    expect(lines).toHaveLength(3)
    expect(lines[1]).toContain('warning: kept without e-mail')
    expect(lines[2]).toMatch(/^2,there is no external_id,/)
    await source.query("UPDATE customers SET updated_at = $1 WHERE id = 'b'", [ago(25)])
    // Read again with each sync, as long as they lie within the overlap; told of once.
    expect(await syncing.run('customers', { full: true })).toMatchObject({
      rejected: 1,
      rejectFile: undefined,
    })
    expect(readFileSync(file, 'utf8').trimEnd().split('\n')).toHaveLength(3)
    await source.query("INSERT INTO customers (id, created_at, updated_at) VALUES ('f', '2030-01-01', $1)", [
      ago(1),
    ])
    expect(await syncing.run('customers')).toMatchObject({ rejected: 2, rejectFile: file })
    expect(readFileSync(file, 'utf8').trimEnd().split('\n')).toHaveLength(4)
    expect(await rows(target, sql`SELECT file, reject_file FROM imports`)).toEqual([
      { file: 'sync customers', reject_file: file },
    ])
  })

  it('without a cursor are named, for no later sync would see them change', async () => {
    const text = SYNC.replace('cursor: updated_at', 'cursor: seen').replace(
      'created_at, updated_at',
      'created_at, nullif(updated_at, updated_at) AS seen',
    )
    const other = await openSyncing({ database: target, clock, shop: shop.url, source: text })
    await customer('a', 30)
    const summary = await other.run('customers')
    expect(summary).toMatchObject({ rows: 1, rejected: 1, cursor: null })
    expect(summary.reasons[0]).toMatchObject({
      reason: expect.stringContaining('seen is NULL'),
      rows: 1,
      line: 1,
    })
  })

  it('are read again from the start when the query or its mapping is another one', async () => {
    await customer('a', 3000)
    await customer('b', 10)
    await syncing.run('customers')
    const text = SYNC.replace('fields: { external_id: id, first_name: name,', 'fields: { external_id: id,')
    const other = await openSyncing({ database: target, clock, shop: shop.url, source: text })
    expect(await other.run('customers')).toMatchObject({ because: 'changed', rows: 2, unchanged: 2 })
  })

  it('are read again from the start when an attribute they fill is declared anew, or as another type', async () => {
    await customer('a', 3000)
    await customer('b', 10)
    const declaring = (attributes: string) =>
      openSyncing({
        database: target,
        clock,
        shop: shop.url,
        source: SYNC.replace('attributes: { first_name: string, points: number, vip: bool }', attributes),
      })
    const wrong = await declaring('attributes: { first_name: number, points: number }')
    expect(await wrong.run('customers')).toMatchObject({ rejected: 2 })
    expect(await syncing.run('customers')).toMatchObject({ because: 'changed', rows: 2, inserted: 2 })
    const kept = await declaring(
      'attributes: { seats: number, vip: bool, points: { type: number, fresh: 7d }, first_name: string }',
    )
    const again = await kept.run('customers')
    expect(again).toMatchObject({ rows: 1 })
    expect(again.because).toBeUndefined()
  })

  it('of two at a time, one says that the other is at it', async () => {
    await customer('a', 10)
    const other = await target.client.connect()
    try {
      await other.query(
        `SELECT pg_advisory_lock(${LOCKS.sync}, hashtext(current_schema() || '.sync.customers'))`,
      )
      expect(await syncing.run('customers')).toMatchObject({ state: 'busy', rows: 0 })
      expect(await syncing.run('customers', { dryRun: true })).toMatchObject({ state: 'done', rows: 1 })
    } finally {
      await other.query('SELECT pg_advisory_unlock_all()')
      other.release()
    }
    expect(await syncing.run('customers')).toMatchObject({ state: 'done', inserted: 1 })
  })
})

describe('activity', () => {
  const order = (id: number, customer: string, minutes: number, more: Record<string, unknown> = {}) =>
    source.query(
      'INSERT INTO orders (id, customer, paid_at, total, coupon, what) VALUES ($1, $2, $3, $4, $5, $6)',
      [
        id,
        customer,
        ago(minutes),
        more.total ?? '12.50',
        more.coupon ?? null,
        more.what ?? 'Order Completed',
      ],
    )

  it('comes under our names, each event once by its key, late ids with it', async () => {
    await order(1, 'a', 60, { coupon: 'X' })
    await order(5000, 'a', 60, { what: 'Paid' })
    await order(5001, 'a', 60, { what: 'Jumped', total: 1 })
    expect(await syncing.run('orders')).toMatchObject({ rows: 3, inserted: 3, cursor: '5001' })
    expect(await events()).toHaveLength(3)
    expect(await events()).toEqual(
      expect.arrayContaining([
        { id: 'a', type: 'order', value: 12_500_000, properties: { coupon: 'X' } },
        { id: 'a', type: 'order', value: 12_500_000, properties: null },
        { id: 'a', type: 'Jumped', value: 1_000_000, properties: null },
      ]),
    )
    // An id that was given out before 5001 and committed after it.
    await order(4700, 'b', 50)
    expect(await syncing.run('orders')).toMatchObject({ rows: 3, inserted: 1, unchanged: 2 })
    expect(await syncing.run('orders', { full: true })).toMatchObject({ rows: 4, inserted: 0, unchanged: 4 })
  })

  it('is no rejected row where it was paid for while we connected', async () => {
    const ticking: ManualClock = {
      ...clock,
      now: () => {
        clock.advance(1)
        return clock.now()
      },
    }
    const other = await openSyncing({ database: target, clock: ticking, shop: shop.url })
    await order(1, 'a', -1.5 / 60)
    expect(await other.run('orders')).toMatchObject({ rows: 1, inserted: 1, rejected: 0 })
  })

  it('keeps the digits of ids within JSON: complaints whose ids differ in the last are two', async () => {
    await order(1, 'a', 60)
    await order(2, 'a', 60)
    const complaints = await openSyncing({
      database: target,
      clock,
      shop: shop.url,
      source: SYNC.replace(
        'SELECT id, customer, paid_at, total, coupon, what FROM orders',
        "SELECT *, jsonb_build_object('complaint_id', 9007199254740990 + 2 + id) AS properties FROM orders",
      ).replace(', properties.coupon: coupon', ''),
    })
    await complaints.run('orders')
    const said = await rows(
      target,
      sql`SELECT properties ->> 'complaint_id' AS id FROM activity ORDER BY properties ->> 'complaint_id'`,
    )
    expect(said).toEqual([{ id: '9007199254740993' }, { id: '9007199254740994' }])
  })

  it('without a key could count twice, and is refused before anything is read', async () => {
    const other = await openSyncing({
      database: target,
      clock,
      shop: shop.url,
      source: SYNC.replace('    key: id\n', ''),
    })
    await expect(other.run('orders')).rejects.toThrow(ConfigError)
    expect(await traces()).toMatchObject([{ cursors: 0 }])
  })

  it('dry, is counted and leaves nothing: no row, no partition, no file', async () => {
    await order(1, 'a', 60)
    await source.query(
      "INSERT INTO orders (id, customer, paid_at) VALUES (2, 'b', '2019-04-01'), (3, '', '2020-01-01')",
    )
    const before = await traces()
    expect(await syncing.run('orders', { dryRun: true })).toMatchObject({
      ...{ dryRun: true, rows: 3, inserted: 2, rejected: 1, cursor: '3', rejectFile: undefined },
      reasons: [{ reason: 'there is no external_id', rows: 1, line: 3 }],
    })
    expect(await traces()).toEqual(before)
    expect(existsSync(rejectFileOf(syncing.text, 'orders'))).toBe(false)
    expect(await syncing.run('orders')).toMatchObject({ because: 'first', inserted: 2, rejected: 1 })
  })
})

describe('what is wrong', () => {
  const problems = async (text: string, name = 'customers') => {
    const other = await openSyncing({ database: target, clock, shop: shop.url, source: text })
    const error: unknown = await other.run(name).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    if (!(error instanceof ConfigError)) throw error ?? new Error('nothing was wrong')
    return error.problems.map(({ location, path, message, suggestion }) => ({
      at: `${location.line}:${location.column}`,
      path,
      message,
      ...(suggestion === undefined ? {} : { suggestion }),
    }))
  }

  it('in the SQL is pointed at by line and column of winback.yaml', async () => {
    const lines = SYNC.split('\n')
    const line = lines.findIndex((each) => each.includes('FROM customers')) + 1
    expect(await problems(SYNC.replace('FROM customers', 'FROM customres'))).toEqual([
      {
        at: `${line}:12`,
        path: 'sync.customers.query',
        message: 'PostgreSQL says: relation "customres" does not exist',
      },
    ])
    expect(await problems(SYNC.replace('points, vip', 'poinst, vip'))).toMatchObject([
      { at: `${line - 1}:31`, message: expect.stringContaining('column "poinst" does not exist') },
    ])
    // Chinese before it: PostgreSQL counts characters, not bytes.
    expect(await problems(SYNC.replace('points, vip', "'你好𝄞' AS x, poinst"))).toMatchObject([
      { at: `${line - 1}:${31 + "'你好𝄞' AS x, ".length}` },
    ])
    expect(await problems(SYNC.replace('FROM customers', 'FROM customers WHERE ('))).toHaveLength(1)
  })

  it('in the mapping is all told at once, before a row is read', async () => {
    const text = SYNC.replace('cursor: updated_at', 'cursor: updatd_at').replace(
      'external_id: id',
      'external_id: idd',
    )
    expect(await problems(text)).toMatchObject([
      { path: 'sync.customers.fields.external_id', message: expect.stringContaining('no column `idd`') },
      { path: 'sync.customers.cursor', suggestion: 'updated_at' },
    ])
    expect(
      await problems(SYNC.replace('cursor: updated_at', 'cursor: updated_at\n    overlap: 5')),
    ).toMatchObject([
      { path: 'sync.customers.overlap', message: expect.stringContaining('write a duration') },
    ])
    expect(await traces()).toMatchObject([{ contacts: 0, cursors: 0 }])
  })

  it('with a query that would write is PostgreSQL’s to refuse', async () => {
    const text = SYNC.replace(
      /query: \|[\s\S]*?FROM customers\n/,
      "query: SELECT setval('orders_id_seq', 99) AS id, now() AS updated_at\n",
    ).replace(', first_name: name, signed_up_at: created_at', '')
    expect(await problems(text)).toMatchObject([
      { message: expect.stringContaining('read-only transaction') },
    ])
  })

  it('with permissions says the grant; SELECT on one view is all it takes', async () => {
    const role = { name: freshName(), password: 'secret' }
    await administer(`CREATE ROLE ${role.name} LOGIN PASSWORD '${role.password}'`)
    try {
      await customer('a', 10)
      await source.query('CREATE VIEW for_winback AS SELECT * FROM customers')
      const name = new URL(shop.url).pathname.slice(1)
      const text = SYNC.replace('FROM customers', 'FROM for_winback')
      const reader = await openSyncing({ database: target, clock, shop: urlOf(name, role), source: text })
      await expect(reader.run('customers')).rejects.toMatchObject({
        code: 'sync.permission',
        remedy: `Let the owner run: GRANT SELECT ON for_winback TO ${role.name};`,
      })
      await source.query(`GRANT SELECT ON for_winback TO ${role.name}`)
      expect(await reader.run('customers')).toMatchObject({ inserted: 1 })
      const wrong = await openSyncing({
        database: target,
        clock,
        shop: urlOf(name, { ...role, name: 'nobody_here' }),
        source: text,
      })
      await expect(wrong.run('customers')).rejects.toMatchObject({ code: 'unavailable.source' })
    } finally {
      await source.query(`DROP VIEW for_winback; DROP OWNED BY ${role.name}`)
      await administer(`DROP ROLE ${role.name}`)
    }
  })

  it('with the server is told with the setting’s name, and never the password', async () => {
    const gone = await openSyncing({ database: target, clock, shop: 'postgres://me:hush@127.0.0.1:1/shop' })
    const error = await gone.run('customers').catch((thrown: Error) => thrown)
    expect(error).toMatchObject({
      code: 'unavailable.source',
      message: expect.stringContaining('127.0.0.1:1/shop does not answer'),
      remedy: expect.stringContaining('sync.customers.url'),
    })
    expect(JSON.stringify(error)).not.toContain('hush')
  })
})

describe('a schedule', () => {
  it('runs what is due, what was missed once, and what never ran at once', async () => {
    const text = SYNC.replace('    cursor: updated_at', '    cursor: updated_at\n    schedule: "0 * * * *"')
    const other = await openSyncing({ database: target, clock, shop: shop.url, source: text })
    const ran: string[] = []
    const look = () =>
      syncDue(other.runtime, other.text, ({ sync, rows }) =>
        ran.push(`${clock.now().toISOString().slice(11, 16)} ${sync} ${rows}`),
      )
    await look()
    await customer('a', 0)
    clock.advance(1800)
    await look()
    expect(ran).toEqual(['12:00 customers 0'])
    clock.advance(1800)
    await look()
    await look()
    clock.advance(7 * 86_400)
    await look()
    await look()
    expect(ran).toEqual(['12:00 customers 0', '13:00 customers 1', '13:00 customers 1'])
  })

  it('tries again what failed, and lets the others run', async () => {
    const text = SYNC.replace(
      '    cursor: updated_at',
      '    cursor: updated_at\n    schedule: "0 * * * *"',
    ).replace('    cursor: id', '    cursor: id\n    schedule: "0 * * * *"')
    const other = await openSyncing({ database: target, clock, shop: shop.url, source: text })
    const ran: string[] = []
    const look = () => syncDue(other.runtime, other.text, ({ sync }) => ran.push(sync))
    await source.query('ALTER TABLE customers RENAME TO hidden')
    await expect(look()).rejects.toThrow('sync customers: 1 problem')
    expect(ran).toEqual(['orders'])
    await source.query('ALTER TABLE hidden RENAME TO customers')
    await look()
    expect(ran).toEqual(['orders', 'customers'])
  })
})
