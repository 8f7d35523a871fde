import { expect, it } from 'vitest'
import { binomialDraws, seeded } from '../support/draws.ts'

// The chance that other tests are drawn with is itself held against what is known of it.

it.each([
  [200, 0.12],
  // That none of so many succeeds is less probable than any number above nought can say.
  [9000, 0.12],
  [50_000, 0.4],
])('draws of %d at %d have their mean and their spread', (n, rate) => {
  const draw = binomialDraws(n, rate, seeded('draws'))
  const drawn = Array.from({ length: 4000 }, draw)
  const mean = drawn.reduce((sum, each) => sum + each, 0) / drawn.length
  const spread = Math.sqrt(drawn.reduce((sum, each) => sum + (each - mean) ** 2, 0) / drawn.length)
  const expected = Math.sqrt(n * rate * (1 - rate))
  expect(Math.abs(mean - n * rate)).toBeLessThan((4 * expected) / Math.sqrt(drawn.length))
  expect(spread / expected).toBeCloseTo(1, 1)
})
