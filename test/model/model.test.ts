import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { testChannel } from '../support/channel.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { assertPatiently } from '../support/patience.ts'
import { openShop, TEMPLATES, WORKSPACE } from '../support/shop.ts'
import { type CampaignName, PRICE } from './campaign.ts'
import { CONTROL, workspaceAdditions } from './campaigns.ts'
import { GAME_TEMPLATES } from './game.ts'
import { emptyModel, everyEpisode, type Model } from './model.ts'
import { openAccounts, type Real } from './real.ts'
import { beginning, crowd, drain, refusals, stories, turns } from './stories.ts'

// The whole machine against a model in memory: imports, late and repeated events, runs, returns, new versions and old ones
// restored, merges, workers that die or hang at every step, lost queues, jobs that run twice, suppressions, choices, erasures,
// pauses and stops, in random order; what a return releases, a shop that puts offers into accounts and fails in every way,
// persons in several chunks; with caps, a provider's rate, an offer with little stock, a day's budget that is soon spent and a
// liability that is; all in one of two campaigns for the same people, which share a group or do not.
// WINBACK_MODEL_RUNS and WINBACK_MODEL_SEED (a failure prints its seed) make it longer, or the same again.

const START = Date.UTC(2026, 2, 2, 9)

const accounts = await openAccounts()
afterAll(() => accounts.stop())

/** What is drawn of a world before its story. */
interface Drawn {
  /** What arms, tiers and variants are drawn by. */
  readonly salt: number
  /** Of the second campaign's first version: whether it shares a group with the first. */
  readonly text: number
}

async function world({ salt, text }: Drawn): Promise<{ model: Model; real: Real }> {
  const salts = { workspace: `shop ${salt}`, game: `game ${salt}`, encore: `encore ${salt}` }
  const database = await emptiedDatabase()
  const email = testChannel('email', { concurrency: 2, price: PRICE })
  const log = testChannel('log')
  const shop = await openShop({
    database,
    clock: manualClock(new Date(START)),
    channels: [email, log],
    workspace: `${WORKSPACE.replace('control: 0%', `control: ${CONTROL * 100}%`)}${workspaceAdditions(accounts.url)}`,
    templates: { ...TEMPLATES, ...GAME_TEMPLATES },
    salts,
    // Nobody's lease runs out but when a test says so.
    leases: { queued: 86_400, claim: 86_400, send: 86_400 },
  })
  const model = emptyModel(START, salts)
  accounts.asked.clear()
  accounts.credited.clear()
  const real: Real = {
    shop,
    accounts,
    email,
    log,
    hanging: new Map(),
    dispatchedAt: new Map(),
    mailedAt: [],
    erased: new Set(),
  }
  for (const command of beginning(text)) await command.run(model, real)
  return { model, real }
}

const runs = Number(process.env.WINBACK_MODEL_RUNS ?? 10)
/** Milliseconds: a busy machine tells fewer stories, and a failure is not shrunk for ever. */
const limit = 10_000 + runs * 4000
const seed = process.env.WINBACK_MODEL_SEED
/** Not made smaller with a story that fails: another salt is another world. */
const drawn: fc.Arbitrary<Drawn> = fc.noShrink(fc.record({ salt: fc.nat(), text: fc.constantFrom(1, 1, 2) }))

describe('the pipeline', () => {
  it('does what the model says, whatever happens', { timeout: 4 * limit }, async () => {
    let told = 0
    let episodes = 0
    const ends = new Map<string, number>()
    const verdicts = new Map<string, number>()
    await assertPatiently(
      fc.asyncProperty(drawn, stories, async (first, commands) => {
        const { model, real } = await world(first)
        await fc.asyncModelRun(() => ({ model, real }), commands)
        await drain(model, real)
        told += 1
        episodes += everyEpisode(model).length
        for (const [said, times] of model.verdicts) verdicts.set(said, (verdicts.get(said) ?? 0) + times)
        for (const { touches } of everyEpisode(model)) {
          for (const { state, reason } of touches) {
            const end = reason === null ? state : `${state} ${reason}`
            ends.set(end, (ends.get(end) ?? 0) + 1)
          }
        }
      }),
      {
        numRuns: runs,
        ...(seed === undefined ? {} : { seed: Number(seed) }),
        milliseconds: limit,
      },
    )
    // Stories in which nothing happens prove nothing. A busy machine is cut short after a few of them, whose mean varies.
    expect(episodes).toBeGreaterThanOrEqual(told)
    if (told >= 10) expect(episodes).toBeGreaterThan(told * 3)
    console.info(
      `${told} stories, ${episodes} episodes:`,
      Object.fromEntries(ends),
      Object.fromEntries(verdicts),
    )
  })

  it('gives up addresses that are refused again, as the model says', async () => {
    const listed = new Set<string>()
    // Who is written to is drawn anew in each world: in one of six, none of those who were refused comes again in time.
    for (let worlds = 0; worlds < 10 && listed.size === 0; worlds += 1) {
      const { model, real } = await world({ salt: worlds, text: 1 })
      for (const command of refusals) await command.run(model, real)
      for (const address of model.suppressed) listed.add(address)
      await drain(model, real)
    }
    expect(listed.size).toBeGreaterThan(0)
  })

  it('has a person in one campaign of a group at a time, as the model says', async () => {
    const { model, real } = await world({ salt: 1, text: 1 })
    for (const command of turns) await command.run(model, real)
    const contacts = (name: CampaignName) =>
      new Set(model.episodes.flatMap(({ campaign, contact }) => (campaign === name ? [contact] : [])))
    const [before, after] = [contacts('game'), contacts('encore')]
    expect([...before].filter((contact) => after.has(contact))).not.toEqual([])
    expect(model.episodes.filter(({ silencedBy }) => silencedBy === 'merged')).not.toEqual([])
    await drain(model, real)
  })

  it('knows what runs short, as the model says', async () => {
    const { model, real } = await world({ salt: 1, text: 1 })
    for (const command of crowd) await command.run(model, real)
    await drain(model, real)
    expect([...model.verdicts.keys()]).toEqual(
      expect.arrayContaining(['offer_unavailable', 'budget_exhausted']),
    )
  })
})
