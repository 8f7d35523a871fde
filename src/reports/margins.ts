import { type SQL, sql } from 'drizzle-orm'
import { heldTotal } from '../database/storable.ts'
import { literal } from './rollup/cohort-day.ts'

/** What of an event's value is earned, by event type: 0.3 of an order, −0.3 of what is paid back of one. */
export type Earned = Readonly<Record<string, number>>

/** The event type of what is paid back of an order. */
const REFUND = 'order_refunded'

/**
 * What goals' margins say is earned of an event's value. What is paid back of an order takes its margin away again. Two
 * goals of one event count it once, with the first margin.
 * @param order the event type of an order
 */
export function earnedBy(
  goals: Readonly<Record<string, { readonly event: string; readonly margin?: number | undefined }>>,
  order: string,
): Earned {
  const earned = new Map<string, number>()
  for (const { event, margin } of Object.values(goals)) {
    if (margin !== undefined && margin > 0 && !earned.has(event)) earned.set(event, margin)
  }
  const ofOrder = earned.get(order)
  if (ofOrder !== undefined && !earned.has(REFUND)) earned.set(REFUND, -ofOrder)
  return Object.fromEntries(earned)
}

/**
 * What a contact's events within (from, to] brought in, as a subquery: integer micros, rounded once a head.
 * @param place expressions of the statement's own
 */
export function marginWithin(earned: Earned, place: { contact: SQL; from: SQL; to: SQL }): SQL {
  const types = Object.keys(earned)
  if (types.length === 0) return sql`(SELECT 0::bigint AS margin)`
  // What is paid back is a loss whichever way it is written: shops export it below nought as often as not.
  const paid = (type: string) => (type === REFUND ? sql`abs(a.value)` : sql`a.value`)
  const margins = sql.join(
    types.map(
      (type) => sql`WHEN ${literal(type)} THEN ${paid(type)} * ${sql.raw(String(earned[type]))}::numeric`,
    ),
    sql` `,
  )
  return sql`(
      SELECT ${heldTotal(sql`coalesce(round(sum(CASE a.type ${margins} END)), 0)`)}::bigint AS margin FROM activity a
      WHERE a.contact_id = ${place.contact} AND a.type IN (${sql.join(types.map(literal), sql`, `)})
        AND a.occurred_at > ${place.from} AND a.occurred_at <= ${place.to}
    )`
}
