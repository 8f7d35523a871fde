import { sql } from 'drizzle-orm'
import type { AddressKind, Channel } from '../../channels/channel.ts'
import type { Calendar } from '../../config/calendar.ts'
import type { CompiledCampaign, CompiledStep } from '../../config/compiled.ts'
import type { LocalWindow } from '../../config/quantities.ts'
import { type Database, rows } from '../../database/connect.ts'
import type { GuardContext, StepChannel } from './guards.ts'
import { openingByZone } from './windows.ts'

// What the guards know beside a candidate: the step's channels as they are now, and the campaign's limits.

export interface GuardDependencies {
  readonly database: Database
  readonly channels: ReadonlyMap<string, Channel>
  /** What each channel delivers to, by name. */
  readonly addressKinds: ReadonlyMap<string, AddressKind>
  /** Channels nothing goes out on without consent. */
  readonly needsConsent: ReadonlySet<string>
  /** Which days are workdays, and on which nothing is sent; Monday to Friday by default. */
  readonly calendar?: Calendar
}

/** The window of a step that has none, where there are days on which nothing is sent. */
const ALL_DAY = { from: 0, to: 1440, workdays: false }

/**
 * The local hours in which a channel may be used.
 * @param windows a campaign's `limits.send_window`
 * @param of.channel undefined where it is not set up
 */
export function sendWindowOf(
  windows: Readonly<Record<string, LocalWindow>>,
  { name, channel }: { name: string; channel: Pick<Channel, 'fetched' | 'window'> | undefined },
  calendar?: Calendar,
): LocalWindow | undefined {
  const own = windows[name]
  if (own || channel?.fetched) return own
  return windows.default ?? channel?.window ?? (calendar?.special ? ALL_DAY : undefined)
}

/** Reads which channels are switched off or away, and puts it beside what is set up of the step's. */
export async function readGuardContext(
  { database, channels, addressKinds, needsConsent, calendar }: GuardDependencies,
  campaign: CompiledCampaign,
  step: CompiledStep,
  now: Date,
): Promise<GuardContext> {
  const closed = await rows<{ name: string; until: Date | null }>(
    database,
    sql`SELECT name, NULL::timestamptz AS until FROM switches WHERE scope = 'channel'
      UNION ALL SELECT channel, next_at FROM absences`,
  )
  const off = new Set(closed.flatMap(({ name, until }) => (until === null ? [name] : [])))
  const away = new Map(closed.flatMap(({ name, until }) => (until === null ? [] : [[name, until]])))
  const { limits, topic } = campaign.definition
  const setUp = step.channels.flatMap((name): StepChannel[] => {
    const channel = channels.get(name)
    if (!channel) return []
    const window = sendWindowOf(limits.send_window, { name, channel }, calendar)
    const margin = channel.deadline / 1000
    return [
      {
        name,
        kind: addressKinds.get(name) ?? 'none',
        paused: off.has(name),
        awayUntil: away.get(name),
        needsConsent: needsConsent.has(name),
        reaches: (contact) => channel.addressOf(contact) !== undefined,
        window,
        margin,
        opening: openingByZone(window, now, margin, calendar),
      },
    ]
  })
  return { now, step, topic, calendar, channels: setUp, maxDelay: limits.max_delay, spread: limits.spread }
}

/** Whether a step has a channel that delivers to devices: only then are they read. */
export function reachesDevices(
  { addressKinds }: Pick<GuardDependencies, 'addressKinds'>,
  step: CompiledStep,
): boolean {
  return step.channels.some((channel) => addressKinds.get(channel) === 'device')
}
