import { sql } from 'drizzle-orm'
import type { Channel } from '../../channels/channel.ts'
import type { CompiledCampaign, CompiledStep, VersionText } from '../../config/compiled.ts'
import { localDay, startOfNextDay } from '../../config/local-time.ts'
import { bigints } from '../../database/arrays.ts'
import {
  type Database,
  execute,
  rows,
  type Session,
  type Transaction,
  transaction,
} from '../../database/connect.ts'
import { deferOrSkip, latestOf, type Verdict } from '../guards/guards.ts'
import { keyTable, type TouchpointKey } from '../keys.ts'
import { byPlan, type Cleared } from '../message.ts'
import type { Parted, Refused } from './reservation.ts'

// Calls a day. People can make so many of a step's calls on a local day of the campaign; what is beyond waits for the
// next day, or goes to the robot where there is one. Whose call it is stays: one that a robot may have been told of is
// never handed to a person, too.

/** The place of a call among those of a day. */
interface CallSlot {
  readonly touchpointId: number
  readonly day: string
  readonly taker: 'agent' | 'robot'
}

/** A step whose calls are to be made now. */
export interface Calling {
  readonly campaign: CompiledCampaign
  readonly step: CompiledStep
  readonly now: Date
  /** Which calls a robot takes; undefined where people make all. */
  readonly overflow: Channel['overflow'] | undefined
}

/** Which calls of a workspace a robot takes. */
export function overflowOf(channels: ReadonlyMap<string, Channel>): Calling['overflow'] {
  return channels.get('callback')?.overflow
}

/**
 * A step as its calls are to be counted now. The same people make those of all versions, so as many as the newest version
 * says of the step. Pure.
 * @param newest what that version's text says; where the step asks for no call any more, or cannot be read, its own stays
 */
export function underCapacityOf(
  step: CompiledStep,
  newest: Pick<VersionText, 'definition'> | undefined,
): CompiledStep {
  const { tiers = [], on_return: onReturn = [] } = newest?.definition ?? {}
  const now = [...tiers.flatMap(({ steps }) => steps), ...onReturn].find(({ id }) => id === step.id)
  if (!step.call || now?.script === undefined) return step
  return { ...step, call: { ...step.call, capacity: now.capacity?.count ?? null } }
}

/**
 * What a step's calls may go ahead with today, and what has to wait: what was planned first goes first. Seeds take nobody's
 * place.
 */
export async function takeCallSlots(
  database: Database,
  { campaign, step, now, overflow }: Calling,
  cleared: readonly Cleared[],
): Promise<Parted<Cleared>> {
  const capacity = step.call?.capacity ?? null
  const real = cleared.filter(({ candidate }) => !candidate.seed).toSorted(byPlan)
  if (real.length === 0 || (capacity === null && overflow !== 'all')) return { allowed: cleared, refused: [] }
  const place = placeOf(campaign, step, now)
  const { day } = place
  const takers = await transaction(database, async (tx) => {
    await lockDay(tx, place)
    const slots = await readSlots(
      tx,
      real.map(({ candidate }) => candidate),
    )
    const known = new Map(slots.map((slot) => [slot.touchpointId, slot]))
    let room = capacity === null ? Number.POSITIVE_INFINITY : capacity - (await countTaken(tx, place))
    const taken = new Map<number, CallSlot['taker']>()
    for (const { candidate } of real) {
      const slot = known.get(candidate.touchpointId)
      if (slot?.taker === 'robot' || overflow === 'all') taken.set(candidate.touchpointId, 'robot')
      else if (slot?.day === day) taken.set(candidate.touchpointId, 'agent')
      else if (room > 0) {
        room -= 1
        taken.set(candidate.touchpointId, 'agent')
      } else if (overflow === 'overflow') taken.set(candidate.touchpointId, 'robot')
    }
    await writeSlots(tx, place, real, taken)
    return taken
  })
  const refused: Refused[] = []
  const allowed = cleared.flatMap((each): Cleared[] => {
    if (each.candidate.seed) return [each]
    const taker = takers.get(each.candidate.touchpointId)
    if (taker !== undefined) return [taker === 'robot' ? { ...each, overflow: true } : each]
    refused.push({ cleared: each, verdict: tomorrow(campaign, each.candidate, now) })
    return []
  })
  return { allowed, refused }
}

/**
 * What {@link takeCallSlots} would say of one call at this moment, taking no place: why it waits, or undefined where it may go.
 */
export async function foreseeCallSlot(
  session: Session,
  { campaign, step, now, overflow }: Calling,
  { candidate }: Cleared,
): Promise<Verdict | undefined> {
  const capacity = step.call?.capacity ?? null
  if (candidate.seed || capacity === null || overflow !== undefined) return undefined
  const place = placeOf(campaign, step, now)
  const [own] = await readSlots(session, [candidate])
  if (own?.day === place.day || (await countTaken(session, place)) < capacity) return undefined
  return tomorrow(campaign, candidate, now)
}

/** People can make no more of these calls today. */
function tomorrow(campaign: CompiledCampaign, planned: { plannedFor: Date }, now: Date): Verdict {
  const latest = latestOf(planned, campaign.definition.limits.max_delay)
  return deferOrSkip(startOfNextDay(campaign.timezone, now), latest, 'capacity')
}

/** A step's calls of one local day of the campaign, which ends at `until`. */
interface Place {
  readonly campaign: string
  readonly step: string
  readonly day: string
  readonly until: Date
}

function placeOf({ name, timezone }: CompiledCampaign, step: CompiledStep, now: Date): Place {
  return { campaign: name, step: step.id, day: localDay(timezone, now), until: startOfNextDay(timezone, now) }
}

/** Two workers that hand out calls of one step and day come one after the other. */
async function lockDay(tx: Transaction, { campaign, step, day }: Place): Promise<void> {
  await execute(
    tx,
    sql`INSERT INTO call_days (campaign, step, day) VALUES (${campaign}, ${step}, ${day}::date) ON CONFLICT DO NOTHING`,
  )
  await execute(
    tx,
    sql`SELECT FROM call_days WHERE campaign = ${campaign} AND step = ${step} AND day = ${day}::date FOR UPDATE`,
  )
}

async function readSlots(session: Session, touchpoints: readonly TouchpointKey[]): Promise<CallSlot[]> {
  const keys = keyTable(touchpoints)
  return await rows<CallSlot>(
    session,
    sql`SELECT s.touchpoint_id AS "touchpointId", s.day::text AS day, s.taker
        FROM ${keys} JOIN call_slots s USING (contact_id, touchpoint_id)`,
  )
}

/** A slot whose touchpoint came to nothing, or waits for a later day, is free again: nobody has to give it back. */
async function countTaken(session: Session, { campaign, step, day, until }: Place): Promise<number> {
  const [counted] = await rows<{ taken: number }>(
    session,
    sql`SELECT count(*) AS taken FROM call_slots s
        WHERE s.campaign = ${campaign} AND s.step = ${step} AND s.day = ${day}::date AND s.taker = 'agent'
          AND (EXISTS (SELECT FROM touchpoints t
              WHERE t.contact_id = s.contact_id AND t.touchpoint_id = s.touchpoint_id
                AND (t.state <> 'planned' OR t.due_at < ${until}))
            OR EXISTS (SELECT FROM touchpoint_records r
              WHERE r.contact_id = s.contact_id AND r.touchpoint_id = s.touchpoint_id
                AND r.state IN ('sent', 'uncertain')))`,
  )
  return counted?.taken ?? 0
}

async function writeSlots(
  tx: Transaction,
  { campaign, step, day }: Place,
  cleared: readonly Cleared[],
  taken: ReadonlyMap<number, CallSlot['taker']>,
): Promise<void> {
  const given = cleared.flatMap(({ candidate: { contactId, touchpointId } }) => {
    const taker = taken.get(touchpointId)
    return taker === undefined ? [] : [{ contactId, touchpointId, taker }]
  })
  if (given.length === 0) return
  await execute(
    tx,
    sql`INSERT INTO call_slots (contact_id, touchpoint_id, campaign, step, day, taker)
        SELECT contact_id, touchpoint_id, ${campaign}, ${step}, ${day}::date, taker FROM unnest(
          ${bigints(given.map((row) => row.contactId))},
          ${bigints(given.map((row) => row.touchpointId))},
          ${sql.param(given.map((row) => row.taker))}::text[]) AS g(contact_id, touchpoint_id, taker)
        ON CONFLICT (contact_id, touchpoint_id) DO UPDATE SET day = excluded.day, taker = excluded.taker`,
  )
}
