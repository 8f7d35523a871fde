import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { rows } from '../../src/database/connect.ts'
import { openSharedClock } from '../../src/database/shared-clock.ts'
import { freshDatabase } from '../support/database.ts'

const DAY = 86_400_000

/** A machine's clock that is so far ahead. */
function machine(ahead: number) {
  const one = { ahead, now: () => new Date(Date.now() + one.ahead) }
  return one
}

it.each([DAY, -DAY, 5_000])('a machine whose clock is %i ms ahead goes by the database’s', async (ahead) => {
  const database = await freshDatabase()
  const clock = await openSharedClock(database, machine(ahead))
  const before = clock.now().getTime()
  const [answer] = await rows<{ now: Date }>(database, sql`SELECT clock_timestamp() AS now`)
  const after = clock.now().getTime()
  const now = answer?.now.getTime() ?? 0
  expect(now).toBeGreaterThanOrEqual(before - 1_000)
  expect(now).toBeLessThanOrEqual(after + 1_000)
})

it('a machine that agrees, but for what NTP leaves, goes by its own', async () => {
  const database = await freshDatabase()
  const own = { now: () => new Date(Date.now() + 20) }
  const clock = await openSharedClock(database, own)
  const before = own.now().getTime()
  const said = clock.now().getTime()
  expect(said).toBeGreaterThanOrEqual(before)
  expect(said).toBeLessThanOrEqual(own.now().getTime())
  expect(await clock.renew()).toBe(false)
})

it('a clock that is put right is found out, and said once', async () => {
  const database = await freshDatabase()
  const own = machine(DAY)
  const clock = await openSharedClock(database, own)
  expect(await clock.renew()).toBe(false)
  own.ahead = 0
  expect([await clock.renew(), clock.ahead]).toEqual([true, 0])
  expect(await clock.renew()).toBe(false)
  expect(Math.abs(clock.now().getTime() - Date.now())).toBeLessThan(1_000)
  own.ahead = -60_000
  expect(await clock.renew()).toBe(true)
  expect(Math.abs(clock.ahead + 60_000)).toBeLessThan(1_000)
})

it('an answer that came late says nothing of the time', async () => {
  const database = await freshDatabase()
  const own = machine(0)
  const clock = await openSharedClock(database, own)
  let looks = 0
  const slow = await openSharedClock(database, {
    now: () => {
      looks += 1
      return new Date(looks * 10_000)
    },
  })
  expect(slow.now()).toEqual(new Date(looks * 10_000))
  expect(await clock.renew()).toBe(false)
})
