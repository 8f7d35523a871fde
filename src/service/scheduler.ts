import { pruneIngest } from '../contacts/live.ts'
import { linkingOf } from '../contacts/persons.ts'
import { compareNumbers } from '../contacts/whole-numbers.ts'
import { transaction } from '../database/connect.ts'
import { closeOverdueCalls } from '../outcomes/calls.ts'
import { bookEarlyCosts } from '../outcomes/costs.ts'
import { askProviders, createInquiries, settleByEvents } from '../outcomes/doubts.ts'
import { type Batch, dispatchDue } from '../touchpoints/dispatch.ts'
import type { Engine } from '../touchpoints/queue/engine.ts'
import { jobOf } from '../touchpoints/queue/jobs.ts'
import { type JobQueue, openQueue } from '../touchpoints/queue/queue.ts'
import { unqueue } from '../touchpoints/recovery.ts'
import { sweep } from '../touchpoints/sweep.ts'
import { sendDueDigest } from './digest.ts'
import { type Loop, restAfter, startLoop } from './loop.ts'
import { startMinutes } from './minutes.ts'
import { type QueueWatchPace, watchQueues } from './queue-processes.ts'
import { refreshReports } from './reporting.ts'
import type { Runtime } from './runtime.ts'
import type { Service, ServiceEvents } from './service.ts'
import { freshen } from './signals.ts'
import { syncDue, type WorkspaceText } from './sync.ts'
import { ageIdle, runDue, watchHarm } from './ticks.ts'

/** Milliseconds between two looks at the database. */
export interface SchedulerPace {
  /** While nothing is due. */
  readonly idle: number
  /** While there is work. */
  readonly busy: number
  readonly sweep: number
  /** Of campaigns that do not run: paused, stopped, over. */
  readonly age: number
  /** Between two passes over the sums that reports are read from. */
  readonly report?: number
  readonly queues?: QueueWatchPace
}
const PACE: SchedulerPace = { idle: 1000, busy: 40, sweep: 15_000, age: 3_600_000 }
const REPORT_PACE = 600_000
/**
 * The shares of their time that sweeping and counting may take: with tens of millions of messages due, or of people under way, a
 * look at all of them takes minutes.
 */
const SHARE = { sweep: 0.1, report: 0.25 }
/** Milliseconds between two looks for what ingest may forget, or for other countries. */
const HOURLY = 3_600_000
/** Jobs queued for each worker: enough to keep it busy, few enough that a pause acts within seconds. */
const JOBS_PER_WORKER = 4
/** Messages are going out as long as the last batch was handed over no longer ago than this. Milliseconds. */
const LULL = 5_000

/**
 * Runs schedules (missed ones caught up once), dispatches due touchpoints, sweeps.
 * @param options.text the workspace file, where its syncs are to run
 */
export async function startScheduler(
  runtime: Runtime,
  engine: Engine,
  events: ServiceEvents,
  { pace = PACE, text }: { readonly pace?: SchedulerPace | undefined; readonly text?: WorkspaceText } = {},
): Promise<Service> {
  const report = (where: string) => (error: unknown) => events.onError(where, error)
  const queue = await openQueue(engine, report('queue'))
  const dispatcher = createDispatcher(runtime, queue, pace)
  const mine = { role: 'scheduler', engine, queueId: () => queue.id() } as const
  const start = (where: string, round: () => Promise<number>) => startLoop(report(where), pace.idle, round)
  const loops = [
    start('schedule', () => age(runtime, pace)),
    start('dispatch', dispatcher.dispatch),
    start('report', createReporter(runtime, dispatcher, pace)),
    start('prune', () => prune(runtime)),
    start('numbers', () => numbers(runtime)),
    start('sweep', createSweeper(runtime, events, pace)),
    start('signals', () => keepFresh(runtime, pace)),
    start('breakers', () => watch(runtime, events, pace)),
    watchQueues(runtime, mine, (gap) => events.onGap?.(gap), pace.queues),
    startMinutes(report('schedule'), pace.idle, () => runDue(runtime, events.onRun)),
    ...(text ? [startSyncs(runtime, events, pace, text)] : []),
  ]
  return {
    close: async () => {
      const ended = Promise.all(loops.map((each) => each.stop()))
      queue.leave()
      await ended
      await queue.close()
    },
  }
}

/** What the schedules of syncs ask for: beside the runs of campaigns, for either may take hours. */
function startSyncs(runtime: Runtime, events: ServiceEvents, pace: SchedulerPace, text: WorkspaceText): Loop {
  const stopping = new AbortController()
  const minutes = startMinutes(
    (error) => events.onError('sync', error),
    pace.idle,
    () => syncDue(runtime, text, (summary) => events.onSync?.(summary), stopping.signal),
  )
  return {
    stop: () => {
      stopping.abort()
      return minutes.stop()
    },
  }
}

/** Measures campaigns that do not run to their end. */
async function age(runtime: Runtime, pace: SchedulerPace): Promise<number> {
  await ageIdle(runtime)
  return pace.age
}

interface Dispatcher {
  /** Hands over what is due, as much as there is room for. @returns milliseconds until there may be more */
  dispatch(): Promise<number>
  /** When a batch was handed over last, of performance.now(); undefined until it is known whether anything is due. */
  handedAt(): number | undefined
}

function createDispatcher(runtime: Runtime, queue: JobQueue, pace: SchedulerPace): Dispatcher {
  // Counting workers is a list of all connections: once a pause is often enough.
  let workers = 1
  let countAt = 0
  let handedAt: number | undefined
  const dispatch = async () => {
    if (performance.now() >= countAt) {
      workers = Math.max(1, await queue.workers())
      countAt = performance.now() + pace.idle
    }
    const room = JOBS_PER_WORKER * workers - (await queue.waiting())
    if (room <= 0) return pace.busy
    const handed = await enqueueBatches(runtime, queue, room)
    handedAt = handed > 0 ? performance.now() : (handedAt ?? Number.NEGATIVE_INFINITY)
    return handed > 0 ? pace.busy : pace.idle
  }
  return { dispatch, handedAt: () => handedAt }
}

/**
 * Hands what is due to the queue. The next batch is taken while the queue swallows the one before; one that gets lost comes
 * back by its lease, and one that is refused at once.
 * @param room batches that are handed over at most
 * @returns how many were
 * @throws what the queue says where it takes none
 */
export async function enqueueBatches(
  runtime: Pick<Runtime, 'database' | 'clock' | 'worker' | 'rates'>,
  queue: Pick<JobQueue, 'add'>,
  room: number,
): Promise<number> {
  const adding: Promise<void>[] = []
  const refused: Batch[] = []
  let why: unknown
  const handed = await dispatchDue(
    runtime.database,
    { now: runtime.clock.now(), jobs: room, lease: runtime.worker.leases?.queued, rates: runtime.rates },
    async (batch) => {
      // What refuses one refuses the next: each that is taken nevertheless waits for its lease.
      if (refused.length > 0) {
        refused.push(batch)
        throw why
      }
      const added = queue.add([jobOf(batch)]).catch((error: unknown) => {
        refused.push(batch)
        why = error
        throw error
      })
      // It is asked for what became of it at the end; a refusal that nobody hears until then would end the process.
      added.catch(() => {})
      adding.push(added)
    },
  ).finally(async () => {
    await Promise.allSettled(adding)
    const keys = refused.flatMap((batch) => batch.keys)
    // Where the database is away as well, they come back by their lease.
    if (keys.length > 0) await unqueue(runtime.database, keys).catch(() => {})
  })
  await Promise.all(adding)
  return handed
}

/** Counts the sums of reports, and sends the digest that is made of them. */
function createReporter(
  runtime: Runtime,
  { handedAt }: Dispatcher,
  pace: SchedulerPace,
): () => Promise<number> {
  const reportPace = pace.report ?? REPORT_PACE
  let reportBy = performance.now() + reportPace
  return async () => {
    const began = performance.now()
    if (sumsWait(began, handedAt(), reportBy)) return pace.idle
    await refreshReports(runtime)
    const rest = restAfter(performance.now() - began, reportPace, SHARE.report)
    await sendDueDigest(runtime)
    reportBy = performance.now() + 2 * rest
    return rest
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

/** The workspace may name other countries for numbers than when it was last started. */
async function numbers({ database, clock, workspace, hooks }: Runtime): Promise<number> {
  await compareNumbers(database, { ...linkingOf(workspace), clock, hooks })
  return HOURLY
}

/** Forgets what ingest need no longer know. */
async function prune({ database, clock, workspace }: Runtime): Promise<number> {
  await pruneIngest(database, clock.now(), workspace.events.horizon)
  return HOURLY
}

/** Brings back what a crash left, closes calls nobody made, and clears up what is in doubt. */
function createSweeper(runtime: Runtime, events: ServiceEvents, pace: SchedulerPace): () => Promise<number> {
  const { database, clock, worker, reporting, idempotent } = runtime
  const inquiries = createInquiries()
  return async () => {
    const began = performance.now()
    events.onSweep(await sweep(database, clock.now(), idempotent))
    const rest = restAfter(performance.now() - began, pace.sweep, SHARE.sweep)
    await transaction(database, (tx) => closeOverdueCalls(tx, clock.now()))
    await settleByEvents(database, clock.now())
    const { channels, installation } = worker
    await askProviders(database, clock.now(), { channels, reporting, inquiries, installation })
    await bookEarlyCosts(database, clock.now())
    return rest
  }
}

/** Steps ask for signals too, between two runs. */
async function keepFresh(runtime: Runtime, pace: SchedulerPace): Promise<number> {
  await freshen(runtime)
  return pace.sweep
}

async function watch(runtime: Runtime, events: ServiceEvents, pace: SchedulerPace): Promise<number> {
  for (const tripped of await watchHarm(runtime)) events.onTripped?.(tripped)
  return pace.sweep
}
