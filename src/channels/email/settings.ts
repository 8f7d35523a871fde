import { z } from 'zod'
import { amount } from '../price.ts'
import { LOOPBACK } from '../private-hosts.ts'
import { isReadable, privateKey } from '../provider-settings.ts'
import { secret } from '../secret.ts'
import { serverName } from '../server-name.ts'
import { LONGEST_MAILBOX, parseDomain, parseMailbox, parseSender } from './address.ts'
import { sendgridKey } from './sendgrid-key.ts'

const sender = z
  .string()
  .refine(
    (text) => parseSender(text) !== undefined,
    'expected one address, with or without a name, such as Shop <hello@shop.example>',
  )

const mailbox = (example: string) =>
  z
    .string()
    .refine(
      (text) => parseMailbox(text) !== undefined,
      `expected an address of at most ${LONGEST_MAILBOX} characters before the @, such as ${example}`,
    )

/** What does not fit the record in the DNS is a signature that nobody can check, and is told by those who get it alone. */
const dkim = z.strictObject({
  domain: z
    .string()
    .refine((text) => parseDomain(text) !== undefined, 'expected the domain alone, such as shop.example')
    .describe('Whose key it is, such as shop.example'),
  selector: z
    .string()
    .refine(
      (text) => /^[\w-]+(\.[\w-]+)*$/.test(text) && !/_domainkey/i.test(text),
      'expected the selector alone, such as winback where the record is winback._domainkey.shop.example',
    )
    .describe('What stands before ._domainkey in the name of the record'),
  private_key: secret(privateKey).describe('PEM, as ${file:…}'),
})

/** The `channels.email` block of winback.yaml. Every timeout is far below the claim's lease. */
export const emailSettings = z
  .strictObject({
    from: sender.describe('The visible sender: Shop <hello@shop.example>'),
    reply_to: sender.optional(),
    smtp: z.strictObject({
      host: serverName(
        'the name or address of a server alone, such as smtp.example.com (its port stands beside it, as `port`)',
      ),
      port: z.int().min(1).max(65_535).prefault(587),
      secure: z.boolean().prefault(false).describe('TLS from the first byte (port 465)'),
      require_tls: z
        .boolean()
        .optional()
        .describe(
          'Refuse to send where STARTTLS is not offered; so it is with a `user`, but on this machine',
        ),
      user: z.string().optional(),
      password: secret(z.string()).optional(),
      connections: z.int().min(1).max(100).prefault(5),
      messages_per_connection: z.int().min(1).prefault(1000),
      window: z
        .int()
        .min(1)
        .max(1000)
        .optional()
        .describe(
          'Messages given out at a time, so the most a killed worker leaves in doubt; 8 a connection',
        ),
    }),
    dkim: dkim.optional(),
    tracking: z
      .strictObject({
        clicks: z.boolean().prefault(true).describe('Links go by `web.url`, so that a click is known'),
        opens: z
          .boolean()
          .prefault(true)
          .describe('A picture nobody sees tells of an opening; nothing is decided by it'),
      })
      .prefault({})
      .describe('What is learnt of a message once it is there; needs `web.url`'),
    unsubscribe: mailbox('leave@shop.example')
      .optional()
      .describe('Mailbox for those who unsubscribe by mail: leave@shop.example; piped into `winback bounce`'),
    bounces: mailbox('bounce@shop.example')
      .optional()
      .describe('Mailbox that undeliverable mail comes back to, with a reference added: bounce@shop.example'),
    receipts: z
      .strictObject({
        sns: z
          .strictObject({
            topics: z
              .array(z.string().regex(/^arn:aws[\w-]*:sns:/, 'expected the ARN of an SNS topic'))
              .min(1),
          })
          .optional()
          .describe('Amazon SES by SNS: the topics that are believed'),
        sendgrid: z
          .strictObject({
            public_key: z
              .string()
              .refine(
                (text) => isReadable(() => sendgridKey(text)),
                'expected the verification key of SendGrid’s page of the signed event webhook: MFkw…',
              )
              .describe('The verification key of the signed event webhook'),
          })
          .optional()
          .describe('SendGrid’s signed event webhook'),
      })
      .prefault({})
      .describe('Providers that report over HTTP, to /v1/receipts/email/ses or …/sendgrid'),
    price: amount.describe('Price of one message, in the workspace’s currency'),
  })
  .describe('SMTP; absent, no e-mail is sent')
export type EmailSettings = z.output<typeof emailSettings>

/** Whether nothing goes out in clear: a password goes over no network that way unless the settings say so. */
export function mustEncrypt({ host, user, require_tls }: EmailSettings['smtp']): boolean {
  return require_tls ?? (user !== undefined && !LOOPBACK.includes(host))
}
