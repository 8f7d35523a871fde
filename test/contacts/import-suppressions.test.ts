import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { addressHash } from '../../src/contacts/addresses.ts'
import { importSuppressions } from '../../src/contacts/import.ts'
import { rows } from '../../src/database/connect.ts'
import { settingsOf } from '../../src/database/migrate.ts'
import { freshDatabase } from '../support/database.ts'
import { file, options } from './files.ts'

it('keeps hashes of addresses, the first reason of each, and tells the hook what is new', async () => {
  const database = await freshDatabase()
  const { addressKey } = await settingsOf(database)
  const path = file(
    's.csv',
    `email,phone,reason,suppressed_at
Ann@Example.com,,complaint,2026-01-02
ann@example.com,,unsubscribe,2026-01-03
,+86 138 0013 8000,,
nobody,,,
x@example.com,,boredom,
,,,
`,
  )
  const told: unknown[] = []
  const hooks = {
    onSuppressed: async (tx: Parameters<typeof rows>[0]) => {
      told.push(...(await rows(tx, sql`SELECT * FROM new_suppressions ORDER BY kind`)))
    },
  }
  const summary = await importSuppressions(database, path, options({ hooks }))
  expect(summary).toMatchObject({ rows: 6, inserted: 2, unchanged: 1, rejected: 3 })
  const kept = await rows(
    database,
    sql`SELECT kind, key, reason, source, suppressed_at FROM suppressions ORDER BY kind`,
  )
  expect(kept).toEqual([
    {
      kind: 'email',
      key: addressHash(addressKey, 'email', 'ann@example.com'),
      reason: 'complaint',
      source: 'import of s.csv',
      suppressed_at: new Date('2026-01-02T00:00:00Z'),
    },
    {
      kind: 'phone',
      key: addressHash(addressKey, 'phone', '+8613800138000'),
      reason: 'manual',
      source: 'import of s.csv',
      suppressed_at: new Date('2026-03-01T00:00:00Z'),
    },
  ])
  expect(told).toHaveLength(2)
  expect(await importSuppressions(database, path, options({ hooks }))).toMatchObject({
    inserted: 0,
    unchanged: 3,
  })
  expect(told).toHaveLength(2)
})
