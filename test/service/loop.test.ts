import { expect, it } from 'vitest'
import { restAfter } from '../../src/service/loop.ts'

it('a heavy round is followed by a rest in proportion, a light one by the usual', () => {
  expect(restAfter(900, 50, 0.1)).toBe(50)
  expect(restAfter(1000, 15_000, 0.1)).toBe(15_000)
  expect(restAfter(2000, 15_000, 0.1)).toBe(18_000)
  expect(restAfter(50_000, 15_000, 0.1)).toBe(450_000)
  expect(restAfter(300_000, 600_000, 0.25)).toBe(900_000)
  expect(restAfter(50_000, 15_000, 1)).toBe(15_000)
})
