import { readFileSync } from 'node:fs'
import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import { grantKey, isOurs, messageKey, named, readInstallation } from '../../src/database/installation.ts'
import { migrate } from '../../src/database/migrate.ts'
import { prepareRehearsal } from '../../src/service/rehearsal.ts'
import { emptyDatabase, freshDatabase } from '../support/database.ts'

// To a provider that recognises repeats by their key, the same number of two databases would be one message.

const forget = (database: Database) =>
  execute(database, sql`DELETE FROM settings WHERE name = 'installation'`)

async function begun(): Promise<Database> {
  const database = await emptyDatabase()
  await migrate(database)
  return database
}

it('has a name of its own in each database, which is kept, and part of every key', async () => {
  const [one, other] = [await begun(), await begun()]
  const installation = await readInstallation(one)
  expect(installation).toEqual({
    name: expect.stringMatching(/^[0-9a-f]{8}$/),
    unnamed: { touchpoint: 0, grant: 0 },
  })
  const { name } = installation
  expect(messageKey(installation, 1)).toBe(`tp-${name}-1`)
  expect(grantKey(installation, 1)).toBe(`grant-${name}-1`)
  expect(named(installation, 1)).toEqual({ installation: name })
  await migrate(one)
  expect(await readInstallation(one)).toEqual(installation)
  const elsewhere = await readInstallation(other)
  expect(messageKey(elsewhere, 1)).not.toBe(messageKey(installation, 1))
  expect(grantKey(elsewhere, 1)).not.toBe(grantKey(installation, 1))
})

it('leaves what was there before it the key of its first try', async () => {
  const database = await freshDatabase()
  await execute(database, sql`SELECT setval('touchpoint_ids', 2500), setval('grant_ids', 300)`)
  await forget(database)
  const migration = readFileSync(new URL('../../migrations/0040_installation.sql', import.meta.url), 'utf8')
  await rows(database, sql.raw(migration))
  const installation = await readInstallation(database)
  const { name } = installation
  expect([2500, 2501].map((id) => messageKey(installation, id))).toEqual(['tp-2500', `tp-${name}-2501`])
  expect([2500, 2501].map((id) => named(installation, id))).toEqual([{}, { installation: name }])
  expect([300, 301].map((id) => grantKey(installation, id))).toEqual(['grant-300', `grant-${name}-301`])
})

it('is drawn anew for a copy that is to live beside the original', async () => {
  const database = await freshDatabase()
  const original = await readInstallation(database)
  await forget(database)
  await expect(readInstallation(database)).rejects.toMatchObject({ code: 'database.not_migrated' })
  await migrate(database)
  const copy = await readInstallation(database)
  expect(copy.name).not.toBe(original.name)
  expect(copy.unnamed).toEqual({ touchpoint: 0, grant: 0 })
})

it('is another in a replay, whose salts are those of the original', async () => {
  const database = await freshDatabase()
  const replay = await prepareRehearsal(database, 'a_replay', new Date('2026-01-01T00:00:00Z'), [])
  try {
    const salts = (of: Database) =>
      rows(of, sql`SELECT name, value FROM settings WHERE name <> 'installation'`)
    expect(await salts(replay)).toEqual(expect.arrayContaining(await salts(database)))
    expect((await readInstallation(replay)).name).not.toBe((await readInstallation(database)).name)
  } finally {
    await replay.close()
  }
})

it('takes reports of its own messages, and of those that were named without it', async () => {
  const installation = await readInstallation(await freshDatabase())
  expect(isOurs(installation, {})).toBe(true)
  expect(isOurs(installation, { installation: installation.name })).toBe(true)
  expect(isOurs(installation, { installation: 'anothers' })).toBe(false)
})
