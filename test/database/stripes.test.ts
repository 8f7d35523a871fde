import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { importActivity } from '../../src/contacts/import.ts'
import { rows, transaction } from '../../src/database/connect.ts'
import { lockStripe, lockStripesShared, STRIPES } from '../../src/database/stripes.ts'
import { file, options } from '../contacts/files.ts'
import { freshDatabase } from '../support/database.ts'
import { untilWaiting } from '../support/waiting.ts'

const ids = (...list: number[]) => sql`SELECT unnest(${sql.param(list)}::bigint[]) AS contact_id`

it('lets ingests share a stripe, and a selection have it alone', async () => {
  const database = await freshDatabase()
  await transaction(database, async (one) => {
    await lockStripesShared(one, ids(5, 10_005, 640_005))
    await transaction(database, (other) => lockStripesShared(other, ids(9, 20_000)))
    await transaction(database, (other) => lockStripe(other, 2))
    const [held] = await rows(
      one,
      sql`SELECT array_agg(objid::int ORDER BY objid) AS stripes FROM pg_locks
          WHERE locktype = 'advisory' AND pid = pg_backend_pid()`,
    )
    expect(held).toEqual({ stripes: [0, 1] })
  })
  expect(STRIPES).toBe(64)
})

it('makes an ingest wait for the selection of its contacts', async () => {
  const database = await freshDatabase()
  const first = file('a.csv', 'external_id,type,occurred_at\nu1,session,2026-01-01\n')
  await importActivity(database, first, options())
  const [contact] = await rows<{ stripe: number }>(
    database,
    sql`SELECT ((contact_id / 10000) % 64)::int AS stripe FROM contacts`,
  )
  let done = false
  let importing: Promise<unknown> = Promise.resolve()
  await transaction(database, async (tx) => {
    await lockStripe(tx, contact?.stripe ?? -1)
    const second = file('b.csv', 'external_id,type,occurred_at\nu1,session,2026-01-02\n')
    importing = importActivity(database, second, options()).then(() => {
      done = true
    })
    await untilWaiting(database)
    expect(done).toBe(false)
    const [seen] = await rows<{ n: number }>(tx, sql`SELECT count(*) AS n FROM activity`)
    expect(seen?.n).toBe(1)
  })
  await importing
  expect(await rows(database, sql`SELECT FROM activity`)).toHaveLength(2)
})
