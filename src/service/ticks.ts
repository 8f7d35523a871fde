import { sql } from 'drizzle-orm'
import { ageEpisodes } from '../audience/age.ts'
import { heldBack } from '../audience/hindrances.ts'
import { type RunResult, runCampaign } from '../audience/run.ts'
import { ifReadable } from '../config/book.ts'
import type { CompiledCampaign } from '../config/compiled.ts'
import { type AppliedCampaign, appliedCampaigns } from '../config/versions.ts'
import { rows, type Session } from '../database/connect.ts'
import { messageOf } from '../errors.ts'
import { type Tripped, watchCampaigns, watchChannels } from '../touchpoints/breakers.ts'
import { heedClock } from '../touchpoints/clock-seen.ts'
import { forgetAbsences } from '../touchpoints/sending/absences.ts'
import type { Runtime } from './runtime.ts'
import { lastTick } from './schedule.ts'
import { freshen } from './signals.ts'

// What the scheduler does when it is time, and a run by hand or by cron does for itself; what a replay ends with.

/**
 * Runs every campaign whose newest tick has no finished run. A machine that was off for a week catches up once: only
 * the newest tick is looked at, for a selection always speaks of now.
 */
export async function runDue(
  runtime: Runtime,
  onRun: (campaign: string, tick: Date, result: RunResult) => void = () => {},
): Promise<void> {
  const { database, book, clock } = runtime
  await forEachCampaign(runtime, async ({ campaign, createdAt }) => {
    const current = await book.current(campaign)
    if (!current) return
    const tick = lastTick(current.definition.schedule, current.timezone, clock.now())
    // Ticks before it was first applied are nobody's.
    if (tick < createdAt || (await isFinished(database, campaign, tick))) return
    // Never a selection by signals that are older than the events.
    await freshen(runtime)
    onRun(campaign, tick, await runCampaign(runtime.run, current, tick))
  })
}

/**
 * A run of its own for whoever has no scheduler beside it, which ends and advances what is idle: where a pause, a stop or the
 * campaign's dates keep it from taking anybody in, those under way go on all the same.
 */
export async function runOrAge(
  dependencies: Runtime['run'],
  campaign: CompiledCampaign,
  scheduledFor: Date,
): Promise<RunResult> {
  const result = await runCampaign(dependencies, campaign, scheduledFor)
  if (!result.hindrance || result.state === 'refused') return result
  return { ...result, ...(await ageEpisodes(dependencies, campaign.name, dependencies.clock.now())) }
}

/** One after another. What goes wrong with one campaign keeps none of the others waiting. @throws AggregateError */
async function forEachCampaign(
  runtime: Runtime,
  work: (applied: AppliedCampaign) => Promise<void>,
): Promise<void> {
  const failures: Error[] = []
  for (const applied of await appliedCampaigns(runtime.database)) {
    await work(applied).catch((cause: unknown) => {
      failures.push(new Error(`${applied.campaign}: ${messageOf(cause)}`, { cause }))
    })
  }
  if (failures.length > 0) throw new AggregateError(failures, failures.map(messageOf).join('; '))
}

async function isFinished(session: Session, campaign: string, tick: Date): Promise<boolean> {
  const found = await rows(
    session,
    sql`SELECT FROM runs WHERE campaign = ${campaign} AND scheduled_for = ${tick} AND state <> 'running'`,
  )
  return found.length > 0
}

/**
 * Ends what is over in campaigns that do not run (a pause, a stop, an end date, a version that can no longer be read): they
 * are measured to the end like the others, and their contacts become free for other campaigns.
 */
export async function ageIdle(runtime: Runtime): Promise<void> {
  const { database, book, clock, run } = runtime
  await forEachCampaign(runtime, async ({ campaign }) => {
    const current = await ifReadable(book.current(campaign))
    const now = clock.now()
    if (!current || (await heldBack(database, current, now))) await ageEpisodes(run, campaign, now)
  })
}

/** Ends what is over in every campaign, also in those that no longer run: a stopped campaign is measured to the end. */
export async function ageAll(runtime: Runtime): Promise<void> {
  for (const { campaign } of await appliedCampaigns(runtime.database)) {
    await ageEpisodes(runtime.run, campaign, runtime.clock.now())
  }
}

/**
 * Pauses channels and campaigns whose limits of complaints and the like are reached, tries again what has rested for long
 * enough, and forgets absences that nobody looks into any more.
 * @returns what changed
 */
export async function watchHarm({ database, clock, workspace, book }: Runtime): Promise<Tripped[]> {
  const now = clock.now()
  const tripped = [
    ...(await watchChannels(database, now, workspace.rates)),
    ...(await watchCampaigns(database, now, book)),
  ]
  await forgetAbsences(database, now)
  await heedClock(database, now)
  return tripped
}
