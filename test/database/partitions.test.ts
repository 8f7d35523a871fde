import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { connect, type Database, execute, rows, transaction } from '../../src/database/connect.ts'
import { ensurePartitions, ensurePartitionsWithin } from '../../src/database/partitions.ts'
import { freshDatabase } from '../support/database.ts'

const partitions = async (database: Database, table: string) =>
  (
    await rows<{ name: string }>(
      database,
      sql`SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = ${table}::regclass ORDER BY 1`,
    )
  ).map((row) => row.name)

const record = (at: string) =>
  sql`INSERT INTO activity (contact_id, occurred_at, key, type, received_at) VALUES (1, ${at}, 1, 'session', ${at})`

describe('ensurePartitions', () => {
  it('makes each UTC month of a range, whole to its last microsecond', async () => {
    const database = await freshDatabase()
    await expect(execute(database, record('2025-11-30T23:59:59.999999Z'))).rejects.toThrow('no partition')
    const months = { from: new Date('2025-11-30T23:59:59.999Z'), to: new Date('2026-02-01T00:00:00Z') }
    await ensurePartitions(database, 'activity', months)
    expect(await partitions(database, 'activity')).toEqual([
      'activity_2025_11',
      'activity_2025_12',
      'activity_2026_01',
      'activity_2026_02',
    ])
    await execute(database, record('2025-11-30T23:59:59.999999Z'))
    await execute(database, record('2026-01-01T00:00:00Z'))
    await expect(execute(database, record('2026-03-01T00:00:00Z'))).rejects.toThrow('no partition')
  })

  it('is right when many sessions want the same months at once', async () => {
    const database = await freshDatabase()
    const others = Array.from({ length: 6 }, () => connect(database.url, { max: 1 }))
    const list = ['2026-01-05', '2026-01-09', '2026-02-01', '2026-03-01'].map((day) => new Date(day))
    await Promise.all(others.map((other) => ensurePartitions(other, 'touchpoint_records', list)))
    expect(await partitions(database, 'touchpoint_records')).toHaveLength(3)
    for (const other of others) await other.close()
  })

  it('waits neither for transactions that are open on the table, the caller’s own included, nor for a free connection', async () => {
    const database = await freshDatabase({ max: 1 })
    await ensurePartitions(database, 'activity', [new Date('2026-01-01')])
    await transaction(database, async (tx) => {
      await execute(tx, sql`SET LOCAL lock_timeout = '2s'`)
      await execute(tx, record('2026-01-02T00:00:00Z'))
      await ensurePartitions(database, 'activity', [new Date('2026-02-01')])
      await execute(tx, record('2026-02-02T00:00:00Z'))
    })
    expect(await rows(database, sql`SELECT FROM activity`)).toHaveLength(2)
  })

  it('is undone with the transaction it is part of, and made again when asked again', async () => {
    const database = await freshDatabase()
    const month = [new Date('2026-05-01')]
    const failing = transaction(database, async (tx) => {
      await ensurePartitionsWithin(tx, 'activity', month)
      await execute(tx, record('2026-05-02T00:00:00Z'))
      throw new Error('undo')
    })
    await expect(failing).rejects.toThrow('undo')
    expect(await partitions(database, 'activity')).toEqual([])
    await ensurePartitions(database, 'activity', month)
    expect(await partitions(database, 'activity')).toEqual(['activity_2026_05'])
  })
})
