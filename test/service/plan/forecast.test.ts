import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { campaign as schema } from '../../../src/config/campaign.ts'
import type { CompiledCampaign, CompiledStep } from '../../../src/config/compiled.ts'
import { offer } from '../../../src/offers/offers.ts'
import { expectedCost, expectedGrants } from '../../../src/service/plan/expected.ts'
import {
  assignedAfter,
  detectableBetween,
  detectableEffects,
  splitByVariant,
  whenShowable,
} from '../../../src/service/plan/forecast.ts'

function campaign(settings: Record<string, unknown> = {}): CompiledCampaign {
  const definition = schema.parse({
    version: 1,
    campaign: 'test',
    title: 'Test',
    schedule: '0 9 * * *',
    goals: { recall: { event: 'session' } },
    window: '30d',
    holdout: '50%',
    tiers: [{ name: 'only', inactive: '3d..90d', steps: [{ id: 'one', channel: 'email' }] }],
    ...settings,
  })
  const tiers = [{ no: 1, name: 'only', from: 3 * 86_400, to: 90 * 86_400, holdout: 0, steps: [] }]
  return {
    ...{ name: 'test', version: 1, salt: '', definition, control: 0, timezone: 'UTC', exclusive: 'x' },
    ...{ templateSet: '', locales: [], audience: undefined, segments: [], tiers, onReturn: [] },
    ...{ entry: { kind: 'silence' as const }, silencedBy: 'activity' as const },
  }
}

function people(counts: {
  opened?: number
  backlog?: number
  eligible: number
  inflow: number
  open?: number
}) {
  const cell = (answer: string, contacts = 0) => ({ tier: 'only', segment: 'everyone', answer, contacts })
  return {
    cells: [cell('opened', counts.opened), cell('backlog', counts.backlog)],
    inflowPerDay: counts.inflow,
    eligible: counts.eligible,
    outside: { total: 0, recent: 0, beyond: 0, undated: 0, bySignUp: 0, open: counts.open ?? 0, had: 0 },
  }
}

const half = [{ tier: 'only', episode: 0.5, withTierDraws: 0.5 }]
const natural = { contacts: 1000, recalled: 100 }

describe('the inflow', () => {
  it('never promises more people than there are, each as often as the campaign lets them come round', () => {
    const once = campaign({ reentry: { wait: '30d', sunset: '1 episodes' } })
    const some = people({ opened: 500, eligible: 600, inflow: 100 })
    expect(assignedAfter(once, some, 0)).toBe(500)
    expect(assignedAfter(once, some, 30)).toBe(600)
    expect(assignedAfter(once, some, 365)).toBe(600)
    // Window, grace and wait: 62 days until somebody may come again, and twice at most.
    const twice = campaign({ reentry: { wait: '30d', sunset: '2 episodes' } })
    expect(assignedAfter(twice, some, 61)).toBe(600)
    expect(assignedAfter(twice, some, 62)).toBe(1200)
    expect(assignedAfter(twice, some, 3650)).toBe(1200)
    expect(assignedAfter(once, { ...some, outside: { ...some.outside, open: 80 } }, 30)).toBe(520)
  })

  it('keeps to the daily backlog, and lets those who wait come first', () => {
    const slow = campaign({ intake: { backlog: '10 per day' } })
    const waiting = people({ opened: 10, backlog: 100, eligible: 100_000, inflow: 2 })
    expect(assignedAfter(slow, waiting, 5)).toBe(60)
    // From day 13 on, nobody waits any more.
    expect(assignedAfter(slow, waiting, 30)).toBe(10 + 100 + 60)
  })

  it('only grows', () => {
    const counts = fc.record({
      opened: fc.nat(1000),
      backlog: fc.nat(1000),
      eligible: fc.nat(5000),
      inflow: fc.nat(50),
      open: fc.nat(500),
    })
    fc.assert(
      fc.property(counts, fc.nat(400), fc.nat(400), (some, from, more) => {
        const one = campaign({ reentry: { wait: '5d' }, intake: { backlog: '20 per day' } })
        const [before, after] = [
          assignedAfter(one, people(some), from),
          assignedAfter(one, people(some), from + more),
        ]
        expect(after).toBeGreaterThanOrEqual(before)
      }),
    )
  })
})

describe('what can be shown', () => {
  it('names the day on which enough people are assigned and observed', () => {
    const flowing = people({ opened: 0, eligible: 1_000_000, inflow: 100 })
    const found = whenShowable(campaign(), flowing, natural, half)
    // (1.96 + 0.84)² / 0.02² × 0.1 × 0.9 × 4 = 7,064 people at 100 a day, and 30 days of window.
    expect(found).toMatchObject({ difference: 0.02, afterDays: 71 + 30, assigned: 7064, why: null })
    // (3.10·√(0.11·0.89·4) + 0.84·√((0.12·0.88 + 0.1·0.9)·2))² / 0.02² for the verdict, that holds at every look.
    expect(found.verdict).toEqual({ afterDays: 152 + 30, assigned: 15_191 })
    const few = people({ opened: 0, eligible: 8000, inflow: 100 })
    const once = whenShowable(campaign({ reentry: { sunset: '1 episodes' } }), few, natural, half)
    expect(once).toMatchObject({ afterDays: 71 + 30, verdict: { afterDays: null, assigned: 15_191 } })
  })

  it('counts as held out whom the campaign holds out alone: nobody is compared with the control group', () => {
    // 5 % control, and of the others 10 % held out: 85.5 % and 9.5 % of all.
    const heldOut = (episode: number) => [{ tier: 'only', episode, withTierDraws: episode }]
    const withControl = heldOut(1 - 0.95 * 0.9)
    const tenth = campaign({ holdout: '10%' })
    const now = people({ opened: 10_000, eligible: 1e6, inflow: 1e4 })
    // 2.80·√(0.1·0.9·(1/8,550 + 1/950))
    expect(detectableEffects(tenth, now, natural, withControl)[0]?.difference).toBeCloseTo(0.02874, 5)
    // (1.96 + 0.84)² / 0.02² × 0.1 × 0.9 × (1/0.9 + 1/0.1) = 19,623 of the 95 % who are compared.
    const found = whenShowable(tenth, now, natural, withControl)
    expect(found).toMatchObject({ assigned: Math.ceil(19_623 / 0.95) })
    const without = whenShowable(tenth, now, natural, heldOut(0.1))
    expect(found.verdict?.assigned).toBe(Math.ceil((without.verdict?.assigned ?? 0) / 0.95))
  })

  it('says that it cannot be, and why', () => {
    const why = (some: Parameters<typeof people>[0], shares = half, holdout = '50%') =>
      whenShowable(campaign({ reentry: { sunset: '1 episodes' }, holdout }), people(some), natural, shares)
    expect(why({ opened: 10, eligible: 200, inflow: 5 })).toMatchObject({ afterDays: null, why: 'too_few' })
    expect(why({ eligible: 0, inflow: 0 })).toMatchObject({ afterDays: null, why: 'nobody' })
    const none = [{ tier: 'only', episode: 0, withTierDraws: 0 }]
    expect(why({ eligible: 1e6, inflow: 1e4 }, none, '0%')).toMatchObject({
      afterDays: null,
      why: 'nobody_held_out',
    })
  })

  it('names no effect that is larger than any could be', () => {
    const third = { contacts: 1000, recalled: 337 }
    // 2.80·√(0.337·0.663·(1/4 + 1/4)) = 0.94, where a rate of 33.7 % can rise by 66.3 points and no more.
    const few = people({ opened: 8, eligible: 8, inflow: 0 })
    expect(detectableEffects(campaign(), few, third, half)[0]).toMatchObject({
      assigned: 8,
      difference: null,
      why: 'nobody',
    })
    const more = people({ opened: 20, eligible: 20, inflow: 0 })
    expect(detectableEffects(campaign(), more, third, half)[0]?.difference).toBeCloseTo(0.5922, 3)
  })

  it('does not blame the holdout for an empty audience', () => {
    const effects = detectableEffects(campaign(), people({ eligible: 0, inflow: 0 }), natural, half)
    expect(effects.map(({ why }) => why)).toEqual(['nobody', 'nobody', 'nobody'])
    const none = [{ tier: 'only', episode: 0, withTierDraws: 0 }]
    const alone = people({ opened: 9, eligible: 9, inflow: 0 })
    const unheld = detectableEffects(campaign({ holdout: '0%' }), alone, natural, none)
    expect(unheld[0]).toMatchObject({ difference: null, why: 'nobody_held_out' })
  })
})

describe('a step that compares variants', () => {
  const terms = offer.parse({ kind: 'coupon', amount: '10 CNY', valid: '7d', expected_redemption: '10%' })
  const step = { id: 'one', channels: ['email'] } as unknown as CompiledStep
  const gift = { ...step, offer: { name: 'gift', terms } }
  const outlook = { tier: 'only', step: 'one', contacts: 1000, messages: 800, condition: 0, unknown: 0 }
  const audience = { ...people({ opened: 1000, eligible: 1000, inflow: 0 }), steps: [outlook] }
  const comparing = (variants: CompiledStep['variants'], ...more: CompiledStep[]) => {
    const base = campaign()
    const [tier] = base.tiers
    const steps = [{ ...step, ...(variants ? { variants } : {}) }, ...more]
    return { ...base, tiers: tier ? [{ ...tier, steps }] : [] }
  }
  const plain = { name: 'plain', share: 0.7, step }
  const variants = [plain, { name: 'gift', share: 0.3, step: gift }]
  const none = [{ tier: 'only', episode: 0, withTierDraws: 0 }]
  type Audience = Parameters<typeof expectedCost>[1]
  const liability = (of: CompiledCampaign) =>
    expectedCost(of, audience as unknown as Audience, none, () => 0).liability

  it('splits its messages by their shares', () => {
    expect(splitByVariant(comparing(variants), audience as unknown as Audience)).toEqual([
      {
        tier: 'only',
        step: 'one',
        variants: [
          { name: 'plain', share: 0.7, messages: 560 },
          { name: 'gift', share: 0.3, messages: 240 },
        ],
      },
    ])
    expect(splitByVariant(comparing(undefined), audience as unknown as Audience)).toEqual([])
  })

  it('names the difference that its variants can show, the stricter the more there are, and later tiers with it', () => {
    const told = (of: CompiledCampaign, shares = none) =>
      detectableBetween(of, audience as unknown as Parameters<typeof detectableBetween>[1], natural, shares)
    const [two] = told(comparing(variants))
    // (1.96 + 0.84) × √(0.1 × 0.9 × (1/300 + 1/700)); of two comparisons Holm's first has 2.24 for 1.96.
    expect(two?.detectable[0]).toMatchObject({ afterDays: 30, assigned: 1000 })
    expect(two?.detectable[0]?.difference).toBeCloseTo(0.058, 3)
    const third = { name: 'c', share: 0.3, step }
    const [three] = told(comparing([{ ...plain, share: 0.4 }, { name: 'b', share: 0.3, step }, third]))
    expect(three?.detectable[0]?.difference).toBeCloseTo(
      (2.2414 + 0.8416) * 0.3 * Math.sqrt(1 / 400 + 1 / 300),
      3,
    )
    expect(told(comparing(undefined))).toEqual([])
    const held = [{ tier: 'only', episode: 0.5, withTierDraws: 0.5 }]
    expect(told(comparing(variants), held)[0]?.detectable[0]?.assigned).toBe(500)
    const [tier] = comparing(variants).tiers
    const later = {
      ...comparing(undefined),
      tiers: tier
        ? [
            { ...tier, steps: [] },
            { ...tier, no: 2, name: 'later' },
          ]
        : [],
    }
    expect(told(later)).toMatchObject([{ tier: 'later', detectable: [{ assigned: 1000 }, {}, {}] }])
    // Whom an earlier tier holds out, no later one writes to: of a thousand who come through both, four tenths.
    const drawing = {
      ...later,
      tiers: later.tiers.map((each) => ({ ...each, holdout: each.no === 1 ? 0.5 : 0.2 })),
    }
    const drawn = [
      { tier: 'only', episode: 0, withTierDraws: 0.5 },
      { tier: 'later', episode: 0, withTierDraws: 0.2 },
    ]
    expect(told(drawing, drawn)).toMatchObject([{ tier: 'later', detectable: [{ assigned: 400 }, {}, {}] }])
  })

  it('promises what its variants do, and nobody the same offer twice', () => {
    // 1,000 people, 80 % of them reached, 10 CNY redeemed by one in ten.
    expect(liability(comparing(variants))).toBe(240_000_000)
    expect(liability(comparing([plain, { name: 'b', share: 0.3, step }]))).toBe(0)
    const later = { ...gift, id: 'two' }
    // Whom a variant did not reach or did not promise it, the step after may, whose reach nobody knows.
    expect(liability(comparing(variants, later))).toBe(1_000_000_000)
    const grants = (of: CompiledCampaign) => expectedGrants(of, audience as unknown as Audience, none)
    const [, given] = variants
    const name = given?.step.offer?.name ?? ''
    expect(grants(comparing(variants))).toEqual(new Map([[name, 240]]))
    expect(grants(comparing([plain, { name: 'b', share: 0.3, step }]))).toEqual(new Map())
    expect(grants(comparing(variants, later))).toEqual(new Map([[name, 1000]]))
  })

  it('promises what steps give that write to others, and once what they give to the same', () => {
    const given = (...steps: { channels: string[]; messages: number; condition: number }[]) => {
      const ids = steps.map((_, at) => `step ${at}`)
      const outlooks = steps.map((each, at) => ({ ...outlook, ...each, step: ids[at] }))
      const giving = steps.map(({ channels }, at) => ({ ...gift, channels, id: ids[at] ?? '' }))
      const base = campaign()
      const tiers = base.tiers.map((tier) => ({ ...tier, steps: giving }))
      const counted = { ...audience, steps: outlooks } as unknown as Audience
      const grants = expectedGrants({ ...base, tiers }, counted, none)
      expect(expectedCost({ ...base, tiers }, counted, none, () => 0).liability).toBe(
        (grants.get('gift') ?? 0) * 1_000_000,
      )
      return grants.get('gift')
    }
    const mail = { channels: ['email'], messages: 800, condition: 0 }
    // To one segment and to another, as at-risk does.
    expect(
      given({ ...mail, messages: 200, condition: 600 }, { ...mail, messages: 100, condition: 700 }),
    ).toBe(300)
    // Twice to everybody who has an address, and nobody else has one by that.
    expect(given(mail, mail, mail)).toBe(800)
    // To nobody yet, and to whom a second way reaches.
    expect(given({ channels: ['sms'], messages: 0, condition: 0 }, mail)).toBe(800)
    expect(given({ channels: ['sms'], messages: 100, condition: 0 }, mail)).toBe(900)
    expect(given({ channels: ['sms'], messages: 500, condition: 0 }, mail)).toBe(1000)
  })
})

it('says beside the ladder what returns release: to everybody contacted at most, each offer once', () => {
  const terms = offer.parse({ kind: 'coupon', amount: '2 CNY', valid: '30d', expected_redemption: '50%' })
  const base = campaign()
  const [tier] = base.tiers
  if (!tier) throw new Error('a tier')
  const welcome = { id: 'welcome', channels: ['inapp', 'sms'], offer: { name: 'gift', terms } }
  const again = { id: 'again', channels: ['inapp'], offer: { name: 'gift', terms } }
  const giving = {
    ...base,
    tiers: [{ ...tier, holdout: 0.2, steps: [] }],
    onReturn: [welcome, again] as unknown as CompiledStep[],
  }
  const audience = { ...people({ opened: 1000, eligible: 1000, inflow: 0 }), steps: [] }
  const cost = expectedCost(
    giving,
    audience as unknown as Parameters<typeof expectedCost>[1],
    [{ tier: 'only', episode: 0.1, withTierDraws: 0.28 }],
    (channel) => (channel === 'sms' ? 50_000 : 0),
  )
  // 1,000 less those held out by the campaign, and by the tier: 720 of 2 at one in two, and of a text.
  expect(cost).toEqual({ spend: 0, liability: 0, released: 720 * 1_050_000 })
})
