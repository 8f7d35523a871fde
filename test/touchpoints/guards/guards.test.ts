import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import type { ContactView } from '../../../src/channels/channel.ts'
import type { CompiledStep, StepTemplate } from '../../../src/config/compiled.ts'
import type { Candidate } from '../../../src/touchpoints/gather.ts'
import {
  deferOrSkip,
  type GuardContext,
  judge,
  judgeAll,
  type StepChannel,
} from '../../../src/touchpoints/guards/guards.ts'
import { quoted, readPage, tableUnder } from '../../docs/pages.ts'
import { plainCandidate } from '../../support/candidate.ts'

const NOW = new Date('2026-03-02T10:00:00Z')
const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1000)

const needing = (name: string, ...paths: string[]): StepTemplate => ({
  name,
  facts: paths.map((path) => ({ path, optional: false, sql: () => sql`NULL` })),
})

const plain = plainCandidate({ plannedFor: NOW })

const step: CompiledStep = {
  stepId: 1,
  tierNo: 1,
  tier: 'coupon',
  stepNo: 1,
  id: 'remind',
  channels: ['email'],
  after: 0,
  condition: { source: 'orders.count > 1', sql: () => sql`true` },
  templates: new Map([['everyone', needing('hello')]]),
  otherwise: undefined,
  offer: undefined,
}

function channel(name: string, kind: StepChannel['kind'], also: Partial<StepChannel> = {}): StepChannel {
  const reaches = (contact: ContactView) => kind === 'none' || kind === 'device' || contact[kind] !== null
  return {
    name,
    kind,
    paused: false,
    needsConsent: false,
    reaches,
    window: undefined,
    margin: 1,
    opening: () => undefined,
    ...also,
  }
}
const email = channel('email', 'email')
const sms = channel('sms', 'phone')
const shut = (until: Date): Partial<StepChannel> => ({
  window: { from: 540, to: 1260, workdays: false },
  opening: () => until,
})

function verdict(candidate: Partial<Candidate>, also: Partial<GuardContext> & { step?: CompiledStep } = {}) {
  const whole = { ...plain, ...candidate }
  const contact: ContactView = { ...whole, locale: 'en', timezone: 'UTC' }
  const context = { now: NOW, step, topic: undefined, channels: [email], maxDelay: 7200, spread: 0, ...also }
  const said = judge(whole, contact, context)
  switch (said.kind) {
    case 'send':
      return `send ${said.channel} ${said.template?.name ?? ''}`.trim()
    case 'defer':
      return `defer ${said.cause} ${said.until.toISOString()}`
    case 'skip':
      return `skip ${said.reason}${said.detail === null ? '' : `: ${said.detail}`}`
    case 'cancel':
      return `cancel ${said.reason}`
  }
}

describe('guards', () => {
  it('let through what nothing speaks against', () => {
    expect(verdict({})).toBe('send email hello')
  })

  it('each say their own reason', () => {
    expect(verdict({ silencedBy: 'returned' })).toBe('cancel returned')
    expect(verdict({ silencedBy: 'stopped' })).toBe('cancel stopped')
    expect(verdict({ silencedBy: 'contaminated' })).toBe('cancel contaminated')
    expect(verdict({ silencedBy: 'merged' })).toBe('cancel merged')
    expect(verdict({ over: true })).toBe('cancel expired')
    expect(verdict({ active: true })).toBe('cancel returned')
    expect(verdict({ superseded: true })).toBe('cancel superseded')
    expect(verdict({ silencedBy: 'erased' })).toBe('skip erased')
    expect(verdict({ suppressed: { email: 'complaint', phone: null } })).toBe('skip suppressed: complaint')
    expect(verdict({ email: null })).toBe('skip no_address')
    expect(verdict({ condition: false })).toBe('skip condition')
    expect(verdict({ condition: null })).toBe('skip missing_data: unknown: orders.count > 1')
    expect(verdict({ plannedFor: later(-7201) })).toBe('skip too_late')
    expect(verdict({ plannedFor: later(-7200) })).toBe('send email hello')
  })

  it('count what a batch has let through against the frequency a person chose', () => {
    const choice = { channelsOff: [], topicsOff: [], pausedUntil: null, atMost: 2, withinDays: 7, lately: 1 }
    const batch: Candidate[] = [
      { ...plain, touchpointId: 1, choice, email: null },
      { ...plain, touchpointId: 2, choice },
      { ...plain, touchpointId: 3, choice },
      { ...plain, touchpointId: 4, personId: 2, choice },
      { ...plain, touchpointId: 5, personId: 2 },
    ]
    const context = { now: NOW, step, topic: undefined, channels: [email], maxDelay: 7200, spread: 0 }
    const judged = judgeAll(batch, (each) => ({ ...each, locale: 'en', timezone: 'UTC' }), context)
    expect(judged.map(({ candidate, verdict: said }) => [candidate.touchpointId, said])).toMatchObject([
      [1, { kind: 'skip', reason: 'no_address' }],
      [2, { kind: 'send' }],
      [3, { kind: 'skip', reason: 'opted_out', detail: 'at most 2 in 7 days' }],
      [4, { kind: 'send' }],
      [5, { kind: 'send' }],
    ])
  })

  it('record the first that applies, in the order docs/domain.md says', () => {
    // Everything is wrong at once; each line mends what the line before said.
    const own = {
      channelsOff: ['email'],
      topicsOff: [],
      pausedUntil: null,
      atMost: null,
      withinDays: null,
      lately: null,
    }
    const wrong: [Partial<Candidate>, string, StepChannel[]?][] = [
      [{ silencedBy: 'contaminated' }, 'cancel contaminated'],
      [{ silencedBy: 'merged' }, 'cancel merged'],
      [{ silencedBy: 'stopped' }, 'cancel stopped'],
      [{ silencedBy: null, over: true }, 'cancel expired'],
      [{ over: false, active: true }, 'cancel returned'],
      [{ active: false, moved: true }, 'cancel moved'],
      [{ moved: false, superseded: true }, 'cancel superseded'],
      [{ superseded: false, silencedBy: 'erased' }, 'skip erased', []],
      [{ silencedBy: null }, 'skip no_channel', []],
      [{ suppressed: { email: 'manual', phone: null } }, 'skip suppressed: manual'],
      [{ suppressed: { email: null, phone: null } }, 'skip no_consent: email: withdrawn'],
      [{ consent: {}, choice: own }, 'skip opted_out: channel email'],
      [{ choice: null, email: null }, 'skip no_address'],
      [{ email: 'u1@example.com', condition: false }, 'skip condition'],
      [{ condition: null }, 'skip missing_data: unknown: orders.count > 1'],
      [{ condition: true, effortLeft: 0 }, 'skip effort'],
      [{ effortLeft: null, facts: {} }, 'skip missing_data: contact.name'],
      [{ facts: { 'contact.name': 'Li' }, stale: ['contact.name'] }, 'skip stale_data: contact.name'],
    ]
    const there = [{ ...email, paused: true, ...shut(later(60)) }]
    const open = [{ ...email, paused: true }]
    const needs = { ...step, templates: new Map([['everyone', needing('hello', 'contact.name')]]) }
    const recorded: string[] = []
    const expectSaid = (said: string, expected: string) => {
      expect(said).toBe(expected)
      recorded.push(expected.split(/[ :]+/)[1] ?? '')
    }
    let candidate: Partial<Candidate> = {
      ...{ plannedFor: later(-7201), over: true, active: true, moved: true, superseded: true },
      ...{ suppressed: { email: 'manual', phone: null }, consent: { email: 'withdrawn' }, choice: own },
      ...{ condition: false, effortLeft: 0, stale: ['contact.name'] },
    }
    for (const [change, expected, channels = there] of wrong) {
      candidate = { ...candidate, ...change }
      expectSaid(verdict(candidate, { step: needs, channels }), expected)
    }
    candidate = { ...candidate, stale: [], plannedFor: NOW }
    const shortly = '2026-03-02T10:01:00.000Z'
    expectSaid(verdict(candidate, { step: needs, channels: there }), `defer quiet_hours ${shortly}`)
    candidate = { ...candidate, plannedFor: later(-7201) }
    expect(verdict(candidate, { step: needs, channels: there })).toBe(
      `skip too_late: quiet_hours until ${shortly}`,
    )
    expectSaid(verdict(candidate, { step: needs, channels: open }), 'skip too_late')
    candidate = { ...candidate, plannedFor: NOW }
    expectSaid(verdict(candidate, { step: needs, channels: open }), 'defer paused 2026-03-02T10:05:00.000Z')
    // As docs/operations.md says: the next of the step's channels does not stand in for it.
    expect(verdict({ ...candidate, phone: '+15550001111' }, { step: needs, channels: [...open, sms] })).toBe(
      'defer paused 2026-03-02T10:05:00.000Z',
    )
    expect(verdict(candidate, { step: needs })).toBe('send email hello')

    const told = tableUnder(readPage('docs/domain.md'), '## Guards').flatMap(([reasons = '']) =>
      quoted(reasons),
    )
    const taken = ['capacity', 'frequency_cap', 'offer_unavailable', 'budget_exhausted']
    expect(told).toEqual([...recorded, ...taken])
  })

  it('take the first channel with an address that is not suppressed', () => {
    const channels = [email, sms]
    expect(verdict({}, { channels })).toBe('send email hello')
    expect(verdict({ email: null }, { channels })).toBe('send sms hello')
    expect(verdict({ suppressed: { email: 'manual', phone: null } }, { channels })).toBe('send sms hello')
    expect(verdict({ suppressed: { email: 'manual', phone: 'complaint' } }, { channels })).toBe(
      'skip suppressed: manual',
    )
    expect(verdict({ email: null, suppressed: { email: null, phone: 'complaint' } }, { channels })).toBe(
      'skip suppressed: complaint',
    )
    expect(verdict({ email: null, phone: null }, { channels })).toBe('skip no_address')
    // Of channels that are not set up, there is nothing to say about the contact's addresses.
    expect(verdict({ email: null, phone: null }, { channels: [] })).toBe('skip no_channel')
    expect(verdict({}, { channels: [] })).toBe('skip no_channel')
    expect(verdict({ email: null, phone: null }, { channels: [email, channel('log', 'none')] })).toBe(
      'send log hello',
    )
  })

  it('choose the template of the segment, and the neutral one where a fact is missing or stale', () => {
    const vip = needing('vip', 'orders.total')
    const common = needing('hello', 'contact.name')
    const both = { ...step, templates: new Map([['high_value', vip]]).set('everyone', common) }
    const softly = { ...both, otherwise: needing('neutral') }
    const facts = { 'contact.name': 'Li', 'orders.total': 12 }
    const high = { segment: 'high_value' }
    expect(verdict({ ...high, facts }, { step: both })).toBe('send email vip')
    expect(verdict({ facts }, { step: both })).toBe('send email hello')
    expect(verdict({ ...high, facts: { 'contact.name': 'Li' } }, { step: both })).toBe(
      'skip missing_data: orders.total',
    )
    expect(verdict({ ...high, facts, stale: ['orders.total'] }, { step: softly })).toBe('send email neutral')
    // Stale where this template does not look is nobody's business.
    expect(verdict({ facts, stale: ['orders.total'] }, { step: softly })).toBe('send email hello')
    for (const empty of [undefined, null, '']) {
      expect(verdict({ facts: { 'contact.name': empty } }, { step: both })).toBe(
        'skip missing_data: contact.name',
      )
    }
    expect(verdict({ facts: { 'contact.name': 0 } }, { step: both })).toBe('send email hello')
    const hopeless = { ...both, otherwise: needing('neutral', 'contact.city') }
    expect(verdict({}, { step: hopeless })).toBe('skip missing_data: contact.name')
  })

  it('put off to the opening of the window, or skip at once what that would make too late', () => {
    expect(verdict({}, { channels: [{ ...email, ...shut(later(7200)) }] })).toBe(
      'defer quiet_hours 2026-03-02T12:00:00.000Z',
    )
    expect(verdict({}, { channels: [{ ...email, ...shut(later(7201)) }] })).toBe(
      'skip too_late: quiet_hours until 2026-03-02T12:00:01.000Z',
    )
    expect(deferOrSkip(later(60), later(60).getTime(), 'paused')).toMatchObject({ kind: 'defer' })
    expect(deferOrSkip(later(60), later(59).getTime(), 'paused')).toMatchObject({ kind: 'skip' })
  })

  it('give seeds everything that can be sent at all', () => {
    const seed = { seed: true, active: true, superseded: true, condition: false }
    expect(verdict(seed)).toBe('send email hello')
    expect(verdict({ ...seed, condition: null })).toBe('send email hello')
    expect(verdict({ ...seed, silencedBy: 'stopped' })).toBe('cancel stopped')
    expect(verdict({ ...seed, over: true })).toBe('cancel expired')
    expect(verdict({ ...seed, suppressed: { email: 'manual', phone: null } })).toBe('skip suppressed: manual')
    expect(
      verdict(seed, { step: { ...step, templates: new Map([['everyone', needing('hello', 'a.b')]]) } }),
    ).toBe('skip missing_data: a.b')
  })
})
