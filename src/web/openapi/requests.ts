import { z } from 'zod'
import { API_CALLS } from '../../contacts/api-calls.ts'
import { DEVICE_PROVIDERS } from '../../contacts/devices.ts'

// Requests whose reader is not a schema: events are read by hand, for speed and for Segment's looseness, and devices
// with the checks of their keys. The test of the document holds these against the readers.

const id = z.union([z.string().min(1).max(500), z.number()])
const common = {
  userId: id.optional().describe('External id; it or anonymousId is needed'),
  anonymousId: id.optional(),
  messageId: z
    .string()
    .min(1)
    .max(500)
    .optional()
    .describe('The same at every repeat; known ones change nothing'),
  timestamp: z.iso
    .datetime({ offset: true })
    .optional()
    .describe('When it happened; now where it is missing'),
  context: z.record(z.string(), z.unknown()).optional(),
}
const things = z.record(z.string(), z.unknown())

export const events = {
  identify: z.looseObject({ ...common, traits: things.optional().describe('Attributes of the contact') }),
  track: z.looseObject({
    ...common,
    event: z.string().min(1).describe('What was done: docs/events.md has the names that are understood'),
    properties: things.optional(),
  }),
  page: z.looseObject({ ...common, name: z.string().optional(), properties: things.optional() }),
  screen: z.looseObject({ ...common, name: z.string().optional(), properties: things.optional() }),
  group: z.looseObject({ ...common, groupId: id, traits: things.optional() }),
  alias: z.looseObject({ ...common, previousId: id.describe('The id the contact had before') }),
} satisfies Record<(typeof API_CALLS)[number], z.ZodType>

export const batch = z.looseObject({
  batch: z
    .array(z.looseObject({ type: z.enum(API_CALLS), ...common }))
    .min(1)
    .max(5000)
    .describe('Taken whole or not at all'),
  sentAt: z.iso.datetime({ offset: true }).optional(),
})

export const device = z.looseObject({
  external_id: z.string().min(1),
  provider: z.enum(DEVICE_PROVIDERS),
  token: z.string().min(1).max(2000).describe('Of `web`: the https endpoint of the subscription'),
  keys: z.strictObject({ p256dh: z.string(), auth: z.string() }).optional().describe('Of `web` alone'),
})

export const acknowledgement = z.looseObject({ tapped: z.boolean().optional() })
