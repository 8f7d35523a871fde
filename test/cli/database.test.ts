import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { beforeAll, expect, test } from 'vitest'
import { CREDITOR } from '../../src/config/waits.ts'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import { recordAbsence } from '../../src/touchpoints/sending/absences.ts'
import { type CliShop, openCliShop, run, startBuilt } from './command.ts'

// The verbs against a real database, in the order a newcomer would go.

let database: Database
let here: CliShop['here']

beforeAll(async () => {
  ;({ database, here } = await openCliShop())
})

async function json(
  args: readonly string[],
): Promise<{ code: number | null; data: unknown; stderr: string }> {
  const { code, stdout, stderr } = await run([...args, '--json'], here)
  return { code, data: JSON.parse(stdout), stderr }
}

test('of an empty workspace, the signals say what to do first', async () => {
  const { code, stdout } = await run(['signals'], here)
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: expect.stringContaining('`winback import contacts FILE`'),
  })
  expect(stdout).not.toContain('Churn')
})

test('without any campaign, a plan says so, in the language that was asked for', async () => {
  const workspace = await readFile(join(here.cwd, 'winback.yaml'), 'utf8')
  await mkdir(join(here.cwd, 'none'))
  await writeFile(join(here.cwd, 'none.yaml'), workspace.replace('campaigns: campaigns', 'campaigns: none'))
  const plan = ['plan', '--workspace', 'none.yaml', '--locale']
  const [english, chinese] = [await run([...plan, 'en'], here), await run([...plan, 'zh-CN'], here)]
  expect(english.stdout).toContain('There is no campaign in none/. Run `winback init`')
  expect(chinese.stdout).toContain('none/ 中没有活动。')
})

test('imports by mapping, keeps the bad rows, and knows a file it has seen', async () => {
  await writeFile(
    join(here.cwd, 'customers.csv'),
    [
      'customer_id;mail;since;status;name',
      'c1;ann@example.com;2026-01-01;active;Ann',
      'c2;ben@example.com;2026-02-30;active;Ben',
      'c3;;2026-01-03;active;Cem',
      '',
    ].join('\n'),
  )
  const args = [
    ...['import', 'contacts', 'customers.csv', '--delimiter', ';', '--reject-file', 'bad.csv'],
    ...['--map', 'external_id=customer_id', '--map', 'email=mail', '--map', 'signed_up_at=since'],
    ...['--map', 'status=status', '--map', 'first_name=name'],
  ]
  const first = await json(args)
  expect(first).toMatchObject({ code: 0, data: { kind: 'contacts', rows: 3, inserted: 2, rejected: 1 } })
  expect(await readFile(join(here.cwd, 'bad.csv'), 'utf8')).toMatch(/3.*2026-02-30/)
  expect(await json(args)).toMatchObject({ code: 0, data: { inserted: 0, updated: 0, unchanged: 2 } })

  const text = await run(args, here)
  expect(text.stdout).toMatch(
    /customers\.csv: 3 rows of contacts in .*\n {2}2 known already\n {2}1 row rejected: see .*bad\.csv\n {4}1 {2}signed_up_at: …/,
  )
})

test('an import of which every row was rejected has failed, and says what it probably is', async () => {
  await writeFile(join(here.cwd, 'quotes.csv'), 'external_id,signed_up_at\nq1,13.05.2026\nq2,14.05.2026\n')
  const { code, data, stderr } = await json(['import', 'contacts', 'quotes.csv'])
  const reason = expect.stringMatching(/^signed_up_at: … is not a date; .*--date-format .*dd\.mm\.yyyy/)
  expect({ code, data }).toMatchObject({
    code: 1,
    data: { rejected: 2, reasons: [{ reason, rows: 2, line: 2 }] },
  })
  expect(stderr).toMatch(/warning: every row was rejected \(2\), nothing came in: probably dates/)
  const chinese = await run(['import', 'contacts', 'quotes.csv', '--locale', 'zh-CN'], here)
  expect(chinese.stdout).toContain('全部 2 行被拒收')
})

test('an import of a file without rows says so: not that nothing in it is new', async () => {
  await writeFile(join(here.cwd, 'header.csv'), 'external_id,email\n')
  const { code, data, stderr } = await json(['import', 'contacts', 'header.csv'])
  expect({ code, data }).toMatchObject({ code: 0, data: { rows: 0 } })
  expect(stderr).toMatch(/warning: .*header\.csv has no rows, so nothing came in: mostly an export that/)
  const chinese = await run(['import', 'contacts', 'header.csv', '--locale', 'zh-CN'], here)
  expect(chinese.stderr).toContain('header.csv 中没有数据行')
})

test('times of a file that name no zone are the workspace’s, or those of --timezone', async () => {
  const text = await readFile(join(here.cwd, 'winback.yaml'), 'utf8')
  expect(text).toContain('timezone: UTC')
  await writeFile(join(here.cwd, 'there.yaml'), text.replace('timezone: UTC', 'timezone: Asia/Shanghai'))
  const signedUp = async (id: string, ...flags: string[]) => {
    await writeFile(join(here.cwd, 'local.csv'), `external_id,signed_up_at\n${id},2026-02-01 08:30\n`)
    const { code } = await json(['import', 'contacts', 'local.csv', '--workspace', 'there.yaml', ...flags])
    const [row] = await rows<{ at: Date }>(
      database,
      sql`SELECT signed_up_at AS at FROM contacts WHERE external_id = ${id}`,
    )
    return { code, at: row?.at.toISOString() }
  }
  expect(await signedUp('local')).toEqual({ code: 0, at: '2026-02-01T00:30:00.000Z' })
  expect(await signedUp('dump', '--timezone', 'UTC')).toEqual({ code: 0, at: '2026-02-01T08:30:00.000Z' })
})

test('reads columns by number, constants and a date format', async () => {
  await writeFile(
    join(here.cwd, 'orders.txt'),
    ' c1 0001 20260201  2   29.33\n c1 0001 20260301  1   10.00\n',
  )
  const { code, data } = await json([
    ...['import', 'activity', 'orders.txt', '--delimiter', 'whitespace', '--no-header'],
    ...['--map', 'external_id=1', '--map', 'occurred_at=3', '--map', 'value=5', '--set', 'type=order'],
    ...['--date-format', 'yyyymmdd'],
  ])
  expect({ code, data }).toMatchObject({ code: 0, data: { rows: 2, inserted: 2, rejected: 0 } })
  const [sums] = await rows<{ count: number; total: number }>(
    database,
    sql`SELECT orders_count AS count, orders_total AS total FROM contact_activity JOIN contacts USING (contact_id)
        WHERE external_id = 'c1'`,
  )
  expect(sums).toEqual({ count: 2, total: 39_330_000 })
  // Who asks what is held about them is not told of micros.
  const held = await json(['export', 'c1'])
  const [first, second] = (held.data as { activity: unknown[] }).activity
  expect([first, second]).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ type: 'order', value: '29.33', currency: 'CNY' }),
      expect.objectContaining({ type: 'order', value: '10.00', currency: 'CNY' }),
    ]),
  )
  const keys = await rows<{ key: string }>(database, sql`SELECT key::text FROM activity ORDER BY key`)
  expect((held.data as { activity: { key: unknown }[] }).activity.map(({ key }) => key).toSorted()).toEqual(
    keys.map(({ key }) => key).toSorted(),
  )
  const { stdout } = await run(['export', 'c1', '--format', 'csv'], here)
  expect(stdout).toContain('contact_activity,1,orders_total,39.33\r\n')
  expect(stdout).toContain('contact_activity,1,currency,CNY')
})

test('takes the mapping from a file, and says where it is wrong', async () => {
  await writeFile(join(here.cwd, 'optouts.ndjson'), '{"address": "ann@example.com"}\n')
  await writeFile(join(here.cwd, 'map.yaml'), 'fields:\n  email: address\nset:\n  reason: unsubscribe\n')
  const args = ['import', 'suppressions', 'optouts.ndjson', '--mapping', 'map.yaml']
  expect(await json(args)).toMatchObject({ code: 0, data: { rows: 1, inserted: 1 } })
  await writeFile(join(here.cwd, 'map.yaml'), 'feilds:\n  email: address\n')
  const wrong = await run(args, here)
  expect(wrong.code).toBe(1)
  expect(wrong.stderr).toMatch(/map\.yaml:1:1 {2}error.*did you mean `fields`\?/)
})

test('a column that is not there stops before anything is read', async () => {
  const { code, stderr } = await run(['import', 'contacts', 'customers.csv', '--map', 'external_id=id'], here)
  expect(code).toBe(1)
  expect(stderr).toContain('the file has no column "id"')
  const missing = await run(['import', 'contacts', 'no-such.csv'], here)
  expect(missing.code).toBe(1)
  expect(missing.stderr).toContain('no-such.csv')
})

test('a verb that wants an applied campaign is used too early where there is none', async () => {
  for (const args of [['run'], ['pause', 'graded-recall'], ['rollback', 'graded-recall']]) {
    const early = await run(args, here)
    expect(early.code, args[0]).toBe(2)
    expect(early.stderr, args[0]).toMatch(/was ever applied\n {2}→ Run `winback apply` first\./)
  }
})

test('applies what was planned, and refuses what was not', async () => {
  const refused = await run(['apply', 'graded-recall', '--plan', '0123456789ab'], here)
  expect(refused.code).toBe(4)
  expect(refused.stderr).toContain('winback plan')
  const first = await json(['apply'])
  expect(first).toMatchObject({ code: 0, data: { campaigns: [{ outcome: 'applied', version: 1 }] } })
  expect(await json(['apply'])).toMatchObject({ data: { campaigns: [{ outcome: 'unchanged', version: 1 }] } })
  const unknown = await run(['apply', 'graded-recal'], here)
  expect(unknown.code).toBe(2)
  expect(unknown.stderr).toContain('Did you mean graded-recall?')
})

test('rolls back by a new version', async () => {
  const file = join(here.cwd, 'campaigns/graded-recall.yaml')
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replace('priority: 50', 'priority: 60'))
  expect(await json(['apply'])).toMatchObject({ data: { campaigns: [{ version: 2, previous: 1 }] } })
  expect(await json(['rollback', 'graded-recall'])).toMatchObject({
    code: 0,
    data: { version: 3, restores: 1 },
  })
  const list = await run(['rollback', 'graded-recall', '--list'], here)
  expect(list.stdout).toMatch(/restores/)
  expect(list.stdout).toMatch(/3 +current +1 [\s\S]*2[\s\S]*1/)
  const again = await run(['rollback', 'graded-recall'], here)
  expect(again.stderr).toContain(
    'nothing before version 1 of graded-recall (the current version 3 restores it)',
  )
  expect(again.stderr).toContain('--to; there are 1, 2, 3')
})

test('pauses, resumes and stops what exists', async () => {
  expect(await json(['pause', 'graded-recall', '--reason', 'wrong price'])).toMatchObject({
    code: 0,
    data: { outcome: 'changed', now: { state: 'paused', reason: 'wrong price' } },
  })
  expect((await run(['pause', 'graded-recal'], here)).stderr).toContain('Did you mean graded-recall?')
  expect((await run(['pause', '--channel', 'fax'], here)).code).toBe(2)
  const nothing = await run(['pause'], here)
  expect(nothing.code).toBe(2)
  expect(nothing.stderr).toContain('→ winback pause --help has the options')
  expect((await run(['pause', 'graded-recall', '--all'], here)).code).toBe(2)
  expect((await run(['pause', '--all'], here)).stdout).toContain('`winback resume --all` lets it go on')
  // The widest first, as everywhere: it must be lifted in any case.
  expect((await run(['doctor'], here)).stdout).toMatch(
    /everything is paused: [\s\S]*campaign graded-recall is paused: /,
  )
  expect((await run(['run', '--dry-run'], here)).stdout).toContain('the workspace is paused: ')
  const resumed = await run(['resume', '--all'], here)
  expect(resumed.stdout).toContain('Still paused: campaign graded-recall (wrong price)')
  expect(await json(['resume', 'graded-recall'])).toMatchObject({
    data: { outcome: 'changed', rested: null },
  })
})

test('what goes wrong is held back where winback.yaml has a mistake, or a secret is not on this machine', async () => {
  const file = join(here.cwd, 'broken.yaml')
  const workspace = await readFile(join(here.cwd, 'winback.yaml'), 'utf8')
  const broken = workspace
    .replace(/^locales:.*$/m, 'locales: none')
    .replace(/^channels:$/m, 'channels:\n  sms:\n    from: ${file:not-on-this-machine}')
  await writeFile(file, broken)
  const there = (...args: string[]) => run(['--workspace', file, ...args], here)
  const paused = await there('pause', '--channel', 'email', '--reason', 'wrong price')
  expect(paused).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('Paused channel email: wrong price'),
  })
  expect(paused.stderr).toMatch(/warning: \d problems in .*broken\.yaml, which `winback validate` names/)
  expect((await there('pause', '--channel', 'fax')).stderr).toContain('no channel "fax"')
  expect(await there('resume', '--channel', 'email')).toMatchObject({ code: 0 })
  expect((await there('plan')).code).toBe(1)
  await writeFile(file, `${broken}\ndatabase: none\n`)
  const lost = await there('pause', '--all')
  expect(lost).toMatchObject({ code: 1, stderr: expect.stringContaining('broken.yaml') })
})

test('a channel that rests is tried at once where it is resumed', async () => {
  await recordAbsence(database, 'email', '535 wrong password', new Date())
  expect((await run(['resume', 'graded-recall'], here)).stdout).not.toContain('rested')
  const { stdout } = await run(['resume', '--channel', 'email'], here)
  expect(stdout).toContain('There was no pause of channel email.')
  expect(stdout).toMatch(/since .* \(535 wrong password\): the next batch tries it now/)
  expect((await run(['resume', '--channel', 'email'], here)).stdout).not.toContain('rested')
  await execute(database, sql`DELETE FROM absences`)
})

test('where everything is resumed, every channel that rests is tried at once', async () => {
  for (const channel of ['email', 'sms', CREDITOR])
    await recordAbsence(database, channel, '535 wrong password', new Date())
  const { stdout } = await run(['resume', '--all', '--locale', 'en'], here)
  expect(stdout).toContain('There was no pause of everything.')
  expect(stdout).toMatch(/^E-mail rested, .* \(535 wrong password\): the next batch tries it now\.$/m)
  expect(stdout).toMatch(/^Text message rested, /m)
  expect(stdout.match(/ rested, /g)).toHaveLength(2)
  expect(await json(['resume', '--all'])).toMatchObject({ data: { rested: [] } })
  await recordAbsence(database, 'email', '535 wrong password', new Date(Date.now() + 60_000))
  const chinese = await run(['resume', '--all', '--locale', 'zh-CN'], here)
  expect(chinese.stdout).toMatch(
    /^电子邮件此前因服务商自 .* 起无法连接（535 wrong password）而暂缓发送：下一批将立即尝试。$/m,
  )
  await execute(database, sql`DELETE FROM absences`)
})

test('answers with any report by name, as text, JSON and CSV, and marks what else happened', async () => {
  expect(
    (await run(['annotate', 'Spring sale', '--on', '2026-02-20', '--to', '2026-02-21'], here)).stdout,
  ).toContain('1  2026-02-20 to 2026-02-21  Spring sale')
  expect((await run(['annotate', 'x', '--on', '2026-02-30'], here)).code).toBe(2)
  const essay = await run(['annotate', '促'.repeat(201), '--on', '2026-02-20'], here)
  expect(essay.code).toBe(2)
  expect(essay.stderr).toContain('the text has 201 characters, and 200 is the most')
  expect((await run(['annotate', 'a\nsale', '--on', '2026-02-20'], here)).stdout).toContain(
    '2026-02-20  a sale',
  )
  // Half of it would be done, and the audit would know of none.
  const both = await run(['annotate', 'x', '--on', '2026-02-30', '--remove', '2'], here)
  expect(both).toMatchObject({ code: 2, stderr: expect.stringContaining('a text, or --remove') })
  expect((await run(['annotate', '--remove', '2'], here)).code).toBe(0)
  for (const name of ['monday', 'funnel', 'lift', 'cost', 'delivery', 'offers', 'reasons']) {
    const { code, data } = await json(['report', name])
    expect(code, name).toBe(0)
    expect(data).toMatchObject({ report: name, campaigns: [{ campaign: 'graded-recall', sheet: { name } }] })
    // What it says is as of the sums that it had brought up to date a moment ago.
    const text = await run(['report', name, 'graded-recall', '--locale', 'en', '--no-refresh'], here)
    expect(text.stdout, name).toContain('graded-recall · as of')
    expect(text.stdout, name).toContain('Spring sale')
  }
  const funnel = await run(['report', 'funnel', '--locale', 'en', '--rebuild'], here)
  expect(funnel.stdout).toContain('Everything adds up, to the last person.')
  const csv = await run(
    ['report', 'funnel', '--csv', '--table', 'path', '--locale', 'en', '--no-refresh'],
    here,
  )
  expect(csv.stdout).toMatch(/^,people,share,of/)
  // Of all campaigns together, beside them: the figure, or what is missing.
  const monday = await run(['report', 'monday', '--locale', 'en', '--no-refresh'], here)
  expect(monday.stdout).toMatch(/^All campaigns together\n/)
  expect(monday.stdout.replaceAll(/\s+/g, ' ')).toContain('Set `control: 5%`')
  expect((await json(['report', 'monday', '--no-refresh'])).data).toMatchObject({
    programme: { data: { share: 0 }, sheet: { name: 'programme' } },
  })
  const alone = await run(['report', 'monday', 'graded-recall', '--locale', 'en', '--no-refresh'], here)
  expect(alone.stdout).not.toContain('All campaigns together')
  const whole = await run(
    ['report', 'monday', '--csv', '--table', 'programme', '--locale', 'en', '--no-refresh'],
    here,
  )
  expect(whole.stdout).toMatch(/^,people,complete,"came back, of the complete"/)
  // Of several campaigns, each table says whose it is.
  const [kept, copied] = ['campaigns', 'campaign_versions'].map((name) => sql.identifier(name))
  for (const table of [kept, copied])
    await execute(
      database,
      sql`INSERT INTO ${table} SELECT (jsonb_populate_record(x, '{"campaign": "other"}')).* FROM ${table} x`,
    )
  const several = await run(['report', 'monday', '--csv', '--table', 'weeks', '--no-refresh'], here)
  // And all of them stand beside each other first: by title for people, by name in a CSV.
  const beside = await run(['report', 'monday', '--locale', 'en', '--no-refresh'], here)
  const lines = await run(['report', 'monday', '--csv', '--table', 'campaigns', '--no-refresh'], here)
  for (const table of [copied, kept])
    await execute(database, sql`DELETE FROM ${table} WHERE campaign = 'other'`)
  expect(several.stdout.match(/^\S+ weeks\r?$/gm)?.map((line) => line.trim())).toEqual([
    'graded-recall weeks',
    'other weeks',
  ])
  expect(beside.stdout).toMatch(
    /All campaigns, the busiest first\n.*verdict.*\n(\s+Graded recall .*not yet.*\n){2}/,
  )
  expect(lines.stdout.match(/^(graded-recall|other),/gm)).toEqual(['graded-recall,', 'other,'])
  expect((await run(['report', 'mondya', 'graded-recall'], here)).stderr).toContain('Did you mean monday?')
  expect((await run(['report', 'cost', '--csv', '--table', 'nothing'], here)).stderr).toContain(
    'kinds, prices, lines',
  )
  expect((await run(['report', '--csv'], here)).code).toBe(2)
  expect((await run(['report', 'fnnel'], here)).stderr).toContain('Did you mean funnel?')
  for (const asked of [
    ['--table', 'path'],
    ['funnel', '--table', 'path'],
  ]) {
    const { code, stderr } = await run(['report', ...asked], here)
    expect(code).toBe(2)
    expect(stderr).toContain('--csv --table ID')
  }
  for (const option of ['--rebuild', '--no-refresh']) {
    for (const name of [[], ['graded-recall']]) {
      const { code, stderr } = await run(['report', ...name, option], here)
      expect(code).toBe(2)
      expect(stderr).toContain(`${option} wants the name of a report: the overview reads no sums`)
    }
  }
  const digest = await json(['digest', '--save', 'digest', '--locale', 'en'])
  expect(digest).toMatchObject({ code: 0, data: { to: [], files: [expect.stringContaining('digest.html')] } })
  const chinese = await run(['digest', '--save', 'digest', '--locale', 'zh-CN'], here)
  expect(chinese.stdout).toMatch(/^已写入 .*digest\.html$/m)
  expect(chinese.stdout).not.toContain('Wrote')
  expect((await run(['digest'], here)).code).toBe(2)
  expect((await run(['annotate', '--remove', '1'], here)).stdout).toContain(
    'Nothing was noted yet: `winback annotate',
  )
  expect((await run(['annotate', '--remove', '1'], here)).code).toBe(2)
  const beyond = await run(['annotate', '--remove', '99999999999999'], here)
  expect(beyond).toMatchObject({ code: 2, stderr: expect.stringContaining('more than any number here') })
})

test('a word that names neither a report nor a campaign is told what there is', async () => {
  expect((await run(['report', 'graded-recal'], here)).stderr).toContain('Did you mean graded-recall?')
  expect((await run(['report', 'overview'], here)).stderr).toMatch(
    /neither a report nor a campaign "overview"\n {2}→ Reports are monday, .*reasons; campaigns graded-recall\./,
  )
})

test('reports, explains and examines', async () => {
  const report = await json(['report'])
  expect(report).toMatchObject({ code: 0, stderr: '', data: { campaigns: [{ campaign: 'graded-recall' }] } })
  expect((await run(['report', 'graded-recall', '--locale', 'zh-CN'], here)).stdout).toContain('触达组')
  expect((await run(['report', '--from', 'yesterday'], here)).code).toBe(2)
  const story = await run(['explain', 'c1', '--locale', 'en'], here)
  expect(story.code).toBe(0)
  expect(story.stdout).toContain('a***@example.com')
  expect(story.stdout).not.toContain('ann@example.com')
  const unknown = await run(['explain', 'c9'], here)
  expect(unknown).toMatchObject({ code: 1, stdout: '' })
  // Nothing listens where the mail would go: a port that was free a moment ago.
  const unused = createServer().listen(0, '127.0.0.1')
  await once(unused, 'listening')
  const address = unused.address()
  const port = typeof address === 'object' && address ? address.port : 0
  await new Promise((resolve) => unused.close(resolve))
  const workspace = join(here.cwd, 'winback.yaml')
  const text = await readFile(workspace, 'utf8')
  expect(text).toMatch(/port: 1025/)
  await writeFile(workspace, text.replace(/port: 1025/, `port: ${port}`))
  const examined = await json(['doctor'])
  await writeFile(workspace, text)
  expect(examined.code).toBe(3)
  expect(examined.data).toMatchObject({
    ok: false,
    findings: expect.arrayContaining([
      expect.objectContaining({ check: 'database', state: 'ok' }),
      expect.objectContaining({ check: 'migrations', state: 'ok' }),
      expect.objectContaining({ check: 'channels', state: 'wrong', unavailable: true }),
      expect.objectContaining({ check: 'feed', state: 'wrong' }),
    ]),
  })
})

test('doctor says that numbers are still to be compared, until an import has done so', async () => {
  const numbers = async () => {
    const { findings } = (await json(['doctor'])).data as { findings: { check: string; state: string }[] }
    return findings.filter(({ check }) => check === 'numbers')
  }
  expect(await numbers()).toEqual([])
  // As if other countries had been named before.
  await execute(
    database,
    sql`INSERT INTO settings (name, value) VALUES ('number_countries', '49')
        ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
  )
  expect(await numbers()).toEqual([
    expect.objectContaining({
      state: 'not_yet',
      found: expect.stringContaining('have not been compared by the countries'),
    }),
  ])
  await writeFile(join(here.cwd, 'none.csv'), 'external_id\n')
  expect((await run(['import', 'contacts', 'none.csv'], here)).code).toBe(0)
  expect(await numbers()).toEqual([])
})

test('doctor says where versions that run count in another currency than the workspace', async () => {
  const file = join(here.cwd, 'winback.yaml')
  const before = await readFile(file, 'utf8')
  const versions = async (args: string[] = []) => {
    const { stdout } = await run(['doctor', '--json', ...args], here)
    const { findings } = JSON.parse(stdout) as { findings: { check: string; found: string; mend: string }[] }
    return findings.filter(({ check }) => check === 'versions')
  }
  expect(await versions()).toEqual([])
  await writeFile(file, before.replace('currency: CNY', 'currency: USD'))
  const [found, ...others] = await versions()
  await writeFile(file, before)
  expect(others).toEqual([])
  expect(found).toMatchObject({
    state: 'wrong',
    found: expect.stringMatching(
      /^graded-recall version \d+ counts in CNY, the workspace in USD: nothing converts/,
    ),
    mend: expect.stringContaining('Set `currency: CNY` in winback.yaml again'),
  })
})

test('a version that no longer compiles costs its own margin, and no campaign a figure', async () => {
  const says = (from: string, to: string) =>
    execute(
      database,
      sql`UPDATE campaign_versions SET source = replace(source, ${from}, ${to}) WHERE campaign = 'graded-recall'`,
    )
  await execute(
    database,
    sql`WITH made AS (INSERT INTO campaigns SELECT 'twin', current_version, salt, created_at FROM campaigns),
          steps AS (INSERT INTO steps (campaign, version, priority, topic, tier_no, tier, step_no, step, channels)
            SELECT 'twin', version, priority, topic, tier_no, tier, step_no, step, channels FROM steps)
        INSERT INTO campaign_versions SELECT (jsonb_populate_record(v, jsonb_build_object('campaign', 'twin'))).*
        FROM campaign_versions v WHERE campaign = 'graded-recall'`,
  )
  // As a newer Winback would have it: first beside the goals, then in them.
  await says('\ngoals:', '\nshiny: true\ngoals:')
  const monday = await json(['report', 'monday', '--rebuild'])
  expect(monday).toMatchObject({
    code: 0,
    data: { campaigns: [{ campaign: 'graded-recall' }, { campaign: 'twin' }] },
  })
  const findings = async () => {
    const { findings } = (await json(['doctor'])).data as { findings: { check: string; found: string }[] }
    return findings.filter(({ check }) => check === 'versions')
  }
  expect(await findings()).toEqual([
    expect.objectContaining({
      state: 'wrong',
      found: expect.stringMatching(
        /^graded-recall version 3 can no longer be read, and it takes nobody in: .*shiny/,
      ),
    }),
  ])
  const cost = async (locale: string) => (await run(['report', 'cost', '--locale', locale], here)).stdout
  expect(await cost('en')).not.toContain('can no longer be read')
  await says('{ event: order, margin: 30% }', '{ event: order, margins: [30%] }')
  expect((await cost('en')).replaceAll(/\s+/g, ' ')).toContain('The goals of version 3 can no longer be read')
  expect(await cost('zh-CN')).toContain('版本 3 的目标已无法读取')
  expect((await findings()).map(({ found }) => found)).toContain(
    'graded-recall version 3: reports cannot read its goals, so that its margin is what was known last',
  )
  await says('{ event: order, margins: [30%] }', '{ event: order, margin: 30% }')
  await says('\nshiny: true', '')
  for (const table of ['steps', 'campaigns', 'campaign_versions'])
    await execute(database, sql`DELETE FROM ${sql.identifier(table)} WHERE campaign = 'twin'`)
  expect(await findings()).toEqual([])
})

test('stop ends a campaign for good', async () => {
  expect(await json(['stop', 'graded-recall', '--yes'])).toMatchObject({
    code: 0,
    data: { outcome: 'changed' },
  })
  expect((await run(['resume', 'graded-recall'], here)).code).toBe(4)
  const { code, stderr } = await run(['apply'], here)
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: expect.stringMatching(/graded-recall was stopped for good .* stays stopped/),
  })
  const restored = await run(['rollback', 'graded-recall', '--to', '1'], here)
  expect(restored.code).toBe(0)
  expect(restored.stderr).toMatch(/graded-recall was stopped for good .* stays stopped/)
  const examined = await run(['doctor'], here)
  expect(examined.stdout).toMatch(/not yet +switches +campaign graded-recall is stopped for good/)
  for (const [verb, says] of [
    ['doctor', /graded-recall 已永久停止：由 \S+ 停止/],
    ['apply', /已永久停止（由 \S+ 停止）/],
    ['plan', /本活动已永久停止（由 \S+ 停止）/],
  ] as const) {
    const { stdout, stderr } = await run([verb, '--locale', 'zh-CN'], here)
    expect(stdout + stderr, verb).toMatch(says)
  }
})

test('Ctrl-C during an import rolls back what was under way and exits with 130', async () => {
  // A lock the import has to wait for: whenever it is seen waiting, it is in the middle.
  const holder = await database.client.connect()
  await holder.query('BEGIN; LOCK TABLE contacts IN ACCESS EXCLUSIVE MODE')
  try {
    await writeFile(join(here.cwd, 'more.csv'), 'external_id\nc4\nc5\n')
    const child = startBuilt(['import', 'contacts', 'more.csv'], here)
    await waits(child.pid)
    child.kill('SIGINT')
    const { code, stdout, stderr } = await child.ended
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' })
    expect(stderr).toContain('Run the same command again')
  } finally {
    await holder.query('ROLLBACK')
    holder.release()
  }
  const found = await rows(database, sql`SELECT FROM contacts WHERE external_id = 'c4'`)
  expect(found).toHaveLength(0)
  expect(await json(['import', 'contacts', 'more.csv'])).toMatchObject({ code: 0, data: { inserted: 2 } })
})

/** Until the process waits for a lock. */
async function waits(pid: number): Promise<void> {
  for (;;) {
    const waiting = await rows(
      database,
      sql`SELECT FROM pg_stat_activity WHERE application_name LIKE ${`winback ${pid} %`} AND wait_event_type = 'Lock'`,
    )
    if (waiting.length > 0) return
  }
}
