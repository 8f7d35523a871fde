import { z } from 'zod'
import { amount, duration } from '../config/quantities.ts'
import { type OfferModule, offerCommon, units } from './offer.ts'

const terms = z.strictObject({
  kind: z.literal('benefit').describe('A gift, a better price, a better plan or a promise'),
  name: z.string().describe('What the message calls it'),
  form: z
    .enum(['gift', 'price', 'plan', 'refund'])
    .prefault('gift')
    .describe('A gift, a price of their own, an upgrade of the plan, or a promise to refund'),
  value: amount.describe('What one redemption costs'),
  ...offerCommon,
  valid: duration.prefault('30d').describe('How long a grant may be redeemed'),
})

/** A gift, a better price, a better plan or a promise to refund: told apart by `form`, and named by `name`. */
export const benefit = {
  kind: 'benefit',
  terms,
  face: (offer) => offer.value.micros,
  variables: ['amount', 'form'],
  view: (offer) => ({ name: offer.name, form: offer.form, amount: units(offer.value) }),
} satisfies OfferModule<z.output<typeof terms>>
