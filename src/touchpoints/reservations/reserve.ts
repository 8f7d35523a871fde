import type { CompiledStep } from '../../config/compiled.ts'
import { givesOffer, inVariant } from '../../config/variants.ts'
import { type Database, provisionally } from '../../database/connect.ts'
import { concludeGrants } from '../../offers/conclusion.ts'
import { byPlan, type Cleared } from '../message.ts'
import { budgetsOf, reserveMoney } from './costs.ts'
import { creditPromised } from './credit.ts'
import { releaseBudgets } from './holds.ts'
import { dummyGrant, isCounted, reservePersons } from './promises.ts'
import type { Allowed, Parted, Refused, Reservation, ReserveDependencies } from './reservation.ts'

// What the guards let through asks for what is scarce: a place under the person's caps, an offer, a part of the budget.
// In the lock order of the docs (contact, touchpoint, offer, budget); what is refused at a later place gives back what
// it had at an earlier one once the batch is over.

/** What may be sent, with what was reserved for it; and the verdict on what may not. */
export interface Reserved {
  readonly toSend: readonly Cleared[]
  readonly refused: readonly Refused[]
  /** Something is held that {@link release} has to let go. */
  readonly holds: boolean
  /** Grants are among what is held. */
  readonly promised: boolean
}

/**
 * Reserves for a batch. Seeds get theirs without: they count nowhere. What is refused comes back with its verdict; what
 * is sent is held until {@link release}.
 */
export async function reserve(
  deps: ReserveDependencies,
  reservation: Reservation,
  cleared: readonly Cleared[],
): Promise<Reserved> {
  const { step, now, campaign } = reservation
  const seeds = cleared.filter(({ candidate }) => candidate.seed).map((each) => withDummy(each, step, now))
  const real = cleared.filter(({ candidate }) => !candidate.seed).toSorted(byPlan)
  const budgets = budgetsOf(campaign, step, deps.offerProvider !== undefined)
  const counted = isCounted(campaign)
  const offering = givesOffer(step)
  if (real.length === 0 || (!counted && !offering && budgets.length === 0)) {
    return { toSend: [...seeds, ...real], refused: [], holds: false, promised: false }
  }
  const promised: Parted<Allowed>[] = []
  // Variants may promise different things; each offer is reserved for those of the batch who are to get it.
  for (const [offered, group] of byOffer(step, real)) {
    promised.push(await reservePersons(deps, { ...reservation, step: offered }, group))
  }
  const allowed = promised.flatMap((each) => each.allowed)
  const affordable = await reserveMoney(deps, reservation, budgets, allowed)
  const credited = await creditPromised(deps, reservation, affordable.allowed)
  return {
    toSend: [...seeds, ...credited.allowed],
    refused: [...promised, affordable, credited].flatMap((each) => each.refused),
    holds: offering || budgets.length > 0,
    promised: offering,
  }
}

function withDummy(seed: Cleared, step: CompiledStep, now: Date): Cleared {
  const grant = dummyGrant(inVariant(step, seed.candidate.variant), now)
  return grant ? { ...seed, grant } : seed
}

/** A batch by what it promises: a step as one of its variants has it, with those who are to get that offer or none. */
function byOffer(step: CompiledStep, real: readonly Cleared[]): [CompiledStep, Cleared[]][] {
  const groups = new Map<string | undefined, [CompiledStep, Cleared[]]>()
  for (const each of real) {
    const own = inVariant(step, each.candidate.variant)
    const group = groups.get(own.offer?.name) ?? [own, []]
    groups.set(own.offer?.name, group)
    group[1].push(each)
  }
  return [...groups.values()]
}

/**
 * Concludes what a batch had reserved, once each of its touchpoints is settled or put back.
 * @param doubts some of it may be out, and is tried again
 */
export async function release(
  database: Database,
  claimId: string,
  now: Date,
  reserved: Reserved,
  doubts: boolean,
): Promise<void> {
  if (!reserved.holds) return
  const contactIds = [...reserved.toSend, ...reserved.refused.map(({ cleared }) => cleared)]
    .filter(({ candidate }) => !candidate.seed)
    .map(({ candidate }) => candidate.contactId)
  await provisionally(database, async (tx) => {
    if (reserved.promised) await concludeGrants(tx, now, { claimId, contactIds })
    // After the last booking: in between, the hold stands for what is not booked yet.
    await releaseBudgets(tx, claimId, doubts)
  })
}
