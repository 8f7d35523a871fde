import { afterEach, expect, it, vi } from 'vitest'
import { startMinutes } from '../../src/service/minutes.ts'

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

/** What node-cron writes by itself. */
function spied() {
  return [vi.spyOn(console, 'warn'), vi.spyOn(console, 'error'), vi.spyOn(console, 'log')].map((spy) =>
    spy.mockImplementation(() => {}),
  )
}

it('says nothing of the minutes that a machine was asleep, and goes on by the next', async () => {
  vi.useFakeTimers({ now: new Date('2026-11-27T18:00:30Z') })
  const written = spied()
  const errors: unknown[] = []
  let ticks = 0
  const minutes = startMinutes(
    (error) => errors.push(error),
    1000,
    async () => {
      ticks += 1
    },
  )
  await vi.advanceTimersByTimeAsync(60_000)
  expect(ticks).toBe(2)
  // A weekend: timers stand still, and the clock does not.
  vi.setSystemTime(new Date('2026-11-30T08:00:30Z'))
  await vi.advanceTimersByTimeAsync(120_000)
  expect(ticks).toBeGreaterThanOrEqual(3)
  await minutes.stop()
  for (const spy of written) expect(spy).not.toHaveBeenCalled()
  expect(errors).toEqual([])
})

it.each([
  ['the middle', '18:00:30.000Z'],
  ['the end', '18:00:59.700Z'],
])(
  'does not go through the minutes that were passed over where the clock is put forward at %s of one',
  async (_, at) => {
    // Before there is a pretended one, which asks it.
    const asked = vi.spyOn(Intl.DateTimeFormat.prototype, 'formatToParts')
    vi.useFakeTimers({ now: new Date('2016-11-27T18:00:10Z') })
    let ticks = 0
    const minutes = startMinutes(
      (error) => expect.unreachable(String(error)),
      1000,
      async () => {
        ticks += 1
      },
    )
    await vi.advanceTimersByTimeAsync(Date.parse(`2016-11-27T${at}`) - Date.now())
    asked.mockClear()
    // Three days are 4,320 minutes; a machine without a battery that hears the time passes over years of them.
    vi.setSystemTime(new Date(`2016-11-30T${at}`))
    await vi.advanceTimersByTimeAsync(120_000)
    expect(ticks).toBe(3)
    expect(asked.mock.calls.length).toBeLessThan(100)
    await minutes.stop()
  },
)

it.each([
  ['the one at the start', 1],
  ['a later one', 2],
])('does nothing twice at a time, however long %s takes, and says nothing of it', async (_, long) => {
  vi.useFakeTimers({ now: new Date('2026-11-27T18:00:30Z') })
  const written = spied()
  let end = () => {}
  let ticks = 0
  const minutes = startMinutes(
    () => {},
    1000,
    () => {
      ticks += 1
      return ticks === long
        ? new Promise<void>((resolve) => {
            end = resolve
          })
        : Promise.resolve()
    },
  )
  await vi.advanceTimersByTimeAsync(600_000)
  expect(ticks).toBe(long)
  end()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(ticks).toBe(long + 1)
  await minutes.stop()
  for (const spy of written) expect(spy).not.toHaveBeenCalled()
})

it('tells of a round that failed, and stops once the one under way has ended', async () => {
  vi.useFakeTimers({ now: new Date('2026-11-27T18:00:30Z') })
  const errors: unknown[] = []
  let end = () => {}
  let ticks = 0
  const minutes = startMinutes(
    (error) => errors.push(error),
    1000,
    () => {
      ticks += 1
      if (ticks === 1) return Promise.reject(new Error('no such table'))
      return new Promise<void>((resolve) => {
        end = resolve
      })
    },
  )
  await vi.advanceTimersByTimeAsync(60_000)
  expect([ticks, errors]).toEqual([2, [new Error('no such table')]])
  let stopped = false
  const stopping = minutes.stop().then(() => {
    stopped = true
  })
  await vi.advanceTimersByTimeAsync(120_000)
  expect([ticks, stopped]).toEqual([2, false])
  end()
  await stopping
})
