import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { callback, openCallback } from '../../../src/channels/callback/callback.ts'
import { readCallReports } from '../../../src/channels/callback/receipts.ts'
import { callbackSettings } from '../../../src/channels/callback/settings.ts'
import { describeChannel } from '../../../src/channels/conformance.ts'
import { referenceOf } from '../../../src/channels/reference.ts'
import { openRobot, ROBOT, reportHeaders } from '../../support/robot.ts'

const li = {
  contactId: 1,
  externalId: 'c-1',
  email: null,
  phone: '+86 138 0013 8000',
  locale: 'en',
  timezone: 'Asia/Shanghai',
}
const template = {
  name: 'adviser',
  render: () => ({ front: {}, html: '<p>Say hello</p>', text: 'Say hello\n' }),
}
const base = {
  module: callback,
  reachable: [li, { ...li, phone: '+44 20 7946 0958' }],
  unreachable: [
    { ...li, phone: null },
    { ...li, phone: '110' },
  ],
  template,
  view: {},
}

describeChannel(
  'callback (people)',
  {
    ...base,
    open: async () => ({
      channel: openCallback(callbackSettings.parse({ wage: '60' })),
      faults: [],
      heal: () => {},
      stop: () => {},
    }),
  },
  { describe, it },
)

describeChannel(
  'callback (robot)',
  {
    ...base,
    price: 500_000,
    open: async (deadline) => {
      const robot = await openRobot()
      const provoke = (instead: typeof robot.instead) => () => {
        robot.instead = instead
      }
      const settings = callbackSettings.parse({
        robot: { ...ROBOT, url: robot.url, takes: 'all', price: '0.5' },
      })
      return {
        channel: openCallback(settings, { deadline }),
        faults: [
          {
            name: 'busy',
            provoke: provoke({ status: 429, headers: { 'Retry-After': '3' } }),
            promised: 'retry' as const,
          },
          { name: 'wrong secret', provoke: provoke({ status: 401 }), promised: 'retry' as const },
          {
            name: 'no such number',
            provoke: provoke({ status: 422 }),
            promised: 'rejected' as const,
            reason: 'bad_address' as const,
          },
          {
            name: 'silence',
            provoke: provoke('silence'),
            promised: 'retry' as const,
            unsent: false,
            silent: true as const,
          },
          { name: 'a hang-up', provoke: provoke('hang up'), promised: 'retry' as const, unsent: false },
        ],
        heal: () => {
          robot.instead = undefined
        },
        taken: () => robot.asked.map((asked) => String(asked.headers['idempotency-key'])),
        attempts: () => robot.reached,
        secrets: [ROBOT.secret],
        report: (reference: string) => {
          const now = new Date('2026-03-10T09:00:00Z')
          const call = {
            reference,
            id: 'r1',
            at: now.toISOString(),
            outcome: 'reached',
            minutes: 1,
          }
          const body = JSON.stringify({ calls: [call] })
          const url = 'https://shop.example/v1/receipts/callback'
          return { url, provider: undefined, headers: reportHeaders(now, body), body: Buffer.from(body), now }
        },
        peak: () => robot.peak,
        stop: () => robot.stop(),
      }
    },
  },
  { describe, it },
)

describe('a robot that does not take a call', () => {
  it('is away with the whole channel where it takes all calls, and people go on where it does not', async () => {
    for (const takes of ['all', 'overflow'] as const) {
      const robot = await openRobot()
      const settings = callbackSettings.parse({ robot: { ...ROBOT, url: robot.url, takes } })
      await robot.stop()
      const channel = openCallback(settings)
      const content = channel.render(template, {}, li)
      const message = { contactId: 1, touchpointId: 2, key: 'tp-1', address: '+8613800138000', content }
      const unreached = takes === 'all'
      const delivery = await channel.send({ ...message, overflow: true })
      expect(delivery).toMatchObject({ outcome: 'retry', unsent: true, unreached })
      await channel.close()
    }
  })

  it('is turned away by 403 for an hour, and counts as tried: it may be for what it says', async () => {
    const robot = await openRobot()
    robot.instead = { status: 403 }
    const channel = openCallback(
      callbackSettings.parse({ robot: { ...ROBOT, url: robot.url, takes: 'all' } }),
    )
    const content = channel.render(template, {}, li)
    const message = { contactId: 1, touchpointId: 2, key: 'tp-1', address: '+8613800138000', content }
    const said = await channel.send(message)
    expect(said).toMatchObject({ outcome: 'retry', unsent: true, unreached: false, after: 3600 })
    await channel.close()
    await robot.stop()
  })

  it.each([
    ['silence', 'silence', false],
    ['a hang-up', 'hang up', false],
    ['out of order', { status: 502 }, false],
    ['busy', { status: 429 }, true],
    ['wrong secret', { status: 401 }, true],
  ] as const)('may have taken it, or has not: %s', async (_, instead, unsent) => {
    const robot = await openRobot()
    const settings = callbackSettings.parse({ robot: { ...ROBOT, url: robot.url, takes: 'all' } })
    // An answer has all the time a busy machine takes.
    const channel = openCallback(settings, { deadline: instead === 'silence' ? 300 : 20_000 })
    const content = channel.render(template, {}, li)
    const message = { contactId: 1, touchpointId: 2, key: 'tp-1', address: '+8613800138000', content }
    robot.instead = instead
    expect(await channel.send(message)).toMatchObject({ outcome: 'retry', unsent })
    await channel.close()
    await robot.stop()
    const anew = openCallback(settings)
    expect(await anew.send(message)).toMatchObject({ outcome: 'retry', unsent: true })
    await anew.close()
  })
})

it('says of some answers of the robot that they are about no call, unless people go on beside it', async () => {
  const robot = await openRobot()
  const message = { contactId: 1, touchpointId: 2, key: 'tp-1', address: '+8613800138000' }
  const said: unknown[] = []
  for (const takes of ['all', 'overflow'] as const) {
    const channel = openCallback(callbackSettings.parse({ robot: { ...ROBOT, url: robot.url, takes } }))
    const content = channel.render(template, {}, li)
    for (const status of [429, 502, 503, 504, 500]) {
      robot.instead = { status }
      const delivery = await channel.send({ ...message, content, overflow: true })
      said.push([takes, status, 'takesNone' in delivery && delivery.takesNone])
    }
    await channel.close()
  }
  expect(said).toEqual([
    ...[429, 502, 503, 504].map((status) => ['all', status, true]),
    ['all', 500, false],
    ...[429, 502, 503, 504, 500].map((status) => ['overflow', status, false]),
  ])
  await robot.stop()
})

describe('who makes a call', () => {
  it('is the robot only beyond what people can make, unless it makes all', async () => {
    const robot = await openRobot()
    const channel = openCallback(callbackSettings.parse({ robot: { ...ROBOT, url: robot.url } }))
    const content = channel.render(template, {}, li)
    const send = (key: string, overflow?: boolean) =>
      channel.send({
        contactId: 1,
        touchpointId: 2,
        key,
        address: '+8613800138000',
        content,
        ...(overflow ? { overflow } : {}),
      })
    expect(await send('tp-1')).toMatchObject({
      outcome: 'sent',
      cost: 0,
      keep: { taker: 'agent', script: 'Say hello' },
    })
    expect(await send('tp-2', true)).toMatchObject({
      outcome: 'sent',
      providerId: 'robot-tp-2',
      keep: { taker: 'robot' },
    })
    expect(robot.asked.map((asked) => JSON.parse(asked.body.toString()))).toEqual([
      {
        key: 'tp-2',
        reference: referenceOf({ contactId: 1, touchpointId: 2 }),
        phone: '+8613800138000',
        locale: 'en',
        timezone: 'Asia/Shanghai',
        script: 'Say hello',
      },
    ])
    // The language of the script: where there is none in the contact's, a robot would read it in a voice of theirs.
    expect(channel.render({ ...template, locale: 'zh-CN' }, {}, li)).toEqual({ ...content, locale: 'zh-CN' })
    await channel.close()
    await robot.stop()
  })

  it('may not be a robot in a private network that is not named', () => {
    const url = 'https://10.0.0.1/'
    expect(() =>
      openCallback(callbackSettings.parse({ robot: { ...ROBOT, url, allow_private: [] } })),
    ).toThrow('private network')
  })
})

describe('what a robot reports', () => {
  const now = new Date('2026-03-10T09:00:00Z')
  const read = (text: string, headers = reportHeaders(now, text)) =>
    readCallReports(
      { url: '', provider: undefined, headers, body: Buffer.from(text), now },
      { key_id: 'winback', secret: ROBOT.secret },
    )
  const report = {
    reference: 'wb-1-2',
    id: 'r1',
    at: now.toISOString(),
    outcome: 'reached',
    minutes: 1.5,
    sentiment: 'negative',
  }

  it('is taken where it is signed and whole', () => {
    expect(read(JSON.stringify({ calls: [report] }))).toMatchObject({
      outcome: 'accepted',
      calls: [
        {
          contactId: 1,
          touchpointId: 2,
          eventId: 'r1',
          seconds: 90,
          sentiment: 'negative',
          outcome: 'reached',
        },
      ],
    })
  })

  it('is refused with a reason otherwise, whatever it is', () => {
    const text = JSON.stringify({ calls: [report] })
    expect(read(text, reportHeaders(now, `${text} `))).toMatchObject({ outcome: 'refused', status: 401 })
    expect(read(JSON.stringify({ calls: [{ ...report, reference: 'mine' }] }))).toMatchObject({ status: 400 })
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.jsonValue().map((value) => JSON.stringify(value)),
        ),
        (body) => {
          expect(read(body)).toMatchObject({ outcome: 'refused', status: 400 })
          expect(read(body, {})).toMatchObject({ outcome: 'refused', status: 401 })
        },
      ),
    )
  })
})
