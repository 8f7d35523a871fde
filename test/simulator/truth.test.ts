import { expect, test } from 'vitest'
import { uniform } from '../../src/simulator/draws.ts'
import { drawPopulation, type Effects, PLANTED } from '../../src/simulator/population.ts'
import {
  type EpisodeSeen,
  type Ladder,
  outcomesOf,
  plannedMessages,
  truthOf,
} from '../../src/simulator/truth.ts'
import { openWorld } from '../../src/simulator/world.ts'

const START = new Date('2026-01-05T01:00:00Z')
const DAY = 86_400_000

const LADDER: Ladder = {
  window: 30 * 86_400,
  maxDelay: 2 * 86_400,
  sendWindow: { from: 540, to: 1260 },
  timezone: 'Asia/Shanghai',
  tiers: [
    { name: 'coupon', from: 3 * 86_400, to: 7 * 86_400, holdout: 0, messages: [86_400] },
    { name: 'trial', from: 7 * 86_400, to: 15 * 86_400, holdout: 0.2, messages: [86_400] },
    { name: 'letter', from: 15 * 86_400, to: 180 * 86_400, holdout: 0.1, messages: [0] },
  ],
}

/**
 * A trial by hand, without any of Winback's pipeline: takes in everybody silent for 3 to 180 days on day 0, half
 * of them held out, delivers the planned messages to those still silent, and counts who came back within 30 days.
 */
function trial(seed: number, size: number, effects: Effects, ladder = LADDER) {
  const population = drawPopulation({ seed, size, start: START, effects })
  const world = openWorld(population)
  world.advance(population.start)
  const episodes: (EpisodeSeen & { treated: boolean })[] = []
  const messages: { externalId: string; at: number; silentSince: number }[] = []
  for (const person of population.people) {
    const spell = world.spellAt(person.externalId, population.start)
    const tier = ladder.tiers.find((tier) => {
      const silence = spell ? (population.start - spell.from) / 1000 : -1
      return silence >= tier.from && silence < (tier.to ?? Number.POSITIVE_INFINITY)
    })
    if (!spell || !tier) continue
    const treated = uniform(99, person.index, 'arm') < 0.5
    episodes.push({ externalId: person.externalId, assignedAt: START, entryTier: tier.name, treated })
    if (!treated) continue
    for (const [name, times] of plannedMessages(person, spell.from, population.start, ladder)) {
      const holdout = ladder.tiers.find((tier) => tier.name === name)?.holdout ?? 0
      if (uniform(99, person.index, `tier ${name}`) < holdout) break
      for (const at of times) messages.push({ externalId: person.externalId, at, silentSince: spell.from })
    }
  }
  const back = new Map<string, number>()
  const bought = new Map<string, number>()
  const note = (until: number) => {
    for (const activity of world.advance(until)) {
      bought.set(activity.externalId, (bought.get(activity.externalId) ?? 0) + (activity.value ?? 0))
      if (activity.type === 'session' && !back.has(activity.externalId))
        back.set(activity.externalId, activity.at)
    }
  }
  for (const message of messages.sort((a, b) => a.at - b.at)) {
    note(message.at)
    if (!back.has(message.externalId)) world.deliver(message.externalId, message.at)
  }
  note(population.start + 30 * DAY)
  const rate = (treated: boolean) => {
    const arm = episodes.filter((episode) => episode.treated === treated)
    return { n: arm.length, p: arm.filter((episode) => back.has(episode.externalId)).length / arm.length }
  }
  return {
    population,
    world,
    episodes,
    back,
    bought,
    truth: truthOf(world, episodes, ladder),
    treated: rate(true),
    held: rate(false),
    sent: messages.length,
  }
}

/** Monte-Carlo error of a share. */
const error = ({ n, p }: { n: number; p: number }) => Math.sqrt((p * (1 - p)) / n)

test('a randomised trial on the population finds what was planted', () => {
  const { truth, treated, held, sent } = trial(11, 20_000, PLANTED)
  expect(sent).toBeGreaterThan(4000)
  expect(Math.abs(held.p - truth.all.natural)).toBeLessThan(4 * error(held))
  expect(Math.abs(treated.p - truth.all.treated)).toBeLessThan(4 * error(treated))
  expect(truth.all.difference).toBeGreaterThan(0.05)
  expect(Math.abs(treated.p - held.p - truth.all.difference)).toBeLessThan(
    4 * Math.hypot(error(treated), error(held)),
  )
})

test('both outcomes drawn with common numbers agree with their expectations, tier by tier', () => {
  const { truth } = trial(12, 20_000, PLANTED)
  expect([...truth.tiers.keys()]).toEqual(['coupon', 'trial', 'letter'])
  for (const cell of truth.tiers.values()) {
    expect(cell.episodes).toBeGreaterThan(300)
    const n = cell.episodes
    expect(Math.abs(cell.drawn.natural - cell.natural)).toBeLessThan(4 * error({ n, p: cell.natural }))
    expect(Math.abs(cell.drawn.treated - cell.treated)).toBeLessThan(4 * error({ n, p: cell.treated }))
    // Common numbers: the difference is known far better than either rate.
    expect(Math.abs(cell.drawn.difference - cell.difference)).toBeLessThan(
      4 * error({ n, p: cell.difference }),
    )
  }
})

test('what the truth says of a person is what the person does', () => {
  const whole = { ...LADDER, tiers: LADDER.tiers.map((tier) => ({ ...tier, holdout: 0 })) }
  const { population, world, episodes, back, bought } = trial(14, 2000, PLANTED, whole)
  const people = new Map(population.people.map((person) => [person.externalId, person]))
  const wrong = episodes.filter(({ externalId, treated }) => {
    const person = people.get(externalId)
    const spell = world.spellAt(externalId, population.start)
    if (!person || !spell) return true
    const outcomes = outcomesOf(population, person, spell, population.start, whole)
    const spent = treated ? outcomes.boughtTreated : outcomes.boughtNatural
    return (
      (treated ? outcomes.drawnTreated : outcomes.drawnNatural) !== back.has(externalId) ||
      Math.abs(spent - (bought.get(externalId) ?? 0)) > 1e-6
    )
  })
  expect(episodes.length).toBeGreaterThan(1000)
  expect(wrong).toEqual([])
})

test('nothing planted, nothing true', () => {
  const { truth } = trial(13, 2000, { ...PLANTED, message: [{ until: Number.POSITIVE_INFINITY, hazard: 0 }] })
  expect(truth.all.difference).toBe(0)
  expect(truth.all.drawn.difference).toBe(0)
  expect(truth.all.bought.treated).toBe(truth.all.bought.natural)
})

test('a message that would come after the next tier begins never comes', () => {
  const population = drawPopulation({ seed: 1, size: 200, start: START })
  const person = population.people.find(
    (one) => one.email !== null && one.mailbox && !one.unsubscribed && one.timezone === 'Asia/Shanghai',
  )
  if (!person) throw new Error('nobody like that')
  const at = START.getTime()
  const early = plannedMessages(person, at - 4 * DAY, at, LADDER)
  const late = plannedMessages(person, at - 6.5 * DAY, at, LADDER)
  expect(early.get('coupon')).toEqual([at + DAY])
  expect(late.get('coupon')).toEqual([])
  // Nine o'clock in Shanghai is one in the morning UTC; a message due at night waits for it.
  const night = plannedMessages(person, at - 4 * DAY - 8 * 3_600_000, at - 8 * 3_600_000, LADDER)
  expect(night.get('coupon')).toEqual([at + DAY])
})
