import type { Earned } from './cohort-day.ts'

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
