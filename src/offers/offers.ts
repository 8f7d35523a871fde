import { z } from 'zod'
import { benefit } from './benefit.ts'
import { coupon } from './coupon.ts'
import type { OfferModule, OfferTerms } from './offer.ts'
import { trial } from './trial.ts'

/** Every kind of offer there is. A new one is a file, its line here and one in {@link offer}. */
export const offers = { coupon, trial, benefit } satisfies {
  readonly [Kind in OfferKind]: OfferModule<Extract<Offer, { kind: Kind }>>
}

/** An offer of a campaign file: the schema of `offers.*`. */
export const offer = z.discriminatedUnion('kind', [coupon.terms, trial.terms, benefit.terms])

export type Offer = z.output<typeof offer>
export type OfferKind = Offer['kind']

/** Names every message with an offer may use, behind `offer.`. */
const COMMON_VARIABLES = ['name', 'kind', 'valid_days', 'expires_at'] as const

/** What a message knows of the offer it carries: the variables of a kind, `offer.code` where it comes as a code. */
export function offerVariables(kind: OfferKind, deliver: OfferTerms['deliver']): string[] {
  const own = [...COMMON_VARIABLES, ...offers[kind].variables, ...(deliver === 'code' ? ['code'] : [])]
  return own.map((name) => `offer.${name}`)
}

/** Whether it comes as a code that was imported: then there are no more than codes. */
export function hasImportedCodes({ deliver, codes }: Pick<OfferTerms, 'deliver' | 'codes'>): boolean {
  return deliver === 'code' && codes === 'imported'
}

/** Integer micros one redemption costs at face value. */
export function faceOf(terms: Offer): number {
  switch (terms.kind) {
    case 'coupon':
      return coupon.face(terms)
    case 'trial':
      return trial.face(terms)
    case 'benefit':
      return benefit.face(terms)
  }
}

/** Integer micros an outstanding grant is expected to cost: face value × expected redemption. */
export function expectedOf(terms: Offer): number {
  return Math.round(faceOf(terms) * terms.expected_redemption)
}

/** What a message may say of the offer in general; code and expiry are the grant's (see {@link grantViewer}). */
export function viewOffer(name: string, terms: Offer): Record<string, unknown> {
  const common = { name, kind: terms.kind, valid_days: Math.floor(terms.valid / 86_400) }
  switch (terms.kind) {
    case 'coupon':
      return { ...common, ...coupon.view(terms) }
    case 'trial':
      return { ...common, ...trial.view(terms) }
    case 'benefit':
      return { ...common, ...benefit.view(terms) }
  }
}

/** What a message may say of one grant of an offer: all of the offer, when it expires, and its code where it has one. */
export function grantViewer(
  name: string,
  terms: Offer,
): (grant: { code: string | null; expiresAt: Date }) => Record<string, unknown> {
  // With every name there before a grant has its own: an object that grows takes four times as long to make.
  const uncoded: Record<string, unknown> = { ...viewOffer(name, terms), expires_at: '' }
  const coded: Record<string, unknown> = { ...uncoded, code: '' }
  return ({ code, expiresAt }) => {
    const view = { ...(code === null ? uncoded : coded) }
    if (code !== null) view.code = code
    view.expires_at = expiresAt.toISOString()
    return view
  }
}
