import { once } from 'node:events'
import { appendFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { RunResult } from '../../../src/audience/run.ts'
import { openOutput, timed } from '../../../src/cli/output.ts'
import { narrate } from '../../../src/cli/verbs/narration.ts'
import { manualClock } from '../../../src/clock.ts'
import { CREDITOR } from '../../../src/config/waits.ts'
import type { SyncSummary } from '../../../src/contacts/sync/sync.ts'
import { speechOf } from '../../../src/reports/words.ts'
import { openCliShop, run, startBuilt } from '../command.ts'

const at = new Date('2026-11-25T01:00:00.000Z')

/** What a service says of what happened, in a language, without the times. */
function narration(locale: string) {
  const said: string[] = []
  const speech = speechOf({ locale })
  const output = openOutput({
    json: false,
    noColor: true,
    stdout: { write: () => {} },
    stderr: { write: (text) => said.push(text.replace(`${at.toISOString()} `, '').trimEnd()) },
    language: speech.language,
  })
  return { said, events: narrate({ clock: manualClock(at), output }, speech) }
}

const nothing = { considered: 0, answers: {}, advanced: 0, ended: 0 }
const paused: RunResult = {
  ...nothing,
  runId: 0,
  state: 'paused',
  note: 'the campaign is paused: pause by mei',
  hindrance: {
    state: 'paused',
    note: 'the campaign is paused: pause by mei',
    by: 'campaign',
    why: 'pause by mei',
  },
}
const feed = { newestAt: null, lastDay: 0, normal: null, fault: 'never' } as const
const refusal = { state: 'refused', note: 'no activity has ever arrived' } as const

const synced: SyncSummary = {
  sync: 'customers',
  kind: 'contacts',
  state: 'done',
  dryRun: false,
  place: 'db.example:5432/shop',
  rows: 6,
  inserted: 3,
  updated: 2,
  unchanged: 0,
  erased: 0,
  rejected: 1,
  unknown: 0,
  warnings: 0,
  seconds: 1,
  cursor: null,
  rejectFile: undefined,
  reasons: [],
  warningReasons: [],
}

test.each([
  [
    'en',
    [
      'autumn does not run: the campaign is paused: pause by mei',
      'run autumn for 2026-11-25T01:00:00.000Z: done, 120 considered, 12 opened, 108 audience',
      'run autumn for 2026-11-25T01:00:00.000Z: refused (no activity has ever arrived), 0 considered',
      'warning: autumn refused to run: no activity has ever arrived',
      'run autumn for 2026-11-25T01:00:00.000Z: stopped (stopped during the run), 0 considered',
      'batch of 20: 17 sent, 1 skipped, 2 deferred',
      'batch of 5: 5 deferred',
      'warning: channel email took none of 5 messages (451 4.3.0 <l***@shop.example> disk full)',
      'swept: 1 released, 2 to be repeated, 3 uncertain',
      'channel email half open: tried again with a few messages',
      'sync customers: 3 new, 2 updated, 1 rejected',
      'redemptions refused: 2 unknown_code',
      'warning: channel email rests for 120 s: its provider takes connections and does not say what it took',
      'warning: channel email cannot be reached since 2026-11-25T01:00:00.000Z (connect ECONNREFUSED): it rests until 2026-11-25T01:01:00.000Z, and costs no message a try',
      'channel email is reached again: it was away since 2026-11-25T01:00:00.000Z',
      'warning: the provider that credits offers cannot be reached since 2026-11-25T01:00:00.000Z (connect ECONNREFUSED): what it is to be asked for waits, and costs no message a try',
      'the provider that credits offers is reached again: it was away since 2026-11-25T01:00:00.000Z',
      expect.stringMatching(
        /^warning: a scheduler runs \(a\) and no worker: nothing is sent\. Start one: `winback worker`/,
      ),
      expect.stringMatching(
        /^warning: a worker runs \(b\) and no scheduler: .*\. Start one: `winback scheduler`/,
      ),
      expect.stringMatching(/^warning: schedulers and workers have different queues.*\. Give all of them/),
      'schedulers and workers are together at one queue again',
    ],
  ],
  [
    'zh-CN',
    [
      'autumn 不运行：本活动已暂停（由 mei 暂停）',
      '运行 autumn（2026-11-25T01:00:00.000Z）：已完成，考察 120 人：已纳入 12 人；不在受众内：条件不成立 108 人',
      '运行 autumn（2026-11-25T01:00:00.000Z）：被拒绝（从未收到任何活跃数据），考察 0 人',
      '警告：autumn 被拒绝运行：从未收到任何活跃数据',
      '运行 autumn（2026-11-25T01:00:00.000Z）：已停止（运行途中活动被停止），考察 0 人',
      '批次 20 条：已发送 17；未发送 1；已推迟 2',
      '批次 5 条：已推迟 5',
      '警告：渠道 email 没有接受 5 条消息中的任何一条（451 4.3.0 <l***@shop.example> disk full）',
      '清理：释放 1；待重发 2；是否送达未知 3',
      '渠道 email 半开：用少量消息重新试发',
      '同步 customers：新增 3，更新 2，拒收 1',
      '核销被拒：没有人领取过此券码 2 次',
      '警告：渠道 email 暂停 120 秒：服务商接受连接，却不说明是否已接收',
      '警告：渠道 email 自 2026-11-25T01:00:00.000Z 起无法连接（connect ECONNREFUSED）：暂停至 2026-11-25T01:01:00.000Z，不计入消息的尝试次数',
      '渠道 email 已恢复连接：自 2026-11-25T01:00:00.000Z 起失联',
      '警告：发放优惠的服务商自 2026-11-25T01:00:00.000Z 起无法连接（connect ECONNREFUSED）：待其发放的优惠等待重试，不计入消息的尝试次数',
      '发放优惠的服务商已恢复连接：自 2026-11-25T01:00:00.000Z 起失联',
      expect.stringMatching(/^警告：只有调度器在运行（a），没有工作进程：.*。请启动工作进程/),
      expect.stringMatching(/^警告：只有工作进程在运行（b），没有调度器：.*。请启动调度器/),
      expect.stringMatching(/^警告：调度器与工作进程使用的队列不同.*。请让所有进程/),
      '调度器与工作进程已重新使用同一队列',
    ],
  ],
])('a service tells in %s what it does', (locale, expected) => {
  const { said, events } = narration(locale)
  events.onRun('autumn', at, paused)
  const answers = { opened: 12, audience: 108 }
  events.onRun('autumn', at, { ...nothing, runId: 1, state: 'done', note: null, considered: 120, answers })
  events.onRun('autumn', at, { ...nothing, runId: 2, ...refusal, hindrance: { ...refusal, feed } })
  events.onRun('autumn', at, { ...nothing, runId: 3, state: 'stopped', note: 'stopped during the run' })
  events.onBatch({ claimed: 20, settled: { sent: 17, skipped: 1 }, deferred: 2 })
  const said451 = '451 4.3.0 <li@shop.example> disk full'
  const tookNone = [{ channel: 'email', messages: 5, said: said451 }]
  events.onBatch({ claimed: 5, settled: {}, deferred: 5, tookNone })
  events.onSweep({ released: 1, repeated: 2, uncertain: 3 })
  const reason = 'tried again with a few messages'
  events.onTripped?.({ scope: 'channel', name: 'email', event: 'half_open', reason })
  events.onSync?.(synced)
  events.onRefused?.({ unknown_code: 2 })
  events.onRest?.('email', 120_000)
  const away = {
    channel: 'email',
    since: at,
    detail: 'connect ECONNREFUSED',
    nextAt: new Date(at.getTime() + 60_000),
  }
  events.onReach?.(away)
  events.onReach?.({ channel: 'email', since: at })
  events.onReach?.({ ...away, channel: CREDITOR })
  events.onReach?.({ channel: CREDITOR, since: at })
  const queue = { engine: 'postgres', place: '', schedulers: ['a'], workers: [] } as const
  // Told by the scheduler and by the worker of one process.
  const other = { ...queue, schedulers: [], workers: ['b'] } as const
  const gaps = [
    { kind: 'no_worker', queues: [queue] },
    { kind: 'no_scheduler', queues: [other] },
    { kind: 'apart', queues: [queue, other] },
    undefined,
  ] as const
  for (const gap of gaps) for (let side = 0; side < 2; side += 1) events.onGap?.(gap)
  expect(said).toEqual(expected)
})

test('an error that comes every second is said once a minute, with how often it came', () => {
  const said: string[] = []
  const stderr = { write: (text: string) => said.push(text.replace(/^\S+ /, '').trimEnd()) }
  const clock = manualClock(at)
  const output = openOutput({ json: false, noColor: true, stdout: { write: () => {} }, stderr })
  const events = narrate({ clock, output }, speechOf({ locale: 'en' }))
  const refused = new Error('connect ECONNREFUSED 10.0.0.1:5432')
  for (let second = 0; second <= 60; second += 1) {
    clock.set(new Date(at.getTime() + second * 1000))
    events.onError('dispatch', refused)
    if (second === 30) events.onError('sweep', refused)
  }
  const dispatch = 'warning: dispatch: connect ECONNREFUSED 10.0.0.1:5432'
  const sweep = 'warning: sweep: connect ECONNREFUSED 10.0.0.1:5432'
  expect(said).toEqual([dispatch, sweep, `${dispatch} (54 more times since it was said last)`])
  // The clock is put back: what was said in time to come holds nothing back.
  clock.set(new Date(at.getTime() - 3_600_000))
  events.onError('dispatch', refused)
  expect(said.at(-1)).toBe(`${dispatch} (5 more times since it was said last)`)
  // What each minute does and fails at is said each time.
  for (const moment of [60_000, 119_950]) {
    clock.set(new Date(at.getTime() + 86_400_000 + moment))
    events.onError('schedule', new Error('no space left on device'))
  }
  expect(said.filter((line) => line.includes('schedule'))).toHaveLength(2)
})

test('requests that fail are said each by its id, but for those that meet an outage', () => {
  const { said, events } = narration('en')
  const away = Object.assign(new Error('the database system is shutting down'), { code: '57P03' })
  for (const request of ['a', 'b', 'c']) {
    events.onError('POST /v1/track', away, request)
    events.onError('GET /contacts/:id', new Error('odd'), request)
  }
  expect(said).toEqual([
    'warning: POST /v1/track (request a): the database system is shutting down',
    ...['a', 'b', 'c'].map((request) => `warning: GET /contacts/:id (request ${request}): odd`),
  ])
})

test('with --json each thing it tells is one JSON line with its moment, warnings and errors too', () => {
  const said: string[] = []
  const stderr = { write: (text: string) => said.push(text) }
  const clock = manualClock(at)
  const output = timed(openOutput({ json: true, noColor: true, stdout: { write: () => {} }, stderr }), clock)
  const events = narrate({ clock, output }, speechOf({ locale: 'en' }))
  events.onRun('autumn', at, { ...nothing, runId: 2, ...refusal, hindrance: { ...refusal, feed } })
  events.onError('worker', new Error('connect ECONNREFUSED 10.0.0.1:5432'))
  output.warn('the embedded database is away')
  const moment = at.toISOString()
  expect(said.map((line) => JSON.parse(line))).toEqual([
    expect.objectContaining({ at: moment, event: 'run', campaign: 'autumn', state: 'refused' }),
    { at: moment, event: 'refused', campaign: 'autumn', note: 'no activity has ever arrived' },
    {
      at: moment,
      event: 'error',
      where: 'worker',
      message: 'connect ECONNREFUSED 10.0.0.1:5432',
    },
    { at: moment, event: 'warning', message: 'the embedded database is away' },
  ])
})

test('at a terminal a warning of what runs on says when it was', () => {
  let said = ''
  const stderr = {
    isTTY: true,
    write: (text: string) => {
      said += text
    },
  }
  const plain = openOutput({ json: false, noColor: true, stdout: { write: () => {} }, stderr })
  timed(plain, manualClock(at)).warn('no disk')
  narrate({ clock: manualClock(at), output: plain }, speechOf({ locale: 'en' })).onError('sweep', 'no answer')
  expect(said).toBe(`${at.toISOString()} warning: no disk\n${at.toISOString()} warning: sweep: no answer\n`)
})

test('a service with --json writes JSON lines alone, from its beginning to its end', async () => {
  const { here } = await openCliShop()
  await appendFile(join(here.cwd, 'winback.yaml'), '\nweb: { port: 0 }\n')
  const service = startBuilt(['start', '--json'], here)
  await service.says('"event":"running"')
  service.kill('SIGTERM')
  const { code, stdout, stderr } = await service.ended
  // Both streams may be one, as in a container: a document behind the lines is none of them.
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
  const lines = stderr.trimEnd().split('\n')
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { at: expect.any(String), event: 'web', address: expect.stringMatching(/^http:/) },
    { at: expect.any(String), event: 'nobody_can_sign_in', link: expect.stringMatching(/^http:/) },
    {
      at: expect.any(String),
      event: 'running',
      workspace: 'Shop',
      roles: ['scheduler', 'worker', 'web'],
      queue: 'postgres',
      campaigns: ['No campaign was applied yet: run `winback apply`; it is picked up within a minute.'],
    },
    { at: expect.any(String), event: 'ending' },
  ])
})

test('a service whose port is taken has queued nothing that would wait for somebody to send it', async () => {
  const { here, database } = await openCliShop()
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  try {
    await appendFile(join(here.cwd, 'winback.yaml'), `\nweb: { port: ${port} }\n`)
    const schemas = async () =>
      (await database.client.query('SELECT nspname FROM pg_namespace ORDER BY 1')).rows as unknown[]
    const before = await schemas()
    expect(await run(['start'], here)).toMatchObject({ code: 1, stderr: expect.stringContaining('web.port') })
    // The queue has a schema of its own as soon as anybody opens it.
    expect(await schemas()).toEqual(before)
  } finally {
    other.close()
  }
})

test('a service that begins and ends says so in Chinese, with what comes next', async () => {
  const { here } = await openCliShop()
  await appendFile(join(here.cwd, 'winback.yaml'), '\nweb: { port: 0 }\n')
  expect(await run(['apply'], here)).toMatchObject({ code: 0 })
  const service = startBuilt(['start', '--locale', 'zh-CN'], here)
  await service.says('graded-recall：下次运行')
  service.kill('SIGINT')
  const { code, stdout, stderr } = await service.ended
  expect({ code, stdout }).toEqual({ code: 0, stdout: '已停止。\n' })
  for (const said of [
    /^网页地址：http:/m,
    /^ {2}目前还没有人能登录。请用此链接设置管理员密码，仅可使用一次：http/m,
    /：scheduler、worker、web 运行中，队列使用 PostgreSQL。按 Ctrl-C 停止。$/m,
    /^正在停止。再按一次 Ctrl-C 立即退出。$/m,
    /^正在等待进行中的工作完成 …$/m,
  ]) {
    expect(stderr).toMatch(said)
  }
  expect(stderr.replaceAll(/`[^`]*`|\S+:\S+/g, '')).not.toMatch(/[a-z]{2,} [a-z]{2,}/i)
})
