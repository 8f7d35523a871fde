import { z } from 'zod'
import { amount } from '../config/quantities.ts'
import { type OfferModule, offerCommon, units } from './offer.ts'

const terms = z.strictObject({
  kind: z.literal('coupon').describe('Money off an order'),
  amount: amount.describe('Money off: 5 CNY'),
  minimum: amount.optional().describe('Order value it needs; none by default'),
  ...offerCommon,
})

/** Money off an order. */
export const coupon = {
  kind: 'coupon',
  terms,
  face: (offer) => offer.amount.micros,
  variables: ['amount', 'minimum'],
  view: (offer) => ({ amount: units(offer.amount), minimum: units(offer.minimum) }),
} satisfies OfferModule<z.output<typeof terms>>
