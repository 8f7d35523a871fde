import { later } from '../../clock.ts'
import type { CompiledCampaign, CompiledStep, VersionText } from '../../config/compiled.ts'
import { startOfNextDay } from '../../config/local-time.ts'
import { givesOffer, inVariant } from '../../config/variants.ts'
import { provisionally } from '../../database/connect.ts'
import { expectedOf } from '../../offers/offers.ts'
import { deferOrSkip, latestOf, type Verdict } from '../guards/guards.ts'
import type { Cleared, Compose } from '../message.ts'
import { type Budget, holdBudgets, openBudgets, type Shortage } from './budgets.ts'
import type { Claimed } from './holds.ts'
import {
  type Allowed,
  BUSY,
  type Parted,
  type Refused,
  type Reservation,
  type ReserveDependencies,
} from './reservation.ts'

// What the messages of a batch may cost at most, held of the budgets that its step asks.

/**
 * Spend and liability, last of all: a batch holds what it may cost at most, in one look at each budget.
 * @returns allowed is what there is money for
 */
export async function reserveMoney(
  deps: ReserveDependencies,
  { campaign, step, claimId, now, compose, pace }: Reservation,
  budgets: readonly Budget[],
  allowed: readonly Allowed[],
): Promise<Parted<Allowed>> {
  if (budgets.length === 0 || allowed.length === 0) return { allowed, refused: [] }
  const spends = budgets.some(({ kind }) => kind === 'spend')
  const claimed: Claimed[] = []
  // What a provider was asked for before is in the account, for all we know, and was counted until now: it comes first.
  const isAsked = ({ crediting }: Allowed) => crediting?.grant.credit === 'asking'
  for (const each of [...allowed.filter(isAsked), ...allowed.filter((one) => !isAsked(one))]) {
    const { contactId, touchpointId } = each.cleared.candidate
    const spend = spends ? dearest(each, compose) : 0
    claimed.push({ contactId, touchpointId, spend, liability: liabilityOf(each, step), asked: isAsked(each) })
    await pace()
  }
  const hold = () => provisionally(deps.database, (tx) => holdBudgets(tx, claimId, budgets, now, claimed))
  let short = await hold()
  if (!short) {
    await openBudgets(deps.database, budgets)
    short = (await hold()) ?? new Map()
  }
  const { max_delay: maxDelay } = campaign.definition.limits
  const refused = allowed.flatMap(({ cleared }): Refused[] => {
    const shortage = short.get(cleared.candidate.touchpointId)
    return shortage ? [{ cleared, verdict: outOfBudget(shortage, cleared, now, maxDelay) }] : []
  })
  return { allowed: allowed.filter(({ cleared }) => !short.has(cleared.candidate.touchpointId)), refused }
}

/** Micros the message may cost. Which of two goes is known once the provider has answered: the dearer counts. */
function dearest({ cleared, crediting }: Allowed, compose: Compose): number {
  const costs = [cleared, crediting?.instead].map((each) => {
    const composed = each && compose(each)
    return !composed || 'state' in composed ? 0 : composed.cost
  })
  // What may be out is held for by the batch that tried it.
  return cleared.candidate.doubted ? 0 : Math.max(0, ...costs)
}

/** Micros that what it promises is expected to cost, where that is booked nowhere yet. */
function liabilityOf({ cleared, fresh }: Allowed, step: CompiledStep): number {
  const { offer } = inVariant(step, cleared.candidate.variant)
  return fresh && offer ? expectedOf(offer.terms) : 0
}

/** What others hold may come back at any moment; a day's budget is there again tomorrow; a campaign's is not. */
export function outOfBudget(
  { budget, held }: Shortage,
  { candidate }: Cleared,
  now: Date,
  maxDelay: number,
): Verdict {
  const skip: Verdict = { kind: 'skip', reason: 'budget_exhausted', detail: budget.kind }
  if (budget.per === null && !held) return skip
  const latest = latestOf(candidate, maxDelay)
  const again = held ? later(now, BUSY) : startOfNextDay(budget.zone, now)
  const verdict = deferOrSkip(again, latest, held ? 'budget_held' : 'budget_exhausted')
  return verdict.kind === 'skip' ? skip : verdict
}

/**
 * A version as it is to be worked with now. What a campaign may cost, and how many of its offers there are, is said of all its
 * messages, so what its newest version says counts for those, too, who began with an older one. Pure.
 * @param newest what that version's text says; where its limits cannot be read, or an offer is none of its own any more, the
 *   version's own stay
 */
export function underLimitsOf(
  campaign: CompiledCampaign,
  newest: Pick<VersionText, 'definition'> | undefined,
): CompiledCampaign {
  const { definition } = campaign
  const { budget } = newest?.definition.limits ?? definition.limits
  const offers = Object.fromEntries(
    Object.entries(definition.offers).map(([name, terms]) => {
      const { stock } = newest?.definition.offers?.[name] ?? terms
      return [name, { ...terms, stock }]
    }),
  )
  return { ...campaign, definition: { ...definition, offers, limits: { ...definition.limits, budget } } }
}

/**
 * The budgets a step's messages ask.
 * @param credited a provider may have been asked to credit offers of the campaign: also by an earlier version of it, where this
 *   one credits none
 */
export function budgetsOf(
  { name, definition, timezone }: CompiledCampaign,
  step: CompiledStep,
  credited: boolean,
): Budget[] {
  const { spend, liability } = definition.limits.budget
  const common = { campaign: name, zone: timezone }
  return [
    ...(spend ? [{ ...common, kind: 'spend' as const, most: spend.amount.micros, per: spend.per }] : []),
    ...(liability && givesOffer(step)
      ? [{ ...common, kind: 'liability' as const, most: liability.micros, per: null, credited }]
      : []),
  ]
}
