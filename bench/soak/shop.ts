import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

// The workspace that is soaked: every channel at a provider on this machine, three campaigns that want the same people,
// and every limit there is, each with room for less than is asked for.

/** Signs what goes to and comes from the providers. */
export const SECRET = 'a secret for this machine alone'

/** What the limits below say, for whoever looks whether they held. */
export const LIMITS = {
  /** Messages a person, whatever the campaign. */
  perPerson: 7,
  /** Of the campaign `scarce`: grants, and micros of spend and of liability. */
  stock: 300,
  spend: 12_000_000,
  liability: 60_000_000,
  /** Local minutes within which text messages go out. */
  window: { from: 6 * 60, to: 22 * 60 },
} as const

export interface Places {
  readonly webPort: number
  readonly smtpPort: number
  /** Of the providers that are spoken to by HTTP, with a slash at its end. */
  readonly providers: string
}

const TEMPLATES: Readonly<Record<string, string>> = {
  // The brackets show whether a fact was printed as a blank.
  named: 'Hello [{{contact.first_name}}]. <a href="https://soak.example/news">What is new</a>',
  coded: 'For [{{contact.first_name}}]: {{offer.code}}',
  plain: 'Hello again',
  note: 'Hello from {{workspace.name}}',
}

/** Writes the workspace into a directory, with its campaigns in their first version. */
export function writeShop(directory: string, { webPort, smtpPort, providers }: Places): void {
  for (const folder of ['templates', 'campaigns']) mkdirSync(join(directory, folder), { recursive: true })
  for (const [name, text] of Object.entries(TEMPLATES)) {
    const file = `---\nsubject: Hello\nurl: /\n---\n<p>${text}. Reply STOP to opt out</p>\n`
    writeFileSync(join(directory, 'templates', `${name}.en.hbs`), file)
  }
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  writeFileSync(join(directory, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  // A breaker that trips at every refusal of a provider would leave nothing to look at.
  const breaker = 'breaker: { complaint: 90%, hard_bounce: 90% }'
  writeFileSync(
    join(directory, 'winback.yaml'),
    `version: 1
name: Soak
timezone: UTC
currency: CNY
locales: [en]
control: 5%
activity: [session, order]
attributes: { first_name: string }
persons: { shared_by_at_most: 20 }
channels:
  email:
    from: "Soak <hello@soak.example>"
    smtp: { host: 127.0.0.1, port: ${smtpPort}, connections: 3, window: 12 }
    price: "0.01"
  sms:
    provider: twilio
    account_sid: AC1
    auth_token: \${SOAK_SECRET}
    from: "+15550001111"
    callback_url: http://127.0.0.1:${webPort}/v1/receipts/sms/twilio
    endpoint: ${providers}
    price: "0.05"
  push:
    fcm:
      project_id: soak
      client_email: soak@soak.example
      private_key: \${file:key.pem}
      token_url: ${providers}token
      endpoint: ${providers}
    price: "0.001"
  callback:
    wage: "60"
    robot:
      url: ${providers}robot
      secret: \${SOAK_SECRET}
      allow_private: [127.0.0.1]
      price: "0.5"
  inapp: {}
  webhook:
    url: ${providers}hook
    secret: \${SOAK_SECRET}
    allow_private: [127.0.0.1]
    price: "0.02"
rates:
  email: { ${breaker}, at_most: 400 per 1s }
  sms: { ${breaker} }
  push: { ${breaker} }
offers:
  provider:
    url: ${providers}credits
    token: \${SOAK_SECRET}
    timeout: 3000
web: { port: ${webPort}, url: "http://127.0.0.1:${webPort}" }
`,
  )
  writeCampaigns(directory, 1)
}

/** Versions differ in a delay: enough for people under way in one while others are taken in by the next. */
export function writeCampaigns(directory: string, version: number): void {
  const limits = `per_person: [{ at_most: ${LIMITS.perPerson} per 365d, then: skip }], max_delay: 12h`
  const head = (name: string, priority: number, holdout: string) => `version: 1
campaign: ${name}
title: ${name} ${version}
schedule: "* * * * *"
timezone: UTC
priority: ${priority}
goals: { recall: { event: order } }
window: 120d
holdout: ${holdout}
`
  const files = {
    ladder: `${head('ladder', 50, '15%')}
limits:
  { ${limits}, send_window: { sms: 06:00-22:00 }, budget: { spend: 100000 CNY per day, liability: 90000 CNY } }
offers:
  five: { kind: coupon, amount: 5 CNY, valid: 7d, stock: 20000, expected_redemption: 8%, deliver: code }
  ten: { kind: coupon, amount: 10 CNY, valid: 7d, stock: 20000, expected_redemption: 5%, deliver: account }
  gift: { kind: benefit, name: A tin of tea, value: 3 CNY, stock: 20000, expected_redemption: 60% }
tiers:
  - name: coupon
    inactive: 3d..7d
    steps:
      - { id: nudge, channel: [push, sms, email], template: note }
      - { id: coupon, channel: email, template: coded, offer: five, otherwise: plain, after: ${20 + version}s }
      - { id: hook, channel: webhook, template: note, after: 40s, unless: nudge.failed }
  - name: trial
    inactive: 7d..15d
    holdout: 10%
    steps:
      - { id: call, channel: callback, script: note, capacity: 300 per day }
      - { id: text, channel: [sms, email], template: note, after: 20s }
  - name: letter
    inactive: 15d..90d
    steps:
      - { id: letter, channel: email, template: named, otherwise: plain }
      - { id: again, channel: webhook, template: plain, offer: ten, after: 30s }
on_return:
  - { id: welcome, channel: inapp, template: note, offer: gift }
`,
    scarce: `${head('scarce', 60, '0%')}
limits:
  {
    ${limits},
    budget: { spend: ${LIMITS.spend / 1e6} CNY, liability: ${LIMITS.liability / 1e6} CNY },
  }
offers:
  two: { kind: coupon, amount: 2 CNY, valid: 7d, stock: ${LIMITS.stock}, expected_redemption: 10%, deliver: code }
tiers:
  - name: only
    inactive: 3d..90d
    steps:
      - { id: one, channel: email, template: coded, offer: two, otherwise: plain }
      - { id: two, channel: email, template: coded, offer: two, otherwise: plain, after: ${10 + version}s }
`,
    other: `${head('other', 40, '5%')}
limits: { ${limits} }
tiers:
  - name: only
    inactive: 3d..90d
    steps:
      - { id: hello, channel: [email, sms], template: named, otherwise: plain, after: ${version}s }
`,
  }
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(directory, 'campaigns', `${name}.yaml`), text)
  }
}
