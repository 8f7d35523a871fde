import { z } from 'zod'

/** The `channels.inapp` block of winback.yaml: messages your own app asks for at sign-in. */
export const inappSettings = z.strictObject({
  price: z
    .string()
    .regex(/^\d+(\.\d{1,6})?$/)
    .prefault('0')
    .describe('Price of one message, in the workspace’s currency'),
})
export type InappSettings = z.output<typeof inappSettings>
