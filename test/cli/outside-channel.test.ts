import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { environmentFrom } from '../../src/config/environment.ts'
import { loadWorkspace } from '../../src/config/load.ts'
import { findContact } from '../../src/contacts/external-ids.ts'
import { type Database, rows } from '../../src/database/connect.ts'
import { openLinks, preferencesUrl } from '../../src/service/links.ts'
import { openRuntime } from '../../src/service/runtime.ts'
import { composeWeb } from '../../src/web/server.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { freshDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { redisUrl } from '../support/redis.ts'
import { run, startBuilt, webOf } from './command.ts'

// A workspace whose winback.yaml names a channel of its own by a path, from `validate` to the receipt of its gateway.

const ROOT = join(import.meta.dirname, '../..')

/** Not idempotent, as most gateways; says what the gateway said, and nonsense where the gateway does. */
const RELAY = `
import { amount, defineChannel, openLane, parsePrice, readReference, referenceOf, z } from 'winback/channel'

export default defineChannel({
  name: 'relay',
  idempotent: false,
  address: 'phone',
  renders: true,
  title: { en: 'Relay', 'zh-CN': '中继短信' },
  settings: z.strictObject({ url: z.url(), key: z.string().min(8), price: amount }),
  lint: (_settings, template) => (template.text.includes('!!') ? ['shouts, which the gateway refuses'] : []),
  open: ({ url, key, price }) => {
    const lane = openLane(4)
    return {
      name: 'relay',
      idempotent: false,
      concurrency: 4,
      deadline: 5000,
      addressOf: (contact) => contact.phone,
      render: (template, view) => template.render(view).text,
      cost: () => parsePrice(price),
      send: (message) =>
        lane.run(async () => {
          const body = JSON.stringify({ to: message.address, text: message.content, ref: referenceOf(message) })
          const answer = await fetch(url, { method: 'POST', headers: { 'X-Key': key, 'X-Id': message.key }, body })
          return await answer.json()
        }),
      receipts: ({ headers, body, now }) => {
        if (headers['x-key'] !== key) return { outcome: 'refused', status: 401, reason: 'the key is wrong' }
        const { ref, id } = JSON.parse(Buffer.from(body).toString())
        const event = { ...readReference(ref), kind: 'delivered', eventId: id, at: now }
        return { outcome: 'accepted', events: [event], replies: [] }
      },
      check: async () => 'the gateway answers ' + (await fetch(url, { method: 'HEAD' })).status,
      close: () => lane.close(),
    }
  },
})
`

const CAMPAIGN = oneTierCampaign('wave', ['{ id: hello, channel: [relay, log], template: hello }'])

interface Gateway {
  readonly server: Server
  readonly url: string
  readonly taken: { readonly to: string; readonly text: string; readonly ref: string }[]
}

/** What the gateway says of a number: by its last digit. */
const ANSWERS: Readonly<Record<string, object>> = {
  1: { outcome: 'sent', providerId: 'g-1' },
  2: { outcome: 'rejected', reason: 'bad_address', detail: 'no such number' },
  3: { outcome: 'perhaps' },
}

async function openGateway(): Promise<Gateway> {
  const taken: Gateway['taken'] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    if (request.method === 'HEAD') return response.end()
    const message = JSON.parse(body)
    taken.push(message)
    response.end(JSON.stringify(ANSWERS[message.to.at(-1)]))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  return { server, url: `http://127.0.0.1:${port}/messages`, taken }
}

let folder: string
let database: Database
let gateway: Gateway
let here: { cwd: string; env: Record<string, string> }

function write(name: string, content: string): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true })
  writeFileSync(join(folder, name), content)
}

function writeWorkspace(relay: string, more = ''): void {
  write(
    'winback.yaml',
    `version: 1
name: Shop
timezone: UTC
currency: CNY
locales: [en]
control: 0%
channels:
  relay: ${relay}
${more}`,
  )
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'winback-relay-'))
  database = await freshDatabase()
  gateway = await openGateway()
  here = { cwd: folder, env: { DATABASE_URL: database.url, RELAY_KEY: 'a key of the gateway' } }
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(ROOT, join(folder, 'node_modules/winback'))
  write('channels/relay.mjs', RELAY)
  write('campaigns/wave.yaml', CAMPAIGN)
  write('templates/hello.en.hbs', '---\nsubject: Hello\n---\n<p>Hello again</p>\n')
  write('people.csv', 'external_id,phone\nu1,+8613800000001\nu2,+8613800000002\nu3,+8613800000003\nu4,\n')
  const day = (ago: number) => new Date(Date.now() - ago * 86_400_000).toISOString()
  const seen = ['u1', 'u2', 'u3', 'u4'].map((id) => `${id},session,${day(5)}\n`)
  write('seen.csv', `external_id,type,occurred_at\n${seen.join('')}`)
})
afterAll(() => {
  gateway.server.closeAllConnections()
  gateway.server.close()
  rmSync(folder, { recursive: true, force: true })
})

const settings = () =>
  `{ module: ./channels/relay.mjs, url: "${gateway.url}", key: "\${RELAY_KEY}", price: "0.05" }`

test.each([
  [
    'a module that is not there',
    '{ module: ./relay.mjs }',
    '8:20  error  channels.relay.module: ./relay.mjs does not exist',
  ],
  [
    'an export that is no channel',
    '{ module: ./other.mjs }',
    '8:20  error  channels.relay.module: ./other.mjs exports no channel',
  ],
  [
    'settings it does not know',
    '{ module: ./channels/relay.mjs, uri: "https://x.example" }',
    '8:42  error  channels.relay.uri: unknown key; did you mean `url`?',
  ],
  [
    'a secret that is not set',
    '{ module: ./channels/relay.mjs, url: "https://x.example", key: "${NOT_SET}" }',
    'channels.relay.key',
  ],
])('validate points at %s', async (_, block, said) => {
  write('other.mjs', 'export default { name: "relay" }')
  writeWorkspace(block)
  const { code, stdout } = await run(['validate'], here)
  expect(code).toBe(1)
  expect(stdout).toContain(`winback.yaml:`)
  expect(stdout).toContain(said)
})

test('validate says how to find a slip of its author', async () => {
  write('slip.mjs', 'export default {)')
  writeWorkspace('{ module: ./slip.mjs }')
  // As it ships: what runs the tests reads modules by itself.
  const { code, stdout } = await startBuilt(['validate'], here).ended
  expect(code).toBe(1)
  expect(stdout).toContain(`Unexpected token ')'; \`node ${join(folder, 'slip.mjs')}\` shows where`)
})

test('validate finds it right, and asks it about the texts it is to send', async () => {
  writeWorkspace(settings())
  expect((await run(['validate'], here)).stdout).toContain('nothing is wrong')
  write('templates/hello.en.hbs', '---\nsubject: Hello\n---\n<p>Hello!!</p>\n')
  const { code, stdout } = await run(['validate'], here)
  expect(code).toBe(1)
  expect(stdout).toMatch(/templates\/hello\.en\.hbs:1:1 .*shouts, which the gateway refuses/)
  write('templates/hello.en.hbs', '---\nsubject: Hello\n---\n<p>Hello again</p>\n')
})

test('doctor asks its provider', async () => {
  expect((await run(['doctor'], here)).stdout).toContain('relay: the gateway answers 200')
})

test('plan shows how many it reaches, and what they cost', async () => {
  expect((await run(['import', 'contacts', 'people.csv'], here)).code).toBe(0)
  expect((await run(['import', 'activity', 'seen.csv'], here)).code).toBe(0)
  const { stdout } = await run(['plan', '--locale', 'en'], here)
  expect(stdout).toMatch(/hello +Relay 3, log 1 +4/)
  expect(stdout).toContain('sending CN¥0.20')
  expect(stdout).toContain('u1 · only · hello: would be sent by Relay\n    Hello again')
  const chinese = (await run(['plan', '--locale', 'zh-CN'], here)).stdout
  expect(chinese).toContain('会通过中继短信发送')
})

test('test-send goes to the number it is given, and to nobody else', async () => {
  const wanted = ['test-send', 'wave', 'hello', '--to']
  const sent = await run([...wanted, '+86 138 0000 0001', '--contact', 'u2'], here)
  expect(sent.stdout).toBe('Sent by relay to +8613800000001\n')
  expect(gateway.taken.splice(0)).toMatchObject([
    { to: '+8613800000001', text: expect.stringContaining('Hello again') },
  ])
  const refused = await run([...wanted, '+8613800000002'], here)
  expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining('relay: no such number') })
  const odd = await run([...wanted, '+8613800000003'], here)
  expect(odd.stderr).toContain('relay: the channel relay answered a send with {"outcome":"perhaps"}')
  const mail = await run([...wanted, 'me@example.com'], here)
  expect(mail).toMatchObject({ code: 2 })
  expect(mail.stderr).toContain('the step goes by relay, log, which does not deliver to an e-mail address')
  expect(gateway.taken.splice(0)).toHaveLength(2)
})

test('start delivers through it, records what became of each, and takes its receipts', async () => {
  expect((await run(['apply'], here)).code).toBe(0)
  expect((await run(['run', '--no-send'], here)).code).toBe(0)
  writeWorkspace(settings(), 'web: { port: 0 }\n')
  const redis = redisUrl()
  const env = { ...here.env, ...(redis === undefined ? {} : { REDIS_URL: redis }) }
  const service = startBuilt(['start'], { ...here, env })
  const records = () =>
    rows<{
      id: string
      state: string
      reason: string | null
      channel: string
      cost: number
      provider: string | null
    }>(
      database,
      sql`SELECT external_id AS id, state, reason, r.channel, cost, provider_id AS provider
        FROM touchpoint_records r JOIN contacts USING (contact_id) ORDER BY 1`,
    )
  try {
    // It sends before it listens.
    const address = await webOf(service)
    const ended = await eventually('all are settled', records, (found) => found.length === 4)
    expect(ended).toEqual([
      { id: 'u1', state: 'sent', reason: null, channel: 'relay', cost: 50_000, provider: 'g-1' },
      { id: 'u2', state: 'failed', reason: 'bad_address', channel: 'relay', cost: 0, provider: null },
      { id: 'u3', state: 'uncertain', reason: null, channel: 'relay', cost: 50_000, provider: null },
      { id: 'u4', state: 'sent', reason: null, channel: 'log', cost: 0, provider: expect.any(String) },
    ])
    const { ref } = gateway.taken.find(({ to }) => to.endsWith('3')) ?? { ref: '' }
    const report = (key: string) =>
      fetch(`${address}/v1/receipts/relay`, {
        method: 'POST',
        headers: { 'X-Key': key },
        body: JSON.stringify({ ref, id: 'e-1' }),
      })
    expect((await report('another key')).status).toBe(401)
    const taken = await report('a key of the gateway')
    expect(await taken.json()).toEqual({ added: 1, ignored: 0, replies: 0 })
  } finally {
    service.kill('SIGINT')
  }
  expect((await service.ended).code).toBe(0)
  // What its answer left open its receipt has settled.
  expect((await records())[2]).toMatchObject({ id: 'u3', state: 'sent', cost: 50_000 })
  const { stdout } = await run(['explain', 'u2', '--locale', 'en'], here)
  expect(stdout).toContain('no such number')
}, 60_000)

test('its name on the page where people choose is the one they know', async () => {
  writeWorkspace(settings(), 'web: { url: "https://shop.example" }\n')
  const { definition: workspace } = await loadWorkspace(
    join(folder, 'winback.yaml'),
    environmentFrom({ RELAY_KEY: 'a key of the gateway' }),
  )
  const runtime = await openRuntime({ database, workspace, clock: systemClock })
  const links = await openLinks(database, workspace)
  const page = links ? new URL(preferencesUrl(links, await findContact(database, 'u1'))).pathname : ''
  const shown = async (language: string) =>
    await (await composeWeb({ runtime }).request(`${page}?lang=${language}`)).text()
  expect(await shown('en')).toContain('<span>Relay')
  expect(await shown('zh-CN')).toContain('<span>中继短信')
  await runtime.close()
})
