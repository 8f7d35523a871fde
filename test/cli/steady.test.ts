import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { steady } from '../../src/cli/steady.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('shows what is under way while one long query runs, and nothing once it is done', () => {
  const seen: string[] = []
  const progress = steady({
    update: (done, total, detail) => seen.push(`${done}/${total} ${detail}`),
    finish: () => seen.push('finished'),
  })
  progress.update(1, 5, 'coupon')
  vi.advanceTimersByTime(1000)
  progress.finish()
  vi.advanceTimersByTime(1000)
  expect(seen).toEqual([...Array.from({ length: 5 }, () => '1/5 coupon'), 'finished'])
})
