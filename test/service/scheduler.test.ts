import { expect, it } from 'vitest'
import { sumsWait } from '../../src/service/scheduler.ts'

it('the sums of reports wait while messages go out, though not for ever', () => {
  const latest = 600_000
  // Before the first look, while batches are handed over, and in the lull after them.
  expect(sumsWait(10, undefined, latest)).toBe(true)
  expect(sumsWait(100_000, 100_000, latest)).toBe(true)
  expect(sumsWait(104_999, 100_000, latest)).toBe(true)
  expect(sumsWait(105_000, 100_000, latest)).toBe(false)
  // Nothing was due at all.
  expect(sumsWait(10, Number.NEGATIVE_INFINITY, latest)).toBe(false)
  // However much goes out.
  expect(sumsWait(latest, latest, latest)).toBe(false)
  expect(sumsWait(latest, undefined, latest)).toBe(false)
})
