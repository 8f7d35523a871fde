import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { execute, rows, transaction } from '../../src/database/connect.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop } from '../support/shop.ts'

const PEOPLE = 3000
const CONNECTIONS = 4
const CAMPAIGN = `
version: 1
campaign: recall
title: Recall
owner: team@shop.example
schedule: "0 9 * * *"
goals: { recall: { event: session } }
window: 30d
holdout: 50%
tiers:
  - { name: only, inactive: 3d..20d, steps: [{ id: hello, channel: log, template: hello }] }
`

function promiseOf(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

// Read from end to end for each chunk, the contacts and episodes of a platform would be read a thousand times in a file.
it('a chunk looks up whom it changes, and whom that makes one person, and nobody else', async () => {
  const clock = manualClock(new Date('2026-03-10T09:00:00Z'))
  const shop = await openShop({ database: await freshDatabase({ max: CONNECTIONS }), clock, channels: [] })
  const ids = Array.from({ length: PEOPLE }, (_, no) => `u${no}`)
  await shop.importContacts(ids.map((id) => ({ external_id: id, email: `${id}@people.test` })))
  await shop.importActivity(
    ids.map((id) => ({ external_id: id, type: 'session', occurred_at: '2026-03-06T00:00:00Z' })),
  )
  await shop.apply(CAMPAIGN)
  await shop.run('recall')
  await execute(shop.database, sql`ANALYZE`)
  // A connection counts what it reads until it tells the server, a second later at most: now all of them do.
  const told = Array.from({ length: CONNECTIONS }, () => promiseOf())
  await Promise.all(
    told.map((mine) =>
      transaction(shop.database, async (tx) => {
        await execute(tx, sql`SELECT pg_stat_force_next_flush()`)
        mine.resolve()
        await Promise.all(told.map(({ promise }) => promise))
      }),
    ),
  )

  const { onMerged } = shop.runtime.hooks
  let read: Record<string, number> = {}
  Object.assign(shop.runtime.hooks, {
    onMerged: async (...given: Parameters<NonNullable<typeof onMerged>>) => {
      await onMerged?.(...given)
      const tables = await rows<{ name: string; tuples: number }>(
        given[0],
        sql`SELECT relname AS name, seq_tup_read + coalesce(idx_tup_fetch, 0) AS tuples FROM pg_stat_xact_user_tables
            WHERE relname IN ('contacts', 'episodes', 'external_ids')`,
      )
      read = Object.fromEntries(tables.map(({ name, tuples }) => [name, tuples]))
    },
  })
  await shop.importContacts(
    Array.from({ length: 12 }, (_, no) => ({
      external_id: `u${no * 10}`,
      email: `u${no * 10 + 1}@people.test`,
    })),
  )
  const [merged] = await rows<{ persons: number }>(
    shop.database,
    sql`SELECT count(*) AS persons FROM (SELECT FROM contacts GROUP BY person_id HAVING count(*) = 2) p`,
  )
  expect(merged).toEqual({ persons: 12 })
  const { contacts, ...others } = read
  expect(Object.keys(others).toSorted()).toEqual(['episodes', 'external_ids'])
  expect(Object.entries(others).filter(([, tuples]) => tuples > 600)).toEqual([])
  // Writing them is a join, for which so few may be read once; of many it is not.
  expect(contacts).toBeLessThan(1.5 * PEOPLE)
})
