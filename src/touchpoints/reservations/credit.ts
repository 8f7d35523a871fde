import { later } from '../../clock.ts'
import { CREDITOR, LONGEST_REST } from '../../config/waits.ts'
import type { Database } from '../../database/connect.ts'
import { grantKey, type Installation } from '../../database/installation.ts'
import { giveBackRefused, markAsked, markCredited, markUnasked } from '../../offers/conclusion.ts'
import type { GrantKey, StepOffer } from '../../offers/grants.ts'
import { viewOffer } from '../../offers/offers.ts'
import type { CreditAnswer, OfferProvider } from '../../offers/provider.ts'
import { deferOrSkip, latestOf, type Verdict } from '../guards/guards.ts'
import type { Cleared } from '../message.ts'
import { noteReach, openReach, type Reach, UNTRIED } from '../sending/absences.ts'
import { BACK_OFF } from '../sending/sends.ts'
import { unavailable } from './promises.ts'
import type { Allowed, Crediting, Parted, Refused, Reservation, ReserveDependencies } from './reservation.ts'

// Before a message says that something is in the account, it is: the provider is asked for what was just reserved, and for
// which the budget has room.

/** A message with a grant that the provider is to credit. */
type Wish = Crediting & { readonly cleared: Cleared }

/** Milliseconds of real time a batch may spend asking: its claim has to outlast it. */
const PATIENCE = 30_000
const NOT_ASKED: CreditAnswer = { outcome: 'unasked', detail: 'not asked yet: others took long' }
const ENDING: CreditAnswer = { outcome: 'unasked', detail: 'not asked yet: the process was ending' }

/**
 * Has the provider credit what the budget has room for. Asked for before, it would be in the account and in no budget.
 * @returns allowed is what may go
 */
export async function creditPromised(
  { database, installation, offerProvider: provider, ending, onReach }: ReserveDependencies,
  reservation: Reservation,
  affordable: readonly Allowed[],
): Promise<Parted<Cleared>> {
  const allowed: Cleared[] = []
  const refused: Refused[] = []
  const byPlace = new Map<StepOffer, Wish[]>()
  for (const { cleared, crediting } of affordable) {
    if (!crediting || !provider) {
      allowed.push(cleared)
      continue
    }
    const group = byPlace.get(crediting.place) ?? []
    byPlace.set(crediting.place, group)
    group.push({ ...crediting, cleared })
  }
  if (!provider) return { allowed, refused }
  const deadline = performance.now() + PATIENCE
  // Where it is away, the rest of the batch is not asked for; whether it was so before is known to nobody here.
  const reach = openReach(1)
  for (const [place, wishes] of byPlace) {
    const answers = await creditGrants(
      { database, installation, provider, deadline, ending, reach },
      reservation,
      place,
      wishes,
    )
    const cut = ending?.aborted === true
    for (const wish of wishes) {
      const said = heed(wish, answers.get(wish.grant.grantId), reservation, cut)
      if ('kind' in said) refused.push({ cleared: wish.cleared, verdict: said })
      else allowed.push(said)
    }
  }
  const news = await noteReach(database, CREDITOR, reach, reservation.now)
  if (news) onReach?.(news)
  return { allowed, refused }
}

/**
 * Asks the provider for each grant, and books what it says.
 * @param deadline of performance.now(): what is not asked by then is not asked now
 * @returns its answers by grant; without an entry where the grant is another claim's by now
 */
async function creditGrants(
  {
    database,
    installation,
    provider,
    deadline,
    ending,
    reach,
  }: {
    database: Database
    installation: Installation
    provider: OfferProvider
    deadline: number
    ending: AbortSignal | undefined
    /** Hears how each call ended. */
    reach: Reach
  },
  { claimId, now }: Reservation,
  place: StepOffer,
  wishes: readonly Wish[],
): Promise<ReadonlyMap<number, CreditAnswer>> {
  const none = () => (ending?.aborted ? ENDING : performance.now() > deadline ? NOT_ASKED : undefined)
  const all = none()
  if (all) return new Map(wishes.map(({ grant }) => [grant.grantId, all]))
  const marked = await markAsked(database, claimId, wishes.map(keyOf))
  const due = wishes.filter(({ grant }) => marked.has(grant.grantId))
  let last = NOT_ASKED
  const answers = await each(provider.concurrency, due, async ({ cleared, grant }) => {
    const not = none()
    if (not) return not
    if (reach.away) return last
    const answer = await provider.credit({
      key: grantKey(installation, grant.grantId),
      external_id: cleared.candidate.externalId,
      campaign: place.campaign,
      offer: place.name,
      kind: place.terms.kind,
      terms: viewOffer(place.name, place.terms),
      expires_at: grant.expiresAt.toISOString(),
    })
    const takesNone = answer.outcome === 'unknown' && answer.takesNone === true
    if (answer.outcome === 'unasked' || takesNone) last = { outcome: 'unasked', detail: answer.detail }
    reach.note(
      answer.outcome === 'unasked' || takesNone
        ? { outcome: 'retry', detail: answer.detail, unreached: !takesNone, takesNone }
        : { outcome: 'sent' },
      cleared.candidate.touchpointId,
    )
    return answer
  })
  const said = new Map(
    due.map(({ grant }, index): [number, CreditAnswer] => [grant.grantId, answers[index] ?? NOT_ASKED]),
  )
  const those = (outcome: CreditAnswer['outcome']) =>
    due.filter(({ grant }) => said.get(grant.grantId)?.outcome === outcome)
  const keys = (outcome: CreditAnswer['outcome']) => those(outcome).map(keyOf)
  const unasked = those('unasked').filter(({ grant }) => marked.get(grant.grantId)?.before === false)
  await markCredited(database, now, keys('credited'))
  await markUnasked(database, claimId, unasked.map(keyOf))
  const { campaign, name: offer } = place
  await giveBackRefused(database, claimId, now, { campaign, offer }, keys('refused'))
  return said
}

function keyOf({ cleared, grant }: Wish): GrantKey {
  return { contactId: cleared.candidate.contactId, grantId: grant.grantId }
}

/**
 * The message as it goes by what the provider said, or why it does not. Where the answer is not known (a time-out), it waits,
 * and the next try asks again with the same key; where the provider was not reached, or credits nobody, that has been no try. Pure.
 * @param cut the process is ending: others ask, in a moment, and no message has lost a try by it
 */
function heed(
  { cleared, instead }: Wish,
  answer: CreditAnswer | undefined,
  { campaign, now }: Reservation,
  cut: boolean,
): Cleared | Verdict {
  const { max_delay: maxDelay } = campaign.definition.limits
  switch (answer?.outcome) {
    case 'credited':
      return cleared
    case 'refused':
      return instead ?? unavailable(`provider: ${answer.detail}`)
    case 'unknown':
      if (cut) return wait(cleared, now, maxDelay, answer.detail, UNTRIED)
      if (answer.takesNone) return wait(cleared, now, maxDelay, answer.detail)
      return askAgain(cleared, now, maxDelay, answer.detail)
    case 'unasked':
      return wait(cleared, now, maxDelay, answer.detail, cut ? 0 : undefined)
    case undefined:
      return { kind: 'defer', until: now, cause: 'changed' }
  }
}

/**
 * For as long as it has waited, so that the pauses double; between a minute and the longest rest of a channel. A provider
 * that is away for a day must not have whoever waits for it prepared anew each minute.
 * @param pause seconds instead
 */
function wait(
  { candidate }: Cleared,
  now: Date,
  maxDelay: number,
  detail: string,
  pause = Math.min(LONGEST_REST, Math.max(UNTRIED, (now.getTime() - candidate.plannedFor.getTime()) / 1000)),
): Verdict {
  const until = later(now, pause)
  return deferOrSkip(until, latestOf(candidate, maxDelay), 'credit', `provider: ${detail}`)
}

function askAgain({ candidate }: Cleared, now: Date, maxDelay: number, detail: string): Verdict {
  const pause = BACK_OFF[candidate.attempt]
  if (pause === undefined) return { kind: 'skip', reason: 'offer_unavailable', detail: `provider: ${detail}` }
  const latest = latestOf(candidate, maxDelay)
  const verdict = deferOrSkip(later(now, pause), latest, 'credit', `provider: ${detail}`)
  return verdict.kind === 'defer' ? { ...verdict, tried: true } : verdict
}

/** `work` on every item, so many at a time; the answers in the order of the items. */
async function each<Item, Result>(
  width: number,
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  let next = 0
  const lane = async () => {
    for (let index = next++; index < items.length; index = next++) {
      const item = items[index]
      if (item !== undefined) results[index] = await work(item)
    }
  }
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane))
  return results
}
