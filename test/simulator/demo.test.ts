import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { environmentFrom } from '../../src/config/environment.ts'
import { ROOT } from '../docs/pages.ts'
import { eventually } from '../support/eventually.ts'

// The demo as it is started, in small: what it says, the web it leaves open, and how it ends.

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'winback-demo-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

function start(...args: string[]) {
  const { variables } = environmentFrom(process.env)
  const env = { PATH: variables.PATH, HOME: variables.HOME, LC_ALL: 'en_US.UTF-8' }
  const child = spawn(process.execPath, [join(ROOT, 'dist/simulator/demo.js'), ...args], {
    cwd: directory,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  const hear = (text: string) => {
    said += text
  }
  child.stdout.setEncoding('utf8').on('data', hear)
  child.stderr.setEncoding('utf8').on('data', hear)
  return { child, said: () => said, ended: once(child, 'close').then(([code]: unknown[]) => code) }
}

test('leaves the web open behind a link that signs in once, and ends by Ctrl-C', async () => {
  const { child, said, ended } = start('--people', '100', '--days', '1', '--web')
  await Promise.race([
    eventually('the web is open', said, (text) => text.includes('Ctrl-C ends it'), 60),
    ended.then(() => {
      throw new Error(said())
    }),
  ])
  const [link = ''] = /http:\/\/127\.0\.0\.1:\d+\/way-in\/\S+/.exec(said()) ?? []
  const visit = (url: string, cookie = '') => fetch(url, { headers: { Cookie: cookie }, redirect: 'manual' })
  const entered = await visit(link)
  const [cookie] = /winback_session=[^;]+/.exec(entered.headers.getSetCookie().join()) ?? []
  const mails = await visit(new URL('/outbox/mails', link).href, cookie)
  expect(mails.status).toBe(200)
  expect(await mails.text()).toContain('@example.com')
  const monday = await (await visit(new URL('/', link).href, cookie)).text()
  expect(monday).toContain('counted Sep 2, 2025')
  // It worked once, and whoever guesses gets no further than anybody.
  expect((await visit(link)).headers.getSetCookie()).toEqual([])
  expect((await visit(new URL('/way-in/guessed', link).href)).headers.getSetCookie()).toEqual([])

  const lines = said().split('\n')
  expect(lines).toContain('What one of them got, in order')
  expect(lines.filter((line) => line.includes(': sent (by ')).length).toBeGreaterThan(0)
  child.kill('SIGINT')
  expect(await ended).toBe(0)
}, 90_000)

test('explains its options, and leads there from one that does not exist', async () => {
  const helped = start('--help')
  expect(await helped.ended).toBe(0)
  expect(helped.said()).toMatch(/^npm run demo -- \[--web/)
  expect(helped.said()).toContain('npm run demo -- --people 500 --days 45')
  const wrong = start('--peple', '7')
  expect(await wrong.ended).toBe(2)
  expect(wrong.said()).toMatch(/Unknown option '--peple'[\s\S]*npm run demo -- --help/)
  const few = start('--people', '7')
  expect(await few.ended).toBe(2)
  expect(few.said()).toContain('--people 7: expected a whole number from 100 on')
}, 30_000)
