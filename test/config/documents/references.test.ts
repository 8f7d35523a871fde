import { createECDH, generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { environmentFrom } from '../../../src/config/environment.ts'
import { readWorkspace } from '../../../src/config/load.ts'
import { scratchDirectory } from '../../support/scratch.ts'
import { WORKSPACE_YAML } from '../support/samples.ts'

const folder = scratchDirectory()
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
const PEM = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
writeFileSync(join(folder, 'key.pem'), PEM)

function load(text: string, variables: Record<string, string> = {}) {
  return readWorkspace('winback.yaml', text, environmentFrom(variables), folder)
}
const withSmtp = (more: string) =>
  WORKSPACE_YAML.replace('{ host: 127.0.0.1 }', `{ host: 127.0.0.1, ${more} }`)
const says = ({ problems }: ReturnType<typeof load>) =>
  problems.map(({ location, path, message }) => `${location.line}:${location.column} ${path}: ${message}`)

test('variables, defaults and files are filled in', () => {
  const text = `${withSmtp('user: "\u0024{USER_NAME:-shop}", password: "\u0024{PW}"')}    dkim: { domain: a.example, selector: s, private_key: "\${file:key.pem}" }
database: { url: "postgres://u:\${DB_PW}@h/db" }
`
  const { definition, problems } = load(text, { PW: 'a b:{c}\n#', DB_PW: 'a b:{c}\n%23' })
  expect(problems).toEqual([])
  expect(definition?.channels.email?.smtp).toMatchObject({ user: 'shop', password: 'a b:{c}\n#' })
  expect(definition?.channels.email?.dkim?.private_key).toBe(PEM.trimEnd())
  expect(definition?.database.url).toBe('postgres://u:a b:{c}\n%23@h/db')
})

test('a variable that is nearly one of the environment, and one without its braces', () => {
  const near = load(`${WORKSPACE_YAML}database: { url: "\${DATABSE_URL}" }\n`, {
    DATABASE_URL: 'postgres://h/db',
  })
  expect(near.problems).toMatchObject([
    { message: 'the environment variable DATABSE_URL is not set', suggestion: 'DATABASE_URL' },
  ])
  const bare = withSmtp('user: "$SMTP_USER", password: "$SMTP_PASSWORD"')
  expect(says(load(bare, { SMTP_USER: 'shop' })).map((each) => each.replace(/^\S+ /, ''))).toEqual([
    'channels.email.smtp.user: `$SMTP_USER` would be taken as it stands; write \u0024{SMTP_USER}',
    expect.stringMatching(/^channels\.email\.smtp\.password: a secret stands here in clear/),
  ])
})

test('a missing variable, a missing file and a bad reference are told at their place, together', () => {
  const text = `${WORKSPACE_YAML}database: { url: "\${DB}" }\nredis: { url: "redis://\${file:none}@h", prefix: "a \${1x}" }\n`
  expect(says(load(text))).toEqual([
    '18:19 database.url: the environment variable DB is not set',
    expect.stringMatching(/^19:24 redis\.url: the file none cannot be read/),
    '19:52 redis.prefix: expected \u0024{NAME}, \u0024{NAME:-value} or \u0024{file:path}',
  ])
})

test.each(['', '\n', '\r\n'])(
  'a file with nothing in it is no secret, as a variable that is set to nothing is none: %j',
  (nothing) => {
    writeFileSync(join(folder, 'cut-off'), nothing)
    const text = `${withSmtp('user: shop, password: "\u0024{file:cut-off}"')}
offers: { provider: { url: "https://shop.example/credits", token: "\u0024{TOKEN}" } }
`
    expect(says(load(text, { TOKEN: '' })).map((each) => each.replace(/^\S+ /, ''))).toEqual([
      'channels.email.smtp.password: the file cut-off is empty',
      'offers.provider.token: the environment variable TOKEN is not set',
    ])
  },
)

test.each([
  [withSmtp('password: hunter2'), 'channels.email.smtp.password'],
  [withSmtp('password: "\u0024{PW:-hunter2}"'), 'channels.email.smtp.password'],
  [withSmtp('password: "x\u0024{PW}"'), 'channels.email.smtp.password'],
  [
    `${WORKSPACE_YAML}    dkim: { domain: a.example, selector: s, private_key: abc }\n`,
    'channels.email.dkim.private_key',
  ],
  [`${WORKSPACE_YAML}database: { url: postgres://u:secret@h/db }\n`, 'database.url'],
  [`${WORKSPACE_YAML}database: { url: postgres://h/db?password=secret }\n`, 'database.url'],
  [`${WORKSPACE_YAML}redis: { url: "redis://:se/cret@h:6379" }\n`, 'redis.url'],
])('a secret in clear is refused: %#', (text, path) => {
  const { problems } = load(text, { PW: 'x' })
  expect(problems.map((problem) => problem.path)).toEqual([path])
  expect(problems[0]?.message).toMatch(/in clear; write it as \$\{NAME\}/)
  expect(JSON.stringify(problems)).not.toContain('hunter2')
})

test('a url that is wrong in another way, too, is told both, and its password in neither', () => {
  const text = `${WORKSPACE_YAML}database: { url: "mysql://u:hunter2@h/db?password=hunter3" }\n`
  const loaded = load(text)
  const inClear = '18:18 database.url: a password stands in this url in clear'
  expect(says(loaded)).toEqual([
    expect.stringContaining(inClear),
    expect.stringContaining(inClear),
    expect.stringMatching(
      /^18:18 database\.url: expected a PostgreSQL url .*, found `mysql:\/\/u:…@h\/db\?password=…`$/,
    ),
  ])
  expect(JSON.stringify(loaded.problems)).not.toContain('hunter')
})

test('every secret of a channel is one', () => {
  const blocks = `  sms: { provider: twilio, account_sid: AC, auth_token: hunter2, from: "+15005550006" }
  push:
    web: { subject: "mailto:a@b.example", public_key: x, private_key: hunter2 }
    fcm: { project_id: p, client_email: c, private_key: hunter2 }
    jpush: { app_key: a, master_secret: hunter2 }
    tap_secret: hunter2hunter2hunter2
  webhook: { url: "https://x.example", secret: hunter2hunter2hunter2 }
`
  const { problems } = load(`${WORKSPACE_YAML}${blocks}`)
  expect(problems.map(({ path }) => path)).toEqual([
    'channels.sms.auth_token',
    'channels.push.web.private_key',
    'channels.push.fcm.private_key',
    'channels.push.jpush.master_secret',
    'channels.push.tap_secret',
    'channels.webhook.secret',
  ])
  expect(JSON.stringify(problems)).not.toContain('hunter2')
})

test('what a reference stands for is never repeated, and what it leaves behind where it leads nowhere is no news', () => {
  const text = `${WORKSPACE_YAML}  webhook: { url: "\u0024{URL}", secret: "\u0024{PW}" }\n  sms: { provider: "\u0024{BY}" }\n`
  const { problems } = load(text, { URL: 'hunter2', BY: 'twillio' })
  expect(problems.map(({ path, message }) => `${path}: ${message}`)).toEqual([
    expect.stringMatching(/^channels\.webhook\.url: .*, found what `\u0024{URL}` stands for$/),
    'channels.webhook.secret: the environment variable PW is not set',
    'channels.sms.provider: expected aliyun or twilio, found what `\u0024{BY}` stands for',
  ])
  expect(JSON.stringify(problems)).not.toMatch(/hunter2|twillio/)
})

test('urls without a password, and urls that are references, are fine', () => {
  const text = `${WORKSPACE_YAML}database: { url: "postgres://u@h:5432/db" }\nredis: { url: "\${R}" }\n`
  expect(load(text, { R: 'redis://:pw@h' }).problems).toEqual([])
})

test('DATABASE_URL and REDIS_URL stand in where the file says nothing', () => {
  const { definition } = load(WORKSPACE_YAML, { DATABASE_URL: 'postgres://a', REDIS_URL: 'redis://b' })
  expect(definition?.database.url).toBe('postgres://a')
  expect(definition?.redis.url).toBe('redis://b')
})

const VAPID = { public: createECDH('prime256v1'), other: createECDH('prime256v1') }
const [PUBLIC, OTHER] = [VAPID.public, VAPID.other].map((curve) => curve.generateKeys('base64url'))
const USABLE = `    dkim: { domain: a.example, selector: s, private_key: "\${file:key.pem}" }
    receipts: { sendgrid: { public_key: ${publicKey.export({ type: 'spki', format: 'der' }).toString('base64')} } }
  push:
    web: { subject: "mailto:a@b.example", public_key: ${PUBLIC}, private_key: "\${VAPID}" }
    fcm: { project_id: p, client_email: c, private_key: "\${file:key.pem}", endpoint: "https://fcm.example" }
  sms: { provider: twilio, account_sid: AC, auth_token: "\${SECRET}", from: "+15005550006", callback_url: "https://shop.example" }
  webhook: { url: "https://x.example", secret: "\${SECRET}" }
  callback: { wage: "30", robot: { url: "https://robot.example", secret: "\${SECRET}" } }
offers: { provider: { url: "https://shop.example/credits" } }
`
const HELD = { VAPID: VAPID.public.getPrivateKey('base64url'), SECRET: 'of at least sixteen', PEM: 'not one' }

test('keys and addresses that can be used are', () => {
  expect(says(load(`${WORKSPACE_YAML}${USABLE}`, HELD))).toEqual([])
})

test.each([
  'http://127.0.0.1:8080/credits',
  'http://shop.internal/credits", allow_private: [shop.internal], token: "${SECRET}',
])('a shop on this machine, and one that is named, may be called by http: %s', (url) => {
  const text = `${WORKSPACE_YAML}${USABLE.replace('https://shop.example/credits', url)}`
  expect(says(load(text, HELD))).toEqual([])
})

test.each([
  [
    'dkim: { domain: a.example, selector: s, private_key: "\u0024{file:key.pem}"',
    'dkim: { domain: a.example, selector: s, private_key: "\u0024{PEM}"',
    'email.dkim.private_key: expected a private key in PEM',
  ],
  [
    'client_email: c, private_key: "\u0024{file:key.pem}"',
    'client_email: c, private_key: "\u0024{PEM}"',
    'push.fcm.private_key: expected a private key in PEM',
  ],
  [
    'public_key: MFkw',
    'public_key: MFkx',
    'email.receipts.sendgrid.public_key: expected the verification key of SendGrid',
  ],
  [
    `public_key: ${PUBLIC}`,
    `public_key: ${OTHER}`,
    'push.web.private_key: expected the private key that belongs to `public_key`',
  ],
  ['https://fcm.example', 'fcm.example', 'push.fcm.endpoint: expected an address such as https://'],
  [
    'callback_url: "https://shop.example"',
    'callback_url: "ftp://shop.example"',
    'sms.callback_url: expected an address such as https://',
  ],
  [
    'https://x.example',
    'http://x.example',
    'webhook.url: x.example must be called by https, or be named in allow_private',
  ],
  ['https://robot.example', 'https://10.0.0.1', 'callback.robot.url: 10.0.0.1 is in a private network'],
  [
    'https://shop.example/credits',
    'mailto:credits@shop.example',
    'offers.provider.url: expected an address such as https://',
  ],
  [
    'https://shop.example/credits',
    'http://10.0.0.1/credits',
    'offers.provider.url: 10.0.0.1 must be called by https, or be named in allow_private: the token, and who is credited what, would go out in clear',
  ],
])('what a provider could not be called with is told where it stands: %s', (right, wrong, said) => {
  expect(USABLE).toContain(right)
  const { problems } = load(`${WORKSPACE_YAML}${USABLE.replace(right, wrong)}`, HELD)
  const place = said.startsWith('offers') ? said : `channels.${said}`
  expect(problems.map(({ path, message }) => `${path}: ${message}`)).toEqual([expect.stringContaining(place)])
  expect(JSON.stringify(problems)).not.toContain('not one')
})
