import { type SQL, sql } from 'drizzle-orm/sql'
import type { Clock } from '../clock.ts'
import {
  type Database,
  execute,
  rows,
  type Session,
  type Transaction,
  transaction,
} from '../database/connect.ts'
import { WinbackError } from '../errors.ts'
import { maskText } from './masking.ts'

/** What a switch is for. The workspace has one, whose name is `*`. */
export interface SwitchTarget {
  readonly scope: 'workspace' | 'campaign' | 'channel'
  readonly name: string
}

export interface Switch extends SwitchTarget {
  readonly state: 'paused' | 'stopped'
  readonly reason: string
  readonly since: Date
}

/** What turning a switch did: `unchanged` where it stood that way already. */
export interface Switched {
  readonly outcome: 'changed' | 'unchanged'
  /** As it stands now; undefined where nothing is held back. */
  readonly now: Switch | undefined
  readonly before: Switch | undefined
}

/** Where somebody keeps a record of it: in the same transaction, and only of what did change. */
interface Recorder {
  record?(tx: Transaction): Promise<void>
}

interface Turning extends Recorder {
  readonly reason: string
  readonly clock: Clock
}

/**
 * Holds messages back until {@link resume}. Addresses and numbers in the reason are masked before it is kept: nobody's
 * erasure looks for them there.
 * @throws WinbackError `switch.stopped` for what was stopped for good
 */
export function pause(database: Database, target: SwitchTarget, options: Turning): Promise<Switched> {
  return turn(database, target, 'paused', options)
}

/** Ends it for good: what is stopped cannot be resumed. */
export function stop(database: Database, target: SwitchTarget, options: Turning): Promise<Switched> {
  return turn(database, target, 'stopped', options)
}

/** Lets messages go again. @throws WinbackError `switch.stopped` for what was stopped for good */
export async function resume(
  database: Database,
  target: SwitchTarget,
  { record }: Recorder = {},
): Promise<Switched> {
  return transaction(database, async (tx) => {
    const before = await find(tx, target)
    if (!before) return { outcome: 'unchanged', now: undefined, before: undefined }
    refuseStopped(before)
    await execute(tx, sql`DELETE FROM switches WHERE scope = ${target.scope} AND name = ${target.name}`)
    await record?.(tx)
    return { outcome: 'changed', now: undefined, before }
  })
}

/** Everything that is held back, workspace first. */
export function readSwitches(session: Session): Promise<Switch[]> {
  return rows<Switch>(
    session,
    sql`SELECT scope, name, state, reason, since FROM switches
         ORDER BY array_position(ARRAY['workspace', 'campaign', 'channel'], scope), name`,
  )
}

async function turn(
  database: Database,
  target: SwitchTarget,
  state: Switch['state'],
  { reason, clock, record }: Turning,
): Promise<Switched> {
  return transaction(database, async (tx) => {
    const before = await find(tx, target)
    if (before?.state === state) return { outcome: 'unchanged', now: before, before }
    if (before && state === 'paused') refuseStopped(before)
    // A stop that was made meanwhile is not undone by a pause: then nothing comes back.
    const [now] = await rows<Switch>(
      tx,
      sql`INSERT INTO switches (scope, name, state, reason, since)
          VALUES (${target.scope}, ${target.name}, ${state}, ${maskText(reason)}, ${clock.now().toISOString()}::timestamptz)
          ON CONFLICT (scope, name) DO UPDATE
             SET state = excluded.state, reason = excluded.reason, since = excluded.since
           WHERE switches.state <> 'stopped'
          RETURNING scope, name, state, reason, since`,
    )
    if (now) {
      await record?.(tx)
      return { outcome: 'changed', now, before }
    }
    const stopped = await find(tx, target)
    if (stopped && state === 'paused') refuseStopped(stopped)
    return { outcome: 'unchanged', now: stopped, before }
  })
}

async function find(session: Session, target: SwitchTarget): Promise<Switch | undefined> {
  const [found] = await rows<Switch>(
    session,
    sql`SELECT scope, name, state, reason, since FROM switches
         WHERE scope = ${target.scope} AND name = ${target.name} FOR UPDATE`,
  )
  return found
}

function refuseStopped(found: Switch): void {
  if (found.state !== 'stopped') return
  const what = found.scope === 'workspace' ? 'the workspace' : `${found.scope} ${found.name}`
  throw new WinbackError(
    'switch.stopped',
    `${what} was stopped for good on ${found.since.toISOString().slice(0, 10)}: ${found.reason}`,
    {
      remedy:
        found.scope === 'campaign'
          ? 'Apply the campaign under another name.'
          : 'Nothing that is stopped starts again.',
      facts: { ...found },
    },
  )
}

/**
 * True where a switch holds back what would go out: everything, the campaign or the channel is paused, or the campaign was
 * stopped. Each switch is read once a statement.
 * @param campaign a text expression
 * @param channel a text expression
 */
export function isSwitchedOff(campaign: SQL, channel: SQL): SQL {
  const off = (scope: string) => sql`ARRAY(SELECT w.name FROM switches w WHERE w.scope = ${scope})`
  return sql`(EXISTS (SELECT FROM switches w WHERE w.scope = 'workspace')
    OR ${campaign} = ANY (${off('campaign')}) OR ${channel} = ANY (${off('channel')}))`
}
