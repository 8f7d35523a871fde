import { sql } from 'drizzle-orm'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Channel } from '../../src/channels/channel.ts'
import { openEmail } from '../../src/channels/email/email.ts'
import { emailSettings } from '../../src/channels/email/settings.ts'
import { type ManualClock, manualClock } from '../../src/clock.ts'
import { rows } from '../../src/database/connect.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { createSlots } from '../../src/touchpoints/sending/slots.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { openShop, type Shop } from '../support/shop.ts'
import type { Fault, Phase } from '../support/smtp.ts'
import { type RawServer, startRawSmtp } from '../support/smtp-raw.ts'

// The real channel, over real sockets, to a server that misbehaves in each phase: what the pipeline makes of it.

const SOURCE = oneTierCampaign('faults', ['{ id: remind, channel: email, template: hello }'], {
  more: 'limits: { max_delay: 3d }',
})
const START = Date.UTC(2026, 2, 2, 9)
const PEOPLE = 4
const UNLUCKY = 'p3@people.test'

const PHASES: readonly Phase[] = ['connect', 'ehlo', 'mail', 'rcpt', 'data', 'body', 'dot']

interface Case {
  readonly name: string
  readonly fault: Fault
  /** What the first try comes to for those the fault strikes. */
  readonly first: 'sent' | 'planned' | 'failed' | 'uncertain'
}

function cases(phase: Phase): Case[] {
  const whole = phase === 'body' || phase === 'dot'
  const strikes = { at: phase, ...(PHASES.indexOf(phase) >= PHASES.indexOf('rcpt') ? { to: UNLUCKY } : {}) }
  const doubt = whole ? 'uncertain' : 'planned'
  return [
    { name: 'drops', fault: { ...strikes, action: 'drop' }, first: doubt },
    { name: 'stalls', fault: { ...strikes, action: 'stall' }, first: doubt },
    { name: 'says 4xx', fault: { ...strikes, reply: '451 4.3.0 later' }, first: 'planned' },
    {
      name: 'says 5xx',
      fault: { ...strikes, reply: '554 5.7.1 no' },
      // Before RCPT it is about the session or the sender, which all have, and not about anybody's message.
      first: PHASES.indexOf(phase) < PHASES.indexOf('rcpt') ? 'planned' : 'failed',
    },
    ...(phase === 'dot'
      ? [
          {
            name: 'keeps it and drops',
            fault: { ...strikes, action: 'drop', kept: true },
            first: doubt,
          } as const,
        ]
      : []),
  ]
}

describe('a server that misbehaves', () => {
  let smtp: RawServer
  let shop: Shop
  let clock: ManualClock
  let email: Channel
  let people = 0

  beforeAll(async () => {
    smtp = await startRawSmtp()
    clock = manualClock(new Date(START))
    shop = await openShop({ database: await emptiedDatabase(), clock, channels: [] })
    await shop.apply(SOURCE)
  })
  /**
   * Anew for each case: a connection that is open already would not meet the faults at its beginning. Patient where
   * nothing stalls: a busy machine must not look like a slow server.
   */
  function open(patience: number): void {
    clock.advance(3600)
    email = openEmail(
      emailSettings.parse({
        from: 'Shop <hello@shop.example>',
        smtp: {
          host: smtp.host,
          port: smtp.port,
          secure: false,
          require_tls: false,
          connections: 2,
          messages_per_connection: 100,
        },
        price: '0',
      }),
      { connect: patience, greeting: patience, socket: patience, deadline: 2 * patience },
    )
  }
  afterEach(() => email.close())
  afterAll(() => smtp.stop())

  it.each([
    { at: 'mail', outcome: 'retry' },
    { at: 'dot', outcome: 'uncertain' },
  ] as const)(
    'that says nothing at $at is not waited for by a process that ends',
    async ({ at, outcome }) => {
      open(60_000)
      smtp.faults.clear()
      smtp.faults.add({ at, action: 'stall' })
      const { strike } = smtp.faults
      const struck = new Promise<void>((resolve) => {
        smtp.faults.strike = (phase, to) => {
          const fault = strike(phase, to)
          if (fault) resolve()
          return fault
        }
      })
      const content = { subject: 'Hello', html: '<p>Hello</p>', text: 'Hello', fromName: undefined }
      const key = { contactId: 1, touchpointId: 1, key: 'tp-1' }
      const sending = email.send({ ...key, address: 'p1@people.test', content })
      await struck
      smtp.faults.strike = strike
      smtp.faults.clear()
      email.leave?.()
      const detail = 'this process ended before the server answered'
      expect(await sending).toMatchObject({ outcome, detail })
      expect(await email.send({ ...key, address: 'p1@people.test', content })).toMatchObject({
        outcome: 'retry',
      })
    },
  )

  async function work(): Promise<void> {
    const worker = {
      ...shop.runtime.worker,
      channels: new Map([['email', email]]),
      slots: new Map([['email', createSlots(email.concurrency)]]),
    }
    await dispatchDue(shop.database, { now: clock.now(), jobs: 100 }, async (batch) => {
      await processBatch(worker, batch)
    })
  }

  /** States by the contact's place in this wave: `p3` is the one the fault is after. */
  async function states(from: number): Promise<Map<string, string>> {
    const found = await rows<{ email: string; state: string }>(
      shop.database,
      sql`SELECT c.email, t.state FROM (
          SELECT contact_id, state FROM touchpoints UNION ALL SELECT contact_id, state FROM touchpoint_records
        ) t JOIN contacts c USING (contact_id) WHERE c.external_id = ANY (${sql.param(names(from))}::text[])`,
    )
    return new Map(found.map((row) => [row.email, row.state]))
  }

  const names = (from: number) => Array.from({ length: PEOPLE }, (_, n) => `w${from}-p${n + 1}`)

  it.each(
    PHASES.flatMap((phase) => cases(phase).map((one) => ({ ...one, title: `${one.name} at ${phase}` }))),
  )('$title', async ({ fault, first }) => {
    open('action' in fault && fault.action === 'stall' ? 500 : 10_000)
    people += 1
    const wave = people
    smtp.faults.clear()
    const begun = smtp.messages.length
    const addressed = (address: string) => address.replace('@', `.${wave}@`)
    await shop.importContacts(
      names(wave).map((external_id, n) => ({
        external_id,
        email: addressed(`p${n + 1}@people.test`),
        signed_up_at: new Date(clock.now().getTime() - 4 * 86_400_000).toISOString(),
      })),
    )
    await shop.run('faults')
    const unlucky = addressed(UNLUCKY)
    const strikes = 'to' in fault ? { ...fault, to: unlucky } : fault
    smtp.faults.add(strikes)
    await work()
    for (const [address, state] of await states(wave)) {
      expect(`${address} ${state}`).toBe(
        `${address} ${strikes.to === undefined || address === unlucky ? first : 'sent'}`,
      )
    }
    // It recovers: who was put off gets the message after all.
    smtp.faults.clear()
    clock.advance(3600)
    await work()
    const last = await states(wave)
    expect(last.size).toBe(PEOPLE)
    for (const [address, state] of last) {
      const struck = strikes.to === undefined || address === unlucky
      expect(`${address} ${state}`).toBe(`${address} ${struck && first !== 'planned' ? first : 'sent'}`)
    }
    const arrived = smtp.messages.slice(begun).flatMap((mail) => mail.to)
    expect(new Set(arrived).size).toBe(arrived.length)
    for (const [address, state] of last) if (state === 'sent') expect(arrived).toContain(address)
  })

  it('or that is not there at all, puts off until it is', async () => {
    open(10_000)
    people += 1
    await shop.importContacts(
      names(people).map((external_id) => ({
        external_id,
        email: `${external_id}@people.test`,
        signed_up_at: new Date(clock.now().getTime() - 4 * 86_400_000).toISOString(),
      })),
    )
    await shop.run('faults')
    await smtp.stop()
    await work()
    expect([...(await states(people)).values()]).toEqual(Array.from({ length: PEOPLE }, () => 'planned'))
    // Nobody comes for longer than all the pauses between tries: it was not tried, and waits on.
    for (let looks = 0; looks < 6; looks += 1) {
      clock.advance(6 * 3600)
      await work()
    }
    expect([...(await states(people)).values()]).toEqual(Array.from({ length: PEOPLE }, () => 'planned'))
    // Until its own time is over.
    clock.advance(2 * 86_400)
    await work()
    expect([...(await states(people)).values()]).toEqual(Array.from({ length: PEOPLE }, () => 'skipped'))
  })
})
