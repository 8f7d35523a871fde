import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { execute, rows } from '../../src/database/connect.ts'
import { freshen, freshenSignals } from '../../src/service/signals.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop, type Shop, WORKSPACE } from '../support/shop.ts'

const NOW = new Date('2026-06-01T09:00:00Z')
const BEFORE = WORKSPACE
const AFTER = `${WORKSPACE}activity: [session, visit]\norders: { event: purchase }\n`

const open = async (workspace: string, database = freshDatabase()) =>
  openShop({ database: await database, clock: manualClock(NOW), channels: [testChannel('log')], workspace })

async function fill(shop: Shop): Promise<Shop> {
  const event = (id: string, type: string, at: string, value?: number) => ({
    external_id: id,
    type,
    occurred_at: `2026-05-${at}:00Z`,
    ...(value === undefined ? {} : { value }),
  })
  await shop.importContacts(
    ['visitor', 'buyer', 'nobody'].map((id) => ({ external_id: id, signed_up_at: '2026-04-01' })),
  )
  await shop.importActivity([
    event('visitor', 'visit', '30T08:00'),
    event('visitor', 'session', '02T08:00'),
    event('buyer', 'order', '20T08:00', 10),
    event('buyer', 'purchase', '10T08:00', 3),
    event('buyer', 'purchase', '12T08:00'),
    event('unknown', 'visit', '03T08:00'),
  ])
  return shop
}

async function summed({ database }: Shop): Promise<Record<string, unknown>> {
  const contacts = await rows<Record<string, unknown>>(
    database,
    sql`SELECT external_id, to_jsonb(a) - 'contact_id' AS sums FROM contacts JOIN contact_activity a USING (contact_id)
        ORDER BY external_id`,
  )
  return {
    contacts,
    feed: await rows(database, sql`SELECT day::text, events, newest_at FROM feed_days ORDER BY day`),
  }
}

it('sums up anew what everybody did where other types count: of what came before, and of nothing twice', async () => {
  const [shop, asked] = [await fill(await open(BEFORE)), await fill(await open(AFTER))]
  const [before, after] = [await summed(shop), await summed(asked)]
  expect(before).not.toEqual(after)
  await freshen(shop.runtime)
  expect(await summed(shop)).toEqual(before)

  const changed = await open(AFTER, Promise.resolve(shop.database))
  // Whoever only looks, by a file that need not be in force, changes nobody's.
  await freshenSignals(changed.runtime)
  expect(await summed(shop)).toEqual(before)
  await freshen(changed.runtime)
  expect(await summed(shop)).toEqual(after)
  await fill(changed)
  expect(await summed(shop)).toEqual(after)
  await freshen(shop.runtime)
  expect(await summed(shop)).toEqual(before)
})

it('knows by which types the sums are where only signals say so, and believes none where nothing does', async () => {
  const shop = await fill(await open(BEFORE))
  await freshen(shop.runtime)
  const forget = () => execute(shop.database, sql`DELETE FROM settings WHERE name = 'counted_types'`)
  const wrong = () => execute(shop.database, sql`UPDATE contact_activity SET activity_count = 99`)
  const right = await summed(shop)
  await forget()
  await wrong()
  const kept = await summed(shop)
  await freshen(shop.runtime)
  expect(await summed(shop)).toEqual(kept)
  await forget()
  await execute(shop.database, sql`DELETE FROM signal_rules`)
  await freshen(shop.runtime)
  expect(await summed(shop)).toEqual(right)
})
