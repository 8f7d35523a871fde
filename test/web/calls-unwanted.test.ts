import { sql } from 'drizzle-orm'
import { afterAll, describe, expect, it } from 'vitest'
import { pause, resume, stop } from '../../src/config/switches.ts'
import { ANYTHING, type Preferences, readChoice, recordChoice } from '../../src/contacts/preferences.ts'
import { eraseContact } from '../../src/contacts/privacy/erase.ts'
import { execute, rows, transaction } from '../../src/database/connect.ts'
import { callIdOf } from '../../src/outcomes/calls.ts'
import { readLeaving } from '../../src/reports/leaving.ts'
import {
  api,
  back,
  CAMPAIGN,
  clock,
  closeCalling,
  openCalling,
  queue,
  report,
  shop,
  tasks,
  work,
} from '../support/calling.ts'

// Calls and cards that nobody wants by now, and those that two would make.

afterAll(closeCalling)

const idOf = async (who: unknown) => {
  const found = await rows<{ id: number }>(
    shop.database,
    sql`SELECT contact_id AS id FROM external_ids WHERE external_id = ${who}`,
  )
  return found[0]?.id ?? 0
}
const choose = async (who: unknown, chosen: Partial<Preferences>) => {
  const contactId = await idOf(who)
  const options = { now: clock.now(), hooks: shop.runtime.hooks }
  await transaction(shop.database, (tx) =>
    recordChoice(tx, contactId, { ...ANYTHING, ...chosen, source: 'preferences page' }, options),
  )
}
/** Ids of the calls that the robot makes. */
const robotCalls = async () => {
  const found = await rows<{ contactId: number; callId: number }>(
    shop.database,
    sql`SELECT contact_id AS "contactId", call_id AS "callId" FROM calls WHERE taker = 'robot' ORDER BY contact_id`,
  )
  return found.map((key) => ({ ...key, id: callIdOf(key) }))
}

describe('a call nobody wants any more', () => {
  it('is over where the person asks for a pause, or for nothing of its topic; another topic or frequency leaves it', async () => {
    await openCalling(2, false, undefined, CAMPAIGN.replace('owner:', 'topic: offers\nowner:'))
    const [one, other] = await queue()
    for (const left of [{ topicsOff: ['news'] }, { frequency: { atMost: 1, withinDays: 7 } }])
      await choose(one?.contact, left)
    expect(await queue()).toHaveLength(2)
    await choose(one?.contact, { pausedUntil: new Date('2026-04-09T00:00:00Z') })
    await choose(other?.contact, { topicsOff: ['offers'] })
    expect(await queue()).toEqual([])
    for (const call of [one, other]) {
      expect((await api(`/v1/calls/${call?.id}`)).body).toMatchObject({ closed_by: 'opted_out' })
    }
  })

  it('is over where the contact turns out to be somebody who had refused it with another account', async () => {
    await openCalling(2)
    await shop.importContacts([{ external_id: 'v1', email: 'v1@people.test' }])
    await choose('v1', { channelsOff: ['*'] })
    await shop.importContacts([{ external_id: 'u1', email: 'v1@people.test' }])
    expect((await queue()).map(({ contact }) => contact)).toEqual(['u2'])
  })

  it('is nobody’s to make while the contact has a number of the do-not-contact list', async () => {
    await openCalling(1)
    const [call] = await queue()
    await shop.importSuppressions([{ phone: '+8613900139000', reason: 'unsubscribe' }])
    await shop.importContacts([{ external_id: 'u1', phone: '+8613900139000' }])
    expect(await queue()).toEqual([])
    expect(await api(`/v1/calls/${call?.id}/claim`, { agent: 'mei' })).toMatchObject({
      status: 410,
      body: { reason: 'this call is over: they may not be contacted any more' },
    })
    await shop.importContacts([{ external_id: 'u1', phone: '+8613700137000' }])
    expect(await queue()).toMatchObject([{ id: call?.id, phone: '+8613700137000' }])
  })
})

/** What `winback pause` holds back: the campaign, a channel, everything. */
const pausing = (channel: string) =>
  [
    { scope: 'campaign', name: 'calling' },
    { scope: 'channel', name: channel },
    { scope: 'workspace', name: '*' },
  ] as const

describe('what is paused', () => {
  it('is called by nobody, until it is resumed', async () => {
    await openCalling(2)
    const [one, other] = await queue()
    await api(`/v1/calls/${one?.id}/claim`, { agent: 'mei' })
    for (const target of pausing('callback')) {
      await pause(shop.database, target, { reason: 'wrong price', clock })
      expect(await queue()).toMatchObject([{ id: one?.id }, { id: other?.id, paused: true }])
      expect((await api('/v1/calls?free=true')).body).toEqual({ calls: [] })
      expect(await api(`/v1/calls/${other?.id}/claim`, { agent: 'tom' })).toMatchObject({
        status: 409,
        body: { error: 'paused' },
      })
      // Whoever has the number already may be talking: the call stays theirs.
      expect((await api(`/v1/calls/${one?.id}/claim`, { agent: 'mei' })).status).toBe(200)
      await resume(shop.database, target)
      expect((await api('/v1/calls?free=true')).body).toMatchObject({ calls: [{ id: other?.id }] })
    }
  })

  it('holds back no call to somebody who was unhappy', async () => {
    await openCalling(1)
    await execute(shop.database, sql`UPDATE calls SET kind = 'care'`)
    await pause(shop.database, { scope: 'campaign', name: 'calling' }, { reason: 'wrong price', clock })
    expect((await api('/v1/calls?free=true')).body).toMatchObject({ calls: [{ paused: false }] })
  })
})

describe('a call at an hour at which nobody is to be rung', () => {
  const hours = (window: string) => CAMPAIGN.replace('limits: {', `limits: { send_window: { ${window} },`)
  const free = async () => (await queue('?free=true')).map(({ contact }) => contact)

  it('is nobody’s to take until it is the hour where the contact is', async () => {
    await openCalling(2, false, undefined, hours('default: 08:00-18:00'))
    const [one, other] = await queue()
    expect(await free()).toEqual(['u1', 'u2'])
    await shop.importContacts([{ external_id: 'u2', timezone: 'America/New_York' }])
    // Four in the morning there.
    expect(await free()).toEqual(['u1'])
    expect(await queue()).toMatchObject([{ quiet_until: null }, { quiet_until: '2026-03-10T12:00:00.000Z' }])
    expect(await api(`/v1/calls/${other?.id}/claim`, { agent: 'mei' })).toMatchObject({
      status: 409,
      body: {
        error: 'quiet_hours',
        reason: 'it is outside the hours of the campaign where they are, until 2026-03-10T12:00:00.000Z',
      },
    })
    clock.advance(3 * 3600)
    expect(await free()).toEqual(['u1', 'u2'])
    // Seven in the evening here, two in the afternoon there: whoever is talking goes on.
    expect((await api(`/v1/calls/${one?.id}/claim`, { agent: 'mei' })).status).toBe(200)
    clock.advance(7 * 3600)
    expect(await free()).toEqual(['u2'])
    expect((await api(`/v1/calls/${one?.id}/claim`, { agent: 'mei' })).status).toBe(200)
  })

  it('is by the window of the channel, where the campaign has one', async () => {
    await openCalling(1, false, undefined, hours('default: 08:00-10:00, callback: 08:00-20:00'))
    clock.advance(6 * 3600)
    expect(await free()).toEqual(['u1'])
  })

  it('may be made at the hour that was agreed with them', async () => {
    await openCalling(2, false, undefined, hours('default: 08:00-18:00'))
    const next = { next_attempt_at: '2026-03-10T20:00:00Z' }
    for (const [no, outcome] of ['call_back', 'no_answer'].entries()) {
      const id = (await queue())[no]?.id
      await api(`/v1/calls/${id}/outcome`, { agent: 'mei', outcome, minutes: 1, ...next })
    }
    clock.advance(11 * 3600)
    expect(await free()).toEqual(['u1'])
  })
})

describe('a call that two would make', () => {
  it('is the robot’s alone where the robot has it', async () => {
    await openCalling(3, true)
    const [call] = await robotCalls()
    expect(await api(`/v1/calls/${call?.id}/claim`, { agent: 'mei' })).toMatchObject({
      status: 409,
      body: { reason: 'robot has taken this call' },
    })
    expect((await api(`/v1/calls/${call?.id}`)).body).toMatchObject({ state: 'open', claimed_by: null })
  })

  it('stays with whoever has it while another tells of an attempt of theirs', async () => {
    await openCalling(1)
    const [call] = await queue()
    const path = `/v1/calls/${call?.id}`
    await api(`${path}/claim`, { agent: 'tom' })
    clock.advance(3 * 3600)
    await api(`${path}/claim`, { agent: 'mei' })
    const nobody = { outcome: 'no_answer', minutes: 1 }
    expect((await api(`${path}/outcome`, { agent: 'tom', ...nobody })).body).toMatchObject({
      ...{ state: 'claimed', claimed_by: 'mei', attempts: 1 },
      next_attempt_at: '2026-03-10T16:00:00.000Z',
    })
    expect((await api(`${path}/outcome`, { agent: 'mei', ...nobody })).body).toMatchObject({
      ...{ state: 'open', claimed_by: null, attempts: 2 },
    })
  })
})

it('a call of a colleague is no reason why anybody leaves: seeds count nowhere', async () => {
  await openCalling(2, false, undefined, CAMPAIGN.replace('owner:', 'seeds: [u2]\nowner:'))
  for (const call of await queue()) {
    const said = { agent: 'mei', outcome: 'declined', reason: 'price', sentiment: 'negative' }
    expect((await api(`/v1/calls/${call.id}/outcome`, said)).status).toBe(200)
  }
  expect(await rows(shop.database, sql`SELECT FROM reasons_given`)).toHaveLength(2)
  clock.advance(1)
  const { given, said } = await readLeaving(shop.database, {
    campaign: 'any',
    now: clock.now(),
    split: new Map(),
  })
  expect(given).toEqual([{ source: 'call', reason: 'price', people: 1 }])
  expect(said).toEqual([{ source: 'choice', what: '*', reason: 'price', people: 1 }])
})

describe('a report of the robot', () => {
  it('of a wrong number says nothing of the person, and has nobody call it to apologise', async () => {
    await openCalling(3, true)
    const [call] = await robotCalls()
    const at = clock.now().toISOString()
    const reference = tasks()[0]?.reference
    const stranger = { reference, id: 'r-1', at, outcome: 'wrong_number', sentiment: 'negative' }
    expect(await report([stranger])).toMatchObject({ status: 200, body: { added: 1 } })
    expect((await queue()).filter(({ kind }) => kind === 'care')).toEqual([])
    expect(await readChoice(shop.database, call?.contactId ?? 0, clock.now())).toBeUndefined()
    expect(await rows(shop.database, sql`SELECT DISTINCT source FROM suppressions`)).toEqual([
      { source: 'call: wrong number' },
    ])
  })

  it('of somebody who was erased is taken and forgotten, with the rest of its post', async () => {
    await openCalling(4, true)
    const [erased] = await robotCalls()
    const options = { now: clock.now(), hooks: shop.runtime.hooks, phoneKeys: () => [] }
    await transaction(shop.database, (tx) => eraseContact(tx, erased?.contactId ?? 0, options))
    const at = clock.now().toISOString()
    const both = tasks().map(({ reference }) => ({ reference, id: 'r-1', at, outcome: 'reached' }))
    expect(await report(both)).toEqual({ status: 200, body: { added: 1, ignored: 1, replies: 0 } })
  })

  it('by a clock that is ahead is of now', async () => {
    await openCalling(3, true)
    const reference = tasks()[0]?.reference
    await report([{ reference, id: 'r-1', at: '2099-01-01T00:00:00Z', outcome: 'declined', reason: 'price' }])
    expect(await rows(shop.database, sql`SELECT said_at AS at FROM reasons_given`)).toEqual([
      { at: clock.now() },
    ])
  })
})

describe('a card that nobody wants any more', () => {
  it.each([
    ['the channel is refused', { channelsOff: ['inapp'] }],
    ['everything is', { channelsOff: ['*'] }],
    ['there is a pause', { pausedUntil: new Date('2026-04-09T00:00:00Z') }],
    ['its topic is refused', { topicsOff: ['offers'] }],
  ])('is not handed out while %s', async (_, chosen) => {
    await openCalling(1, false, undefined, CAMPAIGN.replace('owner:', 'topic: offers\nowner:'))
    clock.advance(60)
    await back('u1')
    await work()
    await choose('u1', { frequency: { atMost: 1, withinDays: 30 }, topicsOff: ['news'] })
    const titles = async () => (await api('/v1/inapp/u1')).body
    clock.advance(60)
    await choose('u1', chosen)
    expect(await titles()).toEqual({ messages: [] })
    expect(await rows(shop.database, sql`SELECT kind FROM delivery_events`)).toEqual([])
    clock.advance(60)
    await choose('u1', { frequency: { atMost: 1, withinDays: 30 }, topicsOff: ['news'] })
    expect(await titles()).toMatchObject({ messages: [{ title: 'Good to see you' }] })
  })

  it('is not handed out while it is paused, nor any more once its campaign was stopped', async () => {
    await openCalling(1)
    clock.advance(60)
    await back('u1')
    await work()
    clock.advance(60)
    const cards = async () => (await api('/v1/inapp/u1')).body
    for (const target of pausing('inapp')) {
      await pause(shop.database, target, { reason: 'wrong price', clock })
      expect(await cards()).toEqual({ messages: [] })
      await resume(shop.database, target)
      expect(await cards()).toMatchObject({ messages: [{ title: 'Good to see you' }] })
    }
    await stop(shop.database, { scope: 'campaign', name: 'calling' }, { reason: 'wrong price', clock })
    expect(await cards()).toEqual({ messages: [] })
  })
})
