import { once } from 'node:events'
import { request } from 'node:http'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import { addUser, issueLink } from '../../src/web/accounts/users.ts'
import { startWeb, type WebServer } from '../../src/web/server.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop, type Shop, WORKSPACE } from '../support/shop.ts'
import { givePassword } from '../support/sign-in.ts'

// Where a request came from, as the count of failed sign-ins has it: 127.0.0.1 is a trusted proxy here, 127.0.0.2 is
// anybody.

const NOW = new Date('2026-03-02T08:00:00Z')
let database: Database
const shops: Shop[] = []
const servers: WebServer[] = []

beforeAll(async () => {
  database = await freshDatabase()
  await addUser(database, { name: 'somebody', role: 'viewer', now: NOW, by: 'test' })
  await givePassword(database, 'somebody', 'right')
  await serve('[127.0.0.1, 10.0.0.0/8, "fd00::/8"]', '127.0.0.1')
  await serve('[]', '127.0.0.1')
  await serve('[127.0.0.1]', '::')
})
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()))
  await Promise.all(shops.map((shop) => shop.runtime.close()))
})
beforeEach(async () => {
  await execute(database, sql`TRUNCATE sign_in_failures, web_sessions`)
})

const [BEHIND, BARE, DUAL] = [0, 1, 2] as const

async function serve(proxies: string, host: string) {
  const shop = await openShop({
    database,
    clock: manualClock(NOW),
    channels: [],
    workspace: `${WORKSPACE}web: { trusted_proxies: ${proxies} }\n`,
  })
  shops.push(shop)
  servers.push(await startWeb({ runtime: shop.runtime }, { host, port: 0 }))
}

/** Posts a form from a local address. */
async function post(
  server: number,
  path: string,
  fields: Record<string, string>,
  headers: Record<string, string | string[]>,
  from = '127.0.0.1',
) {
  const { port } = new URL(servers[server]?.address ?? '')
  const sent = request({
    host: '127.0.0.1',
    port,
    path,
    method: 'POST',
    localAddress: from,
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers },
  })
  sent.end(new URLSearchParams(fields).toString())
  const [answer] = await once(sent, 'response')
  answer.resume()
  await once(answer, 'end')
  return answer as import('node:http').IncomingMessage
}

/** Fails to sign in, and tells whose failure it was. */
async function blamed(server: number, headers: Record<string, string | string[]>, from?: string) {
  await post(server, '/sign-in', { name: 'somebody', password: 'wrong' }, headers, from)
  const found = await rows<{ key: string }>(
    database,
    sql`DELETE FROM sign_in_failures WHERE true RETURNING key`,
  )
  return found.flatMap(({ key }) => (key.startsWith('from:') ? [key.slice(5)] : []))
}

test.each([
  ['no header', [], '127.0.0.1'],
  ['one visitor', ['203.0.113.9'], '203.0.113.9'],
  ['what the visitor wrote stands to the left', ['1.1.1.1, 203.0.113.9'], '203.0.113.9'],
  ['through further proxies', ['1.1.1.1, 203.0.113.9, 10.1.2.3, fd00::7'], '203.0.113.9'],
  ['several headers are one list', ['1.1.1.1', '203.0.113.9', '10.1.2.3'], '203.0.113.9'],
  ['proxies alone: the first of them', ['10.1.2.3, 10.1.2.4'], '10.1.2.3'],
  ['with a port', ['203.0.113.9:51234'], '203.0.113.9'],
  ['IPv6, in one way of writing', ['2001:DB8:0:0::0001'], '2001:db8::1'],
  ['IPv6 with a port', ['[2001:db8::1]:443'], '2001:db8::1'],
  ['IPv6 in brackets alone', ['[2001:db8::1]'], '2001:db8::1'],
  ['IPv4 in IPv6', ['::ffff:203.0.113.9'], '203.0.113.9'],
  ['IPv4 in IPv6, in hex', ['::ffff:cb00:7109'], '203.0.113.9'],
  ['a proxy’s IPv4 in IPv6', ['203.0.113.9, ::ffff:10.1.2.3'], '203.0.113.9'],
  ['no address: the proxy that wrote it', ['203.0.113.9, unknown'], '127.0.0.1'],
  ['no address further left: that proxy', ['203.0.113.9, _hidden, 10.1.2.3'], '10.1.2.3'],
  ['an empty entry', ['203.0.113.9, '], '127.0.0.1'],
  ['a name', ["' OR 1=1 --"], '127.0.0.1'],
  ['half an address', ['203.0.113'], '127.0.0.1'],
  ['a port without end', ['203.0.113.9:1234567'], '127.0.0.1'],
])('by a trusted proxy: %s', async (_, header, address) => {
  expect(await blamed(BEHIND, { 'X-Forwarded-For': header })).toEqual([address])
})

test('from anybody else, the header is not believed', async () => {
  const spoofed = { 'X-Forwarded-For': '203.0.113.9' }
  expect(await blamed(BEHIND, spoofed, '127.0.0.2')).toEqual(['127.0.0.2'])
  expect(await blamed(BARE, spoofed)).toEqual(['127.0.0.1'])
})

test('on a socket of both families an IPv4 address has one name, and a trusted one is known', async () => {
  expect(await blamed(DUAL, {})).toEqual(['127.0.0.1'])
  expect(await blamed(DUAL, { 'X-Forwarded-For': '203.0.113.9' })).toEqual(['203.0.113.9'])
  expect(await blamed(DUAL, { 'X-Forwarded-For': '203.0.113.9' }, '127.0.0.2')).toEqual(['127.0.0.2'])
})

test('failures of one visitor keep no other waiting', async () => {
  await execute(
    database,
    sql`INSERT INTO sign_in_failures (key, failures, failed_at) VALUES ('from:203.0.113.9', 30, ${NOW})`,
  )
  const again = async (visitor: string) => {
    const fields = { name: 'somebody', password: 'wrong' }
    return (await post(BEHIND, '/sign-in', fields, { 'X-Forwarded-For': visitor })).statusCode
  }
  expect(await again('203.0.113.9')).toBe(429)
  expect(await again('198.51.100.4')).toBe(401)
})

test('cookies go over https alone where a trusted proxy says it was asked so', async () => {
  const cookie = async (server: number, proto: string, from?: string) => {
    const fields = { name: 'somebody', password: 'right' }
    const answer = await post(server, '/sign-in', fields, { 'X-Forwarded-Proto': proto }, from)
    return answer.headers['set-cookie']?.join() ?? ''
  }
  expect(await cookie(BEHIND, 'https')).toMatch(/winback_session=.*; Secure/)
  expect(await cookie(BEHIND, 'http')).toMatch(/winback_session=(?!.*Secure)/)
  expect(await cookie(BEHIND, 'https, http')).toMatch(/winback_session=(?!.*Secure)/)
  expect(await cookie(BEHIND, 'https', '127.0.0.2')).toMatch(/winback_session=(?!.*Secure)/)
  expect(await cookie(BARE, 'https')).toMatch(/winback_session=(?!.*Secure)/)
})

test('the audit names the visitor', async () => {
  const user = await addUser(database, { name: 'ada', role: 'admin', now: NOW, by: 'test' })
  const path = await issueLink(database, user.userId, NOW)
  const fields = { password: 'a horse, a battery', again: 'a horse, a battery' }
  await post(BEHIND, path, fields, { 'X-Forwarded-For': '203.0.113.77' })
  const named = await rows<{ address: string }>(
    database,
    sql`SELECT DISTINCT address FROM audit WHERE via = 'web'`,
  )
  expect(named).toEqual([{ address: '203.0.113.77' }])
})
