import type { RunResult } from '../audience/run.ts'
import type { ManualClock } from '../clock.ts'
import type { CompiledCampaign } from '../config/compiled.ts'
import { appliedNames } from '../config/versions.ts'
import { transaction } from '../database/connect.ts'
import { expireGrants } from '../offers/conclusion.ts'
import { closeOverdueCalls } from '../outcomes/calls.ts'
import { processBatch } from '../touchpoints/batch.ts'
import { dispatchDue, nextDue } from '../touchpoints/dispatch.ts'
import type { Runtime } from './runtime.ts'
import { nextTick } from './schedule.ts'
import { asksForSignals, freshenSignals } from './signals.ts'
import { ageAll, runOrAge } from './ticks.ts'
import { openTurns } from './turns.ts'

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
  /**
   * Batches processed beside each other, as by so many workers: those alone that share no contact. By default one
   * after another; where stock, a budget or a day's calls run short, who gets the last one then depends on nothing else.
   */
  readonly beside?: number
  onProgress?(now: Date): void
}

/** What a replay came to; `settled` by the state that touchpoints ended in. */
export interface ReplayResult {
  readonly runs: number
  readonly refused: number
  /** Why the last of those was refused. */
  readonly refusal: string | null
  /** The same in full, to be said in any language. */
  readonly hindrance: RunResult['hindrance']
  readonly batches: number
  readonly settled: Readonly<Record<string, number>>
}

/**
 * Drives the very code that runs live by the clock: jumps to the earlier of the next tick and the next due
 * touchpoint, reveals the activity up to there, runs, dispatches. Batches are processed here and now instead of through
 * the queue: the queue only ever says which rows to look at.
 */
export async function replay(runtime: Runtime & { clock: ManualClock }, plan: Replay): Promise<ReplayResult> {
  const tally = {
    runs: 0,
    refused: 0,
    refusal: null as string | null,
    hindrance: undefined as RunResult['hindrance'],
    batches: 0,
    settled: {} as Record<string, number>,
  }
  const grid = (time: Date) => new Date(Math.ceil(time.getTime() / (plan.step * 1000)) * plan.step * 1000)
  // Just before `from`, so that a tick at `from` itself is the first one.
  let previous = new Date(plan.from.getTime() - 1)
  // Asked once: nobody applies anything while it lasts. So is whether any version asks for signals, which is read out of all
  // its conditions and templates.
  const campaigns = await currentCampaigns(runtime)
  const asking = campaigns.some((campaign) => asksForSignals(campaign, runtime.workspace))
  // A tick holds until it has passed: working out one takes longer than asking the database.
  let ahead = campaigns.map((campaign): Ahead => ({ campaign, tick: nextTickOf(campaign, previous) }))
  for (;;) {
    const now = await nextMoment(runtime, ahead, previous, grid)
    if (!(now <= plan.to)) break
    runtime.clock.set(now)
    await plan.reveal(previous, now)
    const ticks = ahead.filter(({ tick }) => tick <= now)
    // Signals of a replay are as of its clock, as all it knows.
    if ((plan.freshen !== 'runs' || ticks.length > 0) && asking) await freshenSignals(runtime)
    for (const { campaign, tick } of ticks) {
      const result = await runOrAge(runtime.run, campaign, tick)
      if (result.state === 'done') tally.runs += 1
      if (result.state === 'refused') {
        tally.refused += 1
        tally.refusal = result.note
        tally.hindrance = result.hindrance
      }
    }
    tally.batches += await work(runtime, tally.settled, plan.beside ?? 1)
    await endOverdue(runtime)
    plan.onProgress?.(now)
    ahead = ahead.map((each) => (each.tick <= now ? { ...each, tick: nextTickOf(each.campaign, now) } : each))
    previous = now
  }
  runtime.clock.set(plan.to)
  await plan.reveal(previous, plan.to)
  await ageAll(runtime)
  await endOverdue(runtime)
  return tally
}

/**
 * What the sweeper of a scheduler ends by the clock: offers that may be used no more, whose money the budget has again, and
 * calls that nobody made.
 */
async function endOverdue({ database, clock }: Runtime): Promise<void> {
  const now = clock.now()
  while ((await expireGrants(database, now)) > 0);
  await transaction(database, (tx) => closeOverdueCalls(tx, now))
}

/** The current version of every applied campaign. */
async function currentCampaigns({ database, book }: Runtime): Promise<CompiledCampaign[]> {
  const found: CompiledCampaign[] = []
  for (const name of await appliedNames(database)) {
    const current = await book.current(name)
    if (current) found.push(current)
  }
  return found
}

/** A campaign and its first tick after the moment of a replay. */
interface Ahead {
  readonly campaign: CompiledCampaign
  readonly tick: Date
}

function nextTickOf({ definition, timezone }: CompiledCampaign, now: Date): Date {
  return nextTick(definition.schedule, timezone, now)
}

/** The next moment anything happens after `now`: a tick, or a touchpoint due (on the grid, and not in the past). */
async function nextMoment(
  { database }: Runtime,
  ahead: readonly Ahead[],
  now: Date,
  grid: (time: Date) => Date,
): Promise<Date> {
  const moments = ahead.map(({ tick }) => tick.getTime())
  const due = await nextDue(database)
  if (due) moments.push(grid(new Date(Math.max(due.getTime(), now.getTime() + 1))).getTime())
  return new Date(Math.min(...moments))
}

/** Processes everything that is due. */
async function work(runtime: Runtime, settled: Record<string, number>, beside: number): Promise<number> {
  const turns = openTurns(beside)
  const batches = await dispatchDue(
    runtime.database,
    { now: runtime.clock.now(), jobs: Number.POSITIVE_INFINITY },
    (batch) =>
      turns.begin(
        batch.keys.map(({ contactId }) => contactId),
        async () => {
          const result = await processBatch(runtime.worker, batch)
          for (const [state, count] of Object.entries(result.settled))
            settled[state] = (settled[state] ?? 0) + count
        },
      ),
  ).finally(() => turns.finish())
  return batches
}
