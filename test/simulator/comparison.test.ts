import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { campaign } from '../../src/config/campaign.ts'
import {
  type Compared,
  compare,
  formatComparison,
  formatOthers,
  ladderOf,
} from '../../src/simulator/comparison.ts'
import { compareEarnings, formatEarnings } from '../../src/simulator/earnings.ts'
import type { Truth } from '../../src/simulator/truth.ts'
import type { RoiMoments } from '../../src/statistics/roi.ts'
import { roiOf } from '../support/roi.ts'

const DAY = 86_400

test('the ladder is what reaches people: e-mail steps, by tier', async () => {
  const file = new URL('../../campaigns/graded-recall.yaml', import.meta.url)
  const definition = campaign.parse(parse(await readFile(file, 'utf8')))
  expect(ladderOf(definition, 'Asia/Shanghai')).toEqual({
    window: 30 * DAY,
    maxDelay: 3 * DAY,
    sendWindow: { from: 540, to: 1260 },
    timezone: 'Asia/Shanghai',
    tiers: [
      { name: 'coupon', from: 3 * DAY, to: 7 * DAY, holdout: 0, messages: [DAY] },
      { name: 'trial', from: 7 * DAY, to: 15 * DAY, holdout: 0, messages: [DAY] },
      { name: 'letter', from: 15 * DAY, to: 180 * DAY, holdout: 0.1, messages: [0] },
    ],
  })
})

const estimate = (value: number, low: number, high: number) =>
  ({ kind: 'estimate', value, low, high, confidence: 0.95 }) as const
const none = { kind: 'not_enough', why: 'nobody_held_out' } as const

test('sets each figure beside the truth and says whether its interval holds it', () => {
  const cell = {
    episodes: 10,
    natural: 0.3,
    treated: 0.4,
    difference: 0.1,
    drawn: { natural: 0.3, treated: 0.4, difference: 0.1 },
    bought: { natural: 20, treated: 24 },
  }
  const truth: Truth = { all: cell, tiers: new Map([['coupon', cell]]) }
  const group = (name: string, rate: typeof none | ReturnType<typeof estimate>) => ({
    name,
    treated: { rate: estimate(0.5, 0.41, 0.6) },
    heldOut: { rate },
    difference: rate.kind === 'estimate' ? estimate(0.2, -0.1, 0.3) : none,
  })
  const report = {
    overall: group('', estimate(0.3, 0.2, 0.4)),
    byTier: [group('coupon', none), group('unknown to the truth', none)],
  }
  const compared = compare(truth, report)
  expect(compared.map(({ group, figure, holds }) => [group, figure, holds])).toEqual([
    ['all', 'natural', true],
    ['all', 'contacted', false],
    ['all', 'difference', true],
    ['coupon', 'natural', undefined],
    ['coupon', 'contacted', false],
    ['coupon', 'difference', undefined],
  ])
})

test('says nothing of what was planted while nobody has been watched for a whole window', () => {
  const nothing = { natural: 0, treated: 0 }
  const nobody = {
    episodes: 0,
    ...nothing,
    difference: 0,
    drawn: { ...nothing, difference: 0 },
    bought: nothing,
  }
  const report = {
    overall: { treated: { rate: none }, heldOut: { rate: none }, difference: none },
    byTier: [],
  }
  const compared = compare({ all: nobody, tiers: new Map() }, report)
  expect(compared).toEqual([])
  expect(formatComparison(compared, false).split('\n')).toEqual([
    'What was planted, and what the report found',
    '  Nobody has been watched for a whole window yet: more days (--days) will tell.',
  ])
})

test('is a table people can read', () => {
  const compared: Compared[] = [
    { group: 'all', figure: 'natural', planted: 0.371, reported: estimate(0.376, 0.332, 0.423), holds: true },
    { group: 'all', figure: 'difference', planted: 0.1, reported: estimate(-0.02, -0.1, 0.05), holds: false },
    { group: 'coupon', figure: 'difference', planted: 0.1, reported: none, holds: undefined },
  ]
  expect(
    formatComparison(compared, false)
      .split('\n')
      .map((line) => line.trimEnd()),
  ).toEqual([
    'What was planted, and what the report found',
    '  taken in at                                planted         reported        95 % interval',
    '  all          would have come back anyway    37.1 %           37.6 %     33.2 % to 42.3 %  ✓',
    '               won back by us               +10.0 pp          -2.0 pp  -10.0 pp to +5.0 pp  ✗',
    '  coupon       won back by us               +10.0 pp  not enough data',
    '  1 of 2 intervals hold the planted figure; at 95 %, one in twenty misses by chance.',
  ])
})

test('campaigns in which nothing was planted hold a difference of nothing, or are told apart', () => {
  const arm = (assigned: number, rate: typeof none | ReturnType<typeof estimate>) => ({ assigned, rate })
  const known = { treated: arm(180, estimate(0.4, 0.3, 0.5)), heldOut: arm(20, estimate(0.5, 0.3, 0.7)) }
  const lines = formatOthers(
    [
      { campaign: 'at-risk', overall: { ...known, difference: estimate(-0.1, -0.3, 0.1) } },
      { campaign: 'thanks', overall: { ...known, difference: estimate(0.2, 0.1, 0.3) } },
      { campaign: 'unhappy', overall: { treated: arm(3, none), heldOut: arm(1, none), difference: none } },
    ],
    false,
  ).split('\n')
  expect(lines.slice(2, -1).map((line) => line.trim().replaceAll(/ {2,}/g, ' | '))).toEqual([
    'at-risk | 200 | 40.0 % | 50.0 % | -10.0 pp | -30.0 pp to +10.0 pp | ✓',
    'thanks | 200 | 40.0 % | 50.0 % | +20.0 pp | +10.0 pp to +30.0 pp | ✗',
    'unhappy | 4 | – | – | not enough data',
  ])
})

test('the planted ROI stands beside the reported one, and where that says nothing, this is said', () => {
  const cell = { natural: 0.3, treated: 0.4, difference: 0.1 }
  // 3 more bought, of which 30 % are earned, for a cost of 0.50.
  const truth = { ...cell, episodes: 1000, drawn: cell, bought: { natural: 20, treated: 23 } }
  const arm = (n: number, buyers: number, spread: number, cost: number) => ({
    ...{ n, buyers, margin: buyers * 60e6, cost: n * cost, costSquares: n * cost ** 2 },
    ...{ marginSquares: buyers * spread * 60e6 ** 2, products: buyers * 60e6 * cost },
  })
  const style = { locale: 'en', currency: 'CNY', color: false, width: 100 }
  const report = (treated: RoiMoments, heldOut: RoiMoments) => ({
    cost: treated.cost / treated.n - heldOut.cost / heldOut.n,
    roi: roiOf(treated, heldOut),
  })
  const vague = compareEarnings(truth, report(arm(900, 100, 5, 5e5), arm(100, 10, 5, 0)), 0.3)
  expect(vague.planted.margin).toBeCloseTo(0.9e6, 6)
  expect(vague.planted.roi).toBeCloseTo(0.8, 12)
  expect(vague.holds).toBe(true)
  const said = formatEarnings(vague, style)
  expect(said).toContain('CN¥0.90 more margin for CN¥0.50 of cost, a person contacted: ROI +80 %')
  expect(said).toContain('cannot say whether it pays')
  const sharp = compareEarnings(truth, report(arm(90_000, 10_000, 1, 5e5), arm(90_000, 5000, 1, 0)), 0.3)
  expect(formatEarnings(sharp, style)).not.toContain('cannot say')
  expect(sharp.holds).toBe(false)
  expect(formatEarnings(sharp, style)).toMatch(/reported +ROI \+567 % \(.*\) +✗/)
  const free = compareEarnings(truth, report(arm(900, 100, 5, 0), arm(100, 9, 5, 0)), 0.3)
  expect(free).toMatchObject({ planted: { roi: undefined }, holds: undefined })
  expect(formatEarnings(free, style)).toMatch(/nothing was spent[\s\S]*ROI not enough data yet/)
})
