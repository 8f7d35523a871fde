/** Work beside each other, where nothing is shared. */
export interface Turns {
  /**
   * Begins a task over some contacts as soon as no task under way has any of them and there is room.
   * @throws what an earlier task failed with
   */
  begin(contacts: readonly number[], task: () => Promise<void>): Promise<void>
  /** Waits for what is under way. @throws what a task failed with, when all have ended */
  finish(): Promise<void>
}

interface UnderWay {
  readonly contacts: ReadonlySet<number>
  readonly ended: Promise<void>
}

/**
 * Up to `width` tasks at a time. Each contact's come one after another and in the order they were begun, so for every
 * contact it is as if there were one task at a time.
 */
export function openTurns(width: number): Turns {
  const underWay = new Set<UnderWay>()
  const failures: unknown[] = []
  const throwFailure = () => {
    if (failures.length > 0) throw failures[0]
  }
  return {
    begin: async (contacts, task) => {
      for (;;) {
        throwFailure()
        const before = [...underWay].find((other) => contacts.some((contact) => other.contacts.has(contact)))
        if (before) await before.ended
        else if (underWay.size >= width) await Promise.race([...underWay].map(({ ended }) => ended))
        else break
      }
      const ended = task().then(
        () => void underWay.delete(mine),
        (error: unknown) => {
          underWay.delete(mine)
          failures.push(error)
        },
      )
      const mine: UnderWay = { contacts: new Set(contacts), ended }
      underWay.add(mine)
    },
    finish: async () => {
      await Promise.all([...underWay].map(({ ended }) => ended))
      throwFailure()
    },
  }
}
