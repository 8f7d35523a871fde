import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { planAudience } from '../../src/audience/plan.ts'
import { describePortrait } from '../../src/cli/verbs/signal-words.ts'
import { manualClock } from '../../src/clock.ts'
import { factCatalogue } from '../../src/config/facts.ts'
import { rows } from '../../src/database/connect.ts'
import { speechOf } from '../../src/reports/words.ts'
import { modelText } from '../../src/service/plan/sentences.ts'
import { freshen, freshenSignals, withoutModel } from '../../src/service/signals.ts'
import { readPortrait } from '../../src/signals/portrait.ts'
import { readSignalStanding } from '../../src/signals/standing.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop } from '../support/shop.ts'

// What is said of everybody: how many of a band are only quiet, and what stands in for the model where data are thin.

const NOW = new Date('2026-06-01T09:00:00Z')
const CAMPAIGN = `
version: 1
campaign: bands
title: Bands
schedule: "0 9 * * *"
timezone: UTC
goals: { recall: { event: session } }
window: 90d
holdout: 0%
tiers:
  - name: early
    inactive: 3d..15d
    steps: [{ id: hello, channel: log, template: hello, unless: churn == "false" }]
  - name: late
    inactive: 15d..60d
    steps: [{ id: again, channel: log, template: hello }]
`

async function open() {
  const clock = manualClock(NOW)
  return await openShop({
    database: await freshDatabase(),
    clock,
    channels: [testChannel('log')],
  })
}
const sessions = (id: string, days: readonly number[]) =>
  days.map((day) => ({
    external_id: id,
    type: 'session',
    occurred_at: new Date(NOW.getTime() - day * 86_400_000).toISOString(),
  }))

test('a plan counts who of each band is only quiet, and the step leaves just those out', async () => {
  const shop = await open()
  await shop.importActivity([
    ...['w1', 'w2', 'w3'].flatMap((id) => sessions(id, [38, 31, 24, 17, 10])),
    ...sessions('w4', [40, 33, 26, 19]),
    ...['d1', 'd2'].flatMap((id) => sessions(id, [13, 12, 11, 10])),
    ...sessions('c1', [10]),
    {
      external_id: 'c1',
      type: 'add_to_cart',
      occurred_at: new Date(NOW.getTime() - 86_400_000).toISOString(),
    },
    ...sessions('m1', [59, 39, 19]),
  ])
  await freshenSignals(shop.runtime)
  await shop.apply(CAMPAIGN)
  const campaign = await shop.runtime.book.current('bands')
  if (!campaign) throw new Error('the campaign was not applied')
  const reach = { addressKinds: new Map([['log', 'none' as const]]), needsConsent: new Set<string>() }
  const plan = await planAudience(shop.database, campaign, NOW, reach)
  // Weekly visitors 10 days away: 10 > 1.2 × 7, so lost. Who came every 20 days and is 19 away is not.
  expect(plan.churn).toEqual([
    { tier: 'early', reason: 'silent', contacts: 5 },
    { tier: 'early', reason: 'cart', contacts: 1 },
    { tier: 'late', reason: 'rhythm', contacts: 1 },
    { tier: 'late', reason: 'silent', contacts: 1 },
  ])
  expect(plan.steps[0]).toMatchObject({ step: 'hello', contacts: 6, condition: 1, messages: 5 })
  expect(await readSignalStanding(shop.database, shop.workspace, NOW)).toEqual({
    contacts: 8,
    waiting: 0,
    churn: { true: 6, false: 2 },
    reasons: { silent: 6, cart: 1, rhythm: 1 },
    risk: { none: 6, light: 2 },
  })
  // Who has done nothing yet is lost or not by the sign-up, and one of everybody.
  const signedUp = new Date(NOW.getTime() - 30 * 86_400_000).toISOString()
  await shop.importContacts([{ external_id: 'idle', signed_up_at: signedUp }])
  expect(await readSignalStanding(shop.database, shop.workspace, NOW)).toMatchObject({
    contacts: 9,
    churn: { true: 7, false: 2 },
  })
  await shop.runtime.close()
})

test('with too few contacts for the model, the probability is what silence alone says', async () => {
  const shop = await open()
  const many = (prefix: string, count: number) => Array.from({ length: count }, (_, n) => `${prefix}${n}`)
  await shop.importActivity([
    // As known 30 days ago: thirty silent for 10 days, of whom twelve came back; 25 silent for 40, of whom five did.
    ...many('a', 30).flatMap((id, n) => sessions(id, n < 12 ? [40, 20] : [40])),
    ...many('b', 25).flatMap((id, n) => sessions(id, n < 5 ? [70, 25] : [70])),
    ...sessions('new', [8]),
  ])
  const { fit } = await freshenSignals(shop.runtime)
  expect(fit).toMatchObject({
    model: null,
    note: 'too_few_contacts',
    contacts: 56,
    repeaters: 17,
    calibration: null,
  })
  const facts = factCatalogue(shop.workspace)
  const value = (path: string) => facts.get(path)?.sql(NOW) ?? sql`NULL`
  const found = await rows<{ id: string; probability: string; basis: string }>(
    shop.database,
    sql`SELECT c.external_id AS id, round(${value('return_probability')}, 6)::text AS probability, ${value('return_basis')} AS basis
        FROM contacts c JOIN contact_activity a USING (contact_id) LEFT JOIN contact_signals s USING (contact_id)
        WHERE c.external_id IN ('a29', 'b24', 'new') ORDER BY 1`,
  )
  expect(found).toEqual([
    // Silent for 40 days now: 5 of 25.
    { id: 'a29', probability: '0.200000', basis: 'silence' },
    // Silent for 70: nobody was, so the share of all, 17 of 55.
    { id: 'b24', probability: '0.309091', basis: 'silence' },
    // Silent for 8: 12 of 30.
    { id: 'new', probability: '0.400000', basis: 'silence' },
  ])
  // The fit holds until its schedule says otherwise.
  expect((await freshenSignals(shop.runtime)).fit).toBeUndefined()
  shop.clock.set(new Date('2026-06-08T04:00:00Z'))
  expect((await freshenSignals(shop.runtime)).fit).toMatchObject({ note: 'too_few_contacts' })
  await shop.runtime.close()
})

test('where other types of events count, quintiles and model are fitted to them at once', async () => {
  const shop = await open()
  await shop.importActivity([
    ...sessions('a', [40, 20, 10]),
    ...sessions('b', [30]),
    { external_id: 'b', type: 'order', occurred_at: new Date(NOW.getTime() - 5 * 86_400_000).toISOString() },
  ])
  expect((await freshen(shop.runtime)).fit).toMatchObject({ contacts: 2, repeaters: 2 })
  const other = { ...shop.runtime, workspace: { ...shop.workspace, activity: ['order'] } }
  shop.clock.set(new Date(NOW.getTime() + 3_600_000))
  // As a plan looks: what everybody did is not summed up by them yet.
  expect((await freshenSignals(other)).fit).toBeUndefined()
  expect((await freshen(other)).fit).toMatchObject({ contacts: 1, repeaters: 0 })
  shop.clock.set(new Date(NOW.getTime() + 7_200_000))
  expect((await freshen(other)).fit).toBeUndefined()
  await shop.runtime.close()
})

test('where everybody is alike no model is believed: silence tells, and the plan and explain say why', async () => {
  const shop = await open()
  // Four hundred who came twice, sixty days apart. The likeliest parameters would say that all of them are gone.
  await shop.importActivity(
    Array.from({ length: 400 }, (_, n) => sessions(`u${n}`, [((n * 7) % 40) + 60, (n * 7) % 40])).flat(),
  )
  const { fit } = await freshenSignals(shop.runtime)
  expect(fit).toMatchObject({ model: null, note: 'at_the_edge', contacts: 400, calibration: null })
  expect(fit?.silence).not.toBeNull()

  await shop.apply(CAMPAIGN.replace('unless: churn == "false"', 'when: return_probability < 0.2'))
  const asking = await shop.runtime.book.current('bands')
  if (!asking) throw new Error('the campaign was not applied')
  const missing = await withoutModel(shop.database, asking, NOW)
  expect(missing).toEqual({ why: 'at_the_edge', silence: true })
  const told = (locale: string) =>
    missing && modelText({ withoutModel: missing }, speechOf({ locale, timezone: 'UTC' }))
  expect(told('en')).toBe(
    'There is no return model: people’s histories are too few or too alike to tell them apart. `return_probability` goes by silence alone.',
  )
  expect(told('zh-CN')).toBe(
    '没有回流模型：联系人的历史太少或太相似，无法区分。`return_probability` 仅按沉默时长估计。',
  )

  const [someone] = await rows<{ id: number }>(
    shop.database,
    sql`SELECT contact_id AS id FROM contacts WHERE external_id = 'u3'`,
  )
  const portrait = await readPortrait(shop.database, shop.workspace, someone?.id ?? 0, NOW)
  expect(portrait).toMatchObject({ return_basis: 'silence' })
  expect(describePortrait(portrait, speechOf({ locale: 'en', timezone: 'UTC' }), fit?.note)).toContainEqual(
    expect.stringMatching(/^Comes back unasked: .* % \(by silence alone, without a model: .* too alike/),
  )
  await shop.runtime.close()
})

test('a campaign that does not ask for the probability is told nothing of the model', async () => {
  const shop = await open()
  await shop.importActivity(sessions('one', [10]))
  await freshenSignals(shop.runtime)
  await shop.apply(CAMPAIGN)
  const silent = await shop.runtime.book.current('bands')
  if (!silent) throw new Error('the campaign was not applied')
  expect(await withoutModel(shop.database, silent, NOW)).toBeUndefined()
  await shop.runtime.close()
})
