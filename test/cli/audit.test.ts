import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import { sql } from 'drizzle-orm'
import { beforeAll, expect, test } from 'vitest'
import { CHANGES, withAudit } from '../../src/cli/changes.ts'
import { operator } from '../../src/cli/operator.ts'
import { verbOf } from '../../src/cli/program.ts'
import { type Database, rows } from '../../src/database/connect.ts'
import { WinbackError } from '../../src/errors.ts'
import { AUDIT_WORDS, aboutText, detailText } from '../../src/web/pages/audit-words.ts'
import { type CliShop, openCliShop, run, verbs } from './command.ts'

// Whatever is changed at the terminal stands in the audit, by the account of who typed it.

let database: Database
let here: CliShop['here']

beforeAll(async () => {
  ;({ database, here } = await openCliShop())
  await writeFile(
    join(here.cwd, 'people.csv'),
    'external_id,email,signed_up_at,status\nann-7,ann@example.com,2026-01-01,active\n',
  )
})

const leaves = (command: Command): Command[] =>
  command.commands.length === 0 ? [command] : command.commands.flatMap(leaves)

test('every verb says whether it changes anything, and every action has words in both languages', () => {
  const names = verbs
    .flatMap((verb) => verb(async () => {}))
    .flatMap(leaves)
    .map((leaf) => (leaf.parent ? `${leaf.parent.name()} ${leaf.name()}` : leaf.name()))
  expect(names.filter((name) => !(name in CHANGES))).toEqual([])
  expect(Object.keys(CHANGES).filter((name) => !names.includes(name))).toEqual([])
  const asked = { args: ['x', 'y'], options: { to: ['a'], refit: true, give: 'sms' } }
  const changes = Object.entries(CHANGES).flatMap(([verb, read]) => read?.({ verb, ...asked }) ?? [])
  const actions = changes.map(({ action }) => action)
  expect(actions.filter((action) => AUDIT_WORDS[action] === undefined)).toEqual([])
  const besides = changes.flatMap(({ detail }) => Object.keys(detail ?? {}))
  expect(besides.length).toBeGreaterThan(8)
  expect(besides.filter((name) => detailText({ [name]: 1 }, 'zh-CN') === `${name}：1`)).toEqual([])
})

test('what an entry says besides is said in Chinese, codes too; what somebody wrote stays as it is', () => {
  const said = (detail: Record<string, unknown>) => detailText(detail, 'zh-CN')
  expect(said({ outcome: 'call_back', full: true })).toBe('结果：约定再打，全部重读：是')
  expect(said({ decision: 'withdrawn', kind: 'phone', role: 'agent' })).toBe(
    '决定：撤回，类别：手机，角色：客服',
  )
  expect(said({ reason: 'given', scopes: ['read'] })).toBe('原因：given，权限：read')
  expect(said({ kind: 'suppressions', campaigns: ['spring', 'autumn'], failed: 'config.invalid' })).toBe(
    '类别：禁发地址，活动：spring、autumn，失败：config.invalid',
  )
  expect(detailText({ campaigns: [], scopes: ['read', 'send'] }, 'en')).toBe(
    'campaigns none, scopes read · send',
  )
  expect(detailText({ outcome: 'call_back', full: true }, 'en')).toBe('outcome call_back, full true')
})

test('what an entry is about is said in Chinese, whatever a verb was told', () => {
  const about = (verb: string, args: unknown[], options = {}) =>
    aboutText(CHANGES[verb]?.({ verb, args, options })?.about ?? null, 'zh-CN')
  expect(about('pause', ['spring'])).toBe('活动 spring')
  expect(about('pause', [], { channel: 'email' })).toBe('渠道 email')
  expect(about('pause', [], { all: true })).toBe('全部')
  expect(about('users disable', ['Ada'])).toBe('用户 ada')
})

test('an apply says what was applied: one by its name, several by theirs, and all where none was named', () => {
  const applied = (...campaigns: string[]) =>
    CHANGES.apply?.({ verb: 'apply', args: [campaigns], options: { plan: 'abc' } })
  expect(applied()).toEqual({ action: 'campaign.apply', about: 'everything', detail: { plan: 'abc' } })
  expect(applied('spring')).toMatchObject({ about: 'campaign spring' })
  expect(applied('spring', 'autumn')).toEqual({
    action: 'campaign.apply',
    detail: { campaigns: ['spring', 'autumn'] },
  })
})

test('a command under another is named with it', () => {
  const [apiKeys] = verbs.flatMap((verb) => verb(async () => {})).filter((each) => each.name() === 'api-keys')
  expect(apiKeys && verbOf(apiKeys)).toBe('api-keys')
})

test('what changes something leaves an entry, what only looks leaves none, and no entry names a person', async () => {
  for (const args of [
    ['import', 'contacts', 'people.csv'],
    ['validate'],
    ['plan'],
    ['apply', 'graded-recall'],
    ['explain', 'ann-7'],
    ['run', 'graded-recall', '--dry-run'],
    ['run', 'graded-recall'],
    ['pause', 'graded-recall', '--reason', 'wrong price'],
    ['resume', 'graded-recall'],
    ['pause', '--channel', 'email'],
    ['resume', '--channel', 'email'],
    ['rollback', 'graded-recall', '--list'],
    ['consent', 'ann-7'],
    ['consent', 'ann-7', '--withdraw', 'email'],
    ['export', 'ann-7'],
    ['annotate', 'a sale'],
    ['annotate'],
    ['api-keys', 'create', 'shop', '--scope', 'read'],
    ['api-keys', 'list'],
    ['users', 'add', 'bo', '--role', 'admin'],
    ['users', 'add', 'ada', '--role', 'viewer'],
    ['users', 'role', 'ada', '--role', 'agent'],
    ['users', 'disable', 'ada'],
    ['signing-keys', 'rotate'],
    ['signals', '--refresh'],
    ['erase', 'ann-7', '--yes'],
    ['stop', 'graded-recall', '--yes'],
    // Refused for how it was asked for, or about nobody: nothing was done.
    ['erase', 'ann-7', '--yes'],
    ['pause', 'nothing-of-the-name'],
  ]) {
    const ran = await run(args, here)
    if (ran.code !== 0 && args[0] !== 'pause' && args[0] !== 'erase') expect(ran.stderr).toBe('')
  }
  const entries = await rows<{ entry: string; actor: string; via: string; all: string }>(
    database,
    sql`SELECT concat_ws(' ', action, about) AS entry, actor, via, audit::text AS all FROM audit ORDER BY audit_id`,
  )
  expect(entries.map(({ entry }) => entry.replace(/contact \d+/, 'contact N'))).toEqual([
    'data.import',
    'campaign.apply campaign graded-recall',
    'campaign.run campaign graded-recall',
    'switch.pause campaign graded-recall',
    'switch.resume campaign graded-recall',
    'switch.pause channel email',
    'switch.resume channel email',
    'contact.consent contact N',
    'contact.export contact N',
    'annotation.add',
    'key.create',
    'user.add user bo',
    'user.add user ada',
    'user.role user ada',
    'user.disable user ada',
    'signing_key.rotate',
    'signals.refresh',
    'contact.erase contact N',
    'switch.stop campaign graded-recall',
  ])
  expect(new Set(entries.map(({ actor, via }) => `${actor} ${via}`))).toEqual(new Set([`${operator()} cli`]))
  expect(entries.filter(({ all }) => /ann-7|ann@/i.test(all))).toEqual([])
})

test('the entry is there before the work: whoever kills a verb on the way leaves it behind', async () => {
  const asked = { verb: 'signing-keys rotate', args: [], options: {} }
  const count = async () => (await rows(database, sql`SELECT FROM audit`)).length
  const before = await count()
  const clock = { now: () => new Date() }
  await expect(
    withAudit(database, { asked, clock }, async () => {
      expect(await count()).toBe(before + 1)
      throw new WinbackError('database.unreachable', 'gone')
    }),
  ).rejects.toThrow('gone')
  const [last] = await rows<{ detail: unknown }>(
    database,
    sql`SELECT detail FROM audit ORDER BY audit_id DESC LIMIT 1`,
  )
  expect(last?.detail).toEqual({ failed: 'database.unreachable' })
})
