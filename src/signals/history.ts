import { type SQL, sql } from 'drizzle-orm'
import type { EventName } from '../config/event-names.ts'
import { instantSql } from '../config/instants.ts'
import type { Workspace } from '../config/workspace.ts'

/** What of a workspace decides how events become signals; its text tells whether stored signals are still right. */
export interface SignalRules {
  readonly activity: readonly string[]
  readonly order: string
  readonly activation: readonly string[]
  /** Seconds of a pause that counts as a lapse. */
  readonly lapse: number
}

/** What of a workspace its signals depend on. */
export function rulesOf({
  activity,
  orders,
  signals,
}: Pick<Workspace, 'activity' | 'orders' | 'signals'>): SignalRules {
  return {
    activity,
    order: orders.event,
    activation: signals.activation.events ?? [orders.event],
    lapse: signals.coupons.lapse,
  }
}

/** Columns of contact_signals, in the order in which {@link historySql} selects them. */
export const COLUMNS = [
  ...[
    'contact_id',
    'active_days',
    'first_day',
    'last_day',
    'use_bits',
    'usual_pause',
    'sign_in_at',
    'orders',
  ],
  ...[
    'coupon_orders',
    'coupon_cycles',
    'cart_items',
    'cart_at',
    'favourites',
    'favourite_at',
    'comment_at',
    'nps',
  ],
  ...['nps_at', 'complaints_open', 'review_rating', 'review_at', 'assignments_open', 'membership_started_at'],
  ...['membership_ends_at', 'membership_ended_at', 'activated_at'],
]

/**
 * The rows of contact_signals for the contacts that have any event, from the events alone and as of a moment: the one
 * statement behind full, incremental and single computations, so that they cannot disagree.
 *
 * The events are read once, in the order of their primary key, and kept: six passes over a chunk in memory cost less
 * than six index scans over every month. Most events are sessions, of which only the number and the latest count: they
 * are added up by type first, so that a dozen filters look at a few types of a contact and not at all its events. What
 * needs pairs (a complaint and its end) is grouped by pair first; what needs the event before (pauses, coupon cycles) is
 * a window over the contact's own.
 * @param which narrows `x` (activity) to a chunk or to some contacts
 * @param asOf events after it are not known; undefined: all there are
 */
export function historySql(rules: SignalRules, which: SQL, asOf?: Date): SQL {
  const known = asOf === undefined ? sql`` : sql` AND x.occurred_at <= ${asOf.toISOString()}::timestamptz`
  return sql`
    WITH events AS MATERIALIZED (
      SELECT x.contact_id, (x.occurred_at AT TIME ZONE 'UTC')::date AS day, x.occurred_at, x.key, x.type, x.value, x.properties
      FROM activity x WHERE ${which}${known}
    ), ${rhythmSql(rules)}, ${pairsSql()}, ${cyclesSql(rules)}, ${sumsSql(rules)}, ${saidSql()}, ${cartsSql()}
    SELECT contact_id, coalesce(active_days, 0) AS active_days, first_day, last_day,
      coalesce(use_bits, repeat('0', 64)::bit(64)) AS use_bits, usual_pause, sign_in_at, orders,
      coalesce(coupon_orders, 0) AS coupon_orders,
      coalesce(coupon_cycles, 0) AS coupon_cycles, coalesce(cart_items, 0) AS cart_items, cart_at, favourites,
      favourite_at, comment_at, nps, nps_at, coalesce(complaints_open, 0) AS complaints_open, review_rating, review_at,
      coalesce(assignments_open, 0) AS assignments_open, membership_started_at, ${instantSql(sql`ends_text`)} AS membership_ends_at,
      membership_ended_at, activated_at
    FROM sums LEFT JOIN rhythm USING (contact_id) LEFT JOIN pairs USING (contact_id) LEFT JOIN cycles USING (contact_id)
      LEFT JOIN said USING (contact_id) LEFT JOIN carts USING (contact_id)`
}

function is(...types: (EventName | string)[]): SQL {
  return sql`type = ANY (${sql.param(types)}::text[])`
}

/** A score as a property, a number or a text of one, else as the event's value. */
function numberSql(name: string): SQL {
  return sql`coalesce(CASE WHEN properties ->> ${name}::text ~ '^-?[0-9]{1,6}([.][0-9]{1,6})?$'
    THEN (properties ->> ${name}::text)::numeric END, value * 0.000001)`
}

/** `days` and `rhythm`: on which days somebody was active, and how long they usually pause. */
function rhythmSql({ activity }: SignalRules): SQL {
  return sql`days AS (
      SELECT contact_id, day, day - lag(day) OVER own AS pause, last_value(day) OVER (own ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS last
      FROM (SELECT DISTINCT contact_id, day FROM events WHERE ${is(...activity)}) d
      WINDOW own AS (PARTITION BY contact_id ORDER BY day)
    ), rhythm AS (
      SELECT contact_id, count(*)::int AS active_days, min(day) AS first_day, max(day) AS last_day,
        bit_or(('1' || repeat('0', 63))::bit(64) >> least(64, last - day)) AS use_bits,
        CASE WHEN count(pause) >= 2 THEN
          round((percentile_cont(0.9) WITHIN GROUP (ORDER BY pause))::numeric * 86400, 3) END AS usual_pause
      FROM days GROUP BY contact_id
    )`
}

/** `pairs`: complaints and assignments without their end. */
function pairsSql(): SQL {
  const [opened, resolved] = [is('complaint_opened'), is('complaint_resolved')]
  return sql`pairs AS (
      -- A settlement without an id settles all that were open then; a task done without an id is one of the others.
      SELECT contact_id, sum(complaints)::int AS complaints_open,
        greatest(0, sum(CASE WHEN id IS NULL THEN tasks ELSE greatest(0, tasks) END))::int AS assignments_open
      FROM (
        SELECT contact_id, id,
          CASE WHEN id IS NULL THEN count(*) FILTER (WHERE ${opened} AND occurred_at > coalesce(settled, '-infinity'))
            ELSE coalesce((max(occurred_at) FILTER (WHERE ${opened})
              > coalesce(greatest(max(occurred_at) FILTER (WHERE ${resolved}), settled), '-infinity'))::int, 0) END AS complaints,
          count(*) FILTER (WHERE ${is('assignment_given')}) - count(*) FILTER (WHERE ${is('assignment_done')}) AS tasks
        FROM (
          SELECT contact_id, occurred_at, type, ${opened} OR ${resolved} AS complaint,
            properties ->> CASE WHEN ${opened} OR ${resolved} THEN 'complaint_id' ELSE 'assignment_id' END AS id,
            max(occurred_at) FILTER (WHERE ${resolved} AND properties ->> 'complaint_id' IS NULL)
              OVER (PARTITION BY contact_id) AS settled
          FROM events
          WHERE ${is('complaint_opened', 'complaint_resolved', 'assignment_given', 'assignment_done')}
        ) named GROUP BY contact_id, complaint, id, settled
      ) p GROUP BY contact_id
    )`
}

/** `cycles`: orders with a coupon, and those that ended a lapse. */
function cyclesSql({ order, lapse }: SignalRules): SQL {
  const coupon = sql`(coalesce(properties ->> 'coupon', '') NOT IN ('', 'false'))`
  return sql`cycles AS (
      SELECT contact_id, count(*) FILTER (WHERE redeemed)::int AS coupon_orders,
        count(*) FILTER (WHERE redeemed AND occurred_at - before >= make_interval(secs => ${lapse}::float8))::int AS coupon_cycles
      FROM (
        SELECT contact_id, occurred_at, ${coupon} AS redeemed, lag(occurred_at) OVER (
          PARTITION BY contact_id ORDER BY occurred_at, ${coupon} DESC, key) AS before
        FROM events WHERE ${is(order)}
      ) o GROUP BY contact_id
    )`
}

/** `types` and `sums`: what needs no more than how often a type came, first and last. */
function sumsSql({ order, activation }: SignalRules): SQL {
  const times = (...types: EventName[]) => sql`coalesce(sum(times) FILTER (WHERE ${is(...types)}), 0)`
  const latest = (...types: (EventName | string)[]) => sql`max(last_at) FILTER (WHERE ${is(...types)})`
  return sql`types AS (
      SELECT contact_id, type, count(*) AS times, min(occurred_at) AS first_at, max(occurred_at) AS last_at
      FROM events GROUP BY contact_id, type
    ), sums AS (
      SELECT contact_id,
        ${latest('sign_in', 'session')} AS sign_in_at,
        coalesce(sum(times) FILTER (WHERE ${is(order)}), 0)::int AS orders,
        ${latest('add_to_cart', 'remove_from_cart')} AS cart_at,
        greatest(0, ${times('favourite_added')} - ${times('favourite_removed')})::int AS favourites,
        ${latest('favourite_added')} AS favourite_at,
        ${latest('comment', 'like')} AS comment_at,
        ${latest('subscription_started')} AS membership_started_at,
        ${latest('subscription_ended')} AS membership_ended_at,
        min(first_at) FILTER (WHERE ${is(...activation)}) AS activated_at,
        ${latest(order)} AS ordered_at
      FROM types GROUP BY contact_id
    )`
}

/** `said`: the newest score, rating and end of a membership. */
function saidSql(): SQL {
  const nps = sql`${is('nps')} AND ${numberSql('score')} BETWEEN 0 AND 10`
  const review = sql`${is('review')} AND ${numberSql('rating')} IS NOT NULL`
  const newest = (value: SQL, where: SQL) =>
    sql`(array_agg(${value} ORDER BY occurred_at DESC, ${value}) FILTER (WHERE ${where}))[1]`
  const ends = sql`(properties ->> 'ends_at')`
  // As databases and programs write it, `2026-05-30 00:00:00+00` among them: without a zone it is in UTC, as a date alone is.
  const parts = sql`regexp_match(${ends}, '^([0-9-]{10})[T ]([0-9]{2}:[0-9]{2})(:[0-9.]+)? ?(Z|UTC|([+-][0-9]{2}):?([0-9]{2})?)?$')`
  const zoned = sql`(SELECT CASE WHEN m.parts IS NULL THEN ${ends}
      ELSE m.parts[1] || 'T' || m.parts[2] || coalesce(m.parts[3], ':00')
        || coalesce(m.parts[5] || ':' || coalesce(m.parts[6], '00'), 'Z') END
    FROM (SELECT ${parts} AS parts OFFSET 0) m) COLLATE "C"`
  return sql`said AS (
      SELECT contact_id,
        ${newest(numberSql('score'), nps)} AS nps,
        max(occurred_at) FILTER (WHERE ${nps}) AS nps_at,
        ${newest(numberSql('rating'), review)} AS review_rating,
        max(occurred_at) FILTER (WHERE ${review}) AS review_at,
        ${newest(zoned, is('subscription_started'))} AS ends_text
      FROM events WHERE ${is('nps', 'review', 'subscription_started')} GROUP BY contact_id
    )`
}

/** `carts`: what was put into the cart since the last order. */
function cartsSql(): SQL {
  const quantity = sql`CASE WHEN properties ->> 'quantity' ~ '^[0-9]{1,4}$' THEN (properties ->> 'quantity')::int ELSE 1 END`
  return sql`carts AS (
      -- What is taken out of the cart is none of another product's; without its name it is one of any.
      SELECT contact_id, greatest(0, sum(CASE WHEN product IS NULL THEN items ELSE greatest(0, items) END))::int AS cart_items
      FROM (
        SELECT contact_id, properties ->> 'product_id' AS product,
          sum(CASE WHEN ${is('add_to_cart')} THEN ${quantity} ELSE -(${quantity}) END) AS items
        FROM events JOIN sums USING (contact_id)
        WHERE ${is('add_to_cart', 'remove_from_cart')} AND occurred_at > coalesce(ordered_at, '-infinity')
        GROUP BY contact_id, product
      ) changes GROUP BY contact_id
    )`
}
