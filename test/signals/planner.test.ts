import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import { freshenSignals } from '../../src/service/signals.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop } from '../support/shop.ts'

// What PostgreSQL's planner knows of the tables a selection reads, before autovacuum has looked at them.

const NOW = new Date('2026-06-01T09:00:00Z')
const READ = ['contact_activity', 'contact_signals', 'contacts']
const named = (count: number, from = 0) =>
  Array.from({ length: count }, (_, no) => ({
    external_id: `u${from + no}`,
    type: 'session',
    occurred_at: new Date(NOW.getTime() - (from + no + 1) * 60_000).toISOString(),
  }))

/** A shop whose tables autovacuum leaves alone. */
async function open(database: Database) {
  const shop = await openShop({ database, clock: manualClock(NOW), channels: [testChannel('log')] })
  for (const table of READ) {
    await execute(database, sql`ALTER TABLE ${sql.identifier(table)} SET (autovacuum_enabled = off)`)
  }
  return shop
}

/** Rows the planner takes each table for; -1 where it was never told. */
async function believed(database: Database): Promise<number[]> {
  const found = await rows<{ rows: number }>(
    database,
    sql`SELECT reltuples::int AS rows FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relname = ANY (${sql.param(READ)}::text[]) ORDER BY relname`,
  )
  return found.map((row) => row.rows)
}

test('the planner is told of many new contacts as soon as they have signals, and once', async () => {
  const database = await freshDatabase()
  const shop = await open(database)
  await shop.importActivity(named(600))
  expect(await believed(database)).toEqual([-1, -1, -1])
  await freshenSignals(shop.runtime)
  expect(await believed(database)).toEqual([600, 600, 600])
  await shop.importActivity(named(600, 600))
  await freshenSignals(shop.runtime)
  expect(await believed(database)).toEqual([600, 600, 600])
})

test('of a few new contacts it is not told', async () => {
  const database = await freshDatabase()
  const shop = await open(database)
  await shop.importActivity(named(400))
  await freshenSignals(shop.runtime)
  expect(await believed(database)).toEqual([-1, -1, -1])
})
