import { expect, test } from 'vitest'
import { environmentFrom } from '../../src/config/environment.ts'
import { readCampaign, readWorkspace } from '../../src/config/load.ts'
import { CAMPAIGN_YAML, sampleTemplates, sampleWorkspace, WORKSPACE_YAML } from './support/samples.ts'

// Files in which each value is right by itself, and by which nothing would happen.

const CODED = { coupon: ['offer.code'], 'coupon-vip': [], 'come-back': [] }

/** The problems of the sample with some of its text replaced. */
function problemsOf(from: string, to: string, templates = {}, workspace = sampleWorkspace()) {
  if (!CAMPAIGN_YAML.includes(from)) throw new Error(`the sample has no ${from}`)
  return readCampaign('x.yaml', CAMPAIGN_YAML.replace(from, to), workspace, sampleTemplates(templates))
    .problems
}

test.each([
  ['window: 30d', 'window: 30d\nintake: { backlog: 0 per day }', 'intake.backlog', /nobody is taken in/],
  ['window: 30d', 'window: 30d\nfeed: { max_lag: 0h }', 'feed.max_lag', /every run refuses/],
  ['window: 30d', 'window: 30d\nreentry: { sunset: 0 episodes }', 'reentry.sunset', /a second time/],
  ['liability:', 'spend: 0 CNY per day, liability:', 'limits.budget.spend', /^at 0 CNY nothing/],
  [
    'send_window: { default: 09:00-21:00, email: 10:00-20:00 }',
    'max_delay: 0s',
    'limits.max_delay',
    /ever be sent/,
  ],
  ['stock: 20000', 'stock: 0', 'offers.five_off.stock', /^there is no five_off to give/],
  [
    'stock: 20000',
    'stock: 20000, per_contact: 0 per 365d',
    'offers.five_off.per_contact',
    /^nobody may ever/,
  ],
  ['valid: 7d', 'valid: 0d', 'offers.five_off.valid', /^five_off is over as it is given/],
  ['amount: 5 CNY', 'amount: 0 CNY', 'offers.five_off.amount', /^five_off takes nothing off/],
])('a nought by which nothing would happen is a warning: %s → %s', (from, to, path, message) => {
  expect(problemsOf(from, to)).toMatchObject([
    { severity: 'warning', path, message: expect.stringMatching(message) },
  ])
})

test('nobody calls where none may and there is no robot', () => {
  const call = '{ id: ring, after: 3d, channel: callback, script: reminder, capacity: 0 per day }'
  const found = (callback: object) => {
    const { channels } = sampleWorkspace()
    const workspace = sampleWorkspace({ channels: { ...channels, callback } })
    return problemsOf('{ id: letter, after: 2d, channel: log }', call, {}, workspace)
  }
  expect(found({})).toMatchObject([{ severity: 'warning', path: 'tiers[1].steps[0].capacity' }])
  expect(found({ robot: { url: 'https://robot.example/calls', secret: 'sixteen letters or more' } })).toEqual(
    [],
  )
})

test('an offer by code whose code no message prints is a warning', () => {
  const coded = (templates: object, to = 'kind: coupon, deliver: code') =>
    problemsOf('kind: coupon', to, templates)
  expect(coded({})).toMatchObject([
    {
      severity: 'warning',
      path: 'offers.five_off.deliver',
      message: expect.stringMatching(/\{\{offer\.code\}\}/),
    },
  ])
  expect(coded(CODED)).toEqual([])
  // What a channel says in the place of the template counts, too.
  expect(coded({ 'coupon-email': ['offer.code'] })).toEqual([])
})

test('codes of an offer that is credited to the account would never be given', () => {
  expect(problemsOf('kind: coupon', 'kind: coupon, codes: imported', CODED)).toContainEqual(
    expect.objectContaining({ severity: 'error', path: 'offers.five_off.codes' }),
  )
})

test('a rate of nothing is a warning, and a warm-up that shrinks is refused', () => {
  const found = (rates: string) =>
    readWorkspace('winback.yaml', `${WORKSPACE_YAML}rates: { email: ${rates} }\n`, environmentFrom({}), '.')
      .problems
  expect(found('{ at_most: 0 per 1s }')).toMatchObject([{ severity: 'warning', path: 'rates.email.at_most' }])
  expect(found('{ warm_up: { starts: 2026-12-01, from: 900, to: 50 } }')).toMatchObject([
    { severity: 'error', path: 'rates.email.warm_up' },
  ])
})

test('what has to be more than nothing says so', () => {
  expect(problemsOf('valid: 7d', 'valid: 7d, lifetime: 0')).toMatchObject([
    { message: 'expected more than 0, found `0`' },
  ])
})
