import { createStandstill, type Standstill } from './standstill.ts'

// How much may be under way at once, over all the jobs a process works on.

/** The sends a process may have under way on one channel, shared by the jobs that run side by side. */
export interface Slots {
  readonly width: number
  /** Waits until half of the width (or all that is wanted) is free and takes as many as there are, up to `wanted`. */
  take(wanted: number): Promise<number>
  /** Takes without waiting; 0 where too few are free. */
  tryTake(wanted: number): number
  give(count: number): void
  /** Whether the channel is to be left alone for a while. */
  readonly standstill: Standstill
  /** Messages that its provider put off as it would any since one last got through, a few at most. */
  readonly putOff: Set<number>
}

export function createSlots(width: number, standstill = createStandstill(width)): Slots {
  const half = Math.max(1, Math.ceil(width / 2))
  const waiting: { wanted: number; grant(count: number): void }[] = []
  let free = width
  const tryTake = (wanted: number) => {
    if (free < Math.min(wanted, half)) return 0
    const taken = Math.min(wanted, free)
    free -= taken
    return taken
  }
  return {
    width,
    standstill,
    putOff: new Set(),
    tryTake,
    take: (wanted) =>
      new Promise((grant) => {
        const taken = waiting.length === 0 ? tryTake(wanted) : 0
        if (taken > 0) grant(taken)
        else waiting.push({ wanted, grant })
      }),
    give: (count) => {
      free += count
      for (let next = waiting[0]; next; next = waiting[0]) {
        const taken = tryTake(next.wanted)
        if (taken === 0) return
        waiting.shift()
        next.grant(taken)
      }
    },
  }
}
