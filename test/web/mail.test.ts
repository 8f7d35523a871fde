import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { trackHtml, unsubscribeUrl } from '../../src/channels/email/links.ts'
import { referenceOf } from '../../src/channels/reference.ts'
import { manualClock } from '../../src/clock.ts'
import { execute, rows } from '../../src/database/connect.ts'
import { readSigningKeys } from '../../src/service/links.ts'
import { eraseEverywhere } from '../../src/service/privacy.ts'
import { signAddress } from '../../src/tokens/address.ts'
import type { SigningKeys } from '../../src/tokens/token.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { composeWeb } from '../../src/web/server.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { type TestChannel, testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { withFullDisk } from '../support/full-disk.ts'
import { openShop, type Shop, WORKSPACE } from '../support/shop.ts'

// What links of a mail lead to, over the composed web side, on what the pipeline really sent.

const BASE = 'https://wb.shop.example'
const SOURCE = oneTierCampaign('letters', [
  '{ id: first, channel: email, template: hello }',
  '{ id: second, after: 1d, channel: email, template: hello }',
])
const AGENT = { 'user-agent': 'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15' }

let shop: Shop
let email: TestChannel
let cards: TestChannel
let keys: SigningKeys
let app: ReturnType<typeof composeWeb>
let people = 0

beforeAll(async () => {
  email = testChannel('email')
  cards = testChannel('log')
  const workspace = `${WORKSPACE}web: { url: "${BASE}" }\n`
  const clock = manualClock(new Date('2026-03-02T09:00:00Z'))
  shop = await openShop({ database: await freshDatabase(), clock, channels: [email, cards], workspace })
  await shop.apply(SOURCE)
  keys = await readSigningKeys(shop.database)
  app = composeWeb({ runtime: shop.runtime })
})
afterAll(() => shop.runtime.close())

/** One more person, to whom the first step was sent and for whom the second is planned. */
let message: { contactId: number; touchpointId: number }
beforeEach(async () => {
  people += 1
  shop.clock.advance(86_400 * 40)
  const silent = new Date(shop.clock.now().getTime() - 4 * 86_400_000).toISOString()
  await shop.importContacts([{ external_id: `p${people}`, email: `p${people}@people.test` }])
  await shop.importActivity([{ external_id: `p${people}`, type: 'session', occurred_at: silent }])
  await shop.run('letters')
  await dispatchDue(shop.database, { now: shop.clock.now(), jobs: 100 }, async (batch) => {
    await processBatch(shop.runtime.worker, batch)
  })
  const sent = email.sent.find(({ address }) => address === `p${people}@people.test`)
  if (!sent) throw new Error('nothing was sent')
  message = { contactId: sent.contactId, touchpointId: sent.touchpointId }
  // It takes a person longer to see a mail.
  shop.clock.advance(60)
})

const base = { url: BASE, keys: undefined as unknown as SigningKeys }
const links = () => ({ ...base, keys })
const path = (url: string) => url.slice(BASE.length)
const events = async () =>
  await rows<{ kind: string; detail: string | null }>(
    shop.database,
    sql`SELECT kind, detail FROM delivery_events WHERE contact_id = ${message.contactId} ORDER BY kind`,
  )
const waiting = async () =>
  await rows(shop.database, sql`SELECT FROM touchpoints WHERE contact_id = ${message.contactId}`)
const tracked = () => {
  const html = trackHtml('<a href="https://a.example/x?y=1&amp;z">a</a>', links(), message, {
    clicks: true,
    opens: true,
  })
  return {
    click: path(/href="([^"]+)"/.exec(html)?.[1] ?? ''),
    open: path(/src="([^"]+)"/.exec(html)?.[1] ?? ''),
  }
}

describe('a link', () => {
  it('leads where it was to lead, and is one click however often it is followed', async () => {
    for (let times = 0; times < 3; times += 1) {
      const answer = await app.request(tracked().click, { headers: AGENT })
      expect(answer.status).toBe(302)
      expect(answer.headers.get('location')).toBe('https://a.example/x?y=1&z')
    }
    expect(await events()).toEqual([{ kind: 'clicked', detail: 'https://a.example/x?y=1&z' }])
  })

  it('leads on while the database is away or has no room, and the log hears of the click that is lost', async () => {
    const { click } = tracked()
    const heard: string[] = []
    const web = composeWeb({
      runtime: shop.runtime,
      onError: (where, error) => heard.push(`${where}: ${String(error)}`),
    })
    const follow = async () => (await web.request(click, { headers: AGENT })).headers.get('location')
    await withFullDisk(shop.database, 'delivery_events', async () => {
      expect(await follow()).toBe('https://a.example/x?y=1&z')
    })
    const refused = Object.assign(new Error('connect ECONNREFUSED 10.0.0.1:5432'), { code: 'ECONNREFUSED' })
    const pool = vi.spyOn(shop.database.client, 'connect').mockRejectedValue(refused as never)
    const asked = vi.spyOn(shop.database.client, 'query').mockRejectedValue(refused as never)
    try {
      expect(await follow()).toBe('https://a.example/x?y=1&z')
      // What has to be done is not said to be.
      const unsubscription = await web.request(path(unsubscribeUrl(links(), message)), { method: 'POST' })
      expect(unsubscription.status).toBe(500)
    } finally {
      asked.mockRestore()
      pool.mockRestore()
    }
    expect(heard.slice(0, 2)).toEqual([
      'GET /c/:token: error: no room',
      'GET /c/:token: Error: connect ECONNREFUSED 10.0.0.1:5432',
    ])
    expect(await events()).toEqual([])
    await follow()
    expect(await events()).toHaveLength(1)
  })

  it('is another click than a second long link that begins alike, each once', async () => {
    const long = (end: string) => `https://a.example/?${'utm=spring&'.repeat(40)}p=${end}`
    const html = trackHtml(`<a href="${long('1')}">1</a><a href="${long('2')}">2</a>`, links(), message, {
      clicks: true,
      opens: false,
    })
    const hrefs = [...html.matchAll(/href="([^"]+)"/g)].map(([, href = '']) => path(href))
    expect(hrefs).toHaveLength(2)
    for (const href of [...hrefs, ...hrefs]) await app.request(href, { headers: AGENT })
    expect((await events()).map(({ detail }) => detail).sort()).toEqual([long('1'), long('2')])
  })

  it('leads a scanner on without taking it for a person', async () => {
    const answer = await app.request(tracked().click, { headers: { 'user-agent': 'Barracuda Scanner' } })
    expect(answer.status).toBe(302)
    expect(await events()).toEqual([])
  })

  it('leads on whoever comes before anybody can have read the mail, a browser by name, and counts them from then on', async () => {
    shop.clock.advance(-57)
    const { click, open } = tracked()
    expect((await app.request(click, { headers: AGENT })).status).toBe(302)
    await app.request(open, { headers: AGENT })
    expect((await events()).map(({ kind }) => kind)).toEqual(['prefetched'])
    shop.clock.advance(57)
    await app.request(click, { headers: AGENT })
    await app.request(open, { headers: AGENT })
    expect((await events()).map(({ kind }) => kind)).toEqual(['clicked', 'opened', 'prefetched'])
  })

  it('is no click while its mail is on its way', async () => {
    const [waits] = await rows<{ touchpointId: number }>(
      shop.database,
      sql`SELECT touchpoint_id AS "touchpointId" FROM touchpoints WHERE contact_id = ${message.contactId}`,
    )
    message = { ...message, touchpointId: waits?.touchpointId ?? 0 }
    await execute(
      shop.database,
      sql`UPDATE touchpoints SET attempt = 1 WHERE touchpoint_id = ${message.touchpointId}`,
    )
    expect((await app.request(tracked().click, { headers: AGENT })).status).toBe(302)
    expect(await events()).toEqual([])
  })

  it('is no click where a checker of links asks for the headers alone, whoever it says it is', async () => {
    const answer = await app.request(tracked().click, { method: 'HEAD', headers: AGENT })
    expect(answer.headers.get('location')).toBe('https://a.example/x?y=1&z')
    await app.request(tracked().open, { method: 'HEAD', headers: AGENT })
    expect((await events()).map(({ kind }) => kind)).toEqual(['prefetched'])
  })

  it('leads nowhere once it was changed', async () => {
    const { click } = tracked()
    for (const changed of [
      `${click}x`,
      click.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
      '/c/x',
      '/c/..a.b',
    ]) {
      const answer = await app.request(changed, { headers: AGENT })
      expect(answer.status).toBe(404)
      expect(answer.headers.get('location')).toBeNull()
      const words = await answer.text()
      expect(words).toContain('Open it from the message itself')
      // They wanted to go somewhere, and not to be left alone.
      expect(words).not.toContain('unsubscribe')
    }
    expect(await events()).toEqual([])
  })
})

describe('a picture', () => {
  it('tells people from machines, and looks the same to both', async () => {
    const { open } = tracked()
    const seen = await app.request(open, { headers: AGENT })
    const fetched = await app.request(open, { headers: { 'user-agent': 'Mozilla/5.0' } })
    const forged = await app.request(`${open}x`, { headers: AGENT })
    const bodies = await Promise.all(
      [seen, fetched, forged].map(async (answer) => (await answer.text()).length),
    )
    expect(new Set(bodies).size).toBe(1)
    expect(seen.headers.get('content-type')).toBe('image/gif')
    expect(await events()).toEqual([
      { kind: 'opened', detail: null },
      { kind: 'prefetched', detail: null },
    ])
  })
})

describe('an unsubscription', () => {
  const url = () => path(unsubscribeUrl(links(), message))

  it('is asked for by a page that changes nothing, in the reader’s language', async () => {
    for (const [language, words] of [
      ['zh-CN,zh;q=0.9', '确认退订'],
      ['en', 'Stop writing to me'],
    ]) {
      const page = await app.request(url(), { headers: { 'accept-language': language ?? '' } })
      expect(page.status).toBe(200)
      expect(await page.text()).toContain(words)
      expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
    }
    await app.request(url(), { method: 'HEAD' })
    expect(await events()).toEqual([])
    expect(await waiting()).toHaveLength(1)
  })

  it('is done by a post without a cookie, twice too, and stops what is planned', async () => {
    for (let times = 0; times < 2; times += 1) {
      const answer = await app.request(url(), {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: 'List-Unsubscribe=One-Click',
      })
      expect(answer.status).toBe(200)
    }
    expect(await events()).toEqual([{ kind: 'unsubscribed', detail: 'one-click' }])
    expect(await waiting()).toEqual([])
    const [record] = await rows(
      shop.database,
      sql`SELECT state, reason FROM touchpoint_records WHERE contact_id = ${message.contactId} AND state = 'skipped'`,
    )
    expect(record).toEqual({ state: 'skipped', reason: 'suppressed' })
  })

  it('of a message that went by a channel without addresses refuses that channel', async () => {
    await shop.apply(
      oneTierCampaign('cards', [
        '{ id: card, channel: log, template: hello }',
        '{ id: another, after: 1d, channel: log, template: hello }',
      ]),
    )
    const silent = new Date(shop.clock.now().getTime() - 4 * 86_400_000).toISOString()
    await shop.importContacts([{ external_id: 'nowhere' }])
    await shop.importActivity([{ external_id: 'nowhere', type: 'session', occurred_at: silent }])
    await shop.run('cards')
    await dispatchDue(shop.database, { now: shop.clock.now(), jobs: 100 }, async (batch) => {
      await processBatch(shop.runtime.worker, batch)
    })
    const sent = cards.sent.find(({ address }) => address === 'nowhere')
    if (!sent) throw new Error('nothing was sent')
    message = { contactId: sent.contactId, touchpointId: sent.touchpointId }
    expect(await waiting()).toHaveLength(1)
    for (let times = 0; times < 2; times += 1) {
      const body = new URLSearchParams({ 'List-Unsubscribe': 'One-Click' })
      const answer = await app.request(url(), { method: 'POST', body })
      expect(answer.status).toBe(200)
      // And no more than that: e-mail, or what else was not refused, may still come.
      expect(await answer.text()).toContain('We will not write to you this way again.')
    }
    expect(await waiting()).toEqual([])
    const ended = await rows(
      shop.database,
      sql`SELECT state, reason FROM touchpoint_records WHERE contact_id = ${message.contactId} ORDER BY state`,
    )
    expect(ended).toEqual([
      { state: 'sent', reason: null },
      { state: 'skipped', reason: 'opted_out' },
    ])
    const choices = await rows(
      shop.database,
      sql`SELECT channels_off, source FROM preferences WHERE contact_id = ${message.contactId}`,
    )
    expect(choices).toEqual([{ channels_off: ['log'], source: 'unsubscribe: one-click' }])
  })

  it('is of the person: their other account, whose address is another, gets no e-mail either, until they choose so', async () => {
    const other = {
      external_id: `q${people}`,
      email: `q${people}@people.test`,
      phone: `+8613800${10_000 + people}`,
    }
    await shop.importContacts([{ external_id: `p${people}`, phone: other.phone }, other])
    const choices = async () =>
      await rows(
        shop.database,
        sql`SELECT channels_off, source FROM preferences WHERE contact_id = ${message.contactId}`,
      )
    for (let times = 0; times < 2; times += 1) {
      const body = new URLSearchParams({ 'List-Unsubscribe': 'One-Click' })
      expect((await app.request(url(), { method: 'POST', body })).status).toBe(200)
    }
    expect(await choices()).toEqual([{ channels_off: ['email'], source: 'unsubscribe: one-click' }])
    // Theirs was on the list before.
    const ended = await rows(
      shop.database,
      sql`SELECT reason FROM touchpoint_records WHERE contact_id = ${message.contactId} AND state = 'skipped'`,
    )
    expect(ended).toEqual([{ reason: 'suppressed' }])
  })

  it('holds for the address they have later, too: they were told that nothing more comes this way', async () => {
    const body = new URLSearchParams({ 'List-Unsubscribe': 'One-Click' })
    expect((await app.request(url(), { method: 'POST', body })).status).toBe(200)
    const moved = `moved${people}@people.test`
    await shop.importContacts([{ external_id: `p${people}`, email: moved }])
    shop.clock.advance(86_400 * 40)
    const silent = new Date(shop.clock.now().getTime() - 4 * 86_400_000).toISOString()
    await shop.importActivity([{ external_id: `p${people}`, type: 'session', occurred_at: silent }])
    await shop.run('letters')
    await dispatchDue(shop.database, { now: shop.clock.now(), jobs: 100 }, async (batch) => {
      await processBatch(shop.runtime.worker, batch)
    })
    expect(email.sent.filter(({ address }) => address === moved)).toEqual([])
    const answers = await rows(
      shop.database,
      sql`SELECT channels_off, source FROM preferences WHERE contact_id = ${message.contactId}`,
    )
    expect(answers).toEqual([{ channels_off: ['email'], source: 'unsubscribe: one-click' }])
  })

  it('asks why when it is done, in the reader’s language, and keeps an answer of the one list once', async () => {
    const post = async (fields: Record<string, string>, language = 'en') => {
      const body = new URLSearchParams(fields)
      const answer = await app.request(`${url()}?lang=${language}`, { method: 'POST', body })
      expect(answer.status).toBe(303)
      return await (await app.request(`${url()}${answer.headers.get('location')}`)).text()
    }
    expect(await post({ way: 'page' }, 'zh-CN')).toContain('消息太多')
    for (const why of ['price', 'price', 'no reason of the list', '']) {
      expect(await post({ way: 'reason', why })).toContain('Thank you')
    }
    expect(
      await rows(
        shop.database,
        sql`SELECT source, reason, recorded_by FROM reasons_given WHERE contact_id = ${message.contactId}`,
      ),
    ).toEqual([{ source: 'opt_out', reason: 'price', recorded_by: 'unsubscribe page' }])
    expect(await events()).toEqual([{ kind: 'unsubscribed', detail: 'page' }])
  })

  it('of an account that was erased says so: another account may have the address, and nobody knows it', async () => {
    const { external_id: id, email: address } = { external_id: `p${people}`, email: `p${people}@people.test` }
    await shop.importContacts([{ external_id: `twin${people}`, email: address }])
    await eraseEverywhere(shop.runtime, id, async () => {})
    const listed = async () =>
      await rows(shop.database, sql`SELECT FROM suppressions WHERE reason = 'erased'`)
    const before = await listed()
    for (const [method, body] of [
      ['GET', undefined],
      ['GET?done=1', undefined],
      ['POST', { 'List-Unsubscribe': 'One-Click' }],
      ['POST', { way: 'page' }],
      ['POST', { way: 'reason', why: 'price' }],
    ] as const) {
      const [verb = '', query = ''] = method.split('?')
      const answer = await app.request(`${url()}?${query}`, {
        method: verb,
        headers: { 'accept-language': 'en' },
        ...(body ? { body: new URLSearchParams(body) } : {}),
      })
      expect(answer.status).toBe(410)
      const text = await answer.text()
      expect(text).toContain('This account has been deleted')
      expect(text).not.toContain('We will not write to you')
    }
    expect(await listed()).toEqual(before)
  })

  it('of what is nobody’s, as a test or the digest, says that it changes nothing', async () => {
    message = { contactId: 0, touchpointId: 0 }
    for (const method of ['GET', 'POST']) {
      const answer = await app.request(`${url()}?lang=zh-CN`, { method })
      expect(answer.status).toBe(200)
      expect(await answer.text()).toContain('这是一条测试消息')
    }
  })

  it('leads to the preferences page, where less can be chosen than nothing', async () => {
    const page = await (await app.request(url())).text()
    const link = page.match(/href="([^"]*\/preferences\/[^"]*)"/)?.[1] ?? ''
    expect((await app.request(new URL(link).pathname)).status).toBe(200)
  })

  it('speaks their language, as the preferences page does, whatever the browser’s is', async () => {
    await shop.importContacts([{ external_id: `p${people}`, locale: 'zh-CN' }])
    const headers = { 'accept-language': 'en' }
    const page = await (await app.request(url(), { headers })).text()
    expect(page).toContain('不再接收这类消息？')
    expect(page).toMatch(/href="[^"]*\/preferences\/[^"]*\?lang=zh-CN"/)
    const english = await (await app.request(`${url()}?lang=en`, { headers })).text()
    expect(english).toContain('No more of these messages?')
    expect(english).toMatch(/href="[^"]*\/preferences\/[^"]*\?lang=en"/)
  })

  it('is refused with a changed token, or with one that is for something else', async () => {
    const { click, open } = tracked()
    for (const wrong of [`${url()}x`, click.replace('/c/', '/u/'), open.replace('/o/', '/u/'), '/u/none']) {
      const answer = await app.request(wrong, { method: 'POST' })
      expect(answer.status).toBe(404)
      expect(await answer.text()).toContain('answer the message with “unsubscribe”')
    }
    expect(await waiting()).toHaveLength(1)
  })
})

describe('a returned mail', () => {
  const mail = (address: string) =>
    [
      `To: ${address}`,
      'Message-ID: <b1@mx.example>',
      'MIME-Version: 1.0',
      'Content-Type: multipart/report; report-type=delivery-status; boundary=B',
      '',
      '--B',
      'Content-Type: message/delivery-status',
      '',
      'Reporting-MTA: dns; mx.example',
      '',
      'Final-Recipient: rfc822; p@people.test',
      'Action: failed',
      'Status: 5.1.1',
      '',
      '--B--',
      '',
    ].join('\r\n')
  const address = () => `bounce+${signAddress(keys, 'bounce', referenceOf(message))}@shop.example`

  it('posted: silences the address, once', async () => {
    const post = async () =>
      await (await app.request('/v1/bounces', { method: 'POST', body: mail(address()) })).json()
    expect(await post()).toMatchObject({ outcome: 'recorded' })
    expect(await post()).toMatchObject({ outcome: 'ignored' })
    expect(await events()).toMatchObject([{ kind: 'hard_bounce' }])
    expect(await waiting()).toEqual([])
  })

  it('is refused with a reason where it is not addressed to us, or is no mail', async () => {
    for (const body of [
      '',
      'x',
      mail('bounce@shop.example'),
      mail(address().replace('bounce+', 'bounce+1')),
    ]) {
      const answer = await app.request('/v1/bounces', { method: 'POST', body })
      expect(answer.status).toBe(400)
      expect(await answer.json()).toMatchObject({ error: 'malformed', reason: expect.any(String) })
    }
    expect(await events()).toEqual([])
  })
})
