import { execFile } from 'node:child_process'
import { cpSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { is, sql } from 'drizzle-orm'
import { getTableConfig, PgTable } from 'drizzle-orm/pg-core'
import { expect, it } from 'vitest'
import { rows } from '../../src/database/connect.ts'
import { freshDatabase } from '../support/database.ts'
import { scratchDirectory } from '../support/scratch.ts'

// The migrations are written by hand; the schema's files say what they should come to. Neither may drift.

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = new URL('../../src/database/schema/', import.meta.url)

async function declared(): Promise<Map<string, string[]>> {
  const tables = new Map<string, string[]>()
  for (const file of readdirSync(fileURLToPath(folder))) {
    const exported: Record<string, unknown> = await import(new URL(file, folder).href)
    for (const table of Object.values(exported)) {
      if (!is(table, PgTable)) continue
      const { name, columns } = getTableConfig(table)
      tables.set(
        name,
        columns.map((column) => columnText(column.name, column.getSQLType(), column.notNull)).toSorted(),
      )
    }
  }
  return tables
}

const SHORT: Readonly<Record<string, string>> = { bigserial: 'bigint', serial: 'integer' }

function columnText(name: string, type: string, required: boolean): string {
  return `${name} ${SHORT[type] ?? type}${required ? ' not null' : ''}`
}

it('what the migrations make is what the schema says: tables, columns, types, nulls', async () => {
  const database = await freshDatabase()
  const found = await rows<{ table: string; name: string; type: string; required: boolean }>(
    database,
    sql`SELECT c.relname AS table, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
          a.attnotnull AS required
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND c.relname <> '__drizzle_migrations'`,
  )
  const made = new Map<string, string[]>()
  for (const { table, name, type, required } of found) {
    made.set(table, [...(made.get(table) ?? []), columnText(name, type, required)].toSorted())
  }
  const wanted = await declared()
  expect([...made.keys()].toSorted()).toEqual([...wanted.keys()].toSorted())
  for (const [table, columns] of wanted) expect(made.get(table), table).toEqual(columns)
})

it('`npm run migration` begins at the schema of now: the last migration has its snapshot', async () => {
  const out = scratchDirectory()
  cpSync(join(root, 'migrations', 'meta'), join(out, 'meta'), { recursive: true })
  const program = join(root, 'node_modules', 'drizzle-kit', 'bin.cjs')
  const args = [
    '--dialect',
    'postgresql',
    '--schema',
    './src/database/schema/*.ts',
    '--out',
    relative(root, out),
  ]
  const { stdout } = await promisify(execFile)(process.execPath, [program, 'generate', ...args], {
    cwd: root,
  })
  expect(stdout).toContain('No schema changes')
  expect(readdirSync(out)).toEqual(['meta'])
})
