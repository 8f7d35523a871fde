import { z } from 'zod'

/** The `channels.log` block of winback.yaml: delivers nowhere and counts. */
export const logSettings = z.strictObject({
  price: z
    .string()
    .regex(/^\d+(\.\d{1,6})?$/)
    .prefault('0')
    .describe('Price of one message, in the workspace’s currency'),
})
export type LogSettings = z.output<typeof logSettings>
