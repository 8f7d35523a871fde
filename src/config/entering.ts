import { z } from 'zod'
import { type Band, parseDuration } from './quantities.ts'

// How a tier is entered: by silence (`inactive`), around a date the contact has, or after an event. Whichever it is, a
// tier becomes a band [from, to) of seconds since one moment, and everything after the configuration reads bands alone.

/** What a tier counts its time from, where that is not silence. */
export type Enter =
  | {
      readonly kind: 'date'
      /** A timestamp fact: `membership.ends`. */
      readonly fact: string
      /** Seconds from the date; negative before it. */
      readonly offset: number
    }
  | {
      readonly kind: 'event'
      readonly type: string
      /** The contact's first event of the type alone; every one otherwise. */
      readonly first: boolean
    }

/** How long after its moment a tier still takes somebody in, where nothing else bounds it: a week, in seconds. */
const DEFAULT_WITHIN = 7 * 86_400

/** `7d before membership.ends`, `0d after contact.trial_ends`, `event order`, `event first_order`. */
export const enter = z
  .string()
  .regex(
    /^(\d+(\.\d+)?(s|m|h|d|w) (before|after) [A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)+|event \S.{0,99})$/,
    'expected a date such as 7d before membership.ends, or an event such as event first_order',
  )
  .transform((text, context): Enter => {
    const words = text.split(' ')
    if (words[0] === 'event') {
      const named = text.slice('event '.length).trim()
      const first = named.startsWith('first_')
      return { kind: 'event', first, type: first ? named.slice('first_'.length) : named }
    }
    const [length = '', side, fact = ''] = words
    const seconds = parseDuration(length)
    if (seconds === undefined) {
      context.addIssue({ code: 'custom', message: 'expected a whole number of seconds, such as 12h or 7d' })
      return z.NEVER
    }
    // Never -0: it would be another number to whoever compares.
    return { kind: 'date', fact, offset: side === 'before' && seconds !== 0 ? -seconds : seconds }
  })

/** What an `enter` is about, as it is written: `membership.ends`, `event first_order`. */
export function subjectOf(entering: Enter): string {
  return entering.kind === 'date' ? entering.fact : `event ${entering.first ? 'first_' : ''}${entering.type}`
}

interface Entered {
  readonly inactive?: Band | undefined
  readonly enter?: Enter | undefined
  readonly after?: number | undefined
  readonly within?: number | undefined
}

/**
 * The band of each tier: [from, to) in seconds of silence, or in seconds since the date (negative before it) or the
 * event. A tier that is not entered by silence ends where the next begins; after `within`; by default with the date
 * where it begins before it, and a week after its beginning otherwise. Undefined where the file does not say. Pure.
 */
export function bandsOf(tiers: readonly (Entered | undefined)[]): (Band | undefined)[] {
  const starts = tiers.map((tier) => tier?.inactive?.from ?? startOf(tier))
  return tiers.map((tier, no) => {
    if (tier?.inactive) return tier.inactive
    const from = starts[no]
    if (from === undefined) return undefined
    const own = tier?.within !== undefined ? from + tier.within : from < 0 ? 0 : from + DEFAULT_WITHIN
    const next = starts[no + 1]
    return { from, to: next !== undefined && next > from ? Math.min(next, own) : own }
  })
}

function startOf(tier: Entered | undefined): number | undefined {
  if (!tier?.enter) return undefined
  return tier.enter.kind === 'date' ? tier.enter.offset : (tier.after ?? 0)
}
