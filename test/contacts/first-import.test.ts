import { gzipSync } from 'node:zlib'
import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import type { ImportOptions, ImportProgress } from '../../src/contacts/file-import.ts'
import type { Hooks } from '../../src/contacts/hooks.ts'
import { importContacts } from '../../src/contacts/import.ts'
import { type Database, execute, rows, transaction } from '../../src/database/connect.ts'
import { freshDatabase } from '../support/database.ts'
import { file, options, workspace } from './files.ts'

const indexes = (database: Database) =>
  rows(
    database,
    sql`SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema()
          AND tablename IN ('contacts', 'external_ids', 'contact_activity') ORDER BY indexname`,
  )
/** Who is one person with whom, by external id. */
const persons = async (database: Database) => {
  const found = await rows<{ ids: string }>(
    database,
    sql`SELECT string_agg(external_id, ' ' ORDER BY contact_id) AS ids FROM contacts GROUP BY person_id ORDER BY min(contact_id)`,
  )
  return found.map(({ ids }) => ids)
}
const HEADER = 'external_id,email,phone\n'

it('leaves every index as it found it, and links over all chunks at the end', async () => {
  const database = await freshDatabase()
  const before = await indexes(database)
  // c carries a's address and d's number; four carry none@, which is one too many.
  const path = file(
    'a.csv',
    `${HEADER}a,one@example.com,\nb,none@example.com,\nc,one@example.com,13800000001\nd,none@example.com,13800000001
e,none@example.com,\nf,none@example.com,\ng,,\n`,
  )
  const told: (string | undefined)[] = []
  const onProgress = ({ rows, indexing }: ImportProgress) =>
    void told.push(`${rows}${indexing ? ' read, and the indexes to build' : ''}`)
  expect(await importContacts(database, path, options({ chunk: 2, onProgress }))).toMatchObject({
    inserted: 7,
    updated: 0,
  })
  expect(told.at(-1)).toBe('7 read, and the indexes to build')
  expect(await indexes(database)).toEqual(before)
  expect(
    await rows(database, sql`SELECT count(*) AS n FROM contacts JOIN contact_activity USING (contact_id)`),
  ).toEqual([{ n: 7 }])
  expect(await persons(database)).toEqual(['a c d', 'b', 'e', 'f', 'g'])
  expect(await importContacts(database, path, options({ chunk: 2 }))).toMatchObject({ unchanged: 7 })
})

it('goes on among others from the chunk in which a contact comes again', async () => {
  const database = await freshDatabase()
  const path = file(
    'a.csv',
    `${HEADER}a,one@example.com,\nb,,\nc,,13800000001\na,two@example.com,\nd,two@example.com,\n`,
  )
  expect(await importContacts(database, path, options({ chunk: 2 }))).toMatchObject({
    rows: 5,
    inserted: 4,
    updated: 1,
  })
  expect(await persons(database)).toEqual(['a d', 'b', 'c'])
  expect(await rows(database, sql`SELECT email FROM contacts WHERE external_id = 'a'`)).toEqual([
    { email: 'two@example.com' },
  ])
})

it('does without the tables to itself where somebody is at work on them', async () => {
  const database = await freshDatabase()
  const path = file('a.csv', `${HEADER}a,one@example.com,\nb,one@example.com,\n`)
  await transaction(database, async (reader) => {
    await execute(reader, sql`SELECT FROM contacts`)
    expect(await importContacts(database, path, options())).toMatchObject({ inserted: 2 })
  })
  expect(await persons(database)).toEqual(['a b'])
})

it('keeps nothing where the database refuses', async () => {
  const database = await freshDatabase()
  const before = await indexes(database)
  const path = file('a.csv', `${HEADER}a,,\nb,,\nc,,\nd,,\n`)
  await execute(database, sql`ALTER TABLE contacts ADD CONSTRAINT refuses CHECK (external_id <> 'c')`)
  await expect(importContacts(database, path, options({ chunk: 2 }))).rejects.toThrow('refuses')
  expect(await persons(database)).toEqual([])
  expect(await indexes(database)).toEqual(before)
  expect(await rows(database, sql`SELECT inserted, finished_at FROM imports`)).toEqual([
    { inserted: 0, finished_at: null },
  ])
})

it('keeps what was loaded where the file breaks off', async () => {
  const database = await freshDatabase()
  const before = await indexes(database)
  const lines = Array.from({ length: 20_000 }, (_, n) => `u${n},u${(n * 7919) % 20_000}@example.com,`)
  const whole = gzipSync(`${HEADER}${lines.join('\n')}\n`)
  const path = file('a.csv.gz', whole.subarray(0, whole.length / 2))
  await expect(importContacts(database, path, options({ chunk: 1000 }))).rejects.toThrow('cannot be read')
  const [kept] = await rows<{ n: number }>(database, sql`SELECT count(*) AS n FROM contacts`)
  expect(kept?.n).toBeGreaterThan(0)
  expect(await indexes(database)).toEqual(before)
  expect(await rows(database, sql`SELECT inserted, finished_at FROM imports`)).toEqual([
    { inserted: kept?.n, finished_at: null },
  ])
})

describe('a number that is written in several ways', () => {
  const china = {
    ...workspace,
    persons: { shared_by_at_most: 4 },
    channels: { sms: { provider: 'aliyun' } },
  }
  const take = async (database: Database, rows: string, more: Partial<ImportOptions> = {}) =>
    await importContacts(database, file('a.csv', HEADER + rows), options({ workspace: china, ...more }))

  it('links persons, in the first file and in later ones', async () => {
    const database = await freshDatabase()
    await take(
      database,
      'a,,138 0013 8000\nb,,+86 138-0013-8000\nc,,008613800138000\nd,,8613800138000\ne,,13900139000\nf,,+4413800138000\n',
      { chunk: 2 },
    )
    expect(await persons(database)).toEqual(['a b c d', 'e', 'f'])
    await take(database, 'g,,+8613900139000\nh,,0139 0013 9000\n')
    expect(await persons(database)).toEqual(['a b c d', 'e g h', 'f'])
    // Written anew it is the same, and another is another.
    expect(await take(database, 'e,,8613900139000\nh,,13700137000\n')).toMatchObject({ updated: 2 })
    expect(await persons(database)).toEqual(['a b c d', 'e g', 'f', 'h'])
    await take(database, 'h,,\ni,,+86 137 0013 7000\n')
    expect(await persons(database)).toEqual(['a b c d', 'e g', 'f', 'h', 'i'])
    // One that too many share, however they write it, links nobody.
    await take(database, 'j,,+8613900139000\nk,,13900139000\nl,,8613900139000\n')
    expect(await persons(database)).toEqual(['a b c d', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l'])
  })

  it('links persons once its country is known, and no more where it may be of two', async () => {
    const database = await freshDatabase()
    let merged = 0
    const hooks: Hooks = {
      onMerged: async (tx) => {
        merged += await execute(tx, sql`SELECT FROM merged_persons`)
      },
    }
    await take(database, 'a,,13800138000\nb,,+8613800138000\nc,,13800138000\n', { workspace })
    expect(await persons(database)).toEqual(['a c', 'b'])
    await take(database, 'd,,\n', { hooks })
    expect([await persons(database), merged]).toEqual([['a b c', 'd'], 1])
    const both = { ...workspace, channels: { ...china.channels, callback: { country: '49' } } }
    await take(database, 'd,,\n', { workspace: both })
    expect(await persons(database)).toEqual(['a c', 'b', 'd'])
  })
})
