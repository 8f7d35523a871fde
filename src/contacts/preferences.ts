import { type SQL, sql } from 'drizzle-orm'
import type { LeavingReason } from '../config/reasons.ts'
import { execute, rows, type Session, type Transaction } from '../database/connect.ts'
import { lockPersons } from '../database/person-locks.ts'
import { prepareRefusals } from './consent.ts'
import type { Hooks } from './hooks.ts'

/** What a person wants. Everything is wanted that is not refused. */
export interface Preferences {
  /** Channels nothing is wanted on; `*` is all of them. */
  readonly channelsOff: readonly string[]
  readonly topicsOff: readonly string[]
  /** At most so many messages within so many days, over all channels; null without a limit. */
  readonly frequency: { readonly atMost: number; readonly withinDays: number } | null
  /** Nothing before this moment. */
  readonly pausedUntil: Date | null
}

/** A choice with where it was made. */
export interface Choice extends Preferences {
  readonly chosenAt: Date
  readonly source: string
  readonly reason: string | null
}

/** Who never chose. */
export const ANYTHING: Preferences = { channelsOff: [], topicsOff: [], frequency: null, pausedUntil: null }

interface ChoiceRow {
  readonly channelsOff: string[]
  readonly topicsOff: string[]
  readonly atMost: number | null
  readonly withinDays: number | null
  readonly pausedUntil: Date | null
  readonly chosenAt: Date
  readonly source: string
  readonly reason: string | null
}

/** The latest choice of the contact's person; undefined where it never chose. */
export async function readChoice(
  session: Session,
  contactId: number,
  now: Date,
): Promise<Choice | undefined> {
  const [row] = await rows<ChoiceRow>(
    session,
    sql`SELECT p.channels_off AS "channelsOff", p.topics_off AS "topicsOff", p.at_most AS "atMost",
          p.within_days AS "withinDays", p.paused_until AS "pausedUntil", p.chosen_at AS "chosenAt", p.source, p.reason
        FROM contacts c JOIN contacts o ON o.person_id = c.person_id JOIN preferences p ON p.contact_id = o.contact_id
        WHERE c.contact_id = ${contactId} AND p.chosen_at <= ${now}
        ORDER BY p.chosen_at DESC, p.contact_id LIMIT 1`,
  )
  if (!row) return undefined
  const { atMost, withinDays, ...rest } = row
  const frequency = atMost === null || withinDays === null ? null : { atMost, withinDays }
  return { ...rest, frequency }
}

/**
 * Records what a contact chose, in the caller's transaction. It holds from its commit on, for every account of the
 * person: what was planned on a channel that is off is skipped, and what a worker has in hand is looked at again.
 */
export async function recordChoice(
  tx: Transaction,
  contactId: number,
  chosen: Preferences & {
    readonly source: string
    readonly reason?: string | undefined
    /** Why they want less, of the one list of reasons. */
    readonly leaving?: LeavingReason | undefined
  },
  options: { now: Date; hooks: Hooks },
): Promise<void> {
  const { now, hooks } = options
  await prepareRefusals(tx)
  await lockPersons(tx, [contactId])
  await execute(
    tx,
    sql`INSERT INTO preferences (contact_id, chosen_at, channels_off, topics_off, at_most, within_days, paused_until,
          source, reason)
        SELECT contact_id, ${now}, ${sql.param([...chosen.channelsOff])}::text[],
          ${sql.param([...chosen.topicsOff])}::text[], ${chosen.frequency?.atMost ?? null}::smallint,
          ${chosen.frequency?.withinDays ?? null}::smallint, ${chosen.pausedUntil}::timestamptz, ${chosen.source},
          ${chosen.reason ?? null}
        -- Who was erased while we waited is not there.
        FROM contacts WHERE contact_id = ${contactId}
        ON CONFLICT (contact_id, chosen_at) DO UPDATE SET channels_off = excluded.channels_off,
          topics_off = excluded.topics_off, at_most = excluded.at_most, within_days = excluded.within_days,
          paused_until = excluded.paused_until, source = excluded.source, reason = excluded.reason`,
  )
  if (chosen.leaving !== undefined) {
    await recordLeaving(tx, contactId, { ...chosen, reason: chosen.leaving, note: chosen.reason, now })
  }
  // One row a refused channel; without any, one that refuses no channel and has the guards look again.
  const channels = chosen.channelsOff.length > 0 ? [...chosen.channelsOff] : ['']
  await execute(
    tx,
    sql`INSERT INTO new_refusals (contact_id, channel, reason)
        SELECT o.contact_id, channel, 'opted_out' FROM contacts c JOIN contacts o ON o.person_id = c.person_id
        CROSS JOIN unnest(${sql.param(channels)}::text[]) AS channel
        WHERE c.contact_id = ${contactId}`,
  )
  await hooks.onRefused?.(tx, now)
  await rows(tx, sql`TRUNCATE new_refusals`)
}

/** Why somebody wants less or nothing, as they said it where they opted out. The same again is not counted again. */
export async function recordLeaving(
  session: Session,
  contactId: number,
  said: {
    readonly reason: LeavingReason
    readonly note?: string | undefined
    readonly source: string
    readonly now: Date
  },
): Promise<void> {
  await execute(
    session,
    sql`INSERT INTO reasons_given (contact_id, source, reason, said_at, note, recorded_by)
        SELECT contact_id, 'opt_out', ${said.reason}, ${said.now}, ${said.note ?? null}, ${said.source} FROM contacts
        WHERE contact_id = ${contactId}
          AND NOT EXISTS (SELECT FROM reasons_given g WHERE g.contact_id = ${contactId} AND g.source = 'opt_out'
            AND g.reason = ${said.reason} AND g.recorded_by = ${said.source}
            AND g.said_at > ${said.now}::timestamptz - interval '1 day')
        FOR KEY SHARE`,
  )
}

/**
 * All marketing on a channel refused (`*`: on every channel), the rest of what was chosen kept: what an unsubscribe
 * link, a STOP by text message or a complaint comes to. Again changes nothing.
 */
export async function recordOptOut(
  tx: Transaction,
  contactId: number,
  refused: { readonly channel: string; readonly source: string; readonly reason?: string | undefined },
  options: { now: Date; hooks: Hooks },
): Promise<'recorded' | 'known'> {
  await lockPersons(tx, [contactId])
  const now = await momentOfChoice(tx, contactId, options.now)
  const held = (await readChoice(tx, contactId, now)) ?? ANYTHING
  if (held.channelsOff.includes(refused.channel)) return 'known'
  const { topicsOff, frequency, pausedUntil } = held
  const channelsOff = [...held.channelsOff, refused.channel]
  const { source, reason } = refused
  await recordChoice(
    tx,
    contactId,
    { channelsOff, topicsOff, frequency, pausedUntil, source, reason },
    { ...options, now },
  )
  return 'recorded'
}

/**
 * To be called under {@link lockPersons}, for what changes a choice: whoever waited there may have looked at the clock
 * before the one it waited for.
 * @returns `now`, or the moment after the person's latest choice where that is a little later
 */
export async function momentOfChoice(tx: Transaction, contactId: number, now: Date): Promise<Date> {
  const latest = await latestChoice(
    tx,
    sql`SELECT o.contact_id FROM contacts c JOIN contacts o ON o.person_id = c.person_id WHERE c.contact_id = ${contactId}`,
    now,
  )
  return latest ? new Date(latest.getTime() + 1) : now
}

/**
 * When somebody among contacts that are locked chose last, where that is now or a little later: see {@link momentOfChoice}.
 * @param contacts a query of contact_id
 */
export async function latestChoice(tx: Transaction, contacts: SQL, now: Date): Promise<Date | null> {
  const [row] = await rows<{ latest: Date | null }>(
    tx,
    sql`SELECT max(p.chosen_at) AS latest FROM (${contacts}) o JOIN preferences p ON p.contact_id = o.contact_id
        WHERE p.chosen_at BETWEEN ${now} AND ${new Date(now.getTime() + PATIENCE)}`,
  )
  return row?.latest ?? null
}

/** Milliseconds somebody may have waited for the lock. */
const PATIENCE = 60_000
