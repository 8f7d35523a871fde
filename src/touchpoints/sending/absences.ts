import { type SQL, sql } from 'drizzle-orm'
import type { Delivery } from '../../channels/channel.ts'
import { earlier, later } from '../../clock.ts'
import { maskText } from '../../config/masking.ts'
import { CREDITOR, LONGEST_REST } from '../../config/waits.ts'
import { type Database, execute, rows } from '../../database/connect.ts'
import { PROVIDER_WORDS, storable } from '../../database/storable.ts'

// A provider that is away: it refuses connections, its name is not found, its certificate is nobody's, it does not let us
// in. What never reached it has not been tried, so a message does not pay for it: the channel rests, and a batch or a few
// try it from time to time with one message each. That it is away stands in the database and not in a process: whoever is
// asked, `doctor` or a report, is another process than the one that sends, and what one worker has found out need not cost
// each of the others its own sends. So it is with one that answers and takes nothing from anybody (its disk is full, our quota
// used up): what finds that out first has been heard of, and has had a try. It is read where pauses are, at the dispatcher, so that what waits is not touched.

/** Seconds a channel rests after the first try in vain; each pause is twice the one before, {@link LONGEST_REST} at most. */
const FIRST = 60
/** Seconds after which what never reached its provider is looked at again, where the channel does not rest. */
export const UNTRIED = 60
/** Seconds without a try after which nobody knows any more: there was nothing to try it with. */
const FORGOTTEN = 86_400
/** So many one after another are no chance. */
const [FEWEST, MOST] = [3, 10]

/** Whether a send came to nothing before its provider could have taken anything of it. */
export function neverReached(delivery: Delivery): boolean {
  return delivery.outcome === 'retry' && delivery.unreached === true
}

/** Whether its provider takes nothing from anybody, whatever the message. */
export function takesNone(delivery: Delivery): boolean {
  return delivery.outcome === 'retry' && delivery.takesNone === true
}

/** What the sends of one batch on a channel have shown of its provider. */
export interface Reach {
  /** How many of the batch may be under way at once. */
  readonly most: number
  /** Nothing more of the batch is to be begun. */
  readonly away: boolean
  /**
   * Tells how the send of a message ended.
   * @returns it as it counts: from where the provider is away, what only learns that it takes none has not been tried
   */
  note(delivery: Delivery, message: number): Delivery
  /** What is to be written down once the batch is over: nothing where it has shown nothing new. */
  conclude(): Away | 'reached' | undefined
}

/** What the last try said, and the seconds after which it is worth another, where the provider named any. */
interface Away {
  readonly away: string
  readonly after?: number
}

/**
 * @param width sends the channel has under way at once
 * @param knownAway it was away when the batch began: it is tried with one message, and goes on where that one gets through;
 *   absent where the batch does not know, and what it shows is always written down
 * @param putOff messages that the provider put off as it would any since the last one got through, those of other batches, too:
 *   a batch of one or two shows nothing by itself
 */
export function openReach(width: number, knownAway?: boolean, putOff = new Set<number>()): Reach {
  const enough = knownAway ? 1 : Math.min(Math.max(width, FEWEST), MOST)
  let reached = false
  let heard = false
  let row = 0
  let away: Away = { away: '' }
  return {
    get most() {
      return knownAway && !reached ? 1 : Number.POSITIVE_INFINITY
    },
    get away() {
      return row >= enough
    },
    note: (delivery, message) => {
      if (delivery.outcome === 'retry' && (neverReached(delivery) || takesNone(delivery))) {
        row += 1
        heard ||= takesNone(delivery)
        if (takesNone(delivery) && putOff.size < FEWEST) putOff.add(message)
        // What asks for nothing takes nothing back of what another answer has asked for.
        const { detail, after = away.after } = delivery
        away = { away: detail, ...(after === undefined ? {} : { after }) }
      } else {
        row = 0
        // One that is put off and certainly unsent may be our own doing: a channel that closes, a lease that is nearly over.
        const through = delivery.outcome !== 'retry' || delivery.unsent !== true
        if (through) {
          putOff.clear()
          away = { away: '' }
        }
        reached ||= through
      }
      if (delivery.outcome !== 'retry' || !delivery.takesNone || row < enough) return delivery
      return { ...delivery, unreached: true }
    },
    conclude: () => {
      // Fewer than are no chance: only where nobody has got through. What was heard may have been about the message, but not of
      // one after another.
      const few = heard ? putOff.size >= FEWEST : true
      if (row >= enough || (!reached && row > 0 && few)) return away
      return reached && knownAway !== false ? 'reached' : undefined
    },
  }
}

/**
 * Writes down what a batch has shown of its provider.
 * @returns how it stands, where this is news
 */
export async function noteReach(
  database: Database,
  channel: string,
  reach: Reach,
  now: Date,
): Promise<Reached | undefined> {
  const shown = reach.conclude()
  if (!shown) return undefined
  return shown === 'reached'
    ? await endAbsence(database, channel)
    : await recordAbsence(database, channel, shown.away, now, shown.after)
}

/** A channel whose provider is away. */
export interface Absence {
  readonly channel: string
  readonly since: Date
  /** What the last try said. */
  readonly detail: string
  /** When it is tried again. */
  readonly nextAt: Date
}

/** News of a provider: it is away, or, without more, it was away since then and is reached again. */
export type Reached = Absence | Pick<Absence, 'channel' | 'since'>

/**
 * A try was in vain: the channel rests, for twice as long as the last time, and for as long as its provider asks to be left
 * alone, {@link LONGEST_REST} at most. What other batches found out at the same time is the same try.
 * @param after seconds, where the provider named any
 * @returns how it stands, where this is news
 */
export async function recordAbsence(
  database: Database,
  channel: string,
  said: string,
  now: Date,
  after = 0,
): Promise<Absence | undefined> {
  // Nobody's erasure looks for an address here.
  const detail = maskText(storable(said, PROVIDER_WORDS))
  const [absence] = await rows<Absence>(
    database,
    sql`INSERT INTO absences AS a (channel, since, tries, tried_at, next_at, detail)
      VALUES (${channel}, ${now}, 1, ${now},
        ${now}::timestamptz + make_interval(secs => ${Math.min(Math.max(FIRST, after), LONGEST_REST)}), ${detail})
      ON CONFLICT (channel) DO UPDATE SET tries = a.tries + 1, tried_at = ${now}, detail = excluded.detail,
        next_at = ${now}::timestamptz
          + make_interval(secs => least(greatest(${FIRST} * 2 ^ least(a.tries, 20), ${after}::float8), ${LONGEST_REST}))
      WHERE a.next_at <= ${now}
      RETURNING channel, since, detail, next_at AS "nextAt"`,
  )
  return absence
}

/** It was reached. @returns what is over, where this is news */
export async function endAbsence(
  database: Database,
  channel: string,
): Promise<Pick<Absence, 'channel' | 'since'> | undefined> {
  const [ended] = await rows<Pick<Absence, 'channel' | 'since'>>(
    database,
    sql`DELETE FROM absences WHERE channel = ${channel} RETURNING channel, since`,
  )
  return ended
}

/**
 * Ends the rest of a channel whose provider is to be tried now, as after its password was mended. That it is away stands
 * until it is reached: in vain, it rests for as long as after a first try.
 * @param channel all of them, where it is absent
 * @returns the absence of each that rested
 */
export async function endRests(database: Database, now: Date, channel?: string): Promise<Absence[]> {
  const rested = await rows<Absence>(
    database,
    sql`UPDATE absences SET next_at = ${now}, tries = 0
      WHERE channel ${channel === undefined ? sql`<> ${CREDITOR}` : sql`= ${channel}`} AND next_at > ${now}
      RETURNING channel, since, detail, next_at AS "nextAt"`,
  )
  return rested.toSorted((a, b) => a.channel.localeCompare(b.channel))
}

/**
 * Forgets what nothing has been tried with for a day. A rest beyond the longest, for all that clocks may differ, was begun by a
 * clock that has been put right since: it is over.
 */
export async function forgetAbsences(database: Database, now: Date): Promise<void> {
  await execute(database, sql`DELETE FROM absences WHERE next_at < ${earlier(now, FORGOTTEN)}`)
  await execute(
    database,
    sql`UPDATE absences SET next_at = ${now} WHERE next_at > ${later(now, 2 * LONGEST_REST)}`,
  )
}

/** The channels that rest at a moment, as an array in SQL. */
export function resting(now: Date): SQL {
  return sql`(SELECT coalesce(array_agg(a.channel), '{}') FROM absences a WHERE a.next_at > ${now})`
}
