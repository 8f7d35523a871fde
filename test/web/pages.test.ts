import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { unsubscribeUrl } from '../../src/channels/email/links.ts'
import { manualClock } from '../../src/clock.ts'
import { pause, resume } from '../../src/config/switches.ts'
import { appliedNames } from '../../src/config/versions.ts'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import { WinbackError } from '../../src/errors.ts'
import { preferencesUrl, readSigningKeys } from '../../src/service/links.ts'
import { refreshReports } from '../../src/service/reporting.ts'
import { endAbsence, recordAbsence } from '../../src/touchpoints/sending/absences.ts'
import { ROLES, type Role } from '../../src/web/accounts/roles.ts'
import { addUser, issueLink } from '../../src/web/accounts/users.ts'
import { createApiKey } from '../../src/web/api-keys.ts'
import type { Desk, KeptPlan } from '../../src/web/desk.ts'
import { type OutboxChoice, readOutbox } from '../../src/web/pages/outbox/outbox-lines.ts'
import { Table } from '../../src/web/pages/parts.tsx'
import { startWeb, type WebServer } from '../../src/web/server.ts'
import {
  hasBrowser,
  LANGUAGES,
  LOOKS,
  lookAt,
  NARROW,
  OTHER_HOST,
  openWindow,
  WIDE,
} from '../support/browser.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { withFullDisk } from '../support/full-disk.ts'
import { openShop, type Shop } from '../support/shop.ts'
import { formOf, signIn } from '../support/sign-in.ts'

// Every page as people open it: in a browser, by role, in both languages.

const NOW = new Date('2026-03-02T09:00:00Z')
const INPUTS = 'ab'.repeat(32)
const CAMPAIGN = `
version: 1
campaign: spring
title: Spring
schedule: "0 9 * * *"
goals: { recall: { event: session } }
window: 30d
holdout: 20%
tiers:
  - name: only
    inactive: 3d..
    steps:
      - id: remind
        channel: email
        template: hello
        variants: { plain: 50%, story: { share: 50%, template: named } }
`

const PLAN: KeptPlan = {
  version: { current: 1, changed: true },
  timezone: 'Asia/Shanghai',
  entry: 'silence',
  shortages: [
    { state: 'low', lack: 'codes_low', offer: 'five', left: 3, of: 50, found: 'spring.five', mend: '' },
  ],
  audience: {
    cells: [
      { tier: 'only', segment: 'everyone', answer: 'opened', contacts: 1234 },
      { tier: 'only', segment: 'high_value', answer: 'opened', contacts: 7 },
      { tier: 'only', segment: 'everyone', answer: 'reentry_wait', contacts: 30 },
    ],
    churn: [
      { tier: 'only', reason: 'silent', contacts: 1000 },
      { tier: 'only', reason: 'rhythm', contacts: 20 },
    ],
    outside: { total: 5000, recent: 900, beyond: 20, undated: 0, bySignUp: 0, open: 40, had: 0 },
    steps: [
      {
        ...{ tier: 'only', step: 'remind', channels: ['email', 'sms'], contacts: 1241, noAddress: 41 },
        ...{ suppressed: 0, noConsent: 0, optedOut: 0, condition: 0, unknown: 0, messages: 1200 },
        byChannel: [
          { channel: 'email', messages: 1100 },
          { channel: 'sms', messages: 100 },
        ],
      },
    ],
    inflowPerDay: 3,
    eligible: 4000,
  },
  variants: [
    {
      tier: 'only',
      step: 'remind',
      variants: [
        { name: 'plain', share: 0.5, messages: 600 },
        { name: 'story', share: 0.5, messages: 600 },
      ],
    },
  ],
  between: [
    {
      ...{ tier: 'only', step: 'remind' },
      detectable: [
        { afterDays: 30, assigned: 1117, difference: 0.079, why: null },
        { afterDays: 60, assigned: 1198, difference: 0.076, why: null },
      ],
    },
  ],
  heldOut: [{ tier: 'only', episode: 0.1, withTierDraws: 0.1 }],
  spend: 12_000_000,
  liability: 0,
  natural: { contacts: 900, recalled: 300 },
  detectable: [{ afterDays: 30, assigned: 1241, difference: 0.081, why: null }],
  curve: [
    { afterDays: 30, assigned: 1241, difference: 0.081, why: null },
    { afterDays: 44, assigned: 1400, difference: 0.076, why: null },
  ],
  pool: { people: 4000, again: 60, times: null },
  showable: { difference: 0.02, afterDays: null, assigned: 20_000, why: 'too_few' },
  nextRun: '2026-03-03T01:00:00.000Z',
  held: {
    en: 'Paused: `winback resume spring` lets it go on.',
    'zh-CN': '已暂停：用 `winback resume spring` 恢复。',
  },
  samples: [
    {
      ...{ tier: 'only', step: 'remind', variant: 'story', contactId: 1 },
      outcome: { en: 'would be sent by email', 'zh-CN': '会通过 email 发送' },
    },
  ],
}

let database: Database
let shop: Shop
let server: WebServer
let sampled = 0
const applied: string[] = []
const cookies = new Map<Role, string>()

let nobodyYet = false
/** What somebody else does while a plan is being applied. */
let meanwhile = async () => {}

// The command line’s desk is tested with the verbs; here it says what the pages have to show.
const desk: Desk = {
  files: async () => ({
    campaigns: [
      {
        campaign: 'spring',
        title: 'Spring',
        file: 'campaigns/spring.yaml',
        source: CAMPAIGN.replace('20%', '10%'),
        inputs: INPUTS,
        steps: [{ tier: 'only', step: 'remind', channels: ['email', 'sms'], variants: ['plain', 'story'] }],
      },
    ],
    problems: [
      { where: 'campaigns/spring.yaml:9', message: 'a small share is held out', severity: 'warning' },
    ],
  }),
  plan: async (campaign) => ({
    campaign,
    inputs: INPUTS,
    changed: true,
    figures: { ...PLAN, samples: PLAN.samples.map((each) => ({ ...each, contactId: sampled })) },
  }),
  apply: async (_campaign, { inputs, over }, by) => {
    applied.push(`${inputs} over ${over} by ${by}`)
    await meanwhile()
    return { version: 2, applied: true }
  },
  preview: async () => {
    if (nobodyYet) throw new WinbackError('contact.none', 'there are no contacts yet')
    return {
      contact: 'c1',
      segment: 'everyone',
      outcome: 'It would be sent by email.',
      subject: 'Hello',
      text: 'Hello again',
      html: '<html lang="en"><head><title>Hello</title><script>document.title = "ran"</script></head><body><p>Hello again</p></body></html>',
    }
  },
}

beforeAll(async () => {
  database = await freshDatabase()
  shop = await openShop({
    database,
    clock: manualClock(NOW),
    channels: [testChannel('email'), testChannel('log')],
  })
  await shop.apply(CAMPAIGN)
  // By name it comes first, and nobody was taken in.
  await shop.apply(
    CAMPAIGN.replace('campaign: spring', 'campaign: autumn').replace('title: Spring', 'title: Autumn'),
  )
  await shop.importContacts(
    Array.from({ length: 40 }, (_, at) => ({
      external_id: `c${at}`,
      email: `person${at}@example.com`,
      first_name: 'Ada',
    })),
  )
  await shop.importActivity(
    Array.from({ length: 40 }, (_, at) => ({
      external_id: `c${at}`,
      type: 'session',
      occurred_at: new Date(NOW.getTime() - (5 + (at % 9)) * 86_400_000).toISOString(),
    })),
  )
  await shop.run('spring')
  const [first] = await rows<{ id: number }>(database, sql`SELECT min(contact_id) AS id FROM contacts`)
  sampled = first?.id ?? 0
  await refreshReports(shop.runtime)
  server = await startWeb({ runtime: shop.runtime, desk }, { host: '127.0.0.1', port: 0 })
  for (const role of ROLES) cookies.set(role, await signIn(database, role, role, NOW))
}, 60_000)
afterAll(async () => {
  await server.close(0)
  await shop.runtime.close()
})

const PAGES = [
  '/',
  '/campaigns',
  '/campaigns/spring',
  ...['monday', 'funnel', 'lift', 'cost', 'delivery', 'offers', 'reasons'].map(
    (name) => `/campaigns/spring/reports/${name}`,
  ),
  '/contacts',
  '/contacts/c1',
  '/calls',
  '/templates',
  '/outbox',
  '/outbox?what=coming',
  '/outbox/mails',
  '/audit',
  '/api',
  '/settings',
]

/** What people come to from a message. */
async function publicPages(): Promise<string[]> {
  const links = { url: server.address, keys: await readSigningKeys(database) }
  const unsubscribe = unsubscribeUrl(links, { contactId: sampled, touchpointId: 1 })
  return [preferencesUrl(links, sampled), unsubscribe, `${unsubscribe}?done=1`].map((url) => {
    const { pathname, search } = new URL(url)
    return pathname + search
  })
}

const get = (path: string, who: Role) =>
  fetch(`${server.address}${path}`, { headers: { Cookie: cookies.get(who) ?? '' }, redirect: 'manual' })

const post = (path: string, who: Role, fields: Record<string, string> = {}) =>
  formOf(database, server.address, { name: who, cookie: cookies.get(who) ?? '' })(path, fields)

it('heads each row of a table by what it is about, for whoever hears it cell by cell', async () => {
  for (const path of ['/campaigns', '/api', '/settings']) {
    const html = await (await get(path, 'admin')).text()
    const tables = [...html.matchAll(/<tbody.*?<\/tbody>/gs)].map(([body]) => body)
    expect(tables, path).not.toEqual([])
    for (const body of tables) {
      expect(body.match(/<th scope="row"/g)?.length, path).toBe(body.match(/<tr/g)?.length)
    }
  }
})

it('names a language to choose as those who read it do', async () => {
  expect(await (await get('/templates', 'viewer')).text()).toMatch(/<option value="en"[^>]*>English · en</)
})

it('describes every field of the API in either language, with its type', async () => {
  const meanings = async (language: string) => {
    const headers = { Cookie: cookies.get('operator') ?? '', 'Accept-Language': language }
    const html = await (await fetch(`${server.address}/api`, { headers })).text()
    const cells = [...html.matchAll(/<td[^>]*>(.*?)<\/td>/gs)].map(([, cell = '']) =>
      cell.replaceAll(/<code>.*?<\/code>|<[^>]+>/g, '').trim(),
    )
    return cells.filter((cell) => cell !== '')
  }
  const english = await meanings('en')
  expect(english.join('\n')).toContain('External id; it or anonymousId is needed')
  expect(english).toContain('string | null')
  expect(english.filter((cell) => cell.includes('stringnull'))).toEqual([])
  const sentences = (await meanings('zh-CN')).filter((cell) => /[A-Za-z]+ (?!\|)[A-Za-z]+/.test(cell))
  expect(sentences).toEqual([])
})

it('shows of the outbox what is asked for, and each link keeps the other choices', async () => {
  const outbox = async (query: string) => await (await get(`/outbox${query}`, 'viewer')).text()
  const lines = (html: string) => html.split('<tr').length - 2
  const coming = await outbox('?what=coming&campaign=spring')
  const [{ planned } = { planned: 0 }] = await rows<{ planned: number }>(
    database,
    sql`SELECT count(*)::int AS planned FROM touchpoints`,
  )
  expect(planned).toBeGreaterThan(10)
  expect(lines(coming)).toBe(planned)
  expect(coming).toContain('<a href="/outbox?what=coming&amp;campaign=spring" aria-current="page">Spring</a>')
  expect(coming).toContain('href="/outbox?what=coming&amp;campaign=autumn"')
  expect(coming).toContain('href="/outbox?campaign=spring"')
  expect(coming).toContain('href="/outbox?what=sent&amp;campaign=spring"')
  expect(await outbox('?what=coming&campaign=autumn')).toContain('Nothing like that is to come')
  expect(await outbox('')).toContain('Nothing went out in the last month')
  // Three that ended, each its own way.
  await ensurePartitions(database, 'touchpoint_records', [NOW])
  await execute(
    database,
    sql`INSERT INTO touchpoint_records
        (contact_id, touchpoint_id, episode_id, step_id, state, reason, channel, attempt, planned_for, settled_at)
      SELECT contact_id, touchpoint_id, episode_id, step_id, e.state, e.reason, e.channel, 1, ${NOW}, ${NOW}
      FROM (SELECT *, row_number() OVER (ORDER BY touchpoint_id) AS n FROM touchpoints) t
      JOIN (VALUES (1, 'sent', NULL, 'email'), (2, 'skipped', 'condition', NULL), (3, 'uncertain', NULL, 'email'))
        e(n, state, reason, channel) USING (n)`,
  )
  const states = async (choice: OutboxChoice) =>
    (await readOutbox(database, choice, NOW)).map(({ state }) => state).toSorted()
  expect(await states({})).toEqual(['sent', 'skipped', 'uncertain'])
  expect(await states({ what: 'sent' })).toEqual(['sent'])
  expect(await states({ what: 'failed' })).toEqual(['uncertain'])
  expect(await states({ what: 'skipped', channel: 'email' })).toEqual(['skipped'])
  expect(await states({ what: 'sent', channel: 'log' })).toEqual([])
  expect(await states({ campaign: 'spring' })).toHaveLength(3)
  expect(await states({ campaign: 'autumn' })).toEqual([])
  expect(lines(await outbox('?what=sent'))).toBe(1)
  await execute(database, sql`DELETE FROM touchpoint_records`)
  const wrong = await get('/outbox?what=gone', 'viewer')
  expect(wrong.ok).toBe(false)
  expect(await wrong.text()).toContain('There are: sent, failed, skipped, coming.')
})

it('shows a form of the settings again as it was filled in, with what is wrong of it', async () => {
  const key = await post('/settings/keys', 'admin', { name: 'The till & co' })
  expect(key.status).toBe(422)
  const again = await key.text()
  expect(again).toContain('Choose what the key may do.')
  expect(again).toContain('value="The till &amp; co"')
  expect(again).toMatch(/<details open[^>]*><summary>Make a key/)
  expect(again).toContain('aria-describedby="wrong-key"')
  // What is wrong is further down than a window reaches.
  expect(again.match(/<input[^>]* autofocus/g)).toEqual([expect.stringContaining('name="scope"')])
  const long = await (await post('/settings/keys', 'admin', { name: 'k'.repeat(101), scope: 'read' })).text()
  expect(long).toContain('the name of the key has 101 characters, and 100 is the most')
  const taken = await (await post('/settings/users', 'admin', { name: 'viewer', role: 'agent' })).text()
  expect(taken).toContain('there is a user viewer already')
  expect(taken).toMatch(/<details open[^>]*><summary>Add a user/)
  expect(taken).toMatch(/<input[^>]*name="name"[^>]*value="viewer"[^>]*aria-invalid="true"/)
  expect(taken).toMatch(/value="agent"[^>]* checked/)
})

it('shows the forms that end something again as they were filled in, until what is to end is typed', async () => {
  const long = await post('/campaigns/spring/pause', 'operator', { reason: 'x'.repeat(201) })
  expect(await long.text()).toContain('The reason has 201 characters, and 200 is the most')
  const stop = await post('/campaigns/spring/stop', 'operator', {
    reason: 'A "wrong" price',
    confirm: 'sprig',
  })
  expect(stop.status).toBe(422)
  const campaign = await stop.text()
  expect(campaign).toMatch(/<p[^>]*role="alert"[^>]*id="wrong-stop"[^>]*>Not stopped: the name was not typed/)
  expect(campaign).toContain('value="A &quot;wrong&quot; price"')
  expect(campaign).toMatch(
    /name="confirm"[^>]*value="sprig" aria-invalid="true" aria-describedby="wrong-stop"/,
  )
  expect(campaign).toMatch(/<details class="card" open[^>]*><summary>Pause or stop/)
  const erase = await post('/contacts/c2/erase', 'operator', { confirm: 'c3' })
  expect(erase.status).toBe(422)
  const contact = await erase.text()
  expect(contact).toMatch(/<details class="card" open[^>]*><summary>Export or erase/)
  expect(contact).toMatch(
    /name="confirm"[^>]*value="c3" aria-invalid="true" aria-describedby="wrong-erase" autofocus/,
  )
})

it('begins with the campaign that takes in most people, of several, and with the way to the others', async () => {
  const first = await (await get('/', 'viewer')).text()
  expect(first).toContain('All campaigns, the busiest first')
  expect(first).toContain('<a href="/?campaign=spring" aria-current="page">Spring</a>')
  expect(first.indexOf('campaign=spring')).toBeLessThan(first.indexOf('campaign=autumn'))
  const other = await (await get('/?campaign=autumn', 'viewer')).text()
  expect(other).toContain('<a href="/?campaign=autumn" aria-current="page">Autumn</a>')
  expect(other).toContain('nobody has been assigned')
})

it('says beside a campaign that runs what holds back more than it, in either language', async () => {
  const clock = manualClock(NOW)
  const sms = { scope: 'channel', name: 'sms' } as const
  const email = { scope: 'channel', name: 'email' } as const
  const all = { scope: 'workspace', name: '*' } as const
  await pause(database, sms, { reason: 'no credit', clock })
  await pause(database, email, { reason: 'breaker: 0.25 % complaints (5 of 2000), more than 0.1 %', clock })
  await pause(database, all, { reason: 'pause by ada', clock })
  const notes = async (path: string, language = 'en') => {
    const Cookie = `${cookies.get('viewer')}; winback_language=${language}`
    const html = await (await fetch(`${server.address}${path}`, { headers: { Cookie } })).text()
    return [...html.matchAll(/<p class="note bad">(.*?)<\/p>/gs)].map(([, words = '']) =>
      words.replace(/<[^>]*>/g, ''),
    )
  }
  const since = 'Mar 2, 2026, 09:00'
  const said = [
    `Everything is paused since ${since}: pause by ada. winback resume --all lets it go on.`,
    `E-mail is paused since ${since}: breaker: 0.25 % complaints (5 of 2000), more than 0.1 %. winback resume --channel email lets it go on.`,
    `Text message is paused since ${since}: no credit. winback resume --channel sms lets it go on.`,
  ]
  expect(await notes('/campaigns')).toEqual(said)
  // It sends by e-mail alone.
  expect(await notes('/campaigns/spring')).toEqual(said.slice(0, 2))
  expect(await notes('/campaigns/spring', 'zh-CN')).toEqual([
    '全部发送自 2026年3月2日 09:00 起已暂停：由 ada 暂停。用 winback resume --all 恢复。',
    '电子邮件自 2026年3月2日 09:00 起已暂停：熔断：投诉率 0.25%（2000 条中 5 条），超过 0.1%。用 winback resume --channel email 恢复。',
  ])
  for (const target of [sms, email, all]) await resume(database, target)
  expect(await notes('/campaigns/spring')).toEqual([])
})

it('shows nobody another’s figures where the address asks for what there is not', async () => {
  for (const [path, said] of [
    ['/?campaign=sprnig', 'There is no campaign &quot;sprnig&quot; here'],
    ['/templates?locale=fr', 'There is no language &quot;fr&quot; here'],
    ['/templates?step=spring/none', 'There is no step &quot;spring/none&quot; here'],
    ['/outbox?channel=pigeon', 'There is no channel &quot;pigeon&quot; here'],
    ['/outbox?what=bogus', 'There is no choice &quot;bogus&quot; here'],
    ['/audit?before=yesterday', 'No entry has the number &quot;yesterday&quot;'],
    ['/audit?before=-1', 'No entry has the number &quot;-1&quot;'],
  ] as const) {
    const answer = await get(path, 'admin')
    expect([path, answer.status, await answer.text()]).toEqual([path, 404, expect.stringContaining(said)])
  }
  for (const path of ['/?campaign=', '/templates?locale=', '/outbox?channel=']) {
    expect([path, (await get(path, 'admin')).status]).toEqual([path, 200])
  }
  // A name that no header holds as it is.
  for (const form of ['resume', 'decide']) {
    const answer = await post(`/campaigns/%0D%0A/${form}`, 'admin')
    expect([form, answer.status, answer.headers.get('location')]).toEqual([form, 303, '/campaigns/%0D%0A'])
  }
})

describe('what a role may', () => {
  it('opens a page to those alone who are led there', async () => {
    for (const role of ROLES) {
      const led = (await (await get('/', role)).text()).matchAll(/<li><a href="([^"]+)"/g)
      const places = new Set([...led].map(([, path]) => path))
      for (const path of [
        '/',
        '/campaigns',
        '/contacts',
        '/templates',
        '/outbox',
        '/audit',
        '/api',
        '/settings',
      ]) {
        const { status } = await get(path, role)
        expect(`${role} ${path} ${status}`).toBe(`${role} ${path} ${places.has(path) ? 200 : 403}`)
      }
    }
  })

  it('shows a viewer no address, and an agent the whole of it', async () => {
    const masked = await (await get('/contacts/c1', 'viewer')).text()
    expect(masked).toContain('p***@example.com')
    expect(masked).not.toContain('person1@example.com')
    expect(await (await get('/contacts?q=person1@example.com', 'viewer')).text()).toContain('/contacts/c1"')
    expect(await (await get('/contacts/c1', 'agent')).text()).toContain('person1@example.com')
  })

  it('shows no address in a reason either, whoever looks', async () => {
    await execute(
      database,
      sql`INSERT INTO preferences (contact_id, chosen_at, channels_off, topics_off, source, reason)
          SELECT contact_id, ${NOW}, '{sms}', '{}', 'API', 'too many to person1@example.com'
          FROM contacts WHERE external_id = 'c1'`,
    )
    const reasons = await (await get('/campaigns/spring/reports/reasons', 'viewer')).text()
    expect(reasons).toContain('too many to p***@example.com')
    expect(reasons).not.toContain('person1@example.com')
    await execute(database, sql`DELETE FROM preferences WHERE reason LIKE 'too many%'`)
  })

  it('shows everybody the whole of a choice: the story says it, too', async () => {
    const said = async (who: Role) => {
      const html = await (await get('/contacts/c3', who)).text()
      return html.slice(html.indexOf('What they want')).replaceAll(/<[^>]*>/g, ' ')
    }
    expect(await said('viewer')).toContain('They have not limited channels, topics or frequency.')
    await execute(
      database,
      sql`INSERT INTO preferences (contact_id, chosen_at, channels_off, topics_off, at_most, within_days, paused_until, source)
          SELECT contact_id, ${NOW}, '{}', '{news}', 2, 7, '2030-01-01T00:00:00Z', 'preferences page' FROM contacts
          WHERE external_id = 'c3'`,
    )
    for (const who of ['viewer', 'agent', 'operator'] as const) {
      expect(await said(who)).toContain('nothing about news; at most 2 in 7 days; nothing before Jan 1, 2030')
    }
  })

  it('says beside what somebody wants that their address is on the do-not-contact list', async () => {
    const wants = async (language: string) => {
      const headers = { Cookie: cookies.get('agent') ?? '', 'Accept-Language': language }
      const text = await (await fetch(`${server.address}/contacts/c7`, { headers })).text()
      return text.slice(text.indexOf(language === 'en' ? 'What they want' : '接收意愿'))
    }
    expect(await wants('en')).not.toContain('do-not-contact')
    await shop.importSuppressions([{ email: 'person7@example.com', reason: 'complaint' }])
    expect(await wants('en')).toContain('E-mail put on the do-not-contact list: ')
    expect(await wants('en')).toContain('Nothing is sent there, whatever they want.')
    expect(await wants('zh-CN')).toContain('无论本人是否愿意接收，都不会向其发送。')
  })

  it('keeps what a person refused of a channel that the form does not show', async () => {
    const refused = async () =>
      await rows<{ off: string[] }>(
        database,
        sql`SELECT channels_off AS off FROM preferences p JOIN contacts USING (contact_id)
            WHERE external_id = 'c4' ORDER BY chosen_at DESC LIMIT 1`,
      )
    await execute(
      database,
      sql`INSERT INTO preferences (contact_id, chosen_at, channels_off, topics_off, source)
          SELECT contact_id, ${new Date(NOW.getTime() - 1)}, '{fax}', '{}', 'API' FROM contacts
          WHERE external_id = 'c4'`,
    )
    const opened = await (await get('/contacts/c4', 'agent')).text()
    await post('/contacts/c4/preferences', 'agent', { off: 'email' })
    expect(await refused()).toEqual([{ off: ['fax', 'email'] }])
    await post('/contacts/c4/preferences', 'agent')
    expect(await refused()).toEqual([{ off: ['fax'] }])
    // What the contact refused since the agent opened the page stays so, too.
    await execute(
      database,
      sql`INSERT INTO preferences (contact_id, chosen_at, channels_off, topics_off, source)
          SELECT contact_id, ${new Date(NOW.getTime() + 1000)}, '{fax,*}', '{}', 'preferences page' FROM contacts
          WHERE external_id = 'c4'`,
    )
    const was = /name="was" value="([^"]*)"/.exec(opened)?.[1] ?? ''
    await post('/contacts/c4/preferences', 'agent', { was, off: 'email' })
    expect(await refused()).toEqual([{ off: ['fax', '*', 'email'] }])
  })

  const CHANGES: readonly [path: string, least: Role, fields?: Record<string, string>][] = [
    ['/campaigns/spring/plan', 'operator'],
    ['/campaigns/spring/decide', 'operator', { plan: '0' }],
    ['/campaigns/spring/pause', 'operator', { reason: 'wrong price' }],
    ['/campaigns/spring/resume', 'operator'],
    ['/campaigns/spring/stop', 'operator', { confirm: 'not it' }],
    ['/contacts/c2/preferences', 'agent', { off: 'email' }],
    ['/contacts/c2/allow', 'operator', { kind: 'email' }],
    ['/contacts/c2/export', 'operator'],
    ['/contacts/c2/erase', 'operator', { confirm: 'not it' }],
    ['/settings/users', 'admin', { name: 'eve', role: 'admin' }],
    ['/settings/keys', 'admin', { name: 'k', scope: 'read' }],
    ['/settings/signing-keys', 'admin'],
  ]
  it.each(CHANGES)('%s is for an %s and those above alone', async (path, least, fields) => {
    const order = ['viewer', 'agent', 'operator', 'admin'] as const
    for (const role of order) {
      const allowed = order.indexOf(role) >= order.indexOf(least)
      if (path === '/settings/users' && allowed) continue
      const { status } = await post(path, role, fields)
      expect(`${role} ${status === 403 ? 'refused' : 'let through'}`).toBe(
        `${role} ${allowed ? 'let through' : 'refused'}`,
      )
    }
  })

  it('takes an address off the do-not-contact list where a file alone put it there', async () => {
    const button = async (who: Role) => {
      const html = await (await get('/contacts/c5', who)).text()
      return /take it off the list/.exec(html)?.[0]
    }
    await shop.importSuppressions([{ email: 'person5@example.com' }])
    expect(await button('agent')).toBeUndefined()
    expect(await button('operator')).toBeDefined()
    await execute(database, sql`UPDATE suppressions SET source = source || '; page'`)
    expect(await button('operator')).toBeUndefined()
    const refused = await post('/contacts/c5/allow', 'operator', { kind: 'email' })
    expect(await refused.text()).toContain(
      'It stays on the do-not-contact list: they unsubscribed themselves',
    )
    await execute(
      database,
      sql`UPDATE suppressions SET source = 'import of stop.csv; receipt of email (hard_bounce)'`,
    )
    await post('/contacts/c5/allow', 'operator', { kind: 'email', bounced: 'yes' })
    const listed = sql`SELECT FROM suppressions s JOIN contacts c ON c.email_key = s.key AND c.external_id = 'c5'`
    expect(await rows(database, listed)).toEqual([])
  })

  it('has recorded each of these changes, with who made it', async () => {
    const entries = await rows<{ action: string; actors: string[] }>(
      database,
      sql`SELECT action, array_agg(DISTINCT actor ORDER BY actor) AS actors FROM audit
          WHERE action <> 'user.password' GROUP BY action ORDER BY action`,
    )
    expect(Object.fromEntries(entries.map(({ action, actors }) => [action, actors.join()]))).toEqual({
      'campaign.plan': 'admin,operator',
      'contact.allow': 'operator',
      'contact.export': 'admin,operator',
      'contact.preferences': 'admin,agent,operator',
      'key.create': 'admin',
      'signing_key.rotate': 'admin',
      // The admin found it paused already, and then no more: nothing was changed, and nothing is recorded.
      'switch.pause': 'operator',
      'switch.resume': 'operator',
    })
  })

  it('changes nothing that it cannot record', async () => {
    const standing = async () =>
      await rows(
        database,
        sql`SELECT (SELECT count(*) FROM switches) AS switches, (SELECT count(*) FROM users) AS users,
              (SELECT count(*) FROM users WHERE disabled_at IS NULL) AS may, (SELECT count(*) FROM api_keys) AS keys,
              (SELECT count(*) FROM api_keys WHERE revoked_at IS NULL) AS good,
              (SELECT count(*) FROM signing_keys) AS signing, (SELECT count(*) FROM user_links) AS links,
              (SELECT count(*) FROM campaign_plans) AS plans,
              (SELECT count(*) FROM campaign_plans WHERE approved IS NOT NULL) AS decided`,
      )
    const { keyId } = await createApiKey(database, { name: 'till', scopes: ['read'], now: NOW, by: 'test' })
    await post('/campaigns/spring/plan', 'operator')
    const [plan] = await rows<{ id: number }>(database, sql`SELECT max(plan_id) AS id FROM campaign_plans`)
    const before = await standing()
    await withFullDisk(database, 'audit', async () => {
      const changes: readonly [path: string, fields?: Record<string, string>][] = [
        ['/campaigns/spring/plan'],
        ['/campaigns/spring/decide', { plan: String(plan?.id), do: 'reject' }],
        ['/campaigns/spring/pause', { reason: 'wrong price' }],
        ['/campaigns/spring/stop', { confirm: 'spring' }],
        ['/settings/users', { name: 'eve', role: 'admin' }],
        ['/settings/users/link', { name: 'viewer' }],
        ['/settings/users/switch', { name: 'viewer', to: 'out' }],
        ['/settings/keys', { name: 'k', scope: 'read' }],
        ['/settings/keys/revoke', { key: keyId }],
        ['/settings/signing-keys'],
      ]
      for (const [path, fields] of changes) {
        expect(`${path} ${(await post(path, 'admin', fields)).status}`).toBe(`${path} 500`)
      }
    })
    expect(await standing()).toEqual(before)
  })

  it('has no API that a session opens, and none that a key for reading changes anything by', async () => {
    for (const path of ['/v1/reports/monday?campaign=spring', '/v1/contacts/c1/export']) {
      expect((await get(path, 'viewer')).status).toBe(401)
    }
  })
})

test('with two who may approve, the other one approves the very hash that was planned', async () => {
  await post('/campaigns/spring/plan', 'operator')
  const [plan] = await rows<{ planId: number }>(
    database,
    sql`SELECT max(plan_id) AS "planId" FROM campaign_plans`,
  )
  const fields = { plan: String(plan?.planId), do: 'approve' }
  const shown = async (who: Role) => await (await get('/campaigns/spring', who)).text()
  const page = await shown('viewer')
  const figures = [
    ...[
      '1,234',
      'the last time in this campaign ended too recently',
      'five: 3 codes left of 50',
      'Text message 100',
    ],
    ...['8.1 percentage points', '<code>winback resume spring</code>', 'step=spring%2Fremind&amp;contact=c'],
  ]
  expect(figures.filter((words) => !page.includes(words))).toEqual([])
  expect(page).not.toContain('/campaigns/spring/decide')
  expect(await shown('operator')).toContain('Another operator has to approve')
  expect(await shown('admin')).toContain('Approve abababababab')
  applied.length = 0
  await post('/campaigns/spring/decide', 'operator', fields)
  expect(applied).toEqual([])
  await post('/campaigns/spring/decide', 'admin', fields)
  const again = await post('/campaigns/spring/decide', 'admin', fields)
  expect(applied).toEqual([`${INPUTS} over 1 by admin`])
  // As of a second press, or a second tab: there is no other plan to look at.
  const noteOf = (answer: Response) => decodeURIComponent(answer.headers.get('set-cookie') ?? '')
  expect(noteOf(again)).toContain('admin had approved this plan already.')
  const entries = await rows<{ actor: string; action: string }>(
    database,
    sql`SELECT actor, action FROM audit WHERE about = 'campaign spring' ORDER BY audit_id DESC LIMIT 2`,
  )
  expect(entries).toEqual([
    { actor: 'admin', action: 'campaign.apply' },
    { actor: 'operator', action: 'campaign.plan' },
  ])
})

test('what runs counts as approved, though somebody turned its plan down while it was being applied', async () => {
  await post('/campaigns/spring/plan', 'operator')
  const [plan] = await rows<{ planId: number }>(
    database,
    sql`SELECT max(plan_id) AS "planId" FROM campaign_plans`,
  )
  const fields = { plan: String(plan?.planId) }
  const reject = () => post('/campaigns/spring/decide', 'operator', { ...fields, do: 'reject' })
  meanwhile = async () => {
    await reject()
  }
  await post('/campaigns/spring/decide', 'admin', { ...fields, do: 'approve' })
  meanwhile = async () => {}
  expect(await (await get('/campaigns/spring', 'viewer')).text()).toContain('approved by admin')
  // Nor by one who looked at it before.
  await reject()
  const [entry] = await rows<{ action: string }>(
    database,
    sql`SELECT action FROM audit WHERE about = 'campaign spring' ORDER BY audit_id DESC LIMIT 1`,
  )
  expect(entry).toEqual({ action: 'campaign.apply' })
})

test('what a contact wants is recorded with its entry in the audit, or not at all', async () => {
  const choices = async () => (await rows(database, sql`SELECT FROM preferences`)).length
  const before = await choices()
  await withFullDisk(database, 'audit', async () => {
    expect((await post('/contacts/c6/preferences', 'agent', { off: 'email' })).status).toBe(500)
  })
  expect(await choices()).toBe(before)
})

test('to shut somebody out is no switch: pressed twice, or on an old page, it does not let them in', async () => {
  const open = async () =>
    (await rows(database, sql`SELECT FROM users WHERE name = 'turned' AND disabled_at IS NULL`)).length === 1
  await addUser(database, { name: 'turned', role: 'viewer', now: NOW, by: 'test' })
  const buttons = async () => {
    const html = await (await get('/settings', 'admin')).text()
    const forms = [...html.matchAll(/<form[^>]*action="\/settings\/users\/switch".*?<\/form>/gs)].map(String)
    const form = forms.find((each) => each.includes('value="turned"')) ?? ''
    return Object.fromEntries(
      [...form.matchAll(/name="(name|to)" value="([^"]*)"/g)].map(([, name, value]) => [name, value]),
    )
  }
  const out = await buttons()
  await post('/settings/users/switch', 'admin', out)
  await post('/settings/users/switch', 'admin', out)
  expect(await open()).toBe(false)
  const back = await buttons()
  await post('/settings/users/switch', 'admin', back)
  await post('/settings/users/switch', 'admin', back)
  expect(await open()).toBe(true)
  // Nor does the audit tell of a key that there is not.
  await post('/settings/keys/revoke', 'admin', { key: 'none' })
  expect(
    await rows(
      database,
      sql`SELECT action FROM audit WHERE about = 'user turned' OR action = 'key.revoke' ORDER BY audit_id`,
    ),
  ).toEqual([{ action: 'user.disable' }, { action: 'user.enable' }])
})

test('a plan that was stored before plans held variants is shown still', async () => {
  await execute(
    database,
    sql`UPDATE campaign_plans SET figures = figures - 'variants' - 'between' WHERE campaign = 'spring'`,
  )
  const page = await get('/campaigns/spring', 'viewer')
  expect(page.status).toBe(200)
  expect(await page.text()).toContain('Text message 100')
})

test('where a file differs from what runs, the page shows the lines, the old one and the new', async () => {
  const page = await (await get('/campaigns/spring', 'viewer')).text()
  const changed = page.slice(page.indexOf('The files differ from what runs'))
  expect(changed).toContain('<span class="del">- holdout: 20%</span><span class="add">+ holdout: 10%</span>')
  // What is the same stands around it, and what is far away does not.
  expect(changed.slice(0, changed.indexOf('</pre>'))).toContain('  window: 30d\n')
  expect(changed.slice(0, changed.indexOf('</pre>'))).not.toContain('template: hello')
})

test('a contact’s page hands over everything held, and erases for good once the id is typed', async () => {
  const json = await post('/contacts/c39/export', 'operator', { format: 'json' })
  expect(json.headers.get('content-disposition')).toBe('attachment; filename="contact.json"')
  expect(await json.json()).toMatchObject({
    contacts: [{ external_id: 'c39', email: 'person39@example.com' }],
  })
  const csv = await post('/contacts/c39/export', 'operator', { format: 'csv' })
  expect(csv.headers.get('content-type')).toMatch(/^text\/csv/)
  expect(await csv.text()).toContain('contacts,1,email,person39@example.com\r\n')
  const lift = await get('/campaigns/spring/reports/lift.csv', 'viewer')
  expect(lift.headers.get('content-disposition')).toBe('attachment; filename="spring-lift.csv"')
  // Excel takes a file that begins otherwise for one in its old code page.
  for (const answer of [
    await post('/contacts/c39/export', 'operator', { format: 'csv' }),
    lift,
    await get('/programme.csv', 'viewer'),
  ])
    expect([...new Uint8Array(await answer.arrayBuffer()).slice(0, 3)]).toEqual([0xef, 0xbb, 0xbf])

  const held = () =>
    rows<{ email: string | null }>(database, sql`SELECT email FROM contacts WHERE contact_id = ${last}`)
  const [found] = await rows<{ id: number }>(
    database,
    sql`SELECT contact_id AS id FROM contacts WHERE external_id = 'c39'`,
  )
  const last = found?.id ?? 0
  await post('/contacts/c39/erase', 'operator', { confirm: 'c38' })
  expect(await held()).toEqual([{ email: 'person39@example.com' }])
  await execute(
    database,
    sql`INSERT INTO imports (kind, file, started_at, reject_file)
        SELECT 'contacts', 'a.csv', now(), '/elsewhere/' || n || '/' || repeat('a', 400) FROM generate_series(11, 30) n`,
  )
  const erased = await post('/contacts/c39/erase', 'operator', { confirm: ' c39 ' })
  expect(erased.headers.get('location')).toBe('/contacts')
  // As many as a note holds.
  const note = decodeURIComponent(erased.headers.get('set-cookie') ?? '')
  expect(note).toContain('Not on this machine, look into them where the imports ran: /elsewhere/11/aa')
  expect(note).toContain('and 19 more (`reject_file` in the table `imports`)')
  expect(erased.headers.get('set-cookie')?.length).toBeLessThan(4096)
  await execute(database, sql`DELETE FROM imports WHERE reject_file LIKE '/elsewhere/%'`)
  expect(await held()).toEqual([])
  expect((await get('/contacts/c39', 'operator')).status).toBe(404)
  expect(
    await rows(
      database,
      sql`SELECT actor, about FROM audit WHERE action = 'contact.erase' ORDER BY audit_id`,
    ),
  ).toEqual([{ actor: 'operator', about: `contact ${last}` }])
})

test('a contact’s page says how many accounts of the same person stay', async () => {
  const share = (of: string, others: readonly string[]) =>
    execute(
      database,
      sql`UPDATE contacts SET person_id = (SELECT contact_id FROM contacts WHERE external_id = ${of})
          WHERE external_id = ANY (${sql.param([...others])}::text[])`,
    )
  await share('c36', ['c37'])
  expect(await (await get('/contacts/c36', 'operator')).text()).toContain(
    '1 other account of the same person stays.',
  )
  await share('c36', ['c38'])
  expect(await (await get('/contacts/c36', 'operator')).text()).toContain(
    '2 other accounts of the same person stay.',
  )
  for (const own of ['c37', 'c38']) await share(own, [own])
})

test('the cost page draws what was spent by day, the delivery page says which breaker is open', async () => {
  await execute(
    database,
    sql`INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
        SELECT contact_id, touchpoint_id, episode_id, step_id, 'spend', 'email', 20000, ${NOW} FROM touchpoints LIMIT 10`,
  )
  await refreshReports(shop.runtime)
  const cost = await (await get('/campaigns/spring/reports/cost', 'viewer')).text()
  expect(cost).toMatch(/<figcaption>Sending, added up day by day<\/figcaption><svg /)
  // No table of the page has these by day.
  expect(cost).toMatch(/role="img" aria-label="Sending, added up day by day\. sending: .*Mar 2 CN¥0\.2"/)
  await execute(
    database,
    sql`INSERT INTO breakers (channel, state, since, reason) VALUES ('email', 'open', ${NOW}, '6 % hard bounces')`,
  )
  const delivery = await (await get('/campaigns/spring/reports/delivery', 'viewer')).text()
  expect(delivery).toContain('breaker E-mail: open: nothing is sent')
  expect(delivery).toContain('6 % hard bounces')
})

test('a campaign’s page shows its ladder: whom each tier takes, when what is sent on what condition, and what became of it', async () => {
  const spring = await ladderOf('spring')
  expect(spring).toContain('only silent for 3 days or longer')
  // The tests before this one refused and erased some.
  const remind =
    /remind E-mail 0 \/ (\d+) at once · template hello · variants plain, story (?:(\d+) not sent · )?(\d+) to come/.exec(
      spring,
    )
  const [planned, unsent, toCome] = (remind ?? []).slice(1).map((count = '0') => Number(count))
  expect(planned).toBeGreaterThan(10)
  expect((unsent ?? 0) + (toCome ?? 0)).toBe(planned)
  const dated = (campaign: string, tiers: string) =>
    CAMPAIGN.replace('campaign: spring', `campaign: ${campaign}`).replace(/tiers:[\s\S]*/, tiers)
  const step = (id: string, more = '') => `{ id: ${id}, channel: [email, log], template: hello${more} }`
  await shop.apply(
    dated(
      'ends',
      `tiers:
  - { name: before, enter: 7d before contact.signed_up_at, steps: [${step('early', ', after: 2d, when: orders.count > 3')}] }
  - { name: at, enter: 0d after contact.signed_up_at, steps: [${step('today', ', unless: early.failed')}] }
on_return: [${step('thanks')}]
`,
    ),
  )
  await shop.apply(
    dated(
      'bought',
      `tiers: [{ name: first, enter: event first_order, after: 24h, steps: [${step('card')}] }]\n`,
    ),
  )
  const ends = await ladderOf('ends')
  expect(ends).toContain(
    'before 7 days before contact.signed_up_at early E-mail, else log 0 after 2 days · template hello',
  )
  expect(ends).toContain('when orders.count &gt; 3')
  expect(ends).toContain('at on contact.signed_up_at today')
  expect(ends).toContain('unless early.failed')
  expect(ends).toContain('On their return thanks')
  expect(await ladderOf('bought')).toContain('first 1 day after event first_order card')
})

/** The words of a campaign’s ladder. */
async function ladderOf(campaign: string): Promise<string> {
  const page = await (await get(`/campaigns/${campaign}`, 'viewer')).text()
  const card = page.slice(page.indexOf('<h2>The ladder</h2>'), page.indexOf('<h2>Versions</h2>'))
  return card.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ')
}

test('a plan that waits leads to where it is decided, whoever may', async () => {
  await post('/campaigns/spring/plan', 'operator')
  for (const [who, may] of [
    ['operator', true],
    ['viewer', false],
  ] as const) {
    const plan = await (await get('/campaigns/spring', who)).text()
    expect(plan).toContain('waits for approval')
    expect([who, plan.includes('href="#decide"'), plan.includes('id="decide"')]).toEqual([who, may, may])
  }
})

test('a run that the feed check refused is told of, until one takes people in or the campaign is stopped', async () => {
  const read = async (path: string) => await (await get(path, 'viewer')).text()
  const run = async (state: string, hour: number) =>
    await execute(
      database,
      sql`INSERT INTO runs (campaign, scheduled_for, version, as_of, state, started_at, finished_at, note)
          SELECT 'spring', t, 1, t, ${state}, t, t, CASE WHEN ${state} = 'refused' THEN 'the newest activity is 40 h old' END
          FROM (SELECT ${NOW}::timestamptz + make_interval(hours => ${hour}::int) AS t) moment`,
    )
  expect(await read('/campaigns')).not.toContain('refused to run')
  await run('refused', 1)
  expect(await read('/campaigns')).toContain('1 campaign refused to run')
  expect(await read('/campaigns/spring')).toContain('took nobody in: the newest activity is 40 h old')
  expect(await read('/campaigns/autumn')).not.toContain('took nobody in')
  await run('done', 2)
  expect(await read('/campaigns/spring')).not.toContain('took nobody in')
  expect(await read('/campaigns')).not.toContain('refused to run')
  await execute(database, sql`DELETE FROM runs WHERE scheduled_for > ${NOW}`)
})

test('a campaign that was stopped for good is not offered to be planned, and its page says how to begin anew', async () => {
  const read = async (path: string) => await (await get(path, 'operator')).text()
  expect(await read('/campaigns/spring')).toContain('The files differ from what runs')
  await execute(
    database,
    sql`INSERT INTO switches (scope, name, state, reason, since) VALUES ('campaign', 'spring', 'stopped', 'a typo', ${NOW})`,
  )
  const stopped = await read('/campaigns/spring')
  expect(stopped).not.toContain('The files differ from what runs')
  expect(stopped).toContain('To begin anew, copy its file under another')
  expect(await read('/campaigns')).not.toContain('files differ')
  await execute(database, sql`DELETE FROM switches WHERE name = 'spring'`)
})

test('the first page of a workspace without contacts says that they come first', async () => {
  const empty = await freshDatabase()
  const other = await openShop({ database: empty, clock: manualClock(NOW), channels: [testChannel('email')] })
  const web = await startWeb({ runtime: other.runtime }, { host: '127.0.0.1', port: 0 })
  const headers = { Cookie: await signIn(empty, 'viewer', 'viewer', NOW) }
  const first = async () => await (await fetch(`${web.address}/`, { headers })).text()
  expect(await first()).toContain('<code>winback import contacts FILE</code>')
  await other.importContacts([{ external_id: 'c1' }])
  expect(await first()).not.toContain('winback import contacts FILE')
  await web.close(0)
  await other.runtime.close()
})

test('the list of contacts says where it is cut, and how to find the others', async () => {
  const cut = async (of: string) =>
    (await (await get(`/contacts?q=${of}`, 'viewer')).text()).includes(
      'These are the first 50; type more of the id',
    )
  const among = (count: number) => Array.from({ length: count }, (_, at) => ({ external_id: `many${at}` }))
  await shop.importContacts(among(49))
  expect(await cut('many')).toBe(false)
  await shop.importContacts(among(51))
  expect(await cut('many')).toBe(true)
  expect(await cut('many1')).toBe(false)
})

test('a key is revoked by two presses, for nothing brings it back', async () => {
  await createApiKey(database, { name: 'pressed', scopes: ['read'], now: NOW, by: 'test' })
  const html = await (await get('/settings', 'admin')).text()
  expect(html).toMatch(/pressed(?:(?!<\/tr>).)*<details><summary>Revoke<\/summary><form/)
  expect(html.split('action="/settings/keys/revoke"')).toHaveLength(html.split('<summary>Revoke').length)
})

test('channels say of themselves whether they work, each by its name', async () => {
  const html = await (await get('/settings?check=1', 'admin')).text()
  expect(html).toContain('<strong>E-mail</strong>')
})

test('every page says which channel cannot be reached, for as long as it cannot', async () => {
  const page = async () => await (await get('/contacts', 'viewer')).text()
  expect(await page()).not.toContain('E-mail cannot be reached')
  await recordAbsence(database, 'email', 'connect ECONNREFUSED 10.0.0.1:25', NOW)
  expect(await page()).toContain(' · E-mail cannot be reached')
  await endAbsence(database, 'email')
  expect(await page()).not.toContain('E-mail cannot be reached')
})

test('the first page says that no worker runs, or at another queue than the scheduler, for as long as it is so', async () => {
  const page = async (language = 'en') => {
    const headers = { Cookie: cookies.get('viewer') ?? '', 'Accept-Language': language }
    return await (await fetch(`${server.address}/`, { headers })).text()
  }
  const appear = (role: string, queue: string) =>
    execute(
      database,
      sql`INSERT INTO queue_processes (process_id, role, host, engine, place, queue_id, seen_at)
        VALUES (gen_random_uuid(), ${role}, 'a', ${queue}, '', ${queue}, clock_timestamp())`,
    )
  expect(await page()).not.toContain('class="note bad"')
  await appear('scheduler', 'postgres')
  expect(await page()).toContain('A scheduler runs (a) and no worker')
  expect(await page('zh-CN')).toContain('没有工作进程')
  await appear('worker', 'redis')
  expect(await page()).toContain('Schedulers and workers have different queues')
  expect(await page('zh-CN')).toContain('调度器与工作进程使用的队列不同')
  await execute(database, sql`DELETE FROM queue_processes`)
  expect(await page()).not.toContain('class="note bad"')
})

test('who is not there, or nobody at all, is said in Chinese to whoever reads Chinese', async () => {
  const read = async (path: string, language: string) =>
    await (
      await fetch(`${server.address}${path}`, {
        headers: { Cookie: cookies.get('admin') ?? '', 'Accept-Language': language },
      })
    ).text()
  expect(await read('/contacts/nobody', 'zh-CN')).toContain('没有此联系人')
  expect(await read('/contacts/nobody', 'en')).toContain('No contact has the external id')
  expect(await read('/outbox?channel=fax', 'zh-CN')).toContain('此处没有渠道“fax”')
  expect(await read('/campaigns/spring/reports/gone', 'zh-CN')).toContain('应用过的活动有以下报告：monday、')
  nobodyYet = true
  // Who only looks at the page did nothing wrong.
  const unasked = await get('/templates', 'viewer')
  expect([unasked.status, await unasked.text()]).toEqual([200, expect.not.stringContaining('role="alert"')])
  expect(await read('/templates', 'zh-CN')).toContain('尚无联系人')
  // What was chosen stays, with what is wrong at its field.
  const refused = await read('/templates?step=spring/remind&contact=nobody&width=phone', 'en')
  expect(refused).toContain('There are no contacts yet')
  expect(refused).toMatch(
    /name="contact" value="nobody" aria-invalid="true" aria-describedby="wrong-preview"/,
  )
  expect(refused).toMatch(/<option value="phone" selected/)
  nobodyYet = false
})

test('what a form brings that cannot be taken is said in Chinese to whoever reads Chinese', async () => {
  const cookie = `${cookies.get('admin')}; winback_language=zh-CN`
  const send = formOf(database, server.address, { name: 'admin', cookie })
  const said = async (path: string, fields: Record<string, string>) =>
    (await (await send(path, fields)).text()).replaceAll(/<[^>]*>/g, ' ')
  const long = { reason: 'x'.repeat(201) }
  const paused = await said('/campaigns/spring/pause', long)
  expect(paused).toContain('共 201 个字符，最多 200 个')
  expect(paused).toContain('请写得简短些')
  expect(await said('/settings/users', { name: 'viewer', role: 'agent' })).toContain('已有用户 viewer')
  expect(await said('/settings/users', { name: 'a b', role: 'agent' })).toContain('“a b”不能用作用户名')
  expect(await said('/settings/keys', { name: 'k'.repeat(101), scope: 'read' })).toContain('共 101 个字符')
  // A page that was open since before somebody else stopped it.
  await execute(
    database,
    sql`INSERT INTO switches (scope, name, state, reason, since) VALUES ('campaign', 'autumn', 'stopped', 'a typo', ${NOW})`,
  )
  expect(await said('/campaigns/autumn/pause', { reason: 'wait' })).toContain(
    '活动 autumn 已永久停止：a typo',
  )
  await execute(database, sql`DELETE FROM switches WHERE name = 'autumn'`)
})

test('the steps whose messages can be looked at name their channels in the language of whoever reads', async () => {
  const steps = async (language: string) => {
    const headers = { Cookie: cookies.get('viewer') ?? '', 'Accept-Language': language }
    const html = await (await fetch(`${server.address}/templates`, { headers })).text()
    return /<option[^>]*>(Spring[^<]*)</.exec(html)?.[1]
  }
  expect(await steps('en')).toBe('Spring · only · remind (E-mail, Text message)')
  expect(await steps('zh-CN')).toBe('Spring · only · remind（电子邮件、短信）')
})

test('the audit names what each entry is about in the language of whoever reads it', async () => {
  await post('/campaigns/spring/resume', 'admin')
  const audit = async (language: string) =>
    await (
      await fetch(`${server.address}/audit`, {
        headers: { Cookie: cookies.get('admin') ?? '', 'Accept-Language': language },
      })
    ).text()
  expect(await audit('en')).toContain('campaign spring')
  const chinese = await audit('zh-CN')
  expect(chinese).toContain('活动 spring')
  expect(chinese).not.toContain('campaign spring')
})

test.runIf(hasBrowser)('the name beside a new password is for password managers alone', async () => {
  const user = await addUser(database, { name: 'grace', role: 'viewer', now: NOW, by: 'test' })
  const path = await issueLink(database, user.userId, NOW)
  const { context, page } = await openWindow(server.address, '', { language: 'en', ...WIDE }, [])
  await page.goto(`${server.address}${path}`)
  expect(await page.locator('input[type=password]').first().isVisible()).toBe(true)
  expect(await page.locator('input[name=name]').isVisible()).toBe(false)
  await context.close()
})

test.runIf(hasBrowser)(
  'in a browser: without https, by a name of the house, a form is one of ours',
  async () => {
    const { userId } = await addUser(database, { name: 'lan', role: 'viewer', now: NOW, by: 'test' })
    const here = server.address.replace('127.0.0.1', OTHER_HOST)
    const { context, page } = await openWindow(here, '', { language: 'en', ...WIDE }, [])
    await page.goto(`${here}${await issueLink(database, userId, NOW)}`)
    for (const field of ['password', 'again']) await page.fill(`[name=${field}]`, 'a horse, a battery')
    await page.click('main button')
    await page.waitForURL(`${here}/`)
    await page.click('text=Sign out')
    await page.waitForURL(`${here}/sign-in`)
    await context.close()
  },
)

test('the first page is under 100 KB without its charts', async () => {
  const html = (await (await get('/', 'viewer')).text()).replace(/<svg[\s\S]*?<\/svg>/g, '')
  expect(html.length).toBeLessThan(100_000)
})

test.runIf(hasBrowser)('in a browser: a name of one long word breaks where a phone ends', async () => {
  const long = (word: string) => word.padEnd(60, 'abcdefghij')
  const [campaign, contact, shopName] = [long('campaign'), long('contact'), long('Shop')]
  const source = CAMPAIGN.replace('campaign: spring', `campaign: ${campaign}`)
    .replace('title: Spring', `title: ${long('Title')}`)
    .replace('name: only', `name: ${long('tier')}`)
    .replace('id: remind', `id: ${long('step')}\n        when: contact.first_name != "${long('name')}"`)
  await shop.apply(source)
  await post(`/campaigns/${campaign}/pause`, 'operator', { reason: long('reason') })
  await shop.importContacts([{ external_id: contact, email: `${long('mail')}@example.com` }])
  await signIn(database, long('user'), 'agent', NOW)
  const workspace = { ...shop.workspace, name: shopName, topics: { news: long('Topic') } }
  const other = await startWeb(
    { runtime: { ...shop.runtime, workspace }, desk },
    { host: '127.0.0.1', port: 0 },
  )
  const { context, page } = await openWindow(
    other.address,
    cookies.get('admin') ?? '',
    { language: 'zh-CN', ...NARROW },
    [],
  )
  const wider: string[] = []
  for (const path of [
    '/campaigns',
    ...[`/campaigns/${campaign}`, `/campaigns/${campaign}/reports/funnel`],
    ...[`/contacts/${contact}`, `/contacts?q=${contact}`],
    ...['/outbox', '/settings', '/sign-in', ...(await publicPages())],
  ]) {
    await page.goto(`${other.address}${path}`)
    const beyond = await page.evaluate(`
      document.querySelectorAll('details').forEach((each) => { each.open = true });
      Math.max(...[...document.querySelectorAll('html, .wide:has(.stacked), .tabs')].map((each) => each.scrollWidth - each.clientWidth))`)
    if (beyond !== 0) wider.push(`${path} by ${beyond}`)
    // What a cell says stands beneath each other as elsewhere, and is not squeezed into columns of a letter.
    const squeezed = await page.evaluate(`
      [...document.querySelectorAll('.stacked .under')].filter((each) => each.getBoundingClientRect().top < each.previousElementSibling.getBoundingClientRect().bottom - 2).length`)
    if (squeezed !== 0) wider.push(`${path}: ${squeezed} squeezed`)
    const empty = await page.evaluate(`
      [...document.querySelectorAll('.stacked td')].filter((each) => each.textContent === '' && each.offsetHeight > 0).length`)
    if (empty !== 0) wider.push(`${path}: ${empty} titles of nothing`)
  }
  // At a desk it breaks before the table scrolls: its figures would stand beyond the edge for all of its rows.
  await page.setViewportSize({ width: WIDE.width, height: 900 })
  for (const path of ['/', '/campaigns', `/contacts?q=${contact}`]) {
    await page.goto(`${other.address}${path}`)
    const beyond = await page.evaluate(`
      Math.max(...[...document.querySelectorAll('.wide, .top')].map((each) => each.scrollWidth - each.clientWidth))`)
    if (beyond !== 0) wider.push(`${path} at a desk by ${beyond}`)
  }
  await context.close()
  await other.close(0)
  await execute(database, sql`DELETE FROM users WHERE name = ${long('user')}`)
  expect(wider).toEqual([])
})

test('of many campaigns the busiest stand on the first page, and the outbox folds the choice of one', async () => {
  const names = Array.from({ length: 14 }, (_, at) => `many-${at}`)
  for (const name of names) await shop.apply(CAMPAIGN.replace('campaign: spring', `campaign: ${name}`))
  const lines = async (path: string) => {
    const html = await (await get(path, 'viewer')).text()
    const [, nav = ''] = /<nav class="card"[^>]*>(.*?)<\/nav>/s.exec(html) ?? []
    const [shown = '', folded = ''] = nav.split(/(?=<details)/)
    const count = (part: string) => part.split('<a ').length - 1
    return { shown: count(shown), folded: count(folded), open: folded.startsWith('<details open') }
  }
  const some = await lines('/')
  expect(some).toMatchObject({ shown: 12, open: false })
  expect(some.shown + some.folded).toBe((await appliedNames(database)).length)
  expect((await lines('/?campaign=many-9')).open).toBe(true)
  const outbox = await (await get('/outbox?campaign=many-9&what=coming', 'viewer')).text()
  expect(outbox).toMatch(
    /<summary>Campaign: Spring<\/summary><nav class="tabs choices" aria-label="Campaign">/,
  )
})

test.runIf(hasBrowser)('in a browser: whoever walks a page by Tab sees whole where they are', async () => {
  const look = { language: 'en', ...WIDE } as const
  const { context, page } = await openWindow(server.address, cookies.get('admin') ?? '', look, [])
  const cut: string[] = []
  let stops = 0
  for (const path of [
    '/campaigns',
    '/campaigns/spring/reports/lift',
    '/contacts/c1',
    '/outbox?what=coming',
  ]) {
    await page.goto(`${server.address}${path}`)
    for (;;) {
      await page.keyboard.press('Tab')
      // What is written outside of a box that scrolls is not there: the ring around a link at its edge.
      const stop = (await page.evaluate(`(() => {
        const at = document.activeElement
        if (at === document.body) return null
        const { outlineStyle, outlineWidth, outlineOffset } = getComputedStyle(at)
        const ring = Number.parseFloat(outlineWidth) + Number.parseFloat(outlineOffset)
        const box = at.parentElement.closest('.tabs, .wide')?.getBoundingClientRect()
        const { left, top, right, bottom } = at.getBoundingClientRect()
        const whole = outlineStyle !== 'none' && (!box || [left - box.left, top - box.top, box.right - right, box.bottom - bottom].every((room) => room >= ring - 0.5))
        return [at.textContent.slice(0, 40), whole]
      })()`)) as [string, boolean] | null
      if (stop === null) break
      stops += 1
      if (!stop[1]) cut.push(`${path} ${stop[0]}`)
    }
  }
  expect(stops).toBeGreaterThan(60)
  expect(cut).toEqual([])
  await context.close()
})

test.runIf(hasBrowser)('in a browser: larger type enlarges everything, and cuts nothing off', async () => {
  const look = { language: 'en', ...NARROW, width: 400 } as const
  const { context, page } = await openWindow(server.address, cookies.get('admin') ?? '', look, [])
  const found: string[] = []
  let times = 0
  for (const path of ['/campaigns', '/settings', '/audit', ...(await publicPages())]) {
    await page.goto(`${server.address}${path}`)
    const [shown, sizes, cut] = (await page.evaluate(`(() => {
      const size = () => Number.parseFloat(getComputedStyle(document.querySelector('main p, main td, main label')).fontSize)
      const before = size()
      document.documentElement.style.fontSize = '200%'
      const times = [...document.querySelectorAll('.stacked time')]
      const cut = times.filter((each) => each.getBoundingClientRect().left < each.closest('tr').getBoundingClientRect().left)
      return [times.length, size() / before, cut.map((each) => each.textContent)]
    })()`)) as [number, number, string[]]
    times += shown
    if (sizes !== 2) found.push(`${path}: ${sizes} times as large`)
    found.push(...cut.map((words) => `${path}: ${words}`))
  }
  expect(times).toBeGreaterThan(10)
  expect(found).toEqual([])
  await context.close()
})

test.runIf(hasBrowser)('in a browser: on paper stands what is to be read, and all of it', async () => {
  const look = { language: 'en', ...WIDE } as const
  const { context, page } = await openWindow(server.address, cookies.get('admin') ?? '', look, [])
  await page.goto(`${server.address}/campaigns/spring/reports/delivery`)
  expect(await page.locator('nav.side').isVisible()).toBe(true)
  await page.emulateMedia({ media: 'print' })
  // The width of a sheet of A4.
  await page.setViewportSize({ width: 700, height: 900 })
  for (const pressed of ['nav.side', 'nav.tabs', '.top a[lang]', '.top button']) {
    expect([pressed, await page.locator(pressed).isVisible()]).toEqual([pressed, false])
  }
  const cut = await page.evaluate(`
    [...document.querySelectorAll('.wide')].filter((each) => getComputedStyle(each).overflowX !== 'visible' || each.scrollWidth > document.documentElement.clientWidth).length`)
  expect(cut).toBe(0)
  await context.close()
})

/** What a campaign is found to have brought: nobody has come back in this shop. */
const WHOLE = Table({
  label: 'The whole campaign, points',
  columns: [{ title: '' }, { title: 'Difference', num: true }, { title: '95 % interval' }],
  rows: [
    ['for one look', '+7.9', '+2.8 … +12.7'],
    ['for daily looks', '+7.9', '+0.01 … +15.7'],
    ['relative to those not contacted', '19.6 %', 'less than it seems'],
  ],
})

test.runIf(hasBrowser)(
  'in a browser: on a phone no table of texts or figures scrolls within its card',
  async () => {
    const beyond: string[] = []
    let tables = 0
    for (const [language, path, width] of [
      ['zh-CN', '/api', 360],
      ['en', '/campaigns/spring', 360],
      ['en', '/campaigns/spring/reports/lift', 320],
      ['zh-CN', '/campaigns/spring/reports/lift', 320],
    ] as const) {
      const look = { language, ...NARROW, width }
      const { context, page } = await openWindow(server.address, cookies.get('admin') ?? '', look, [])
      await page.goto(`${server.address}${path}`)
      const found = (await page.evaluate(`
      document.querySelectorAll('details').forEach((each) => { each.open = true });
      document.querySelector('.card').insertAdjacentHTML('beforeend', ${JSON.stringify(String(WHOLE))});
      [...document.querySelectorAll('.wide')].map((each) => [each.getAttribute('aria-label'), each.scrollWidth - each.clientWidth])`)) as [
        string,
        number,
      ][]
      tables += found.length
      beyond.push(...found.flatMap(([label, pixels]) => (pixels > 0 ? [`${path} ${label}: ${pixels}`] : [])))
      await context.close()
    }
    expect(tables).toBeGreaterThan(10)
    expect(beyond).toEqual([])
  },
)

test.runIf(hasBrowser)(
  'in a browser: no complaint of the console or of axe, in any language, width or light',
  async () => {
    const found: string[] = []
    // A plan that waits for somebody to approve it is the fullest its campaign's page gets.
    await post('/campaigns/spring/plan', 'operator')
    const open = await publicPages()
    for (const language of LANGUAGES) {
      const window = { language, ...WIDE }
      const { context, page } = await openWindow(server.address, cookies.get('admin') ?? '', window, found)
      for (const path of [...PAGES, ...open]) {
        await page.goto(`${server.address}${path}`)
        // The frame of public pages is one for all: two looks see each of its colours, widths and languages.
        const looks = open.includes(path) ? [language === 'en' ? WIDE : NARROW] : LOOKS
        found.push(...(await lookAt(page, looks)).map((problem) => `${path} ${language} ${problem}`))
      }
      await context.close()
    }
    expect(found).toEqual([])
  },
  240_000,
)
