import { uniform } from './draws.ts'
import {
  drawOrder,
  drawResponse,
  drawSpell,
  engagedHazard,
  messageHazard,
  naturalHazard,
  type Person,
  type Population,
  type Spell,
} from './population.ts'
import { ORDERS_AFTER, type World } from './world.ts'

// What a campaign really does to the people it took in: known, because the effect was planted. For every
// episode both outcomes are worked out: what happens if nobody writes, and what happens if the whole ladder is
// sent. A report sees one of the two for each person, and has to estimate the difference.

const DAY = 86_400_000

/** The campaign as its recipients see it: when which tier writes. Durations in seconds. */
export interface Ladder {
  readonly window: number
  readonly maxDelay: number
  /** Local minutes of the day, [from, to). */
  readonly sendWindow: { readonly from: number; readonly to: number }
  /** Where a person's own zone is unknown. */
  readonly timezone: string
  readonly tiers: readonly {
    readonly name: string
    readonly from: number
    readonly to: number | null
    /** Share of the treated held out on entering, until the episode ends. */
    readonly holdout: number
    /** `after` of each step that delivers something. */
    readonly messages: readonly number[]
  }[]
}

/** An episode as the campaign opened it. */
export interface EpisodeSeen {
  readonly externalId: string
  readonly assignedAt: Date
  readonly entryTier: string
}

/** Rates are shares of `episodes`. Expected: by the planted hazards. Drawn: with the very draws of this population. */
export interface TruthCell {
  readonly episodes: number
  readonly natural: number
  readonly treated: number
  readonly difference: number
  readonly drawn: { readonly natural: number; readonly treated: number; readonly difference: number }
  /** What an episode buys within its window, in currency units, with the very draws. */
  readonly bought: { readonly natural: number; readonly treated: number }
}

/** What the campaign does to those it took in, over all and by the tier they entered at. */
export interface Truth {
  readonly all: TruthCell
  /** By entry tier, in the ladder's order; tiers nobody entered by are absent. */
  readonly tiers: ReadonlyMap<string, TruthCell>
}

/**
 * The truth over the given episodes, whatever arm each was in. The treated outcome is that of the whole ladder
 * with the tiers' own draws, as planned from the person's silence and local time.
 */
export function truthOf(world: World, episodes: readonly EpisodeSeen[], ladder: Ladder): Truth {
  const people = new Map(world.population.people.map((person) => [person.externalId, person]))
  const all = sum()
  const tiers = new Map(ladder.tiers.map((tier) => [tier.name, sum()]))
  for (const episode of episodes) {
    const person = people.get(episode.externalId)
    const at = episode.assignedAt.getTime()
    const spell = world.spellAt(episode.externalId, at)
    if (!person || !spell) continue
    const outcome = outcomesOf(world.population, person, spell, at, ladder)
    all.add(outcome)
    tiers.get(episode.entryTier)?.add(outcome)
  }
  return {
    all: all.cell(),
    tiers: new Map(
      [...tiers].map(([name, total]) => [name, total.cell()] as const).filter(([, c]) => c.episodes > 0),
    ),
  }
}

/** Both outcomes of one episode, as probabilities and as drawn. */
export interface Outcomes {
  readonly natural: number
  readonly treated: number
  readonly drawnNatural: boolean
  readonly drawnTreated: boolean
  /** What is bought within the window, in currency units, as drawn. */
  readonly boughtNatural: number
  readonly boughtTreated: number
}

/** @param assignedAt epoch milliseconds, within `spell` */
export function outcomesOf(
  population: Population,
  person: Person,
  spell: Spell,
  assignedAt: number,
  ladder: Ladder,
): Outcomes {
  const ends = assignedAt + ladder.window * 1000
  const hazard = naturalHazardBetween(population, person, spell, assignedAt, ends)
  const planned = plannedMessages(person, spell.from, assignedAt, ladder)
  // Held out in a tier means held out to the end, so a treated person gets the tiers up to the first that drew
  // them out: one scenario for each tier it may happen in, and one for none.
  let treated = 0
  let still = 1
  let added = 0
  let answered: number | undefined
  let drawnIn = true
  let count = 0
  for (const [no, tier] of ladder.tiers.entries()) {
    const stage = planned.get(tier.name)
    if (!stage) continue
    treated += still * tier.holdout * comesBack(hazard + added)
    still *= 1 - tier.holdout
    drawnIn =
      drawnIn && uniform(population.seed, person.index, `held out in tier ${no}`, spell.no) >= tier.holdout
    for (const at of stage) {
      const works = Math.max(0, Math.min(population.effects.lasts * DAY, ends - at)) / DAY
      added += messageHazard(population.effects, (at - spell.from) / DAY) * works
      count += 1
      if (!drawnIn) continue
      const answer = drawResponse(population, person, spell, { at, no: count })
      if (answer !== undefined && answer <= ends) answered = Math.min(answered ?? answer, answer)
    }
  }
  treated += still * comesBack(hazard + added)
  const drawnNatural = spell.naturalEnd <= ends
  return {
    natural: comesBack(hazard),
    treated,
    drawnNatural,
    drawnTreated: drawnNatural || answered !== undefined,
    boughtNatural: boughtFrom(population, person, spell, spell.naturalEnd, ends),
    boughtTreated: boughtFrom(
      population,
      person,
      spell,
      Math.min(spell.naturalEnd, answered ?? spell.naturalEnd),
      ends,
    ),
  }
}

/** What the person buys up to `ends` where the spell is over at `back`: from then on nobody writes, as within an episode. */
function boughtFrom(
  population: Population,
  person: Person,
  { no }: Spell,
  back: number,
  ends: number,
): number {
  let bought = 0
  let at = back
  for (let session = no + 1; at <= ends; session += 1) {
    const order = at + ORDERS_AFTER <= ends ? drawOrder(population, person, session) : undefined
    bought += order ?? 0
    at = drawSpell(population, person, session, at).naturalEnd
  }
  return bought
}

/**
 * When each tier's messages reach the person if they stay silent, by tier name; epoch milliseconds. A message
 * that would come after the next tier begins, or too long after its time, never comes.
 */
export function plannedMessages(
  person: Person,
  silentSince: number,
  assignedAt: number,
  ladder: Ladder,
): Map<string, number[]> {
  const planned = new Map<string, number[]>()
  if (person.email === null || !person.mailbox || person.unsubscribed) return planned
  for (const tier of ladder.tiers) {
    const ends = tier.to === null ? Number.POSITIVE_INFINITY : silentSince + tier.to * 1000
    if (ends <= assignedAt) continue
    const entered = Math.max(assignedAt, silentSince + tier.from * 1000)
    const times = tier.messages.flatMap((after) => {
      const due = entered + after * 1000
      const at = nextInWindow(due, person.timezone ?? ladder.timezone, ladder.sendWindow)
      return at < ends && at - due <= ladder.maxDelay * 1000 ? [at] : []
    })
    planned.set(tier.name, times)
  }
  return planned
}

function comesBack(cumulativeHazard: number): number {
  return -Math.expm1(-cumulativeHazard)
}

function naturalHazardBetween(
  population: Population,
  person: Person,
  spell: Spell,
  from: number,
  to: number,
): number {
  const upTo = (at: number) => {
    const silence = (at - spell.from) / DAY
    return spell.dormant
      ? naturalHazard(population.effects, person.worth, silence)
      : engagedHazard(person, silence)
  }
  return upTo(to) - upTo(from)
}

/** The first moment from `at` on within the local window; the zone's offset at `at` serves for the day. */
function nextInWindow(at: number, timezone: string, window: Ladder['sendWindow']): number {
  const local = at + offsetOf(timezone, at)
  const minutes = (local % DAY) / 60_000
  if (minutes < window.from) return at + (window.from - minutes) * 60_000
  if (minutes >= window.to) return at + (1440 - minutes + window.from) * 60_000
  return at
}

const formats = new Map<string, Intl.DateTimeFormat>()
const offsets = new Map<string, number>()

/** Milliseconds local time is ahead of UTC, looked up once a zone and day. */
function offsetOf(timezone: string, at: number): number {
  const key = `${timezone} ${Math.floor(at / DAY)}`
  const known = offsets.get(key)
  if (known !== undefined) return known
  let format = formats.get(timezone)
  if (!format) {
    format = new Intl.DateTimeFormat('en', { timeZone: timezone, timeZoneName: 'longOffset' })
    formats.set(timezone, format)
  }
  const name = format.formatToParts(at).find((part) => part.type === 'timeZoneName')?.value ?? 'GMT'
  const match = /^GMT([+-])(\d\d):(\d\d)$/.exec(name)
  const offset = match ? (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3])) * 60_000 : 0
  offsets.set(key, offset)
  return offset
}

function sum() {
  let episodes = 0
  const totals = {
    natural: 0,
    treated: 0,
    drawnNatural: 0,
    drawnTreated: 0,
    boughtNatural: 0,
    boughtTreated: 0,
  }
  return {
    add: (outcomes: Outcomes) => {
      episodes += 1
      totals.natural += outcomes.natural
      totals.treated += outcomes.treated
      totals.drawnNatural += outcomes.drawnNatural ? 1 : 0
      totals.drawnTreated += outcomes.drawnTreated ? 1 : 0
      totals.boughtNatural += outcomes.boughtNatural
      totals.boughtTreated += outcomes.boughtTreated
    },
    cell: (): TruthCell => {
      const share = (total: number) => (episodes === 0 ? 0 : total / episodes)
      return {
        episodes,
        natural: share(totals.natural),
        treated: share(totals.treated),
        difference: share(totals.treated - totals.natural),
        drawn: {
          natural: share(totals.drawnNatural),
          treated: share(totals.drawnTreated),
          difference: share(totals.drawnTreated - totals.drawnNatural),
        },
        bought: { natural: share(totals.boughtNatural), treated: share(totals.boughtTreated) },
      }
    },
  }
}
