import { drawOrder, drawResponse, drawSpell, type Person, type Population, type Spell } from './population.ts'

/** Something a simulated person did. Times in epoch milliseconds, value in currency units. */
export interface SimulatedActivity {
  readonly externalId: string
  readonly at: number
  readonly type: 'session' | 'order'
  readonly value: number | null
}

/**
 * The population living on. Time only goes forward; what was delivered is told before the time after it is
 * asked for, and changes only what comes after it. The course of events depends on the seed and the deliveries
 * alone, not on how time is cut into pieces.
 */
export interface World {
  readonly population: Population
  /**
   * A message reached the person at `at` (epoch ms). Deliveries of one person come in order of time.
   * @returns when it brings them back (epoch ms), unless something does so before; undefined: never
   */
  deliver(externalId: string, at: number): number | undefined
  /** Everything done after the last call and up to `until` (epoch ms, inclusive), in order of time. */
  advance(until: number): SimulatedActivity[]
  /** The spell the person was in at `at`, which has been lived through or is being. */
  spellAt(externalId: string, at: number): Spell | undefined
}

interface Life {
  readonly person: Person
  readonly spells: Spell[]
  /** When the current spell ends, as things stand. */
  next: number
  /** Messages that arrived in the current spell. */
  messages: number
}

/** How long after its session an order comes. Milliseconds. */
export const ORDERS_AFTER = 600_000

/** A world at the beginning of its people's time: advance it to day 0 for the history. */
export function openWorld(population: Population): World {
  const lives = population.people.map(
    (person): Life => ({ person, spells: [], next: person.signedUpAt, messages: 0 }),
  )
  const byId = new Map(lives.map((life) => [life.person.externalId, life]))
  // Orders follow their session by minutes, and may fall into the next call.
  let waiting: SimulatedActivity[] = []
  let now = Number.NEGATIVE_INFINITY

  const beginSpell = (life: Life): void => {
    const spell = drawSpell(population, life.person, life.spells.length, life.next)
    life.spells.push(spell)
    life.next = spell.naturalEnd
    life.messages = 0
  }

  return {
    population,
    deliver: (externalId, at) => {
      if (at < now)
        throw new RangeError(`${externalId}: a delivery at ${at} comes after ${now} was lived through`)
      const life = byId.get(externalId)
      const spell = life?.spells.at(-1)
      if (!life || !spell) return undefined
      life.messages += 1
      const answer = drawResponse(population, life.person, spell, { at, no: life.messages })
      if (answer === undefined || answer >= life.next) return undefined
      life.next = answer
      return answer
    },
    advance: (until) => {
      const done = waiting
      waiting = []
      for (const life of lives) {
        while (life.next <= until) {
          const { externalId } = life.person
          const at = life.next
          const order = drawOrder(population, life.person, life.spells.length)
          done.push({ externalId, at, type: 'session', value: null })
          if (order !== undefined)
            done.push({ externalId, at: at + ORDERS_AFTER, type: 'order', value: order })
          beginSpell(life)
        }
      }
      now = until
      waiting = done.filter((activity) => activity.at > until)
      return done
        .filter((activity) => activity.at <= until)
        .sort((a, b) => a.at - b.at || (a.externalId < b.externalId ? -1 : 1))
    },
    spellAt: (externalId, at) => byId.get(externalId)?.spells.findLast((spell) => spell.from <= at),
  }
}
