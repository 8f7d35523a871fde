import cron from 'node-cron'
import type { RunResult } from '../audience/run.ts'
import { pruneIngest } from '../contacts/live.ts'
import type { SyncSummary } from '../contacts/sync/sync.ts'
import { transaction } from '../database/connect.ts'
import { messageOf } from '../errors.ts'
import { closeOverdueCalls } from '../outcomes/calls.ts'
import { askProviders, createInquiries, settleByEvents } from '../outcomes/doubts.ts'
import { type BatchResult, processBatch } from '../touchpoints/batch.ts'
import { type Tripped, watchCampaigns, watchChannels } from '../touchpoints/breakers.ts'
import { dispatchDue } from '../touchpoints/dispatch.ts'
import { batchOf, type Engine, type JobLock, jobOf, openQueue, startWorker } from '../touchpoints/queue.ts'
import { type Swept, sweep } from '../touchpoints/sweep.ts'
import { sendDueDigest } from './digest.ts'
import { refreshReports } from './reporting.ts'
import type { Runtime } from './runtime.ts'
import { ageIdle, runDue } from './scheduler.ts'
import { freshenSignals } from './signals.ts'
import { syncDue, type WorkspaceText } from './sync.ts'

// The long-running roles. `start` is all of them in one process; `worker` and `scheduler` are the same ones on more
// machines. None keeps state: any may be killed, and any number may run.

/** What happens while it runs, for a log or a screen. */
export interface ServiceEvents {
  onRun(campaign: string, tick: Date, result: RunResult): void
  onBatch(result: BatchResult): void
  onSweep(swept: Swept): void
  /** A breaker or a campaign's `stop` rule acted. */
  onTripped?(tripped: Tripped): void
  onSync?(summary: SyncSummary): void
  /** Redemptions told by events that were refused, by reason. */
  onRefused?(reasons: Readonly<Record<string, number>>): void
  onError(where: string, error: unknown): void
}

export interface Service {
  /** Lets what is under way end, then resolves. */
  close(): Promise<void>
}

/** Jobs queued for each worker: enough to keep it busy, few enough that a pause acts within seconds. */
const JOBS_PER_WORKER = 4
/** While one batch waits for the database, others are judged, sent and settled. */
const WORKER_CONCURRENCY = 4

/** Milliseconds between two looks at the database. */
export interface Pace {
  /** While nothing is due. */
  readonly idle: number
  /** While there is work. */
  readonly busy: number
  readonly sweep: number
  /** Of campaigns that do not run: paused, stopped, over. */
  readonly age: number
  /** Between two passes over the sums that reports are read from. */
  readonly report?: number
}
/** Milliseconds between two looks for what ingest may forget. */
const PRUNE_EVERY = 3_600_000
const REPORT_PACE = 600_000
/** Messages are going out as long as the last batch was handed over no longer ago than this. Milliseconds. */
const LULL = 5_000
const PACE: Pace = { idle: 1000, busy: 40, sweep: 15_000, age: 3_600_000 }

/**
 * Runs schedules (missed ones caught up once), dispatches due touchpoints, sweeps.
 * @param text the workspace file, where its syncs are to run
 */
export async function startScheduler(
  runtime: Runtime,
  engine: Engine,
  events: ServiceEvents,
  pace: Pace = PACE,
  text?: WorkspaceText,
): Promise<Service> {
  const report = (where: string) => (error: unknown) => events.onError(where, error)
  const queue = await openQueue(engine, report('queue'))

  const schedule = async () => {
    await runDue(runtime, events.onRun).catch(report('schedule'))
  }
  let scheduling = Promise.resolve()
  // Beside the runs: a first sync of everything must not keep campaigns waiting.
  const stopping = new AbortController()
  let syncing: Promise<void> | undefined
  const sync = () => {
    if (!text || syncing) return
    syncing = syncDue(runtime, text, (summary) => events.onSync?.(summary), stopping.signal)
      .catch(report('sync'))
      .finally(() => {
        syncing = undefined
      })
  }
  // One after another: a run that outlasts the minute is not joined by a second one.
  const heartbeat = cron.schedule(
    '* * * * *',
    () => {
      sync()
      scheduling = scheduling.then(schedule)
      return scheduling
    },
    { noOverlap: true },
  )
  const ager = loop(report('schedule'), pace.idle, async () => {
    await ageIdle(runtime)
    return pace.age
  })

  // Counting workers is a list of all connections: once a pause is often enough.
  let workers = 1
  let countAt = 0
  /** When a batch was handed over last, of performance.now(); undefined until it is known whether anything is due. */
  let handedAt: number | undefined
  const dispatch = loop(report('dispatch'), pace.idle, async () => {
    if (performance.now() >= countAt) {
      workers = Math.max(1, await queue.workers())
      countAt = performance.now() + pace.idle
    }
    const room = JOBS_PER_WORKER * workers - (await queue.waiting())
    if (room <= 0) return pace.busy
    // The next batch is taken while the queue swallows the one before; one that gets lost comes back by its lease.
    const adding: Promise<void>[] = []
    const handed = await dispatchDue(
      runtime.database,
      runtime.clock.now(),
      room,
      async (batch) => {
        adding.push(queue.add([jobOf(batch)]))
      },
      runtime.worker.leases?.queued,
      runtime.rates,
    ).finally(() => Promise.allSettled(adding))
    await Promise.all(adding)
    handedAt = handed > 0 ? performance.now() : (handedAt ?? Number.NEGATIVE_INFINITY)
    return handed > 0 ? pace.busy : pace.idle
  })
  const reportPace = pace.report ?? REPORT_PACE
  let reportBy = performance.now() + reportPace
  const reporter = loop(report('report'), pace.idle, async () => {
    if (sumsWait(performance.now(), handedAt, reportBy)) return pace.idle
    await refreshReports(runtime)
    await sendDueDigest(runtime)
    reportBy = performance.now() + 2 * reportPace
    return reportPace
  })
  const inquiries = createInquiries()
  const pruner = loop(report('prune'), pace.idle, async () => {
    await pruneIngest(runtime.database, runtime.clock.now(), runtime.workspace.events.horizon)
    return PRUNE_EVERY
  })
  const sweeper = loop(report('sweep'), pace.idle, async () => {
    const { database, clock, worker, reporting } = runtime
    events.onSweep(await sweep(database, clock.now(), runtime.idempotent))
    await transaction(database, (tx) => closeOverdueCalls(tx, clock.now()))
    await settleByEvents(database, clock.now())
    await askProviders(database, clock.now(), worker.channels, reporting, inquiries)
    return pace.sweep
  })
  // Steps ask for signals too, between two runs.
  const freshener = loop(report('signals'), pace.idle, async () => {
    await freshenSignals(runtime)
    return pace.sweep
  })
  const watcher = loop(report('breakers'), pace.idle, async () => {
    const { database, clock, workspace, book } = runtime
    const now = clock.now()
    for (const tripped of await watchChannels(database, now, workspace.rates)) events.onTripped?.(tripped)
    for (const tripped of await watchCampaigns(database, now, book)) events.onTripped?.(tripped)
    return pace.sweep
  })
  sync()
  scheduling = scheduling.then(schedule)
  return {
    close: async () => {
      await heartbeat.destroy()
      stopping.abort()
      const loops = [ager, dispatch, sweeper, watcher, pruner, freshener, reporter]
      await Promise.all([scheduling, syncing, ...loops.map((each) => each.stop())])
      await queue.close()
    },
  }
}

/**
 * Whether the sums of reports are put off: they want a processor for themselves while messages go out, though they do not
 * wait for ever. Pure; all in milliseconds of one clock.
 * @param handedAt when a batch was handed over last; undefined until it is known whether anything is due
 * @param latest when they are counted whatever goes out
 */
export function sumsWait(now: number, handedAt: number | undefined, latest: number): boolean {
  return now < latest && (handedAt === undefined || now - handedAt < LULL)
}

/** Takes batches from the queue and sends them. */
export async function startSending(
  runtime: Runtime,
  engine: Engine,
  events: ServiceEvents,
  lock?: JobLock,
): Promise<Service> {
  const worker = startWorker(
    engine,
    { concurrency: WORKER_CONCURRENCY, lock, onError: (error) => events.onError('worker', error) },
    async (job) => {
      try {
        events.onBatch(await processBatch(runtime.worker, batchOf(job)))
      } catch (error) {
        // The rows keep their lease; the sweeper brings them back. The job itself is gone.
        events.onError('batch', error)
      }
    },
  )
  return { close: () => worker.close() }
}

/** A loop that pauses for as long as its work says, outlives errors, and stops between two rounds. */
function loop(
  onError: (error: unknown) => void,
  afterError: number,
  work: () => Promise<number>,
): { stop(): Promise<void> } {
  let stopped = false
  let wake = () => {}
  const run = async () => {
    while (!stopped) {
      const pause = await work().catch((error: unknown) => {
        onError(new Error(messageOf(error), { cause: error }))
        return afterError
      })
      if (stopped) return
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pause)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
  const running = run()
  return {
    stop: () => {
      stopped = true
      wake()
      return running
    },
  }
}
