import { sql } from 'drizzle-orm'
import type { QueryConfig } from 'pg'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { testChannel } from '../support/channel.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { DAY, openPipeline, type Pipeline, type PipelineOptions, START } from '../support/pipeline.ts'

// With a budget of spend, every message of a batch is composed before the first goes: what it costs is asked.

/** A pipeline with messages that are due, and how many were composed. `composing` is called for each. */
async function open(contacts: number, composing: () => void, limits: Record<string, unknown> = {}) {
  const channel = testChannel('email', { price: 10_000, concurrency: 2 })
  const composed: string[] = []
  const { render } = channel
  channel.render = (template, view, contact) => {
    composed.push(contact.externalId)
    composing()
    return render(template, view, contact)
  }
  const options: PipelineOptions = {
    channel,
    tiers: [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'remind' }] }],
    definition: { limits: { budget: { spend: '1 CNY' }, max_delay: '20d', ...limits } },
  }
  const pipeline = await openPipeline({ ...options, database: await emptiedDatabase() })
  const silentSince = new Date(START.getTime() - 4 * DAY * 1000)
  for (let n = 0; n < contacts; n += 1) await pipeline.addContact({ silentSince })
  await pipeline.runNow()
  return { ...pipeline, composed }
}

async function work({ database, clock }: Pipeline, worker: Pipeline['worker']): Promise<void> {
  await dispatchDue(database, { now: clock.now(), jobs: 100 }, async (batch) => {
    await processBatch(worker, batch)
  })
}

/** Real time that passes for this process, in milliseconds. */
let passed = 0
const pass = (milliseconds: number) => {
  passed += milliseconds
}
const passing = () => {
  passed = 0
  const now = performance.now.bind(performance)
  vi.spyOn(performance, 'now').mockImplementation(() => now() + passed)
}
afterEach(() => vi.restoreAllMocks())

describe('a batch that takes long to compose', () => {
  it('keeps its claim', async () => {
    passing()
    // Nine messages of 20 seconds; the claim has a lease of 120.
    let owed = 0
    const { database, channel, worker, composed, ...pipeline } = await open(9, () => {
      pass(20_000)
      owed += 20
    })
    // In the database as much time has passed as here, whenever it is asked.
    const aging: Database = {
      ...database,
      client: new Proxy(database.client, {
        get: (target, key) => {
          if (key !== 'query') return Reflect.get(target, key)
          return async (query: string | QueryConfig, values: unknown[]) => {
            const seconds = owed
            owed = 0
            await execute(
              database,
              sql`UPDATE touchpoints SET lease_until = lease_until - make_interval(secs => ${seconds}::float8)`,
            )
            return await target.query(query, values)
          }
        },
      }),
    }
    await work({ ...pipeline, database, channel, worker }, { ...worker, database: aging })
    expect(channel.sent).toHaveLength(9)
    expect(composed).toHaveLength(9)
  })

  it('lets others have their turns', async () => {
    passing()
    const turns: number[] = []
    const { composed, ...pipeline } = await open(9, () => pass(10))
    let over = false
    const turn = () => {
      turns.push(composed.length)
      if (!over) setImmediate(turn)
    }
    turn()
    await work(pipeline, pipeline.worker)
    over = true
    const counts = [...new Set([0, ...turns, 9])].toSorted((one, other) => one - other)
    const stretches = counts.slice(1).map((count, at) => count - (counts[at] ?? 0))
    // After 25 ms, and a message takes ten.
    expect(Math.max(...stretches)).toBeLessThanOrEqual(3)
  })

  it('sends nothing once its window has closed, holds nothing then, and composes each message once', async () => {
    const pipeline = await open(3, () => pipeline.clock.advance(2400), {
      send_window: { default: '00:00-02:00' },
    })
    const { clock, channel, composed, database, worker } = pipeline
    // START is one in the morning: with the last of them it is three.
    await work(pipeline, worker)
    expect(composed).toHaveLength(3)
    expect(channel.sent).toEqual([])
    expect(await rows(database, sql`SELECT * FROM budget_holds`)).toEqual([])
    const opening = new Date('2026-03-03T00:00:00Z')
    expect((await pipeline.open()).map(({ dueAt }) => dueAt)).toEqual([opening, opening, opening])
    clock.set(opening)
    channel.render = () => 'quick'
    await work(pipeline, worker)
    expect(channel.sent).toHaveLength(3)
  })
})
