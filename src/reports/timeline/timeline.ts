import { distance } from 'fastest-levenshtein'
import { MASKED, type Mask, UNMASKED } from '../../config/masking.ts'
import type { Session } from '../../database/connect.ts'
import { WinbackError } from '../../errors.ts'
import { inSnapshot, type Readable } from '../snapshot.ts'
import { type Dealing, readDealings } from './dealings.ts'
import {
  type ActivityRow,
  type ContactRow,
  type EpisodeRow,
  findContactRow,
  findEpisodes,
  findRecalls,
  findReceipts,
  findReplies,
  findRuns,
  findStages,
  findSuppressions,
  findSwitches,
  findTouchpoints,
  neighbouringIds,
  type RecallRow,
  type ReceiptRow,
  type ReplyRow,
  type RunsRow,
  type StageRow,
  type SuppressionRow,
  type SwitchRow,
  sumActivity,
  type TouchpointRow,
} from './timeline-sql.ts'

// One contact's story, in the order it happened.

export interface TimelineQuestion {
  readonly externalId: string
  /** What happened later is not told; switches and waiting touchpoints are as they are. */
  readonly now: Date
  /** Addresses and numbers as they are. */
  readonly unmasked?: boolean | undefined
  /** Types of events that count as being active; without them all do. */
  readonly activity?: readonly string[] | undefined
  /** The goals of a version of a campaign, by name, the primary first; without it they have numbers alone. */
  readonly goalsOf?: ((campaign: string, version: number) => Promise<GoalEvents>) | undefined
}

/** The event that reaches each goal, by the goal's name, in the campaign's order. */
export type GoalEvents = Readonly<Record<string, { readonly event: string }>>

/** A goal as its campaign has it. */
export interface Goal {
  readonly name: string
  /** What reaches it. */
  readonly event: string
}

export interface Timeline {
  readonly contact: {
    readonly externalId: string
    readonly personId: number
    /** `l***@example.com`: enough to recognise, too little to use. */
    readonly email: string | null
    readonly phone: string | null
    readonly locale: string | null
    readonly timezone: string | null
    /** External ids of the same person's other contacts. */
    readonly siblings: readonly string[]
  }
  readonly now: Date
  /** Ascending. */
  readonly entries: readonly TimelineEntry[]
}

/** A step as a stage planned it. */
export interface PlannedStep {
  readonly step: string
  readonly channels: readonly string[]
  readonly plannedFor: Date
}

/** Something that happened, at `at`. */
export type TimelineEntry =
  | { readonly kind: 'signed_up' | 'imported'; readonly at: Date }
  | ({
      readonly kind: 'activity'
      readonly at: Date
      /** Ends a silence, as the workspace has it. */
      readonly counts: boolean
    } & Omit<ActivityRow, 'era'>)
  | ({ readonly kind: 'runs'; readonly at: Date } & RunsRow)
  | ({ readonly kind: 'opened'; readonly at: Date } & EpisodeRow)
  | ({
      readonly kind: 'stage'
      readonly at: Date
      readonly campaign: string
      readonly episodeArm: EpisodeRow['arm']
      readonly planned: readonly PlannedStep[]
    } & StageRow)
  | ({ readonly kind: 'waiting'; readonly at: Date } & TouchpointRow)
  | ({ readonly kind: 'settled'; readonly at: Date } & TouchpointRow)
  | {
      readonly kind: 'returned'
      readonly at: Date
      readonly campaign: string
      readonly arm: EpisodeRow['arm']
    }
  | ({
      readonly kind: 'recalled'
      readonly at: Date
      readonly campaign: string
      readonly version: number
      readonly inWindow: boolean
      /** Null where its version is not at hand. */
      readonly goal: Goal | null
    } & RecallRow)
  | { readonly kind: 'silenced'; readonly at: Date; readonly campaign: string; readonly by: string }
  | { readonly kind: 'ended'; readonly at: Date; readonly campaign: string; readonly reason: string }
  | { readonly kind: 'open'; readonly at: Date; readonly campaign: string; readonly until: Date }
  | ({ readonly kind: 'suppressed'; readonly at: Date } & SuppressionRow)
  | ({ readonly kind: 'receipt'; readonly at: Date } & ReceiptRow)
  | ({ readonly kind: 'reply'; readonly at: Date } & ReplyRow)
  | ({ readonly kind: 'switch'; readonly at: Date } & SwitchRow)
  | Dealing

// What happens at one instant is told in this order: the cause before what it brought about.
const ORDER: readonly TimelineEntry['kind'][] = [
  'signed_up',
  'imported',
  'runs',
  'opened',
  'stage',
  'activity',
  'returned',
  'recalled',
  'suppressed',
  'settled',
  'released',
  'grant',
  'call',
  'receipt',
  'shown',
  'attempt',
  'refused_redemption',
  'reply',
  'choice',
  'consent',
  'reason',
  'silenced',
  'ended',
  'waiting',
  'open',
  'switch',
]

/**
 * Reads the whole story of a contact.
 * @throws WinbackError `contact.unknown`, naming the nearest external ids there are
 */
export async function readTimeline(readable: Readable, question: TimelineQuestion): Promise<Timeline> {
  const story = await inSnapshot(readable, (session) => readStory(session, question))
  return question.goalsOf ? await nameGoals(story, question.goalsOf) : story
}

/** After the snapshot is let go: versions are read over a connection of their own, and two would wait for each other. */
async function nameGoals(
  story: Timeline,
  goalsOf: NonNullable<TimelineQuestion['goalsOf']>,
): Promise<Timeline> {
  const entries: TimelineEntry[] = []
  for (const entry of story.entries) {
    if (entry.kind !== 'recalled') {
      entries.push(entry)
      continue
    }
    const [name, goal] = Object.entries(await goalsOf(entry.campaign, entry.version))[entry.goalNo] ?? []
    entries.push({ ...entry, goal: name !== undefined && goal ? { name, event: goal.event } : null })
  }
  return { ...story, entries }
}

async function readStory(session: Session, question: TimelineQuestion): Promise<Timeline> {
  const { externalId, now } = question
  const mask = question.unmasked ? UNMASKED : MASKED
  const contact = await findContactRow(session, externalId)
  if (!contact) throw await unknownContact(session, externalId)
  const { contactId } = contact
  const episodes = await findEpisodes(session, contactId, now)
  const activity = await sumActivity(
    session,
    contactId,
    now,
    episodes.map((episode) => episode.assignedAt),
  )
  const stages = await findStages(session, contactId, now)
  const hide = (words: string) => withoutAddress(words, contact, mask)
  const hidden = <Row extends { readonly detail: string | null }>(row: Row): Row => ({
    ...row,
    detail: row.detail === null ? null : hide(row.detail),
  })
  const byId = new Map(episodes.map((episode) => [episode.episodeId, episode]))
  // A seed has all tiers at once: what takes the place of its messages is those of a newer version.
  const ofSeed = ({ episodeId }: TouchpointRow) => byId.get(episodeId)?.arm === 'seed'
  const touchpoints = (await findTouchpoints(session, contactId, now))
    .map((row) => (row.reason === 'superseded' && ofSeed(row) ? { ...row, reason: 'renewed' } : row))
    .map(hidden)
  const recalls = await findRecalls(session, contactId, now)
  const suppressions = await findSuppressions(session, contactId, now)
  const receipts = (await findReceipts(session, contactId, now)).map(hidden)
  const replies = (await findReplies(session, contactId, now)).map((row) => ({
    ...row,
    text: mask.text(row.text),
  }))
  const dealings = await readDealings(session, contactId, now, mask, hide)
  const runs = await findRuns(session, contact.importedAt, now)
  const switches = await findSwitches(session, now)

  const campaigns = new Set(episodes.map((episode) => episode.campaign))
  const channels = new Set(touchpoints.flatMap((touchpoint) => touchpoint.channels))
  const entries: TimelineEntry[] = [
    ...contactEntries(contact),
    ...activity.map(({ era: _, ...row }): TimelineEntry => {
      const counts = question.activity?.includes(row.type) ?? true
      return { kind: 'activity', at: row.first, counts, ...row }
    }),
    ...dealings,
    ...runs.map((row): TimelineEntry => ({ kind: 'runs', at: row.first, ...row })),
    ...episodes.flatMap((episode) => episodeEntries(episode, now)),
    ...stages.map(
      (row): TimelineEntry => ({
        kind: 'stage',
        at: row.enteredAt,
        campaign: byId.get(row.episodeId)?.campaign ?? '',
        episodeArm: byId.get(row.episodeId)?.arm ?? row.arm,
        planned: plannedSteps(row, touchpoints),
        ...row,
      }),
    ),
    ...touchpoints.map((row) => touchpointEntry(row, now)),
    ...recalls.map((row): TimelineEntry => {
      const episode = byId.get(row.episodeId)
      const inWindow =
        episode !== undefined && row.recalledAt > episode.assignedAt && row.recalledAt <= episode.windowEndsAt
      const { campaign = '', version = 0 } = episode ?? {}
      return { kind: 'recalled', at: row.recalledAt, campaign, version, inWindow, goal: null, ...row }
    }),
    ...suppressions.map((row): TimelineEntry => ({ kind: 'suppressed', at: row.suppressedAt, ...row })),
    ...receipts.map((row): TimelineEntry => ({ kind: 'receipt', at: row.occurredAt, ...row })),
    ...replies.map((row): TimelineEntry => ({ kind: 'reply', at: row.repliedAt, ...row })),
    ...switches
      .filter(
        ({ scope, name }) =>
          scope === 'workspace' || (scope === 'campaign' ? campaigns.has(name) : channels.has(name)),
      )
      .map((row): TimelineEntry => ({ kind: 'switch', at: now, ...row })),
  ]
  const place = (entry: TimelineEntry) => placeOf(entry, byId)
  entries.sort((a, b) => a.at.getTime() - b.at.getTime() || place(a) - place(b))
  return {
    contact: {
      externalId: contact.externalId,
      personId: contact.personId,
      email: contact.email === null ? null : mask.email(contact.email),
      phone: contact.phone === null ? null : mask.phone(contact.phone),
      locale: contact.locale,
      timezone: contact.timezone,
      siblings: contact.siblings,
    },
    now,
    entries,
  }
}

/**
 * Where an entry stands among those of its instant. A run ends what is over before it takes somebody in again, or another
 * campaign of the group does, at one instant: told after that, it would be the new episode that had ended.
 */
function placeOf(entry: TimelineEntry, episodes: ReadonlyMap<number, EpisodeRow>): number {
  const place = ORDER.indexOf(entry.kind)
  if (entry.kind !== 'ended' && entry.kind !== 'settled') return place
  const at = entry.at.getTime()
  const own = entry.kind === 'settled' ? episodes.get(entry.episodeId) : undefined
  if (own && own.endedAt?.getTime() !== at) return place
  const again = [...episodes.values()].some(
    (other) => other.assignedAt.getTime() === at && other.endedAt?.getTime() !== at,
  )
  return again ? ORDER.indexOf('opened') - (entry.kind === 'ended' ? 0.3 : 0.6) : place
}

function contactEntries({ signedUpAt, importedAt }: ContactRow): TimelineEntry[] {
  return [
    ...(signedUpAt ? [{ kind: 'signed_up' as const, at: signedUpAt }] : []),
    { kind: 'imported', at: importedAt },
  ]
}

function episodeEntries(episode: EpisodeRow, now: Date): TimelineEntry[] {
  const { campaign, arm, assignedAt, returnedAt, silencedAt, silencedBy, endedAt, endReason } = episode
  const entries: TimelineEntry[] = [{ kind: 'opened', at: assignedAt, ...episode }]
  if (returnedAt && returnedAt <= now) entries.push({ kind: 'returned', at: returnedAt, campaign, arm })
  // A silence by the return is told by the return itself.
  if (silencedAt && silencedAt <= now && silencedBy && silencedBy !== 'returned') {
    entries.push({ kind: 'silenced', at: silencedAt, campaign, by: silencedBy })
  }
  if (endedAt && endReason && endedAt <= now) {
    // Of a seed, a newer version ends what it has of an older one.
    const renewed = arm === 'seed' && endReason === 'withdrawn' && silencedBy === null
    entries.push({ kind: 'ended', at: endedAt, campaign, reason: renewed ? 'renewed' : endReason })
  } else entries.push({ kind: 'open', at: now, campaign, until: episode.outcomeUntil })
  return entries
}

/** What waits is told last, as of now; what has ended, when it ended. */
function touchpointEntry(row: TouchpointRow, now: Date): TimelineEntry {
  if (row.settledAt !== null) return { kind: 'settled', at: row.settledAt, ...row }
  return { kind: 'waiting', at: now, ...row }
}

/** The steps a stage planned, in their order. */
function plannedSteps(stage: StageRow, touchpoints: readonly TouchpointRow[]): PlannedStep[] {
  const steps = new Map<number, PlannedStep>()
  for (const { touchpointId, episodeId, tier, step, channels, plannedFor } of touchpoints) {
    if (episodeId === stage.episodeId && tier === stage.tier) {
      steps.set(touchpointId, { step, channels, plannedFor })
    }
  }
  return [...steps.values()]
}

/** Providers quote the address in their refusals. */
function withoutAddress(words: string, { email, phone }: ContactRow, mask: Mask): string {
  const masked = email === null ? words : words.replaceAll(email, mask.email(email))
  return mask.text(phone === null ? masked : masked.replaceAll(phone, mask.phone(phone)))
}

async function unknownContact(session: Session, externalId: string): Promise<WinbackError> {
  const wanted = externalId.trim().toLowerCase()
  const bare = wanted.replace(/^0+/, '')
  const near = (await neighbouringIds(session, externalId))
    .map((id) => ({
      id,
      // Leading zeros are what spreadsheets lose: they count for little.
      far: Math.min(
        distance(wanted, id.toLowerCase()),
        id.toLowerCase().replace(/^0+/, '') === bare ? 0.5 : Number.POSITIVE_INFINITY,
      ),
    }))
    // Of a few letters, two others make any id that is as short.
    .filter(({ far }) => far <= (wanted.length < 4 ? 1 : Math.max(2, wanted.length / 3)))
    .sort((a, b) => a.far - b.far || a.id.localeCompare(b.id))
    .slice(0, 3)
    .map(({ id }) => id)
  return new WinbackError('contact.unknown', `no contact has the external id "${externalId}"`, {
    remedy:
      near.length > 0
        ? `Did you mean ${near.map((id) => `"${id}"`).join(', ')}?`
        : 'Look up the id in the file that was imported; `winback import contacts` adds contacts.',
    facts: { externalId, near },
  })
}
