import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { findContact } from '../../src/contacts/external-ids.ts'
import { eraseContact } from '../../src/contacts/privacy/erase.ts'
import { connect, execute, transaction } from '../../src/database/connect.ts'
import { lockPersons } from '../../src/database/person-locks.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop, WORKSPACE } from '../support/shop.ts'

it('of a person is one for all accounts, also after the one it is named after was erased', async () => {
  const shop = await openShop({
    database: await freshDatabase(),
    clock: manualClock(new Date('2026-03-10T09:00:00Z')),
    channels: [testChannel('email')],
    workspace: WORKSPACE,
  })
  const { database } = shop
  const ids = ['a', 'b', 'c', 'd']
  await shop.importContacts(
    ids.map((external_id) => ({
      external_id,
      email: external_id === 'd' ? 'other@shop.example' : 'li@shop.example',
      signed_up_at: '2026-01-01T00:00:00Z',
    })),
  )
  const [a = 0, b = 0, c = 0, d = 0] = await Promise.all(ids.map((id) => findContact(database, id)))
  const other = connect(database.url)
  /** Whether one who has locked the first account keeps out whoever wants the second. */
  const keepsOut = (one: number, two: number) =>
    transaction(database, async (tx) => {
      await lockPersons(tx, [one])
      return await transaction(other, async (second) => {
        await execute(second, sql`SET LOCAL lock_timeout = '200ms'`)
        await lockPersons(second, [two])
        return false
      }).catch(() => true)
    })
  try {
    expect(await keepsOut(b, c)).toBe(true)
    expect(await keepsOut(b, d)).toBe(false)
    const { hooks } = shop.runtime
    const now = shop.clock.now()
    await transaction(database, (tx) => eraseContact(tx, a, { now, hooks, phoneKeys: () => [] }))
    expect(await keepsOut(b, c)).toBe(true)
    expect(await keepsOut(b, d)).toBe(false)
  } finally {
    await other.close()
  }
})
