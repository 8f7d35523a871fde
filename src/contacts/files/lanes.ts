import type pg from 'pg'
import { type Database, type Transaction, transactionOn } from '../../database/connect.ts'
import { isContention } from '../../database/outage.ts'

/** A piece of work in a transaction of its own; done again from the start where it has to be. */
export interface LaneWork<Result = unknown> {
  run(tx: Transaction): Promise<Result>
  /** Instead of `run`, in the one long transaction of an exclusive lane; composed while the piece before is written. */
  readonly compose?: (() => (tx: Transaction) => Promise<Result>) | undefined
  /** Once it has run, committed or not yet. */
  ran?(): void
  /** Once it is committed. */
  done(result: Result): void
  /** Two pieces with a key in common are done one after the other, in the order they came. */
  readonly keys?: ReadonlyMap<string, unknown> | undefined
}

export interface Lanes {
  /** Waits for a free lane and begins. @throws what an earlier piece failed with */
  begin<Result>(work: LaneWork<Result>): Promise<void>
  /**
   * Waits until all is done; `onEnding` hears when only the end of an exclusive lane is left.
   * @throws what a piece failed with
   */
  finish(onEnding?: () => void): Promise<void>
  /** Waits until nothing is under way, and gives the connections back. */
  close(): Promise<void>
  /** True where all pieces go into one transaction, in which small ones cost no commit. */
  readonly isExclusive?: boolean
}

interface Lane {
  readonly client: pg.PoolClient
  broken: Error | undefined
  busy: Promise<void> | undefined
  keys: LaneWork['keys']
}

/** Opens `count` connections, each for one transaction at a time; `prepare` runs once on each. */
export async function openLanes(
  database: Database,
  count: number,
  prepare: (tx: Transaction) => Promise<void> = async () => {},
): Promise<Lanes> {
  const lanes: Lane[] = []
  let failure: { error: unknown } | undefined
  const close = async () => {
    await Promise.all(lanes.map(({ busy }) => busy))
    for (const lane of lanes.splice(0)) lane.client.release(lane.broken)
  }
  try {
    while (lanes.length < count) {
      const lane: Lane = {
        client: await database.client.connect(),
        broken: undefined,
        busy: undefined,
        keys: undefined,
      }
      lanes.push(lane)
      await runOn(lane, prepare)
    }
  } catch (error) {
    await close()
    throw error
  }
  const check = () => {
    if (failure) throw failure.error
  }
  const turn = async (work: Pick<LaneWork, 'keys'>): Promise<Lane> => {
    for (;;) {
      check()
      const before = lanes.filter(({ keys }) => shareKeys(keys, work.keys)).map(({ busy }) => busy)
      const free = lanes.find(({ busy }) => busy === undefined)
      if (free && before.length === 0) return free
      await (before.length > 0 ? Promise.all(before) : Promise.race(lanes.map(({ busy }) => busy)))
    }
  }
  return {
    begin: async (work) => {
      const lane = await turn(work)
      lane.keys = work.keys
      lane.busy = runOn(lane, work.run)
        .then((result) => {
          work.done(result)
          work.ran?.()
        })
        .catch((error: unknown) => {
          failure ??= { error }
        })
        .finally(() => {
          lane.busy = undefined
          lane.keys = undefined
        })
    },
    finish: async () => {
      await Promise.all(lanes.map(({ busy }) => busy))
      check()
    },
    close,
  }
}

async function runOn<Result>(lane: Lane, work: (tx: Transaction) => Promise<Result>): Promise<Result> {
  return await settledOn(lane.client, work, (cause) => {
    lane.broken = cause
  })
}

/**
 * A transaction on `client`, tried again after a deadlock, a failed serialisation, and a unique violation (another
 * process made the same contact first): each finds things settled the next time.
 * @param onBroken hears of a connection that could not even roll back
 */
export async function settledOn<Result>(
  client: pg.PoolClient,
  work: (tx: Transaction) => Promise<Result>,
  onBroken: (cause: Error) => void,
): Promise<Result> {
  let broken = false
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await transactionOn(client, work, (cause) => {
        broken = true
        onBroken(cause)
      })
    } catch (error) {
      if (attempt >= 5 || broken || !isContention(error)) throw error
    }
  }
}

function shareKeys(one: LaneWork['keys'], other: LaneWork['keys']): boolean {
  if (!one || !other) return false
  for (const key of other.keys()) if (one.has(key)) return true
  return false
}
