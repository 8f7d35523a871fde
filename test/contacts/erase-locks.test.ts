import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { findContact } from '../../src/contacts/external-ids.ts'
import { eraseContact } from '../../src/contacts/privacy/erase.ts'
import { connect, type Database, execute, rows, transaction } from '../../src/database/connect.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import { messageOf } from '../../src/errors.ts'
import { suppress } from '../../src/outcomes/do-not-contact.ts'
import { recordReceipts } from '../../src/outcomes/receipts.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { resolve } from '../../src/touchpoints/recovery.ts'
import { afterFile } from '../support/after-file.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { testChannel } from '../support/channel.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { openShop } from '../support/shop.ts'
import { untilWaiting } from '../support/waiting.ts'

// Somebody is erased while what their providers report comes in, each on a connection of its own.

const NOW = new Date('2026-03-10T09:00:00Z')
const RECORDS = 60

const LETTERS = oneTierCampaign(
  'letters',
  ['{ id: one, channel: email, template: hello }', '{ id: two, channel: email, template: hello, after: 1d }'],
  { window: '60d' },
)

async function open() {
  const channel = testChannel('email')
  const clock = manualClock(NOW)
  const shop = await openShop({ database: await emptiedDatabase(), clock, channels: [channel] })
  const { database } = shop
  await shop.importContacts([
    { external_id: 'li', email: 'li@shop.example', signed_up_at: '2026-01-01T00:00:00Z' },
  ])
  const contactId = (await findContact(database, 'li')) ?? 0
  const other = connect(database.url)
  afterFile(() => other.close())
  const erase = async (hooks = shop.runtime.hooks) =>
    await transaction(database, (tx) => eraseContact(tx, contactId, { now: NOW, hooks, phoneKeys: () => [] }))
  return { shop, channel, database, other, contactId, erase }
}

/** Whether anything still stands under an id of a contact, by table. */
async function leftOf(database: Database, contactId: number): Promise<number[]> {
  const counts: number[] = []
  for (const table of ['contacts', 'touchpoints', 'touchpoint_records', 'delivery_events']) {
    const found = await rows(
      database,
      sql`SELECT FROM ${sql.identifier(table)} WHERE contact_id = ${contactId}`,
    )
    counts.push(found.length)
  }
  return counts
}

describe('an erasure', () => {
  it('takes the records of many messages in the order in which late results do', async () => {
    const { database, other, contactId, erase } = await open()
    // What was planned first was tried again, and settled last: in a later month.
    const settled = (no: number) => new Date(Date.UTC(2026, no > RECORDS / 2 ? 0 : 1, 15, 0, RECORDS - no))
    const numbers = Array.from({ length: RECORDS }, (_, index) => index + 1)
    await ensurePartitions(database, 'touchpoint_records', numbers.map(settled))
    for (const no of numbers.toReversed()) {
      await execute(
        database,
        sql`INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, state, channel, attempt,
            planned_for, settled_at)
          VALUES (${contactId}, ${no}, 1, 1, 'uncertain', 'email', 1, ${settled(no)}, ${settled(no)})`,
      )
    }
    const known = numbers.map((touchpointId) => ({
      ...({ contactId, touchpointId, state: 'sent', reason: null, detail: null, channel: null } as const),
      ...{ template: null, providerId: null, cost: 0 },
    }))
    // Somebody holds the one in the middle until both are on their way there.
    const both = await transaction(database, async (tx) => {
      await execute(tx, sql`SELECT FROM touchpoint_records WHERE touchpoint_id = ${RECORDS / 2} FOR UPDATE`)
      const begun = [resolve(other, NOW, known), erase()].map((one) => one.catch(messageOf))
      await untilWaiting(database, 2)
      return begun
    })
    expect(await Promise.all(both)).toEqual([RECORDS, expect.objectContaining({ suppressed: 1 })])
    expect(await leftOf(database, contactId)).toEqual([0, 0, 0, 0])
  })

  it('puts an address on the list before it takes what waits for it, as whatever adds to it does', async () => {
    const { shop, database, other, contactId, erase } = await open()
    await shop.apply(LETTERS)
    await shop.run('letters')
    const reporting = { ...shop.runtime.reporting('email'), kind: 'email' } as const
    const found = shop.runtime
      .addressKeys('email', 'li@shop.example')
      .map((key) => ({ key, reason: 'complaint' }))
    let listed: Promise<unknown> = Promise.resolve()
    const erased = await erase({
      ...shop.runtime.hooks,
      onErased: async (tx, now) => {
        await shop.runtime.hooks.onErased?.(tx, now)
        listed = transaction(other, (second) =>
          suppress(second, now, reporting, { found, source: 'another account' }),
        ).catch(messageOf)
        await untilWaiting(database)
      },
    }).catch(messageOf)
    expect(erased).toMatchObject({ suppressed: 1 })
    expect(await listed).toEqual([])
    expect(await leftOf(database, contactId)).toEqual([0, 0, 0, 0])
  })

  it('leaves nothing of a report that comes in meanwhile', async () => {
    const { shop, channel, database, other, contactId, erase } = await open()
    await shop.apply(LETTERS)
    await shop.run('letters')
    await dispatchDue(database, { now: NOW, jobs: 100 }, async (batch) => {
      await processBatch(shop.runtime.worker, batch)
    })
    const { touchpointId = 0 } = channel.sent[0] ?? {}
    const bounce = {
      ...({ contactId, touchpointId, kind: 'hard_bounce', eventId: 'e-1', at: NOW } as const),
      detail: '550 <li@shop.example> unknown',
    }
    let reported: Promise<unknown> = Promise.resolve()
    const erased = await erase({
      ...shop.runtime.hooks,
      onErased: async (tx, now) => {
        await shop.runtime.hooks.onErased?.(tx, now)
        const reporting = shop.runtime.reporting('email')
        reported = recordReceipts(other, NOW, reporting, [bounce]).catch(messageOf)
        await untilWaiting(database)
      },
    }).catch(messageOf)
    expect(erased).toMatchObject({ suppressed: 1 })
    expect(await reported).toMatchObject({ added: 0, ignored: 1 })
    expect(await leftOf(database, contactId)).toEqual([0, 0, 0, 0])
  })
})
