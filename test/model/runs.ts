import { draw } from '../../src/audience/holdout.ts'
import type { CampaignName } from './campaign.ts'
import { CAMPAIGNS, CONTROL } from './campaigns.ts'
import {
  type Contact,
  cancel,
  type Episode,
  isOver,
  ladderOf,
  type Model,
  plan,
  silentSince,
  textOf,
} from './model.ts'

// What a run makes of everybody: who is over, who goes on to the next tier, who is taken in and as what. Ids and chunks have
// no part in it: a person is one, wherever its contacts stand.

/** From one on; 0 outside of all. */
function tierOf(model: Model, pinned: Pick<Episode, 'campaign' | 'version'>, silence: number): number {
  return ladderOf(model, pinned).findIndex(({ from, to }) => from <= silence && silence < to) + 1
}

function enter(model: Model, episode: Episode, tierNo: number): void {
  const { salt } = model.courses[episode.campaign]
  const tier = ladderOf(model, episode)[tierNo - 1]
  if (!tier) throw new Error(`no tier ${tierNo}`)
  const treated = episode.arm === 'treated' && episode.stages.every((stage) => stage.arm === 'treated')
  const out = tier.holdout > 0 && draw(salt, `tier:${tier.name}`, episode.person, episode.no) < tier.holdout
  const arm = treated && !out ? 'treated' : 'holdout'
  episode.tierNo = tierNo
  episode.stages.push({ tierNo, enteredAt: model.now, arm, drawn: treated && tier.holdout > 0 })
  if (arm !== 'treated') return
  for (const one of tier.steps) {
    const drawn = draw(salt, `variant:${one.id}`, episode.person, episode.no)
    const variant = one.plain === undefined ? null : drawn < one.plain ? 'plain' : 'story'
    episode.touches.push(plan(one, model.now + one.after, variant))
  }
}

/** @returns the answers by name; undefined where the run does not take place */
export function run(model: Model, campaign: CampaignName): Record<string, number> | undefined {
  const course = model.courses[campaign]
  if (course.state !== 'on' || course.ticks.has(model.now)) return undefined
  course.ticks.add(model.now)
  const group = groupNow(model, campaign)
  // It keeps nobody from another campaign of the group, though its own may not run for days.
  endOver(model, (episode) => episode.campaign === campaign || episode.group === group)
  moveOn(model, campaign)
  return open(model, campaign)
}

/** What becomes of the episodes of a campaign that does not run: time goes on. */
export function age(model: Model, campaign: CampaignName): void {
  endOver(model, (episode) => episode.campaign === campaign)
  moveOn(model, campaign)
}

const groupNow = ({ courses }: Model, campaign: CampaignName) =>
  CAMPAIGNS[campaign].group(textOf(courses[campaign], courses[campaign].version))

function endOver(model: Model, which: (episode: Episode) => boolean): void {
  for (const episode of model.episodes) {
    if (episode.endedAt !== null || !isOver(model, episode) || !which(episode)) continue
    cancel(model, episode, 'expired')
    episode.endedAt = model.now
    episode.endReason = endOf(episode)
  }
}

function endOf({ recalledAt, returnedAt, silencedBy }: Episode): string {
  if (recalledAt !== null) return 'recalled'
  if (returnedAt !== null) return 'returned'
  return silencedBy === 'stopped' ? 'withdrawn' : 'expired'
}

function moveOn(model: Model, campaign: CampaignName): void {
  for (const episode of model.episodes) {
    if (episode.campaign !== campaign || episode.endedAt !== null || episode.silencedAt !== null) continue
    const reached = tierOf(model, episode, model.now - episode.lapsedAt)
    if (reached <= episode.tierNo) continue
    cancel(model, episode, 'superseded')
    enter(model, episode, reached)
  }
}

function open(model: Model, campaign: CampaignName): Record<string, number> {
  const answers: Record<string, number> = {}
  const answer = (name: string) => {
    answers[name] = (answers[name] ?? 0) + 1
  }
  const { version } = model.courses[campaign]
  const group = groupNow(model, campaign)
  const live = model.episodes.filter((episode) => episode.endedAt === null)
  const mine = live.filter((episode) => episode.campaign === campaign)
  const busy = new Set(mine.map(({ contact }) => contact))
  const busyPersons = new Set(mine.map(({ contact }) => contact.person))
  const elsewhere = new Set(
    live
      .filter((episode) => episode.campaign !== campaign && episode.group === group)
      .map(({ contact }) => contact.person),
  )
  const lapsed = model.contacts
    .filter((contact) => !busy.has(contact))
    .filter((contact) => tierOf(model, { campaign, version }, model.now - silentSince(contact)) > 0)
    .sort((a, b) => silentSince(b) - silentSince(a) || a.id - b.id)
  for (const contact of lapsed) {
    const { person } = contact
    if (busyPersons.has(person)) answer('same_person')
    else if (elsewhere.has(person)) answer('exclusive')
    else {
      busyPersons.add(person)
      answer('opened')
      openEpisode(model, contact, campaign)
    }
  }
  return answers
}

function openEpisode(model: Model, contact: Contact, campaign: CampaignName): void {
  const { person } = contact
  const { salt, version } = model.courses[campaign]
  // By whoever is the person now: its contacts bring what they had.
  const before = model.episodes.filter(
    (episode) => episode.campaign === campaign && episode.contact.person === person,
  )
  const no = Math.max(0, ...before.map((episode) => episode.no)) + 1
  const arm =
    draw(model.workspaceSalt, 'control', person) < CONTROL
      ? 'control'
      : draw(salt, 'arm', person, no) < CAMPAIGNS[campaign].holdout
        ? 'holdout'
        : 'treated'
  const tierNo = tierOf(model, { campaign, version }, model.now - silentSince(contact))
  const episode: Episode = {
    contact,
    campaign,
    version,
    group: groupNow(model, campaign),
    no,
    person,
    arm,
    entryTier: ladderOf(model, { campaign, version })[tierNo - 1]?.name ?? '',
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
