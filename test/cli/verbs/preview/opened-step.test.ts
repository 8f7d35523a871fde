import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { anyContact } from '../../../../src/cli/verbs/preview/opened-step.ts'
import { execute, transaction } from '../../../../src/database/connect.ts'
import { freshDatabase } from '../../../support/database.ts'
import { rowsRead } from '../../../support/rows-read.ts'

test('the newest contact with an address lends its data, and not everybody is read to find it', async () => {
  const database = await freshDatabase()
  await execute(
    database,
    sql`INSERT INTO contacts (contact_id, person_id, external_id, email, imported_at) OVERRIDING SYSTEM VALUE
        SELECT n, n, 'u' || n, CASE WHEN n < 29000 THEN n || '@example.com' END, '2026-03-01' FROM generate_series(1, 30000) n`,
  )
  await execute(database, sql`ANALYZE contacts`)
  const found: number[] = []
  const read = await transaction(database, (tx) => rowsRead(tx, async () => found.push(await anyContact(tx))))
  expect(found).toEqual([28_999])
  expect(read.contacts).toBeLessThan(15_000)
})
