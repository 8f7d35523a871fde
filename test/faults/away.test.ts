import { sql } from 'drizzle-orm'
import { afterEach, describe, expect, it } from 'vitest'
import type { Channel } from '../../src/channels/channel.ts'
import { openEmail } from '../../src/channels/email/email.ts'
import { emailSettings } from '../../src/channels/email/settings.ts'
import { webhookSettings } from '../../src/channels/webhook/settings.ts'
import { openWebhook } from '../../src/channels/webhook/webhook.ts'
import { manualClock } from '../../src/clock.ts'
import { rows } from '../../src/database/connect.ts'
import { readAbsences } from '../../src/reports/absences.ts'
import { readWaiting } from '../../src/reports/deferral.ts'
import { serveWebhook } from '../../src/simulator/providers/signed.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { freePort } from '../support/ports.ts'
import { openProvider } from '../support/provider.ts'
import { openShop, WORKSPACE } from '../support/shop.ts'
import { startRawSmtp } from '../support/smtp-raw.ts'

// A provider that is away for long, behind a port at which nobody listens, and then somebody does: the real channels, over
// real sockets, in the whole pipeline. What never reached it has not been tried.

const START = Date.UTC(2026, 2, 2, 9)
const PEOPLE = 60
const SECRET = 'sixteen letters at least'
const MINUTE = 60_000

const PROVIDERS: readonly {
  readonly name: 'email' | 'webhook'
  open(port: number): Channel
  /** Somebody listens there. @returns what has come in, a name for each message */
  appear(port: number): Promise<{ taken(): readonly string[]; stop(): Promise<void> }>
}[] = [
  {
    name: 'email',
    open: (port) =>
      openEmail(
        emailSettings.parse({
          from: 'Shop <hello@shop.example>',
          smtp: { host: '127.0.0.1', port, secure: false, require_tls: false, connections: 2 },
          price: '0',
        }),
      ),
    appear: async (port) => {
      const smtp = await startRawSmtp({ port })
      return { taken: () => smtp.messages.flatMap((mail) => mail.to), stop: () => smtp.stop() }
    },
  },
  {
    name: 'webhook',
    open: (port) =>
      openWebhook(
        webhookSettings.parse({
          url: `http://127.0.0.1:${port}/`,
          secret: SECRET,
          allow_private: ['127.0.0.1'],
          batch: 5,
          connections: 2,
        }),
      ),
    appear: async (port) => {
      const provider = await openProvider(serveWebhook(SECRET), port)
      const taken = () =>
        provider.asked.flatMap(({ body }) =>
          (JSON.parse(body.toString()) as { items: { key: string }[] }).items.map(({ key }) => key),
        )
      return { taken, stop: () => provider.stop() }
    },
  },
]

describe.each(PROVIDERS)('$name, whose provider is away', ({ name, open, appear }) => {
  const stops: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop()
  })

  async function shopWith(port: number, maxDelay: string) {
    const clock = manualClock(new Date(START))
    const channel = open(port)
    stops.push(() => channel.close())
    const workspace = WORKSPACE.replace(
      '  log: {}',
      `  log: {}\n  webhook: { url: "http://127.0.0.1:${port}/", secret: "${SECRET}", allow_private: [127.0.0.1] }`,
    )
    const shop = await openShop({ database: await emptiedDatabase(), clock, channels: [channel], workspace })
    const step = `{ id: remind, channel: ${name}, template: hello }`
    await shop.apply(oneTierCampaign('away', [step], { more: `limits: { max_delay: ${maxDelay} }` }))
    await shop.importContacts(
      Array.from({ length: PEOPLE }, (_, n) => ({
        external_id: `p${n}`,
        email: `p${n}@people.test`,
        signed_up_at: new Date(START - 4 * 86_400_000).toISOString(),
      })),
    )
    await shop.run('away')
    const offered = countSends(channel)
    const work = (minutes: number) => {
      clock.advance(minutes * 60)
      return dispatchDue(shop.database, { now: clock.now(), jobs: 100 }, async (batch) => {
        await processBatch({ ...shop.runtime.worker, onReach: (news) => told.push(news.channel) }, batch)
      })
    }
    const told: string[] = []
    const states = () =>
      rows<{ state: string; attempt: number; people: number }>(
        shop.database,
        sql`SELECT state, attempt, count(*) AS people FROM (
            SELECT state, attempt FROM touchpoints UNION ALL SELECT state, attempt FROM touchpoint_records
          ) t GROUP BY 1, 2 ORDER BY 1, 2`,
      )
    return { shop, clock, channel, work, states, offered, told }
  }

  it('loses none of its messages, nor any of their tries, though it is away for half a day', async () => {
    const port = await freePort()
    const { shop, clock, work, states, offered, told } = await shopWith(port, '2d')
    await work(0)
    const first = offered()
    expect(first).toBeLessThan(PEOPLE)
    // Away for half a day: all the pauses between tries are less than nine hours.
    let most = 0
    for (let minutes = 0; minutes < 720; minutes += 5) {
      const before = offered()
      await work(5)
      most = Math.max(most, offered() - before)
    }
    expect(await states()).toEqual([{ state: 'planned', attempt: 0, people: PEOPLE }])
    // Each try of the provider is one message of one batch, and there is one in fifteen minutes.
    expect(most).toBe(1)
    expect(offered() - first).toBeLessThanOrEqual(4 + 720 / 15)
    expect(offered() - first).toBeGreaterThan(40)
    expect(await readWaiting(shop.database, clock.now())).toMatchObject([
      { why: 'unreachable', touchpoints: PEOPLE },
    ])
    const [absent, ...others] = await readAbsences(shop.database, clock.now(), 'away')
    expect(others).toEqual([])
    expect(absent).toMatchObject({ channel: name, since: new Date(START), waiting: PEOPLE })
    expect(absent?.detail).toContain('ECONNREFUSED')
    expect((absent?.nextAt.getTime() ?? 0) - clock.now().getTime()).toBeLessThanOrEqual(15 * MINUTE)

    const provider = await appear(port)
    stops.unshift(provider.stop)
    await work(15)
    // Those that were put back a moment before it came.
    await work(1)
    expect(await states()).toEqual([{ state: 'sent', attempt: 1, people: PEOPLE }])
    expect(new Set(provider.taken()).size).toBe(PEOPLE)
    expect(provider.taken()).toHaveLength(PEOPLE)
    expect(await readAbsences(shop.database, clock.now())).toEqual([])
    expect(new Set(told)).toEqual(new Set([name]))
  })

  it('sends nothing that is too late by the time it is back, and says so', async () => {
    const port = await freePort()
    const { clock, work, states, shop } = await shopWith(port, '6h')
    await work(0)
    await work(5)
    const provider = await appear(port)
    stops.unshift(provider.stop)
    clock.advance(6 * 3600)
    await work(0)
    expect(await states()).toEqual([{ state: 'skipped', attempt: 0, people: PEOPLE }])
    const [reason] = await rows(shop.database, sql`SELECT DISTINCT reason FROM touchpoint_records`)
    expect(reason).toEqual({ reason: 'too_late' })
    expect(provider.taken()).toEqual([])
  })
})

it('a webhook whose gateway answers 503 for half a day costs no message its tries, and none is sent under two keys', async () => {
  const provider = await openProvider(serveWebhook(SECRET))
  const clock = manualClock(new Date(START))
  const settings = {
    url: provider.url,
    secret: SECRET,
    allow_private: ['127.0.0.1'],
    batch: 5,
    connections: 2,
  }
  const channel = openWebhook(webhookSettings.parse(settings))
  const workspace = WORKSPACE.replace(
    '  log: {}',
    `  log: {}\n  webhook: { url: "${provider.url}", secret: "${SECRET}", allow_private: [127.0.0.1] }`,
  )
  const shop = await openShop({ database: await emptiedDatabase(), clock, channels: [channel], workspace })
  const step = '{ id: remind, channel: webhook, template: hello }'
  await shop.apply(oneTierCampaign('away', [step], { more: 'limits: { max_delay: 2d }' }))
  await shop.importContacts(
    Array.from({ length: PEOPLE }, (_, n) => ({
      external_id: `p${n}`,
      signed_up_at: new Date(START - 4 * 86_400_000).toISOString(),
    })),
  )
  await shop.run('away')
  const work = (minutes: number) => {
    clock.advance(minutes * 60)
    return dispatchDue(shop.database, { now: clock.now(), jobs: 100 }, async (batch) => {
      await processBatch(shop.runtime.worker, batch)
    })
  }
  provider.instead = { status: 503, headers: { 'Retry-After': '30' } }
  for (let minutes = 0; minutes <= 720; minutes += 5) await work(minutes === 0 ? 0 : 5)
  const [waiting] = await rows<{ people: number; most: number; tried: number }>(
    shop.database,
    sql`SELECT count(*)::int AS people, max(attempt) AS most, sum(attempt)::int AS tried FROM touchpoints`,
  )
  expect(waiting).toMatchObject({ people: PEOPLE })
  // Those by which it was found out, and no others.
  expect(waiting?.tried).toBeLessThanOrEqual(10)
  const [absent] = await readAbsences(shop.database, clock.now(), 'away')
  expect(absent).toMatchObject({ channel: 'webhook', since: new Date(START), waiting: PEOPLE })
  expect(absent?.detail).toContain('503')
  provider.instead = undefined
  for (let hours = 0; hours < 8; hours += 1) await work(60)
  expect(await rows(shop.database, sql`SELECT DISTINCT state FROM touchpoint_records`)).toEqual([
    { state: 'sent' },
  ])
  const keys = provider.asked.flatMap(({ body }) =>
    (JSON.parse(body.toString()) as { items: { key: string }[] }).items.map(({ key }) => key),
  )
  expect([keys.length, new Set(keys).size]).toEqual([PEOPLE, PEOPLE])
  await channel.close()
  await provider.stop()
})

/** Sends a channel was given until now. */
function countSends(channel: Channel): () => number {
  let sends = 0
  const { send } = channel
  Object.assign(channel, {
    send: (message: Parameters<Channel['send']>[0]) => {
      sends += 1
      return send(message)
    },
  })
  return () => sends
}
