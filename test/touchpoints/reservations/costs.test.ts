import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { manualClock } from '../../../src/clock.ts'
import { rows } from '../../../src/database/connect.ts'
import { processBatch } from '../../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../../src/touchpoints/dispatch.ts'
import { underLimitsOf } from '../../../src/touchpoints/reservations/costs.ts'
import { oneTierCampaign } from '../../support/campaign.ts'
import { testChannel } from '../../support/channel.ts'
import { freshDatabase } from '../../support/database.ts'
import { openShop, type Shop } from '../../support/shop.ts'

const clock = manualClock(new Date('2026-03-02T09:00:00Z'))
let shop: Shop
beforeAll(async () => {
  const channels = [testChannel('email', { price: 10_000 })]
  const workspace = `
version: 1
name: Shop
timezone: UTC
currency: CNY
locales: [en]
channels: { email: { from: "Shop <hello@shop.example>", smtp: { host: 127.0.0.1, port: 2525 } } }
`
  shop = await openShop({ database: await freshDatabase(), clock, channels, workspace })
  const people = ['a', 'b', 'c'].map((external_id) => ({ external_id, email: `${external_id}@people.test` }))
  await shop.importContacts(people)
  await shop.importActivity(
    people.map(({ external_id }) => ({ external_id, type: 'session', occurred_at: '2026-02-20T00:00:00Z' })),
  )
})
afterAll(() => shop.runtime.close())

const budgeted = (spend: string | undefined) =>
  oneTierCampaign(
    'spring',
    ['first', 'second', 'third', 'fourth'].map(
      (id, at) => `{ id: ${id}, after: ${at}h, channel: email, template: hello }`,
    ),
    { more: spend === undefined ? '' : `limits: { budget: { spend: ${spend} } }` },
  )

/** What became of the messages of a step, each a cent. */
async function endsOf(step: string): Promise<string[]> {
  await dispatchDue(shop.database, { now: clock.now(), jobs: 100 }, async (batch) => {
    await processBatch(shop.runtime.worker, batch)
  })
  const ended = await rows<{ end: string }>(
    shop.database,
    sql`SELECT concat_ws(' ', r.state, r.reason) AS end FROM touchpoint_records r JOIN steps s USING (step_id)
      WHERE s.step = ${step} ORDER BY r.state`,
  )
  clock.advance(3600)
  return ended.map(({ end }) => end)
}

it('a budget is what the newest version says, for whoever began with an older one, too', async () => {
  const exhausted = 'skipped budget_exhausted'
  await shop.apply(budgeted('1 CNY'))
  await shop.run('spring')
  expect(await endsOf('first')).toEqual(['sent', 'sent', 'sent'])
  await shop.apply(budgeted('0.04 CNY'))
  expect(await endsOf('second')).toEqual(['sent', exhausted, exhausted].toSorted())
  await shop.apply(budgeted('0.06 CNY'))
  expect(await endsOf('third')).toEqual(['sent', 'sent', exhausted].toSorted())
  await shop.apply(budgeted(undefined))
  expect(await endsOf('fourth')).toEqual(['sent', 'sent', 'sent'])
})

it('a budget that cannot be read changes nothing', async () => {
  const opened = await shop.runtime.book.campaign('spring', 1)
  const own = opened.definition.limits.budget
  expect(own.spend?.amount.micros).toBe(1_000_000)
  expect(underLimitsOf(opened, undefined).definition.limits.budget).toEqual(own)
  expect(underLimitsOf(opened, { definition: {} }).definition.limits.budget).toEqual(own)
})

const stocked = (stock: string) => {
  const names = ['early', 'late', 'last']
  const steps = names.map(
    (id, at) => `{ id: ${id}, after: ${at}h, channel: email, template: hello, offer: ${id} }`,
  )
  const offers = names.map((name) => `  ${name}: { kind: coupon, amount: 5 CNY, valid: 7d${stock} }`)
  return oneTierCampaign('gifts', steps, { more: ['offers:', ...offers].join('\n') })
}

it('how many of an offer there are is what the newest version says, for whoever began with an older one, too', async () => {
  const unavailable = 'skipped offer_unavailable'
  await shop.apply(stocked(', stock: 3'))
  await shop.run('gifts')
  await shop.apply(stocked(', stock: 1'))
  expect(await endsOf('early')).toEqual(['sent', unavailable, unavailable].toSorted())
  await shop.apply(stocked(', stock: 2'))
  expect(await endsOf('late')).toEqual(['sent', 'sent', unavailable].toSorted())
  await shop.apply(stocked(''))
  expect(await endsOf('last')).toEqual(['sent', 'sent', 'sent'])
})

it('an offer that is gone from the newest version has the stock it had', async () => {
  const opened = await shop.runtime.book.campaign('gifts', 1)
  const { offers } = opened.definition
  expect(offers.early?.stock).toBe(3)
  for (const newest of [{}, { offers: {} }]) {
    expect(underLimitsOf(opened, { definition: newest }).definition.offers).toEqual(offers)
  }
})
