import { runCampaign } from '../audience/run.ts'
import type { ManualClock } from '../clock.ts'
import type { CompiledCampaign } from '../config/compiled.ts'
import { processBatch } from '../touchpoints/batch.ts'
import { dispatchDue, nextDue } from '../touchpoints/dispatch.ts'
import type { Runtime } from './runtime.ts'
import { nextTick } from './schedule.ts'
import { ageAll, appliedCampaigns } from './scheduler.ts'
import { asksForSignals, freshenSignals } from './signals.ts'

/** What a replay is made of beside its runtime. */
export interface Replay {
  readonly from: Date
  readonly to: Date
  /**
   * Seconds: due touchpoints are looked for on this grid, so that a spread over an hour is not sixty jumps. A
   * touchpoint goes out at the grid's next point, never before its time.
   */
  readonly step: number
  /** Brings in what happened in (after, upTo]: the replay knows no other activity. */
  reveal(after: Date, upTo: Date): Promise<void>
  /**
   * Signals are brought up to date before runs alone. By default before every jump, as a scheduler does every few seconds:
   * then a step's condition, too, sees what happened since the last run.
   */
  readonly freshen?: 'runs'
  onProgress?(now: Date): void
}

export interface ReplayResult {
  readonly runs: number
  readonly refused: number
  readonly batches: number
  readonly settled: Readonly<Record<string, number>>
}

/**
 * Drives the very code that runs live by the clock: jumps to the earlier of the next tick and the next due
 * touchpoint, reveals the activity up to there, runs, dispatches. Batches are processed here and now, one after
 * another, instead of through the queue: the queue only ever says which rows to look at.
 */
export async function replay(runtime: Runtime & { clock: ManualClock }, plan: Replay): Promise<ReplayResult> {
  const tally = { runs: 0, refused: 0, batches: 0, settled: {} as Record<string, number> }
  const grid = (time: Date) => new Date(Math.ceil(time.getTime() / (plan.step * 1000)) * plan.step * 1000)
  // Just before `from`, so that a tick at `from` itself is the first one.
  let previous = new Date(plan.from.getTime() - 1)
  // Whether a version asks for signals is read out of all its conditions and templates: once.
  const asking = new Map<CompiledCampaign, boolean>()
  const asks = (campaign: CompiledCampaign) => {
    const known = asking.get(campaign) ?? asksForSignals(campaign, runtime.workspace)
    asking.set(campaign, known)
    return known
  }
  for (;;) {
    // Asked once for each jump: nobody applies anything while it lasts.
    const campaigns = await currentCampaigns(runtime)
    const now = await nextMoment(runtime, campaigns, previous, grid)
    if (!(now <= plan.to)) break
    runtime.clock.set(now)
    await plan.reveal(previous, now)
    const ticks = ticksAt(campaigns, previous, now)
    // Signals of a replay are as of its clock, as all it knows.
    if ((plan.freshen !== 'runs' || ticks.length > 0) && campaigns.some(asks)) await freshenSignals(runtime)
    for (const { campaign, tick } of ticks) {
      const result = await runCampaign(runtime.run, campaign, tick)
      if (result.state === 'done') tally.runs += 1
      if (result.state === 'refused') tally.refused += 1
    }
    tally.batches += await work(runtime, tally.settled)
    plan.onProgress?.(now)
    previous = now
  }
  runtime.clock.set(plan.to)
  await plan.reveal(previous, plan.to)
  await ageAll(runtime)
  return tally
}

/** The current version of every applied campaign. */
async function currentCampaigns({ database, book }: Runtime): Promise<CompiledCampaign[]> {
  const found: CompiledCampaign[] = []
  for (const { campaign } of await appliedCampaigns(database)) {
    const current = await book.current(campaign)
    if (current) found.push(current)
  }
  return found
}

/** The next moment anything happens after `now`: a tick, or a touchpoint due (on the grid, and not in the past). */
async function nextMoment(
  runtime: Runtime,
  campaigns: readonly CompiledCampaign[],
  now: Date,
  grid: (time: Date) => Date,
): Promise<Date> {
  const moments = campaigns.map(({ definition, timezone }) =>
    nextTick(definition.schedule, timezone, now).getTime(),
  )
  const due = await nextDue(runtime.database)
  if (due) moments.push(grid(new Date(Math.max(due.getTime(), now.getTime() + 1))).getTime())
  return new Date(Math.min(...moments))
}

/** The newest tick of each campaign within (after, upTo]. */
function ticksAt(
  campaigns: readonly CompiledCampaign[],
  after: Date,
  upTo: Date,
): { campaign: CompiledCampaign; tick: Date }[] {
  return campaigns.flatMap((campaign) => {
    const tick = nextTick(campaign.definition.schedule, campaign.timezone, after)
    return tick <= upTo ? [{ campaign, tick }] : []
  })
}

/** Processes everything that is due. */
async function work(runtime: Runtime, settled: Record<string, number>): Promise<number> {
  return await dispatchDue(runtime.database, runtime.clock.now(), Number.POSITIVE_INFINITY, async (batch) => {
    const result = await processBatch(runtime.worker, batch)
    for (const [state, count] of Object.entries(result.settled))
      settled[state] = (settled[state] ?? 0) + count
  })
}
