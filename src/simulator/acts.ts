import { choose, uniform } from './draws.ts'
import type { Person, Population } from './population.ts'
import type { World } from './world.ts'

// What people say and leave behind beside visiting: carts, favourites, comments, complaints, answers, memberships.
// None of it counts as activity and none changes the hazards, so the planted effect of a campaign stays what it is.

const DAY = 86_400_000

/** Something said or left behind, for the activity file. Time in epoch milliseconds. */
export interface SimulatedAct {
  readonly externalId: string
  readonly at: number
  readonly type: string
  readonly properties: Readonly<Record<string, string | number>>
}

/** How much bothers somebody: the fact `risk.grade`, planted. */
export type Grade = 'none' | 'light' | 'medium' | 'severe'

/** What is true of one person on day 0. */
export interface PlantedPerson {
  readonly externalId: string
  /** False for whoever has not lost interest: however silent, they will come at their own rhythm. */
  readonly lost: boolean
  readonly grade: Grade
  /** Epoch milliseconds at which the membership ends; undefined without one. */
  readonly membershipEnds: number | undefined
  readonly acts: readonly SimulatedAct[]
}

type Mood = 'content' | 'let down' | 'complaining' | 'angry'

/** What the moods add up to with the weights that ship: a review 1, a complaint 2, an NPS answer below six 2. */
const WEIGHT: Readonly<Record<Mood, number>> = { content: 0, 'let down': 1, complaining: 2, angry: 4 }

/**
 * Plants the acts of everybody in a world that has lived up to day 0. Same seed, same acts. People who have been
 * silent for a fortnight carry one sign more, as in the settings that ship; a fall in use is not planted.
 */
export function plantActs(world: World): PlantedPerson[] {
  return world.population.people.flatMap((person) => {
    const spell = world.spellAt(person.externalId, world.population.start)
    return spell ? [plantPerson(world.population, person, spell.from, spell.dormant)] : []
  })
}

function plantPerson(population: Population, person: Person, last: number, lost: boolean): PlantedPerson {
  const { seed, start } = population
  const { externalId, index } = person
  const u = (purpose: string) => uniform(seed, index, purpose)
  const acts: SimulatedAct[] = []
  const add = (type: string, at: number, properties: SimulatedAct['properties']) =>
    acts.push({ externalId, at: Math.round(at), type, properties })
  // Who still wants something leaves traces of it; of those who are lost, a few left a cart that nobody will empty.
  if (start - last > 3 * DAY && u('unfinished') < (lost ? 0.02 : 0.4)) {
    const at = Math.max(last + 30 * 60_000, start - 20 * DAY * u('unfinished, when'))
    const product = `p${1 + Math.floor(60 * u('unfinished, what'))}`
    const type = choose(u('unfinished, kind'), [
      ['add_to_cart', 60],
      ['favourite_added', 25],
      ['comment', 15],
    ])
    add(type, at, type === 'comment' ? { about: product } : { product_id: product })
  }
  const mood = choose<Mood>(u('mood'), [
    ['content', 90],
    ['let down', 4],
    ['complaining', 4],
    ['angry', 2],
  ])
  const said = Math.max(person.signedUpAt, start - (1 + 20 * u('said')) * DAY)
  if (mood === 'let down') add('review', said, { rating: 1 })
  if (mood === 'complaining' || mood === 'angry')
    add('complaint_opened', said, { complaint_id: `c${index}`, topic: 'delivery' })
  if (mood === 'angry') add('nps', said + 3_600_000, { score: Math.floor(6 * u('score')) })
  let membershipEnds: number | undefined
  if (u('member') < 0.08) {
    membershipEnds = Math.round(start + (1 + 55 * u('membership ends')) * DAY)
    const ends = new Date(membershipEnds).toISOString()
    add('subscription_started', person.signedUpAt + 3_600_000, { plan: 'tea-club', ends_at: ends })
  }
  const score = WEIGHT[mood] + (start - last >= 14 * DAY ? 1 : 0)
  return { externalId, lost, grade: gradeOf(score), membershipEnds, acts }
}

function gradeOf(score: number): Grade {
  if (score >= 4) return 'severe'
  if (score >= 2) return 'medium'
  return score >= 1 ? 'light' : 'none'
}
