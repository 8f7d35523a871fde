import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { sql } from 'drizzle-orm'
import { beforeAll, expect, test } from 'vitest'
import { asProblem } from '../../src/cli/campaigns.ts'
import { type Database, rows } from '../../src/database/connect.ts'
import { WinbackError } from '../../src/errors.ts'
import { type CliShop, openCliShop, run } from './command.ts'

// What a newcomer does wrong, and what is said then.

/** What a verb asks for beside the campaigns. */
const SPAN: Readonly<Record<string, readonly string[]>> = {
  replay: ['--from', '2026-01-01', '--to', '2026-01-02'],
}

let directory: string
let database: Database
let here: CliShop['here']

beforeAll(async () => {
  ;({ directory, database, here } = await openCliShop())
})

test('init says who is in the way, and is no defect', async () => {
  await writeFile(join(directory, 'file'), '')
  const { code, stderr } = await run(['init', 'file/shop'], { cwd: directory })
  expect(code).toBe(1)
  expect(stderr).toMatch(/nothing can be written to .*file\/shop: a file is in the way of a folder/)
  expect(stderr).toContain('Name another folder')
  expect(stderr).not.toContain('defect')
})

test('init writes no workspace that validate would refuse', async () => {
  const zone = await run(['init', 'there', '--timezone', 'Asia/Beijing'], { cwd: directory })
  expect(zone).toMatchObject({ code: 2, stderr: expect.stringContaining('Did you mean Asia/Shanghai?') })
  const name = await run(['init', 'there', '--name', 'x'.repeat(201)], { cwd: directory })
  expect(name).toMatchObject({ code: 2, stderr: expect.stringContaining('--name has 201 characters') })
})

test('a folder or a binary file among the campaigns hides nothing else', async () => {
  const shop = join(directory, 'other')
  await run(['init', 'other', '--timezone', 'UTC'], { cwd: directory })
  const campaign = await readFile(join(shop, 'campaigns/graded-recall.yaml'), 'utf8')
  await mkdir(join(shop, 'campaigns/backup.yaml'))
  await writeFile(join(shop, 'campaigns/image.yaml'), Buffer.from([0, 1, 2]))
  await writeFile(join(shop, 'campaigns/orders.yaml'), 'key: 1\n'.repeat(100_000))
  await writeFile(join(shop, 'campaigns/second.yaml'), campaign)
  await writeFile(join(shop, 'campaigns/third.yaml'), campaign.replace('holdout: 10%', 'holdout: 10'))
  const { code, stdout } = await run(['validate', '--json'], { cwd: shop })
  expect(code).toBe(1)
  const line = campaign.split('\n').findIndex((each) => each.startsWith('campaign:')) + 1
  expect(JSON.parse(stdout).problems).toMatchObject([
    {
      location: { file: expect.stringContaining('backup.yaml') },
      message: 'is a folder, not a file. Rename or remove it.',
    },
    {
      location: { file: expect.stringContaining('image.yaml') },
      message: expect.stringMatching(/^is not a text file/),
    },
    {
      location: { file: expect.stringContaining('orders.yaml') },
      message:
        'is no file of settings: it has 700 kB. Move data elsewhere; what is written by hand stays below 500 kB.',
    },
    { location: { file: expect.stringContaining('third.yaml') }, suggestion: '10%' },
    {
      location: { file: expect.stringContaining('second.yaml'), line, column: 11 },
      message: expect.stringContaining('too'),
    },
  ])
})

test('a text that a step would send and nobody could read is neither planned nor applied; a draft is nobody’s', async () => {
  const footer = join(here.cwd, 'templates/partials/footer.en.hbs')
  const draft = join(here.cwd, 'templates/draft.en.hbs')
  const text = await readFile(footer, 'utf8')
  await writeFile(draft, '---\nsubject: Soon\n---\n{{#if contact.first_name}}')
  await writeFile(footer, `${text}{{> nowhere}}`)
  for (const verb of ['plan', 'apply', 'replay']) {
    const { code, stderr } = await run([verb, '--locale', 'en', ...(SPAN[verb] ?? [])], here)
    expect(code).toBe(1)
    expect(stderr).toMatch(/templates\/partials\/footer\.en\.hbs:\d+:\d+ +error .*no partial `nowhere`/)
    expect(stderr).not.toContain('draft')
  }
  await writeFile(footer, text)
  expect((await run(['validate'], here)).code).toBe(1)
  expect(await run(['apply'], here)).toMatchObject({ code: 0, stdout: expect.stringContaining('version 1') })
  await rm(draft)
})

test('a rollback says, as apply does, whom the old text no longer reaches by today’s winback.yaml', async () => {
  const file = join(here.cwd, 'winback.yaml')
  const text = await readFile(file, 'utf8')
  const back = () => run(['rollback', 'graded-recall', '--to', '1'], here)
  expect(await back()).toMatchObject({ code: 0, stderr: '' })
  await writeFile(file, text.replace(/^not_yet: .*$/m, 'not_yet: [sms]'))
  const { code, stderr } = await back()
  expect(code).toBe(0)
  expect(stderr).toMatch(/graded-recall\.yaml \(version 1\): tiers\[0\]\S*: channel push is not set up/)
  await writeFile(file, text)
})

test('a campaign of which a copy lies beside it is not applied by its name, for nobody knows which is meant', async () => {
  const copy = join(here.cwd, 'campaigns/graded-recall-old.yaml')
  const text = await readFile(join(here.cwd, 'campaigns/graded-recall.yaml'), 'utf8')
  await writeFile(copy, text.replace('title: ', 'title: Old '))
  for (const verb of ['plan', 'apply', 'replay']) {
    const { code, stdout, stderr } = await run([verb, 'graded-recall', ...(SPAN[verb] ?? [])], here)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/\.yaml is named `graded-recall` too/)
  }
  // Whoever names a file has said which.
  expect((await run(['plan', 'campaigns/graded-recall-old.yaml'], here)).stdout).toContain('Old ')
  await rm(copy)
})

test('a campaign’s ending is read in capitals, too, and a .txt behind it is told', async () => {
  await run(['init', 'typed', '--timezone', 'UTC'], { cwd: directory })
  const shop = join(directory, 'typed')
  const text = await readFile(join(shop, 'campaigns', 'graded-recall.yaml'), 'utf8')
  const named = (name: string) => text.replace('campaign: graded-recall', `campaign: ${name}`)
  await writeFile(join(shop, 'campaigns', 'Winter.YAML'), named('winter'))
  await writeFile(join(shop, 'campaigns', 'spring.yaml.txt'), named('spring'))
  const { code, stdout } = await run(['validate', '--json'], { cwd: shop })
  const { files, problems } = JSON.parse(stdout) as { files: unknown[]; problems: unknown[] }
  expect({ code, files: files.length }).toEqual({ code: 0, files: 2 })
  expect(problems).toEqual([
    expect.objectContaining({
      severity: 'warning',
      location: { file: expect.stringContaining('spring.yaml.txt') },
      message: 'this file is not read: the name of a campaign’s ends in .yaml, and this one’s in .txt',
    }),
  ])
})

test('a campaign in a folder of its own is told by whoever reads all of them, and by its name', async () => {
  const { here: nested } = await openCliShop()
  const text = await readFile(join(nested.cwd, 'campaigns', 'graded-recall.yaml'), 'utf8')
  const put = async (path: string) => {
    await mkdir(join(nested.cwd, 'campaigns', path), { recursive: true })
    await writeFile(
      join(nested.cwd, 'campaigns', path, 'autumn.yaml'),
      text.replace('campaign: graded-recall', 'campaign: autumn'),
    )
  }
  // Hidden ones are left alone, as is what is no campaign.
  await put('.old')
  await writeFile(join(nested.cwd, 'campaigns', '.old', 'notes.md'), '')
  const said = async (...args: string[]) => {
    const { code, stdout, stderr } = await run(args, nested)
    return { code, text: `${stdout}${stderr}` }
  }
  expect((await said('validate')).text).toContain('nothing is wrong')
  await put('2026/q3')
  const words =
    'autumn.yaml: this file is not read: campaigns lie in campaigns itself. Move it there, or begin'
  for (const verb of ['plan', 'apply']) expect((await said(verb)).text).toContain(words)
  const checked = await run(['validate', '--json'], nested)
  expect(JSON.parse(checked.stdout)).toMatchObject({
    valid: true,
    files: [expect.stringContaining('graded-recall.yaml')],
    problems: [{ severity: 'warning', location: { file: expect.stringMatching(/2026.q3.autumn\.yaml$/) } }],
  })
  const { code, text: refused } = await said('plan', 'autumn')
  expect(code).toBe(2)
  expect(refused).toMatch(
    /no campaign is named "autumn"[\s\S]*There is .*autumn\.yaml, but this file is not read/,
  )
  expect((await said('plan', 'graded-recall')).text).not.toContain('is not read')
})

test('a mistake of the workspace hides none of the campaigns, and draws none after it', async () => {
  await run(['init', 'crooked', '--timezone', 'UTC'], { cwd: directory })
  const shop = join(directory, 'crooked')
  const change = async (name: string, from: string, to: string) => {
    const text = await readFile(join(shop, name), 'utf8')
    expect(text).toContain(from)
    await writeFile(join(shop, name), text.replace(from, to))
  }
  await change('winback.yaml', 'currency: CNY', 'curency: CNY')
  await change('campaigns/graded-recall.yaml', 'inactive: 7d..15d', 'inactve: 7d..15d')
  const found = async () => {
    const { code, stdout } = await run(['validate', '--json'], { cwd: shop })
    expect(code).toBe(1)
    const { problems } = JSON.parse(stdout) as { problems: { path: string; message: string }[] }
    return problems.map(({ path, message }) => `${path}: ${message}`)
  }
  const unknown = ['curency: unknown key', 'tiers[1].inactve: unknown key']
  expect(await found()).toEqual(unknown)
  expect((await run(['validate'], { cwd: shop })).stdout).toMatch(
    /2 errors in .*winback\.yaml, 1 campaign, \d+ templates$/m,
  )

  await rename(join(shop, 'templates'), join(shop, 'texts'))
  expect(await found()).toEqual([
    unknown[0],
    expect.stringContaining('The templates cannot be read'),
    unknown[1],
  ])
  await change('winback.yaml', 'version: 1', 'version: [1')
  expect(await found()).toEqual([expect.stringMatching(/^: /), unknown[1]])
})

test('a channel in whose block something is wrong is among those there are', async () => {
  await run(['init', 'comma', '--timezone', 'UTC'], { cwd: directory })
  const shop = join(directory, 'comma')
  for (const [name, from, to] of [
    ['winback.yaml', 'price: "0.002"', 'price: "0,002"'],
    ['campaigns/graded-recall.yaml', 'channel: [push, sms]', 'channel: [whatsapp, sms]'],
  ] as const) {
    const text = await readFile(join(shop, name), 'utf8')
    expect(text).toContain(from)
    await writeFile(join(shop, name), text.replace(from, to))
  }
  const { stdout } = await run(['validate', '--json'], { cwd: shop })
  const { problems } = JSON.parse(stdout) as { problems: { path: string; message: string }[] }
  expect(problems).toMatchObject([
    { path: 'channels.email.price' },
    { message: 'unknown channel `whatsapp`; there are callback, email, inapp, log, push, sms' },
  ])
})

test('a schema that is not there is not made, and those that are are named', async () => {
  const { code, stderr } = await run(['report', '--schema', 'winbakc_replay'], here)
  expect(code).toBe(1)
  expect(stderr).toContain('there is no schema "winbakc_replay" of Winback in this database')
  expect(stderr).toContain(`There is ${database.schema}; \`winback replay\` makes one of its own.`)
  const made = await rows(database, sql`SELECT 1 FROM pg_namespace WHERE nspname = 'winbakc_replay'`)
  expect(made).toEqual([])
  expect((await run(['report', '--schema', database.schema], here)).code).toBe(0)
  const told = await run(['explain', 'u1', '--schema', 'winbakc_replay', '--json'], here)
  expect(JSON.parse(told.stdout).error).toMatchObject({
    code: 'database.no_schema',
    facts: { schemas: expect.arrayContaining([database.schema]) },
  })
})

test('test-send blames --to for an address that is none', async () => {
  const { code, stderr } = await run(['test-send', 'graded-recall', 'coupon', '--to', 'notanaddress'], here)
  expect(code).toBe(2)
  expect(stderr).toContain('--to wants an e-mail address or a phone number, found "notanaddress"')
})

test.each([
  [['pause', '--all', '--reason'], '--reason has 201 characters, and 200 is the most', 201],
  [['stop', 'graded-recall', '--yes', '--reason'], '--reason has 201 characters', 201],
  [['calls', 'claim', '1-1', '--agent'], '--agent has 201 characters', 201],
  [
    ['calls', 'outcome', '1-1', 'reached', '--notes'],
    '--notes has 5,001 characters, and 5,000 is the most',
    5001,
  ],
  [['consent', 'u1', '--give', 'email', '--wording'], '--wording has 5,001 characters', 5001],
  [['consent', 'u1', '--give', 'email', '--source'], '--source has 201 characters', 201],
  [['consent', 'u1', '--give', 'email', '--proof'], '--proof has 5,001 characters', 5001],
  [
    ['api-keys', 'create', '--scope', 'read'],
    'the name of the key has 101 characters, and 100 is the most',
    101,
  ],
  [['users', 'add', '--role', 'viewer'], 'the name has 101 characters, and 100 is the most', 101],
] as const)('a pasted log is no text to keep: %j', async (args, says, length) => {
  const { code, stderr } = await run([...args, '字'.repeat(length)], here)
  expect(stderr).toContain(says)
  expect(stderr.length).toBeLessThan(400)
  expect(code).toBe(2)
})

test('everybody is recomputed where that is asked for, and not left alone without a word', async () => {
  expect(await run(['signals', '--all'], here)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('winback signals --refresh --all'),
  })
})

test('what is interrupted says so, and is no defect', async () => {
  const { code, stderr } = await run(['validate'], here, AbortSignal.abort('SIGTERM'))
  expect({ code, stderr }).toEqual({
    code: 130,
    stderr: 'error: interrupted\n  → Run the same command again.\n',
  })
})

test('a template that is too large hides no campaign; its path is as short as those of others', async () => {
  const file = join(here.cwd, 'templates', 'huge.en.hbs')
  await writeFile(file, 'x'.repeat(200_001))
  const { stdout } = await run(['validate', '--json'], here)
  await rm(file)
  expect(JSON.parse(stdout)).toMatchObject({
    files: [expect.stringContaining('graded-recall.yaml')],
    problems: [{ message: expect.stringMatching(/^has 201 kB\. A template has at most 200 kB/) }],
  })
  const location = { file: resolve('templates/huge.en.hbs') }
  expect(asProblem(new WinbackError('templates.unreadable', 'x', { location })).location.file).toBe(
    'templates/huge.en.hbs',
  )
})

test('a key of the API has a name', async () => {
  const { code, stderr } = await run(['api-keys', 'create', ' ', '--scope', 'read'], here)
  expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('Say who will use it.') })
})

test('test-send says so where the channel is not set up yet', async () => {
  const { code, stderr } = await run(['test-send', 'graded-recall', 'remind', '--to', '+8613800000002'], here)
  expect(code).not.toBe(0)
  expect(stderr).toContain('sms cannot send: not set up yet')
  expect(stderr).toContain('Add channels.sms to winback.yaml.')
})

test('a header of one column asks for the delimiter', async () => {
  await writeFile(join(here.cwd, 'semicolons.csv'), 'external_id;email\nu1;a@example.com\n')
  await writeFile(join(here.cwd, 'tabs.csv'), 'external_id\temail\nu1\ta@example.com\n')
  expect((await run(['import', 'contacts', 'semicolons.csv'], here)).stderr).toContain("--delimiter ';'")
  expect((await run(['import', 'contacts', 'tabs.csv'], here)).stderr).toContain('--delimiter tab')
})

test('a file of which every row was rejected fails; a date says how to name its form', async () => {
  await writeFile(
    join(here.cwd, 'stamps.csv'),
    'external_id,signed_up_at\nu1,1735689600000\nu2,1735689600000\n',
  )
  const wrong = await run(['import', 'contacts', 'stamps.csv', '--reject-file', 'bad.csv'], here)
  expect(wrong.code).toBe(1)
  expect(wrong.stdout).toContain('every row rejected (2)')
  expect(await readFile(join(here.cwd, 'bad.csv'), 'utf8')).toContain('--date-format epoch-ms')
  const right = await run(['import', 'contacts', 'stamps.csv', '--date-format', 'epoch-ms', '--json'], here)
  expect({ ...right, data: JSON.parse(right.stdout) }).toMatchObject({
    code: 0,
    data: { inserted: 2, rejected: 0 },
  })
})

test('a file in another encoding is named, and read where the name is given', async () => {
  // 张三 in GBK.
  const gbk = Buffer.from([0xd5, 0xc5, 0xc8, 0xfd])
  const file = join(here.cwd, 'gbk.csv')
  await writeFile(file, Buffer.concat([Buffer.from('external_id,first_name\ng1,'), gbk, Buffer.from('\n')]))
  const wrong = await run(['import', 'contacts', 'gbk.csv'], here)
  expect(wrong.code).toBe(1)
  expect(await readFile(`${file}.rejects.csv`, 'utf8')).toContain('iconv -f GBK -t UTF-8')
  const right = await run(['import', 'contacts', 'gbk.csv', '--encoding', 'gbk'], here)
  expect(right.code).toBe(0)
  // A header in it is one all the same: nobody is told to write one.
  await writeFile(join(here.cwd, 'names.csv'), Buffer.concat([gbk, Buffer.from(',external_id\nx,g3\n')]))
  const { stderr } = await run(['import', 'contacts', 'names.csv'], here)
  expect(stderr).toContain(
    'the header cannot be read: the line is not UTF-8; name the encoding (--encoding gbk',
  )
  expect(stderr).not.toContain('--no-header')
  const utf16 = Buffer.concat([
    Buffer.from([0xff, 0xfe]),
    Buffer.from('external_id,first_name\r\ng2,李四\r\n', 'utf16le'),
  ])
  await writeFile(join(here.cwd, 'utf16.csv'), utf16)
  expect((await run(['import', 'contacts', 'utf16.csv'], here)).stderr).toContain('--encoding utf-16le')
  expect((await run(['import', 'contacts', 'utf16.csv', '--encoding', 'utf-16le'], here)).code).toBe(0)
  const names = await rows<{ name: string }>(
    database,
    sql`SELECT attributes ->> 'first_name' AS name FROM contacts WHERE external_id LIKE 'g%' ORDER BY external_id`,
  )
  expect(names.map(({ name }) => name)).toEqual(['张三', '李四'])
  const unknown = await run(['import', 'contacts', 'gbk.csv', '--encoding', 'klingon'], here)
  expect(unknown).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('there is no encoding "klingon"'),
  })
  const mistaken = await run(['import', 'contacts', 'gbk.csv', '--encoding', 'shift_jis', '--json'], here)
  expect(JSON.parse(mistaken.stdout).rows).toBe(1)
})

test('a replay in which every run was refused says why', async () => {
  const { code, stdout } = await run(['replay', '--from', '2026-01-01', '--to', '2026-01-03'], here)
  expect(code).toBe(0)
  expect(stdout).toMatch(/^0 runs, [1-9]\d* refused \(at last: \S[^)]*activity[^)]*\); everything/)
  const chinese = await run(
    ['replay', '--from', '2026-01-01', '--to', '2026-01-03', '--schema', 'again_replay', '--locale', 'zh-CN'],
    here,
  )
  expect(chinese.stdout).toMatch(
    /^运行 0 次，其中 [1-9]\d* 次被拒绝（最后一次：[^A-Za-z]*）；全部数据位于 schema again_replay。/,
  )
})

test('consent is for a channel there is: a mistyped withdrawal would hold nothing back', async () => {
  await writeFile(join(here.cwd, 'one.csv'), 'external_id,email\nc1,c1@example.com\n')
  await run(['import', 'contacts', 'one.csv'], here)
  const before = await run(['consent', 'c1'], here)
  const { code, stderr } = await run(['consent', 'c1', '--withdraw', 'emial'], here)
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: expect.stringMatching(/there is no channel "emial"\n {2}→ Did you mean email\? There are .*sms/),
  })
  expect((await run(['consent', 'c1'], here)).stdout).toBe(before.stdout)
  // One that is not set up yet can be agreed to.
  expect((await run(['consent', 'c1', '--give', 'sms'], here)).code).toBe(0)
})
