import { z } from 'zod'
import { amount } from '../price.ts'
import { apiUrl, providerUrl } from '../provider-settings.ts'
import { secret } from '../secret.ts'

const price = amount.describe('Price of one segment, in the workspace’s currency')
const connections = z.int().min(1).max(100).prefault(10).describe('Requests under way at a time')

const aliyun = z.strictObject({
  provider: z.literal('aliyun'),
  access_key_id: z.string().min(1),
  access_key_secret: secret(z.string().min(1)).describe('As ${NAME} or ${file:…}'),
  sign_name: z.string().min(1).describe('The approved signature, without 【】'),
  templates: z
    .record(z.string(), z.string().regex(/^SMS_\d+$/, 'expected a code such as SMS_154950909'))
    .describe('Approved template codes by template name, or by name and locale: `remind`, `remind.en`'),
  variables: z
    .boolean()
    .prefault(false)
    .describe('The templates are of a kind that may have variables; marketing ones are not'),
  links: z.boolean().prefault(false).describe('The templates were approved with their links'),
  opt_out_template: z
    .string()
    .optional()
    .describe('Template code that confirms an opt-out; absent where Aliyun does'),
  callback_token: secret(z.string().min(16, 'expected a secret of 16 characters at least'))
    .optional()
    .describe('Secret in the URL Aliyun reports to: /v1/receipts/sms/aliyun?token=…'),
  endpoint: providerUrl.prefault('https://dysmsapi.aliyuncs.com/').describe('Where the API is'),
  connections,
  price,
})

const twilio = z
  .strictObject({
    provider: z.literal('twilio'),
    account_sid: z.string().min(1),
    auth_token: secret(z.string().min(1)).describe(
      'As ${NAME} or ${file:…}; receipts are signed with it, too',
    ),
    from: z.string().optional().describe('A number, short code or sender id'),
    messaging_service_sid: z.string().optional().describe('In the place of `from`'),
    country: z
      .string()
      .regex(/^\d{1,3}$/, 'expected a country code in digits, such as "86"')
      .optional()
      .describe('Country code of numbers that have none: "1"'),
    callback_url: apiUrl
      .optional()
      .describe('Where Twilio reports to: https://…/v1/receipts/sms/twilio; absent, it does not'),
    opt_out_confirmation: z
      .string()
      .optional()
      .describe('Text that confirms an opt-out; absent where Twilio does'),
    endpoint: providerUrl.prefault('https://api.twilio.com/').describe('Where the API is'),
    connections,
    price,
  })
  .refine(
    ({ from, messaging_service_sid }) => (from === undefined) !== (messaging_service_sid === undefined),
    {
      message: 'expected one of `from` and `messaging_service_sid`',
    },
  )

/** The `channels.sms` block of winback.yaml: one provider of text messages. */
export const smsSettings = z
  .discriminatedUnion('provider', [aliyun, twilio])
  .describe('Text messages over Aliyun or Twilio')
export type AliyunSettings = z.output<typeof aliyun>
export type TwilioSettings = z.output<typeof twilio>
export type SmsSettings = z.output<typeof smsSettings>
