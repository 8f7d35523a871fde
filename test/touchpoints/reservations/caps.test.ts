import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Applicant,
  type Cap,
  decideCaps,
  type Message,
  windowOf,
} from '../../../src/touchpoints/reservations/caps.ts'

const NOW = new Date('2026-03-04T10:00:00Z')
const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1000)
const LIMITS = { now: NOW, maxDelay: 2 * 86_400 }

const applicant: Applicant = {
  personId: 1,
  touchpointId: 10,
  channel: 'email',
  topic: undefined,
  priority: 50,
  plannedFor: NOW,
  zone: 'UTC',
}
const message = (changes: Partial<Message>): Message => ({
  personId: 1,
  touchpointId: 1,
  state: 'sent',
  at: later(-3600),
  channels: ['email'],
  topic: null,
  priority: 50,
  plannedFor: NOW,
  ...changes,
})
const daily: Cap = { at_most: { count: 1, per: 'day' }, then: 'defer' }
const weekly: Cap = { at_most: { count: 2, per: 'week' }, then: 'skip' }

function said(caps: readonly Cap[], messages: readonly Message[], changes: Partial<Applicant> = {}) {
  const one = { ...applicant, ...changes }
  const decision = decideCaps(caps, [one], messages, LIMITS).get(one.touchpointId)
  if (decision === undefined || decision === 'admit') return decision
  const { verdict } = decision
  return verdict.kind === 'defer'
    ? `defer ${verdict.until.toISOString()}`
    : `${verdict.kind} ${JSON.stringify(verdict)}`
}

describe('a cap', () => {
  it('counts what was sent in the local day, and puts off to the next', () => {
    expect(said([daily], [])).toBe('admit')
    expect(said([daily], [message({})])).toBe('defer 2026-03-05T00:00:00.000Z')
    expect(said([daily], [message({ at: new Date('2026-03-03T23:59:59Z') })])).toBe('admit')
    // In Shanghai it is 18:00, and the day began at 16:00 UTC yesterday.
    const shanghai = { zone: 'Asia/Shanghai' }
    expect(said([daily], [message({ at: new Date('2026-03-03T16:00:00Z') })], shanghai)).toBe(
      'defer 2026-03-04T16:00:00.000Z',
    )
    expect(said([daily], [message({ at: new Date('2026-03-03T15:59:59Z') })], shanghai)).toBe('admit')
  })

  it('counts weeks from Monday, and skips where it says so', () => {
    const monday = new Date('2026-03-02T00:00:00Z')
    expect(said([weekly], [message({ at: monday }), message({ touchpointId: 2 })])).toContain(
      '"reason":"frequency_cap","detail":"2 per week"',
    )
    const sunday = new Date(monday.getTime() - 1)
    expect(said([weekly], [message({ at: sunday }), message({ touchpointId: 2 })])).toBe('admit')
  })

  it('counts spans to the second, and says when enough has left them', () => {
    const cap: Cap = { at_most: { count: 1, per: 3600 }, then: 'defer' }
    expect(said([cap], [message({ at: later(-3599) })])).toBe(`defer ${later(1).toISOString()}`)
    expect(said([cap], [message({ at: later(-3600) })])).toBe('admit')
  })

  it('counts what is under way in every window', () => {
    const open = message({ state: 'open', at: null })
    expect(said([daily], [open])).toMatch(/^defer/)
    expect(said([daily], [message({ state: 'due', at: null, priority: 10 })])).toBe('admit')
  })

  it('looks at its own channel and topic, or at all', () => {
    const sms: Cap = { ...daily, channel: 'sms' }
    expect(said([sms], [message({ channels: ['sms'] })])).toBe('admit')
    expect(said([{ ...daily, channel: 'email' }], [message({ channels: ['sms'] })])).toBe('admit')
    expect(said([{ ...daily, channel: 'email' }], [message({})])).toMatch(/^defer/)
    const news: Cap = { ...daily, topic: 'news' }
    expect(said([news], [message({ topic: 'news' })])).toBe('admit')
    expect(said([news], [message({ topic: 'news' })], { topic: 'news' })).toMatch(/^defer/)
    expect(said([news], [message({})], { topic: 'news' })).toBe('admit')
  })

  it('lets what ranks higher go first, and looks again soon', () => {
    const due = (changes: Partial<Message>) =>
      message({ state: 'due', at: null, touchpointId: 99, ...changes })
    const soon = `defer ${later(300).toISOString()}`
    expect(said([daily], [due({ priority: 60 })])).toBe(soon)
    expect(said([daily], [due({ plannedFor: later(-60) })])).toBe(soon)
    expect(said([daily], [due({ plannedFor: later(60) })])).toBe('admit')
    expect(said([weekly], [due({ priority: 60 })])).toBe('admit')
    expect(said([{ ...daily, channel: 'email' }], [due({ priority: 60, channels: ['sms'] })])).toBe('admit')
  })

  it('is over the clock, where it would be too late', () => {
    const plannedFor = later(-2 * 86_400 + 60)
    expect(said([daily], [message({})], { plannedFor })).toContain('"reason":"frequency_cap"')
  })
})

describe('windows', () => {
  it('are whole local days and weeks in every zone there is, across both clock changes', () => {
    const zones = Intl.supportedValuesOf('timeZone')
    for (const zone of zones) {
      const day = new Intl.DateTimeFormat('en-CA', { timeZone: zone, dateStyle: 'short' })
      for (const noon of ['2026-03-29T12:30:00Z', '2026-10-25T01:30:00Z', '2026-11-01T06:30:00Z']) {
        const now = new Date(noon)
        const { from, next } = windowOf({ count: 1, per: 'day' }, zone, now)
        expect(from <= now && now < next, zone).toBe(true)
        expect(day.format(from), zone).toBe(day.format(now))
        expect(day.format(new Date(next.getTime() - 1)), zone).toBe(day.format(now))
        expect(day.format(new Date(from.getTime() - 1)), zone).not.toBe(day.format(now))
        expect(day.format(next), zone).not.toBe(day.format(now))
        const week = windowOf({ count: 1, per: 'week' }, zone, now)
        expect(week.from <= from && next <= week.next, zone).toBe(true)
      }
    }
  })
})

it('never lets more through than a cap allows, whoever asks in whatever order', () => {
  const person = fc.integer({ min: 1, max: 3 })
  const channel = fc.constantFrom('email', 'sms')
  const caps = fc.array(
    fc.record({
      at_most: fc.record({
        count: fc.integer({ min: 1, max: 3 }),
        per: fc.constantFrom('day' as const, 'week' as const, 7200),
      }),
      // Defaults are absent keys.
      channel: fc.option(channel, { nil: undefined }),
      then: fc.constantFrom('defer' as const, 'skip' as const),
    }),
    { minLength: 1, maxLength: 3 },
  )
  const applicants = fc.array(
    fc.record({
      personId: person,
      channel,
      priority: fc.integer({ min: 0, max: 2 }),
      planned: fc.integer({ min: -600, max: 0 }),
    }),
    { maxLength: 12 },
  )
  const sent = fc.array(
    fc.record({ personId: person, channel, ago: fc.integer({ min: 0, max: 9 * 86_400 }) }),
    {
      maxLength: 8,
    },
  )
  fc.assert(
    fc.property(caps, applicants, sent, (rawCaps, asking, past) => {
      const wanted = asking.map(({ planned, ...rest }, index) => ({
        ...applicant,
        ...rest,
        touchpointId: 100 + index,
        plannedFor: later(planned),
      }))
      const messages = past.map(({ personId, channel: on, ago }, index) =>
        message({ personId, channels: [on], at: later(-ago), touchpointId: index }),
      )
      const decisions = decideCaps(rawCaps as Cap[], wanted, messages, LIMITS)
      const admitted = wanted.filter(({ touchpointId }) => decisions.get(touchpointId) === 'admit')
      for (const cap of rawCaps) {
        const { from } = windowOf(cap.at_most, 'UTC', NOW)
        for (const personId of [1, 2, 3]) {
          const before = messages.filter(
            (one) =>
              one.personId === personId &&
              (one.at ?? NOW) >= from &&
              one.channels.includes(cap.channel ?? one.channels[0] ?? ''),
          ).length
          const now = admitted.filter(
            (one) => one.personId === personId && one.channel === (cap.channel ?? one.channel),
          ).length
          expect(now === 0 || before + now <= cap.at_most.count).toBe(true)
        }
      }
    }),
  )
})

it('holds nobody back who has no more messages, in whatever state, than the smallest cap allows (property)', () => {
  const cap = fc.record({
    at_most: fc.record({
      count: fc.integer({ min: 0, max: 4 }),
      per: fc.constantFrom('day' as const, 'week' as const, 7200),
    }),
    channel: fc.option(fc.constantFrom('email', 'sms'), { nil: undefined }),
    then: fc.constantFrom('defer' as const, 'skip' as const),
  })
  const other = fc.record({
    state: fc.constantFrom('sent' as const, 'open' as const, 'due' as const),
    channels: fc.constantFrom(['email'], ['sms'], ['email', 'sms']),
    priority: fc.integer({ min: 0, max: 100 }),
    ago: fc.integer({ min: 0, max: 8 * 86_400 }),
  })
  fc.assert(
    fc.property(
      fc.array(cap, { minLength: 1, maxLength: 3 }),
      fc.array(fc.constantFrom('email', 'sms'), { minLength: 1, maxLength: 4 }),
      fc.array(other, { maxLength: 4 }),
      (caps, asking, others) => {
        const fewest = Math.min(...caps.map(({ at_most: most }) => most.count))
        fc.pre(asking.length + others.length <= fewest)
        const wanted = asking.map((channel, index) => ({ ...applicant, channel, touchpointId: 100 + index }))
        const own = wanted.map(({ touchpointId, channel }) =>
          message({ touchpointId, channels: [channel], state: 'due', at: null }),
        )
        const known = others.map(({ state, ago, ...rest }, index) =>
          message({ ...rest, state, touchpointId: index, at: state === 'sent' ? later(-ago) : null }),
        )
        const decisions = decideCaps(caps as Cap[], wanted, [...own, ...known], LIMITS)
        expect([...decisions.values()]).toEqual(wanted.map(() => 'admit'))
        // Which is why they are not even read.
        expect(decideCaps(caps as Cap[], wanted, [], LIMITS)).toEqual(decisions)
      },
    ),
  )
})
