import type { Batch } from '../dispatch.ts'
import type { TouchpointKey } from '../keys.ts'

// What stands in a queue. A job names rows and nothing else, so the queue may be flushed at any moment.

/**
 * One batch: touchpoints of one step, as text. On PostgreSQL a job's data is jsonb, where eight hundred numbers cost
 * twenty times what one string does, and were the dearest statement of a run.
 */
export interface Job {
  readonly stepId: number
  /** `contact.touchpoint`, each in base 36 and as the difference to the one before: neighbours by due time are often neighbours. */
  readonly keys: string
  /** As of the batch. */
  readonly ratedOn?: string | undefined
}

export function jobOf({ stepId, keys, ratedOn }: Batch): Job {
  let before: TouchpointKey = { contactId: 0, touchpointId: 0 }
  const differences: string[] = []
  for (const key of keys) {
    const contact = (key.contactId - before.contactId).toString(36)
    const touchpoint = (key.touchpointId - before.touchpointId).toString(36)
    differences.push(`${contact}.${touchpoint}`)
    before = key
  }
  return { stepId, keys: differences.join(), ratedOn }
}

/** The batch of {@link jobOf}, its keys in their order. */
export function batchOf(job: Job): Batch {
  return { stepId: job.stepId, keys: keysOf(job), ratedOn: job.ratedOn }
}

function keysOf(job: Job): TouchpointKey[] {
  if (job.keys === '') return []
  let contactId = 0
  let touchpointId = 0
  return job.keys.split(',').map((difference) => {
    const [contact = '0', touchpoint = '0'] = difference.split('.')
    contactId += Number.parseInt(contact, 36)
    touchpointId += Number.parseInt(touchpoint, 36)
    return { contactId, touchpointId }
  })
}
