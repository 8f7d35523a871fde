import fc from 'fast-check'
import { expect, it } from 'vitest'
import { isDone, withDone } from '../../src/database/chunks.ts'
import { STRIPE_WIDTH } from '../../src/database/stripes.ts'

const end = (place: number) => (place + 1) * STRIPE_WIDTH - 1

it('knows what is done, whatever order the chunks of a pass end in (property)', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat({ max: 12 }), { minLength: 1 }),
      // A run that was interrupted in the middle of a chunk, by a version that counted contacts.
      fc.integer({ min: 0, max: STRIPE_WIDTH - 2 }),
      (order, cursor) => {
        let progress = { cursor, ahead: [] as readonly number[] }
        const done = new Set<number>()
        for (const place of order) {
          done.add(place)
          progress = withDone(progress, end(place))
          for (let other = 0; other <= 12; other += 1)
            expect(isDone(progress, end(other))).toBe(done.has(other))
        }
        // Nothing is remembered apart that the cursor says already.
        let first = 0
        while (done.has(first)) first += 1
        expect(progress.cursor).toBe(first === 0 ? cursor : end(first - 1))
        expect(progress.ahead).toHaveLength(done.size - first)
      },
    ),
  )
})
