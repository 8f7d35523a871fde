import { z } from 'zod'
import { amount } from '../price.ts'

/** The `channels.log` block of winback.yaml: delivers nowhere and counts. */
export const logSettings = z.strictObject({
  price: amount.describe('Price of one message, in the workspace’s currency'),
})
export type LogSettings = z.output<typeof logSettings>
