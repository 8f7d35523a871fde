import { createECDH, generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DeviceRow } from '../../contacts/devices.ts'
import type { Person, Population } from '../population.ts'
import { openLoopback } from './loopback.ts'
import { servePushes } from './push.ts'
import { type RobotTask, serveRobot, serveWebhook } from './signed.ts'
import { serveTwilio, type TakenText } from './twilio.ts'

// Everybody's telephones, apps and browsers, as far as a provider of messages sees them; and the accounts the demo's shop
// has with those providers. Secrets are drawn anew each time, and stand in files beside winback.yaml.

/** How many messages each kind of provider took. */
export interface TakenByKind {
  readonly texts: number
  readonly pushes: number
  readonly calls: number
  readonly webhook: number
}

/** What providers have to tell since they were last asked. */
export interface Told {
  readonly texts: readonly TakenText[]
  readonly calls: readonly RobotTask[]
}

export interface Providers {
  /** The blocks of winback.yaml, below `channels`. */
  readonly channels: string
  /** What Twilio signs its reports with, and what the robot does. */
  readonly secrets: { readonly twilio: string; readonly robot: string }
  /** The apps and browsers of the population, to be registered. */
  readonly devices: readonly DeviceRow[]
  take(): Told
  counts(): TakenByKind
  close(): Promise<void>
}

const ACCOUNT = 'AC00000000000000000000000000000001'
const SUBJECT = 'mailto:ops@example.com'
const FIREBASE = { project: 'lantern-tea', email: 'push@lantern-tea.example' }
const APP_KEY = 'lantern-tea'

/**
 * Opens the providers of a population on this machine.
 * @param folder the workspace's; secrets are written into `secrets/` below it
 */
export async function openProviders(population: Population, folder: string): Promise<Providers> {
  const secrets = {
    twilio: randomBytes(16).toString('hex'),
    jpush: randomBytes(16).toString('hex'),
    robot: randomBytes(16).toString('hex'),
    webhook: randomBytes(16).toString('hex'),
  }
  const firebase = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const vapid = createECDH('prime256v1')
  vapid.generateKeys()
  const vapidKey = vapid.getPublicKey('base64url')
  // One in 256 begins with a zero, which Node.js leaves out; web-push wants all 32 bytes.
  const vapidSecret = vapid.getPrivateKey('hex').padStart(64, '0')
  await mkdir(join(folder, 'secrets'), { recursive: true })
  const files = {
    ...secrets,
    vapid: Buffer.from(vapidSecret, 'hex').toString('base64url'),
    firebase: firebase.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(folder, 'secrets', name), text, { mode: 0o600 })
  }

  const taken = { texts: 0, pushes: 0, calls: 0, webhook: 0 }
  let texts: TakenText[] = []
  let calls: RobotTask[] = []
  const nobodys = new Set(
    population.people.flatMap(({ phone, line }) => (phone !== null && !line ? [phone] : [])),
  )
  const twilio = await openLoopback(
    serveTwilio(
      { sid: ACCOUNT, token: secrets.twilio },
      {
        isNobodys: (to) => nobodys.has(to),
        onTaken: (text) => {
          taken.texts += 1
          texts.push(text)
        },
      },
    ),
  )
  const pushes = await openLoopback(
    servePushes(
      {
        web: { publicKey: vapidKey, subject: SUBJECT },
        fcm: { ...FIREBASE, publicKey: firebase.publicKey },
        jpush: { appKey: APP_KEY, masterSecret: secrets.jpush },
      },
      {
        isGone: (token) => token.endsWith('-gone'),
        onTaken: () => {
          taken.pushes += 1
        },
      },
    ),
  )
  const robot = await openLoopback(
    serveRobot(secrets.robot, (task) => {
      taken.calls += 1
      calls.push(task)
    }),
  )
  const own = await openLoopback(
    serveWebhook(secrets.webhook, (items) => {
      taken.webhook += items
    }),
  )

  // One browser stands for all: what a push service cannot read, it cannot tell apart either.
  const browser = createECDH('prime256v1')
  browser.generateKeys()
  const keys = { p256dh: browser.getPublicKey('base64url'), auth: randomBytes(16).toString('base64url') }
  return {
    channels: channelBlocks({
      twilio: twilio.url,
      pushes: pushes.url,
      robot: robot.url,
      own: own.url,
      vapidKey,
    }),
    secrets,
    devices: population.people.flatMap((person) => deviceOf(person, `${pushes.url}browser/`, keys)),
    take: () => {
      const told = { texts, calls }
      texts = []
      calls = []
      return told
    },
    counts: () => ({ ...taken }),
    close: async () => {
      await Promise.all([twilio, pushes, robot, own].map((server) => server.close()))
    },
  }
}

function deviceOf(
  { app, externalId }: Person,
  browsers: string,
  keys: { readonly p256dh: string; readonly auth: string },
): DeviceRow[] {
  if (!app) return []
  const name = `${externalId}${app.installed ? '' : '-gone'}`
  return app.provider === 'web'
    ? [{ externalId, provider: 'web', token: `${browsers}${name}`, keys }]
    : [{ externalId, provider: app.provider, token: `${app.provider}-${name}`, keys: null }]
}

function channelBlocks(at: {
  twilio: string
  pushes: string
  robot: string
  own: string
  vapidKey: string
}): string {
  const file = (name: string) => `"\${file:secrets/${name}}"`
  return `  # All of these are servers of the demo, on this machine: they check what the real ones check, and end with it.
  sms:
    provider: twilio
    account_sid: ${ACCOUNT}
    auth_token: ${file('twilio')}
    from: "+15005550006"
    callback_url: http://127.0.0.1:7420/v1/receipts/sms/twilio
    endpoint: ${at.twilio}
    price: "0.045"
  push:
    web: { subject: "${SUBJECT}", public_key: ${at.vapidKey}, private_key: ${file('vapid')}, allow_private: [127.0.0.1] }
    fcm:
      project_id: ${FIREBASE.project}
      client_email: ${FIREBASE.email}
      private_key: ${file('firebase')}
      token_url: ${at.pushes}token
      endpoint: ${at.pushes}
    jpush: { app_key: ${APP_KEY}, master_secret: ${file('jpush')}, endpoint: "${at.pushes}" }
    connections: 20
    price: "0.001"
  callback:
    wage: "60"
    country: "86"
    robot: { url: "${at.robot}", secret: ${file('robot')}, takes: all, allow_private: [127.0.0.1], price: "0.3" }
  webhook: { url: "${at.own}", secret: ${file('webhook')}, allow_private: [127.0.0.1], price: "1.5" }
`
}
