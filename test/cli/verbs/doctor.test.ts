import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { Redis } from 'ioredis'
import pc from 'picocolors'
import { describe, expect, test } from 'vitest'
import { registerChannels } from '../../../src/channels/channels.ts'
import { sayIn } from '../../../src/cli/locale.ts'
import { judgeClock, judgeFeed } from '../../../src/cli/verbs/doctor/database.ts'
import {
  type Finding,
  fine,
  formatFindings,
  notYet,
  unavailable,
  verdictOf,
  wrong,
} from '../../../src/cli/verbs/doctor/finding.ts'
import { judgeHolidays } from '../../../src/cli/verbs/doctor/holidays.ts'
import { checkChannels, checkRedis } from '../../../src/cli/verbs/doctor/services.ts'
import { checkNode } from '../../../src/cli/verbs/doctor.ts'
import { CREDITOR } from '../../../src/config/waits.ts'
import { workspace } from '../../../src/config/workspace.ts'
import { execute } from '../../../src/database/connect.ts'
import { migrate } from '../../../src/database/migrate.ts'
import { shortageOf } from '../../../src/offers/pools.ts'
import { recordAbsence } from '../../../src/touchpoints/sending/absences.ts'
import { administer, emptyDatabase, freshName, urlOf } from '../../support/database.ts'
import { hasRedis, startRedis } from '../../support/redis.ts'
import { scratchDirectory } from '../../support/scratch.ts'
import { startTrouble } from '../../support/tls.ts'
import { openCliShop, run } from '../command.ts'

const english = sayIn({ language: 'en' })

test.each([
  ['20.18.3', 'wrong'],
  ['18.20.0', 'wrong'],
  ['20.19.0', 'ok'],
  ['22.0.0', 'ok'],
])('Node.js %s is %s', (version, state) => {
  expect(checkNode(version, english).state).toBe(state)
})

test('an embedded database that could not be made is wrong, and not merely to come', async () => {
  const cwd = scratchDirectory()
  const here = { cwd }
  expect((await run(['init'], here)).code).toBe(0)
  const database = async () => {
    const { findings } = JSON.parse((await run(['doctor', '--json'], here)).stdout) as { findings: Finding[] }
    return findings.filter(({ check }) => check === 'database')
  }
  expect(await database()).toMatchObject([{ state: 'not_yet', found: 'embedded, and not made yet' }])
  await writeFile(join(cwd, '.winback'), '')
  expect(await database()).toMatchObject([
    {
      state: 'wrong',
      found: `${join(cwd, '.winback/postgres')} cannot hold a database: a file is in the way of a folder`,
      mend: 'Run from a directory you may write to, or set DATABASE_URL to a PostgreSQL of your own.',
    },
  ])
  expect(await readFile(join(cwd, '.winback'), 'utf8')).toBe('')
})

test('offers that run low, or whose codes end soon, are said before they are gone', () => {
  const pool = { campaign: 'a', offer: 'five', taken: 0, codes: 0, free: 0, ending: 0 }
  const imported = { deliver: 'code', codes: 'imported' } as const
  const said = (codes: number, free: number, ending = 0) =>
    shortageOf({ ...pool, terms: imported, codes, free, ending })
  expect(said(100, 10)).toBeUndefined()
  expect(said(100, 9)).toMatchObject({ state: 'low', found: 'a.five has 9 codes left of 100' })
  expect(said(100, 0)).toMatchObject({ state: 'out', mend: 'Run `winback import codes a.five FILE`.' })
  expect(said(100, 50, 26)?.found).toBe('26 of the 50 codes left for a.five end within a week')
  expect(said(0, 0)?.found).toBe('no codes were imported for a.five')
  const stocked = (taken: number) =>
    shortageOf({ ...pool, terms: { deliver: 'account', codes: 'generated', stock: 100 }, taken })
  expect(stocked(90)).toBeUndefined()
  expect(stocked(91)).toMatchObject({ state: 'low', found: 'a.five has 9 left of its stock of 100' })
  expect(stocked(100)).toMatchObject({ state: 'out', found: 'a.five has given out its stock of 100' })
})

test('clocks that are apart are wrong, unless the answer took as long as that', () => {
  expect(judgeClock(200, 1, english).state).toBe('ok')
  expect(judgeClock(60_000, 100, english)).toMatchObject({
    state: 'wrong',
    found: expect.stringContaining('60 s behind'),
  })
  expect(judgeClock(-60_000, 100, english).found).toContain('60 s ahead of')
  expect(judgeClock(8000, 8000, english).state).toBe('ok')
})

test('holidays of a year that nobody had published are said before it begins, and once it has', () => {
  const judge = (now: string, blackout: { from: string; to: string }[] = [], holidays?: 'CN' | undefined) =>
    judgeHolidays({ holidays, blackout, timezone: 'Asia/Shanghai' }, new Date(now), english)
  expect(judge('2026-11-10T00:00:00Z', [], 'CN')).toEqual([])
  for (const now of ['2026-12-01T00:00:00Z', '2027-02-01T00:00:00Z']) {
    expect(judge(now, [], 'CN')).toMatchObject([
      { check: 'workspace', state: 'not_yet', found: expect.stringContaining('up to 2026: from 2027-01-01') },
    ])
    expect(judge(now)).toEqual([])
    expect(judge(now, [{ from: '2026-11-11', to: '2026-11-11' }], 'CN')).toHaveLength(1)
    expect(judge(now, [{ from: '2027-02-05', to: '2027-02-12' }], 'CN')).toEqual([])
  }
})

test('the feed is judged by its newest event', () => {
  const now = new Date('2026-01-10T12:00:00Z')
  const types = ['session', 'order']
  const judge = (newest: string | null, contacts = 5) =>
    judgeFeed(newest === null ? null : new Date(newest), contacts, now, types, english)
  expect(judge(null, 0)).toMatchObject({ state: 'not_yet', mend: expect.stringContaining('import contacts') })
  expect(judge(null)).toMatchObject({ state: 'not_yet', found: '5 contacts and not one session or order' })
  expect(judge('2026-01-10T09:00:00Z')).toMatchObject({
    state: 'ok',
    found: expect.stringContaining('3h ago'),
  })
  expect(judge('2026-01-05T12:00:00Z')).toMatchObject({
    state: 'wrong',
    found: expect.stringContaining('5d ago'),
  })
})

test('a finding is a line, and under it how to mend it', () => {
  const findings = [
    fine('node', 'good'),
    wrong('database', 'bad', 'Mend it.'),
    notYet('feed', 'empty', 'Fill it.'),
  ]
  expect(formatFindings(findings, { colors: pc.createColors(false), width: 60 }, 'en')).toBe(
    [
      'ok       node      good',
      'wrong    database  bad',
      '                   → Mend it.',
      'not yet  feed      empty',
      '                   → Fill it.',
    ].join('\n'),
  )
  expect(verdictOf(findings, english)).toBe('One thing is wrong.')
  expect(verdictOf([...findings, unavailable('queue', 'down', 'Start it.')], english)).toBe(
    '2 things are wrong.',
  )
  expect(verdictOf([fine('node', 'good'), notYet('feed', 'empty', 'Fill it.')], english)).toContain(
    'Nothing is wrong',
  )
  expect(verdictOf([fine('node', 'good')], english)).toBe('Everything is in order.')
})

test('what does not fit stays under its own column, in either language', () => {
  const findings = [
    fine('node', 'Node.js 22.0.0'),
    wrong(
      'channels',
      'email: 127.0.0.1:1025 cannot be used: connect ECONNREFUSED',
      'Set SMTP_HOST to your mail server; or run `winback start`.',
    ),
  ]
  const style = { colors: pc.createColors(false), width: 60 }
  expect(formatFindings(findings, style, 'en')).toBe(
    [
      'ok       node      Node.js 22.0.0',
      'wrong    channels  email: 127.0.0.1:1025 cannot be used:',
      '                   connect ECONNREFUSED',
      '                   → Set SMTP_HOST to your mail server; or',
      '                     run `winback start`.',
    ].join('\n'),
  )
  expect(formatFindings([wrong('channels', '不可用', '请设置。')], style, 'zh-CN')).toBe(
    '有误  渠道  不可用\n            → 请设置。',
  )
})

test('every finding, its remedy and the verdict are in the language asked for; for a monitor in English', async () => {
  const chinese = sayIn({ language: 'zh-CN' })
  const found = [
    checkNode('18.0.0', chinese),
    judgeClock(60_000, 100, chinese),
    ...judgeHolidays(
      { holidays: 'CN', blackout: [], timezone: 'UTC' },
      new Date('2026-12-24T00:00:00Z'),
      chinese,
    ),
    judgeFeed(null, 0, new Date(0), [], chinese),
    judgeFeed(null, 5, new Date(0), ['session'], chinese),
    judgeFeed(new Date(0), 5, new Date(86_400_000 * 9), ['session'], chinese),
    ...(await checkRedis(undefined, chinese)),
  ]
  for (const { found: text, mend } of found) {
    expect(text).toMatch(/[一-鿿]/)
    if (mend !== undefined) expect(mend).toMatch(/[一-鿿].*。$/)
  }
  expect(verdictOf(found, chinese)).toBe('有 3 项有误。')

  const cwd = scratchDirectory()
  await run(['init'], { cwd })
  const said = await run(['doctor', '--locale', 'zh-CN'], { cwd })
  const lines = said.stdout.split('\n').filter((line) => /^\S/.test(line))
  expect(lines.length).toBeGreaterThan(7)
  for (const line of lines) expect(line).toMatch(/^(正常|待办|有误|有 \d 项有误。|没有错误)/)
  expect(said.stdout).not.toMatch(/\b(ok|wrong|not yet|templates|campaigns)\b/)
  const { findings } = JSON.parse((await run(['doctor', '--locale', 'zh-CN', '--json'], { cwd })).stdout) as {
    findings: { found: string }[]
  }
  for (const { found: text } of findings) expect(text).not.toMatch(/[一-鿿]/)
})

test('a limit of time that holds for the role is said before a run meets it', async () => {
  const { cwd } = (await openCliShop()).here
  const database = await emptyDatabase()
  const role = freshName()
  const name = new URL(database.url).pathname.slice(1)
  await administer(`CREATE ROLE ${role} LOGIN PASSWORD 'plain'`)
  await administer(`GRANT CREATE ON DATABASE ${name} TO ${role}`)
  const limits = async (locale: string) => {
    const env = { DATABASE_URL: urlOf(name, { name: role, password: 'plain' }) }
    const { stdout } = await run(['doctor', '--locale', locale], { cwd, env })
    return stdout.replaceAll(/\s+/g, ' ')
  }
  try {
    expect(await limits('en')).not.toContain('_timeout')
    await administer(`ALTER ROLE ${role} IN DATABASE ${name} SET statement_timeout = '90s'`)
    const mend = `ALTER ROLE ${role} IN DATABASE ${name} SET statement_timeout = 0;`
    expect(await limits('en')).toMatch(/not yet database statement_timeout is 90s: what takes longer/)
    expect(await limits('en')).toContain(`→ Have it run: ${mend}`)
    expect(await limits('zh-CN')).toContain('statement_timeout 为 90s')
  } finally {
    await execute(database, sql`DROP OWNED BY ${sql.identifier(role)}`)
    await administer(`DROP ROLE ${role}`)
  }
})

test('a mail server that is not there does not hide the other channels', async () => {
  const definition = workspace.parse({
    version: 1,
    name: 'Shop',
    timezone: 'UTC',
    currency: 'CNY',
    locales: ['en'],
    channels: { email: { from: 'shop@example.com', smtp: { host: '127.0.0.1', port: 1 } }, log: {} },
  })
  const findings = await checkChannels(registerChannels(definition), english)
  expect(findings).toMatchObject([
    {
      ...{ state: 'wrong', unavailable: true, found: expect.stringContaining('email: ') },
      mend: expect.stringContaining('`winback start --catch-mail`'),
    },
    { state: 'ok', found: expect.stringContaining('log: ') },
  ])
})

test('without Redis, the queue is on the database', async () => {
  expect(await checkRedis(undefined, english)).toMatchObject([{ state: 'ok' }])
})

test('a certificate that nobody believes is told from a server that is down, and how to have it believed', async () => {
  const { port, stop } = await startTrouble('self')
  const [finding] = await checkRedis(`rediss://127.0.0.1:${port}`, english)
  const [mail] = await checkChannels(
    registerChannels(
      workspace.parse({
        ...{ version: 1, name: 'Shop', timezone: 'UTC', currency: 'CNY', locales: ['en'] },
        channels: { email: { from: 'shop@example.com', smtp: { host: '127.0.0.1', port, secure: true } } },
      }),
    ),
    english,
  )
  await stop()
  expect(finding?.found).toContain('self-signed certificate')
  expect(mail?.found).toContain('self-signed certificate')
  for (const found of [finding, mail]) expect(found?.mend).toContain('NODE_EXTRA_CA_CERTS')
})

test('a Redis that does not answer is named without its password', async () => {
  const [finding] = await checkRedis('redis://user:secret@127.0.0.1:1', english)
  expect(finding).toMatchObject({ state: 'wrong', unavailable: true })
  expect(finding?.found).toContain('127.0.0.1:1 cannot be used: connect ECONNREFUSED')
  expect(JSON.stringify(finding)).not.toContain('secret')
})

describe.skipIf(!hasRedis())('with Redis', () => {
  test.each([
    ['is full', ['maxmemory', '1'], 'OOM command not allowed', 'Raise `maxmemory`'],
    ['is a replica', ['replicaof', '127.0.0.1 1'], 'READONLY', 'name the primary'],
    ['has lost its replicas', ['min-replicas-to-write', '1'], 'NOREPLICAS', 'See the log of Redis'],
  ] as const)('one that answers and %s is found', async (_, [setting, value], said, mend) => {
    const server = await startRedis()
    const client = new Redis(server.url)
    const look = async () => await checkRedis(server.url, english)
    try {
      expect(await look()).toMatchObject([{ state: 'ok' }])
      if (setting === 'replicaof') await client.call('REPLICAOF', ...value.split(' '))
      else await client.config('SET', setting, value)
      const found = await look()
      expect(found).toMatchObject([{ state: 'wrong', unavailable: true }])
      expect(found[0]?.found).toContain(`takes nothing that is written: ${said}`)
      expect(found[0]?.mend).toContain(mend)
      expect(await client.dbsize()).toBe(0)
    } finally {
      client.disconnect()
      await server.stop()
    }
  })

  test('Sentinels are asked for their master, and each node of a Cluster with the password; none is shown', async () => {
    const server = await startRedis({ arguments: ['--requirepass', 'p/w'] })
    const config = `sentinel monitor shop 127.0.0.1 ${server.port} 1\nsentinel auth-pass shop p/w\nrequirepass p/w\n`
    const watcher = await startRedis({ config, arguments: ['--sentinel'] })
    try {
      const [found] = await checkRedis(`redis+sentinel://:p%2Fw@127.0.0.1:${watcher.port}/shop`, english)
      expect(found).toMatchObject({
        state: 'ok',
        found: expect.stringContaining(`127.0.0.1:${watcher.port}/shop, maxmemory-policy noeviction`),
      })
      const host = `127.0.0.1:${server.port}`
      const nodes = await checkRedis(`redis://:p%2Fw@${host},${host}`, english)
      expect(nodes.map(({ state }) => state)).toEqual(['ok', 'ok'])
      const [refused] = await checkRedis(`redis+sentinel://:wrong@127.0.0.1:${watcher.port}/shop`, english)
      expect(refused).toMatchObject({ state: 'wrong', unavailable: true })
      expect(JSON.stringify(refused)).not.toContain(':wrong@')
    } finally {
      await watcher.stop()
      await server.stop()
    }
  })

  test('a policy that throws jobs away is wrong', async () => {
    const server = await startRedis()
    const redis = new Redis(server.url)
    try {
      expect(await checkRedis(server.url, english)).toMatchObject([
        { state: 'ok', found: expect.stringContaining('noeviction') },
      ])
      await redis.config('SET', 'maxmemory-policy', 'allkeys-lru')
      expect(await checkRedis(server.url, english)).toMatchObject([
        { state: 'wrong', found: expect.stringContaining('allkeys-lru') },
      ])
      await redis.config('SET', 'requirepass', 'right')
      expect(await checkRedis(server.url.replace('//', '//:wrong@'), english)).toMatchObject([
        { state: 'wrong', found: expect.stringContaining('WRONGPASS') },
      ])
    } finally {
      redis.disconnect()
      await server.stop()
    }
  })
})

test('what is paused goes on by the very command that doctor names, in either language', async () => {
  const { here } = await openCliShop()
  await run(['pause', '--all'], here)
  await run(['pause', '--channel', 'email'], here)
  const chinese = (await run(['doctor', '--locale', 'zh-CN'], here)).stdout
  const { findings } = JSON.parse((await run(['doctor', '--json'], here)).stdout) as { findings: Finding[] }
  const held = findings.filter(({ check }) => check === 'switches')
  expect(held).toHaveLength(2)
  for (const { mend = '' } of held) {
    const [, words = ''] = /`winback (resume [^`]+)`/.exec(mend) ?? []
    expect(chinese).toContain(`winback ${words}`)
    expect(await run([...words.split(' '), '--json'], here)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"outcome": "changed"'),
    })
  }
})

test('a provider that the workers cannot reach is said, with since when, why and how much waits', async () => {
  const { database, here } = await openCliShop()
  // As reports say it: in the shop's own zone, whatever the machine's.
  const file = join(here.cwd, 'winback.yaml')
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replace('timezone: UTC', 'timezone: America/New_York'))
  await run(['doctor'], here)
  // The next command applies the migrations.
  await run(['run'], here)
  await execute(
    database,
    sql`INSERT INTO steps (campaign, version, tier_no, tier, step_no, step, channels)
      VALUES ('graded', 1, 1, 'only', 1, 'one', '{email}')`,
  )
  await recordAbsence(database, 'email', 'connect ECONNREFUSED 10.0.0.1:25', new Date('2026-03-02T09:00:00Z'))
  const { findings } = JSON.parse((await run(['doctor', '--json'], here)).stdout) as { findings: Finding[] }
  expect(findings.filter(({ found }) => found.includes('cannot be reached since'))).toMatchObject([
    {
      check: 'channels',
      state: 'not_yet',
      found: expect.stringMatching(
        /^E-mail cannot be reached since Mar 2, 2026, 04:00 \(connect ECONNREFUSED 10\.0\.0\.1:25\)\. .*untried: 0; the next batch tries it\.$/,
      ),
      mend: expect.stringContaining('by itself'),
    },
  ])
  expect((await run(['doctor', '--locale', 'zh-CN'], here)).stdout).toContain('起无法连接')
  await execute(database, sql`DELETE FROM absences`)
  await recordAbsence(database, CREDITOR, '401 no such token', new Date('2026-03-02T09:00:00Z'))
  const later = JSON.parse((await run(['doctor', '--json'], here)).stdout) as { findings: Finding[] }
  expect(later.findings.filter(({ found }) => found.includes('cannot be reached since'))).toMatchObject([
    {
      check: 'offers',
      state: 'not_yet',
      found: expect.stringMatching(
        /^The provider that credits offers cannot be reached since Mar 2, 2026, 04:00 \(401 no such token\)\. Messages that wait for it: 0; /,
      ),
      mend: expect.stringContaining('`offers.provider` in winback.yaml'),
    },
  ])
  expect((await run(['doctor', '--locale', 'zh-CN'], here)).stdout).toContain('发放优惠的服务商自')
})

test('a scheduler without a worker is found, and one whose workers have another queue, whichever this machine has', async () => {
  const { database, here } = await openCliShop()
  const appear = (role: string, engine: string, place: string, id: string) =>
    execute(
      database,
      sql`INSERT INTO queue_processes (process_id, role, host, engine, place, queue_id, seen_at)
        VALUES (gen_random_uuid(), ${role}, ${`${role}.internal`}, ${engine}, ${place}, ${id}, clock_timestamp())`,
    )
  const queues = async () => {
    const { stdout, code } = await run(['doctor', '--json'], here)
    const { findings } = JSON.parse(stdout) as { findings: Finding[] }
    return { code, found: findings.filter(({ check, state }) => check === 'queue' && state === 'wrong') }
  }
  expect((await queues()).found).toEqual([])
  await appear('scheduler', 'postgres', '', 'postgres')
  expect((await queues()).found).toMatchObject([
    {
      found: expect.stringContaining('(scheduler.internal) and no worker'),
      mend: expect.stringContaining('winback worker'),
    },
  ])
  await appear('worker', 'redis', 'cache.internal:6379 {winback}', 'drawn')
  const { code, found } = await queues()
  expect(code).not.toBe(0)
  expect(found).toMatchObject([
    {
      found: expect.stringContaining(
        ': the database (scheduler on scheduler.internal); Redis at cache.internal:6379 {winback} (worker on worker.internal)',
      ),
      mend: expect.stringContaining('REDIS_URL'),
    },
  ])
  expect((await run(['doctor', '--locale', 'zh-CN'], here)).stdout).toContain(
    '调度器与工作进程使用的队列不同',
  )
})

test('a database that has no connection free says what to do about it', async () => {
  const { cwd } = (await openCliShop()).here
  const role = freshName()
  await administer(`CREATE ROLE ${role} LOGIN PASSWORD 'plain' CONNECTION LIMIT 0`)
  const name = new URL((await emptyDatabase()).url).pathname.slice(1)
  const env = { DATABASE_URL: urlOf(name, { name: role, password: 'plain' }) }
  try {
    const { code, stdout } = await run(['doctor', '--json'], { cwd, env })
    const { findings } = JSON.parse(stdout) as { findings: Finding[] }
    expect(code).toBe(3)
    expect(findings.find(({ check }) => check === 'database')).toMatchObject({
      found: expect.stringContaining('too many connections for role'),
      mend: expect.stringContaining('max_connections'),
    })
  } finally {
    await administer(`DROP ROLE ${role}`)
  }
})

test('what the role of the database lacks is said before a verb needs it', async () => {
  const { cwd } = (await openCliShop()).here
  const database = await emptyDatabase()
  const role = { name: freshName(), password: 'plain' }
  const name = new URL(database.url).pathname.slice(1)
  await administer(`CREATE ROLE ${role.name} LOGIN PASSWORD 'plain'`)
  await administer(`REVOKE TEMPORARY ON DATABASE ${name} FROM PUBLIC`)
  const lacks = async () => {
    const { stdout } = await run(['doctor', '--json'], { cwd, env: { DATABASE_URL: urlOf(name, role) } })
    const { findings } = JSON.parse(stdout) as { findings: Finding[] }
    return findings.flatMap(({ check, state, found, mend }) =>
      check === 'database' && state === 'wrong' ? [`${found} → ${mend}`] : [],
    )
  }
  const temporary = `the role ${role.name} may make no temporary table, which imports need → Have it run: GRANT TEMPORARY ON DATABASE ${name} TO ${role.name};`
  expect(await lacks()).toEqual([
    `the role ${role.name} may not make the schema winback → Have it run: GRANT CREATE ON DATABASE ${name} TO ${role.name};`,
    temporary,
  ])
  await administer(`GRANT CREATE, TEMPORARY ON DATABASE ${name} TO ${role.name}`)
  expect(await lacks()).toEqual([])
  await migrate(database)
  expect(await lacks()).toEqual([
    `the schema winback is not open to the role ${role.name} → Have it run: ALTER SCHEMA winback OWNER TO ${role.name};`,
    expect.stringMatching(/^\d+ tables of the schema winback belong to another role/),
  ])
  await execute(database, sql`ALTER SCHEMA winback OWNER TO ${sql.identifier(role.name)}`)
  await administer(`REVOKE CREATE ON DATABASE ${name} FROM ${role.name}`)
  expect(await lacks()).toEqual([
    expect.stringContaining('may make no schema, which a queue on the database asks for'),
    expect.stringMatching(/^\d+ tables/),
  ])
  // As on a standby.
  await administer(`ALTER ROLE ${role.name} SET default_transaction_read_only = on`)
  expect(await lacks()).toEqual([
    'nothing can be written there: it is a standby, or read-only → DATABASE_URL has to name the primary.',
  ])
  await execute(database, sql`DROP OWNED BY ${sql.identifier(role.name)} CASCADE`)
  await administer(`DROP ROLE ${role.name}`)
})
