import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import type { Channel, ChannelModule, ContactView } from '../../src/channels/channel.ts'
import { lintOutside, openOutside } from '../../src/channels/guarded.ts'

// Channels from outside that do what no compiler would have let them: each defect stays with the message it befalls.

const li: ContactView = {
  contactId: 1,
  externalId: 'c-1',
  email: null,
  phone: '+8613800000000',
  locale: 'en',
  timezone: 'Asia/Shanghai',
}
const message = { contactId: 1, touchpointId: 2, address: li.phone, content: 'Hello', key: 'tp-2' }
const webhook = { url: '', provider: undefined, headers: {}, body: new Uint8Array(), now: new Date(0) }

const fine: Channel = {
  name: 'relay',
  idempotent: false,
  concurrency: 2,
  deadline: 1_000,
  addressOf: (contact) => contact.phone,
  render: () => 'Hello',
  cost: () => 10,
  send: async ({ key }) => ({ outcome: 'sent', providerId: key }),
  check: async () => 'it is there',
  close: async () => {},
}

/** A module that opens a channel with some of it replaced, as JavaScript could write it. */
function moduleOf(odd: object, oddModule: object = {}): ChannelModule<unknown> {
  return {
    ...{ name: 'relay', idempotent: false, address: 'phone', renders: false, settings: z.unknown() },
    open: () => ({ ...fine, ...odd }),
    ...oddModule,
  } as ChannelModule<unknown>
}

function open(odd: object = {}): Channel {
  return openOutside('relay', { module: moduleOf(odd), settings: {} }, {})
}

describe('what it opens', () => {
  it.each<[string, object, string]>([
    ['no outcome in sight', { send: 'later' }, '`send` must be a function'],
    ['sends longer than any lease', { deadline: 90_000 }, '`deadline` must be 1 to 60000 milliseconds'],
    ['as many at a time as it likes', { concurrency: Infinity }, '`concurrency` must be a whole number'],
    ['none at a time', { concurrency: 0 }, '`concurrency` must be a whole number'],
    ['repeats recognised after all', { idempotent: true }, '`idempotent` must be false, as its module says'],
    ['another name', { name: 'email' }, '`name` must be `relay`'],
    ['disturbs nobody, it says', { fetched: 'yes' }, '`fetched` must be true or false'],
    ['receipts that are no function', { receipts: {} }, '`receipts` must be a function'],
    ['a greeting that is no function', { greet: 'hello' }, '`greet` must be a function'],
  ])('%s', (_, odd, wrong) => {
    expect(() => open(odd)).toThrow(wrong)
  })

  it('a promise, nothing at all, or an error', () => {
    const opening = (opened: () => unknown) => () =>
      openOutside('relay', { module: moduleOf({}, { open: opened }), settings: {} }, {})
    expect(opening(async () => fine)).toThrow('`open` gives it at once')
    expect(opening(() => undefined)).toThrow('it is no object')
    expect(
      opening(() => {
        throw new Error('the key is no key')
      }),
    ).toThrow('channels.relay: the key is no key')
  })

  it('is not let do what only Winback’s own channels may', () => {
    const opened = open({ inert: true, overflow: 'all' })
    expect(opened).not.toHaveProperty('inert')
    expect(opened).not.toHaveProperty('overflow')
  })

  it('may be an object of a class', async () => {
    class Relay {
      readonly concurrency = 1
      readonly deadline = 1_000
      readonly name = 'relay'
      readonly idempotent = false
      readonly said: string = 'by itself'
      addressOf = fine.addressOf
      render = fine.render
      cost = fine.cost
      close = fine.close
      send() {
        return Promise.resolve({ outcome: 'sent', detail: this.said })
      }
      check() {
        return Promise.resolve(this.said)
      }
      query() {
        return Promise.resolve({ outcome: this.said === '' ? 'sent' : 'absent' })
      }
    }
    const module = moduleOf({}, { open: () => new Relay() })
    const relay = openOutside('relay', { module, settings: {} }, {})
    await expect(relay.send(message)).resolves.toEqual({ outcome: 'sent', detail: 'by itself' })
    await expect(
      relay.query?.({ ...message, providerId: null, plannedFor: new Date(0), since: new Date(0) }),
    ).resolves.toEqual({
      outcome: 'absent',
    })
  })
})

describe('a send', () => {
  const cycle: Record<string, unknown> = {}
  cycle.self = cycle

  it.each<[string, () => unknown, string]>([
    ['says nothing', () => undefined, 'answered a send with undefined, which is no outcome'],
    ['says it in its own words', () => ({ outcome: 'ok' }), 'answered a send with {"outcome":"ok"}'],
    ['says what cannot be written down', () => cycle, 'which is no outcome'],
    [
      'wants Winback to keep it',
      () => ({ outcome: 'sent', keep: { kind: 'call' } }),
      'answered a send with `keep`',
    ],
    [
      'throws at once',
      () => {
        throw new Error('no socket')
      },
      'no socket',
    ],
    ['throws later', () => Promise.reject(new Error('no luck')), 'no luck'],
  ])('that %s is of unknown outcome', async (_, send, wrong) => {
    await expect(open({ send }).send(message)).rejects.toThrow(wrong)
  })

  it.each<[string, object, object]>([
    [
      'sent, with a number for an id and a price that is none',
      { outcome: 'sent', providerId: 7, cost: 0.5, dead: 'all' },
      { outcome: 'sent', providerId: '7' },
    ],
    ['rejected for a reason of its own', { outcome: 'rejected', reason: 'angry' }, { reason: 'refused' }],
    ['put off for ever', { outcome: 'retry', detail: '', after: Infinity }, { detail: 'no reason given' }],
    ['turned away', { outcome: 'retry', detail: '429', unsent: true }, { outcome: 'retry', unsent: true }],
    [
      'not reached',
      { outcome: 'retry', detail: 'ECONNREFUSED', unreached: true },
      { outcome: 'retry', unsent: true, unreached: true },
    ],
    ['not reached, perhaps', { outcome: 'retry', detail: '', unreached: 'yes' }, { outcome: 'retry' }],
    ['tokens that are none', { outcome: 'uncertain', detail: 'x', dead: [1, 'a', 'b\0'] }, { dead: ['a'] }],
  ])('is believed in its outcome: %s', async (_, said, taken) => {
    const delivery = await open({ send: async () => said }).send(message)
    expect(delivery).toMatchObject(taken)
    expect(delivery).not.toHaveProperty('after')
    expect(delivery).not.toHaveProperty('cost')
  })
})

describe('a channel that hangs', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })
  const never = () => new Promise<never>(() => {})

  it('is waited for two seconds beyond its deadline, and its send is of unknown outcome', async () => {
    const sending = open({ send: never }).send(message)
    const failed = expect(sending).rejects.toThrow('had not answered 3000 ms after it was asked to send')
    await vi.advanceTimersByTimeAsync(2_999)
    expect(vi.getTimerCount()).toBe(1)
    await vi.advanceTimersByTimeAsync(1)
    await failed
  })

  it('stops neither doctor nor the process', async () => {
    const opened = open({ check: never, close: never, query: never })
    const throws = () => {
      throw new Error('unforeseen')
    }
    await expect(open({ close: throws }).close()).resolves.toBeUndefined()
    const checked = expect(opened.check()).rejects.toThrow('had not answered')
    const asked = opened.query?.({
      ...message,
      providerId: null,
      plannedFor: new Date(0),
      since: new Date(0),
    })
    const closed = opened.close()
    await vi.advanceTimersByTimeAsync(30_000)
    await checked
    await expect(asked).resolves.toEqual({ outcome: 'unknown' })
    await expect(closed).resolves.toBeUndefined()
  })
})

describe('what it says of a contact and a message', () => {
  const broken = () => {
    throw new Error('unforeseen')
  }

  it('is no address where it is none', () => {
    expect(open().addressOf(li)).toBe(li.phone)
    for (const addressOf of [() => null, () => '', async () => '+86', broken]) {
      expect(open({ addressOf }).addressOf(li)).toBeUndefined()
    }
  })

  it('stops the one message where it cannot be used', () => {
    const render = (odd: object) => open(odd).render(undefined, {}, li)
    expect(() => render({ render: async () => 'Hello' })).toThrow('rendered a promise')
    for (const [cost, said] of [
      [0.5, '0.5'],
      [-1, '-1'],
      [Number.NaN, 'NaN'],
      ['1', '"1"'],
      [10n, '10'],
    ]) {
      expect(() => open({ cost: () => cost }).cost('Hello')).toThrow(`asks a price of ${said}`)
    }
  })

  it('are findings, whatever it finds wrong with a text', () => {
    const text = { name: 'hello', locale: 'en', file: 'hello.en.hbs', text: 'Hello', front: {} }
    const lint = (odd: object) => lintOutside({ module: moduleOf({}, odd), settings: {} }, text, 'Shop')
    expect(lint({})).toEqual([])
    expect(lint({ lint: () => ['is too long'] })).toEqual(['is too long'])
    expect(lint({ lint: broken })).toEqual(['cannot be looked at by the channel: unforeseen'])
    expect(lint({ lint: async () => [] })).toEqual([
      'cannot be looked at: the channel’s `lint` gives no list',
    ])
  })
})

describe('what it reads of its provider', () => {
  const event = { contactId: 1, touchpointId: 2, kind: 'delivered', eventId: 'e1', at: new Date(0) }
  const receiving = (said: unknown) => open({ receipts: () => said }).receipts?.(webhook)

  it('is taken as it is', async () => {
    const blocked = {
      ...event,
      kind: 'soft_bounce',
      installation: '0123abcd',
      detail: 'd',
      providerId: 'p',
      ours: true,
      cost: 1,
    }
    const said = { outcome: 'accepted', events: [event, blocked], replies: [] }
    await expect(receiving(said)).resolves.toEqual(said)
    const refused = { outcome: 'refused', status: 401, reason: 'not signed' }
    await expect(receiving(refused)).resolves.toEqual(refused)
  })

  it.each<[string, object, string]>([
    ['a time that is none', { events: [{ ...event, at: new Date('x') }] }, 'receipts.events.0.at'],
    [
      'an event without a message',
      { events: [{ ...event, touchpointId: Number.NaN }] },
      'events.0.touchpointId',
    ],
    ['an event of its own making', { events: [{ ...event, kind: 'loved' }] }, 'receipts.events.0.kind'],
    ['calls, which are those of callback', { calls: [] }, 'calls'],
  ])('is refused as a whole with %s', async (_, odd, wrong) => {
    const said = { outcome: 'accepted', events: [], replies: [], ...odd }
    await expect(receiving(said)).rejects.toThrow(wrong)
  })

  it('knows what is named at length by no more than an index takes, the same each time', async () => {
    const named = async (eventId: string) => {
      const reply = { from: '+86', text: 'STOP', optOut: true, eventId, at: new Date(0) }
      const taken = await receiving({
        outcome: 'accepted',
        events: [{ ...event, eventId }],
        replies: [reply],
      })
      if (taken?.outcome !== 'accepted') throw new Error('it was refused')
      const ids = [...taken.events, ...taken.replies].map((each) => each.eventId)
      expect(new Set(ids).size).toBe(1)
      return ids[0] ?? ''
    }
    expect(await named('short')).toBe('short')
    const long = 'x'.repeat(5000)
    expect((await named(long)).length).toBeLessThan(201)
    expect(await named(long)).toBe(await named(long))
    expect(await named(long)).not.toBe(await named(`${long}y`))
  })

  it('is greeted with a text, or refused', async () => {
    const greeting = (said: unknown) => open({ greet: async () => said }).greet?.(webhook)
    await expect(greeting({ outcome: 'accepted', answer: '123', more: 1 })).resolves.toEqual({
      outcome: 'accepted',
      answer: '123',
    })
    const refused = { outcome: 'refused', status: 401, reason: 'not ours' }
    await expect(greeting(refused)).resolves.toEqual(refused)
    await expect(greeting({ outcome: 'accepted', answer: 123 })).rejects.toThrow('greet.answer')
    expect(open()).not.toHaveProperty('greet')
  })

  it('is not known where its answer cannot be used, and a confirmation that fails is one', async () => {
    const doubt = { ...message, providerId: null, plannedFor: new Date(0), since: new Date(0) }
    const odd = open({
      query: async () => ({ outcome: 'sent', events: [{ ...event, kind: 'loved' }] }),
      confirm: async () => 'done',
    })
    await expect(odd.query?.(doubt)).resolves.toEqual({ outcome: 'unknown' })
    const reply = { from: '+86', text: 'STOP', optOut: true, eventId: 'e', at: new Date(0) }
    await expect(odd.confirm?.(reply)).resolves.toMatchObject({
      outcome: 'uncertain',
      detail: expect.stringContaining('which is no outcome'),
    })
  })
})
