import { sql } from 'drizzle-orm'
import { beforeEach, describe, expect, it } from 'vitest'
import { type ManualClock, manualClock } from '../../src/clock.ts'
import { consentHistory, consentStates } from '../../src/contacts/consent.ts'
import { findContact } from '../../src/contacts/external-ids.ts'
import { ANYTHING, readChoice, recordChoice, recordOptOut } from '../../src/contacts/preferences.ts'
import { type Database, execute, rows, transaction } from '../../src/database/connect.ts'
import { suppress } from '../../src/outcomes/do-not-contact.ts'
import { isAddressed } from '../../src/outcomes/reporting.ts'
import { leavingSheet, readLeaving } from '../../src/reports/leaving.ts'
import { openLinks, preferencesUrl, readSigningKeys } from '../../src/service/links.ts'
import { eraseEverywhere } from '../../src/service/privacy.ts'
import { unsubscribe } from '../../src/service/unsubscribing.ts'
import { signToken } from '../../src/tokens/token.ts'
import { createApiKey, type Scope } from '../../src/web/api-keys.ts'
import { composeWeb } from '../../src/web/server.ts'
import { testChannel } from '../support/channel.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { openShop, type Shop, WORKSPACE } from '../support/shop.ts'

const SOURCE = `${WORKSPACE}
consent: { email: required }
topics: { offers: { en: Offers, zh-CN: 优惠活动 }, news: News }
`

let shop: Shop
let database: Database
let clock: ManualClock
let app: ReturnType<typeof composeWeb>
let contactId: number
let page: string

beforeEach(async () => {
  clock = manualClock(new Date('2026-03-10T09:00:00Z'))
  const channels = [testChannel('email'), testChannel('log')]
  shop = await openShop({ database: await emptiedDatabase(), clock, channels, workspace: SOURCE })
  database = shop.database
  await shop.importContacts([
    { external_id: 'u1', email: 'li@shop.example', locale: 'zh-CN', signed_up_at: '2026-01-01T00:00:00Z' },
  ])
  contactId = await findContact(database, 'u1')
  app = composeWeb({ runtime: shop.runtime })
  const links = await openLinks(database, { web: { ...shop.workspace.web, url: 'https://shop.example' } })
  page = links ? new URL(preferencesUrl(links, contactId)).pathname : ''
})

async function post(fields: Record<string, string | string[]>) {
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(fields))
    for (const each of [value].flat()) form.append(name, each)
  return await app.request(page, { method: 'POST', body: form })
}

describe('the page behind a signed link', () => {
  it('speaks the contact’s language, names no address, and needs no script', async () => {
    const response = await app.request(page)
    const text = await response.text()
    expect(response.status).toBe(200)
    expect(text).toContain('<html lang="zh-CN">')
    expect(text).toContain('优惠活动')
    expect(text).not.toMatch(/li@shop|<script|u1\b/)
    expect(response.headers.get('Content-Security-Policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; form-action 'self'/,
    )
    expect(response.headers.get('Set-Cookie')).toBeNull()
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    expect(await (await app.request(`${page}?lang=en`)).text()).toContain('What we may send you')
  })

  it('records a choice and the consent that its box stands for, and a withdrawal', async () => {
    const saved = await post({ do: 'save', channel: 'email', topic: 'news', often: 'weekly', pause: '30' })
    expect(saved.status).toBe(303)
    expect(await readChoice(database, contactId, clock.now())).toMatchObject({
      channelsOff: [],
      topicsOff: ['offers'],
      frequency: { atMost: 1, withinDays: 7 },
      pausedUntil: new Date('2026-04-09T09:00:00Z'),
      source: 'preferences page',
    })
    expect(await consentHistory(database, contactId)).toMatchObject([
      { channel: 'email', decision: 'given', wording: 'preferences-page/2' },
    ])
    const seen = await (await app.request(`${page}?lang=en&saved=1`)).text()
    expect(seen).toContain('Saved.')
    expect(seen).toContain('Keep the pause until April 9, 2026')
    expect(seen).toMatch(/value="weekly" checked/)

    clock.advance(60)
    await post({ do: 'save', topic: ['news', 'offers'], often: '', pause: 'keep' })
    expect(await consentStates(database, contactId, clock.now())).toEqual([
      { channel: 'email', state: 'withdrawn' },
    ])
    expect(await readChoice(database, contactId, clock.now())).toMatchObject({
      channelsOff: ['email'],
      topicsOff: [],
      frequency: null,
      pausedUntil: new Date('2026-04-09T09:00:00Z'),
    })
  })

  it('saved unchanged, takes nothing back that the page does not show', async () => {
    const save = async () => {
      const html = await (await app.request(page)).text()
      const ticked = (name: string) =>
        [...html.matchAll(new RegExp(`<input[^>]*name="${name}"[^>]*>`, 'g'))].flatMap(([tag]) =>
          tag.includes('checked') ? [/value="([^"]*)"/.exec(tag)?.[1] ?? ''] : [],
        )
      const fields = ['channel', 'topic', 'often'].map((name) => [name, ticked(name)] as const)
      clock.advance(60)
      await post({ do: 'save', ...Object.fromEntries(fields) })
      return await readChoice(database, contactId, clock.now())
    }
    const held = {
      channelsOff: ['sms'],
      topicsOff: ['of_old', 'news'],
      frequency: { atMost: 3, withinDays: 7 },
      pausedUntil: null,
      source: 'API',
    }
    const choose = (changes: object) =>
      transaction(database, (tx) =>
        recordChoice(tx, contactId, { ...held, ...changes }, { now: clock.now(), hooks: {} }),
      )
    await choose({})
    expect(await save()).toMatchObject({
      channelsOff: expect.arrayContaining(['sms']),
      topicsOff: held.topicsOff,
      frequency: held.frequency,
    })
    clock.advance(60)
    await choose({ channelsOff: ['*'] })
    expect((await save())?.channelsOff).toContain('*')
  })

  it('opened before they chose anew elsewhere, changes what was touched on it alone', async () => {
    clock.advance(60)
    await post({ do: 'save', channel: 'email', topic: ['offers', 'news'], often: '', pause: '' })
    const opened = await (await app.request(page)).text()
    const was = /name="was" value="([^"]*)"/.exec(opened)?.[1]?.replaceAll('&amp;', '&')
    clock.advance(60)
    await unsubscribe(shop.runtime, { contactId, touchpointId: 1 }, 'page')
    const chosen = {
      channelsOff: ['email'],
      topicsOff: ['offers'],
      frequency: { atMost: 1, withinDays: 30 },
      pausedUntil: new Date('2026-05-01T00:00:00Z'),
      source: 'API',
    }
    await transaction(database, (tx) => recordChoice(tx, contactId, chosen, { now: clock.now(), hooks: {} }))
    clock.advance(60)
    // As the old page stands, but for the one topic.
    await post({ do: 'save', was: was ?? '', channel: 'email', topic: 'offers', often: '', pause: '' })
    expect(await readChoice(database, contactId, clock.now())).toMatchObject({
      ...chosen,
      topicsOff: ['offers', 'news'],
      source: 'preferences page',
    })
    expect(await rows(database, sql`SELECT reason FROM suppressions`)).toEqual([{ reason: 'unsubscribe' }])
    const history = await consentHistory(database, contactId)
    expect(history.map(({ wording }) => wording)).not.toContain('preferences-page/again/2')
  })

  it.each(['en', 'zh-CN'])('is told of in words whatever silenced an address, in %s', async (locale) => {
    const reasons = ['hard_bounce', 'complaint', 'unsubscribe', 'manual', 'erased']
    for (const [no, reason] of reasons.entries()) {
      await execute(
        database,
        sql`INSERT INTO suppressions (kind, key, reason, source, suppressed_at)
            VALUES ('email', ${Buffer.from([no])}, ${reason}, 'test', ${clock.now()})`,
      )
    }
    clock.advance(1)
    const data = await readLeaving(database, { campaign: 'any', now: clock.now(), split: new Map() })
    const [, said] = leavingSheet(data, { locale, currency: 'CNY', color: false, width: 100 }).tables
    const words = said?.rows.map((row) => row.at(-1)?.text)
    expect(words).toHaveLength(5)
    for (const each of words ?? []) expect(reasons).not.toContain(each)
  })

  it('says where nothing comes whatever is ticked: the address is on the do-not-contact list', async () => {
    await post({ do: 'save', channel: 'email' })
    const box = async () => /<input[^>]*value="email"[^>]*>/.exec(await (await app.request(page)).text())?.[0]
    expect(await box()).toContain('checked')
    await shop.importSuppressions([{ email: 'li@shop.example', reason: 'unsubscribe' }])
    expect(await box()).toContain('disabled')
    expect(await box()).not.toContain('checked')
    expect(await (await app.request(`${page}?lang=en`)).text()).toContain('Nothing comes this way')
    // A browser sends no box that cannot be ticked: what was chosen before holds for the next address.
    clock.advance(60)
    await post({ do: 'save' })
    expect(await readChoice(database, contactId, clock.now())).toMatchObject({ channelsOff: [] })
    expect(await consentStates(database, contactId, clock.now())).toEqual([
      { channel: 'email', state: 'given' },
    ])
    // Another account has an address that may be written to.
    await shop.importContacts([
      { external_id: 'u1', phone: '+8613800138000' },
      { external_id: 'u2', phone: '+8613800138000', email: 'li@other.example' },
    ])
    expect(await box()).toContain('checked')
  })

  describe('of whoever had unsubscribed', () => {
    const box = async () => /<input[^>]*value="email"[^>]*>/.exec(await (await app.request(page)).text())?.[0]
    const leave = async () => {
      clock.advance(60)
      await unsubscribe(shop.runtime, { contactId, touchpointId: 1 }, 'page')
    }
    const listed = async () => await rows(database, sql`SELECT reason, source FROM suppressions`)
    const tick = async () => {
      clock.advance(60)
      await post({ do: 'save', channel: 'email' })
    }

    it('has a box that brings them back, by a consent of its own, as often as they change their mind', async () => {
      await tick()
      for (const times of [1, 2]) {
        await leave()
        expect(await box()).not.toMatch(/checked|disabled/)
        expect(await (await app.request(`${page}?lang=en`)).text()).toContain('You had unsubscribed.')
        // Saved with the box as it stands, nothing comes and nothing is refused anew.
        clock.advance(60)
        await post({ do: 'save', often: 'weekly' })
        expect(await listed()).toEqual([{ reason: 'unsubscribe', source: 'page' }])
        expect(await readChoice(database, contactId, clock.now())).toMatchObject({ channelsOff: [] })
        await tick()
        expect(await listed()).toEqual([])
        expect(await box()).toContain('checked')
        const history = await consentHistory(database, contactId)
        const wordings = history.map(({ decision, wording }) => `${decision} ${wording}`)
        expect(wordings.filter((each) => each === 'given preferences-page/again/2')).toHaveLength(times)
        // That they had left stays known, at its own time.
        expect(history.filter(({ source }) => source === 'unsubscribe')).toHaveLength(times)
      }
      await leave()
      await post({ do: 'nothing' })
      expect(await listed()).toEqual([{ reason: 'unsubscribe', source: 'page' }])
    })

    const others: readonly (readonly [who: string, put: () => Promise<unknown>])[] = [
      [
        'an operator put it there, too',
        () => shop.importSuppressions([{ email: 'li@shop.example', reason: 'unsubscribe' }]),
      ],
      ...['complaint', 'hard_bounce'].map(
        (reason) =>
          [
            `its provider reports a ${reason}`,
            async () => {
              const channel = shop.runtime.reporting('email')
              if (!isAddressed(channel)) throw new Error('has no address')
              const [contact] = await rows<{ key: Buffer }>(
                database,
                sql`SELECT email_key AS key FROM contacts`,
              )
              const found = [{ key: contact?.key ?? Buffer.of(), reason }]
              await transaction(database, (tx) =>
                suppress(tx, clock.now(), channel, { source: 'receipt', found }),
              )
            },
          ] as const,
      ),
    ]
    it.each(others)('has none where %s, before or since', async (_, put) => {
      await leave()
      expect(await box()).not.toContain('disabled')
      await put()
      for (const _again of [1, 2]) {
        expect(await box()).toContain('disabled')
        await tick()
        expect(await listed()).toHaveLength(1)
        await execute(database, sql`TRUNCATE suppressions`)
        await put()
        await leave()
      }
    })

    it('brings them back with every account that has the address', async () => {
      await shop.importContacts([{ external_id: 'u2', email: 'li@shop.example' }])
      await leave()
      await tick()
      for (const id of ['u1', 'u2']) {
        expect(await consentStates(database, await findContact(database, id), clock.now())).toEqual([
          { channel: 'email', state: 'given' },
        ])
      }
    })

    it('has none for whoever has the address of somebody who was erased', async () => {
      await leave()
      await eraseEverywhere(shop.runtime, 'u1', async () => {})
      await shop.importContacts([{ external_id: 'u9', email: 'li@shop.example' }])
      contactId = await findContact(database, 'u9')
      page = `/preferences/${signToken(await readSigningKeys(database), 'preferences', String(contactId))}`
      expect(await box()).toContain('disabled')
      await tick()
      expect(await listed()).toEqual([{ reason: 'unsubscribe', source: 'page; erasure' }])
    })

    it('has none where others, who did not unsubscribe, read at the address', async () => {
      await shop.importContacts(
        Array.from({ length: 8 }, (_, no) => ({ external_id: `desk${no}`, email: 'li@shop.example' })),
      )
      await execute(database, sql`UPDATE contacts SET person_id = contact_id`)
      await leave()
      expect(await box()).toContain('disabled')
      await tick()
      expect(await listed()).toHaveLength(1)
    })
  })

  it('takes “nothing at all” at its word', async () => {
    await post({ do: 'nothing', channel: 'email' })
    expect(await readChoice(database, contactId, clock.now())).toMatchObject({ channelsOff: ['*'] })
    expect(await rows(database, sql`SELECT FROM reasons_given`)).toEqual([])
  })

  it('asks why, and keeps the answer with what calls heard', async () => {
    expect(await (await app.request(`${page}?lang=zh-CN`)).text()).toContain('消息太多')
    await post({ do: 'nothing', why: 'too_many_messages' })
    clock.advance(60)
    await post({ do: 'save', channel: 'email', why: 'no reason of the list' })
    expect(await rows(database, sql`SELECT source, reason, recorded_by FROM reasons_given`)).toEqual([
      { source: 'opt_out', reason: 'too_many_messages', recorded_by: 'preferences page' },
    ])
    const question = { campaign: 'any', now: clock.now(), split: new Map() }
    const data = await readLeaving(database, question)
    expect(data.given).toEqual([{ source: 'opt_out', reason: 'too_many_messages', people: 1 }])
    const style = { locale: 'en', currency: 'CNY', color: false, width: 100 }
    expect(JSON.stringify(leavingSheet(data, style).tables[0])).toContain('Too many messages')
    // What was told elsewhere was not said on the page.
    await transaction(database, (tx) =>
      recordOptOut(
        tx,
        contactId,
        { channel: 'log', source: 'unsubscribe: one-click' },
        { now: clock.now(), hooks: {} },
      ),
    )
    clock.advance(1)
    const later = await readLeaving(database, { ...question, now: clock.now() })
    expect(later.said).toContainEqual({ source: 'choice', what: 'log', reason: '', people: 1 })
    expect(later.said).toContainEqual({ source: 'preferences', what: '*', reason: '', people: 1 })
    expect(JSON.stringify(leavingSheet(later, style).tables)).toContain('by a link, in a call, or told to us')
  })

  it.each(['changed', 'of another purpose', 'of nobody'])('is not there for a link %s', async (kind) => {
    const keys = await readSigningKeys(database)
    const path = {
      changed: `${page.slice(0, -1)}${page.endsWith('A') ? 'B' : 'A'}`,
      'of another purpose': `/preferences/${signToken(keys, 'unsubscribe', String(contactId))}`,
      'of nobody': `/preferences/${signToken(keys, 'preferences', '999999')}`,
    }[kind] as string
    for (const method of ['GET', 'POST']) {
      const response = await app.request(path, {
        method,
        ...(method === 'POST' ? { body: 'do=nothing' } : {}),
      })
      expect(response.status).toBe(404)
      expect(await response.text()).toContain('This link is no longer good')
    }
    expect(await rows(database, sql`SELECT FROM preferences`)).toEqual([])
  })
})

describe('the same by API', () => {
  const call = async (scope: Scope, path: string, init: RequestInit = {}) => {
    const key = await createApiKey(database, { name: 'shop', scopes: [scope], now: clock.now(), by: 'test' })
    return await app.request(path, { ...init, headers: { Authorization: `Bearer ${key.text}` } })
  }

  it('reads and writes a choice, whole', async () => {
    const chosen = {
      channels_off: ['sms'],
      topics_off: ['news'],
      frequency: { at_most: 2, within_days: 14 },
      paused_until: '2026-05-01T00:00:00.000Z',
    }
    const put = await call('preferences', '/v1/preferences/u1', {
      method: 'PUT',
      body: JSON.stringify(chosen),
    })
    expect([put.status, await put.json()]).toEqual([200, chosen])
    expect(await (await call('preferences', '/v1/preferences/u1')).json()).toEqual(chosen)
  })

  it.each([
    ['not JSON', '{', 'the body'],
    ['an unknown key', '{"channels":[]}', 'channels'],
    ['an unknown topic', '{"topics_off":["sports"]}', 'no topic sports'],
    ['an unknown channel', '{"channels_off":["sms","emial"]}', 'no channel emial; there are email, '],
    ['half a frequency', '{"frequency":{"at_most":1}}', '`within_days` is missing; expected a whole number'],
    [
      'a day in place of a moment',
      '{"paused_until":"2026-05-01"}',
      'expected a moment with its zone such as',
    ],
    ['a frequency of none', '{"frequency":{"at_most":0,"within_days":7}}', 'frequency.at_most'],
  ])('refuses %s with a reason and changes nothing', async (_what, body, reason) => {
    const response = await call('preferences', '/v1/preferences/u1', { method: 'PUT', body })
    expect(response.status).toBe(400)
    expect(await response.text()).toContain(reason)
    expect(await rows(database, sql`SELECT FROM preferences`)).toEqual([])
  })

  it('takes back what it gave, though a channel of the past is in it', async () => {
    await execute(
      database,
      sql`INSERT INTO preferences (contact_id, chosen_at, channels_off, topics_off, source)
        VALUES (${contactId}, ${clock.now()}, ARRAY['pager'], ARRAY['gone'], 'test')`,
    )
    const held = await (await call('preferences', '/v1/preferences/u1')).json()
    expect(held).toMatchObject({ channels_off: ['pager'], topics_off: ['gone'] })
    const body = JSON.stringify(held)
    expect((await call('preferences', '/v1/preferences/u1', { method: 'PUT', body })).status).toBe(200)
  })

  it('holds over one that a machine whose clock is ahead recorded a moment before', async () => {
    const ahead = new Date(clock.now().getTime() + 900)
    await transaction(database, (tx) =>
      recordChoice(
        tx,
        contactId,
        { ...ANYTHING, topicsOff: ['news'], source: 'test' },
        { now: ahead, hooks: shop.runtime.hooks },
      ),
    )
    const body = '{"channels_off":["*"],"topics_off":["news"]}'
    expect((await call('preferences', '/v1/preferences/u1', { method: 'PUT', body })).status).toBe(200)
    clock.advance(5)
    expect(await readChoice(database, contactId, clock.now())).toMatchObject({ channelsOff: ['*'] })
  })

  it('exports in the formats there are', async () => {
    const refused = await call('privacy', '/v1/contacts/u1/export?format=xml')
    expect(refused.status).toBe(400)
    expect(await refused.json()).toMatchObject({
      reason: expect.stringContaining('format: expected json or csv, found `xml`'),
    })
  })

  it('asks for the scope, and knows whom there is', async () => {
    expect((await app.request('/v1/preferences/u1')).status).toBe(401)
    expect((await call('read', '/v1/preferences/u1')).status).toBe(403)
    expect((await call('preferences', '/v1/contacts/u1', { method: 'DELETE' })).status).toBe(403)
    expect((await call('privacy', '/v1/contacts/u2/export')).status).toBe(404)
  })

  it('exports and erases', async () => {
    const held = await call('privacy', '/v1/contacts/u1/export')
    expect(await held.json()).toMatchObject({ contacts: [{ email: 'li@shop.example' }] })
    const csv = await call('privacy', '/v1/contacts/u1/export?format=csv')
    expect(csv.headers.get('Content-Type')).toContain('text/csv')
    expect(await csv.text()).toContain('contacts,1,email,li@shop.example')
    expect((await call('privacy', '/v1/contacts/u1', { method: 'DELETE' })).status).toBe(200)
    expect((await call('privacy', '/v1/contacts/u1', { method: 'DELETE' })).status).toBe(404)
    expect((await app.request(page)).status).toBe(404)
  })
})
