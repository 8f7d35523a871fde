import { NOW } from './workspace.ts'

// A stream of events as shops send them: one in twenty comes again, one in twenty is up to sixty days late.

export interface Load {
  readonly events: number
  readonly contacts: number
}

export interface Sent {
  /** The same for a repeat. */
  readonly number: number
  readonly call: {
    readonly type: 'track'
    readonly userId: string
    readonly event: string
    readonly messageId: string
    readonly timestamp: string
    readonly properties:
      | { readonly product_id: string }
      | { readonly revenue: number; readonly order_id: string }
  }
}

/** In the order they are sent: each event, and behind every twentieth one that was sent shortly before. */
export function* eventsOf({ events, contacts }: Load): Generator<Sent> {
  for (let number = 0; number < events; number += 1) {
    yield { number, call: callOf(number, contacts) }
    if (number % 20 === 19) {
      const before = Math.max(0, number - ((number * 31) % 3000))
      yield { number: before, call: { ...callOf(before, contacts), timestamp: NOW.toISOString() } }
    }
  }
}

function callOf(number: number, contacts: number): Sent['call'] {
  const late = number % 20 === 7 ? (1 + (number % 60)) * 86_400_000 : (number % 3600) * 1000
  const ordered = number % 10 === 0
  return {
    type: 'track',
    userId: `u${(number * 7919) % contacts}`,
    event: ordered ? 'Order Completed' : number % 3 === 0 ? 'Product Viewed' : 'session',
    messageId: `node-next-${number}-5b0c2d9e-8a1b-4c47-9f3e`,
    timestamp: new Date(NOW.getTime() - late).toISOString(),
    properties: ordered
      ? { revenue: 10 + (number % 90), order_id: `o${number}` }
      : { product_id: `p${number % 1000}` },
  }
}
