import type { AudiencePlan } from '../../audience/plan.ts'
import type { CompiledEntry } from '../../config/compiled.ts'
import type { OfferShortage } from '../../offers/pools.ts'
import type { WithoutModel } from '../signals.ts'
import type { HeldOutShare } from './expected.ts'
import type { ComparedVariants, Detectable, DetectableBetween, PeoplePool, Showable } from './forecast.ts'

/** What a plan counted: numbers and names alone, as `plan --json` prints them and as a plan that waits is kept. */
export interface PlanFigures {
  readonly version: { readonly current: number | null; readonly changed: boolean }
  /** The campaign's own, of its schedule. */
  readonly timezone: string
  /** What the tiers count from. */
  readonly entry: CompiledEntry['kind']
  /** What `audience` asks for, as the campaign says it; absent where it asks for nothing, and in older plans. */
  readonly condition?: string
  /** Offers that are out or run low. */
  readonly shortages: readonly OfferShortage[]
  readonly audience: Omit<AudiencePlan, 'samples'>
  /** Steps that compare variants. */
  readonly variants: readonly ComparedVariants[]
  /** What their comparisons could show. */
  readonly between: readonly DetectableBetween[]
  readonly heldOut: readonly HeldOutShare[]
  /** Micros, were nobody to return: an upper bound. */
  readonly spend: number
  readonly liability: number
  /** Micros, were everybody contacted to return: what `on_return` then gives and sends. Absent in older plans. */
  readonly released?: number
  readonly natural: { readonly contacts: number; readonly recalled: number }
  /** The event of the primary goal; absent in older plans. */
  readonly goal?: string
  readonly detectable: readonly Detectable[]
  /** The same by fortnights, to be drawn. */
  readonly curve: readonly Detectable[]
  readonly pool: PeoplePool
  readonly showable: Showable
  /** Where the campaign asks for the probability of a return and no model tells it; absent in older plans. */
  readonly withoutModel?: WithoutModel
}
