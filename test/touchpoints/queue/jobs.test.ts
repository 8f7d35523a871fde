import fc from 'fast-check'
import { expect, it } from 'vitest'
import { batchOf, jobOf } from '../../../src/touchpoints/queue/jobs.ts'

it('names any rows in a job, in their order', () => {
  const key = fc.record({ contactId: fc.maxSafeNat(), touchpointId: fc.maxSafeNat() })
  fc.assert(
    fc.property(fc.array(key), (keys) => {
      expect(batchOf(jobOf({ stepId: 7, keys }))).toEqual({ stepId: 7, keys })
      const rated = { stepId: 7, keys, ratedOn: '2026-03-02' }
      expect(batchOf(jobOf(rated))).toEqual(rated)
    }),
  )
})
