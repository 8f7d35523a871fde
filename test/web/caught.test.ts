import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import nodemailer from 'nodemailer'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { type MailCatcher, openCatcher } from '../../src/channels/email/catcher.ts'
import { manualClock } from '../../src/clock.ts'
import { startWeb, type WebServer } from '../../src/web/server.ts'
import { type CliShop, openCliShop, run } from '../cli/command.ts'
import { hasBrowser, LANGUAGES, lookAt, openWindow, WIDE } from '../support/browser.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop, type Shop } from '../support/shop.ts'
import { signIn } from '../support/sign-in.ts'

// Mail caught instead of sent, and shown to those who may see whom it was for.

const NOW = new Date('2026-03-02T09:00:00Z')
const HTML =
  '<!doctype html><html lang="en"><head><title>t</title><script>document.title = "ran"</script></head><body><p>Tea is ready – 茶</p><img src="https://tracker.example/o.gif" alt=""></body></html>'
let shop: Shop
let caught: MailCatcher
let server: WebServer
const cookies = { agent: '', viewer: '' }

beforeAll(async () => {
  const clock = manualClock(NOW)
  shop = await openShop({ database: await freshDatabase(), clock, channels: [testChannel('email')] })
  caught = await openCatcher({ host: '127.0.0.1', port: 0 }, () => clock.now())
  server = await startWeb({ runtime: shop.runtime, caught }, { host: '127.0.0.1', port: 0 })
  cookies.agent = await signIn(shop.database, 'agent', 'agent', NOW)
  cookies.viewer = await signIn(shop.database, 'viewer', 'viewer', NOW)
})
afterAll(async () => {
  await server.close(0)
  await caught.close()
  await shop.runtime.close()
})

const get = async (path: string, who: keyof typeof cookies) =>
  await fetch(`${server.address}${path}`, { headers: { Cookie: cookies[who] }, redirect: 'manual' })

test('says so while nothing was caught', async () => {
  expect(await (await get('/outbox/mails', 'agent')).text()).toContain('No mail was caught yet')
})

test('says of contacts alone that no activity came in yet, and not that nothing did', async () => {
  await shop.importContacts([{ external_id: 'li', email: 'li@example.com' }])
  expect(await (await get('/contacts', 'agent')).text()).toContain('<footer>No activity was imported yet · ')
})

describe('a mail that was caught', () => {
  beforeAll(async () => {
    const transport = nodemailer.createTransport({ host: '127.0.0.1', port: caught.port, secure: false })
    await transport.sendMail({
      from: 'Lantern Tea <hello@tea.example>',
      to: 'li@example.com',
      subject: '春茶 is here',
      text: 'Tea is ready',
      html: HTML,
      headers: { 'List-Unsubscribe': '<https://tea.example/u/1>' },
    })
    transport.close()
  })

  it('is listed with whom it was for, and shown with text and headers, to those who may see addresses alone', async () => {
    expect(caught.list()).toMatchObject([{ no: 1, at: NOW, to: ['li@example.com'], subject: '春茶 is here' }])
    const list = await (await get('/outbox/mails', 'agent')).text()
    expect(list).toContain('春茶 is here')
    expect(list).toContain('li@example.com')
    const mail = await (await get('/outbox/mails/1', 'agent')).text()
    expect(mail).toContain('Tea is ready')
    expect(mail).toContain('List-Unsubscribe')
    for (const path of ['/outbox/mails', '/outbox/mails/1', '/outbox/mails/1/message']) {
      expect((await get(path, 'viewer')).status).toBe(403)
    }
    expect(await (await get('/outbox', 'viewer')).text()).not.toContain('/outbox/mails')
    expect((await get('/outbox/mails/7', 'agent')).headers.get('Location')).toBe('/outbox/mails')
  })

  it('comes with a policy under which it can neither run nor fetch anything', async () => {
    const policy = (await get('/outbox/mails/1/message', 'agent')).headers.get('Content-Security-Policy')
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain('sandbox')
  })

  it.runIf(hasBrowser)(
    'is shown in a browser without asking anybody, in any language, width or light',
    async () => {
      const found: string[] = []
      for (const language of LANGUAGES) {
        // What the policy refuses, the console says: of the frame alone.
        const said: string[] = []
        const { context, page } = await openWindow(server.address, cookies.agent, { language, ...WIDE }, said)
        const asked: string[] = []
        page.on('response', (answer) => asked.push(answer.url()))
        for (const path of ['/outbox/mails', '/outbox/mails/1?width=phone']) {
          await page.goto(`${server.address}${path}`)
          found.push(...(await lookAt(page)).map((problem) => `${path} ${language} ${problem}`))
        }
        expect(await page.frameLocator('iframe').locator('p').textContent()).toBe('Tea is ready – 茶')
        expect(asked.filter((url) => !url.startsWith(server.address))).toEqual([])
        await context.close()
      }
      expect(found).toEqual([])
    },
    60_000,
  )
})

test('the catcher keeps the newest 200', async () => {
  const transport = nodemailer.createTransport({ host: '127.0.0.1', port: caught.port, pool: true })
  await Promise.all(
    Array.from({ length: 205 }, (_, no) =>
      transport.sendMail({ from: 'a@tea.example', to: `p${no}@example.com`, subject: `${no}`, text: 'x' }),
    ),
  )
  transport.close()
  expect(caught.list()).toHaveLength(200)
  expect(caught.find(1)).toBeUndefined()
  expect(caught.count()).toBeGreaterThanOrEqual(205)
})

describe('start --catch-mail is refused', () => {
  let here: CliShop['here']
  beforeAll(async () => {
    here = (await openCliShop()).here
  })

  it('where mail goes to another machine: it is real', async () => {
    const real = { ...here, env: { ...here.env, SMTP_HOST: 'smtp.tea.example' } }
    const ran = await run(['start', '--catch-mail'], real)
    expect(ran.code).not.toBe(0)
    expect(ran.stderr).toContain('channels.email sends to smtp.tea.example, which is another machine')
  })

  it('where something listens there already', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    const file = join(here.cwd, 'winback.yaml')
    await writeFile(file, (await readFile(file, 'utf8')).replaceAll('1025', String(port)))
    const ran = await run(['start', '--catch-mail'], here)
    expect(ran.code).not.toBe(0)
    expect(ran.stderr).toContain(`mail cannot be caught on 127.0.0.1:${port}`)
    // Before anything listens: where the process shows no page, nobody could look at it.
    await writeFile(file, `${await readFile(file, 'utf8')}\nweb: { serve: false }\n`)
    const unseen = await run(['start', '--catch-mail'], here)
    expect(unseen).toMatchObject({ code: 1, stderr: expect.stringContaining('`serve: false`') })
    other.close()
  })
})
