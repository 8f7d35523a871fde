import { expect, it } from 'vitest'
import { restAfter, restAfterFailure } from '../../src/service/loop.ts'

it('a heavy round is followed by a rest in proportion, a light one by the usual', () => {
  expect(restAfter(900, 50, 0.1)).toBe(50)
  expect(restAfter(1000, 15_000, 0.1)).toBe(15_000)
  expect(restAfter(2000, 15_000, 0.1)).toBe(18_000)
  expect(restAfter(50_000, 15_000, 0.1)).toBe(450_000)
  expect(restAfter(300_000, 600_000, 0.25)).toBe(900_000)
  expect(restAfter(50_000, 15_000, 1)).toBe(15_000)
})

it('heavy work that fails by itself rests in proportion, too; a database that is away is looked for as often as ever', () => {
  const defect = new Error('division by zero')
  expect(restAfterFailure(defect, 20, 1000)).toBe(1000)
  expect(restAfterFailure(defect, 60_000, 1000)).toBe(180_000)
  const away = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  expect(restAfterFailure(away, 30_000, 1000)).toBe(1000)
})
