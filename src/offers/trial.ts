import { z } from 'zod'
import { amount } from '../config/quantities.ts'
import { type OfferModule, offerCommon } from './offer.ts'

const terms = z.strictObject({
  kind: z.literal('trial').describe('Days of something that otherwise costs money'),
  days: z.int().positive().describe('How many days it lasts'),
  value: amount.optional().describe('What one redemption costs; nothing by default'),
  ...offerCommon,
})

/** Days of something that otherwise costs money. */
export const trial = {
  kind: 'trial',
  terms,
  face: (offer) => offer.value?.micros ?? 0,
  variables: ['days'],
  view: (offer) => ({ days: offer.days }),
} satisfies OfferModule<z.output<typeof terms>>
