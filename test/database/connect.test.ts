import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { rows, transaction } from '../../src/database/connect.ts'
import { isOutage } from '../../src/database/outage.ts'
import { freshDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'

it('outlives a connection that is lost between two statements of a transaction, and says so', async () => {
  const database = await freshDatabase()
  const uncaught: unknown[] = []
  const onUncaught = (error: unknown) => uncaught.push(error)
  process.on('uncaughtException', onUncaught)
  const work = transaction(database, async (tx) => {
    const [own] = await rows<{ pid: number }>(tx, sql`SELECT pg_backend_pid() AS pid`)
    await rows(database, sql`SELECT pg_terminate_backend(${own?.pid ?? 0})`)
    await eventually(
      'the connection is gone',
      () => rows(database, sql`SELECT FROM pg_stat_activity WHERE pid = ${own?.pid ?? 0}`),
      (left) => left.length === 0,
    )
    await rows(tx, sql`SELECT 1`)
  })
  await expect(work).rejects.toSatisfy(isOutage)
  expect(await rows(database, sql`SELECT 1 AS one`)).toEqual([{ one: 1 }])
  process.off('uncaughtException', onUncaught)
  expect(uncaught).toEqual([])
})
