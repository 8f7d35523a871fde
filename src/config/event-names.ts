// The event types Winback understands beyond counting them. Whatever arrives under another name is kept under it, and
// may be named in conditions, goals and `activity`; these are the ones that facts and signals are built from.

/** What an event type says, and which of its properties are read. */
export interface EventDescription {
  readonly meaning: string
  /** What `value` is, in the workspace's currency; absent where none is read. */
  readonly value?: string
  /** Properties that are read, with what they hold. Any others are kept. */
  readonly properties: Readonly<Record<string, string>>
  /** What Segment's specifications call it. */
  readonly segment: readonly string[]
}

/** The documented types, in the order of docs/events.md. */
export const EVENTS = {
  session: {
    meaning: 'Used the product: opened the app, came to the site',
    properties: {},
    segment: ['page', 'screen', 'Application Opened'],
  },
  sign_in: { meaning: 'Signed in', properties: {}, segment: ['Signed In'] },
  sign_up: { meaning: 'Made the account', properties: {}, segment: ['Signed Up'] },
  order: {
    meaning: 'Bought something',
    value: 'what was paid',
    properties: {
      order_id: 'text; the order’s own number',
      coupon: 'text; the code that was used; absent at full price',
      discount: 'number; what the coupon took off',
    },
    segment: ['Order Completed'],
  },
  order_refunded: {
    meaning: 'An order was paid back, in part or whole',
    value: 'what was paid back',
    properties: { order_id: 'text; of which order' },
    segment: ['Order Refunded'],
  },
  product_viewed: {
    meaning: 'Looked at a product',
    properties: { product_id: 'text' },
    segment: ['Product Viewed'],
  },
  add_to_cart: {
    meaning: 'Put something into the cart',
    properties: { product_id: 'text', quantity: 'number; 1 unless said' },
    segment: ['Product Added'],
  },
  remove_from_cart: {
    meaning: 'Took something out of the cart',
    properties: { product_id: 'text', quantity: 'number; 1 unless said' },
    segment: ['Product Removed'],
  },
  checkout_started: {
    meaning: 'Began to pay',
    value: 'what is in the cart',
    properties: {},
    segment: ['Checkout Started'],
  },
  favourite_added: {
    meaning: 'Marked something as a favourite',
    properties: { product_id: 'text' },
    segment: ['Product Added to Wishlist'],
  },
  favourite_removed: {
    meaning: 'Took a favourite back',
    properties: { product_id: 'text' },
    segment: ['Product Removed from Wishlist'],
  },
  comment: { meaning: 'Wrote a comment', properties: { about: 'text' }, segment: ['Comment Posted'] },
  like: { meaning: 'Liked something', properties: { about: 'text' }, segment: ['Content Liked'] },
  review: {
    meaning: 'Reviewed a product or the service',
    properties: { rating: 'number; 1 (worst) to 5 (best)', product_id: 'text' },
    segment: ['Product Reviewed'],
  },
  nps: {
    meaning: 'Answered “how likely are you to recommend us?”',
    properties: { score: 'number; 0 to 10', comment: 'text' },
    segment: ['NPS Answered'],
  },
  complaint_opened: {
    meaning: 'Complained',
    properties: { complaint_id: 'text; which complaint', topic: 'text' },
    segment: ['Complaint Opened'],
  },
  complaint_resolved: {
    meaning: 'A complaint was settled',
    properties: { complaint_id: 'text; which complaint; absent: all that are open' },
    segment: ['Complaint Resolved'],
  },
  subscription_started: {
    meaning: 'A membership, trial or subscription began, or was renewed',
    value: 'what was paid for it',
    properties: { plan: 'text', ends_at: 'time; when it ends unless renewed', trial: 'true for a trial' },
    segment: ['Subscription Started', 'Trial Started'],
  },
  subscription_ended: {
    meaning: 'A membership, trial or subscription ended or was cancelled',
    properties: { plan: 'text', reason: 'text' },
    segment: ['Subscription Ended', 'Subscription Cancelled', 'Trial Ended'],
  },
  assignment_given: {
    meaning: 'Was given something to do: homework, a lesson, a task',
    properties: { assignment_id: 'text; which one', due_at: 'time' },
    segment: ['Assignment Given'],
  },
  assignment_done: {
    meaning: 'Did it',
    properties: { assignment_id: 'text; which one; absent: the oldest that is open' },
    segment: ['Assignment Done'],
  },
  uninstalled: {
    meaning: 'Took the app off the device',
    properties: {},
    segment: ['Application Uninstalled'],
  },
} as const satisfies Record<string, EventDescription>

/** A documented type. */
export type EventName = keyof typeof EVENTS

/** Where an order's value stands when it is not called `value`: the first of these that is there. */
const VALUE_PROPERTIES: ReadonlyMap<string, readonly string[]> = new Map([
  ['order', ['revenue', 'total', 'value']],
  ['order_refunded', ['revenue', 'total', 'value']],
  ['subscription_started', ['revenue', 'price', 'value']],
])

/** The properties an event type's value is taken from, the first that is there. */
export function valuePropertiesOf(type: string): readonly string[] {
  return VALUE_PROPERTIES.get(type) ?? ['value']
}

const SHIPPED: ReadonlyMap<string, string> = new Map(
  Object.entries<EventDescription>(EVENTS).flatMap(([name, { segment }]) =>
    segment.map((theirs) => [theirs, name] as const),
  ),
)

/** Calls `theirs` by our name. @param names the workspace's own `events.names`, which go before the shipped ones */
export function eventNamer(names: Readonly<Record<string, string>>): (theirs: string) => string {
  const own = new Map(Object.entries(names))
  return (theirs) => own.get(theirs) ?? SHIPPED.get(theirs) ?? theirs
}
