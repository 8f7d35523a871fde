import { type Database, type Transaction, transactionOn } from '../database/connect.ts'
import type { Lanes, LaneWork } from './lanes.ts'

/** What opens and closes the one transaction of an exclusive lane. */
export interface Exclusive {
  /** Takes what the transaction must have to itself. @returns false where it cannot be had, and nothing was changed */
  begin(tx: Transaction): Promise<boolean>
  /** Before the commit. */
  end(tx: Transaction): Promise<void>
}

/**
 * One connection and one transaction for all pieces, while that goes. A piece that meets a row it should have been the
 * first to write (23505) is undone, what came before it is committed, and it and all later ones go to the lanes that
 * `openOthers` gives.
 * @returns undefined where `exclusive` does not begin
 */
export async function openExclusiveLane(
  database: Database,
  exclusive: Exclusive,
  openOthers: () => Promise<Lanes>,
): Promise<Lanes | undefined> {
  const held = await holdTransaction(database, exclusive)
  if (!held) return undefined
  const { tx } = held
  const done: (() => void)[] = []
  let busy: Promise<void> | undefined
  let failure: { error: unknown } | undefined
  let committed = false
  let others: Lanes | undefined
  const commit = async () => {
    committed = true
    await held.commit()
    for (const tell of done) tell()
  }
  /** @returns false where the piece has to be done among others */
  const load = async <Result>(
    work: LaneWork<Result>,
    write: (tx: Transaction) => Promise<Result>,
  ): Promise<boolean> => {
    await tx.client.query(done.length === 0 ? 'SAVEPOINT piece' : 'RELEASE SAVEPOINT piece; SAVEPOINT piece')
    try {
      const result = await write(tx)
      // Of the piece only this: all it holds would otherwise be kept until the end.
      const { done: tell } = work
      done.push(() => tell(result))
      work.ran?.()
      return true
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === '23505')) throw error
      await tx.client.query('ROLLBACK TO SAVEPOINT piece')
      return false
    }
  }
  const settle = async () => {
    await busy
    if (failure) throw failure.error
  }
  return {
    isExclusive: () => !committed,
    begin: async (work) => {
      const write = (committed ? undefined : work.compose?.()) ?? work.run
      await settle()
      if (others) return others.begin(work)
      busy = load(work, write)
        .then(async (loaded) => {
          if (loaded) return
          await commit()
          others = await openOthers()
          await others.begin(work)
        })
        .catch((error: unknown) => {
          failure ??= { error }
        })
    },
    finish: async (onEnding) => {
      await settle()
      if (others) return others.finish()
      onEnding?.()
      await commit()
    },
    close: async () => {
      await busy
      try {
        // Whatever else came in between, such as a file that breaks off: what was loaded is whole, and stays.
        if (!committed && !failure) await commit()
      } finally {
        if (!committed) await held.abandon()
        await others?.close()
      }
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
