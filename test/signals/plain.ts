import type { SignalRules } from '../../src/signals/history.ts'

// contact_signals a second time, one contact and one event after the other, in the plainest TypeScript: what the SQL is
// held against.

export interface PlainEvent {
  readonly contact: number
  readonly at: Date
  readonly key: number
  readonly type: string
  /** Integer micros. */
  readonly value: number | null
  readonly properties: Readonly<Record<string, unknown>> | null
}

const DAY = 86_400_000

export function plainSignals(events: readonly PlainEvent[], rules: SignalRules): Record<string, unknown> {
  const sorted = [...events].sort((a, b) => a.at.getTime() - b.at.getTime())
  const of = (...types: string[]) => sorted.filter(({ type }) => types.includes(type))
  const last = (list: readonly PlainEvent[]) => list.at(-1)?.at ?? null
  const days = [...new Set(of(...rules.activity).map(({ at }) => Math.floor(at.getTime() / DAY)))].sort(
    (a, b) => a - b,
  )
  const pauses = days.slice(1).map((day, index) => day - (days[index] ?? 0))
  const lastDay = days.at(-1) ?? 0
  const orders = of(rules.order)
  const lastOrder = orders.at(-1)?.at.getTime() ?? Number.NEGATIVE_INFINITY
  const cart = of('add_to_cart', 'remove_from_cart')
  const items = cartItems(cart.filter(({ at }) => at.getTime() > lastOrder))
  const nps = of('nps').filter((event) => inRange(number(event, 'score'), 0, 10))
  const reviews = of('review').filter((event) => number(event, 'rating') !== null)
  const starts = of('subscription_started')
  return {
    active_days: days.length,
    first_day: days[0] === undefined ? null : dateOf(days[0]),
    last_day: days.length === 0 ? null : dateOf(lastDay),
    use_bits: Array.from({ length: 64 }, (_, back) => (days.includes(lastDay - back) ? '1' : '0')).join(''),
    usual_pause: pauses.length < 2 ? null : Math.round(quantile(pauses, 0.9) * 86_400 * 1000) / 1000,
    sign_in_at: last(of('sign_in', 'session')),
    orders: orders.length,
    coupon_orders: orders.filter(usesCoupon).length,
    coupon_cycles: cycles(sorted, rules),
    cart_items: items,
    cart_at: last(cart),
    favourites: Math.max(0, of('favourite_added').length - of('favourite_removed').length),
    favourite_at: last(of('favourite_added')),
    comment_at: last(of('comment', 'like')),
    nps: lowestOfLatest(nps, 'score'),
    nps_at: last(nps),
    complaints_open: openComplaints(of('complaint_opened'), of('complaint_resolved')),
    review_rating: lowestOfLatest(reviews, 'rating'),
    review_at: last(reviews),
    assignments_open: openTasks(of('assignment_given'), of('assignment_done')),
    membership_started_at: last(starts),
    membership_ends_at: endOf(starts),
    membership_ended_at: last(of('subscription_ended')),
    activated_at: of(...rules.activation)[0]?.at ?? null,
  }
}

/** Type 7, as PostgreSQL's percentile_cont. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const place = share * (sorted.length - 1)
  const low = sorted[Math.floor(place)] ?? 0
  const high = sorted[Math.ceil(place)] ?? 0
  return low + (high - low) * (place - Math.floor(place))
}

function dateOf(day: number): string {
  return new Date(day * DAY).toISOString().slice(0, 10)
}

function quantity({ properties }: PlainEvent): number {
  const given = String(properties?.quantity ?? '')
  return /^\d{1,4}$/.test(given) ? Number(given) : 1
}

function number({ properties, value }: PlainEvent, name: string): number | null {
  const given = String(properties?.[name] ?? '')
  if (/^-?\d{1,6}(\.\d{1,6})?$/.test(given)) return Number(given)
  return value === null ? null : value / 1e6
}

function inRange(value: number | null, low: number, high: number): boolean {
  return value !== null && value >= low && value <= high
}

function usesCoupon({ properties }: PlainEvent): boolean {
  const coupon = properties?.coupon
  return coupon !== undefined && coupon !== null && !['', 'false'].includes(String(coupon))
}

/** Of answers at the same moment the lowest. */
function lowestOfLatest(events: readonly PlainEvent[], name: string): number | null {
  const moment = events.at(-1)?.at.getTime()
  const values = events.filter(({ at }) => at.getTime() === moment).map((event) => number(event, name) ?? 0)
  return values.length === 0 ? null : Math.min(...values)
}

function idOf({ properties }: PlainEvent, name: string): string | null {
  const id = properties?.[name]
  return id === undefined || id === null ? null : String(id)
}

/** Those that no later settlement is of; one without an id is of all. */
function openComplaints(begun: readonly PlainEvent[], settled: readonly PlainEvent[]): number {
  const waiting = begun.filter((event) => {
    const id = idOf(event, 'complaint_id')
    return !settled.some((end) => {
      const of = idOf(end, 'complaint_id')
      return end.at >= event.at && (of === null || of === id)
    })
  })
  const ids = waiting.map((event) => idOf(event, 'complaint_id'))
  return ids.filter((id) => id === null).length + new Set(ids.filter((id) => id !== null)).size
}

/** Each task done takes one of its own id away; one without an id any other. */
function cartItems(changes: readonly PlainEvent[]): number {
  const count = (product: string | null) =>
    changes
      .filter((event) => idOf(event, 'product_id') === product)
      .reduce((sum, event) => sum + (event.type === 'add_to_cart' ? 1 : -1) * quantity(event), 0)
  const products = new Set(changes.flatMap((event) => idOf(event, 'product_id') ?? []))
  const named = [...products].map((product) => Math.max(0, count(product)))
  return Math.max(0, count(null) + named.reduce((sum, left) => sum + left, 0))
}

function openTasks(given: readonly PlainEvent[], done: readonly PlainEvent[]): number {
  const count = (list: readonly PlainEvent[], id: string | null) =>
    list.filter((event) => idOf(event, 'assignment_id') === id).length
  const ids = new Set([...given, ...done].flatMap((event) => idOf(event, 'assignment_id') ?? []))
  const named = [...ids].map((id) => Math.max(0, count(given, id) - count(done, id)))
  const rest = count(given, null) - count(done, null)
  return Math.max(0, rest + named.reduce((sum, open) => sum + open, 0))
}

function cycles(events: readonly PlainEvent[], rules: SignalRules): number {
  const purchases = events
    .filter(({ type }) => type === rules.order)
    .map((event) => ({ at: event.at.getTime(), key: event.key, redeemed: usesCoupon(event) }))
    .sort((a, b) => a.at - b.at || Number(b.redeemed) - Number(a.redeemed) || a.key - b.key)
  return purchases.filter(({ at, redeemed }, index) => {
    const before = purchases[index - 1]
    return redeemed && before !== undefined && at - before.at >= rules.lapse * 1000
  }).length
}

function endOf(starts: readonly PlainEvent[]): Date | null {
  const moment = starts.at(-1)?.at.getTime()
  const texts = starts
    .filter(({ at }) => at.getTime() === moment)
    .flatMap(({ properties }) => (properties?.ends_at === undefined ? [] : [String(properties.ends_at)]))
    .map((text) =>
      text.replace(
        /^(\S+) ([\d:]+)(?:([+-]\d\d)|)$/,
        (_, day, time, hours) => `${day}T${time}${hours ? `${hours}:00` : 'Z'}`,
      ),
    )
    .sort()
  return texts[0] === undefined ? null : new Date(texts[0])
}
