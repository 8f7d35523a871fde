import { basename } from 'node:path'
import { sql } from 'drizzle-orm'
import { beforeEach, expect, it } from 'vitest'
import { listedKeys } from '../../src/contacts/addresses.ts'
import { allow } from '../../src/contacts/allowances.ts'
import { importAllowances, importContacts, importSuppressions } from '../../src/contacts/import.ts'
import { type Database, execute, rows, transaction } from '../../src/database/connect.ts'
import { aloneLifting, joinVoices } from '../../src/database/listings.ts'
import { settingsOf } from '../../src/database/migrate.ts'
import { suppress } from '../../src/outcomes/do-not-contact.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { untilWaiting } from '../support/waiting.ts'
import { clock, file, options } from './files.ts'

const EMAIL = {
  name: 'email',
  kind: 'email',
  channelsOf: { email: ['email'], phone: [] },
  phoneKeys: () => [],
} as const

let database: Database
let addressKey: string
beforeEach(async () => {
  database = await emptiedDatabase()
  ;({ addressKey } = await settingsOf(database))
})

const keysOf = (address: string) =>
  listedKeys(addressKey, address.includes('@') ? 'email' : 'phone', address, [])

/** As a receipt, an unsubscription or an erasure lists. */
async function say(address: string, reason: string, source: string): Promise<void> {
  const [key] = keysOf(address)
  const entry = sql`SELECT 'email' AS kind, ${key}::bytea AS key, ${reason}::text AS reason, ${source}::text AS source`
  await execute(
    database,
    sql`INSERT INTO suppressions (kind, key, reason, source, suppressed_at)
        SELECT e.*, '2026-01-01' FROM (${entry}) e ON CONFLICT DO NOTHING`,
  )
  await execute(database, joinVoices(entry))
}

const listed = async (address: string) => {
  const [key] = keysOf(address)
  const [entry] = await rows<{ reason: string; source: string }>(
    database,
    sql`SELECT reason, source FROM suppressions WHERE key = ${key}`,
  )
  return entry
}

const list = (name: string, content: string) => importSuppressions(database, file(name, content), options())
const undo = (name: string, content: string, more: Partial<Parameters<typeof importAllowances>[3]> = {}) => {
  const path = file(name, content)
  const rejectFile = `${path}.kept.csv`
  return importAllowances(database, path, options({ rejectFile }), {
    anyImport: false,
    bounced: false,
    dryRun: false,
    ...more,
  })
}

const WRONG = `email,phone
ann@shop.example,
left@shop.example,
later@shop.example,
complained@shop.example,
bounced@shop.example,
erased@shop.example,
other@shop.example,
,+86 138 0013 8000
nobody,
`

async function mistake(): Promise<void> {
  await say('left@shop.example', 'unsubscribe', 'page')
  await say('bounced@shop.example', 'hard_bounce', 'receipt of email')
  await list('optouts.csv', 'email,reason\nother@shop.example,unsubscribe\n')
  await list('wrong.csv', WRONG)
  await say('later@shop.example', 'unsubscribe', 'one-click')
  await say('complained@shop.example', 'complaint', 'receipt of email')
  await say('erased@shop.example', 'erased', 'erasure')
}

it('undoes the import of a wrong file, and nothing that anybody else said before or since', async () => {
  await mistake()
  const dry = await undo('wrong.csv', WRONG, { dryRun: true })
  expect(await listed('ann@shop.example')).toEqual({ reason: 'manual', source: 'import of wrong.csv' })
  const summary = await undo('wrong.csv', WRONG)
  expect({ ...summary, file: '', seconds: 0, rejectFile: '' }).toEqual({
    ...dry,
    ...{ file: '', seconds: 0, rejectFile: '' },
  })
  expect(summary).toMatchObject({ rows: 9, inserted: 2, unchanged: 0, rejected: 7 })
  expect(summary.reasons.map(({ reason, rows }) => `${rows} ${reason}`).toSorted()).toEqual([
    '1 email: … is not an address',
    '1 it stays on the list: it belonged to someone who was erased',
    '1 it stays on the list: it bounced for good, or is a wrong number; see --bounced',
    '1 it stays on the list: they complained about a message',
    '1 it stays on the list: … is another file, and put it there; see --any-import',
    '2 it stays on the list: they unsubscribed themselves',
  ])
  expect(basename(summary.rejectFile ?? '')).toBe('wrong.csv.kept.csv')
  expect(await listed('ann@shop.example')).toBeUndefined()
  // Whatever the file wrote, and whatever spelling a contact has.
  expect(await rows(database, sql`SELECT FROM suppressions WHERE kind = 'phone'`)).toEqual([])
  // What others said stands as if the file had never been: whoever left may take it back by themself.
  expect(await listed('left@shop.example')).toEqual({ reason: 'unsubscribe', source: 'page' })
  expect(await listed('later@shop.example')).toEqual({ reason: 'unsubscribe', source: 'one-click' })
  expect(await listed('erased@shop.example')).toEqual({ reason: 'erased', source: 'erasure' })
  expect(await listed('complained@shop.example')).toEqual({
    reason: 'complaint',
    source: 'receipt of email (complaint)',
  })
  expect(await listed('other@shop.example')).toEqual({
    reason: 'unsubscribe',
    source: 'import of optouts.csv',
  })
  expect(await undo('wrong.csv', 'email\nann@shop.example\n')).toMatchObject({ inserted: 0, unchanged: 1 })
  expect(
    await importContacts(database, file('c.csv', 'external_id,email\na,ann@shop.example\n'), options()),
  ).toMatchObject({ inserted: 1 })
})

it('takes what other files and mailboxes put there where that is asked for, and no more', async () => {
  await mistake()
  const all = 'email\nother@shop.example\nbounced@shop.example\ncomplained@shop.example\nleft@shop.example\n'
  expect(await undo('list.csv', all, { anyImport: true, bounced: true })).toMatchObject({
    inserted: 2,
    rejected: 2,
  })
  for (const gone of ['other', 'bounced']) expect(await listed(`${gone}@shop.example`)).toBeUndefined()
  // Refused at the handover, as that of nobody, counts as bounced.
  const refused = 'email\nrefused@shop.example\n'
  await say('refused@shop.example', 'hard_bounce', 'refused by email')
  expect(await undo('list.csv', refused, { anyImport: true })).toMatchObject({
    inserted: 0,
    reasons: [{ reason: 'it stays on the list: it bounced for good, or is a wrong number; see --bounced' }],
  })
  expect(await undo('list.csv', refused, { bounced: true })).toMatchObject({ inserted: 1 })
  // Bounced, and complained of as well, by the same provider.
  await say('bounced@shop.example', 'hard_bounce', 'receipt of email')
  await say('bounced@shop.example', 'hard_bounce', 'receipt of email')
  await say('bounced@shop.example', 'complaint', 'receipt of email')
  expect(await listed('bounced@shop.example')).toEqual({
    reason: 'hard_bounce',
    source: 'receipt of email; receipt of email (complaint)',
  })
  expect(await undo('list.csv', all, { bounced: true })).toMatchObject({
    inserted: 0,
    unchanged: 1,
    rejected: 3,
  })
})

it('grows by two files at most, however many list an address, and by a person once', async () => {
  for (const day of ['a', 'b', 'c', 'b', 'a']) await list(`${day};1.csv`, 'email\nann@shop.example\n')
  await say('ann@shop.example', 'unsubscribe', 'page')
  await say('ann@shop.example', 'unsubscribe', 'one-click')
  await say('ann@shop.example', 'unsubscribe', 'page')
  expect(await listed('ann@shop.example')).toEqual({
    reason: 'manual',
    source: 'import of a,1.csv; import of b,1.csv; page',
  })
})

it('tells of a row of which one address goes and the other stays', async () => {
  const both = 'email,phone\nann@shop.example,+8613800138000\n'
  await list('wrong.csv', both)
  await say('ann@shop.example', 'unsubscribe', 'page')
  expect(await undo('wrong.csv', both)).toMatchObject({
    ...{ inserted: 1, rejected: 0, warnings: 1 },
    warningReasons: [{ reason: 'it stays on the list: they unsubscribed themselves' }],
  })
})

it.each([
  ['a file lists it', () => list('optouts.csv', 'email\nann@shop.example\n'), 'import of optouts.csv'],
  [
    'they unsubscribe',
    () =>
      transaction(database, (tx) =>
        suppress(tx, clock.now(), EMAIL, {
          source: 'page',
          found: keysOf('ann@shop.example').map((key) => ({ key, reason: 'unsubscribe' })),
        }),
      ),
    'page',
  ],
])('loses nothing of what is said while the address is taken off: %s', async (_, also, source) => {
  await list('wrong.csv', 'email\nann@shop.example\n')
  let beside: Promise<unknown> = Promise.resolve()
  await transaction(database, async (tx) => {
    // As it locks them, before it has decided.
    await aloneLifting(tx)
    await execute(tx, sql`SELECT FROM suppressions FOR UPDATE`)
    beside = also()
    await untilWaiting(database)
    const asked = [{ kind: 'email', keys: keysOf('ann@shop.example') }] as const
    const [became] = await allow(tx, asked, { imports: 'any', bounced: false, dryRun: false })
    expect(became?.became).toBe('lifted')
  })
  await beside
  expect(await listed('ann@shop.example')).toMatchObject({ source })
})
