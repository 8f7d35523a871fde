import { expect } from 'vitest'
import { processBatch as processReally } from '../../src/touchpoints/batch.ts'
import { type Batch, dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { command } from './command.ts'
import { processBatch, type ShopMode } from './crediting.ts'
import { due } from './judging.ts'
import { type Batched, isRated, type Mode, type Model, type Placed } from './model.ts'
import { refused } from './promises.ts'
import { anotherWorker, type Real, readTouches } from './real.ts'
import { roomNow, takePlaces } from './scarce.ts'

// Work that goes well, or is refused in order: what is due is dispatched as fast as the provider takes it, and batches are
// worked through by workers that live.

/** What was dispatched at one look, and the model's own of what the database names by keys. */
export interface Dispatched {
  readonly batches: readonly Batch[]
  readonly places: ReadonlyMap<number, Placed>
}

interface Look {
  readonly jobs?: number
  /** How many look at the same moment. */
  readonly dispatchers?: number
}

/** Each of what is dispatched must have been due, and no more is than the provider takes; where one looks alone, no less. */
export async function dispatch(
  model: Model,
  real: Real,
  { jobs = 1000, dispatchers = 1 }: Look = {},
): Promise<Dispatched> {
  const { database, clock, runtime } = real.shop
  const batches: Batch[] = []
  const look = () =>
    dispatchDue(database, { now: clock.now(), jobs, rates: runtime.rates }, async (batch) => {
      batches.push(batch)
    })
  await Promise.all(Array.from({ length: dispatchers }, look))
  const places = await placesOf(model, real, batches)
  const room = roomNow(model)
  const rated = [...places.values()].filter(({ touch }) => isRated(touch)).length
  expect(rated).toBeLessThanOrEqual(room)
  takePlaces(model, rated)
  const taken = new Set([...places.values()].map(({ touch }) => touch))
  const left = due(model).filter(({ touch }) => !taken.has(touch))
  if (jobs === 1000 && dispatchers === 1) {
    expect(left.filter(({ touch }) => !isRated(touch))).toEqual([])
    if (left.length > 0) expect(rated).toBe(room)
  }
  return { batches, places }
}

async function placesOf(
  model: Model,
  real: Real,
  batches: readonly Batch[],
): Promise<ReadonlyMap<number, Placed>> {
  const wanted = new Set(batches.flatMap(({ keys }) => keys.map((key) => key.touchpointId)))
  const takeable = due(model)
  const found = new Map<number, Placed>()
  for (const row of await readTouches(real)) {
    if (!wanted.has(row.id)) continue
    const placed = takeable.find(
      ({ episode, touch }) =>
        episode.campaign === row.campaign &&
        episode.contact.name === row.contact &&
        episode.no === row.no &&
        touch.step.id === row.step,
    )
    if (!placed) throw new Error(`${row.contact}#${row.no} ${row.step} was dispatched, though it was not due`)
    found.set(row.id, placed)
    real.dispatchedAt.set(row.id, model.now)
  }
  expect(found.size).toBe(wanted.size)
  return found
}

/** A batch as the model knows it. */
export function batched({ keys }: Batch, places: ReadonlyMap<number, Placed>): Batched {
  return keys.flatMap(({ touchpointId }) => {
    const placed = places.get(touchpointId)
    return placed ? [[touchpointId, placed] as const] : []
  })
}

/** How the far ends answer from now on. */
export function speak(real: Real, mode: Mode, shop: ShopMode = 'credits'): void {
  real.accounts.mode = shop
  real.email.answer = (message) => {
    if (mode === 'retry' || mode === 'rejected') refused.add(message)
    // The server never saw it.
    if (mode === 'away') real.email.sent.splice(real.email.sent.indexOf(message), 1)
    if (mode === 'away') return { outcome: 'retry', detail: 'ECONNREFUSED', unsent: true, unreached: true }
    if (mode === 'retry') return { outcome: 'retry', detail: '451 later' }
    if (mode === 'rejected') return { outcome: 'rejected', reason: 'bad_address', detail: '550 nobody' }
    return mode === 'sent' ? { outcome: 'sent' } : { outcome: 'uncertain', detail: 'dropped after DATA' }
  }
}

interface Work extends Pick<Look, 'dispatchers'> {
  readonly mode?: Mode
  readonly shop?: ShopMode
  /** How often each job is run, at the same moment. */
  readonly times?: number
}

export const work = ({ mode = 'sent', shop = 'credits', times = 1, dispatchers = 1 }: Work = {}) =>
  command(
    `work, ${mode}, the shop ${shop}, each job ${times} times, dispatched by ${dispatchers}`,
    async (model, real) => {
      speak(real, mode, shop)
      const { batches, places } = await dispatch(model, real, { dispatchers })
      for (const batch of batches) {
        await Promise.all(Array.from({ length: times }, () => processReally(anotherWorker(real), batch)))
        processBatch(model, batched(batch, places), mode, shop)
      }
    },
  )
