import { type Database, type Transaction, transactionOn } from '../../database/connect.ts'
import type { Lanes, LaneWork } from './lanes.ts'

/** What opens and closes the one transaction of an exclusive lane. */
export interface Exclusive {
  /** Takes what the transaction must have to itself. @returns false where it cannot be had, and nothing was changed */
  begin(tx: Transaction): Promise<boolean>
  /** Before the commit. */
  end(tx: Transaction): Promise<void>
}

/**
 * One connection and one transaction for all pieces.
 * @returns undefined where `exclusive` does not begin
 */
export async function openExclusiveLane(
  database: Database,
  exclusive: Exclusive,
): Promise<Lanes | undefined> {
  const held = await holdTransaction(database, exclusive)
  if (!held) return undefined
  const { tx } = held
  const done: (() => void)[] = []
  let busy: Promise<void> | undefined
  let failure: { error: unknown } | undefined
  let committed = false
  const commit = async () => {
    committed = true
    await held.commit()
    for (const tell of done) tell()
  }
  const load = async <Result>(
    { done: tell, ran }: LaneWork<Result>,
    write: (tx: Transaction) => Promise<Result>,
  ): Promise<void> => {
    const result = await write(tx)
    // Of the piece only this: all it holds would otherwise be kept until the end.
    done.push(() => tell(result))
    ran?.()
  }
  const settle = async () => {
    await busy
    if (failure) throw failure.error
  }
  return {
    isExclusive: true,
    begin: async (work) => {
      const write = work.compose?.() ?? work.run
      await settle()
      busy = load(work, write).catch((error: unknown) => {
        failure = { error }
      })
    },
    finish: async (onEnding) => {
      await settle()
      onEnding?.()
      await commit()
    },
    close: async () => {
      await busy
      // Whatever else came in between, such as a file that breaks off: what was loaded is whole, and stays.
      if (!committed && !failure) await commit()
      if (!committed) await held.abandon()
    },
  }
}

interface HeldTransaction {
  readonly tx: Transaction
  commit(): Promise<void>
  abandon(): Promise<void>
}

/** A transaction that stays open until it is told how to end. */
async function holdTransaction(
  database: Database,
  exclusive: Exclusive,
): Promise<HeldTransaction | undefined> {
  const client = await database.client.connect()
  let broken: Error | undefined
  let opened: (tx: Transaction | undefined) => void = () => {}
  const opening = new Promise<Transaction | undefined>((resolve) => {
    opened = resolve
  })
  let tell: (keep: boolean) => void = () => {}
  const told = new Promise<boolean>((resolve) => {
    tell = resolve
  })
  const abandoned = new Error('abandoned')
  const whole = transactionOn(
    client,
    async (tx) => {
      if (!(await exclusive.begin(tx))) return opened(undefined)
      opened(tx)
      if (!(await told)) throw abandoned
      await exclusive.end(tx)
    },
    (cause) => {
      broken = cause
    },
  ).finally(() => client.release(broken))
  // Where it fails before it is open, whoever opens it hears of that; afterwards, whoever ends it.
  const tx = await Promise.race([opening, whole.then(() => undefined)])
  if (!tx) {
    await whole
    return undefined
  }
  return {
    tx,
    commit: () => {
      tell(true)
      return whole
    },
    abandon: () => {
      tell(false)
      return whole.catch((error: unknown) => {
        if (error !== abandoned) throw error
      })
    },
  }
}
