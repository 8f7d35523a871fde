import type { CompiledCampaign } from '../config/compiled.ts'
import type { Database } from '../database/connect.ts'
import { giveBackRefused, markAsked, markCredited } from '../offers/conclusion.ts'
import type { Grant, OfferPlace } from '../offers/grants.ts'
import { viewOffer } from '../offers/offers.ts'
import type { CreditAnswer, OfferProvider } from '../offers/provider.ts'
import { deferOrSkip, type Verdict } from './guards.ts'
import type { Cleared } from './message.ts'
import { BACK_OFF } from './sends.ts'

// Before a message says that something is in the account, it is: the provider is asked for what was just reserved, and for
// which the budget has room.

interface Granted {
  readonly cleared: Cleared
  readonly grant: Grant
}

/** Milliseconds of real time a batch may spend asking: its claim has to outlast it. */
const PATIENCE = 30_000

/**
 * Asks the provider for each grant. Where the answer is not known (a time-out), the message waits and the next try asks again
 * with the same key.
 */
export async function creditGrants(
  { database, provider }: { readonly database: Database; readonly provider: OfferProvider },
  {
    campaign,
    claimId,
    now,
  }: { readonly campaign: CompiledCampaign; readonly claimId: string; readonly now: Date },
  place: OfferPlace,
  granted: readonly Granted[],
): Promise<{
  credited: readonly Granted[]
  refused: readonly { cleared: Cleared; detail: string }[]
  later: readonly { cleared: Cleared; verdict: Verdict }[]
}> {
  const key = ({ cleared, grant }: Granted) => ({
    contactId: cleared.candidate.contactId,
    grantId: grant.grantId,
  })
  const asked = await markAsked(database, claimId, granted.map(key))
  const due = granted.filter(({ grant }) => asked.has(grant.grantId))
  const lost = granted.filter(({ grant }) => !asked.has(grant.grantId))
  const deadline = performance.now() + PATIENCE
  const answers = await each(provider.concurrency, due, async ({ cleared, grant }): Promise<CreditAnswer> => {
    if (performance.now() > deadline) return { outcome: 'unknown', detail: 'not asked yet: others took long' }
    return await provider.credit({
      key: `grant-${grant.grantId}`,
      external_id: cleared.candidate.externalId,
      campaign: place.campaign,
      offer: place.name,
      kind: place.terms.kind,
      terms: viewOffer(place.name, place.terms),
      expires_at: grant.expiresAt.toISOString(),
    })
  })
  const said = due.map((one, index) => ({ ...one, answer: answers[index] }))
  const keys = (outcome: CreditAnswer['outcome']) =>
    said.filter(({ answer }) => answer?.outcome === outcome).map(key)
  await markCredited(database, now, keys('credited'))
  const { campaign: owner, name: offer } = place
  await giveBackRefused(database, claimId, now, { campaign: owner, offer }, keys('refused'))
  const maxDelay = campaign.definition.limits.max_delay
  return {
    credited: said.filter(({ answer }) => answer?.outcome === 'credited'),
    refused: said.flatMap(({ cleared, answer }) =>
      answer?.outcome === 'refused' ? [{ cleared, detail: `provider: ${answer.detail}` }] : [],
    ),
    later: [
      ...said.flatMap(({ cleared, answer }) =>
        answer?.outcome === 'unknown'
          ? [{ cleared, verdict: askAgain(cleared, now, maxDelay, answer.detail) }]
          : [],
      ),
      ...lost.map(({ cleared }) => ({
        cleared,
        verdict: { kind: 'defer', until: now, cause: 'changed' } as const,
      })),
    ],
  }
}

function askAgain({ candidate }: Cleared, now: Date, maxDelay: number, detail: string): Verdict {
  const pause = BACK_OFF[candidate.attempt]
  if (pause === undefined) return { kind: 'skip', reason: 'offer_unavailable', detail: `provider: ${detail}` }
  const latest = candidate.plannedFor.getTime() + maxDelay * 1000
  const verdict = deferOrSkip(new Date(now.getTime() + pause * 1000), latest, 'credit', `provider: ${detail}`)
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
