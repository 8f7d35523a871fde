import type { Clock } from '../clock.ts'
import type { Workspace } from '../config/workspace.ts'
import type { ApiCall } from '../contacts/api-calls.ts'
import type { Hooks } from '../contacts/hooks.ts'
import { ingestCalls } from '../contacts/live.ts'
import { type Database, transaction } from '../database/connect.ts'
import { settingsOf } from '../database/migrate.ts'
import { isContention } from '../database/outage.ts'
import { ensurePartitions, monthsWith } from '../database/partitions.ts'

// Group commit: while transactions are under way, the requests that arrive are collected, and the next transaction
// takes them all. A lone request waits for nobody; under load a commit is shared by thousands of events. Each request
// is answered when its transaction has committed. Two transactions may be under way: while one waits for this process,
// which is reading requests, the server works on the other.

/** What became of the calls of one request. */
export interface Taken {
  readonly accepted: number
  readonly repeated: number
}

export interface Intake {
  /**
   * Records the calls of one request, all or none; resolves when they are durable.
   * @param size characters of the request: it is held with them
   * @returns undefined, at once and with nothing recorded, while too much is under way
   */
  take(calls: readonly ApiCall[], size: number): Promise<Taken> | undefined
}

interface Request {
  readonly calls: readonly ApiCall[]
  readonly size: number
  resolve(taken: Taken): void
  reject(error: unknown): void
}

/** Calls of one transaction. */
const GROUP = 10_000
/** Transactions under way at a time. They wait for each other's contacts, so that more gain nothing. */
const LANES = 2
/** Calls that may wait: a few seconds' work. */
const WAITING = 50_000
/** Characters of their requests: of the largest calls, so many would be gigabytes while the database stands still. */
const WAITING_SIZE = 64_000_000
/** Where another transaction was first, everything is settled the second time. */
const ATTEMPTS = 5

export interface IntakeDependencies {
  readonly database: Database
  readonly workspace: Workspace
  readonly clock: Clock
  readonly hooks: Hooks
}

export function openIntake(
  dependencies: IntakeDependencies,
  limits = { group: GROUP, waiting: WAITING, size: WAITING_SIZE, lanes: LANES },
): Intake {
  const queue: Request[] = []
  const addressKey = remembered(async () => (await settingsOf(dependencies.database)).addressKey)
  let inFlight = 0
  let held = 0
  let working = 0

  const work = async () => {
    working += 1
    while (queue.length > 0) {
      const group = nextGroup(queue, limits.group)
      await settle((calls) => record(dependencies, calls, addressKey), group)
      for (const { calls, size } of group) {
        inFlight -= calls.length
        held -= size
      }
    }
    working -= 1
  }

  return {
    take: (calls, size) => {
      const full = inFlight + calls.length > limits.waiting || held + size > limits.size
      if (inFlight > 0 && full) return undefined
      inFlight += calls.length
      held += size
      return new Promise<Taken>((resolve, reject) => {
        queue.push({ calls, size, resolve, reject })
        if (working < limits.lanes) void work()
      })
    },
  }
}

/** Takes whole requests off the queue, as many as one transaction holds and one at least. */
function nextGroup(queue: Request[], limit: number): Request[] {
  let size = 0
  let count = 0
  for (const { calls } of queue) {
    if (count > 0 && size + calls.length > limit) break
    size += calls.length
    count += 1
  }
  return queue.splice(0, count)
}

/** Records a group. Should it fail as a whole, each request is tried by itself: nobody pays for another's. */
async function settle(
  recordAll: (calls: readonly ApiCall[]) => Promise<ReadonlySet<number>>,
  group: readonly Request[],
): Promise<void> {
  try {
    const repeated = await recordAll(group.flatMap(({ calls }) => calls))
    let place = 0
    for (const { calls, resolve } of group) {
      const from = place
      const repeats = calls.filter((_, index) => repeated.has(from + index)).length
      place += calls.length
      resolve({ accepted: calls.length - repeats, repeated: repeats })
    }
  } catch (error) {
    const [only, ...others] = group
    if (only && others.length === 0) only.reject(error)
    else for (const each of group) await settle(recordAll, [each])
  }
}

async function record(
  { database, workspace, clock, hooks }: IntakeDependencies,
  calls: readonly ApiCall[],
  addressKey: () => Promise<string>,
): Promise<ReadonlySet<number>> {
  await ensurePartitions(database, 'activity', monthsWith(calls.map(({ at }) => at)))
  const key = await addressKey()
  for (let attempt = 1; ; attempt += 1) {
    try {
      const now = clock.now()
      const { repeated } = await transaction(database, (tx) =>
        ingestCalls(tx, calls, { workspace, addressKey: key, now, hooks }),
      )
      return repeated
    } catch (error) {
      if (attempt >= ATTEMPTS || !isContention(error)) throw error
    }
  }
}

/** Asks once, and again where that failed. */
function remembered<Value>(ask: () => Promise<Value>): () => Promise<Value> {
  let asked: Promise<Value> | undefined
  return () => {
    asked ??= ask().catch((error: unknown) => {
      asked = undefined
      throw error
    })
    return asked
  }
}
