import { z } from 'zod'
import { amount } from '../price.ts'

/** The `channels.inapp` block of winback.yaml: messages your own app asks for at sign-in. */
export const inappSettings = z
  .strictObject({
    price: amount.describe('Price of one message, in the workspace’s currency'),
  })
  .describe('Messages your own app asks for at sign-in')
export type InappSettings = z.output<typeof inappSettings>
