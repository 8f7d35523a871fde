import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { later, manualClock } from '../../src/clock.ts'
import { rows } from '../../src/database/connect.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { testChannel } from '../support/channel.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { openShop, type Shop } from '../support/shop.ts'

const START = new Date('2026-03-02T09:00:00Z')
const HOUR = 3600
const step = (id: string, after: string) => `{ id: ${id}, after: ${after}, channel: email, template: hello }`
const CAMPAIGN = `
version: 1
campaign: ladder
title: Ladder
schedule: "0 9 * * *"
goals: { recall: { event: session } }
window: 20d
holdout: 0%
tiers:
  - name: all
    inactive: 3d..40d
    steps:
${['0s', '12h', '24h', '36h', '72h'].map((after, no) => `      - ${step(`s${no}`, after)}`).join('\n')}
`

/** @param refuses whether the server says of an address, at the hours passed since the start, that it does not exist */
async function openLadder(people: readonly string[], refuses: (address: string, hours: number) => boolean) {
  const clock = manualClock(START)
  const email = testChannel('email')
  const hours = () => (clock.now().getTime() - START.getTime()) / 1000 / HOUR
  email.answer = ({ address }) =>
    refuses(String(address), hours())
      ? { outcome: 'rejected', reason: 'bad_address', detail: '550 5.1.1 no such user' }
      : { outcome: 'sent' }
  const database = await emptiedDatabase()
  const shop = await openShop({ database, clock, channels: [email] })
  await shop.importContacts(
    people.map((name) => ({
      external_id: name,
      email: `${name}@people.test`,
      signed_up_at: '2026-02-20T09:00:00Z',
    })),
  )
  await shop.apply(CAMPAIGN)
  await shop.run('ladder')
  /** Sends what is due so many hours after the start. */
  const sendAt = async (at: number) => {
    clock.set(later(START, at * HOUR))
    await dispatchDue(database, { now: clock.now(), jobs: 100 }, async (batch) => {
      await processBatch(shop.runtime.worker, batch)
    })
  }
  return { shop, email, sendAt }
}

async function listed({ database }: Shop) {
  return await rows(
    database,
    sql`SELECT c.external_id AS who, s.reason, s.source, s.suppressed_at AS at
      FROM suppressions s JOIN contacts c ON c.email_key = s.key ORDER BY 1`,
  )
}

it('an address refused twice as nobody’s, a day apart, gets no more; one that took a message between, or is another, does', async () => {
  const gone = (address: string, hours: number) =>
    address.startsWith('gone') ||
    (address.startsWith('moody') && hours !== 12) ||
    (address.startsWith('old') && hours < 12)
  const { shop, sendAt } = await openLadder(['fine', 'gone', 'moody', 'old'], gone)
  await sendAt(0)
  await sendAt(12)
  expect(await listed(shop)).toEqual([])
  await sendAt(24)
  const entry = {
    who: 'gone',
    reason: 'hard_bounce',
    source: 'refused by email',
    at: later(START, 24 * HOUR),
  }
  expect(await listed(shop)).toEqual([entry])
  await sendAt(36)
  await sendAt(72)
  // Of moody, what was refused a day and more before the last was refused after it had taken one.
  expect(await listed(shop)).toEqual([entry, { ...entry, who: 'moody', at: later(START, 72 * HOUR) }])
  expect(
    await rows(
      shop.database,
      sql`SELECT s.step, r.state, r.reason FROM touchpoint_records r JOIN steps s USING (step_id)
        JOIN contacts c USING (contact_id) WHERE c.external_id = 'gone' ORDER BY 1`,
    ),
  ).toEqual([
    ...['s0', 's1', 's2'].map((name) => ({ step: name, state: 'failed', reason: 'bad_address' })),
    ...['s3', 's4'].map((name) => ({ step: name, state: 'skipped', reason: 'suppressed' })),
  ])
  await shop.runtime.close()
})

it('another address that the contact was given counts for itself', async () => {
  const { shop, sendAt } = await openLadder(['fine', 'ada'], (address) => !address.startsWith('fine'))
  await sendAt(0)
  await shop.importContacts([{ external_id: 'ada', email: 'lovelace@people.test' }])
  await sendAt(24)
  await sendAt(36)
  expect(await listed(shop)).toEqual([])
  await sendAt(72)
  expect(await listed(shop)).toMatchObject([{ who: 'ada' }])
  await shop.runtime.close()
})

it('a server that says so of everybody’s address lists nobody', async () => {
  const { shop, sendAt, email } = await openLadder(['ada', 'bo'], () => true)
  for (const at of [0, 12, 24, 36, 72]) await sendAt(at)
  expect(email.sent).toHaveLength(10)
  expect(await listed(shop)).toEqual([])
  await shop.runtime.close()
})

it('whoever told the provider to let nothing more through gets no more, from the first refusal on', async () => {
  const { shop, email, sendAt } = await openLadder(['fine', 'left'], () => false)
  const taken = email.answer
  email.answer = (message) =>
    String(message.address).startsWith('left')
      ? { outcome: 'rejected', reason: 'unsubscribed', detail: '21610 unsubscribed recipient' }
      : (taken?.(message) ?? { outcome: 'sent' })
  await sendAt(0)
  expect(await listed(shop)).toEqual([
    { who: 'left', reason: 'unsubscribe', source: expect.stringContaining('email'), at: START },
  ])
  const records = await rows(
    shop.database,
    sql`SELECT c.external_id AS who, r.state, r.reason, count(*) AS messages, max(e.kind) AS said, max(e.detail) AS words
      FROM touchpoint_records r JOIN contacts c USING (contact_id)
      LEFT JOIN delivery_events e USING (contact_id, touchpoint_id)
      WHERE c.external_id = 'left' GROUP BY 1, 2, 3 ORDER BY 2`,
  )
  expect(records).toEqual([
    {
      who: 'left',
      state: 'failed',
      reason: 'unsubscribed',
      messages: 1,
      said: 'unsubscribed',
      words: '21610 unsubscribed recipient',
    },
    { who: 'left', state: 'skipped', reason: 'suppressed', messages: 4, said: null, words: null },
  ])
})
