import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { beforeAll, expect, test } from 'vitest'
import { referenceOf } from '../../src/channels/reference.ts'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import { readSigningKeys } from '../../src/service/links.ts'
import { signAddress } from '../../src/tokens/address.ts'
import { type CliShop, openCliShop, run, startBuilt } from './command.ts'

// What is worked on at the terminal: calls, and mail that comes back through a pipe.

let database: Database
let here: CliShop['here']
let contactId: number

beforeAll(async () => {
  ;({ database, here } = await openCliShop())
  const file = join(here.cwd, 'winback.yaml')
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replace(/^ {2}email:\n/m, '  email:\n    bounces: bounce@shop.example\n'))
  await writeFile(join(here.cwd, 'people.csv'), 'external_id,email,phone\nc1,c1@example.com,+8613800000001\n')
  await run(['import', 'contacts', 'people.csv'], here)
  // Whatever the hour is while this runs, it is one to call at.
  const campaign = join(here.cwd, 'campaigns', 'graded-recall.yaml')
  const windows = /send_window: .*/
  await writeFile(
    campaign,
    (await readFile(campaign, 'utf8')).replace(windows, 'send_window: { default: 00:00-24:00 }'),
  )
  expect((await run(['apply'], here)).code).toBe(0)
  const [made] = await rows<{ id: number }>(
    database,
    sql`INSERT INTO calls (contact_id, touchpoint_id, episode_id, step_id, campaign, kind, script, taker, priority, state,
          opened_at, due_at, next_attempt_at)
        SELECT c.contact_id, 1, 1, s.step_id, s.campaign, 'recall', 'Say hello', 'agent', 5, 'open', now(), now(), now()
        FROM contacts c, (SELECT * FROM steps ORDER BY step_id LIMIT 1) s RETURNING contact_id AS id`,
  )
  contactId = made?.id ?? 0
})

test('a call is taken, tried again at the time an agent names, and told of in words', async () => {
  const calls = (...args: string[]) => run(['calls', ...args], here)
  const listed = JSON.parse((await calls('list', '--free', '--json')).stdout) as { calls: { id: string }[] }
  const id = listed.calls[0]?.id ?? ''
  expect((await calls('claim', id, '--agent', 'mei')).stdout).toContain('Say hello')
  const taken = await calls('claim', id, '--agent', 'bo')
  expect(taken.stderr).toContain(`mei has taken ${id}`)
  const said = ['--agent', 'mei', '--minutes', '2']
  const early = await calls('outcome', id, 'call_back', ...said, '--next', '2020-01-02T10:00:00+08:00')
  expect(early).toMatchObject({ code: 2, stderr: expect.stringContaining('lies in the past') })
  expect((await calls('outcome', id, 'reachd', ...said)).stderr).toContain('Did you mean reached?')
  expect((await calls('outcome', id, 'reached', '--reason', 'prize')).stderr).toContain('Did you mean price?')
  expect((await calls('list', '--campaign', 'graded-recal')).stderr).toContain('Did you mean graded-recall?')
  // As `--as-of` is, and the page’s own field: without an offset, in the zone of the workspace, whatever the machine’s is.
  const workspace = await readFile(join(here.cwd, 'winback.yaml'), 'utf8')
  await writeFile(join(here.cwd, 'there.yaml'), workspace.replace('timezone: UTC', 'timezone: Asia/Shanghai'))
  const again = await calls(
    ...['outcome', id, 'call_back', ...said, '--next', '2099-01-02T10:00', '--workspace', 'there.yaml'],
  )
  expect(again.stdout).toBe('It comes again on Jan 2, 2099, 10:00.\n')
  expect((await calls('outcome', id, 'call_back', ...said, '--next', '5')).code).toBe(2)
  expect((await calls('list', '--free')).stdout).toBe('There is nobody to be called.\n')
  expect((await calls('list', '--free', '--locale', 'zh-CN')).stdout).toBe('当前没有需要拨打的电话。\n')
  // Of a day of two digits in a month of two: with a shorter one the list is narrow enough for a table.
  await execute(database, sql`UPDATE calls SET next_attempt_at = now(), due_at = '2025-12-30T10:00Z'`)
  const chinese = (await calls('list', '--locale', 'zh-CN')).stdout
  expect(chinese).toMatch(/2025年12月30日 10:00 已超时.* 已拨 1\n/)
  const why = ['--reason', 'price', '--sentiment', 'neutral']
  const next = ['--next', '2099-01-02T10:00:00+08:00']
  expect((await calls('outcome', id, 'call_back', ...said, ...why, ...next)).stdout).toBe(
    'It comes again on Jan 2, 2099, 02:00.\n',
  )
  const told = await calls('claim', id, '--agent', 'mei')
  expect(told.stdout).toContain('mei: Call again later\n')
  expect(told.stdout).toContain('mei: Call again later, Too expensive, neutral\n')
  expect((await calls('release', id, '--agent', 'mei', '--locale', 'zh-CN')).stdout).toBe(
    `${id} 已放回队列。\n`,
  )
  const spoken = await calls('claim', id, '--agent', 'mei', '--locale', 'zh-CN')
  expect(spoken.stdout).toContain('mei：约定再打，价格太高，平淡\n')
  expect(spoken.stdout).toContain('通话之后：winback calls outcome')
  const ended = await calls('outcome', id, 'opted_out', ...said)
  expect(ended.stdout).toBe('It is done. c1 gets no marketing any more.\n')
  expect((await calls('claim', id, '--agent', 'bo')).stderr).toContain(
    `${id} is over: they want to hear nothing more`,
  )
})

test('a returned mail is read from a pipe, and silences the address once', async () => {
  const message = { contactId, touchpointId: 2 }
  const sent = new Date()
  await ensurePartitions(database, 'touchpoint_records', [sent])
  await execute(
    database,
    sql`INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, state, channel, attempt, planned_for,
          settled_at)
        SELECT ${contactId}, 2, 1, min(step_id), 'sent', 'email', 1, ${sent}, ${sent} FROM steps`,
  )
  const keys = await readSigningKeys(database)
  const mail = (to: string) =>
    [
      `To: ${to}`,
      'MIME-Version: 1.0',
      'Content-Type: multipart/report; report-type=delivery-status; boundary=B',
      '',
      '--B',
      'Content-Type: message/delivery-status',
      '',
      'Reporting-MTA: dns; mx.example',
      '',
      'Final-Recipient: rfc822; c1@example.com',
      'Action: failed',
      'Status: 5.1.1',
      '',
      '--B--',
      '',
    ].join('\r\n')
  const pipe = (text: string) => startBuilt(['bounce'], here, text).ended
  const ours = mail(`bounce+${signAddress(keys, 'bounce', referenceOf(message))}@shop.example`)
  expect(await pipe(ours)).toMatchObject({ code: 0, stdout: expect.stringContaining('recorded: ') })
  expect(await pipe(ours)).toMatchObject({ code: 0, stdout: expect.stringContaining('ignored: ') })
  await writeFile(join(here.cwd, 'forged.eml'), mail('bounce+1-forged@shop.example'))
  expect(await run(['bounce', 'forged.eml'], here)).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('refused: '),
  })
  expect(await rows(database, sql`SELECT reason FROM suppressions WHERE kind = 'email'`)).toEqual([
    { reason: 'hard_bounce' },
  ])
})
