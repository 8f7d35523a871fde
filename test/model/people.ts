import { type CampaignName, DAY } from './campaign.ts'
import { CAMPAIGNS } from './campaigns.ts'
import { handOnChoices, uniteChoices } from './choices.ts'
import {
  type Contact,
  cancel,
  type Episode,
  end,
  everyEpisode,
  freePlace,
  isOver,
  isPending,
  type Model,
  type Placed,
  plan,
  release,
  silence,
  type Touch,
  welcomeOf,
} from './model.ts'

// What contacts do, and what becomes of their episodes by it: who is one person, who has come back and is greeted, who wants
// no more mail.

/**
 * Persons are connected by shared addresses and named after their first contact. Who was somebody else before is
 * merged; contacts made just now were nobody.
 */
export function relink(model: Model, made: ReadonlySet<Contact>): void {
  const groups = new Map<Contact, Contact[]>()
  for (const contact of model.contacts) {
    groups.set(
      contact,
      model.contacts.filter(
        (other) => other === contact || (contact.email !== null && other.email === contact.email),
      ),
    )
  }
  const merged = new Set<number>()
  for (const group of groups.values()) {
    const origins = new Set(group.filter((other) => !made.has(other)).map((other) => other.person))
    if (origins.size > 1) merged.add(nameOf(group))
  }
  const was = new Map(model.contacts.map((contact) => [contact, contact.person]))
  for (const [contact, group] of groups) contact.person = nameOf(group)
  handOnChoices(model, was)
  uniteChoices(model, was, made)
  for (const person of merged) mergePerson(model, person)
}

const nameOf = (group: readonly Contact[]) => Math.min(...group.map(({ id }) => id))

/** Arms are a campaign's own; and what there may be one of at a time, in a campaign or in a group, goes on by the earliest. */
function mergePerson(model: Model, person: number): void {
  const open = model.episodes
    .filter(
      (episode) => episode.contact.person === person && episode.endedAt === null && !isOver(model, episode),
    )
    .sort((a, b) => a.assignedAt - b.assignedAt || a.id - b.id)
  for (const [place, episode] of open.entries()) {
    const { campaign, group } = episode
    const mixed = open.some((other) => other.campaign === campaign && other.arm !== episode.arm)
    const later = open.slice(0, place).some((other) => other.campaign === campaign || other.group === group)
    if (mixed) episode.contaminated = true
    const reason = episode.contaminated ? 'contaminated' : 'merged'
    if (mixed || later) silence(model, episode, reason)
    if (episode.silencedBy === 'contaminated' || episode.silencedBy === 'merged') {
      cancel(model, episode, episode.silencedBy)
    } else if (episode.silencedBy === 'returned' && (episode.contaminated || later)) {
      // What silenced it before stays; what the return has released goes all the same.
      cancel(model, episode, reason, (step) => step.onReturn)
    }
  }
}

/** @returns whether it was new */
export function act(model: Model, contact: Contact, at: number, type: string, id: string): boolean {
  if (model.events.some((event) => event.contact === contact && event.at === at && event.id === id))
    return false
  model.events.push({ contact, at, type, id })
  contact.lastActiveAt = Math.max(contact.lastActiveAt ?? at, at)
  for (const episode of model.episodes) {
    if (episode.contact !== contact || episode.endedAt !== null) continue
    if (at > episode.lapsedAt) {
      silence(model, episode, 'returned')
      if (at > episode.assignedAt) episode.returnedAt = Math.min(episode.returnedAt ?? at, at)
    }
    const { goal, window } = CAMPAIGNS[episode.campaign]
    if (type === goal && at > episode.assignedAt && at <= episode.assignedAt + window) {
      episode.recalledAt = Math.min(episode.recalledAt ?? at, at)
    }
    if (episode.silencedBy !== 'returned') continue
    cancel(model, episode, 'returned', (step) => !step.onReturn)
    if (isGreeted(episode)) greet(model, episode)
  }
  return true
}

/** Once, those alone whom the campaign has contacted, for a return and not for what was only heard of late. */
const isGreeted = ({ releasedAt, returnedAt, arm, contaminated, stages }: Episode) =>
  releasedAt === null &&
  returnedAt !== null &&
  arm === 'treated' &&
  !contaminated &&
  stages.every((stage) => stage.arm === 'treated')

function greet(model: Model, episode: Episode): void {
  const steps = welcomeOf(model, episode)
  if (steps.length === 0) return
  episode.releasedAt = model.now
  for (const step of steps) episode.touches.push(plan(step, model.now + step.after))
}

export function suppress(model: Model, email: string): void {
  if (model.suppressed.has(email)) return
  model.suppressed.add(email)
  for (const episode of model.episodes) {
    if (episode.contact.email !== email) continue
    for (const touch of episode.touches) {
      if (!isPending(touch)) continue
      freePlace(model, touch)
      if (touch.step.channels.every((channel) => channel === 'email'))
        end(model, touch, 'skipped', 'suppressed')
      else if (touch.state === 'queued' || touch.state === 'claimed') release(touch)
    }
  }
}

/** What was just refused as nobody's address is given up where it was a day before, and took nothing since, while others did. */
export function heedRefusal(model: Model, { episode, touch }: Placed): void {
  const { address, refusedAt } = touch
  if (address === null || refusedAt !== model.now) return
  const since = model.now - DAY
  const mails = everyEpisode(model).flatMap(({ contact, touches }) =>
    touches.filter(({ channel }) => channel === 'email').map((each) => ({ contact, ...each })),
  )
  const wentOut = ({ state, settledAt }: Touch) =>
    (state === 'sent' || state === 'uncertain') && (settledAt ?? 0) > since
  if (!mails.some(wentOut)) return
  const there = mails.filter((each) => each.contact === episode.contact && each.address === address)
  const refused = there.flatMap((each) =>
    each.refusedAt !== null && each.refusedAt <= since ? [each.refusedAt] : [],
  )
  const taken = there.flatMap(({ state, settledAt }) =>
    state === 'sent' && settledAt !== null ? [settledAt] : [],
  )
  if (Math.max(...refused) > Math.max(...taken)) suppress(model, address)
}

/** A campaign ends for good: what it did is measured to the end. */
export function stop(model: Model, campaign: CampaignName): void {
  model.courses[campaign].state = 'stopped'
  for (const episode of model.episodes) {
    if (episode.campaign !== campaign) continue
    if (episode.endedAt === null && episode.silencedAt === null) silence(model, episode, 'stopped')
    cancel(model, episode, 'stopped')
  }
}
