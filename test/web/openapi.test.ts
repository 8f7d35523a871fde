import { symlink, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import type { z } from 'zod'
import { openCallback } from '../../src/channels/callback/callback.ts'
import { openInapp } from '../../src/channels/inapp/inapp.ts'
import { manualClock } from '../../src/clock.ts'
import { callReader } from '../../src/contacts/api-calls.ts'
import { parseDevice } from '../../src/contacts/devices.ts'
import { execute } from '../../src/database/connect.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { createApiKey, SCOPES, type Scope } from '../../src/web/api-keys.ts'
import { refusal } from '../../src/web/openapi/answers.ts'
import { fieldsOf } from '../../src/web/openapi/fields.ts'
import { OPERATIONS, refusalsOf } from '../../src/web/openapi/operations.ts'
import { events } from '../../src/web/openapi/requests.ts'
import { composeWeb } from '../../src/web/server.ts'
import { freshDatabase } from '../support/database.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { openShop, parseWorkspace, type Shop, TEMPLATES, WORKSPACE } from '../support/shop.ts'

// The description of the API against the API: every route of the one in the other, and what is really asked and answered.

const NOW = new Date('2026-03-10T09:00:00Z')
const CAMPAIGN = `
version: 1
campaign: calling
title: Calling
schedule: "0 9 * * *"
timezone: UTC
goals: { recall: { event: session } }
window: 30d
holdout: 0%
limits: { spread: 0s }
offers:
  gift: { kind: benefit, name: A tin of tea, value: 3 CNY, stock: 5 }
tiers:
  - name: only
    inactive: 3d..20d
    steps:
      - { id: call, channel: callback, script: adviser, sla: 24h }
      - { id: note, channel: inapp, template: welcome, offer: gift }
`

let shop: Shop
let app: ReturnType<typeof composeWeb>
let key: string

beforeAll(async () => {
  const workspace = WORKSPACE.replace('channels:\n', 'channels:\n  callback: { wage: "60" }\n  inapp: {}\n')
  const { channels } = parseWorkspace(workspace)
  if (!channels.callback || !channels.inapp) throw new Error('no channels')
  const clock = manualClock(NOW)
  shop = await openShop({
    database: await freshDatabase(),
    clock,
    channels: [openCallback(channels.callback), openInapp(channels.inapp)],
    workspace,
    templates: {
      ...TEMPLATES,
      'adviser.en.hbs': '<p>Ask</p>\n',
      'welcome.en.hbs': '---\nsubject: Good to see you\nurl: /gift\n---\n<p>{{offer.name}}</p>\n',
    },
  })
  await shop.importContacts([{ external_id: 'u000123', phone: '+8613800138010', first_name: 'Li' }])
  await shop.importActivity([
    { external_id: 'u000123', type: 'session', occurred_at: '2026-03-06T00:00:00Z' },
  ])
  await shop.apply(CAMPAIGN)
  await shop.run('calling')
  await dispatchDue(shop.database, { now: clock.now(), jobs: 100 }, async (batch) => {
    await processBatch(shop.runtime.worker, batch)
  })
  app = composeWeb({ runtime: shop.runtime })
  const scopes = Object.keys(SCOPES) as Scope[]
  key = (await createApiKey(shop.database, { name: 'all', scopes, now: NOW, by: 'test' })).text
})
afterAll(() => shop.runtime.close())

/** Asks, and holds what is answered against the description. */
async function ask(route: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> {
  const [method = ''] = route.split(' ')
  const operation = OPERATIONS[route]
  if (!operation) throw new Error(`${route} is not described`)
  const answer = await app.request(path, {
    method,
    headers: { Authorization: `Bearer ${key}` },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const { status } = answer
  if (status !== 200) {
    const refused: unknown = await answer.json()
    expect(refusal.safeParse(refused).error).toBeUndefined()
    expect(refusalsOf(operation)).toContain(status)
    return { status, body: refused }
  }
  if (typeof operation.answer === 'string') {
    expect(answer.headers.get('Content-Type')).toContain(operation.answer.split(';')[0])
    return { status, body: await answer.text() }
  }
  const json: unknown = await answer.json()
  const fits = operation.answer.safeParse(json)
  expect(fits.error, `${route}: ${JSON.stringify(json)}`).toBeUndefined()
  return { status, body: json }
}

test('every route of the API is described, and nothing that is no route', () => {
  const routes = app.routes
    .filter(
      ({ method, path }) =>
        method !== 'ALL' && (path.startsWith('/v1/') || path === '/metrics' || /z$|json$/.test(path)),
    )
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`)
  expect([...new Set(routes)].toSorted()).toEqual(Object.keys(OPERATIONS).toSorted())
})

test('a scope that a key may have opens something', () => {
  const asked = new Set(Object.values(OPERATIONS).flatMap(({ scope }) => scope ?? []))
  expect([...asked].toSorted()).toEqual(Object.keys(SCOPES).toSorted())
})

test('a body that may be too large may also be given up, for others that come in', () => {
  const limited = Object.values(OPERATIONS).filter(({ refused }) => refused?.includes(413))
  expect(limited.length).toBeGreaterThan(10)
  for (const operation of limited) expect(refusalsOf(operation)).toContain(429)
})

test('an example is what its schema says', () => {
  for (const [route, { body }] of Object.entries(OPERATIONS)) {
    if (body?.example !== undefined) expect(body.schema.safeParse(body.example).error, route).toBeUndefined()
  }
})

test('where a reader is no schema, the one described lets through what the reader does', () => {
  const read = callReader(shop.runtime.workspace, NOW, undefined)
  for (const [name, schema] of Object.entries<z.ZodType>(events)) {
    const example = OPERATIONS[`POST /v1/${name}`]?.body?.example
    expect(typeof read(example, name)).toBe('object')
    expect(typeof read({ ...Object(example), messageId: '' }, name)).toBe('string')
    expect(schema.safeParse({ ...Object(example), messageId: '' }).success).toBe(false)
  }
  expect(typeof parseDevice(OPERATIONS['POST /v1/devices']?.body?.example)).toBe('object')
})

/** Called by others, who ask in their own way. */
const LOOSE = /^(POST \/v1\/(identify|track|page|screen|group|alias|batch|import|b)|\w+ \/v1\/receipts\/.*)$/

test('nothing an address asks for is left aside: what there is not is refused, and what is there twice', async () => {
  const routes = Object.keys(OPERATIONS).filter((route) => route.includes(' /v1/') && !LOOSE.test(route))
  expect(routes.length).toBeGreaterThan(15)
  for (const route of routes) {
    const path = (route.split(' ')[1] ?? '').replace('{name}', 'lift').replaceAll(/\{\w+\}/g, 'u000123')
    const body = route.startsWith('POST /v1/bounces') ? 'Subject: hello\r\n\r\nhello\r\n' : undefined
    const needed = path.startsWith('/v1/reports/lift') ? 'campaign=calling&' : ''
    const asked = await ask(route, `${path}?${needed}nonsense=1`, body)
    expect([route, asked.status, String(Object(asked.body).reason)]).toEqual([
      route,
      400,
      expect.stringContaining('nonsense'),
    ])
  }
  for (const [query, reason] of [
    ['free=perhaps', 'free'],
    ['free=TRUE', 'free'],
    ['free=true&free=false', 'free: given 2 times'],
    ['limit=0', 'limit: expected a number from 1 to 1000'],
    ['limit=1e3', 'limit: expected a number from 1 to 1000'],
    ['agent=', 'agent'],
    ['owner=', 'owner'],
    ['campain=calling', 'did you mean `campaign`?'],
  ]) {
    const asked = await ask('GET /v1/calls', `/v1/calls?${query}`)
    expect([query, asked.status, String(Object(asked.body).reason)]).toEqual([
      query,
      400,
      expect.stringContaining(reason ?? ''),
    ])
  }
  expect((await ask('GET /v1/calls', '/v1/calls?campaign=other')).status).toBe(404)
  expect((await ask('GET /v1/calls', '/v1/calls?free=true&campaign=calling&limit=1000')).status).toBe(200)
  const lift = (more: string) => ask('GET /v1/reports/{name}', `/v1/reports/lift?campaign=calling${more}`)
  expect((await lift('&from=2026-02-02&to=2026-02-01')).body).toMatchObject({
    reason: expect.stringContaining('to: expected a day after `from`'),
  })
  expect((await lift('&table=cells')).body).toMatchObject({ reason: expect.stringContaining('format=csv') })
  expect((await lift('&from=2026-02-01&to=2026-02-02')).status).toBe(200)
  const chart = '/v1/reports/lift/charts/curves.png?campaign=calling'
  expect((await ask('GET /v1/reports/{name}/charts/{chart}', `${chart}&format=csv`)).status).toBe(400)
})

test('a body that cannot be read is refused in words of its own, wherever a key lets one in', async () => {
  const bodies = Object.entries(OPERATIONS).filter(([, { scope, body }]) => scope !== null && body)
  expect(bodies.length).toBeGreaterThan(10)
  for (const [route, { body }] of bodies) {
    const [method = '', described = ''] = route.split(' ')
    const path = described.replaceAll(/\{\w+\}/g, 'u000123')
    const send = async (sent: string | Uint8Array, more: Record<string, string> = {}) => {
      const headers = { Authorization: `Bearer ${key}`, ...more }
      const answer = await app.request(path, { method, headers, body: sent })
      return [route, answer.status, ((await answer.json()) as { reason: string }).reason]
    }
    const other = body?.gzip ? 'plain or as gzip' : 'plain'
    const brotli = await send(brotliCompressSync('{'), { 'Content-Encoding': 'br' })
    expect(brotli).toEqual([route, 415, `a body encoded as br is not read; send it ${other}`])
    const packed = await send(gzipSync('{'), { 'Content-Encoding': 'gzip' })
    expect(packed).toEqual(
      body?.gzip
        ? [route, 400, expect.stringContaining('malformed JSON')]
        : [route, 415, 'a body encoded as gzip is not read; send it plain'],
    )
    // A till of GBK: each of its letters would be the same sign, and so would be its keys.
    const gbk = Buffer.from('{"key":"\xb6\xa9\xb5\xa5"}', 'latin1')
    expect(await send(gbk)).toEqual([route, 400, 'the body is not UTF-8'])
    expect(await send('{')).toEqual([
      route,
      400,
      expect.stringMatching(/malformed JSON|\{ "tapped": true \}/),
    ])
    if (route !== 'POST /v1/group') continue
    // Editors put it before UTF-8, and it is no part of what they hold.
    expect((await send(`\uFEFF${JSON.stringify(body?.example)}`))[1]).toBe(200)
  }
})

test('a moment that no answer could give is taken of nobody', async () => {
  const asked: readonly (readonly [string, string, string, object])[] = [
    ['PUT /v1/preferences/{external_id}', '/v1/preferences/u000123', 'paused_until', {}],
    ['POST /v1/redemptions', '/v1/redemptions', 'redeemed_at', { key: 'k', code: 'c' }],
    [
      'POST /v1/calls/{id}/outcome',
      '/v1/calls/none/outcome',
      'next_attempt_at',
      { agent: 'mei', outcome: 'call_back' },
    ],
  ]
  for (const [route, path, field, body] of asked) {
    for (const at of ['0000-12-31T23:59:59Z', '9999-12-31T23:59:59-00:01']) {
      const { status, body: refused } = await ask(route, path, { ...body, [field]: at })
      const reason = `${field}: expected a moment of the years 1 to 9999`
      expect([status, Object(refused).reason]).toEqual([400, expect.stringContaining(reason)])
    }
  }
})

describe('what is really answered is what is described', () => {
  it('calls, from the queue to what became of them', async () => {
    const queue = (await ask('GET /v1/calls', '/v1/calls')).body as { calls: { id: string }[] }
    const id = queue.calls[0]?.id ?? ''
    await ask('GET /v1/calls', '/v1/calls?limit=x')
    expect((await ask('POST /v1/calls/{id}/claim', `/v1/calls/${id}/claim`, { agent: 'mei' })).status).toBe(
      200,
    )
    expect((await ask('POST /v1/calls/{id}/claim', `/v1/calls/${id}/claim`, { agent: 'bo' })).status).toBe(
      409,
    )
    expect(
      (await ask('POST /v1/calls/{id}/release', `/v1/calls/${id}/release`, { agent: 'mei' })).status,
    ).toBe(200)
    const example = OPERATIONS['POST /v1/calls/{id}/outcome']?.body?.example
    expect((await ask('POST /v1/calls/{id}/outcome', `/v1/calls/${id}/outcome`, example)).status).toBe(200)
    expect((await ask('GET /v1/calls/{id}', `/v1/calls/${id}`)).status).toBe(200)
    expect((await ask('POST /v1/calls/{id}/claim', `/v1/calls/${id}/claim`, { agent: 'bo' })).status).toBe(
      410,
    )
    expect((await ask('GET /v1/calls/{id}', '/v1/calls/none')).status).toBe(404)
  })

  it('in-app messages, devices, preferences, redemptions', async () => {
    const inbox = (await ask('GET /v1/inapp/{externalId}', '/v1/inapp/u000123')).body as {
      messages: { id: string }[]
    }
    expect(inbox.messages).toHaveLength(1)
    const shown = `/v1/inapp/u000123/${inbox.messages[0]?.id}/ack`
    expect((await ask('POST /v1/inapp/{externalId}/{message}/ack', shown, { tapped: true })).status).toBe(200)
    for (const [route, path] of [
      ['POST /v1/devices', '/v1/devices'],
      ['DELETE /v1/devices', '/v1/devices'],
      ['PUT /v1/preferences/{external_id}', '/v1/preferences/u000123'],
    ] as const) {
      expect((await ask(route, path, OPERATIONS[route]?.body?.example)).status).toBe(200)
      expect((await ask(route, path, { nonsense: 1 })).status).toBe(400)
    }
    expect((await ask('GET /v1/preferences/{external_id}', '/v1/preferences/u000123')).status).toBe(200)
    expect((await ask('GET /v1/preferences/{external_id}', '/v1/preferences/nobody')).status).toBe(404)
    const used = { key: 'r1', external_id: 'u000123', offer: 'gift' }
    expect((await ask('POST /v1/redemptions', '/v1/redemptions', used)).status).toBe(200)
    expect((await ask('POST /v1/redemptions', '/v1/redemptions', { key: 'r2', code: 'none' })).status).toBe(
      422,
    )
    const many = {
      redemptions: [
        { ...used, key: 'r1' },
        { key: 'r3', code: 'none' },
      ],
    }
    expect((await ask('POST /v1/redemptions', '/v1/redemptions', many)).status).toBe(200)
  })

  // After the calls: a return would have closed them.
  it.each(['track', 'identify', 'page', 'screen', 'group', 'alias', 'batch', 'import', 'b'])(
    '%s',
    async (name) => {
      const route = `POST /v1/${name}`
      expect((await ask(route, `/v1/${name}`, OPERATIONS[route]?.body?.example)).status).toBe(200)
      expect((await ask(route, `/v1/${name}`, '[')).status).toBe(400)
    },
  )

  it('reports, the service, what comes back, and what is held of somebody until they are erased', async () => {
    await ask('GET /v1/reports', '/v1/reports')
    expect((await ask('GET /v1/reports/programme', '/v1/reports/programme')).status).toBe(200)
    expect((await ask('GET /v1/reports/programme', '/v1/reports/programme?campaign=calling')).status).toBe(
      400,
    )
    expect((await ask('GET /v1/reports/{name}', '/v1/reports/funnel?campaign=calling')).status).toBe(200)
    expect((await ask('GET /v1/reports/{name}', '/v1/reports/funnel?campaign=no')).status).toBe(404)
    await ask('GET /v1/reports/{name}/charts/{chart}', '/v1/reports/lift/charts/none?campaign=calling')
    for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json']) {
      expect((await ask(`GET ${path}`, path)).status).toBe(200)
    }
    expect((await ask('POST /v1/bounces', '/v1/bounces', 'Subject: hello\r\n\r\nhello\r\n')).status).toBe(400)
    await ask('POST /v1/receipts/{channel}', '/v1/receipts/none', '{}')
    await ask('GET /v1/receipts/{channel}', '/v1/receipts/none')
    expect((await ask('GET /v1/contacts/{external_id}/export', '/v1/contacts/u000123/export')).status).toBe(
      200,
    )
    const odd = await ask('GET /v1/contacts/{external_id}/export', '/v1/contacts/u000123/export?format=xml')
    expect(odd.status).toBe(400)
    const file = join(scratchDirectory(), 'round.rejects.csv')
    await symlink(file, file)
    await execute(
      shop.database,
      sql`INSERT INTO imports (kind, file, started_at, reject_file) VALUES ('contacts', 'a.csv', ${NOW}, ${file})`,
    )
    const kept = await ask('DELETE /v1/contacts/{external_id}', '/v1/contacts/u000123')
    expect(kept).toMatchObject({
      status: 409,
      body: {
        error: 'reject_file',
        reason: expect.stringMatching(`${file}.*delete that file, and erase again`),
      },
    })
    await unlink(file)
    expect((await ask('DELETE /v1/contacts/{external_id}', '/v1/contacts/u000123')).status).toBe(200)
    expect((await ask('DELETE /v1/contacts/{external_id}', '/v1/contacts/u000123')).status).toBe(404)
  })
})

test('the document is OpenAPI 3.1: every operation has its own id, its parameters, its scope and the refusals', async () => {
  const document = (await (await app.request('/openapi.json')).json()) as {
    openapi: string
    paths: Record<string, Record<string, Record<string, unknown>>>
  }
  expect(document.openapi).toBe('3.1.0')
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path))
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(Object.keys(OPERATIONS).length)
  const outcome = document.paths['/v1/calls/{id}/outcome']?.post
  expect(outcome).toMatchObject({
    'x-scope': 'calls',
    parameters: [{ name: 'id', in: 'path', required: true }],
    requestBody: {
      content: {
        'application/json': { schema: { required: ['agent', 'outcome'], additionalProperties: false } },
      },
    },
  })
  const packing = [{ name: 'Content-Encoding', in: 'header', required: false, schema: { enum: ['gzip'] } }]
  for (const [route, { body }] of Object.entries(OPERATIONS)) {
    const [method = '', path = ''] = route.split(' ')
    const { parameters } = document.paths[path]?.[method.toLowerCase()] ?? {}
    if (body?.gzip) expect(parameters).toMatchObject(packing)
    else expect(JSON.stringify(parameters), route).not.toContain('Content-Encoding')
  }
  expect(document.paths['/v1/import']?.post?.parameters).toMatchObject(packing)
  expect(Object.keys(outcome?.responses ?? {})).toEqual([
    '200',
    '400',
    '401',
    '403',
    '404',
    '413',
    '415',
    '429',
    '500',
  ])
})

test('whatever takes format=csv is described as CSV, too', () => {
  for (const [route, { query, csv, answer }] of Object.entries(OPERATIONS)) {
    expect(csv ?? false, route).toBe(typeof answer !== 'string' && 'format' in (query?.shape ?? {}))
  }
})

test('a schema is read as lines: nested fields by their path', () => {
  const schema = {
    type: 'object',
    properties: {
      calls: {
        type: 'array',
        items: { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] },
      },
      limit: { anyOf: [{ type: 'integer' }, { type: 'null' }], description: 'at most' },
      kind: { enum: ['a', 'b'] },
      name: { type: ['string', 'null'] },
    },
    required: ['calls'],
  }
  expect(fieldsOf(schema)).toEqual([
    { path: 'calls', type: 'list', required: true, description: '' },
    { path: 'calls[].id', type: 'string', required: true, description: '' },
    { path: 'limit', type: 'integer | null', required: false, description: 'at most' },
    { path: 'kind', type: 'a | b', required: false, description: '' },
    { path: 'name', type: 'string | null', required: false, description: '' },
  ])
})
