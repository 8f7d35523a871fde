import { sql } from 'drizzle-orm'
import { afterAll, describe, expect, it } from 'vitest'
import { referenceOf } from '../../src/channels/reference.ts'
import { readChoice } from '../../src/contacts/preferences.ts'
import { rows, transaction } from '../../src/database/connect.ts'
import { closeOverdueCalls } from '../../src/outcomes/calls.ts'
import { recordStop } from '../../src/outcomes/silence.ts'
import { composeWeb } from '../../src/web/server.ts'
import {
  api,
  back,
  CAMPAIGN,
  clock,
  closeCalling,
  openCalling,
  queue,
  report,
  robot,
  shop,
  tasks,
  work,
} from '../support/calling.ts'

afterAll(closeCalling)

const count = async (what: ReturnType<typeof sql>) =>
  (await rows<{ n: number }>(shop.database, sql`SELECT count(*) AS n FROM ${what}`))[0]?.n

describe('the queue of calls', () => {
  it('has as many a day as people can make, with script, owner, priority and time; the rest waits for tomorrow', async () => {
    await openCalling(5)
    const today = await queue()
    expect(today).toHaveLength(2)
    expect(today[0]).toMatchObject({
      ...{
        kind: 'recall',
        state: 'open',
        campaign: 'calling',
        step: 'call',
        owner: 'team@shop.example',
        priority: 70,
      },
      ...{
        script: 'Ask what Shop could do better',
        first_name: 'Li',
        due_at: '2026-03-11T09:00:00.000Z',
        late: false,
      },
    })
    expect(await count(sql`touchpoints WHERE due_at = '2026-03-11T00:00:00Z'`)).toBe(3)
    clock.set(new Date('2026-03-11T09:30:00Z'))
    await work()
    expect((await queue()).map(({ late }) => late)).toEqual([true, true, false, false])
    // The fifth would be called on the third day, which is later than the campaign allows a message to be.
    expect(await count(sql`touchpoint_records WHERE reason = 'too_late'`)).toBe(0)
    clock.set(new Date('2026-03-12T08:59:00Z'))
    await work()
    expect(await queue()).toHaveLength(4 + 1)
  })

  it('is worked on by one agent a call, and what came of it is written down and paid for', async () => {
    await openCalling(2)
    const [first, second] = await queue('?free=true')
    const id = String(first?.id)
    expect(await api(`/v1/calls/${id}/claim`, { agent: 'mei' })).toMatchObject({
      status: 200,
      body: { claimed_by: 'mei' },
    })
    expect(await api(`/v1/calls/${id}/claim`, { agent: 'tom' })).toMatchObject({
      status: 409,
      body: { reason: 'mei has taken this call' },
    })
    expect(await queue('?free=true')).toHaveLength(1)
    expect(await queue('?agent=mei')).toHaveLength(1)
    expect((await api(`/v1/calls/${id}/release`, { agent: 'tom' })).status).toBe(409)
    expect((await api(`/v1/calls/${id}/release`, { agent: 'mei' })).status).toBe(200)

    const nobody = await api(`/v1/calls/${id}/outcome`, { agent: 'mei', outcome: 'no_answer', minutes: 1 })
    expect(nobody.body).toMatchObject({
      state: 'open',
      attempts: 1,
      next_attempt_at: '2026-03-10T13:00:00.000Z',
    })
    expect(await queue('?free=true')).toHaveLength(1)
    clock.set(new Date('2026-03-10T14:00:00Z'))
    const said = {
      agent: 'mei',
      outcome: 'promised',
      reason: 'price',
      minutes: 5,
      sentiment: 'positive',
      notes: 'likes tea',
      id: 'a-1',
    }
    expect((await api(`/v1/calls/${id}/outcome`, said)).body).toMatchObject({
      state: 'done',
      closed_by: 'promised',
      repeated: false,
    })
    expect((await api(`/v1/calls/${id}/outcome`, said)).body).toMatchObject({ repeated: true, attempts: 2 })
    expect((await api(`/v1/calls/${id}`)).body.history).toMatchObject([
      { outcome: 'no_answer', minutes: 1 },
      { outcome: 'promised', reason: 'price', sentiment: 'positive', notes: 'likes tea', minutes: 5 },
    ])
    expect(
      await rows(shop.database, sql`SELECT kind, sum(amount)::int AS micros FROM ledger GROUP BY kind`),
    ).toEqual([{ kind: 'labour', micros: 6_000_000 }])
    expect(await rows(shop.database, sql`SELECT source, reason, note FROM reasons_given`)).toEqual([
      { source: 'call', reason: 'price', note: 'likes tea' },
    ])
    // Three times nobody is enough.
    const states: unknown[] = []
    for (const id of ['n-1', 'n-2', 'n-2', 'n-3']) {
      const tried = { agent: 'mei', outcome: 'no_answer', id }
      states.push((await api(`/v1/calls/${second?.id}/outcome`, tried)).body.state)
    }
    expect(states).toEqual(['open', 'open', 'open', 'done'])
  })

  it('refuses what it cannot read, and changes nothing', async () => {
    await openCalling(1)
    const [call] = await queue()
    for (const body of [
      {},
      { agent: '' },
      { agent: 'mei', outcome: 'sold' },
      { agent: 'mei', outcome: 'reached', reason: 'weather' },
      { agent: 'mei\u0000', outcome: 'reached' },
    ]) {
      expect((await api(`/v1/calls/${call?.id}/outcome`, body)).status).toBe(400)
    }
    for (const id of ['call-1', 'call-zz-zz', 'x'])
      expect((await api(`/v1/calls/${id}/claim`, { agent: 'mei' })).status).toBe(404)
    expect((await composeWeb({ runtime: shop.runtime }).request('/v1/calls')).status).toBe(401)
    expect(await queue()).toEqual([call])
  })

  it('loses a call in the transaction that records the return, and an agent who comes too late is told', async () => {
    await openCalling(2)
    const [call] = await queue()
    await api(`/v1/calls/${call?.id}/claim`, { agent: 'mei' })
    await back(String(call?.contact))
    expect(await queue()).toHaveLength(1)
    expect(await api(`/v1/calls/${call?.id}/claim`, { agent: 'mei' })).toMatchObject({
      status: 410,
      body: { reason: 'this call is over: they came back by themselves' },
    })
    // It was made all the same, and costs what it costs.
    const late = await api(`/v1/calls/${call?.id}/outcome`, { agent: 'mei', outcome: 'reached', minutes: 2 })
    expect(late.body).toMatchObject({ state: 'closed', closed_by: 'returned', attempts: 1 })
  })

  it('closes what a stop, a suppressed number or the end of an episode makes pointless', async () => {
    await openCalling(2)
    const [one, other] = await queue()
    await shop.importSuppressions([{ phone: String(one?.phone), reason: 'unsubscribe' }])
    expect((await queue()).map(({ id }) => id)).toEqual([other?.id])
    await recordStop(shop.database, clock.now(), 'calling')
    expect(await queue()).toEqual([])
    expect((await api(`/v1/calls/${one?.id}`)).body.closed_by).toBe('suppressed')
    expect((await api(`/v1/calls/${other?.id}`)).body.closed_by).toBe('stopped')

    await openCalling(1)
    const [last] = await queue()
    await rows(shop.database, sql`UPDATE episodes SET ended_at = ${clock.now()}, end_reason = 'expired'`)
    expect(await transaction(shop.database, (tx) => closeOverdueCalls(tx, clock.now()))).toBe(1)
    expect((await api(`/v1/calls/${last?.id}`)).body.closed_by).toBe('expired')
  })

  it('ends marketing to whoever was unhappy, and takes a wrong number out', async () => {
    await openCalling(2)
    const [one, other] = await queue()
    const unhappy = { agent: 'mei', outcome: 'declined', sentiment: 'negative' }
    expect((await api(`/v1/calls/${one?.id}/outcome`, unhappy)).body).toMatchObject({ marketing_ended: true })
    const [contact] = await rows<{ id: number }>(
      shop.database,
      sql`SELECT contact_id AS id FROM external_ids WHERE external_id = ${one?.contact}`,
    )
    const choice = await readChoice(shop.database, contact?.id ?? 0, clock.now())
    expect(choice).toMatchObject({ channelsOff: ['*'], source: 'call: negative' })
    await api(`/v1/calls/${other?.id}/outcome`, { agent: 'mei', outcome: 'wrong_number' })
    expect(await rows(shop.database, sql`SELECT DISTINCT kind, source FROM suppressions`)).toEqual([
      { kind: 'phone', source: 'call: wrong number' },
    ])
  })
})

describe('a voice robot', () => {
  it('takes what is beyond the capacity, reports, and leaves whom it made unhappy to a person', async () => {
    await openCalling(4, true)
    expect(await queue()).toHaveLength(2)
    expect(robot?.asked).toHaveLength(2)
    const [task] = tasks()
    const unhappy = {
      ...{
        reference: task?.reference,
        id: 'r-1',
        at: clock.now().toISOString(),
        outcome: 'reached',
        minutes: 2,
      },
      ...{ sentiment: 'negative', transcript: 'Never call me again', reason: 'rude voice' },
    }
    expect(await report([unhappy])).toEqual({ status: 200, body: { added: 1, ignored: 0, replies: 0 } })
    expect(await report([unhappy])).toEqual({ status: 200, body: { added: 0, ignored: 1, replies: 0 } })
    const care = (await queue()).filter(({ kind }) => kind === 'care')
    expect(care).toMatchObject([{ taker: 'agent', priority: 100, script: expect.stringContaining('listen') }])
    expect((await queue())[0]).toEqual(care[0])
    const { history } = (await api(`/v1/calls/${care[0]?.id}`)).body
    expect(history).toMatchObject([
      { made_by: 'robot', transcript: 'Never call me again', reason: 'other', notes: 'rude voice' },
    ])
    // A robot's minutes are its price, not wages.
    expect(await count(sql`ledger WHERE kind = 'labour'`)).toBe(0)
    expect(
      await rows(shop.database, sql`SELECT amount::int AS micros FROM ledger WHERE kind = 'spend'`),
    ).toEqual([{ micros: 500_000 }, { micros: 500_000 }])
    // A return closes what was to win somebody back; it does not make up for the call.
    await back(String(care[0]?.contact))
    expect((await queue()).filter(({ kind }) => kind === 'care')).toHaveLength(1)
    const unknown = { ...unhappy, reference: referenceOf({ contactId: 1, touchpointId: 999 }) }
    expect((await report([unknown])).status).toBe(404)
  })

  it('is believed whatever letters stand in what it heard', async () => {
    await openCalling(3, true)
    const [task] = tasks()
    const heard = { outcome: 'declined', sentiment: 'negative', reason: 'rude\u0000 voice', notes: '\u0000' }
    const told = { reference: task?.reference, id: 'r-\u0000', at: clock.now().toISOString(), ...heard }
    expect(await report([told])).toEqual({ status: 200, body: { added: 1, ignored: 0, replies: 0 } })
    expect(await report([told])).toEqual({ status: 200, body: { added: 0, ignored: 1, replies: 0 } })
    expect(await rows(shop.database, sql`SELECT source, reason FROM preferences`)).toEqual([
      { source: 'call: negative', reason: 'rude voice' },
    ])
  })

  it('that took a call without a word is believed when it reports the call later', async () => {
    const five = 'five: { kind: coupon, amount: 5 CNY, valid: 30d, expected_redemption: 8%, deliver: code }'
    const promising = CAMPAIGN.replace('offers:\n', `offers:\n  ${five}\n`)
    await openCalling(
      3,
      true,
      'hang up',
      promising.replace('script: adviser,', 'script: promise, offer: five,'),
    )
    const doubted = () =>
      rows<{ contactId: number; touchpointId: number }>(
        shop.database,
        sql`SELECT contact_id AS "contactId", touchpoint_id AS "touchpointId" FROM touchpoint_records WHERE state = 'uncertain'`,
      )
    // Until it has been tried as often as it is.
    for (let tries = 0; tries < 20 && (await doubted()).length === 0; tries += 1) {
      clock.advance(1800)
      await work()
    }
    const [named] = await doubted()
    if (!named) throw new Error('nothing is in doubt')
    const reference = referenceOf(named)
    const late = { reference, id: 'r-1', at: clock.now().toISOString(), outcome: 'handed_over', minutes: 1 }
    expect(await report([late])).toEqual({ status: 200, body: { added: 1, ignored: 0, replies: 0 } })
    expect(await report([late])).toEqual({ status: 200, body: { added: 0, ignored: 1, replies: 0 } })
    expect(await doubted()).toEqual([])
    expect(
      await rows(
        shop.database,
        sql`SELECT state, detail FROM touchpoint_records WHERE touchpoint_id = ${named.touchpointId}`,
      ),
    ).toEqual([{ state: 'sent', detail: 'known by a receipt' }])
    expect((await queue()).filter(({ kind }) => kind === 'care')).toHaveLength(1)
    // Whoever takes it over finds what the robot was to say, with the very code it promised.
    const [{ code, script } = { code: '', script: '' }] = await rows<{ code: string; script: string }>(
      shop.database,
      sql`SELECT g.code, c.script FROM calls c JOIN grants g USING (contact_id, episode_id)
          WHERE c.kind = 'recall' AND c.touchpoint_id = ${named.touchpointId}`,
    )
    expect(script).toContain(`Li gets ${code} until `)
    // It costs what it cost while nobody knew: the price, once.
    expect(
      await rows(
        shop.database,
        sql`SELECT sum(amount)::int AS micros FROM ledger WHERE kind = 'spend' AND touchpoint_id = ${named.touchpointId}`,
      ),
    ).toEqual([{ micros: 500_000 }])
  })
})

describe('messages in the app', () => {
  it('greet whoever comes back with their gift, until the app says it was shown', async () => {
    await openCalling(2)
    expect((await api('/v1/inapp/u1')).body).toEqual({ messages: [] })
    // At night, too: a message that waits to be asked for disturbs nobody.
    clock.set(new Date('2026-03-10T23:30:00Z'))
    await back('u1')
    await work()
    // Nobody was handed anything by what has no body.
    expect((await api('/v1/inapp/u1', undefined, 'HEAD')).status).toBe(405)
    expect(await count(sql`delivery_events`)).toBe(0)
    const { messages } = (await api('/v1/inapp/u1')).body as { messages: { id: string }[] }
    expect(messages).toMatchObject([
      {
        ...{ title: 'Good to see you', text: 'A tin of tea is yours', url: '/gift', locale: 'en' },
        offer: { name: 'gift', kind: 'benefit', code: null, expires_at: expect.any(String) },
      },
    ])
    // What was promised in another lapse is not what this message says.
    await rows(
      shop.database,
      sql`INSERT INTO grants (contact_id, episode_id, campaign, offer, kind, step_id, touchpoint_id, state, face, expected,
            reserved_at, granted_at, expires_at)
          SELECT contact_id, episode_id + 1000, campaign, offer, kind, step_id, touchpoint_id + 1000, state, face, expected,
            reserved_at, granted_at, expires_at FROM grants`,
    )
    expect((await api('/v1/inapp/u1')).body).toMatchObject({ messages: [{ id: messages[0]?.id }] })
    expect((await api('/v1/inapp/u2')).body).toEqual({ messages: [] })
    const ack = `/v1/inapp/u1/${messages[0]?.id}/ack`
    expect((await api(`/v1/inapp/u2/${messages[0]?.id}/ack`, {})).status).toBe(404)
    expect((await api(ack, { tapped: 'yes' })).status).toBe(400)
    for (const body of [{}, { tapped: true }, { tapped: true }])
      expect((await api(ack, body)).status).toBe(200)
    expect((await api('/v1/inapp/u1')).body).toEqual({ messages: [] })
    expect((await api('/v1/inapp/nobody')).status).toBe(404)
    expect(await rows(shop.database, sql`SELECT kind FROM delivery_events ORDER BY kind`)).toEqual([
      { kind: 'clicked' },
      { kind: 'delivered' },
      { kind: 'opened' },
    ])
  })

  it('are not shown once their gift has expired', async () => {
    await openCalling(1)
    clock.advance(60)
    await back('u1')
    await work()
    expect((await api('/v1/inapp/u1')).body).toMatchObject({ messages: [{ offer: { name: 'gift' } }] })
    clock.set(new Date('2026-12-31T00:00:00Z'))
    expect((await api('/v1/inapp/u1')).body).toEqual({ messages: [] })
  })
})
