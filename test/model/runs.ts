import { draw } from '../../src/audience/holdout.ts'
import { CONTROL, GRACE, HOLDOUT, ladder, WINDOW } from './campaign.ts'
import { type Contact, cancel, type Episode, type Model, plan, silentSince, textOf } from './model.ts'

// What a run makes of everybody: who is over, who goes on to the next tier, who is taken in and as what. Ids and chunks have
// no part in it: a person is one, wherever its contacts stand.

function tierOf(model: Model, version: number, silence: number): number {
  return ladder(textOf(model, version)).filter((tier) => silence >= tier.from).length
}

function enter(model: Model, episode: Episode, tierNo: number): void {
  const tier = ladder(textOf(model, episode.version))[tierNo - 1]
  if (!tier) throw new Error(`no tier ${tierNo}`)
  const treated = episode.arm === 'treated' && episode.stages.every((stage) => stage.arm === 'treated')
  const out =
    tier.holdout > 0 && draw(model.salt, `tier:${tier.name}`, episode.person, episode.no) < tier.holdout
  const arm = treated && !out ? 'treated' : 'holdout'
  episode.tierNo = tierNo
  episode.stages.push({ tierNo, enteredAt: model.now, arm, drawn: treated && tier.holdout > 0 })
  if (arm !== 'treated') return
  for (const one of tier.steps) {
    const drawn = draw(model.salt, `variant:${one.id}`, episode.person, episode.no)
    const variant = one.plain === undefined ? null : drawn < one.plain ? 'plain' : 'story'
    episode.touches.push(plan(one, model.now + one.after, variant))
  }
}

/** @returns the answers by name; undefined where the run does not take place */
export function run(model: Model): Record<string, number> | undefined {
  if (model.paused.has('campaign')) return undefined
  if (model.ticks.has(model.now)) return undefined
  model.ticks.add(model.now)
  for (const episode of model.episodes) {
    if (episode.endedAt !== null || episode.assignedAt + WINDOW + GRACE > model.now) continue
    cancel(model, episode, 'expired')
    episode.endedAt = model.now
    episode.endReason =
      episode.recalledAt !== null ? 'recalled' : episode.returnedAt !== null ? 'returned' : 'expired'
  }
  for (const episode of model.episodes) {
    if (episode.endedAt !== null || episode.silencedAt !== null) continue
    const reached = tierOf(model, episode.version, model.now - episode.lapsedAt)
    if (reached <= episode.tierNo) continue
    cancel(model, episode, 'superseded')
    enter(model, episode, reached)
  }
  return open(model)
}

function open(model: Model): Record<string, number> {
  const answers: Record<string, number> = {}
  const answer = (name: string) => {
    answers[name] = (answers[name] ?? 0) + 1
  }
  const busy = new Set(
    model.episodes.filter((episode) => episode.endedAt === null).map((episode) => episode.contact),
  )
  const busyPersons = new Set([...busy].map((contact) => contact.person))
  const lapsed = model.contacts
    .filter(
      (contact) => !busy.has(contact) && tierOf(model, model.version, model.now - silentSince(contact)) > 0,
    )
    .sort((a, b) => silentSince(b) - silentSince(a) || a.id - b.id)
  for (const contact of lapsed) {
    if (busyPersons.has(contact.person)) {
      answer('same_person')
      continue
    }
    busyPersons.add(contact.person)
    answer('opened')
    openEpisode(model, contact)
  }
  return answers
}

function openEpisode(model: Model, contact: Contact): void {
  const { person } = contact
  // By whoever is the person now: its contacts bring what they had.
  const before = model.episodes.filter((episode) => episode.contact.person === person)
  const no = Math.max(0, ...before.map((episode) => episode.no)) + 1
  const arm =
    draw(model.workspaceSalt, 'control', person) < CONTROL
      ? 'control'
      : draw(model.salt, 'arm', person, no) < HOLDOUT
        ? 'holdout'
        : 'treated'
  const tierNo = tierOf(model, model.version, model.now - silentSince(contact))
  const episode: Episode = {
    contact,
    version: model.version,
    no,
    person,
    arm,
    entryTier: ladder(textOf(model, model.version))[tierNo - 1]?.name ?? '',
    lapsedAt: silentSince(contact),
    assignedAt: model.now,
    id: 0,
    tierNo,
    stages: [],
    silencedBy: null,
    silencedAt: null,
    returnedAt: null,
    releasedAt: null,
    recalledAt: null,
    contaminated: false,
    endedAt: null,
    endReason: null,
    touches: [],
    grants: [],
  }
  model.episodes.push(episode)
  enter(model, episode, tierNo)
}
