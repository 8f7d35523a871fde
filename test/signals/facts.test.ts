import { sql } from 'drizzle-orm'
import { beforeAll, describe, expect, it } from 'vitest'
import { describePortrait } from '../../src/cli/verbs/signal-words.ts'
import { manualClock } from '../../src/clock.ts'
import { factCatalogue } from '../../src/config/facts.ts'
import { rows } from '../../src/database/connect.ts'
import { speechOf } from '../../src/reports/words.ts'
import { fitSignals, readFit } from '../../src/signals/fit.ts'
import { rulesOf } from '../../src/signals/history.ts'
import { readPortrait } from '../../src/signals/portrait.ts'
import { refreshSignals } from '../../src/signals/refresh.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop, type Shop, WORKSPACE } from '../support/shop.ts'

// Worked examples, small enough to be checked by hand, through import, refresh and fit.

const NOW = new Date('2026-06-01T00:00:00Z')
const SOURCE = `${WORKSPACE.replace('price:', 'paid_until: timestamp, price:')}
signals: { membership: { attribute: paid_until } }
`
const ago = (days: number) => new Date(NOW.getTime() - days * 86_400_000).toISOString()

let shop: Shop
const ids = new Map<string, number>()

async function open(): Promise<Shop> {
  const database = await freshDatabase()
  return openShop({ database, clock: manualClock(NOW), channels: [testChannel('log')], workspace: SOURCE })
}

/** `count` orders of equal value, the latest `last` days ago, the others each a day earlier. */
function orders(id: string, last: number, count: number, total: number) {
  return Array.from({ length: count }, (_, place) => ({
    external_id: id,
    type: 'order',
    occurred_at: ago(last + place),
    value: total / count,
  }))
}
const event = (id: string, type: string, days: number, properties?: Record<string, unknown>) => ({
  external_id: id,
  type,
  occurred_at: ago(days),
  ...(properties ? { properties } : {}),
})
const sessions = (id: string, days: readonly number[]) => days.map((day) => event(id, 'session', day))

async function read(path: string, now = NOW, workspace = shop.workspace): Promise<Record<string, unknown>> {
  const fact = factCatalogue(workspace).get(path)
  if (!fact) throw new Error(`there is no fact ${path}`)
  const found = await rows<{ id: string; value: unknown }>(
    shop.database,
    sql`SELECT c.external_id AS id, to_jsonb(${fact.sql(now)}) AS value
        FROM contacts c JOIN contact_activity a USING (contact_id) LEFT JOIN contact_signals s USING (contact_id)`,
  )
  return Object.fromEntries(found.map(({ id, value }) => [id, value]))
}

beforeAll(async () => {
  shop = await open()
  await shop.importContacts([
    { external_id: 'renewing', paid_until: '2026-06-08T00:00:00Z', signed_up_at: ago(10) },
    { external_id: 'nobody', signed_up_at: ago(100) },
  ])
  await shop.importActivity([
    ...orders('champion', 1, 10, 1000),
    ...orders('newcomer', 10, 1, 10),
    ...orders('middling', 30, 2, 50),
    ...orders('hibernating', 60, 1, 20),
    ...orders('missed', 200, 3, 100),
    ...sessions('angry', [20]),
    event('angry', 'nps', 20, { score: 4 }),
    event('angry', 'complaint_opened', 19, { complaint_id: 'c1' }),
    ...sessions('critic', [1]),
    event('critic', 'review', 5, { rating: 2 }),
    ...sessions('waiting', [1]),
    event('waiting', 'complaint_opened', 3, { complaint_id: 'c2' }),
    ...sessions('calmed', [1]),
    event('calmed', 'complaint_opened', 3, { complaint_id: 'c3' }),
    event('calmed', 'complaint_resolved', 2, { complaint_id: 'c3' }),
    event('calmed', 'nps', 3, { score: 3 }),
    event('calmed', 'nps', 2, { score: 9 }),
    ...sessions('fading', [27.5, 26.5, 25.5, 20.5, 18.5, 16.5, 9.5, 2.5]),
    ...sessions('faded', [15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 3, 2]),
    ...sessions('fortnightly', [66, 52, 38, 24, 10]),
    ...sessions('shopper', [10, 11, 12, 13]),
    event('shopper', 'add_to_cart', 10, { quantity: 2 }),
    ...sessions('admirer', [10, 11, 12]),
    event('admirer', 'favourite_added', 8),
    ...sessions('member', [2]),
    event('member', 'subscription_started', 40, { ends_at: ago(-3) }),
    ...sessions('leaver', [2]),
    event('leaver', 'subscription_started', 40, { ends_at: ago(-3) }),
    event('leaver', 'subscription_ended', 5),
    // Over, as databases show it, and as programs write it, of which some know no zones.
    event('lapsed', 'subscription_started', 40, { ends_at: '2026-05-30 00:00:00' }),
    event('naive', 'subscription_started', 40, { ends_at: '2026-05-30T00:00:00.000000' }),
    event('pulled', 'subscription_started', 40, { ends_at: '2026-05-30 08:00:00+08' }),
    event('warehoused', 'subscription_started', 40, { ends_at: '2026-05-30 00:00:00.000 UTC' }),
    event('brief', 'subscription_started', 40, { ends_at: '2026-05-29T18:30-0530' }),
    // For ever, as a system to the west of Greenwich writes it.
    ...sessions('lifelong', [2]),
    event('lifelong', 'subscription_started', 40, { ends_at: '9999-12-31T23:59:59-05:00' }),
    // A trial that becomes a membership, or another plan: the one ends as the other begins.
    ...sessions('changed', [2]),
    event('changed', 'subscription_started', 40, { ends_at: ago(10), trial: true }),
    event('changed', 'subscription_ended', 10),
    event('changed', 'subscription_started', 10, { ends_at: ago(-3) }),
  ])
  await refreshSignals(shop.database, rulesOf(shop.workspace), NOW)
  await fitSignals(shop.database, rulesOf(shop.workspace), shop.workspace.signals.return, NOW)
  const found = await rows<{ id: string; contact: number }>(
    shop.database,
    sql`SELECT external_id AS id, contact_id AS contact FROM contacts`,
  )
  for (const { id, contact } of found) ids.set(id, contact)
}, 60_000)

describe('RFM', () => {
  it('scores by the quintiles of the five who bought', async () => {
    // Recency 1, 10, 30, 60, 200 days: quintiles 8.2, 22, 42, 88. Orders 1, 1, 2, 3, 10: quintiles 1, 1.6, 2.4, 4.4.
    // Money 10, 20, 50, 100, 1000: quintiles 18, 38, 70, 280.
    expect(await read('rfm.recency')).toMatchObject({
      champion: 5,
      newcomer: 4,
      middling: 3,
      hibernating: 2,
      missed: 1,
    })
    expect(await read('rfm.frequency')).toMatchObject({
      champion: 5,
      newcomer: 1,
      middling: 3,
      hibernating: 1,
      missed: 4,
    })
    expect(await read('rfm.monetary')).toMatchObject({
      champion: 5,
      newcomer: 1,
      middling: 3,
      hibernating: 2,
      missed: 4,
    })
  })

  it('names the first rule that matches, and nobody who never bought', async () => {
    expect(await read('rfm.segment')).toMatchObject({
      champion: 'champion',
      newcomer: 'new',
      middling: 'needs_attention',
      hibernating: 'hibernating',
      missed: 'cannot_lose',
      critic: null,
    })
  })

  it('goes by time alone: a month later the same fit finds the champion less recent', async () => {
    expect(await read('rfm.recency', new Date(NOW.getTime() + 30 * 86_400_000))).toMatchObject({
      champion: 3,
    })
  })

  it('sets value against use', async () => {
    expect(await read('quadrant')).toMatchObject({ champion: 'core', newcomer: 'light', nobody: 'light' })
  })
})

describe('risk', () => {
  it('adds up the weights of the signs', async () => {
    // angry: no sign-in 1 + NPS 2 + complaint 2.
    expect(await read('risk.score')).toMatchObject({
      angry: 5,
      critic: 1,
      waiting: 2,
      calmed: 0,
      fading: 1,
      nobody: 0,
    })
    expect(await read('risk.grade')).toMatchObject({
      angry: 'severe',
      critic: 'light',
      waiting: 'medium',
      calmed: 'none',
      nobody: 'none',
    })
  })

  it('sees use go down by days: six in the two weeks before, two in the last', async () => {
    expect(await read('risk.use')).toMatchObject({ fading: true, champion: false, critic: false })
  })

  it('sees use go down by just as much as is asked: two days left of ten are 80 % fewer', async () => {
    const { risk } = shop.workspace.signals
    const strict = { ...risk, use: { ...risk.use, drop: 0.8 } }
    const workspace = { ...shop.workspace, signals: { ...shop.workspace.signals, risk: strict } }
    expect(await read('risk.use', NOW, workspace)).toMatchObject({ faded: true, fading: false })
  })
})

describe('churn', () => {
  it('is false within their own rhythm and with something unfinished', async () => {
    expect(await read('churn_reason')).toMatchObject({
      champion: 'recent',
      fortnightly: 'rhythm',
      shopper: 'cart',
      admirer: 'favourite',
      angry: 'silent',
      missed: 'silent',
    })
    expect(await read('churn')).toMatchObject({
      champion: 'active',
      fortnightly: 'false',
      shopper: 'false',
      missed: 'true',
    })
  })

  it('turns true when their usual pause has long passed, without anything being recomputed', async () => {
    const later = new Date(NOW.getTime() + 10 * 86_400_000)
    expect(await read('churn', later)).toMatchObject({ fortnightly: 'true', shopper: 'false' })
  })
})

describe('memberships and the rest', () => {
  it('knows ends by attribute, by event, and cut short', async () => {
    expect(await read('membership.active')).toMatchObject({
      renewing: true,
      member: true,
      leaver: false,
      changed: true,
      lifelong: true,
      lapsed: false,
      naive: false,
      pulled: false,
      warehoused: false,
      brief: false,
      critic: false,
    })
    expect(await read('membership.left')).toMatchObject({
      renewing: 7 * 86_400,
      member: 3 * 86_400,
      leaver: -5 * 86_400,
      changed: 3 * 86_400,
      lifelong: null,
      lapsed: -2 * 86_400,
      naive: -2 * 86_400,
      pulled: -2 * 86_400,
      warehoused: -2 * 86_400,
      brief: -2 * 86_400,
    })
  })

  it('counts the time without activation, and gives up on those who never came', async () => {
    expect(await read('activation.waiting')).toMatchObject({ renewing: 10 * 86_400, champion: null })
    expect(await read('sunset')).toMatchObject({ nobody: true, renewing: false, champion: false })
  })

  it('falls back to silence where there are too few contacts, and says so', async () => {
    expect(await readFit(shop.database, NOW)).toMatchObject({ model: null, note: 'too_few_contacts' })
    expect(await read('return_basis')).toMatchObject({ champion: null })
  })
})

describe('a contact in words', () => {
  const lines = async (id: string, locale: string) =>
    describePortrait(
      await readPortrait(shop.database, shop.workspace, ids.get(id) ?? 0, NOW),
      speechOf({ locale, timezone: 'UTC' }),
    )

  it('says why, in English and in Chinese', async () => {
    expect(await lines('angry', 'en')).toEqual([
      'Churn: lost (seen on too few days for a usual pause; silent for 20 days)',
      'Risk: severe (no sign-in for 20 days; 1 complaint not resolved; latest NPS answer 4)',
    ])
    expect(await lines('fortnightly', 'zh-CN')).toEqual([
      '流失判断：沉默但未流失（在其自身节奏内；已沉默 10 天；惯常间隔 14 天）',
      '风险：无',
    ])
    expect(await lines('champion', 'en')).toContain('Value: champion, RFM 5-5-5, core')
    expect(await lines('lifelong', 'en')).toEqual([
      'Churn: active (active recently; silent for 2 days)',
      'Risk: none',
    ])
  })

  it('knows nothing that came later', async () => {
    const portraitAt = (id: string, days: number) =>
      readPortrait(shop.database, shop.workspace, ids.get(id) ?? 0, new Date(ago(days)))
    // Seen 66, 52, 38, 24 and 10 days ago.
    expect(await portraitAt('fortnightly', 30)).toMatchObject({
      'activity.silence': 8 * 86_400,
      churn_reason: 'rhythm',
      'rhythm.pause': 14 * 86_400,
    })
    const untouched = await portraitAt('fortnightly', 80)
    expect(Object.keys(untouched).filter((path) => /^(churn|activity)/.test(path))).toEqual([])
    const before = await readPortrait(
      shop.database,
      shop.workspace,
      ids.get('angry') ?? 0,
      new Date(ago(19.5)),
    )
    expect(before).toMatchObject({ 'complaints.open': 0, nps: 4 })
  })
})
