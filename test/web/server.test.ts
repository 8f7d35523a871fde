import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { type Database, connect as openDatabase } from '../../src/database/connect.ts'
import { healthApi } from '../../src/web/api/health.ts'
import { createApiKey } from '../../src/web/api-keys.ts'
import { composeWeb, startWeb, type WebServer } from '../../src/web/server.ts'
import { openCliShop, startBuilt } from '../cli/command.ts'
import { freshDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { openShop, type Shop } from '../support/shop.ts'

// The server itself: what it says when it is well, when it refuses, and how it ends.

let database: Database
let shop: Shop
const servers: WebServer[] = []

beforeAll(async () => {
  database = await freshDatabase()
  shop = await openShop({ database, clock: manualClock(new Date('2026-03-01T00:00:00Z')), channels: [] })
})
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()))
  await shop.runtime.close()
})

test('is not ready while its database takes connections and says nothing, whoever asks how often', async () => {
  const sockets: Socket[] = []
  const silent = createTcpServer((socket) => sockets.push(socket))
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as AddressInfo
  const hung = openDatabase(`postgres://winback:x@127.0.0.1:${port}/shop`, { patience: 1000 })
  const health = healthApi({ database: hung, isDraining: () => false, patience: 200 })
  const answers = await Promise.all([1, 2, 3].map(() => health.request('/readyz')))
  expect(answers.map(({ status }) => status)).toEqual([503, 503, 503])
  expect(await answers[0]?.json()).toMatchObject({ error: 'database' })
  expect(sockets).toHaveLength(1)
  await hung.close()
  for (const socket of sockets) socket.destroy()
  silent.close()
})

test('asks browsers for https where it is served, of its own name, and of none below it', async () => {
  const told = async (url: string | undefined) => {
    const { web, ...rest } = shop.workspace
    const workspace = { ...rest, web: { ...web, url } }
    const app = composeWeb({ runtime: { ...shop.runtime, workspace } })
    return (await app.request('/healthz')).headers.get('strict-transport-security')
  }
  expect(await told('https://shop.example')).toBe('max-age=15552000')
  // Who serves http may have nothing else on the machine.
  expect(await told('http://winback.internal:7420')).toBeNull()
  expect(await told(undefined)).toBeNull()
})

test('is alive, and ready while its database answers and it has not been asked to end', async () => {
  const app = composeWeb({ runtime: shop.runtime })
  expect((await app.request('/healthz')).status).toBe(200)
  expect((await app.request('/readyz')).status).toBe(200)
  const draining = composeWeb({ runtime: shop.runtime, isDraining: () => true })
  expect((await draining.request('/healthz')).status).toBe(200)
  const answer = await draining.request('/readyz')
  expect(answer.status).toBe(503)
  expect(answer.headers.get('connection')).toBe('close')
  expect(await answer.json()).toMatchObject({ error: 'draining' })
})

test('tells nobody of a sender who hangs up in the middle of a request, and serves on', async () => {
  const heard: string[] = []
  const server = await startWeb(
    { runtime: shop.runtime, onError: (where, error) => heard.push(`${where}: ${String(error)}`) },
    { host: '127.0.0.1', port: 0 },
  )
  servers.push(server)
  const { port } = new URL(server.address)
  for (const [path, head] of [
    ['/sign-in', 'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 400'],
    ['/v1/bounces', 'Transfer-Encoding: chunked'],
  ]) {
    const socket = connect(Number(port), '127.0.0.1')
    await once(socket, 'connect')
    socket.write(`POST ${path} HTTP/1.1\r\nHost: shop\r\nExpect: 100-continue\r\n${head}\r\n\r\n`)
    // It reads: what is left of the body is waited for.
    await once(socket, 'data')
    socket.resetAndDestroy()
    await once(socket, 'close')
  }
  await server.close()
  expect(heard).toEqual([])
})

test('not ready without its database, and alive nevertheless', async () => {
  const gone = await openShop({
    database: await freshDatabase({ max: 1 }),
    clock: manualClock(new Date()),
    channels: [],
  })
  await gone.database.close()
  const app = composeWeb({ runtime: gone.runtime })
  expect((await app.request('/healthz')).status).toBe(200)
  const answer = await app.request('/readyz')
  expect(answer.status).toBe(503)
  expect(await answer.json()).toMatchObject({
    error: 'database',
    reason: expect.stringContaining('database'),
  })
})

test('an address with NUL, by which nothing can be kept, is refused wherever it leads', async () => {
  const app = composeWeb({ runtime: shop.runtime })
  const { text } = await createApiKey(database, {
    name: 'odd',
    scopes: ['privacy', 'read'],
    now: new Date(),
    by: 'test',
  })
  for (const [method, path] of [
    ['DELETE', '/v1/contacts/a%00'],
    ['GET', '/v1/calls?campaign=%00'],
    ['POST', '/v1/receipts/%00'],
    ['GET', '/preferences/%00'],
  ] as const) {
    const answer = await app.request(path, { method, headers: { authorization: `Bearer ${text}` } })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ error: 'malformed', reason: expect.stringContaining('NUL') })
  }
})

test('refuses as JSON, with a reason and the id of the request', async () => {
  const app = composeWeb({ runtime: shop.runtime })
  const unknown = await app.request('/nowhere', { headers: { 'x-request-id': 'abc-1' } })
  expect(unknown.status).toBe(404)
  expect(unknown.headers.get('x-request-id')).toBe('abc-1')
  expect(await unknown.json()).toEqual({
    error: 'not_found',
    reason: 'there is no GET /nowhere',
    request_id: 'abc-1',
  })
  const large = await app.request('/nowhere', { method: 'POST', body: 'x'.repeat(1_000_001) })
  expect(large.status).toBe(413)
  expect(await large.json()).toMatchObject({
    error: 'too_large',
    request_id: expect.stringMatching(/^[\w-]+$/),
  })
})

test('shows a page to a browser that comes to an address that leads nowhere, in its language', async () => {
  const app = composeWeb({ runtime: shop.runtime })
  const ask = (path: string, headers: Record<string, string>) => app.request(path, { headers })
  const browser = { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8', 'Accept-Language': 'zh-CN,zh;q=0.9' }
  const shown = await ask('/campains', browser)
  expect(shown.status).toBe(404)
  expect(shown.headers.get('content-security-policy')).toContain("default-src 'none'")
  const page = await shown.text()
  expect(page).toContain('<html lang="zh-CN">')
  expect(page).toContain('没有这个页面')
  expect(await (await ask('/campains?lang=en', browser)).text()).toContain('There is no such page')
  // Programs take anything, or ask for nothing: they go on being told in JSON.
  for (const headers of [{}, { Accept: '*/*' }, { Accept: 'application/json' }]) {
    expect(await (await ask('/v1/nowhere', headers)).json()).toMatchObject({ error: 'not_found' })
  }
})

test('what fails on our side is told to the log and not to the world', async () => {
  const heard: string[] = []
  const app = composeWeb({
    runtime: shop.runtime,
    onError: (where, error, request) => heard.push(`${where} ${request}: ${String(error)}`),
  })
  app.get('/fails/:token', () => {
    throw new Error('password=secret')
  })
  // The log is read by those, too, whom a link must not let in.
  const answer = await app.request('/fails/lets-in', { headers: { 'x-request-id': 'abc-1' } })
  expect(answer.status).toBe(500)
  expect(await answer.text()).not.toContain('secret')
  expect(heard).toEqual(['GET /fails/:token abc-1: Error: password=secret'])
})

test('without its database, shows people a page and tells programs in JSON', async () => {
  const gone = await openShop({
    database: await freshDatabase({ max: 1 }),
    clock: manualClock(new Date()),
    channels: [],
  })
  await gone.database.close()
  const app = composeWeb({ runtime: gone.runtime })
  const reads = { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8', Cookie: 'winback_session=of-before' }
  for (const [method, path, language, words] of [
    ['GET', '/calls', 'zh-CN', '请稍后重试'],
    ['POST', '/calls/call-1-1/outcome', 'en', 'go back and send it again'],
    ['POST', '/sign-in', 'en', 'Something failed on our side'],
    ['GET', '/u/1..x.y', 'zh-CN', '系统出错'],
  ] as const) {
    const answer = await app.request(path, {
      method,
      headers: { ...reads, 'Accept-Language': language, 'x-request-id': 'abc-1' },
      ...(method === 'POST' ? { body: 'name=ada&password=some' } : {}),
    })
    expect(`${path} ${answer.status} ${answer.headers.get('Cache-Control')}`).toBe(`${path} 500 no-store`)
    const text = await answer.text()
    expect(text).toContain(words)
    // By which the log has it.
    expect(text).toContain('abc-1')
  }
  expect(await (await app.request('/u/1..x.y')).json()).toMatchObject({ error: 'failed' })
})

test('takes bodies whose length nobody said, and requests that have none', async () => {
  const server = await startWeb({ runtime: shop.runtime }, { host: '127.0.0.1', port: 0 })
  servers.push(server)
  const { text } = await createApiKey(database, {
    name: 'chunks',
    scopes: ['events:write', 'privacy', 'redemptions'],
    now: new Date(),
    by: 'test',
  })
  const ask = (method: string, path: string, chunks?: readonly string[]) =>
    fetch(`${server.address}${path}`, {
      method,
      headers: { authorization: `Bearer ${text}` },
      ...(chunks ? { body: new Blob([...chunks]).stream(), duplex: 'half' } : {}),
    })
  const call = JSON.stringify({ userId: 'chunky', event: 'session', messageId: 'c1' })
  expect((await ask('POST', '/v1/track', [call.slice(0, 20), call.slice(20)])).status).toBe(200)
  expect((await ask('POST', '/v1/redemptions', ['{"key": "k", ', '"code": "none"}'])).status).toBe(422)
  expect((await ask('POST', '/v1/redemptions', ['x'.repeat(600_000), 'x'.repeat(600_000)])).status).toBe(413)
  // Without a body, Node's fetch says nothing of its length.
  expect((await ask('DELETE', '/v1/contacts/chunky')).status).toBe(200)
  expect((await ask('DELETE', '/v1/contacts/chunky')).status).toBe(404)
})

test('listens, lets what is under way end, and then is gone', async () => {
  const server = await startWeb({ runtime: shop.runtime }, { host: '127.0.0.1', port: 0 })
  servers.push(server)
  expect((await fetch(`${server.address}/readyz`)).status).toBe(200)
  const socket = connect(Number(new URL(server.address).port), '127.0.0.1')
  let heard = ''
  socket.setEncoding('utf8').on('data', (text: string) => {
    heard += text
  })
  await once(socket, 'connect')
  socket.write('POST /halfway HTTP/1.1\r\nHost: here\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nab')
  await eventually(
    'the request has begun',
    () => heard,
    (text) => text.includes('100 Continue'),
  )
  const closed = server.close()
  socket.write('cd')
  await once(socket, 'end')
  expect(heard).toContain('404 Not Found')
  await closed
  await expect(fetch(`${server.address}/healthz`)).rejects.toThrow()
})

test('a port that is taken is said, with what to do', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as AddressInfo
  await expect(startWeb({ runtime: shop.runtime }, { host: '127.0.0.1', port })).rejects.toMatchObject({
    code: 'web.address',
    message: `the web server cannot listen on 127.0.0.1:${port}: something else listens there already`,
    remedy: expect.stringContaining('web.port'),
  })
  other.close()
})

test('`winback web` serves alone, and Ctrl-C ends it in order', async () => {
  const { here } = await openCliShop(database)
  const file = join(here.cwd, 'winback.yaml')
  await writeFile(file, `${await readFile(file, 'utf8')}\nweb: { port: 0, serve: false }\n`)
  const web = startBuilt(['web'], here)
  await web.says('web running')
  web.kill('SIGINT')
  const { code, stdout, stderr } = await web.ended
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'Stopped.\n' })
  expect(stderr).toMatch(/Web on http:\/\/127\.0\.0\.1:\d+\n/)
})
