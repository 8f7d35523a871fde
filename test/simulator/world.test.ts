import fc from 'fast-check'
import { expect, test } from 'vitest'
import { uniform } from '../../src/simulator/draws.ts'
import { drawPopulation, PLANTED } from '../../src/simulator/population.ts'
import { openWorld, type SimulatedActivity } from '../../src/simulator/world.ts'

const START = new Date('2026-01-05T00:00:00Z')
const DAY = 86_400_000
const END = START.getTime() + 60 * DAY

interface Message {
  day: number
  person: number
}

/** Lives through 60 days, asked for in pieces that end at `cuts` (days), and tells of each message in time. */
function live(seed: number, size: number, messages: readonly Message[], cuts: readonly number[]) {
  const population = drawPopulation({ seed, size, start: START })
  const world = openWorld(population)
  const seen: SimulatedActivity[] = [...world.advance(population.start)]
  const stops = [...cuts, ...messages.map((message) => message.day), 60].sort((a, b) => a - b)
  for (const stop of stops) {
    const at = START.getTime() + Math.round(stop * DAY)
    seen.push(...world.advance(at))
    for (const message of messages) {
      const person = population.people[message.person % size]
      if (message.day === stop && person) world.deliver(person.externalId, at)
    }
  }
  return seen
}

test('draws are uniform and unrelated between contacts, purposes and counts', () => {
  const n = 20_000
  const draw = Array.from({ length: n }, (_, i) => uniform(7, i, 'gap', 3))
  const other = Array.from({ length: n }, (_, i) => uniform(7, i, 'gap', 4))
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length
  expect(mean(draw)).toBeCloseTo(0.5, 1.9)
  expect(mean(draw.map((value) => (value - 0.5) ** 2))).toBeCloseTo(1 / 12, 2)
  const correlation = mean(draw.map((value, i) => (value - 0.5) * ((other[i] ?? 0) - 0.5))) * 12
  expect(Math.abs(correlation)).toBeLessThan(4 / Math.sqrt(n))
  expect(new Set(draw).size).toBe(n)
})

test('the same seed gives the same course of events however time is cut', () => {
  // Mails arrive on whole minutes and time is cut between them: what arrives at the very moment of a cut belongs to
  // whichever side is told of it, and a replay tells the mail first.
  const minute = fc.integer({ min: 1, max: 60 * 1440 })
  const day = minute.map((minutes) => minutes / 1440)
  const cut = minute.map((minutes) => (minutes + 0.5) / 1440)
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1000 }),
      fc.array(fc.record({ day, person: fc.nat(39) }), { maxLength: 20 }),
      fc.array(cut, { maxLength: 12 }),
      (seed, messages, cuts) => {
        expect(live(seed, 40, messages, cuts)).toEqual(live(seed, 40, messages, []))
      },
    ),
    { numRuns: 60 },
  )
})

test('a delivery changes nothing before it and nothing of anybody else', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1000 }),
      fc.nat(39),
      fc.integer({ min: 1, max: 50 }),
      (seed, person, day) => {
        const without = live(seed, 40, [], [day])
        const withMessage = live(seed, 40, [{ day, person }], [day])
        const untouched = (activity: SimulatedActivity) =>
          activity.at <= START.getTime() + day * DAY || Number(activity.externalId.slice(1)) !== person + 1
        expect(withMessage.filter(untouched)).toEqual(without.filter(untouched))
      },
    ),
    { numRuns: 60 },
  )
})

test('a larger population begins with the same people', () => {
  const small = drawPopulation({ seed: 3, size: 50, start: START })
  const large = drawPopulation({ seed: 3, size: 80, start: START })
  expect(large.people.slice(0, 50)).toEqual(small.people)
})

test('a message that does nothing changes nothing', () => {
  const population = drawPopulation({
    seed: 5,
    size: 300,
    start: START,
    effects: { ...PLANTED, message: [{ until: Number.POSITIVE_INFINITY, hazard: 0 }] },
  })
  const silent = openWorld(population)
  const written = openWorld(population)
  silent.advance(population.start)
  written.advance(population.start)
  for (const person of population.people) written.deliver(person.externalId, population.start)
  expect(written.advance(END)).toEqual(silent.advance(END))
})

test('a delivery into time that was lived through is refused', () => {
  const population = drawPopulation({ seed: 5, size: 3, start: START })
  const world = openWorld(population)
  world.advance(END)
  expect(() => world.deliver('u000001', END - 1)).toThrow(RangeError)
})

test('the population is the mix it claims to be', () => {
  const { people } = drawPopulation({ seed: 1, size: 5000, start: START })
  const share = (matches: (person: (typeof people)[number]) => boolean) =>
    people.filter(matches).length / people.length
  expect(share((person) => person.locale === 'zh-CN')).toBeCloseTo(0.72, 1)
  expect(share((person) => person.email !== null)).toBeCloseTo(0.96, 1)
  expect(share((person) => person.temper === 'lapsing')).toBeCloseTo(0.63, 1)
  expect(new Set(people.map((person) => person.externalId)).size).toBe(5000)
})
