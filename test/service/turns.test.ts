import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openTurns } from '../../src/service/turns.ts'

/** A task that ends when it is told to. */
function heldTask() {
  let end = () => {}
  let fail = (_error: unknown) => {}
  const ended = new Promise<void>((resolve, reject) => {
    end = resolve
    fail = reject
  })
  const task = {
    begun: false,
    end,
    fail,
    run: () => {
      task.begun = true
      return ended
    },
  }
  return task
}

/** Lets everything go on that waits for nothing. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

describe('turns', () => {
  it('go on beside each other where they share no contact, and wait where they do', async () => {
    const turns = openTurns(3)
    const [first, beside, after] = [heldTask(), heldTask(), heldTask()]
    await turns.begin([1, 2], first.run)
    await turns.begin([3], beside.run)
    const begun = turns.begin([2, 4], after.run)
    await settle()
    expect([first.begun, beside.begun, after.begun]).toEqual([true, true, false])
    first.end()
    await begun
    expect(after.begun).toBe(true)
    beside.end()
    after.end()
    await turns.finish()
  })

  it('are no more at a time than there is room for', async () => {
    const turns = openTurns(1)
    const [first, next] = [heldTask(), heldTask()]
    await turns.begin([1], first.run)
    const begun = turns.begin([2], next.run)
    await settle()
    expect(next.begun).toBe(false)
    first.end()
    await begun
    next.end()
    await turns.finish()
  })

  it('end with what a task failed with, after all have ended', async () => {
    const turns = openTurns(2)
    const [failing, other] = [heldTask(), heldTask()]
    await turns.begin([1], failing.run)
    await turns.begin([2], other.run)
    failing.fail(new Error('no more paper'))
    let finished = false
    const finishing = turns.finish().finally(() => {
      finished = true
    })
    await settle()
    expect(finished).toBe(false)
    other.end()
    await expect(finishing).rejects.toThrow('no more paper')
    await expect(turns.begin([3], async () => {})).rejects.toThrow('no more paper')
  })

  it('leave every contact’s tasks in their order, none of them beside another', async () => {
    const batches = fc.array(fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { minLength: 1 }), {
      maxLength: 20,
    })
    await fc.assert(
      fc.asyncProperty(
        batches,
        fc.integer({ min: 1, max: 4 }),
        fc.infiniteStream(fc.nat(3)),
        async (all, width, pauses) => {
          const turns = openTurns(width)
          const told = new Map<number, string[]>()
          const tell = (no: number, contacts: readonly number[], what: string) => {
            for (const contact of contacts) told.set(contact, [...(told.get(contact) ?? []), `${what} ${no}`])
          }
          for (const [no, contacts] of all.entries()) {
            await turns.begin(contacts, async () => {
              tell(no, contacts, 'begins')
              for (let pause = pauses.next().value; pause > 0; pause -= 1) await settle()
              tell(no, contacts, 'ends')
            })
          }
          await turns.finish()
          for (const [contact, story] of told) {
            const own = all.flatMap((contacts, no) => (contacts.includes(contact) ? [no] : []))
            expect(story).toEqual(own.flatMap((no) => [`begins ${no}`, `ends ${no}`]))
          }
        },
      ),
    )
  })
})
