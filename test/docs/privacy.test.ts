import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { HOLDINGS } from '../../src/contacts/holdings.ts'
import { rows } from '../../src/database/connect.ts'
import { freshDatabase } from '../support/database.ts'
import { quoted, readPage, tableUnder } from './pages.ts'

it('every table that grows with contacts has its line in export, erasure and docs/privacy.md', async () => {
  const database = await freshDatabase()
  const tables = await rows<{ name: string }>(
    database,
    sql`SELECT DISTINCT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND a.attname IN ('contact_id', 'person_id', 'anonymous_id', 'external_id') ORDER BY 1`,
  )
  const held = HOLDINGS.filter((holding) => !holding.rehearsal).map((holding) => holding.table)
  const missing = tables.map(({ name }) => name).filter((name) => !held.includes(name))
  expect(missing, 'add a line to src/contacts/holdings.ts and to docs/privacy.md').toEqual([])
  const listed = tableUnder(readPage('docs/privacy.md'), '## Erasure')
  expect(listed.map(([table = '', fate]) => [quoted(table)[0], fate])).toEqual(
    HOLDINGS.map(({ table, fate }) => [table, fate]),
  )
})
