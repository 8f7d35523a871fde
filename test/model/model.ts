import { type CampaignName, type ChannelName, GRACE, type OfferName, type Step } from './campaign.ts'
import { CAMPAIGNS } from './campaigns.ts'

// What ought to be, in plain memory and without SQL: the rules of the pipeline written a second time, as simply as
// they can be said. Here is what there is; the files beside it say what becomes of it. Times are epoch milliseconds.

export interface Contact {
  readonly name: string
  /** The database's own id: nothing is predicted of it but its order. */
  id: number
  email: string | null
  readonly firstName: string | null
  readonly signedUpAt: number
  lastActiveAt: number | null
  person: number
  /** What was chosen with this account; one of a moment. */
  readonly choices: Choice[]
}

/** What somebody wants no more: channels, `*` for all of them, or anything until then. */
export interface Choice {
  readonly at: number
  readonly off: readonly string[]
  readonly until: number | null
}

export interface Touch {
  readonly step: Step
  readonly variant: 'plain' | 'story' | null
  readonly plannedFor: number
  dueAt: number
  attempt: number
  state:
    | 'planned'
    | 'queued'
    | 'claimed'
    | 'sending'
    | 'sent'
    | 'failed'
    | 'skipped'
    | 'cancelled'
    | 'uncertain'
  reason: string | null
  channel: ChannelName | null
  /** Where its mail went or is about to; null of one that went nowhere, or by a worker that died. */
  address: string | null
  /** When the mail server said that there is no such address. */
  refusedAt: number | null
  /** Which hanging worker has it, or had it when the sweeper gave it up. */
  holder: number
  /** Which one may have sent it by `log`, whose repeats are recognised, before it was to be tried again; null where none. */
  doubtedBy: number | null
  spent: number
  /** When it was recorded; null while it is at work. */
  settledAt: number | null
}

/** What an episode was given, or is to be. */
export interface Grant {
  readonly offer: OfferName
  /** Reserved for a message, or outstanding. */
  state: 'reserved' | 'granted'
  touch: Touch
  /** Who reserved it last. */
  worker: number
  /** The shop was asked and nobody knows its answer, or has credited it. */
  credit: 'asking' | 'credited' | null
  /** The account has it, whether or not anybody but the shop knows. */
  taken: boolean
}

export interface Episode {
  readonly contact: Contact
  readonly campaign: CampaignName
  readonly version: number
  /** Of its version. */
  readonly group: string
  readonly no: number
  readonly person: number
  readonly arm: string
  readonly entryTier: string
  readonly lapsedAt: number
  readonly assignedAt: number
  id: number
  tierNo: number
  readonly stages: { tierNo: number; enteredAt: number; arm: string; drawn: boolean }[]
  silencedBy: string | null
  silencedAt: number | null
  returnedAt: number | null
  releasedAt: number | null
  recalledAt: number | null
  contaminated: boolean
  endedAt: number | null
  endReason: string | null
  readonly touches: Touch[]
  /** One of each offer. */
  readonly grants: Grant[]
}

export interface Placed {
  readonly episode: Episode
  readonly touch: Touch
}

/** A batch as it was dispatched: touchpoints with the database's ids, of which nothing is predicted but their order. */
export type Batched = readonly (readonly [id: number, placed: Placed])[]

export type Mode = 'sent' | 'retry' | 'rejected' | 'uncertain' | 'away'

/** What a batch took of the provider's rate, less what others have freed, and how much of it was used. */
interface Taken {
  places: number
  readonly rated: boolean
  tried: number
}

/** A campaign so far. */
export interface Course {
  readonly salt: string
  version: number
  /** Each version: the number of its text, and the version that has it first, where that was restored. */
  readonly versions: Map<number, { readonly text: number; readonly original: number }>
  /** When it ran. */
  readonly ticks: Set<number>
  state: 'on' | 'paused' | 'stopped'
}

export interface Model {
  now: number
  readonly workspaceSalt: string
  readonly courses: Readonly<Record<CampaignName, Course>>
  readonly contacts: Contact[]
  readonly episodes: Episode[]
  /** Whoever was erased, and what is still counted of their episodes. */
  readonly forgotten: { readonly contacts: Contact[]; readonly episodes: Episode[] }
  readonly suppressed: Set<string>
  readonly events: { contact: Contact; at: number; type: string; id: string }[]
  /** Mails are switched off. */
  mailPaused: boolean
  /** The mail server cannot be reached: so often tried in vain, and left alone until then. */
  absence: { readonly tries: number; readonly until: number } | null
  workers: number
  /** Workers that hang. */
  readonly hanging: Set<number>
  /** What batches under way may still spend, by worker. */
  readonly holds: Map<number, { readonly spend: number; readonly liability: number }>
  /** Batches under way, by worker. */
  readonly taken: Map<number, Taken>
  /** Mails that were taken of the provider's rate in its span, and when that began; null before the first. */
  bucket: { taken: number; at: number } | null
  /** What was spent, when and by which campaign. */
  readonly bookings: { campaign: CampaignName; at: number; amount: number }[]
  /** How often batches came to which verdict: `go`, why it waits, or why it ended. */
  readonly verdicts: Map<string, number>
}

/** What all draws go by: those of the workspace and of each campaign. */
export type Salts = Readonly<Record<'workspace' | CampaignName, string>>

export function emptyModel(now: number, salts: Salts): Model {
  const course = (name: CampaignName): Course => ({
    salt: salts[name],
    version: 0,
    versions: new Map(),
    ticks: new Set(),
    state: 'on',
  })
  return {
    now,
    workspaceSalt: salts.workspace,
    courses: { game: course('game'), encore: course('encore') },
    contacts: [],
    episodes: [],
    forgotten: { contacts: [], episodes: [] },
    suppressed: new Set(),
    events: [],
    mailPaused: false,
    absence: null,
    workers: 0,
    hanging: new Set(),
    holds: new Map(),
    taken: new Map(),
    bucket: null,
    bookings: [],
    verdicts: new Map(),
  }
}

/** The number of the text that a version has. */
export const textOf = ({ versions }: Course, version: number) => versions.get(version)?.text ?? 0
type Pinned = Pick<Episode, 'campaign' | 'version'>
export const ladderOf = ({ courses }: Model, { campaign, version }: Pinned) =>
  CAMPAIGNS[campaign].ladder(textOf(courses[campaign], version))
export const welcomeOf = ({ courses }: Model, { campaign, version }: Pinned) =>
  CAMPAIGNS[campaign].welcome(textOf(courses[campaign], version))
/** What was spent, promised and taken counts on, whoever is gone. */
export const everyEpisode = ({ episodes, forgotten }: Model) => [...episodes, ...forgotten.episodes]
/** Its time is, whether or not anything has ended it. */
export const isOver = ({ now }: Model, { assignedAt, campaign }: Episode) =>
  assignedAt + CAMPAIGNS[campaign].window + GRACE <= now
export const silentSince = (contact: Contact) => contact.lastActiveAt ?? contact.signedUpAt
export const isOpen = (touch: Touch) => ['planned', 'queued', 'claimed', 'sending'].includes(touch.state)
export const isPending = (touch: Touch) => isOpen(touch) && touch.state !== 'sending'

export function plan(step: Step, at: number, variant: Touch['variant'] = null): Touch {
  return {
    step,
    variant,
    plannedFor: at,
    dueAt: at,
    attempt: 0,
    state: 'planned',
    reason: null,
    channel: null,
    address: null,
    refusedAt: null,
    holder: 0,
    doubtedBy: null,
    spent: 0,
    settledAt: null,
  }
}

/** Whether a batch of it is counted by the provider's rate: which channel it goes by is not known yet. */
export const isRated = ({ step }: Touch) => step.channels.includes('email')

/** It is taken from the queue, or from a worker: its place in the provider's rate is there for others. */
export function freePlace(model: Model, touch: Touch): void {
  if ((touch.state !== 'queued' && touch.state !== 'claimed') || !isRated(touch)) return
  if (model.bucket) model.bucket.taken -= 1
  const taken = model.taken.get(touch.holder)
  if (taken) taken.places -= 1
}

export function release(touch: Touch): void {
  touch.state = 'planned'
  touch.channel = null
  touch.address = null
  touch.holder = 0
}

export function end(model: Model, touch: Touch, state: Touch['state'], reason: string | null): void {
  touch.reason = reason
  const doubted = touch.doubtedBy !== null && (state === 'skipped' || state === 'cancelled')
  touch.state = doubted ? 'uncertain' : state
  if (!doubted) return
  touch.channel = 'log'
  touch.settledAt = model.now
}

/** @param which all of an episode's by default */
export function cancel(
  model: Model,
  episode: Episode,
  reason: string,
  which: (step: Step) => boolean = () => true,
): void {
  for (const touch of episode.touches) {
    if (!isPending(touch) || !which(touch.step)) continue
    freePlace(model, touch)
    end(model, touch, 'cancelled', reason)
  }
}

export function silence(model: Model, episode: Episode, by: string): void {
  episode.silencedAt ??= model.now
  episode.silencedBy ??= by
}
