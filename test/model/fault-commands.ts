import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { expect } from 'vitest'
import { execute } from '../../src/database/connect.ts'
import { messageKey } from '../../src/database/installation.ts'
import { processBatch as processReally } from '../../src/touchpoints/batch.ts'
import { claim, markSending } from '../../src/touchpoints/lifecycle.ts'
import { sweep as sweepReal } from '../../src/touchpoints/sweep.ts'
import { command, pick } from './command.ts'
import { ask, finishBatch, hangAsking, heed, type ShopMode, wakeAsking } from './crediting.ts'
import { decide, judge } from './judging.ts'
import type { Model, Placed } from './model.ts'
import { anotherWorker, type Real, readTouches, type TouchRow } from './real.ts'
import type { Verdict } from './verdict.ts'
import { batched, dispatch, speak } from './work-commands.ts'
import { carryOut, conclude, finish, nextWorker, reserve, sweep, take, wake } from './working.ts'

// What goes wrong: queues that are lost, workers that die, and workers that hang, in the middle of their sends or with what
// the shop has answered, until the sweeper or they themselves go on.

export const loseQueue = command('jobs are queued and the queue is flushed', async (model, real) => {
  const { places } = await dispatch(model, real)
  for (const { touch } of places.values()) touch.state = 'queued'
})

/** @param marked how many of each batch the worker had marked, or even handed over, before it died */
export const die = (marked: number, handed: boolean) =>
  command(`a worker dies with ${marked} marked${handed ? ' and handed over' : ''}`, async (model, real) => {
    const { batches, places } = await dispatch(model, real)
    for (const { keys } of batches) {
      const claimId = randomUUID()
      const claimed = await claim(real.shop.database, claimId, keys)
      expect(claimed).toHaveLength(keys.length)
      for (const key of claimed) {
        const placed = places.get(key.touchpointId)
        if (placed) placed.touch.state = 'claimed'
      }
      const slice = claimed.slice(0, marked).flatMap((key) => {
        const placed = places.get(key.touchpointId)
        const verdict = placed && judge(model, placed)
        // Marked without a promise, as a step's neutral template is: what its next try promises is of that alone.
        return placed && verdict?.kind === 'send' ? [{ key, placed, channel: verdict.channel }] : []
      })
      const [first] = slice
      if (!first) continue
      const mine = await markSending(real.shop.database, claimId, {
        keys: slice.map(({ key, channel }) => ({ ...key, channel })),
        campaign: first.placed.episode.campaign,
        now: real.shop.clock.now(),
        needsConsent: [],
      })
      expect(mine).toHaveLength(slice.length)
      for (const { key, placed, channel } of slice) {
        placed.touch.state = 'sending'
        placed.touch.channel = channel
        if (!handed) continue
        const message = {
          contactId: key.contactId,
          touchpointId: key.touchpointId,
          address: '',
          content: placed.touch.variant === 'story' ? 'Once upon a time' : 'Hello',
          key: messageKey(real.shop.runtime.worker.installation, key.touchpointId),
        }
        real[channel].sent.push(message)
      }
    }
  })

export const sweepNow = command('every lease runs out', async (model, real) => {
  const { database, clock, runtime } = real.shop
  // A live lease is nobody else's.
  expect(await sweepReal(database, clock.now(), runtime.idempotent)).toEqual({
    released: 0,
    repeated: 0,
    uncertain: 0,
  })
  await execute(
    database,
    sql`UPDATE touchpoints SET lease_until = '2000-01-01' WHERE lease_until IS NOT NULL`,
  )
  await Promise.all([1, 2].map(() => sweepReal(database, clock.now(), runtime.idempotent)))
  sweep(model)
})

/** What a batch that stopped in the middle has left: read, and held against what it may have been. */
function adopt(model: Model, placed: Placed, verdict: Verdict, row: TouchRow, worker: number): void {
  const { touch } = placed
  if (verdict.kind !== 'send') {
    carryOut(model, placed, verdict, { mode: 'sent', worker })
    return
  }
  if (verdict.channel === 'log' && row.state === 'sent') {
    finish(model, placed, 'log', { mode: 'sent', worker })
    return
  }
  if (row.state !== 'claimed' && !(row.state === 'sending' && verdict.channel === 'email')) {
    throw new Error(`${row.contact}#${row.no} ${row.step} is ${row.state} in a worker that hangs`)
  }
  touch.state = row.state
  touch.channel = verdict.channel
  if (verdict.channel === 'email') touch.address = placed.episode.contact.email
  touch.holder = worker
}

/** Answers are held back from `count` on until `go`; `reached` resolves once so many wait for theirs. */
function holdUp(count: number) {
  let go = () => {}
  const released = new Promise<void>((resolve) => {
    go = resolve
  })
  let waiting = 0
  let reach = () => {}
  const reached = new Promise<void>((resolve) => {
    reach = resolve
  })
  const wait = async () => {
    waiting += 1
    if (waiting === count) reach()
    await released
  }
  return { go, reached, wait }
}

export const hang = (shop: ShopMode) =>
  command(`a worker hangs in its first sends, the shop ${shop}`, async (model, real) => {
    // Where the mail server is away, one message alone would try it.
    if (model.absence) return
    speak(real, 'sent', shop)
    const { batches, places } = await dispatch(model, real, { jobs: 1 })
    const [batch] = batches
    if (!batch) return
    const worker = nextWorker(model)
    const mine = batched(batch, places)
    const decisions = decide(model, mine)
    take(model, mine, worker)
    reserve(model, decisions, worker)
    const verdicts = heed(model, decisions, ask(decisions, shop, worker), worker)
    const mails = [...verdicts.values()].filter(
      (verdict) => verdict.kind === 'send' && verdict.channel === 'email',
    ).length
    const full = Math.min(mails, real.email.concurrency)
    const { go, reached, wait } = holdUp(full)
    let ended: 'sent' | 'uncertain' = 'sent'
    real.email.answer = async () => {
      await wait()
      return ended === 'sent' ? { outcome: 'sent' } : { outcome: 'uncertain', detail: 'dropped after DATA' }
    }
    const done = processReally(anotherWorker(real), batch)
    await Promise.race([done, ...(full > 0 ? [reached] : [])])
    for (const row of await readTouches(real)) {
      const placed = places.get(row.id)
      const verdict = placed && verdicts.get(placed)
      if (placed && verdict) adopt(model, placed, verdict, row, worker)
    }
    if (full === 0) {
      conclude(model, worker)
      return
    }
    model.hanging.add(worker)
    real.hanging.set(worker, {
      go: async (mode) => {
        ended = mode
        go()
        await done
      },
    })
  })

/** A worker hangs once the shop has answered whatever it asks, and before it does anything about it. */
export const hangInShop = (shop: ShopMode) =>
  command(`a worker hangs when the shop ${shop}`, async (model, real) => {
    // Where the mail server is away, one message alone would try it.
    if (model.absence) return
    speak(real, 'sent', shop)
    const { batches, places } = await dispatch(model, real, { jobs: 1 })
    const [batch] = batches
    const { offerProvider: provider } = real.shop.runtime.worker
    if (!batch || !provider) return
    const mine = batched(batch, places)
    const decisions = decide(model, mine)
    const asking = [...decisions.values()].filter(
      ({ verdict, promised }) => verdict.kind === 'send' && promised?.asks,
    ).length
    if (asking === 0) {
      await processReally(anotherWorker(real), batch)
      finishBatch(model, mine, decisions, { mode: 'sent', shop })
      return
    }
    const worker = nextWorker(model)
    const { go, reached, wait } = holdUp(asking)
    const slow = {
      ...provider,
      credit: async (request: Parameters<typeof provider.credit>[0]) => {
        const answer = await provider.credit(request)
        await wait()
        return answer
      },
    }
    const done = processReally({ ...anotherWorker(real), offerProvider: slow }, batch)
    await Promise.race([done, reached])
    real.hanging.set(worker, {
      asking: hangAsking(model, mine, shop, worker),
      go: async () => {
        go()
        await done
      },
    })
  })

export async function wakeOne(
  model: Model,
  real: Real,
  worker: number,
  mode: 'sent' | 'uncertain' = 'sent',
): Promise<void> {
  speak(real, 'sent')
  const hanging = real.hanging.get(worker)
  real.hanging.delete(worker)
  await hanging?.go(mode)
  if (hanging?.asking) wakeAsking(model, hanging.asking, worker)
  else wake(model, worker, mode)
}

export const wakeUp = (which: number, mode: 'sent' | 'uncertain') =>
  command(
    `hanging worker ${which} goes on, its sends ${mode}`,
    async (model, real) => {
      const worker = pick([...model.hanging], which)
      if (worker !== undefined) await wakeOne(model, real, worker, mode)
    },
    (model) => model.hanging.size > 0,
  )
