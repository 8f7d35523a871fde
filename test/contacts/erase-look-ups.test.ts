import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { eraseContact } from '../../src/contacts/privacy/erase.ts'
import { execute, rows, type Session, transaction } from '../../src/database/connect.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop } from '../support/shop.ts'

const NOW = new Date('2026-03-10T09:00:00Z')

/** How often each table was read from end to end, as far as the connection has not told the server of it. */
async function readWhole(session: Session): Promise<Map<string, number>> {
  const found = await rows<{ name: string; times: number }>(
    session,
    sql`SELECT relname AS name, seq_scan AS times FROM pg_stat_xact_user_tables WHERE schemaname = current_schema()`,
  )
  return new Map(found.map(({ name, times }) => [name, times]))
}

// Whoever asks to be erased is one of a hundred million, and holds locks meanwhile.
it('an erasure reads no table from end to end but what operators have typed', async () => {
  const shop = await openShop({ database: await freshDatabase(), clock: manualClock(NOW), channels: [] })
  const ids = ['ada', 'bo', 'cy']
  await shop.importContacts(ids.map((id) => ({ external_id: id, email: `${id}@people.test` })))
  await shop.importActivity(
    ids.map((id) => ({ external_id: id, type: 'session', occurred_at: '2026-03-06T00:00:00Z' })),
  )
  await ensurePartitions(shop.database, 'touchpoint_records', [NOW])
  const read = await transaction(shop.database, async (tx) => {
    // What is read whole all the same has no index by which it could be looked up.
    await execute(tx, sql`SET LOCAL enable_seqscan = off`)
    const [ada] = await rows<{ id: number }>(
      tx,
      sql`SELECT contact_id AS id FROM external_ids WHERE external_id = 'ada'`,
    )
    const before = await readWhole(tx)
    const options = { now: NOW, hooks: shop.runtime.hooks, phoneKeys: () => [] }
    expect(await eraseContact(tx, ada?.id ?? 0, options)).toMatchObject({ removed: { external_ids: 1 } })
    const after = await readWhole(tx)
    return [...after.keys()].filter((name) => after.get(name) !== (before.get(name) ?? 0))
  })
  expect(read.toSorted()).toEqual(['annotations', 'switches'])
  await shop.runtime.close()
})
