import { type ChannelName, MAX_DELAY } from './campaign.ts'
import { choiceOf, refuses } from './choices.ts'
import { type Batched, ladderOf, type Model, type Placed, silentSince } from './model.ts'
import { type Asked, capped, isClosed, offered, type Promised, rank, type Shares, shared } from './scarce.ts'
import { later, skip, type Verdict } from './verdict.ts'

// May it go? The guards, and after them what is scarce: for each touchpoint of a batch the first reason that applies.

const RECHECK = 300_000

/** What a dispatcher may take now. */
export function due(model: Model): Placed[] {
  const running = model.episodes.filter(({ campaign }) => model.courses[campaign].state === 'on')
  return running.flatMap((episode) =>
    episode.touches
      .filter((touch) => touch.state === 'planned' && touch.dueAt <= model.now)
      .filter((touch) => !(isClosed(model) && touch.step.channels.every((name) => name === 'email')))
      .map((touch) => ({ episode, touch })),
  )
}

/** The guards. */
export function judge(model: Model, { episode, touch }: Placed): Verdict {
  const { contact } = episode
  const { step } = touch
  const stop = (reason: string): Verdict => ({ kind: 'end', state: 'cancelled', reason })
  // What a return has released is not silenced by it: another arm that was drawn for the person is.
  const released = step.onReturn && episode.silencedBy === 'returned'
  if (released && episode.contaminated) return stop('contaminated')
  if (episode.silencedBy !== null && !released) return stop(episode.silencedBy)
  if (episode.endedAt !== null) return stop('expired')
  if (!released && silentSince(contact) > episode.lapsedAt) return stop('returned')
  const tier = ladderOf(model, episode)[episode.tierNo - 1]
  if (!released && !tier?.steps.some((one) => one.id === step.id)) return stop('superseded')
  const mailable = contact.email !== null && !model.suppressed.has(contact.email)
  // What may have gone out goes by the same channel or by none.
  const channels = touch.doubtedBy === null ? step.channels : (['log'] as const)
  const choice = choiceOf(model, contact.person)
  const open = channels.filter((name) => name === 'log' || mailable)
  const channel = open.find((name) => !refuses(choice, name, model.now))
  if (!channel) {
    // Of the reasons that close its channels, the list comes before the choice.
    const listed = channels.includes('email') && contact.email !== null && !mailable
    return skip(listed ? 'suppressed' : open.length > 0 ? 'opted_out' : 'no_address')
  }
  if (step.needsName && contact.firstName === null) return skip('missing_data')
  if (model.now > touch.plannedFor + MAX_DELAY) return skip('too_late')
  if (channel === 'email' && model.mailPaused) {
    return later(touch, model.now + RECHECK, 'paused', 'too_late')
  }
  if (channel === 'email' && model.absence && model.absence.until > model.now) {
    return later(touch, model.absence.until, 'unreachable', 'too_late')
  }
  return { kind: 'send', channel }
}

/** What becomes of one of a batch, and what is reserved for it while the batch is under way. */
export interface Decision {
  readonly verdict: Verdict
  /** What it would go by: a place under the caps is its own. Null where there is none. */
  readonly channel: ChannelName | null
  /** An offer is its own; null where it promises none. */
  readonly promised: Promised | null
  /** What it may cost; undefined where there is no money for it. */
  readonly held?: Asked | undefined
}

/**
 * What becomes of each of a batch at this moment: the guards first, then caps, offer and budget. What was planned first
 * gets what there is.
 */
export function decide(model: Model, batch: Batched): Map<Placed, Decision> {
  const decisions = new Map<Placed, Decision>()
  const batched = new Set(batch.map(([, { touch }]) => touch))
  const ranked = batch.toSorted(([a, one], [b, other]) => rank(one, other) || a - b)
  const judged = ranked.map(([, placed]) => ({ placed, verdict: judge(model, placed) }))
  const admitted: { placed: Placed; channel: ChannelName }[] = []
  for (const { placed, verdict } of judged) {
    const { kind } = verdict
    const refusal = kind === 'send' ? capped(model, placed, verdict.channel, batched) : verdict
    if (kind === 'send' && refusal === undefined) admitted.push({ placed, channel: verdict.channel })
    else decisions.set(placed, { verdict: refusal ?? verdict, channel: null, promised: null })
  }
  // All of a batch reserve their offers before any of them asks for money.
  const promises = offered(
    model,
    admitted.map(({ placed }) => placed),
  )
  const shares: Shares = { spend: 0, liability: 0 }
  const mine = new Set(
    [...promises.values()].flatMap((said) => (said && 'grant' in said && said.grant) || []),
  )
  const answers = new Map<Placed, ReturnType<typeof shared>>()
  for (const each of admitted.toSorted((a, b) => wasAsked(promises, b) - wasAsked(promises, a))) {
    const said = promises.get(each.placed) ?? null
    if (said && 'kind' in said) continue
    const asking = { channel: each.channel, promised: said, shares, mine }
    answers.set(each.placed, shared(model, each.placed, asking))
  }
  for (const { placed, channel } of admitted) {
    const said = promises.get(placed) ?? null
    if (said && 'kind' in said) {
      decisions.set(placed, { verdict: said, channel, promised: null })
      continue
    }
    const { held, short } = answers.get(placed) ?? {}
    decisions.set(placed, { verdict: short ?? { kind: 'send', channel }, channel, promised: said, held })
  }
  return decisions
}

/** 1 where the shop was asked for it before: the account may have it, so it comes before whatever is promised anew. */
function wasAsked(
  promises: ReadonlyMap<Placed, Promised | Verdict | null>,
  { placed }: { placed: Placed },
): number {
  const said = promises.get(placed)
  return said && 'grant' in said && said.grant?.credit === 'asking' ? 1 : 0
}
