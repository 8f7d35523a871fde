import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { readNewest } from '../../../../src/cli/verbs/doctor/database.ts'
import { execute, transaction } from '../../../../src/database/connect.ts'
import { freshDatabase } from '../../../support/database.ts'
import { rowsRead } from '../../../support/rows-read.ts'

test('all contacts are counted only where none of them ever did anything', async () => {
  const database = await freshDatabase()
  expect(await readNewest(database)).toEqual({ at: null, contacts: 0 })
  await execute(database, sql`INSERT INTO contact_activity (contact_id) SELECT generate_series(1, 20000)`)
  expect(await readNewest(database)).toEqual({ at: null, contacts: 20_000 })
  const at = new Date('2026-03-01T08:00:00Z')
  await execute(database, sql`INSERT INTO feed_days (day, events, newest_at) VALUES ('2026-03-01', 1, ${at})`)
  const read = await transaction(database, (tx) =>
    rowsRead(tx, async () => expect(await readNewest(tx)).toEqual({ at, contacts: 1 })),
  )
  expect(read.contact_activity).toBeLessThan(10)
})
