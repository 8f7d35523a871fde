import type { SQL } from 'drizzle-orm/sql'
import type { Offer } from '../offers/offers.ts'
import type { Campaign } from './campaign.ts'

// What the rest of Winback works with: a campaign version whose conditions have become SQL and whose steps
// have their ids. Made by compile.ts; types alone live here, for every later stage imports them.
//
// The SQL of a condition or fact is an expression over these aliases, which every statement that uses one provides:
//   c  contacts     a  contact_activity     s  contact_signals, left-joined: no row is no history (and no condition
//   that asks for none pays for the join)     e  episodes (steps only: segment and earlier steps)
//   r  the step's own data (templates of a step with `data` only)
// and is a function of `now`, a bind value: no statement reads the database's clock.

export interface Condition {
  /** As the operator wrote it. */
  readonly source: string
  /** A three-valued boolean: NULL is "unknown", an error of evaluation included. */
  sql(now: Date): SQL
}

/** A value a template needs. */
export interface TemplateFact {
  /** Dotted path as the template says it: `contact.first_name`. */
  readonly path: string
  /** The value as jsonb; SQL NULL where it is absent. */
  sql(now: Date): SQL
  /** The template asks whether it is there, and does without. */
  readonly optional: boolean
  /** True where the value is older than its `fresh` limit; absent for facts without one. */
  stale?(now: Date): SQL
}

export interface StepTemplate {
  readonly name: string
  readonly facts: readonly TemplateFact[]
  /** It says something of the offer, and cannot be filled without one. */
  readonly offered?: boolean
}

export interface CompiledStep {
  readonly stepId: number
  readonly tierNo: number
  readonly tier: string
  readonly stepNo: number
  readonly id: string
  readonly channels: readonly string[]
  /** Seconds from entering the tier. */
  readonly after: number
  /** `when` and not `unless`, in one; undefined where the step has neither. */
  readonly condition: Condition | undefined
  /** For `everyone` and for each segment of the campaign. Empty where the channel does not render. */
  readonly templates: ReadonlyMap<string, StepTemplate>
  readonly otherwise: StepTemplate | undefined
  readonly offer: { readonly name: string; readonly terms: Offer } | undefined
  /** What the step compares, in the order of the file; the step itself then is as its first. */
  readonly variants?: readonly CompiledVariant[]
  /** What is read of the contact beside facts, as a query of one row over `c` and `a`, with one jsonb column `report`. */
  readonly data?: (now: Date) => SQL
  /** Released by the return rather than by the tier: what silences the rest lets it go. */
  readonly onReturn?: true
  /** Of a step that asks for a call. */
  readonly call?: CallTerms
}

export interface CompiledVariant {
  readonly name: string
  /** In (0, 1]; those of a step come to 1. */
  readonly share: number
  /** The step with this variant's templates and offer. */
  readonly step: CompiledStep
}

export interface CallTerms {
  /** Seconds within which the call is to be made. */
  readonly sla: number
  /** Calls a local day of the campaign that people can make; null without a limit. */
  readonly capacity: number | null
}

/** What the bands of a campaign's tiers count from, for one contact. */
export type CompiledEntry =
  /** Their newest activity, else their sign-up. */
  | { readonly kind: 'silence' }
  /** A date they have: a timestamp fact, NULL for those who have none. */
  | { readonly kind: 'date'; readonly path: string; sql(now: Date): SQL }
  /** An event of theirs. `where` is over `v`, a row of activity. */
  | {
      readonly kind: 'event'
      readonly type: string
      readonly first: boolean
      readonly where: Condition | undefined
    }

export interface CompiledTier {
  /** 1, 2, …: the order of the file, which is the order of the bands. */
  readonly no: number
  readonly name: string
  /** Seconds since what the entry counts from, [from, to); negative before a date; to is null without an upper end. */
  readonly from: number
  readonly to: number | null
  readonly holdout: number
  readonly steps: readonly CompiledStep[]
}

export interface CompiledCampaign {
  readonly name: string
  readonly version: number
  readonly salt: string
  readonly definition: Campaign
  /** Share of persons in the workspace's control group, as it stood when the version was applied. */
  readonly control: number
  /** The campaign's zone, or the workspace's. */
  readonly timezone: string
  /** The campaign's exclusive group, or a group of its own. */
  readonly exclusive: string
  /** sha-256 of the template set this version was applied with. */
  readonly templateSet: string
  /** The languages its templates came in then; the first is the fallback. */
  readonly locales: readonly string[]
  readonly entry: CompiledEntry
  /** What ends the sending: any activity, or the primary goal alone. */
  readonly silencedBy: 'activity' | 'goal'
  /** The fact `churn_reason`: how many of a band are only quiet. */
  readonly churnReason?: ((now: Date) => SQL) | undefined
  /** Messages an episode may come to, NULL without a limit; undefined where the campaign sets none. */
  readonly effort?: ((now: Date) => SQL) | undefined
  readonly audience: Condition | undefined
  readonly segments: readonly { readonly name: string; readonly condition: Condition }[]
  readonly tiers: readonly CompiledTier[]
  /** Steps the return releases; each has the number of one more tier than there are. */
  readonly onReturn: readonly CompiledStep[]
}

/**
 * What the text of a version says, read by itself: it asks for no template, channel or fact that may be gone since. Keys
 * that are not of this format are absent.
 */
export interface VersionText {
  readonly version: number
  readonly definition: { readonly [Key in keyof Campaign]?: Campaign[Key] | undefined }
  /** As {@link CompiledCampaign.control}. */
  readonly control: number
}

/** Finds a step of any applied version by its id; loads and compiles a version once. */
export interface CampaignBook {
  campaign(name: string, version: number): Promise<CompiledCampaign>
  /** What is counted, judged and shown of a version must not end where it no longer compiles. */
  text(name: string, version: number): Promise<VersionText>
  /** Of the version in force. */
  currentText(name: string): Promise<VersionText | undefined>
  /** The version new episodes open with, or undefined for a campaign that was never applied. */
  current(name: string): Promise<CompiledCampaign | undefined>
  step(stepId: number): Promise<{ campaign: CompiledCampaign; step: CompiledStep }>
}
