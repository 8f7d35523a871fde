import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { manualClock } from '../../../src/clock.ts'
import { connect, rows } from '../../../src/database/connect.ts'
import { openRuntime } from '../../../src/service/runtime.ts'
import { composeWeb } from '../../../src/web/server.ts'
import { parseWorkspace } from '../../support/shop.ts'
import { startSmtp } from '../../support/smtp.ts'
import { openCliShop, run } from '../command.ts'

const CAMPAIGN = `
version: 1
campaign: graded-recall
title: Credited
schedule: "0 9 * * *"
timezone: UTC
goals: { recall: { event: session } }
window: 20d
holdout: 0%
offers:
  five_off: { kind: coupon, amount: 5 CNY, valid: 7d, stock: 100 }
tiers:
  - name: only
    inactive: 3d..40d
    steps: [{ id: hello, channel: log, offer: five_off }]
`

test.each([
  ['sending nothing', []],
  ['sending', ['--deliver']],
])('a replay, %s, credits no account, and its grants count as credited', async (_, more) => {
  const asked: string[] = []
  const shop = createServer((request, response) => {
    asked.push(String(request.headers['idempotency-key']))
    response.writeHead(200).end('{}')
  })
  shop.listen(0, '127.0.0.1')
  await once(shop, 'listening')
  try {
    const { database, here } = await openCliShop()
    const write = (name: string, text: string) => writeFile(join(here.cwd, name), text)
    const url = `http://127.0.0.1:${(shop.address() as AddressInfo).port}/credits`
    const workspace = await readFile(join(here.cwd, 'winback.yaml'), 'utf8')
    await write(
      'winback.yaml',
      `${workspace.replace('control: 5%', 'control: 0%')}\noffers: { provider: { url: "${url}" } }\n`,
    )
    await write('campaigns/graded-recall.yaml', CAMPAIGN)
    await write(
      'acts.csv',
      'external_id,type,occurred_at\nu1,session,2026-01-01T00:00:00Z\nu2,session,2026-01-02T00:00:00Z\n',
    )
    await run(['import', 'activity', 'acts.csv'], here)
    const replayed = await run(
      ['replay', '--from', '2026-01-08', '--to', '2026-01-10', '--step', '1d', '--json', ...more],
      here,
    )
    expect(replayed).toMatchObject({ code: 0, stderr: '' })
    const past = connect(database.url, { schema: 'winback_replay' })
    try {
      expect(
        await rows(past, sql`SELECT state, credit, count(*) AS grants FROM grants GROUP BY 1, 2`),
      ).toEqual([{ state: 'granted', credit: 'credited', grants: 2 }])
    } finally {
      await past.close()
    }
    expect(asked).toEqual([])
  } finally {
    shop.close()
    shop.closeAllConnections()
  }
})

test('the links of what a replay delivers are nobody’s, and say so: its people are real', async () => {
  const smtp = await startSmtp()
  const { database, here } = await openCliShop()
  const write = (name: string, text: string) => writeFile(join(here.cwd, name), text)
  const workspace = (await readFile(join(here.cwd, 'winback.yaml'), 'utf8'))
    .replace('control: 5%', 'control: 0%')
    .replace('port: 1025', `port: ${smtp.port}`)
    .replace(/^# web: .*$/m, 'web: { host: 127.0.0.1, port: 7420, url: "https://shop.example" }')
  await write('winback.yaml', workspace)
  await write(
    'templates/hi.en.hbs',
    '---\nsubject: Hi\n---\n<a href="{{links.unsubscribe}}">Leave</a> <a href="{{links.preferences}}">Choose</a>\n',
  )
  await write(
    'campaigns/graded-recall.yaml',
    CAMPAIGN.replace('channel: log, offer: five_off', 'channel: email, template: hi'),
  )
  await write('people.csv', 'external_id,email,locale\nu1,u1@shop.example,en\n')
  await write('acts.csv', 'external_id,type,occurred_at\nu1,session,2026-01-01T00:00:00Z\n')
  await run(['import', 'contacts', 'people.csv'], here)
  await run(['import', 'activity', 'acts.csv'], here)
  const asked = ['replay', '--from', '2026-01-08', '--to', '2026-01-10', '--step', '1d', '--deliver']
  expect(await run(asked, here)).toMatchObject({ code: 0, stderr: '' })
  const [mail] = smtp.messages
  const text = String(mail?.raw).replaceAll('=\r\n', '').replaceAll('=3D', '=')
  const [unsubscribe, preferences] = ['u', 'preferences'].map(
    (path) => new RegExp(`href="https://shop\\.example(/${path}/[^"]+)"`).exec(text)?.[1] ?? '',
  )
  const clock = manualClock(new Date('2026-01-11T00:00:00Z'))
  const runtime = await openRuntime({
    database,
    workspace: parseWorkspace(workspace),
    clock,
    channels: new Map(),
  })
  try {
    const app = composeWeb({ runtime })
    for (const path of [unsubscribe ?? '', preferences ?? '']) {
      for (const method of ['GET', 'POST']) {
        const body = method === 'GET' ? {} : { body: new URLSearchParams({ way: 'page', do: 'nothing' }) }
        const answer = await app.request(path, { method, ...body })
        expect(answer.status).toBe(200)
        expect(await answer.text()).toContain('This message was a test')
      }
    }
    for (const table of ['suppressions', 'preferences', 'delivery_events']) {
      expect(await rows(database, sql`SELECT FROM ${sql.identifier(table)}`)).toEqual([])
    }
  } finally {
    await runtime.close()
    await smtp.stop()
  }
})

test('a replay that is interrupted ends with the moment it is at, and is made anew by the next', async () => {
  const smtp = await startSmtp()
  const { here } = await openCliShop()
  const file = join(here.cwd, 'winback.yaml')
  const workspace = (await readFile(file, 'utf8')).replace('control: 5%', 'control: 0%')
  await writeFile(file, workspace.replace('port: 1025', `port: ${smtp.port}`))
  const mail = 'channel: email, template: come-back'
  await writeFile(
    join(here.cwd, 'campaigns/graded-recall.yaml'),
    CAMPAIGN.replace('channel: log, offer: five_off', mail).replace(/offers:\n.*\n/, ''),
  )
  await writeFile(join(here.cwd, 'people.csv'), 'external_id,email\nu1,u1@shop.example\n')
  await writeFile(
    join(here.cwd, 'acts.csv'),
    'external_id,type,occurred_at\nu1,session,2025-01-01T00:00:00Z\n',
  )
  await run(['import', 'contacts', 'people.csv'], here)
  await run(['import', 'activity', 'acts.csv'], here)
  const asked = ['replay', '--from', '2025-01-08', '--to', '2026-11-01', '--step', '1d', '--deliver']
  const interrupt = new AbortController()
  const ran = run(asked, here, interrupt.signal)
  await smtp.received(1)
  interrupt.abort('SIGINT')
  expect(await ran).toMatchObject({ code: 130, stdout: '' })
  await smtp.stop()
})
