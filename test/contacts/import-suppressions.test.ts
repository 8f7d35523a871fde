import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { addressHash } from '../../src/contacts/addresses.ts'
import { importContacts, importSuppressions } from '../../src/contacts/import.ts'
import { type Database, rows } from '../../src/database/connect.ts'
import { settingsOf } from '../../src/database/migrate.ts'
import { hasPartialNumbers } from '../../src/database/partial-numbers.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { file, options, workspace } from './files.ts'

it('keeps hashes of addresses, the first reason of each, and tells the hook what is new', async () => {
  const database = await emptiedDatabase()
  const { addressKey } = await settingsOf(database)
  const path = file(
    's.csv',
    `email,phone,reason,suppressed_at
ann@example.com,,unsubscribe,2026-01-03
Ann@Example.com,,complaint,2026-01-02
,+86 138 0013 8000,,
nobody,,,
x@example.com,,unsubscribe,yesterday
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
  expect(kept.slice(0, 1)).toEqual([
    {
      kind: 'email',
      key: addressHash(addressKey, 'email', 'ann@example.com'),
      reason: 'complaint',
      source: 'import of s.csv',
      suppressed_at: new Date('2026-01-02T00:00:00Z'),
    },
  ])
  // A number in both of its spellings, where no channel says which country those without one are of.
  const rest = {
    reason: 'manual',
    source: 'import of s.csv',
    suppressed_at: new Date('2026-03-01T00:00:00Z'),
  }
  expect(kept.slice(1)).toHaveLength(2)
  for (const written of ['+8613800138000', '8613800138000']) {
    const key = addressHash(addressKey, 'phone', written)
    expect(kept).toContainEqual({ kind: 'phone', key, ...rest })
  }
  expect(told).toHaveLength(3)
  expect(await importSuppressions(database, path, options({ hooks }))).toMatchObject({
    inserted: 0,
    unchanged: 3,
  })
  expect(told).toHaveLength(3)
})

it('keeps the good address of a row, and tells of the other', async () => {
  const database = await emptiedDatabase()
  const path = file('s.csv', 'email,phone\nnobody,+8613800138000\nann@shop.example,none\nnobody,none\n')
  expect(await importSuppressions(database, path, options())).toMatchObject({
    ...{ inserted: 2, rejected: 1, warnings: 2 },
    reasons: [{ reason: 'email: … is not an address', line: 4 }],
    warningReasons: [
      { reason: 'kept without e-mail: … is not an address', line: 2 },
      { reason: 'kept without phone: … is not a number', line: 3 },
    ],
  })
})

it('takes nobody of whom a list of everybody says that they are subscribed', async () => {
  const database = await emptiedDatabase()
  const path = file(
    's.csv',
    `email,reason
ann@shop.example,subscribed
bob@shop.example,Opted-In
cid@shop.example,unsubscribed
dan@shop.example,Non-Subscribed
`,
  )
  expect(await importSuppressions(database, path, options())).toMatchObject({
    ...{ inserted: 2, rejected: 2, warnings: 1 },
    reasons: [
      {
        ...{ rows: 2, line: 2 },
        reason: 'reason: … is said of whom one may write to; a list of both goes by import consents',
      },
    ],
  })
})

it('takes an address whatever another system calls the reason, and none that is masked', async () => {
  const database = await emptiedDatabase()
  const path = file(
    's.csv',
    `email,reason
ann@shop.example,HARD_BOUNCE
bob@shop.example,SpamComplaint
cid@shop.example,unsubscribed
dan@shop.example,USER_SUPPRESSED
eve@shop.example,550 5.1.1 no such user
f***@shop.example,unsubscribe
`,
  )
  expect(await importSuppressions(database, path, options())).toMatchObject({
    ...{ inserted: 5, rejected: 1, warnings: 1 },
    reasons: [{ reason: 'email: … is masked; export it whole', line: 7 }],
    warningReasons: [
      { reason: 'kept as manual: … is none of hard_bounce, complaint, unsubscribe, manual', line: 6 },
    ],
  })
  const { addressKey } = await settingsOf(database)
  const kept = await rows<{ key: Buffer; reason: string }>(
    database,
    sql`SELECT key, reason FROM suppressions`,
  )
  const reasonOf = (name: string) => {
    const key = addressHash(addressKey, 'email', `${name}@shop.example`)
    return kept.find((each) => each.key.equals(key))?.reason
  }
  expect(['ann', 'bob', 'cid', 'dan', 'eve'].map(reasonOf)).toEqual([
    'hard_bounce',
    'complaint',
    'unsubscribe',
    'manual',
    'manual',
  ])
})

it('silences a contact whose number the list writes differently, and counts numbers once', async () => {
  const database = await emptiedDatabase()
  const sms = { ...workspace, channels: { sms: { provider: 'aliyun' }, callback: { country: '49' } } }
  const given = options({ workspace: sms })
  await importContacts(
    database,
    file('c.csv', 'external_id,phone\na,+8613800138000\nb,13900139000\nc,01701234567\nd,+4915100000000\n'),
    given,
  )
  const list = file('s.csv', 'phone\n13800138000\n0086 138 0013 8000\n8613900139000\n+49 (0)170 1234567\n')
  expect(await importSuppressions(database, list, given)).toMatchObject({ inserted: 3, unchanged: 1 })
  const silenced = await rows<{ id: string }>(
    database,
    sql`SELECT external_id AS id FROM contacts c JOIN suppressions s ON s.key = c.phone_key ORDER BY 1`,
  )
  expect(silenced.map(({ id }) => id)).toEqual(['a', 'b', 'c'])
})

it('takes a number with spaces, of whose row the rest was left away, for no note below a table', async () => {
  const database = await emptiedDatabase()
  const lines = [
    '+86 138 0013 8000',
    '(0170) 123-4567,manual',
    '0170 765 4321',
    'Made by Ann, for all shops',
    'Made by Ann 2/3',
  ]
  const list = file('s.csv', `phone,reason,suppressed_at\n${lines.join('\n')}\n`)
  const german = { ...workspace, channels: { callback: { country: '49' } } }
  expect(await importSuppressions(database, list, options({ workspace: german }))).toMatchObject({
    inserted: 3,
    rejected: 2,
  })
})

it('counts rows, of which one may list two addresses', async () => {
  const database = await emptiedDatabase()
  const list = (name: string, ...lines: string[]) => file(name, `email,phone\n${lines.join('\n')}\n`)
  const both = list('both.csv', 'a@x.example,+8613800138000', 'b@x.example,', 'b@x.example,')
  expect(await importSuppressions(database, both, options())).toMatchObject({
    rows: 3,
    inserted: 2,
    unchanged: 1,
  })
  // Two addresses are new, and one of the rows says nothing that the list has not.
  const known = list('more.csv', 'c@x.example,+8613900139000', 'b@x.example,', 'a@x.example,+8613700137000')
  expect(await importSuppressions(database, known, options())).toMatchObject({
    rows: 3,
    inserted: 2,
    unchanged: 1,
  })
})

it('silences whoever a list named in a way that could not be read before their country was known', async () => {
  const database = await emptiedDatabase()
  const more = 'external_id,phone\na,+8613800138000\nb,13900139000\nc,13700137000\n'
  await importContacts(database, file('c.csv', more), options())
  await importSuppressions(
    database,
    file('s.csv', 'phone,reason\n13800138000,unsubscribe\n+8613900139000,complaint\n'),
    options(),
  )
  const silenced = () =>
    rows<{ id: string; reason: string }>(
      database,
      sql`SELECT external_id AS id, reason FROM contacts c JOIN suppressions s ON s.key = c.phone_key ORDER BY 1`,
    )
  expect(await silenced()).toEqual([])
  let told = 0
  const hooks = {
    onSuppressed: async (tx: Parameters<typeof rows>[0]) => {
      told += (await rows(tx, sql`SELECT FROM new_suppressions JOIN contacts ON phone_key = key`)).length
    },
  }
  const china = { ...workspace, channels: { sms: { provider: 'aliyun' } } }
  const again = () => importContacts(database, file('c.csv', more), options({ workspace: china, hooks }))
  await again()
  expect(await silenced()).toEqual([
    { id: 'a', reason: 'unsubscribe' },
    { id: 'b', reason: 'complaint' },
  ])
  await again()
  expect(told).toBe(2)
})

it('silences a number that two countries could have, where either of them is on the list', async () => {
  const database = await emptiedDatabase()
  const both = { ...workspace, channels: { sms: { provider: 'aliyun' }, callback: { country: '49' } } }
  const given = options({ workspace: both })
  const list = 'phone\n+49 1380 0138000\n+86 139 0013 9000\n13700137000\n'
  // Listed while no country was known: each as it was written, and in no other way.
  await importSuppressions(database, file('s.csv', list), options())
  const lines = ['a,13800138000', 'b,13900139000', 'c,+8613700137000', 'd,+4913700137000', 'e,13600136000']
  await importContacts(database, file('c.csv', `external_id,phone\n${lines.join('\n')}\n`), given)
  const silenced = await rows<{ id: string }>(
    database,
    sql`SELECT external_id AS id FROM contacts c JOIN suppressions s ON s.key = c.phone_key ORDER BY 1`,
  )
  expect(silenced.map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd'])
})

describe('a list that was read before the country of its numbers was known', () => {
  const china = { ...workspace, channels: { sms: { provider: 'aliyun' } } }
  const silenced = (database: Database) =>
    rows<{ id: string; reason: string }>(
      database,
      sql`SELECT external_id AS id, reason FROM contacts c JOIN suppressions s ON s.kind = 'phone' AND s.key = c.phone_key
          ORDER BY 1`,
    )
  const open = async () => {
    const database = await emptiedDatabase()
    const list = 'phone,reason\n13800138000,unsubscribe\n+8613900139000,complaint\n13700137000,manual\n'
    await importSuppressions(database, file('s.csv', list), options())
    return database
  }
  const contacts = 'external_id,phone\na,+8613800138000\nb,13900139000\nc,0086 137 0013 7000\nd,13600136000\n'
  const found = [
    { id: 'a', reason: 'unsubscribe' },
    { id: 'b', reason: 'complaint' },
    { id: 'c', reason: 'manual' },
  ]

  it('holds for the first contacts there are', async () => {
    const database = await open()
    await importContacts(database, file('c.csv', contacts), options({ workspace: china }))
    expect(await silenced(database)).toEqual(found)
  })

  it('holds for contacts that come later, or are given such a number, and skips what waits for them', async () => {
    const database = await open()
    const moving = 'external_id,phone\nx,13500135000\nc,13400134000\n'
    await importContacts(database, file('x.csv', moving), options({ workspace: china }))
    let told = 0
    const hooks = {
      onSuppressed: async (tx: Parameters<typeof rows>[0]) => {
        told += (await rows(tx, sql`SELECT FROM new_suppressions JOIN contacts ON phone_key = key`)).length
      },
    }
    const later = {
      ...options({ workspace: china, hooks }),
      clock: manualClock(new Date('2026-03-01T00:01:00Z')),
    }
    await importContacts(database, file('c.csv', contacts), later)
    expect(await silenced(database)).toEqual(found)
    expect(told).toBe(3)
    await importContacts(database, file('c.csv', contacts), later)
    expect(told).toBe(3)
  })

  it('is the list as it is read now where nothing had been read before', async () => {
    const database = await emptiedDatabase()
    await importSuppressions(database, file('s.csv', 'phone\n13800138000\n'), options({ workspace: china }))
    await importContacts(database, file('c.csv', contacts), options({ workspace: china }))
    expect(await silenced(database)).toEqual([{ id: 'a', reason: 'manual' }])
    expect(await hasPartialNumbers(database)).toBe(false)
  })
})
