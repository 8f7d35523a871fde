import { z } from 'zod'
import { type Amount, duration, percentage, rate } from '../config/quantities.ts'

// The seam every kind of offer implements: a file beside this one, and one line in offers.ts. What an offer costs and
// what a message may say of it is the kind's to know; stock, codes, grants and redemptions are the same for all.

/** What every offer may say, whatever its kind. */
export const offerCommon = {
  valid: duration.describe('How long a grant may be redeemed'),
  stock: z.int().nonnegative().optional().describe('How many may be granted in all'),
  expected_redemption: percentage
    .prefault('100%')
    .describe('Share of the granted that is redeemed: what liability counts'),
  per_contact: rate
    .optional()
    .describe('How many offers of this kind one person may be granted, over all campaigns: 2 per 365d'),
  lifetime: z
    .int()
    .positive()
    .optional()
    .describe('How many offers of this kind one person may ever be granted, over all campaigns'),
  cool_down: duration
    .optional()
    .describe('Time since the person’s last offer of this kind, of whatever campaign'),
  deliver: z
    .enum(['account', 'code'])
    .prefault('account')
    .describe('Credited to the account, or a code in the message'),
  codes: z
    .enum(['generated', 'imported'])
    .prefault('generated')
    .describe('Where the codes of `deliver: code` come from'),
}

/** What the stages after the campaign file ask of any offer. */
export interface OfferTerms {
  readonly kind: string
  /** Seconds. */
  readonly valid: number
  readonly stock?: number | undefined
  readonly expected_redemption: number
  readonly per_contact?: { readonly count: number; readonly per: 'day' | 'week' | number } | undefined
  readonly lifetime?: number | undefined
  /** Seconds. */
  readonly cool_down?: number | undefined
  readonly deliver: 'account' | 'code'
  readonly codes: 'generated' | 'imported'
}

/** What the registry holds of a kind of offer. */
export interface OfferModule<Terms extends OfferTerms> {
  readonly kind: Terms['kind']
  readonly terms: z.ZodType<Terms>
  /** Integer micros one redemption costs at face value. */
  face(terms: Terms): number
  /** Names a template may use behind `offer.`, beside those every offer has. */
  readonly variables: readonly string[]
  /** The values of {@link variables}; amounts in units of the currency, as `{{money}}` expects. */
  view(terms: Terms): Readonly<Record<string, unknown>>
}

/** Amounts in units: what `{{money offer.amount}}` expects. */
export function units(value: Amount | undefined): number {
  return (value?.micros ?? 0) / 1e6
}
