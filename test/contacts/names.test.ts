import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { callReader } from '../../src/contacts/api-calls.ts'
import { ingestCalls } from '../../src/contacts/live.ts'
import { lockNames } from '../../src/contacts/persons.ts'
import { LOCKS } from '../../src/database/advisory-locks.ts'
import { rows, transaction } from '../../src/database/connect.ts'
import { settingsOf } from '../../src/database/migrate.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import { freshDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { openShop } from '../support/shop.ts'

it('a file and an event that bring the same new contact wait for one another in one order alone', async () => {
  const now = new Date('2026-03-02T09:00:00Z')
  const database = await freshDatabase()
  const shop = await openShop({ database, clock: manualClock(now), channels: [] })
  // The first file of a workspace has the tables to itself.
  await shop.importContacts([{ external_id: 'first' }])
  const { addressKey } = await settingsOf(database)
  const { hooks, workspace } = shop.runtime
  const read = callReader(workspace, now, undefined)
  const call = read({ userId: 'new', messageId: 'm1', traits: { first_name: 'Li' } }, 'identify')
  if (typeof call === 'string') throw new Error(call)
  await ensurePartitions(database, 'activity', [now])
  let file: Promise<void> | undefined
  await transaction(database, async (tx) => {
    // As far as the event comes before the file begins.
    await lockNames(tx)
    file = shop.importContacts([{ external_id: 'new', email: 'new@names.test' }])
    // For the names, and with nothing made yet: one that had made its contact would be waited for by the event.
    await eventually(
      'the file waits',
      () =>
        rows<{ lock: number }>(
          database,
          sql`SELECT classid::int AS lock FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
        ),
      (waiting) => waiting.map(({ lock }) => lock).join() === String(LOCKS.externalIds),
      5,
    )
    await ingestCalls(tx, [call], { workspace, addressKey, now, hooks })
  })
  await file
  const found = await rows(
    database,
    sql`SELECT external_id, email, attributes FROM contacts WHERE external_id = 'new'`,
  )
  expect(found).toEqual([{ external_id: 'new', email: 'new@names.test', attributes: { first_name: 'Li' } }])
})

it('what several names of one contact say at once is all kept, the later over the earlier', async () => {
  const clock = manualClock(new Date('2026-03-02T09:00:00Z'))
  const database = await freshDatabase()
  const shop = await openShop({ database, clock, channels: [] })
  const { addressKey } = await settingsOf(database)
  const { hooks, workspace } = shop.runtime
  const send = async (...calls: readonly (readonly [type: string, call: object])[]) => {
    const now = clock.now()
    const read = callReader(workspace, now, undefined)
    const told = calls.flatMap(([type, call]) => read(call, type)).filter((call) => typeof call !== 'string')
    expect(told).toHaveLength(calls.length)
    await transaction(database, (tx) => ingestCalls(tx, told, { workspace, addressKey, now, hooks }))
    clock.advance(60)
  }
  const at = (minute: number) => new Date(Date.UTC(2026, 2, 2, 8, minute)).toISOString()
  const found = (name: string) =>
    rows(
      database,
      sql`SELECT c.email, c.attributes, c.attributes_at -> '@email' AS told FROM external_ids x JOIN contacts c USING (contact_id)
        WHERE x.external_id = ${name}`,
    )
  for (const name of ['app', 'file']) {
    await send(['identify', { userId: name, timestamp: at(0) }])
    await send(['alias', { previousId: name, userId: `${name}2`, timestamp: at(1) }])
  }

  const app = (userId: string, minute: number, traits: object): [string, object] => [
    'identify',
    { userId, timestamp: at(minute), traits },
  ]
  // One of them is told of last, and arrives first.
  await send(
    app('app2', 30, { email: 'late@names.test', price: 5 }),
    app('app', 20, { email: 'early@names.test', first_name: 'Ann' }),
  )
  expect(await found('app')).toEqual([
    {
      email: 'late@names.test',
      attributes: { first_name: 'Ann', price: 5 },
      told: Date.parse(at(30)) / 1000,
    },
  ])

  await shop.importContacts([
    { external_id: 'file2', email: 'early@names.test', price: 5 },
    { external_id: 'file', email: 'late@names.test', first_name: 'Ann' },
  ])
  expect(await found('file2')).toEqual([
    { email: 'late@names.test', attributes: { first_name: 'Ann', price: 5 }, told: null },
  ])
})
