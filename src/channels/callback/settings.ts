import { z } from 'zod'
import { amount } from '../price.ts'
import { apiUrl, refuseHost } from '../provider-settings.ts'
import { secret } from '../secret.ts'
import { privateHosts } from '../server-name.ts'

const robot = z
  .strictObject({
    url: apiUrl.describe('Where calls are posted to; https, unless the host is allowed'),
    key_id: z.string().min(1).prefault('winback').describe('Names the secret, so that it can be changed'),
    secret: secret(z.string().min(16, 'expected a secret of 16 characters at least')).describe(
      'As ${NAME} or ${file:…}; signs what is posted, and what the robot reports',
    ),
    takes: z
      .enum(['overflow', 'all'])
      .prefault('overflow')
      .describe('Calls beyond the step’s `capacity`, or all'),
    allow_private: privateHosts.describe(
      'Hosts, by name, that may be in a private network; all others there are refused',
    ),
    connections: z.int().min(1).max(50).prefault(4).describe('Requests under way at a time'),
    price: amount.describe('Price of one call, in the workspace’s currency'),
  })
  .superRefine(refuseHost)

/** The `channels.callback` block of winback.yaml: calls made by people, and by a robot if there is one. */
export const callbackSettings = z
  .strictObject({
    wage: amount.describe('An hour of an agent, in the workspace’s currency: minutes are booked as labour'),
    country: z
      .string()
      .regex(/^\d{1,3}$/, 'expected a country code in digits, such as "86"')
      .optional()
      .describe('Country code of numbers that have none: "86"'),
    attempts: z
      .int()
      .min(1)
      .max(20)
      .prefault(3)
      .describe('Attempts until a call that reaches nobody is given up'),
    robot: robot.optional().describe('An outbound voice robot'),
  })
  .describe('Calls, by people and by a robot')
export type CallbackSettings = z.output<typeof callbackSettings>
export type RobotSettings = z.output<typeof robot>
