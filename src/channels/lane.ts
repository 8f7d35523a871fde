import type { Delivery } from './channel.ts'

/** Lets so many sends be under way at a time, and none once it is closed. */
export interface Lane {
  /** Runs a send when there is room for it; on a closed lane it is one for later. */
  run(send: () => Promise<Delivery>): Promise<Delivery>
  /** Lets what is under way end; what still waited for room is for later. */
  close(): Promise<void>
}

const CLOSED: Delivery = { outcome: 'retry', detail: 'the channel is closed', unsent: true }

export function openLane(width: number): Lane {
  const underWay = new Set<Promise<Delivery>>()
  const waiting: (() => void)[] = []
  let free = width
  let closed = false
  const inTurn = async (send: () => Promise<Delivery>): Promise<Delivery> => {
    if (free > 0) free -= 1
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return closed ? CLOSED : await send()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else free += 1
    }
  }
  return {
    run: (send) => {
      if (closed) return Promise.resolve(CLOSED)
      const sending = inTurn(send)
      underWay.add(sending)
      return sending.finally(() => underWay.delete(sending))
    },
    close: async () => {
      closed = true
      await Promise.allSettled(underWay)
    },
  }
}
