import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { beforeAll, expect, test } from 'vitest'
import { type Database, execute, rows } from '../../../src/database/connect.ts'
import { type CliShop, openCliShop, run } from '../command.ts'

// A file that was imported as the do-not-contact list by mistake, and what takes it back.

let database: Database
let here: CliShop['here']
const winback = (...args: string[]) => run(args, here)

beforeAll(async () => {
  ;({ database, here } = await openCliShop())
  const people = ['ann', 'bob', 'cid'].map((name) => `${name},${name}@shop.example\n`).join('')
  await writeFile(join(here.cwd, 'customers.csv'), `external_id,email\n${people}`)
  await winback('import', 'contacts', 'customers.csv')
  await winback('import', 'suppressions', 'customers.csv')
  await execute(
    database,
    sql`UPDATE suppressions s SET source = source || '; page' FROM contacts c
        WHERE c.email_key = s.key AND c.external_id = 'bob'`,
  )
})

const audit = () =>
  rows(database, sql`SELECT action, detail FROM audit WHERE action = 'contact.allow' ORDER BY audit_id`)

test('says first what would go, then takes it off, and keeps what its own people said', async () => {
  const dry = await winback('allow', '--file', 'customers.csv', '--dry-run')
  expect(dry.stdout).toContain('2 off the do-not-contact list')
  expect(dry.stdout).toContain('Nothing was changed.')
  expect(await audit()).toEqual([])
  const done = await winback('allow', '--file', 'customers.csv')
  expect(done.code).toBe(0)
  expect(done.stdout).toContain('1 row left alone: see ')
  expect(done.stdout).toContain('1  it stays on the list: they unsubscribed themselves (line 3)')
  expect(await readFile(join(here.cwd, 'customers.csv.kept.csv'), 'utf8')).toBe(
    'line,reason,row\n3,it stays on the list: they unsubscribed themselves,"bob,bob@shop.example"\n',
  )
  expect(await audit()).toEqual([{ action: 'contact.allow', detail: { file: 'customers.csv' } }])
  expect(await rows(database, sql`SELECT reason, source FROM suppressions`)).toEqual([
    { reason: 'unsubscribe', source: 'page' },
  ])
  const again = await winback('allow', '--file', 'customers.csv', '--locale', 'zh-CN')
  expect(again.stdout).toContain('不在名单中 2')
  expect(again.stdout).toContain('仍在名单中：本人已退订')
})

test('takes one address, whichever file put it there, and refuses what is no mistake', async () => {
  await writeFile(join(here.cwd, 'stop.csv'), 'phone,email\n13800138000,\n,li@shop.example\n')
  await winback('import', 'suppressions', 'stop.csv', '--set', 'reason=complaint')
  const dry = await winback('allow', '+86 138 0013 8000', '--dry-run')
  expect(dry.stdout).toContain('would be taken off')
  const one = await winback('allow', '+86 138 0013 8000', '--json')
  expect(JSON.parse(one.stdout)).toEqual({
    ...{ address: '138****8000', became: 'lifted', dryRun: false },
    was: expect.arrayContaining([{ reason: 'complaint', source: 'import of stop.csv' }]),
  })
  const absent = await winback('allow', '13800138000')
  expect(absent).toMatchObject({ code: 0, stdout: '138****8000 is not on the do-not-contact list.\n' })
  const mail = await winback('allow', 'Li@shop.example')
  expect(mail.stdout).toContain('It was there because: complained about a message (import of stop.csv).')
  const kept = await winback('allow', 'bob@shop.example', '--bounced')
  expect(kept.code).toBe(4)
  expect(kept.stderr).toContain('it stays on the do-not-contact list: they unsubscribed themselves')
  expect((await audit()).at(-1)).toEqual({
    action: 'contact.allow',
    detail: { address: 'b***@shop.example', bounced: true, failed: 'refused.listed' },
  })
})

test.each([
  [['allow'], 'one address is wanted'],
  [['allow', 'x@shop.example', '--file', 'stop.csv'], 'one address is wanted'],
  [['allow', 'nobody'], 'is neither an address nor a number'],
])('%j is used wrongly', async (args, words) => {
  const ran = await winback(...args)
  expect(ran.code).toBe(2)
  expect(ran.stderr).toContain(words)
})
