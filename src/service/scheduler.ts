import { sql } from 'drizzle-orm'
import { ageEpisodes, type RunResult, runCampaign } from '../audience/run.ts'
import { rows, type Session } from '../database/connect.ts'
import type { Runtime } from './runtime.ts'
import { lastTick } from './schedule.ts'

/** An applied campaign and when it was first applied: ticks before that are nobody's. */
export interface AppliedCampaign {
  readonly campaign: string
  readonly createdAt: Date
}

export async function appliedCampaigns(session: Session): Promise<AppliedCampaign[]> {
  return await rows<AppliedCampaign>(
    session,
    sql`SELECT campaign, created_at AS "createdAt" FROM campaigns ORDER BY campaign`,
  )
}

/**
 * Runs every campaign whose newest tick has no finished run. A machine that was off for a week catches up once: only
 * the newest tick is looked at, for a selection always speaks of now.
 */
export async function runDue(
  runtime: Runtime,
  onRun: (campaign: string, tick: Date, result: RunResult) => void = () => {},
): Promise<void> {
  const { database, book, clock } = runtime
  for (const { campaign, createdAt } of await appliedCampaigns(database)) {
    const current = await book.current(campaign)
    if (!current) continue
    const tick = lastTick(current.definition.schedule, current.timezone, clock.now())
    if (tick < createdAt || (await isFinished(database, campaign, tick))) continue
    onRun(campaign, tick, await runCampaign(runtime.run, current, tick))
  }
}

async function isFinished(session: Session, campaign: string, tick: Date): Promise<boolean> {
  const found = await rows(
    session,
    sql`SELECT FROM runs WHERE campaign = ${campaign} AND scheduled_for = ${tick} AND state <> 'running'`,
  )
  return found.length > 0
}

/** Ends what is over in every campaign, also in those that no longer run: a stopped campaign is measured to the end. */
export async function ageAll(runtime: Runtime): Promise<void> {
  for (const { campaign } of await appliedCampaigns(runtime.database)) {
    await ageEpisodes(runtime.run, campaign, runtime.clock.now())
  }
}
