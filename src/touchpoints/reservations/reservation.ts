import type { CompiledCampaign, CompiledStep } from '../../config/compiled.ts'
import type { Database } from '../../database/connect.ts'
import type { Installation } from '../../database/installation.ts'
import type { Grant, StepOffer } from '../../offers/grants.ts'
import type { OfferProvider } from '../../offers/provider.ts'
import type { Verdict } from '../guards/guards.ts'
import type { Cleared, Compose } from '../message.ts'
import type { Pace } from '../pace.ts'
import type { Reached } from '../sending/absences.ts'

// What a batch asks of what is scarce, and how far a message has come with it.

export interface ReserveDependencies {
  readonly database: Database
  /** What the offer provider knows this installation by. */
  readonly installation: Installation
  /** Credits what is delivered to the account; absent where the workspace names none. */
  readonly offerProvider?: OfferProvider | undefined
  /** The process is ending: nobody more is asked for, and it may be that who is asked is waited for no longer. */
  readonly ending?: AbortSignal | undefined
  /** Hears of that provider, too, where it is away, at each try, and where it is reached again. */
  readonly onReach?: ((news: Reached) => void) | undefined
}

export interface Reservation {
  readonly claimId: string
  readonly campaign: CompiledCampaign
  readonly step: CompiledStep
  readonly now: Date
  /** What a message will cost is known once it is composed. */
  readonly compose: Compose
  readonly pace: Pace
}

/** What of the messages may go on, and the verdict on each that may not. */
export interface Parted<Message> {
  readonly allowed: readonly Message[]
  readonly refused: readonly Refused[]
}

export interface Refused {
  readonly cleared: Cleared
  readonly verdict: Verdict
}

/** A message that may go, as far as it was asked; `fresh` where what it promises is booked nowhere yet. */
export interface Allowed {
  readonly cleared: Cleared
  readonly fresh: boolean
  /** A provider is to be asked first. */
  readonly crediting?: Crediting
}

export interface Crediting {
  readonly place: StepOffer
  readonly grant: Grant
  /** What goes where the provider refuses. */
  readonly instead: Cleared | undefined
}

/** Seconds after which a step looks again at what another batch holds at this moment: an offer, or the rest of a budget. */
export const BUSY = 60
