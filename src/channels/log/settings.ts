import { z } from 'zod'
import { amount } from '../price.ts'

/** The `channels.log` block of winback.yaml: delivers nowhere and counts. It is there without being written. */
export const logSettings = z
  .strictObject({
    price: amount.describe('Price of one message, in the workspace’s currency'),
  })
  .prefault({})
  .describe('Delivers nowhere and counts')
export type LogSettings = z.output<typeof logSettings>
