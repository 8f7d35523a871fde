import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { rows } from '../../src/database/connect.ts'
import { settingsOf } from '../../src/database/migrate.ts'
import { testChannel } from '../support/channel.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { assertPatiently } from '../support/patience.ts'
import { openShop, TEMPLATES } from '../support/shop.ts'
import { anything, beginning, crowd, drain, firstRun } from './commands.ts'
import { emptyModel, type Model, PRICE } from './model.ts'
import { checkInvariants, type Real } from './real.ts'

// The whole machine against a model in memory: imports, late and repeated events, runs, returns, new versions, merges,
// workers that die or hang at every step, lost queues, jobs that run twice, suppressions and pauses, in random order, with
// caps, an offer with little stock and a day's budget that is soon spent.
// WINBACK_MODEL_RUNS and WINBACK_MODEL_SEED (a failure prints its seed) make it longer, or the same again.

const START = Date.UTC(2026, 2, 2, 9)

async function world(): Promise<{ model: Model; real: Real }> {
  const database = await emptiedDatabase()
  const email = testChannel('email', { concurrency: 2, price: PRICE })
  const log = testChannel('log')
  const shop = await openShop({
    database,
    clock: manualClock(new Date(START)),
    channels: [email, log],
    templates: {
      ...TEMPLATES,
      'hello-story.en.hbs': '---\nsubject: A story\n---\n<p>Once upon a time</p>\n',
    },
    // Nobody's lease runs out but when a test says so.
    leases: { queued: 86_400, claim: 86_400, send: 86_400 },
  })
  const model = emptyModel(START)
  const real: Real = { shop, email, log, hanging: new Map() }
  model.workspaceSalt = (await settingsOf(database)).workspaceSalt
  for (const command of beginning) await command.run(model, real)
  const [campaign] = await rows<{ salt: string }>(database, sql`SELECT salt FROM campaigns`)
  model.salt = campaign?.salt ?? ''
  await firstRun.run(model, real)
  return { model, real }
}

const runs = Number(process.env.WINBACK_MODEL_RUNS ?? 10)
/** Milliseconds: a busy machine tells fewer stories, and a failure is not shrunk for ever. */
const limit = 10_000 + runs * 4000
const seed = process.env.WINBACK_MODEL_SEED

describe('the pipeline', () => {
  it('does what the model says, whatever happens', { timeout: 4 * limit }, async () => {
    let stories = 0
    let episodes = 0
    const ends = new Map<string, number>()
    const verdicts = new Map<string, number>()
    await assertPatiently(
      fc.asyncProperty(
        fc.noBias(fc.commands(anything, { maxCommands: 60, size: 'max' })),
        async (commands) => {
          const { model, real } = await world()
          await fc.asyncModelRun(() => ({ model, real }), commands)
          await drain(model, real)
          await checkInvariants(real)
          stories += 1
          episodes += model.episodes.length
          for (const [said, times] of model.verdicts) verdicts.set(said, (verdicts.get(said) ?? 0) + times)
          for (const { touches } of model.episodes) {
            for (const { state, reason } of touches) {
              const end = reason === null ? state : `${state} ${reason}`
              ends.set(end, (ends.get(end) ?? 0) + 1)
            }
          }
        },
      ),
      {
        numRuns: runs,
        ...(seed === undefined ? {} : { seed: Number(seed) }),
        milliseconds: limit,
      },
    )
    // Stories in which nothing happens prove nothing. A busy machine is cut short after a few of them, whose mean varies.
    expect(episodes).toBeGreaterThanOrEqual(stories)
    if (stories >= 10) expect(episodes).toBeGreaterThan(stories * 3)
    console.info(
      `${stories} stories, ${episodes} episodes:`,
      Object.fromEntries(ends),
      Object.fromEntries(verdicts),
    )
  })

  it('knows what runs short, as the model says', async () => {
    const { model, real } = await world()
    for (const command of crowd) await command.run(model, real)
    await drain(model, real)
    await checkInvariants(real)
    expect([...model.verdicts.keys()]).toEqual(
      expect.arrayContaining(['offer_unavailable', 'budget_exhausted']),
    )
  })
})
