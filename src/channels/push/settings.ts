import { createECDH } from 'node:crypto'
import { z } from 'zod'
import { parseAddress } from '../email/address.ts'
import { amount } from '../price.ts'
import { isReadable, privateKey, providerUrl } from '../provider-settings.ts'
import { secret } from '../secret.ts'
import { privateHosts } from '../server-name.ts'

const web = z
  .strictObject({
    subject: z
      .string()
      .refine(isSubject, 'expected mailto:hello@shop.example or https://shop.example')
      .describe('Whom push services may write to'),
    public_key: z.string().describe('VAPID, as `npx web-push generate-vapid-keys` prints it'),
    private_key: secret(z.string()).describe('As ${NAME} or ${file:…}'),
    allow_private: privateHosts.describe('Hosts of push services in a private network'),
  })
  .refine(({ public_key, private_key }) => isReadable(() => assertPair(public_key, private_key)), {
    path: ['private_key'],
    message:
      'expected the private key that belongs to `public_key`, as `npx web-push generate-vapid-keys` prints both',
  })

/** RFC 8292: whom a push service may write to, who turns away what nobody can be reached at. */
function isSubject(text: string): boolean {
  const [, mailbox] = /^mailto:(.*)$/s.exec(text) ?? []
  return mailbox === undefined
    ? /^https:\/\//.test(text) && URL.canParse(text)
    : parseAddress(mailbox) !== undefined
}

/** RFC 8292: a point of P-256 and its scalar, in base64url. @throws Error where they are not, or not of each other */
function assertPair(publicKey: string, privateKey: string): void {
  const curve = createECDH('prime256v1')
  curve.setPrivateKey(Buffer.from(privateKey, 'base64url'))
  if (!curve.getPublicKey().equals(Buffer.from(publicKey, 'base64url'))) throw new Error('not a pair')
}

const fcm = z.strictObject({
  project_id: z.string().min(1),
  client_email: z.string().min(1).describe('Of the service account'),
  private_key: secret(privateKey).describe('PEM of the service account, as ${file:…}'),
  token_url: providerUrl.prefault('https://oauth2.googleapis.com/token'),
  endpoint: providerUrl.prefault('https://fcm.googleapis.com/'),
})
const jpush = z.strictObject({
  app_key: z.string().min(1),
  master_secret: secret(z.string().min(1)).describe('As ${NAME} or ${file:…}'),
  production: z.boolean().prefault(true).describe('Of Apple’s push service'),
  endpoint: providerUrl.prefault('https://api.jpush.cn/'),
})

/** The `channels.push` block of winback.yaml: the kinds of devices that are reached, each with its provider. */
export const pushSettings = z
  .strictObject({
    web: web.optional().describe('Browsers'),
    fcm: fcm.optional().describe('Apps, by Firebase'),
    jpush: jpush.optional().describe('Apps in mainland China, by JPush'),
    tap_secret: secret(z.string().min(16, 'expected a secret of 16 characters at least'))
      .optional()
      .describe('Signs the `tap` of each push, by which the app reports that it was tapped'),
    ttl: z.int().min(60).max(2_419_200).prefault(172_800).describe('Seconds a push waits for its device'),
    connections: z.int().min(1).max(100).prefault(10).describe('Pushes under way at a time'),
    price: amount.describe('Price of one push, in the workspace’s currency'),
  })
  .refine(({ web, fcm, jpush }) => web ?? fcm ?? jpush, {
    message: 'expected one of `web`, `fcm` and `jpush`',
  })
  .describe('Browsers and apps')
export type PushSettings = z.output<typeof pushSettings>
export type WebPushSettings = z.output<typeof web>
export type FcmSettings = z.output<typeof fcm>
export type JpushSettings = z.output<typeof jpush>
