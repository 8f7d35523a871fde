import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import type { Channel, Delivery, DeliveryEvent } from '../../src/channels/channel.ts'
import { manualClock } from '../../src/clock.ts'
import { type Database, execute, rows, transaction } from '../../src/database/connect.ts'
import type { CallKey } from '../../src/outcomes/calls.ts'
import { askProviders, createInquiries } from '../../src/outcomes/doubts.ts'
import { recordReceipts } from '../../src/outcomes/receipts.ts'
import { concludeCall, giveCallBack, takeCall } from '../../src/service/calls.ts'
import { unsubscribe } from '../../src/service/unsubscribing.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { reclaimExpired } from '../../src/touchpoints/recovery.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { testChannel } from '../support/channel.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { openShop, TEMPLATES, WORKSPACE } from '../support/shop.ts'
import { untilWaiting } from '../support/waiting.ts'

// What comes back of a message is said of the address it went to, whatever its contact has by then.

const SAYS = {
  email: 'template: hello',
  log: 'template: hello',
  sms: 'template: note',
  callback: 'script: note',
}

const campaign = (channel: keyof typeof SAYS) =>
  oneTierCampaign(
    'letters',
    [0, 1, 2, 3, 4, 5].map(
      (day) => `{ id: day-${day}, channel: ${channel}, ${SAYS[channel]}, after: ${day}d }`,
    ),
    { window: '60d' },
  )

const SMS = `
  sms: { provider: twilio, account_sid: AC, auth_token: "\${T:-a-token-of-16-or-more}", from: "+1", country: "86", price: "0" }
  callback: { country: "86" }
`

/** One contact, and a message a day to come. */
async function openLetters(name: keyof typeof SAYS, address: string, options: { idempotent?: boolean } = {}) {
  const channel = testChannel(name, options)
  const shop = await openShop({
    database: await emptiedDatabase(),
    clock: manualClock(new Date('2026-03-02T09:00:00Z')),
    channels: [channel],
    templates: { ...TEMPLATES, 'note.en.hbs': 'Hello. Reply STOP to opt out' },
    workspace: WORKSPACE.trimEnd() + SMS,
  })
  const { database, clock, runtime } = shop
  // Others' messages of each day, that got through.
  await execute(
    database,
    sql`INSERT INTO send_counts (campaign, channel, sent_at, sent)
        SELECT 'others', ${name}, ${clock.now()}::timestamptz + make_interval(days => day), 9 FROM generate_series(0, 9) day`,
  )
  const field = name === 'email' || name === 'log' ? 'email' : 'phone'
  const contact = { external_id: 'p1', [field]: address }
  await shop.importContacts([contact])
  await shop.importActivity([{ external_id: 'p1', type: 'session', occurred_at: '2026-02-26T00:00:00Z' }])
  await shop.apply(campaign(name))
  await shop.run('letters')
  const work = async () => {
    await dispatchDue(database, { now: clock.now(), jobs: 100 }, async (batch) => {
      await processBatch(runtime.worker, batch)
    })
  }
  const move = async (to: string) => {
    clock.advance(3600)
    await shop.importContacts([{ external_id: 'p1', [field]: to }])
  }
  const report = async (kind: DeliveryEvent['kind'], no = -1) => {
    const { contactId, touchpointId } = channel.sent.at(no) ?? { contactId: 0, touchpointId: 0 }
    clock.advance(60)
    const event = { contactId, touchpointId, kind, eventId: `${kind} ${touchpointId}`, at: clock.now() }
    return await recordReceipts(database, clock.now(), runtime.reporting(name), [event])
  }
  const isSilent = async (written: string) => {
    const [key] = await rows(
      database,
      sql`SELECT FROM suppressions
          WHERE key = ANY (${sql.param([...runtime.addressKeys(field, written)])}::bytea[])`,
    )
    return key !== undefined
  }
  const waiting = async () => (await rows(database, sql`SELECT FROM touchpoints`)).length
  const remembered = async () => {
    return await rows<{ state: string; known: boolean }>(
      database,
      sql`SELECT state, address_key IS NOT NULL AS known FROM touchpoint_records`,
    )
  }
  return { shop, channel, work, move, report, isSilent, waiting, remembered }
}

describe('a report about a message', () => {
  it.each(['hard_bounce', 'complaint'] as const)(
    'that comes after the address was changed (%s) silences the old one, and nothing that waits for the new',
    async (kind) => {
      const { work, move, report, isSilent, waiting } = await openLetters('email', 'old@people.test')
      await work()
      await move('new@people.test')
      expect(await report(kind)).toMatchObject({ suppressed: 1 })
      expect(await isSilent('old@people.test')).toBe(true)
      expect(await isSilent('new@people.test')).toBe(false)
      expect(await waiting()).toBe(5)
      // Back at the old address, it stays silent.
      await move('old@people.test')
      expect(await isSilent('old@people.test')).toBe(true)
    },
  )

  it('that comes before the message is settled is of the address it was handed over to', async () => {
    const { channel, work, move, report, isSilent, remembered } = await openLetters(
      'email',
      'old@people.test',
    )
    channel.answer = async () => {
      await move('new@people.test')
      await report('hard_bounce')
      return { outcome: 'uncertain', detail: 'no answer' }
    }
    await work()
    expect([await isSilent('old@people.test'), await isSilent('new@people.test')]).toEqual([true, false])
    expect(await remembered()).toContainEqual({ state: 'uncertain', known: true })
  })

  it('finds the address where the worker went away in the middle', async () => {
    const { shop, channel, work, move, report, isSilent } = await openLetters('email', 'old@people.test')
    const { database, clock } = shop
    channel.answer = async () => {
      await execute(database, sql`UPDATE touchpoints SET lease_until = '-infinity' WHERE state = 'sending'`)
      expect(await reclaimExpired(database, clock.now(), [])).toMatchObject({ uncertain: 1 })
      return { outcome: 'uncertain', detail: 'too late' }
    }
    await work()
    await move('new@people.test')
    expect(await report('hard_bounce')).toMatchObject({ settled: 1, suppressed: 1 })
    expect([await isSilent('old@people.test'), await isSilent('new@people.test')]).toEqual([true, false])
  })

  it('that was sent before addresses were remembered is of the one the contact has', async () => {
    const { shop, work, report, isSilent, move } = await openLetters('email', 'old@people.test')
    await work()
    await execute(shop.database, sql`UPDATE touchpoint_records SET address_key = NULL`)
    await move('new@people.test')
    await report('hard_bounce')
    expect([await isSilent('old@people.test'), await isSilent('new@people.test')]).toEqual([false, true])
  })

  describe('that was tried twice, at two addresses', () => {
    const openTwice = async (first: Delivery | 'gone', idempotent = true) => {
      const opened = await openLetters('email', 'old@people.test', { idempotent })
      const { shop, channel, work, move, isSilent } = opened
      channel.answer = async () => {
        channel.answer = () => ({ outcome: 'sent' })
        if (first !== 'gone') return first
        await execute(
          shop.database,
          sql`UPDATE touchpoints SET lease_until = '-infinity' WHERE state = 'sending'`,
        )
        expect(await reclaimExpired(shop.database, shop.clock.now(), ['email'])).toMatchObject({
          repeated: 1,
        })
        return { outcome: 'uncertain', detail: 'too late' }
      }
      await work()
      await move('new@people.test')
      const silent = async () => ({
        old: await isSilent('old@people.test'),
        present: await isSilent('new@people.test'),
      })
      return { ...opened, silent }
    }
    const uncertain = { outcome: 'uncertain', detail: 'no answer' } as const

    it.each([
      ['unknown how the first ended', uncertain],
      ['such a channel says so of what it does not know', { outcome: 'retry', detail: 'silence' }],
      ['the worker went away', 'gone'],
    ] as const)('is of both addresses (%s)', async (_, first) => {
      const { channel, work, report, silent } = await openTwice(first)
      await work()
      expect(channel.sent.map(({ address }) => address)).toEqual(['old@people.test', 'new@people.test'])
      expect(await report('hard_bounce')).toMatchObject({ suppressed: 2 })
      expect(await silent()).toEqual({ old: true, present: true })
    })

    it('is of the first alone until it is tried again', async () => {
      const { report, silent, waiting } = await openTwice(uncertain)
      expect(await report('hard_bounce')).toMatchObject({ suppressed: 1 })
      expect(await silent()).toEqual({ old: true, present: false })
      expect(await waiting()).toBe(6)
    })

    it('is of the second alone where the first was not handed over', async () => {
      const { work, report, silent } = await openTwice({ outcome: 'retry', detail: 'busy' }, false)
      await work()
      expect(await report('hard_bounce')).toMatchObject({ suppressed: 1 })
      expect(await silent()).toEqual({ old: false, present: true })
    })
  })

  it('counts passing failures of the same address alone', async () => {
    const { shop, work, report, isSilent, move } = await openLetters('email', 'old@people.test')
    for (let day = 0; day < 4; day += 1) {
      await work()
      expect(await report('soft_bounce')).toMatchObject({ suppressed: 0 })
      shop.clock.advance(86_400)
    }
    await move('new@people.test')
    await work()
    expect(await report('soft_bounce')).toMatchObject({ added: 1, suppressed: 0 })
    await move('old@people.test')
    shop.clock.advance(86_400)
    await work()
    expect(await report('soft_bounce')).toMatchObject({ added: 1, suppressed: 1 })
    expect([await isSilent('old@people.test'), await isSilent('new@people.test')]).toEqual([true, false])
  })

  it('counts for every address that may have returned it, where it was tried at two', async () => {
    const { shop, channel, work, report, isSilent, move } = await openLetters('email', 'old@people.test', {
      idempotent: true,
    })
    for (let day = 0; day < 4; day += 1) {
      await work()
      await report('soft_bounce')
      shop.clock.advance(86_400)
    }
    channel.answer = () => ({ outcome: 'uncertain', detail: 'no answer' })
    await work()
    channel.answer = () => ({ outcome: 'sent' })
    await move('new@people.test')
    await work()
    expect(await report('soft_bounce')).toMatchObject({ added: 1, suppressed: 1 })
    expect([await isSilent('old@people.test'), await isSilent('new@people.test')]).toEqual([true, false])
  })

  it('counts for the first of two addresses alone where it came before the second was tried', async () => {
    const { shop, channel, work, report, isSilent, move } = await openLetters('email', 'new@people.test', {
      idempotent: true,
    })
    for (let day = 0; day < 3; day += 1) {
      await work()
      await report('soft_bounce')
      shop.clock.advance(86_400)
    }
    await move('old@people.test')
    channel.answer = () => ({ outcome: 'uncertain', detail: 'no answer' })
    await work()
    expect(await report('soft_bounce')).toMatchObject({ added: 1 })
    channel.answer = () => ({ outcome: 'sent' })
    await move('new@people.test')
    await work()
    shop.clock.advance(86_400)
    await work()
    expect(await report('soft_bounce')).toMatchObject({ added: 1, suppressed: 0 })
    expect([await isSilent('old@people.test'), await isSilent('new@people.test')]).toEqual([false, false])
  })

  it('of a channel without addresses has none to remember', async () => {
    const { work, remembered } = await openLetters('log', 'old@people.test')
    await work()
    expect(await remembered()).toEqual([{ state: 'sent', known: false }])
  })
})

it('a link to unsubscribe silences the address it was sent to and the one its owner has by now', async () => {
  const { shop, channel, work, move, isSilent, waiting } = await openLetters('email', 'old@people.test')
  await work()
  await move('new@people.test')
  const [message] = channel.sent
  if (!message) throw new Error('nothing was sent')
  expect(await unsubscribe(shop.runtime, message, 'one-click')).toBe(true)
  expect([await isSilent('old@people.test'), await isSilent('new@people.test')]).toEqual([true, true])
  expect(await waiting()).toBe(0)
  expect(await unsubscribe(shop.runtime, message, 'page')).toBe(false)
})

/** The call of the one message that was sent. */
async function openCall(database: Database, taker: string): Promise<CallKey> {
  await execute(
    database,
    sql`INSERT INTO calls (contact_id, touchpoint_id, episode_id, step_id, campaign, kind, script, taker, priority, state,
          opened_at, due_at, next_attempt_at)
        SELECT contact_id, touchpoint_id, episode_id, step_id, 'letters', 'recall', '', ${taker}, 1, 'open', settled_at,
          settled_at, settled_at FROM touchpoint_records WHERE state = 'sent'`,
  )
  const [call] = await rows<CallKey>(
    database,
    sql`SELECT contact_id AS "contactId", call_id AS "callId" FROM calls`,
  )
  if (!call) throw new Error('there is no call')
  return call
}

describe('a number', () => {
  it('that was changed since is let go, and the new one kept', async () => {
    const { work, move, report, isSilent, waiting } = await openLetters('sms', '13800138000')
    await work()
    await move('13900139000')
    expect(await report('hard_bounce')).toMatchObject({ suppressed: 1 })
    expect([await isSilent('13800138000'), await isSilent('13900139000')]).toEqual([true, false])
    expect(await waiting()).toBe(5)
  })

  it.each(['sms', 'callback'] as const)(
    'that nobody has any more (%s) is silenced for whoever has it then, and for whoever comes later, however they write it',
    async (channel) => {
      const { shop, work, move, report } = await openLetters(channel, '13800138000')
      const { database, clock, runtime } = shop
      await work()
      const call = channel === 'callback' ? await openCall(database, 'agent') : undefined
      if (call) await takeCall(runtime, call, 'mei')
      await move('13900139000')
      await shop.importContacts([{ external_id: 'p2', phone: '8613800138000' }])
      const attempt = {
        eventId: 'a',
        at: clock.now(),
        by: 'mei',
        outcome: 'wrong_number',
        seconds: 0,
      } as const
      if (call) await concludeCall(runtime, call, attempt)
      else await report('hard_bounce')
      const silent = () =>
        rows(
          database,
          sql`SELECT external_id AS id FROM contacts c JOIN suppressions s ON s.kind = 'phone' AND s.key = c.phone_key
              ORDER BY 1`,
        )
      expect(await silent()).toEqual([{ id: 'p2' }])
      clock.advance(60)
      await shop.importContacts([
        { external_id: 'p3', phone: '0138 0013 8000' },
        { external_id: 'p4', phone: '+86 138 0013 8000' },
        { external_id: 'p5', phone: '13700137000' },
      ])
      expect(await silent()).toEqual([{ id: 'p2' }, { id: 'p3' }, { id: 'p4' }])
    },
  )

  it('that its contact has no more is not asked about by the number they have', async () => {
    const { shop, channel, work, move, remembered } = await openLetters('sms', '13800138000')
    channel.answer = () => ({ outcome: 'uncertain', detail: 'no answer' })
    await work()
    const asked: unknown[] = []
    const query: Channel['query'] = async ({ address }) => {
      asked.push(address)
      return { outcome: 'absent' }
    }
    const { database, clock, runtime } = shop
    const channels = new Map([['sms', { ...channel, query } as Channel]])
    const ask = () =>
      askProviders(database, clock.now(), {
        channels,
        reporting: runtime.reporting,
        inquiries: createInquiries(),
        installation: runtime.worker.installation,
      })
    await move('13900139000')
    expect(await ask()).toEqual({ sent: 0, failed: 0 })
    expect(await remembered()).toContainEqual({ state: 'uncertain', known: true })
    await move('+86 138 0013 8000')
    expect(await ask()).toEqual({ sent: 0, failed: 1 })
    expect(asked).toEqual(['+8613800138000'])
  })

  it('that was only written anew since is the same number', async () => {
    const { work, move, report, waiting } = await openLetters('sms', '13800138000')
    await work()
    await move('+86 138 0013 8000')
    expect(await report('hard_bounce')).toMatchObject({ suppressed: 1 })
    expect(await waiting()).toBe(0)
  })

  it.each([
    ['the robot rang', { taker: 'robot' }, 'old'],
    ['an agent was shown as they took the call', { taken: 'before' }, 'old'],
    ['an agent says they rang, as they write it', { taken: 'before', said: '0139-0013-9000' }, 'present'],
    [
      'an agent was shown, where they say one that is not theirs',
      { taken: 'before', said: '13700137000' },
      'old',
    ],
    ['an agent was shown as they took it again', { taken: 'twice' }, 'present'],
    ['the next agent was shown', { taken: 'released' }, 'present'],
    ['the contact has, where nobody took the call', {}, 'present'],
  ] as const)('that is somebody else’s is the one that %s', async (_, how, silenced) => {
    const {
      taker = 'agent',
      taken,
      said,
    } = { taken: undefined, said: undefined, ...how } as {
      taker?: string
      taken?: string
      said?: string
    }
    const { shop, work, move, isSilent } = await openLetters('callback', '13800138000')
    const { database, clock, runtime } = shop
    await work()
    const call = await openCall(database, taker)
    const take = () => takeCall(runtime, call, 'mei')
    if (taken !== undefined) expect(await take()).toMatchObject({ call: { phone: '13800138000' } })
    if (taken === 'released') await giveCallBack(runtime, call, 'mei')
    await move('13900139000')
    if (taken === 'twice') expect(await take()).toMatchObject({ call: { phone: '13900139000' } })
    const attempt = { eventId: 'a', at: clock.now(), by: 'mei', outcome: 'wrong_number', seconds: 0 } as const
    expect(await concludeCall(runtime, call, { ...attempt, phone: said })).toMatchObject({
      outcome: 'recorded',
    })
    expect({ old: await isSilent('13800138000'), present: await isSilent('13900139000') }).toEqual({
      old: silenced === 'old',
      present: silenced === 'present',
    })
    expect(await isSilent('13700137000')).toBe(false)
  })
})

it.each([
  ['the wrong number', { outcome: 'wrong_number' }],
  ['somebody who wants no more', { outcome: 'opted_out' }],
  ['somebody it left unhappy', { outcome: 'reached', sentiment: 'negative' }],
] as const)('a call of %s and a bounce of its number wait for one another in one order', async (_, said) => {
  const { shop, work, report, isSilent, waiting } = await openLetters('callback', '13800138000')
  const { database, clock, runtime } = shop
  await work()
  const call = await openCall(database, 'agent')
  const attempt = { eventId: 'a', at: clock.now(), by: 'mei', seconds: 0, ...said }
  // The bounce has all it needs but the last of what waits, and the call comes in between.
  const [bounced, concluded] = await transaction(database, async (tx) => {
    await execute(tx, sql`SELECT FROM touchpoints ORDER BY touchpoint_id DESC LIMIT 1 FOR UPDATE`)
    const bounce = report('hard_bounce')
    await untilWaiting(database, 1)
    const conclusion = concludeCall(runtime, call, attempt)
    await untilWaiting(database, 2)
    return [bounce.catch(String), conclusion.catch(String)] as const
  }).then((each) => Promise.all(each))
  expect([bounced, concluded]).toMatchObject([{ added: 1 }, { outcome: 'recorded' }])
  expect([await isSilent('13800138000'), await waiting()]).toEqual([true, 0])
})
