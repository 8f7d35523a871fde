import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DeliveryEvent } from '../../src/channels/channel.ts'
import { readReference, referenceOf } from '../../src/channels/reference.ts'
import { manualClock } from '../../src/clock.ts'
import { readChoice, recordChoice } from '../../src/contacts/preferences.ts'
import { rows, transaction } from '../../src/database/connect.ts'
import { voicesOf } from '../../src/database/listings.ts'
import { takeReceipts } from '../../src/service/receipts.ts'
import { closeCalling, openCalling, report, tasks, work } from '../support/calling.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop, type Shop } from '../support/shop.ts'

// A provider that serves rehearsals and production reports of both to one address.

const AT = new Date('2026-03-10T09:00:00Z')

async function openReporting(name: 'email' | 'inapp' = 'email'): Promise<{
  shop: Shop
  say: (events: readonly DeliveryEvent[]) => Promise<unknown>
}> {
  let said: readonly DeliveryEvent[] = []
  const receipts = () => ({ outcome: 'accepted' as const, events: said, replies: [] })
  const shop = await openShop({
    database: await freshDatabase(),
    clock: manualClock(AT),
    channels: [{ ...testChannel(name), receipts }],
  })
  const say = async (events: readonly DeliveryEvent[]) => {
    said = events
    return await takeReceipts(shop.runtime, name, {
      url: `https://w.test/v1/receipts/${name}`,
      provider: undefined,
      headers: {},
      body: new Uint8Array(),
    })
  }
  return { shop, say }
}

/** A message to u1 that was tried. */
async function addMessage(shop: Shop): Promise<{ contactId: number; touchpointId: number }> {
  await shop.importContacts([{ external_id: 'u1', email: 'u1@mail.example' }])
  const [message] = await rows<{ contactId: number; touchpointId: number }>(
    shop.database,
    sql`INSERT INTO touchpoints (contact_id, episode_id, step_id, attempt, planned_for, due_at)
        SELECT contact_id, 1, 1, 1, ${AT}, ${AT} FROM contacts
        RETURNING contact_id AS "contactId", touchpoint_id AS "touchpointId"`,
  )
  if (!message) throw new Error('no message')
  return message
}

describe('whoever tells the provider that they want no more gets no more', () => {
  it('by e-mail: the address is on the list, as its person’s own word', async () => {
    const { shop, say } = await openReporting()
    const message = await addMessage(shop)
    expect(await say([{ ...message, kind: 'unsubscribed', eventId: 'e1', at: AT }])).toMatchObject({
      added: 1,
      suppressed: 1,
    })
    const listed = await rows<{ reason: string; source: string }>(
      shop.database,
      sql`SELECT s.reason, s.source FROM suppressions s JOIN contacts c ON c.email_key = s.key`,
    )
    expect(listed).toEqual([{ reason: 'unsubscribe', source: 'receipt of email' }])
    expect(listed.flatMap(voicesOf)).toMatchObject([{ by: 'person' }])
  })

  it.each(['unsubscribed', 'complaint'] as const)(
    'by a channel that goes to no address: a report of %s refuses that channel, once',
    async (kind) => {
      const { shop, say } = await openReporting('inapp')
      const message = await addMessage(shop)
      const off = async () =>
        (await readChoice(shop.database, message.contactId, shop.clock.now()))?.channelsOff
      const event = { ...message, kind, eventId: 'e1', at: AT }
      expect(await say([event])).toMatchObject({ added: 1 })
      expect(await off()).toEqual(['inapp'])
      // They choose anew; the provider repeats itself.
      shop.clock.set(new Date(AT.getTime() + 3_600_000))
      const chosen = { channelsOff: [], topicsOff: [], frequency: null, pausedUntil: null, source: 'app' }
      const options = { now: shop.clock.now(), hooks: shop.runtime.hooks }
      await transaction(shop.database, (tx) => recordChoice(tx, message.contactId, chosen, options))
      shop.clock.set(new Date(AT.getTime() + 7_200_000))
      expect(await say([event])).toMatchObject({ added: 0 })
      expect(await off()).toEqual([])
    },
  )
})

it('an event of another installation’s message silences nobody of this one', async () => {
  const { shop, say } = await openReporting()
  const message = await addMessage(shop)
  const event = (reference: string, eventId: string): DeliveryEvent => {
    const named = readReference(reference)
    if (!named) throw new Error(reference)
    return { ...named, kind: 'delivered', eventId, at: AT }
  }
  const { name } = shop.runtime.worker.installation
  expect(await say([event(referenceOf({ ...message, installation: 'anothers' }), 'e1')])).toMatchObject({
    outcome: 'taken',
    added: 0,
    ignored: 1,
  })
  const ours = [referenceOf({ ...message, installation: name }), referenceOf(message)]
  expect(await say(ours.map((reference, no) => event(reference, `e${no + 2}`)))).toMatchObject({
    outcome: 'taken',
    added: 2,
    ignored: 0,
  })
})

beforeAll(() => openCalling(3, true))
afterAll(closeCalling)

it('a robot’s report of another installation’s call is left alone, and holds up nothing behind it', async () => {
  await work()
  const [task] = tasks()
  if (!task) throw new Error('no call')
  const about = (reference: string, id: string) => ({
    reference,
    id,
    at: AT.toISOString(),
    outcome: 'reached',
    minutes: 1,
  })
  const named = readReference(task.reference)
  if (!named) throw new Error(task.reference)
  const foreign = referenceOf({ ...named, installation: 'anothers' })
  expect(await report([about(foreign, 'c1'), about(task.reference, 'c2')])).toMatchObject({ status: 200 })
  expect(await report([about(task.reference, 'c2')])).toMatchObject({ status: 200 })
})
