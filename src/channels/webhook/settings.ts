import { z } from 'zod'
import { amount } from '../price.ts'
import { apiUrl, refuseHost } from '../provider-settings.ts'
import { secret } from '../secret.ts'
import { privateHosts } from '../server-name.ts'

/** The `channels.webhook` block of winback.yaml: signed HTTP to a provider of your own. */
export const webhookSettings = z
  .strictObject({
    url: apiUrl.describe('Where batches are posted to; https, unless the host is allowed'),
    key_id: z.string().min(1).prefault('winback').describe('Names the secret, so that it can be changed'),
    secret: secret(z.string().min(16, 'expected a secret of 16 characters at least')).describe(
      'As ${NAME} or ${file:…}',
    ),
    include: z
      .array(z.enum(['email', 'phone']))
      .prefault([])
      .describe('Addresses the provider is given beside external_id'),
    allow_private: privateHosts.describe(
      'Hosts, by name, that may be in a private network; all others there are refused',
    ),
    batch: z.int().min(1).max(500).prefault(50).describe('Messages in one request'),
    connections: z.int().min(1).max(50).prefault(4).describe('Requests under way at a time'),
    title: z
      .union([z.string().min(1), z.record(z.string(), z.string().min(1))])
      .optional()
      .describe('What your contacts call it, or one for each language; it stands where they choose'),
    price: amount.describe('Price of one message, in the workspace’s currency'),
  })
  .superRefine(refuseHost)
  .describe('Signed HTTP to a provider of your own')
export type WebhookSettings = z.output<typeof webhookSettings>
