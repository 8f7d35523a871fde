import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ImportOptions, ImportProgress } from '../../src/contacts/files/file-import.ts'
import type { Hooks } from '../../src/contacts/hooks.ts'
import { importContacts } from '../../src/contacts/import.ts'
import { type Database, execute, rows, transaction } from '../../src/database/connect.ts'
import { freshDatabase } from '../support/database.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { assertPatiently } from '../support/patience.ts'
import { file, options, workspace } from './files.ts'

const indexes = (database: Database) =>
  rows(
    database,
    sql`SELECT indexdef, pg_get_constraintdef(k.oid) AS key FROM pg_indexes
        LEFT JOIN pg_constraint k ON conname = indexname AND connamespace = current_schema()::regnamespace
        WHERE schemaname = current_schema() AND tablename IN ('contacts', 'external_ids', 'contact_activity')
        ORDER BY indexname`,
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
  const database = await emptiedDatabase()
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

it('keeps a key that another table refers to', async () => {
  const database = await emptiedDatabase()
  await execute(database, sql`CREATE TABLE loyalty (contact_id bigint REFERENCES contacts)`)
  const path = file('a.csv', `${HEADER}a,one@example.com,\nb,two@example.com,\n`)
  const before = await indexes(database)
  expect(await importContacts(database, path, options({ chunk: 1 }))).toMatchObject({ inserted: 2 })
  expect(await indexes(database)).toEqual(before)
  await execute(database, sql`DROP TABLE loyalty`)
})

describe('contacts that come again', () => {
  const perhaps = <Value>(...values: Value[]) => fc.constantFrom<Value | '' | null>(...values, '', null)
  /** A row is mostly taken. */
  const seldom = <Value>(usual: fc.Arbitrary<Value>, refused: Value) =>
    fc.oneof({ weight: 15, arbitrary: usual }, { weight: 1, arbitrary: fc.constant(refused) })
  const line = fc.record(
    {
      external_id: seldom(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'), ''),
      email: perhaps('x@example.com', 'y@example.com', 'z@example.com', 'no address'),
      phone: perhaps('+8613800000001', '+8613800000002'),
      locale: perhaps('en'),
      timezone: perhaps('Asia/Shanghai'),
      signed_up_at: seldom(perhaps('2026-01-01', '2026-02-01'), '2027-01-01'),
      first_name: perhaps('Li', 'Wang'),
      points: seldom(perhaps<string | number>(1, 2), 'many'),
      vip: perhaps('true'),
    },
    { requiredKeys: ['external_id'] },
  )
  /** All an import leaves, and says. Of contacts and persons their order: there may be numbers nobody got. */
  const outcome = async (database: Database, path: string, chunk: number, way: 'alone' | 'among others') => {
    await execute(database, sql`TRUNCATE contacts, external_ids, contact_activity, imports`)
    let took = 'among others'
    const onProgress = ({ indexing }: ImportProgress) => {
      if (indexing) took = 'alone'
    }
    const take = () => importContacts(database, path, options({ chunk, onProgress }))
    const { seconds, rejectFile, ...summary } = await (way === 'alone'
      ? take()
      : transaction(database, async (reader) => {
          await execute(reader, sql`SELECT FROM contacts`)
          return await take()
        }))
    expect(took).toBe(way)
    return {
      summary,
      rejects: rejectFile === undefined ? '' : readFileSync(rejectFile, 'utf8'),
      contacts: await rows(
        database,
        sql`SELECT to_jsonb(c) - 'contact_id' - 'person_id' AS contact, x.external_id AS known_as,
              to_jsonb(a) - 'contact_id' AS activity, dense_rank() OVER (ORDER BY c.person_id) AS person
            FROM contacts c FULL JOIN external_ids x USING (contact_id) FULL JOIN contact_activity a USING (contact_id)
            ORDER BY contact_id`,
      ),
      misnamed: await rows(
        database,
        sql`SELECT person_id FROM contacts GROUP BY person_id HAVING person_id <> min(contact_id)`,
      ),
    }
  }

  it('are written over as among others', { timeout: 60_000 }, async () => {
    // Two connections: one for whoever is at work on the contacts, one lane, so that numbers are given in order.
    const database = await freshDatabase({ max: 2 })
    await assertPatiently(
      fc.asyncProperty(
        fc.array(line, { maxLength: 30 }),
        fc.integer({ min: 1, max: 8 }),
        async (list, chunk) => {
          const lines = [{ external_id: 'a' }, ...list]
          const path = file('a.ndjson', lines.map((each) => `${JSON.stringify(each)}\n`).join(''))
          const alone = await outcome(database, path, chunk, 'alone')
          expect(alone).toEqual(await outcome(database, path, chunk, 'among others'))
          expect(alone.misnamed).toEqual([])
        },
      ),
      { numRuns: 60, milliseconds: 30_000 },
    )
  })

  it('leave the file to be written as before', async () => {
    const database = await emptiedDatabase()
    const before = await indexes(database)
    const path = file(
      'a.csv',
      `${HEADER}a,one@example.com,\nb,,\nc,,13800000001\na,two@example.com,\nd,two@example.com,\ne,,\nf,,\ng,,\n`,
    )
    let indexing = 0
    const onProgress = (progress: ImportProgress) => {
      if (progress.indexing) indexing = progress.rows
    }
    expect(await importContacts(database, path, options({ chunk: 2, onProgress }))).toMatchObject({
      rows: 8,
      inserted: 7,
      updated: 1,
    })
    expect(indexing).toBe(8)
    expect(await persons(database)).toEqual(['a d', 'b', 'c', 'e', 'f', 'g'])
    expect(await indexes(database)).toEqual(before)
  })
})

it('does without the tables to itself where somebody is at work on them', async () => {
  const database = await emptiedDatabase()
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
  const database = await emptiedDatabase()
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
    const database = await emptiedDatabase()
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
    const database = await emptiedDatabase()
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
