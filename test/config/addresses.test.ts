import { generateKeyPairSync } from 'node:crypto'
import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import { environmentFrom } from '../../src/config/environment.ts'
import { readWorkspace } from '../../src/config/load.ts'
import { WORKSPACE_YAML } from './support/samples.ts'

// Hosts, urls, domains and names of winback.yaml that nothing could be reached by: told where they are written, not by
// what fails on them later.

const { generateVAPIDKeys } = createRequire(import.meta.url)('web-push') as typeof import('web-push')
const vapid = generateVAPIDKeys()
const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
})
const VARIABLES = { PEM: privateKey, VAPID: vapid.privateKey, SECRET: 'sixteen characters at least' }

const said = (block: string, variables: Record<string, string> = {}) =>
  readWorkspace(
    'winback.yaml',
    `${WORKSPACE_YAML}${block}\n`,
    environmentFrom({ ...VARIABLES, ...variables }),
    '.',
  ).problems

const BLOCKS = {
  'web.host': (text: string) => `web: { host: "${text}" }`,
  'web.url': (text: string) => `web: { url: "${text}" }`,
  'redis.url': (text: string) => `redis: { url: "${text}" }`,
  'redis.prefix': (text: string) => `redis: { url: "redis://a:1,b:2", prefix: "${text}" }`,
  'database.url': (text: string) => `database: { url: "${text}" }`,
  'database.schema': (text: string) => `database: { schema: "${text}" }`,
  'digest.locale': (text: string) => `digest: { locale: "${text}" }`,
  'channels.email.dkim.domain': (text: string) =>
    `    dkim: { domain: "${text}", selector: winback, private_key: "\${PEM}" }`,
  'channels.email.dkim.selector': (text: string) =>
    `    dkim: { domain: shop.example, selector: "${text}", private_key: "\${PEM}" }`,
  'channels.callback.country': (text: string) => `  callback: { country: "${text}" }`,
  'channels.push.web.subject': (text: string) =>
    `  push: { web: { subject: "${text}", public_key: "${vapid.publicKey}", private_key: "\${VAPID}" } }`,
  'channels.webhook.url': (text: string) => `  webhook: { url: "${text}", secret: "\${SECRET}", price: "0" }`,
  'channels.webhook.allow_private[0]': (text: string) =>
    `  webhook: { url: "https://shop.internal", secret: "\${SECRET}", allow_private: ["${text}"] }`,
  'offers.provider.allow_private[0]': (text: string) =>
    `offers: { provider: { url: "https://shop.internal", allow_private: ["${text}"] } }`,
}

describe('is refused, with what belongs there', () => {
  it.each([
    ['web.host', 'https://x.example', 'an address of this machine alone', 'x.example'],
    ['web.host', '0.0.0.0:7420', 'an address of this machine alone', '0.0.0.0'],
    ['web.host', '[::]', 'an address of this machine alone', '::'],
    ['web.host', '*', 'an address of this machine alone', undefined],
    ['web.host', '', 'an address of this machine alone', undefined],
    ['web.url', 'https://x.example/?from=mail', 'without a query', undefined],
    ['web.url', 'https://x.example/#top', 'without a query', undefined],
    ['web.url', 'https://me:hidden@x.example', 'a password', undefined],
    ['redis.url', 'redis://', 'that can be read', undefined],
    ['redis.url', 'redis://cache:637900', 'a port below 65536', undefined],
    ['redis.url', 'redis://cache:abc', 'a port below 65536', undefined],
    ['redis.url', 'redis://a:1,', 'that can be read', undefined],
    ['redis.url', 'redis+sentinel://a:26379', 'the name of the master', undefined],
    ['redis.url', 'rediss+sentinel://a:26379/', 'the name of the master', undefined],
    ['redis.prefix', 'winback', 'between braces', '"{winback}"'],
    ['redis.prefix', '{}', 'between braces', '"{winback}"'],
    ['database.url', 'postgres://db:99999/shop', 'a port below 65536', undefined],
    ['database.url', 'postgres://db:abc/shop', 'a port below 65536', undefined],
    ['database.schema', 'Winback', 'lower-case letters', 'winback'],
    ['database.schema', 'my.shop', 'lower-case letters', undefined],
    ['database.schema', 'pg_winback', 'lower-case letters', undefined],
    ['database.schema', '', 'lower-case letters', undefined],
    ['digest.locale', 'fr', 'English and Chinese', undefined],
    ['digest.locale', 'zh_CN', 'English and Chinese', 'zh-CN'],
    ['channels.email.dkim.domain', 'https://shop.example', 'the domain alone', 'shop.example'],
    ['channels.email.dkim.domain', 'hello@shop.example', 'the domain alone', undefined],
    ['channels.email.dkim.domain', 'shop', 'the domain alone', undefined],
    ['channels.email.dkim.selector', 'winback._domainkey', 'the selector alone', undefined],
    ['channels.email.dkim.selector', '', 'the selector alone', undefined],
    ['channels.callback.country', '+86', 'a country code in digits', undefined],
    ['channels.callback.country', 'CN', 'a country code in digits', undefined],
    ['channels.push.web.subject', 'mailto:', 'mailto:hello@shop.example', undefined],
    ['channels.push.web.subject', 'https://', 'mailto:hello@shop.example', undefined],
    ['channels.webhook.url', 'http://letters.example/batches', 'must be called by https', undefined],
    ['channels.webhook.url', 'https://[::1]/batches', 'a private network', undefined],
    ['channels.webhook.allow_private[0]', 'https://shop.internal:8080/', 'a host alone', 'shop.internal'],
    ['channels.webhook.allow_private[0]', '10.0.0.7:8080', 'a host alone', '10.0.0.7'],
    ['offers.provider.allow_private[0]', '10.0.0.0/8', 'a host alone', undefined],
  ] as const)('%s: %s', (path, text, expected, suggestion) => {
    const problems = said(BLOCKS[path](text))
    expect(problems).toMatchObject([{ severity: 'error', path, suggestion }])
    expect(`${problems[0]?.message} ${problems[0]?.expected}`).toContain(expected)
  })
})

it.each([
  ['web.host', '0.0.0.0'],
  ['web.host', '::'],
  ['web.host', 'fe80::1%eth0'],
  ['web.host', 'localhost'],
  ['web.url', 'http://localhost:7420/winback/'],
  ['redis.url', 'rediss+sentinel://a.example:26379,b.example:26379/mymaster'],
  ['redis.url', 'redis://cache.example:6379/1'],
  ['redis.url', 'redis://[::1]:6379'],
  ['redis.prefix', '{shop}:queue'],
  ['database.url', 'postgres://db.example/my shop'],
  ['database.url', 'postgres:///shop?host=/var/run/postgresql'],
  ['database.url', 'postgres://shop@/shop?host=/var/run/postgresql'],
  ['database.schema', 'winback_2'],
  ['digest.locale', 'en-GB'],
  ['digest.locale', 'zh'],
  ['channels.email.dkim.domain', '商店.example'],
  ['channels.email.dkim.selector', '2026.winback_a'],
  ['channels.callback.country', '86'],
  ['channels.push.web.subject', 'mailto:hello@shop.example'],
  ['channels.push.web.subject', 'https://shop.example/contact'],
  ['channels.webhook.allow_private[0]', '::1'],
] as const)('%s may be %s', (path, text) => {
  expect(said(BLOCKS[path](text))).toEqual([])
})

it.each([
  ['cn', 'zh-CN'],
  ['CN', 'zh-CN'],
  ['jp', 'ja-JP'],
  ['chinese', 'zh-CN'],
  ['English', 'en'],
  ['zh_TW', 'zh-TW'],
  ['xx', undefined],
  ['klingon', undefined],
])('a language that is none: %s → %s', (locale, suggestion) => {
  const text = WORKSPACE_YAML.replace('locales: [en, zh-CN]', `locales: [fr, ${locale}]`)
  const { problems } = readWorkspace('winback.yaml', text, environmentFrom({}), '.')
  expect(problems).toMatchObject([{ path: 'locales[1]', found: locale, suggestion }])
})

it('takes the tag of any language there is', () => {
  for (const locale of ['en-GB', 'zh-Hant-TW', 'uk', 'yue', 'fil', 'sr-Latn', 'nan-TW', 'EN']) {
    const text = WORKSPACE_YAML.replace('locales: [en, zh-CN]', `locales: [fr, ${locale}]`)
    expect(readWorkspace('winback.yaml', text, environmentFrom({}), '.').problems, locale).toEqual([])
  }
})

it('says of a url with a password that it cannot be read, and nothing of the password', () => {
  for (const secret of ['pa/hidden', 'pa#hidden', 'pa?hidden']) {
    const variables = {
      DATABASE_URL: `postgres://shop:${secret}@db.example/shop`,
      REDIS_URL: `redis://:${secret}@cache.example:6379`,
    }
    for (const problems of [
      said('', variables),
      said(
        'database: { url: "postgres://shop:${SECRET}@db.example/shop" }\nredis: { url: "redis://:${SECRET}@cache.example:6379" }',
        { SECRET: secret },
      ),
    ]) {
      expect(problems.map(({ path }) => path).toSorted(), secret).toEqual(['database.url', 'redis.url'])
      for (const { message } of problems) expect(message).toContain('in a password %23 for #')
      expect(JSON.stringify(problems)).not.toContain('hidden')
    }
  }
})

it('asks for braces where the environment names the nodes of a Cluster', () => {
  const cluster = { REDIS_URL: 'redis://a.example:6379,b.example:6379' }
  expect(said('redis: { prefix: shop }', cluster)).toMatchObject([
    { path: 'redis.prefix', suggestion: '"{shop}"' },
  ])
  expect(said('', cluster)).toEqual([])
  expect(said('redis: { prefix: shop }', { REDIS_URL: 'redis://a.example:6379' })).toEqual([])
})
