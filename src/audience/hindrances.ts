import { sql } from 'drizzle-orm'
import type { CompiledCampaign } from '../config/compiled.ts'
import { localDay } from '../config/local-time.ts'
import { rows, type Session } from '../database/connect.ts'
import { type FeedFault, type FeedState, judgeFeed, readFeed } from './feed.ts'

// What keeps a run from its work: what holds it back before it begins, and what refuses it once it has. A run asks, and so
// does whoever wants to know before.

export type Hindrance = HeldBack | RefusedByFeed

/** A pause, a stop, or the campaign's dates. */
export interface HeldBack {
  readonly state: 'paused' | 'stopped' | 'not_yet' | 'over'
  readonly note: string
  /** What was switched off, or the campaign's own dates. */
  readonly by: 'workspace' | 'campaign' | 'dates'
  /** The operator's words, or the date. */
  readonly why: string
}

/** A feed that is not to be believed. */
export interface RefusedByFeed {
  readonly state: 'refused'
  readonly note: string
  readonly feed: FeedState & { readonly fault: FeedFault }
}

/**
 * A pause, a stop, or the campaign's dates keep a run from starting; no row is written, so it is caught up later. Of
 * several, a stop is named, which stays, and then the widest, which must be lifted in any case.
 * @param tick of the schedule that the run answers to: one from before the first day is not caught up with on that day
 */
export async function heldBack(
  session: Session,
  campaign: CompiledCampaign,
  now: Date,
  tick = now,
): Promise<HeldBack | undefined> {
  const [off] = await rows<{ state: 'paused' | 'stopped'; scope: 'workspace' | 'campaign'; reason: string }>(
    session,
    sql`SELECT state, scope, reason FROM switches
      WHERE scope = 'workspace' OR (scope = 'campaign' AND name = ${campaign.name})
      ORDER BY state = 'stopped' DESC, scope = 'workspace' DESC LIMIT 1`,
  )
  if (off) {
    const note = `the ${off.scope} is ${off.state}: ${off.reason}`
    return { state: off.state, note, by: off.scope, why: off.reason }
  }
  const { starts, ends } = campaign.definition
  const dayOf = (moment: Date) => localDay(campaign.timezone, moment)
  const dated = (state: 'not_yet' | 'over', note: string, why: string) =>
    ({ state, note, by: 'dates', why }) as const
  if (starts !== undefined && dayOf(tick) < starts) return dated('not_yet', `starts ${starts}`, starts)
  if (ends !== undefined && dayOf(now) > ends) return dated('over', `ended ${ends}`, ends)
  return undefined
}

/** A feed that is not to be believed refuses the run. */
export async function refusedByFeed(
  session: Session,
  campaign: CompiledCampaign,
  now: Date,
): Promise<RefusedByFeed | undefined> {
  const state = await readFeed(session, now)
  const verdict = judgeFeed(state, campaign.definition.feed, now)
  if (verdict.ok) return undefined
  return { state: 'refused', note: verdict.reason, feed: { ...state, fault: verdict.fault } }
}

/** What a run would come to: `runs`, or what would refuse it or hold it back. */
export type ForeseenRun = { readonly state: 'runs' } | Hindrance

/** Whether a run at a moment would do its work: the same switches, dates and feed that the run itself looks at. */
export async function foreseeRun(
  session: Session,
  campaign: CompiledCampaign,
  now: Date,
): Promise<ForeseenRun> {
  return (
    (await heldBack(session, campaign, now)) ??
    (await refusedByFeed(session, campaign, now)) ?? { state: 'runs' }
  )
}
