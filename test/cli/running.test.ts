import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { beforeAll, expect, test } from 'vitest'
import { draw } from '../../src/audience/holdout.ts'
import type { RunResult } from '../../src/audience/run.ts'
import { openOutput } from '../../src/cli/output.ts'
import { narrate } from '../../src/cli/verbs/narration.ts'
import { confirmStop } from '../../src/cli/verbs/switches.ts'
import { systemClock } from '../../src/clock.ts'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import { WinbackError } from '../../src/errors.ts'
import { speechOf } from '../../src/reports/words.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { freshDatabase } from '../support/database.ts'
import { zoneAtNoon } from '../support/noon.ts'
import { startSmtp } from '../support/smtp.ts'
import { type CliShop, openCliShop, run } from './command.ts'

// What a newcomer is told of runs: before, while and after, and what keeps one back.

let directory: string
let database: Database
let here: CliShop['here']

beforeAll(async () => {
  ;({ directory, database, here } = await openCliShop())
  const file = join(here.cwd, 'campaigns/graded-recall.yaml')
  // A window that is shut for the next hours, whenever this runs.
  const hour = (new Date().getUTCHours() + 3) % 24
  const shut = `${String(hour === 23 ? 0 : hour).padStart(2, '0')}:00-${String(hour === 23 ? 1 : hour + 1).padStart(2, '0')}:00`
  const text = (await readFile(file, 'utf8')).replace('default: 09:00-21:00', `default: ${shut}`)
  await writeFile(
    file,
    text
      .replace('spread: 2h', 'spread: 0h')
      // Its first step by what everybody here has: an address.
      .replace(/id: remind, .*? }/, 'id: remind, channel: email, template: come-back }'),
  )
})

test('an empty database: plan says to import first, and that a run would be refused', async () => {
  const { code, stdout } = await run(['plan', '--locale', 'en'], here)
  expect(code).toBe(0)
  expect(stdout).toContain('There are no contacts yet. Run `winback import contacts FILE`')
  expect(stdout).toContain('The feed check refuses a run: no activity has ever arrived.')
  expect(stdout).not.toContain('nobody is held out')
})

test('a dry run of what would be refused says so, and exits like the run', async () => {
  expect((await run(['apply'], here)).code).toBe(0)
  const dry = await run(['run', '--dry-run'], here)
  expect(dry.code).toBe(4)
  expect(dry.stdout).toContain('The feed check refuses a run: no activity has ever arrived.')
  expect(await rows(database, sql`SELECT FROM runs`)).toHaveLength(0)
  const real = await run(['run', '--as-of', '2026-01-05', '--locale', 'zh-CN'], here)
  expect(real.code).toBe(4)
  expect(real.stdout).toContain('graded-recall  被拒绝')
})

test('a report over a time that ends before it begins is refused', async () => {
  for (const report of [[], ['monday']]) {
    const { code, stderr } = await run(
      ['report', ...report, '--from', '2026-02-01', '--to', '2026-01-01'],
      here,
    )
    expect(code).toBe(2)
    expect(stderr).toContain('--to must be later than --from')
  }
})

test('a report by days that is asked about hours of one is refused: it showed that nobody was taken in', async () => {
  const hours = ['--from', '2026-01-05T09:00Z', '--to', '2026-01-05T18:00Z']
  const { code, stderr } = await run(['report', 'funnel', ...hours, '--locale', 'en'], here)
  expect(code).toBe(2)
  expect(stderr).toContain('this report counts whole days of UTC')
  expect(stderr).toContain('--from 2026-01-05 --to 2026-01-06')
  expect((await run(['report', ...hours], here)).code).toBe(0)
})

test('a day that a report is asked about is that very day east and west of Greenwich, as it is for the API', async () => {
  const text = await readFile(join(here.cwd, 'winback.yaml'), 'utf8')
  for (const zone of ['Asia/Shanghai', 'America/New_York']) {
    await writeFile(join(here.cwd, 'there.yaml'), text.replace('timezone: UTC', `timezone: ${zone}`))
    const january = ['--from', '2026-01-01', '--to', '2026-02-01', '--workspace', 'there.yaml']
    const { stdout } = await run(['report', 'monday', ...january, '--json'], here)
    const { campaigns } = JSON.parse(stdout) as { campaigns: { data: { range: unknown } }[] }
    expect(campaigns[0]?.data.range).toMatchObject({ from: '2026-01-01', to: '2026-02-01' })
    const told = await run(['report', 'monday', ...january, '--locale', 'en'], here)
    expect(told.stdout).toContain('assigned Jan 1, 2026 – Jan 31, 2026')
  }
})

test('a run as of a day to come is refused before anything is written: it would end what is not over', async () => {
  const early = await run(['run', '--as-of', '2126-01-05'], here)
  expect(early.code).toBe(2)
  expect(early.stderr).toContain('--as-of lies in the future')
  expect(early.stderr).toContain('--dry-run')
})

test('a run says what waits and until when; answers and their sentences stand apart', async () => {
  const day = (ago: number) => new Date(Date.now() - ago * 86_400_000).toISOString()
  await writeFile(
    join(here.cwd, 'people.csv'),
    `external_id,email,status\nc1,c1@example.com,active\nc2,c2@example.com,active\nc3,c3@example.com,\n`,
  )
  await writeFile(
    join(here.cwd, 'seen.csv'),
    `external_id,type,occurred_at\nc1,session,${day(4)}\nc2,session,${day(0.1)}\nc3,session,${day(5)}\n`,
  )
  await run(['import', 'contacts', 'people.csv'], here)
  await run(['import', 'activity', 'seen.csv'], here)
  // A salt that draws c1 among the contacted.
  const [c1] = await rows<{ person: number }>(
    database,
    sql`SELECT person_id AS person FROM contacts WHERE external_id = 'c1'`,
  )
  const salt = ['a', 'b', 'c', 'd', 'e'].find((each) => draw(each, 'arm', c1?.person ?? 0, 1) >= 0.1)
  await execute(database, sql`UPDATE campaigns SET salt = ${salt}`)

  await run(['pause', 'graded-recall', '--reason', 'wrong price'], here)
  const paused = await run(['run', '--dry-run'], here)
  expect(paused.code).toBe(0)
  expect(paused.stdout).toContain('the campaign is paused: wrong price.')
  expect((await run(['plan', '--locale', 'zh-CN'], here)).stdout).toContain(
    '不纳入任何人：本活动已暂停（wrong price）',
  )
  await run(['resume', 'graded-recall'], here)

  const preview = await run(['preview', 'graded-recall', 'remind', '--contact', 'c2'], here)
  expect(preview.stdout).toContain('silent for 2 hours; the first tier begins at 3 days')
  expect(preview.stdout).toContain('Were it due, this step would be sent by e-mail.')
  const variant = (...args: string[]) =>
    run(['preview', 'graded-recall', 'trial', '--contact', 'c2', '--json', ...args], here)
  const shown = async (...args: string[]) =>
    (JSON.parse((await variant(...args)).stdout) as { variant: string; subject: string | null }).variant
  expect([await shown('--variant', 'plain'), await shown('--variant', 'story')]).toEqual(['plain', 'story'])
  expect(['plain', 'story']).toContain(await shown())
  const unknown = await variant('--variant', 'stroy')
  expect(unknown.code).toBe(2)
  expect(unknown.stderr).toContain('Did you mean story?')

  const done = await run(['run'], here)
  expect(done.code).toBe(0)
  expect(done.stdout).toMatch(/1 {2}audience_unknown {2}a fact the audience/)
  const [open] = await rows<{ arm: string }>(database, sql`SELECT arm FROM episodes`)
  expect(open?.arm).toBe('treated')
  expect(done.stdout).toMatch(
    /Messages: 1 deferred to a later time\n {2}1 waits for the hours in which the channel may send, from .*:00 \(UTC\)/,
  )
  const story = await run(['explain', 'c1', '--locale', 'en'], here)
  expect(story.stdout.replaceAll(/\s+/g, ' ')).toContain(
    'deferred to a later time: waits for the hours in which the channel may send, due',
  )
  expect(story.stdout).toMatch(/graded-recall: 1 run looked/)
  const taken = await run(['preview', 'graded-recall', 'letter', '--contact', 'c1'], here)
  expect(taken.stdout).toContain(
    'in tier coupon, in the group that is contacted. This step belongs to the later',
  )
  await execute(database, sql`UPDATE episodes SET arm = 'holdout'`)
  const held = await run(['preview', 'graded-recall', 'remind', '--contact', 'c1'], here)
  expect(held.stdout).toContain('Held out: not contacted')
  expect(held.stdout).not.toContain('This step would be sent')
  // No channel of this step is set up: there is no message, and so no page.
  const pageless = ['preview', 'graded-recall', 'nudge', '--contact', 'c1', '--out', 'nudge.html']
  expect((await run(pageless, here)).stdout).toContain('There is no page to write into nudge.html.')
  expect(JSON.parse((await run([...pageless, '--json'], here)).stdout)).not.toHaveProperty('out')
})

test.each<readonly [out: string, code: number, why: string]>([
  ['no/such.html', 1, 'there is no such folder'],
  ['.', 1, 'it is a folder'],
  ...(existsSync('/dev/full') ? ([['/dev/full', 3, 'the disk is full']] as const) : []),
])('a page that cannot be written says why, and is no defect: %s', async (out, code, why) => {
  const failed = await run(['preview', 'graded-recall', 'letter', '--contact', 'c1', '--out', out], here)
  expect(failed).toMatchObject({ code, stderr: expect.stringContaining(`cannot be written: ${why}`) })
  expect(failed.stderr).not.toContain('defect')
})

test.runIf(existsSync('/proc/self'))('a folder that cannot be made says why, and ends', async () => {
  const failed = await run(['init', '/proc/no/such'], here)
  expect(failed).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('nothing can be written to /proc'),
  })
})

test('a digest that cannot be saved says why', async () => {
  const failed = await run(['digest', '--save', 'winback.yaml'], here)
  expect(failed).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('a file is in the way of a folder'),
  })
})

test('test-send sends the variant that is asked for, to the tester alone', async () => {
  await execute(
    database,
    sql`UPDATE contacts SET attributes = attributes || '{"first_name": "Wei"}' WHERE external_id = 'c2'`,
  )
  const server = await startSmtp()
  const file = join(here.cwd, 'winback.yaml')
  const before = await readFile(file, 'utf8')
  await writeFile(
    file,
    before
      .replace(/host: "?localhost"?\n/, `host: ${server.host}\n`)
      .replace(/port: 1025/, `port: ${server.port}`),
  )
  try {
    const send = (variant: string) =>
      run(
        ['test-send', 'graded-recall', 'trial', '--to', 'me@example.com', '--contact', 'c2'].concat([
          '--locale',
          'en',
          '--variant',
          variant,
        ]),
        here,
      )
    expect(await send('plain')).toMatchObject({ code: 0 })
    expect(await send('story')).toMatchObject({ code: 0 })
    expect(await send('stroy')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Did you mean story?'),
    })
    expect(server.messages.map(({ to }) => to)).toEqual([['me@example.com'], ['me@example.com']])
    const subjects = await Promise.all(server.messages.map(async (mail) => (await mail.parse()).subject))
    expect(subjects).toEqual([
      expect.stringMatching(/days of membership, with our compliments$/),
      expect.stringMatching(/days as a member, told in advance$/),
    ])
    expect(await rows(database, sql`SELECT FROM touchpoint_records`)).toHaveLength(0)
    expect(await rows(database, sql`SELECT FROM grants`)).toHaveLength(0)
  } finally {
    await writeFile(file, before)
    await server.stop()
  }
})

test('an unknown locale names the two languages there are', async () => {
  for (const args of [['plan'], ['report'], ['explain', 'c1']]) {
    const { code, stderr } = await run([...args, '--locale', 'klingon'], here)
    expect(code).toBe(2)
    expect(stderr).toContain('--locale en or --locale zh-CN')
  }
})

test('who switches, notes and gives access is answered in Chinese, too', async () => {
  const key = await run(['api-keys', 'create', '店铺', '--scope', 'read', '--json'], here)
  const { keyId } = JSON.parse(key.stdout)
  // What stays: names, roles and scopes as they are typed, commands, addresses.
  const named =
    /`[^`]*`|（(viewer|agent|admin|sms)）|\S*@\S*|https?:\S+|graded-recall|web\.url|winback\.yaml|\bread\b|c1\b/g
  for (const [args, says] of [
    [['pause', 'graded-recall', '--reason', '价格有误'], '已暂停活动'],
    [['pause', 'graded-recall'], '此前已暂停'],
    [['pause', '--channel', 'email', '--reason', '检修'], '已暂停渠道'],
    [['resume', 'graded-recall'], '仍处于暂停'],
    [['resume', '--channel', 'email'], '已恢复渠道'],
    [['resume', '--all'], '并未暂停'],
    [['annotate'], '还没有标注'],
    [['annotate', '双十一', '--on', '2026-11-09', '--to', '2026-11-11'], '至 2026-11-11'],
    [['users', 'list'], '还没有用户'],
    [['users', 'add', '王', '--role', 'admin'], '管理员'],
    [['users', 'add', '李', '--role', 'viewer'], '设置密码请打开'],
    [['users', 'role', '李', '--role', 'agent'], '客服'],
    [['users', 'link', '李'], '一周内有效'],
    [['users', 'disable', '李'], '已在各处退出登录'],
    [['users', 'list'], '已停用'],
    [['users', 'enable', '李'], '可以重新登录'],
    [['api-keys', 'list'], '从未'],
    [['api-keys', 'revoke', keyId], '已吊销'],
    [['signing-keys', 'rotate'], '签名'],
    [['signing-keys', 'list'], '仍可验证旧链接'],
    [['signing-keys', 'retire', '1'], '不再有效'],
    [['consent', 'c1'], '没有任何同意或撤回记录'],
    [['consent', 'c1', '--withdraw', 'email', '--source', '电话'], '撤回'],
    [['sync'], '没有可同步的内容'],
  ] as const) {
    const { code, stdout } = await run([...args, '--locale', 'zh-CN'], here)
    expect({ code, stdout }, args.join(' ')).toEqual({ code: 0, stdout: expect.stringContaining(says) })
    if (args[0] === 'sync') continue
    const rest = stdout.replaceAll(keyId, '').replaceAll('email', '').replaceAll(named, '')
    expect(rest, args.join(' ')).not.toMatch(/[A-Za-z]{2}/)
  }
})

test('a stop says whom it concerns and wants to be meant', async () => {
  const { code, stderr } = await run(['stop', 'graded-recall'], here)
  expect(code).toBe(2)
  expect(stderr).toMatch(
    /no way back: \d+ (person|people) would be contacted no more, \d planned messages? cancelled/,
  )
  expect(stderr).toContain('--yes')
  expect(await rows(database, sql`SELECT FROM switches`)).toHaveLength(0)

  const concerned = { people: 2, messages: 3 }
  const asked: string[] = []
  const [english, chinese] = [speechOf({ locale: 'en' }), speechOf({ locale: 'zh-CN' })]
  const answer = (text: string) => async (question: string) => {
    asked.push(question)
    return text
  }
  await confirmStop('graded-recall', concerned, false, answer(' graded-recall\n'), english)
  expect(asked[0]).toContain('2 people would be contacted no more, 3 planned messages cancelled')
  await confirmStop('graded-recall', concerned, false, answer('graded-recall'), chinese)
  expect(asked[1]).toContain('2 人将不再触达，3 条已计划的消息将取消')
  await expect(confirmStop('graded-recall', concerned, false, answer('y'), english)).rejects.toThrow(
    WinbackError,
  )

  expect((await run(['stop', 'graded-recall', '--yes'], here)).code).toBe(0)
  // What is stopped is not asked about again.
  expect((await run(['stop', 'graded-recall'], here)).stdout).toContain('was stopped already')
})

test('a campaign that is held back is told of once, and again when that changes', () => {
  let said = ''
  const stderr = {
    write: (text: string) => {
      said += text
    },
  }
  const output = openOutput({ json: false, noColor: true, stdout: { write: () => {} }, stderr })
  const events = narrate({ clock: systemClock, output }, speechOf({ locale: 'en' }))
  const nothing = { runId: 0, considered: 0, answers: {}, advanced: 0, ended: 0 }
  const held: RunResult = { ...nothing, state: 'paused', note: 'the campaign is paused: price' }
  for (let minute = 0; minute < 3; minute += 1) events.onRun('autumn', new Date(0), held)
  expect(said.match(/autumn does not run: the campaign is paused: price/g)).toHaveLength(1)
  events.onRun('autumn', new Date(0), { ...held, state: 'over', note: 'ended 2026-01-01' })
  expect(said).toContain('autumn does not run: ended 2026-01-01')
  events.onRun('autumn', new Date(0), { ...nothing, runId: 7, state: 'done', note: null })
  events.onRun('autumn', new Date(0), held)
  expect(said.match(/is paused: price/g)).toHaveLength(2)
  events.onRefused?.({ unknown_code: 2 })
  expect(said).toContain('redemptions refused: 2 unknown_code')
})

test('a run by hand keeps to the rates of the channels, and leaves what a day’s number holds back', async () => {
  const own = await freshDatabase()
  const shop = { cwd: join(directory, 'warm'), env: { DATABASE_URL: own.url } }
  for (const folder of ['campaigns', 'templates']) await mkdir(join(shop.cwd, folder), { recursive: true })
  await writeFile(
    join(shop.cwd, 'winback.yaml'),
    `version: 1
name: Warm
timezone: ${zoneAtNoon().zone}
currency: CNY
locales: [en]
control: 0%
channels: { log: {} }
rates: { log: { at_most: 2 per 2s, warm_up: { starts: 2026-01-01, from: 3, to: 3, over: 9000d } } }
`,
  )
  await writeFile(
    join(shop.cwd, 'campaigns/back.yaml'),
    `version: 1
campaign: back
title: Back
schedule: "0 9 * * *"
goals: { recall: { event: session } }
window: 30d
holdout: 0%
tiers: [{ name: only, inactive: 3d.., steps: [{ id: one, channel: log }] }]
`,
  )
  const ago = new Date(Date.now() - 4 * 86_400_000).toISOString()
  const people = [1, 2, 3, 4, 5].map((at) => `w${at}`)
  await writeFile(
    join(shop.cwd, 'people.csv'),
    `external_id,signed_up_at\n${people.map((id) => `${id},${ago}\n`).join('')}`,
  )
  await writeFile(
    join(shop.cwd, 'seen.csv'),
    `external_id,type,occurred_at\nw0,session,${new Date(Date.now() - 3_600_000).toISOString()}\n${people.map((id) => `${id},session,${ago}\n`).join('')}`,
  )
  for (const verb of [['apply'], ['import', 'contacts', 'people.csv'], ['import', 'activity', 'seen.csv']]) {
    expect(await run(verb, shop)).toMatchObject({ code: 0 })
  }
  // Two at once, another when two seconds have passed; the other two when the day has.
  const done = await run(['run', '--json'], shop)
  expect(JSON.parse(done.stdout)).toMatchObject({
    settled: { sent: 3 },
    waiting: [{ why: 'rate_limit', touchpoints: 2 }],
  })
  // What a run left behind that was killed is taken up by the next: nobody else may be there to sweep.
  await execute(
    own,
    sql`INSERT INTO budget_holds (claim_id, campaign, kind, contact_ids, touchpoint_ids, amounts, amount)
        VALUES (gen_random_uuid(), 'graded-recall', 'spend', '{}', '{}', '{}', 7)`,
  )
  expect(JSON.parse((await run(['run', '--json'], shop)).stdout)).toMatchObject({ settled: {} })
  expect(await rows(own, sql`SELECT FROM budget_holds`)).toEqual([])
  const told = await run(['run', '--locale', 'en'], shop)
  expect(told.stdout).toContain('2 are due and wait for the provider’s rate or the warm-up')
})

test('plan and apply name seeds that are nobody', async () => {
  const file = join(here.cwd, 'campaigns', 'seeded.yaml')
  const campaign = oneTierCampaign('seeded', ['{ id: hello, channel: log }'])
  await writeFile(file, `${campaign}\nseeds: [c1, c-one]\n`)
  for (const verb of ['plan', 'apply']) {
    const { code, stderr } = await run([verb, 'seeded'], here)
    expect(code).toBe(0)
    expect(stderr).toContain('seeds: no contact has the id c-one, so')
  }
  await rm(file)
})
