import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { HOLDINGS } from '../../src/contacts/privacy/holdings.ts'
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
  expect(missing, 'add a line to src/contacts/privacy/holdings.ts and to docs/privacy.md').toEqual([])
  const listed = tableUnder(readPage('docs/privacy.md'), '## Erasure')
  expect(listed.map(([table = '', fate]) => [quoted(table)[0], fate])).toEqual(
    HOLDINGS.map(({ table, fate }) => [table, fate]),
  )
})

it('every amount that is held is known as one, so that an export can write it as money', async () => {
  const found = await rows<{ table: string; column: string }>(
    await freshDatabase(),
    sql`SELECT c.table_name AS table, c.column_name AS column FROM information_schema.columns c
        WHERE c.table_schema = current_schema() AND c.data_type = 'bigint' AND c.table_name = ANY(${sql.param(HOLDINGS.map(({ table }) => table))})
          AND c.column_name NOT LIKE '%\\_id' AND c.column_name <> 'key' ORDER BY 1, 2`,
  )
  const known = HOLDINGS.flatMap(({ table, money = [], rehearsal }) =>
    rehearsal ? [] : money.map((column) => ({ table, column })),
  )
  const byName = (a: (typeof found)[number], b: (typeof found)[number]) =>
    `${a.table}.${a.column}` < `${b.table}.${b.column}` ? -1 : 1
  expect(known.toSorted(byName), 'name it as `money` in src/contacts/privacy/holdings.ts').toEqual(
    found.toSorted(byName),
  )
})
