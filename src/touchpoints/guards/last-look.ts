import { type SQL, sql } from 'drizzle-orm'
import { isSwitchedOff } from '../../config/switches.ts'
import { type Database, type Session, transaction } from '../../database/connect.ts'
import { isRefused } from '../../database/permissions.ts'
import { lockPersons } from '../../database/person-locks.ts'
import type { Candidate } from '../gather.ts'

// What is looked at once more before a message goes, in the very statement that lets it go: pauses, what the person
// allows by now, and how often they want to hear.

/** What the last look is taken by. */
export interface LastLook {
  readonly campaign: string
  readonly now: Date
  /** Channels nothing goes out on without consent. */
  readonly needsConsent: readonly string[]
  /** The persons are locked: what they get can be counted, for those who chose how often. Else they have to wait. */
  readonly counted?: boolean
}

/** True where a claimed touchpoint `t`, its row about to be locked, may still go out. */
export function mayGo(channel: SQL, { campaign, now, needsConsent, counted = false }: LastLook): SQL {
  return sql`t.state = 'claimed' AND t.lease_until > clock_timestamp()
        AND NOT ${isSwitchedOff(sql`${campaign}::text`, channel)}
        AND NOT ${isRefused(sql`t`, channel, needsConsent, now, counted)}`
}

/**
 * The last look at a slice, where messages are counted. Where nobody of it chose how often they want to hear, it is one
 * statement. Else their persons are locked before, so that no other worker counts at the same moment; and of the messages
 * to one of them only the first is asked for, since none of one statement counts the others. The rest goes back, and is
 * judged with that one counted.
 */
export async function takeLastLook<Each extends { readonly candidate: Candidate }, T>(
  database: Database,
  slice: readonly Each[],
  look: (session: Session, asked: readonly Each[], counted: boolean) => Promise<T>,
): Promise<T> {
  const chose = ({ candidate: { choice } }: Each) => choice !== null && choice.atMost !== null
  if (!slice.some(chose)) return await look(database, slice, false)
  const persons = new Set<number>()
  const asked = slice.filter((outgoing) => {
    const { personId } = outgoing.candidate
    return !chose(outgoing) || (!persons.has(personId) && persons.add(personId))
  })
  return await transaction(database, async (tx) => {
    await lockPersons(
      tx,
      asked.map(({ candidate }) => candidate.contactId),
    )
    return await look(tx, asked, true)
  })
}
