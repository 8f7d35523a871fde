import { describe, expect, it } from 'vitest'
import { shownLine } from '../../../src/config/documents/in-clear.ts'
import { formatProblems } from '../../../src/config/documents/problems.ts'
import { environmentFrom } from '../../../src/config/environment.ts'
import { readWorkspace } from '../../../src/config/load.ts'
import { WORKSPACE_YAML } from '../support/samples.ts'

/** All that is said of a workspace file: at a terminal and as JSON. */
function said(text: string): string {
  const { problems } = readWorkspace('winback.yaml', text, environmentFrom({ PW: 'hidden' }), '.')
  return `${formatProblems(problems, { 'winback.yaml': text })}\n${JSON.stringify(problems)}`
}

const smtp = (more: string) => WORKSPACE_YAML.replace('{ host: 127.0.0.1 }', more)
const KEY = '-----BEGIN PRIVATE KEY-----'

describe('a secret in clear is repeated nowhere', () => {
  it.each([
    ['where it is refused', smtp('{ host: 127.0.0.1, password: hunter2 }')],
    ['of digits alone', smtp('{ host: 127.0.0.1, password: 40302 }')],
    ['between quotes', smtp(`{ host: 127.0.0.1, password: 'hun''ter2, port: "x' }`)],
    ['as the default of a reference', smtp('{ host: 127.0.0.1, password: "\u0024{NONE:-hunter2}" }')],
    ['under a name that is nearly one', smtp('{ host: 127.0.0.1, pass: hunter2 }')],
    ['in the wrong block', `${WORKSPACE_YAML}    password: hunter2\n`],
    ['beside another mistake', smtp('{ host: 127.0.0.1, password: hunter2, prot: 25 }')],
    ['over several lines of braces', smtp('{ host: 127.0.0.1,\n      password: hunter2, prot: 25 }')],
    ['with a number behind its comma', smtp('{ host: 127.0.0.1, password: 40,302 }')],
    ['without the space before it', smtp('{ host: 127.0.0.1, password:hunter2 }')],
    ['without the space before it, in a block', smtp('\n      host: 127.0.0.1\n      password:hunter2')],
    ['behind a full-width colon', smtp('\n      host: 127.0.0.1\n      password：hunter2')],
    ['that begins with an asterisk', smtp('{ host: 127.0.0.1, password: *hunter2 }')],
    ['that begins with what YAML keeps', smtp('{ host: 127.0.0.1, password: @hunter2 }')],
    ['that begins with an exclamation mark', smtp('{ host: 127.0.0.1, password: !hunter2 x }')],
    ['whose quotes are closed nowhere', smtp('\n      host: 127.0.0.1\n      password: "hunter2')],
    ['with a colon in it', smtp('\n      host: 127.0.0.1\n      password: hun: ter2')],
    ['in the url of a mail server', smtp('{ host: "smtps://me:hunter2@mail.example" }')],
    [
      'in the url of a database',
      `${WORKSPACE_YAML}database: { url: "postgres://u:hunter2@db/shop", scema: x }\n`,
    ],
    [
      'behind the url of a database',
      `${WORKSPACE_YAML}database: { url: "postgres://db/shop?password=hunter2" }\n`,
    ],
    ['where an equals sign is a colon', smtp('\n      host: 127.0.0.1\n      password=hunter2')],
    ['in the url of the web', `${WORKSPACE_YAML}web: { url: "https://me:hunter2@shop.example" }\n`],
    [
      'in a url that is too long to be shown',
      `${WORKSPACE_YAML}web: { url: "https://me:hunter2${'x'.repeat(80)}@shop.example" }\n`,
    ],
    [
      'as a key over several lines',
      `${WORKSPACE_YAML}    dkim:\n      domain: shop.example\n      private_key: |\n        ${KEY}\n        hunter2\n       hunter2hunter2\n      selector: x\n`,
    ],
    ['twice', smtp('\n      host: 127.0.0.1\n      password: hunter2\n      password: hunter2')],
    [
      'of the provider of offers',
      `${WORKSPACE_YAML}offers: { provider: { url: "https://x.example", token: hunter2 } }\n`,
    ],
  ])('%s', (_, text) => {
    const told = said(text)
    expect(told).not.toMatch(/hun|ter2|40302|40,302/)
    expect(told).toContain('error')
  })
})

/** Each line as it may be shown. */
const shown = (lines: readonly string[]) => lines.map((_, no) => shownLine(lines, no))

it('shows the line up to it, and points no further', () => {
  const text = smtp('{ host: 127.0.0.1, password: hunter2, prot: 25 }')
  expect(said(text)).toMatch(/\n {2}17 \| {5}smtp: \{ host: 127\.0\.0\.1, password: …\n {5}\| {41}\^/)
})

it.each([
  ['password: "${PW}"'],
  ['{ password: ${PW}, port: 25 }'],
  ['private_key: "${file:dkim.pem}" # kept elsewhere'],
  ['url: "postgres://winback:${PW}@db.example:5432/shop?sslmode=require"'],
  ['url: https://shop.example:8443/start'],
  ['token_url: https://oauth2.example/token'],
  ['key_id: winback'],
  ['public_key: BLxA'],
  ['{ url: "postgres://db.example/shop?password=${PW}&sslmode=require", schema: shop }'],
  ['access_key_id: LTAI'],
  ['compass: north'],
])('shows %s as it is', (line) => {
  expect(shown([line])).toEqual([line])
})

it('leaves out what goes on below, up to the next key', () => {
  const lines = [
    'a:',
    '  secret: >',
    '    one: two',
    '',
    '    three',
    '  next: x',
    '  token: one',
    '    two',
    '  port: 1',
  ]
  expect(shown(lines)).toEqual([
    'a:',
    '  secret: >',
    '    …',
    '',
    '    …',
    '  next: x',
    '  token: …',
    '    …',
    '  port: 1',
  ])
})

it('leaves out all of a key, wherever its lines begin', () => {
  const lines = [
    'private_key: |',
    `  ${KEY}`,
    ' hunter2',
    '    : hunter2',
    '  -----END PRIVATE KEY-----',
    'port: 1',
  ]
  expect(shown(lines)).toEqual(['private_key: |', '  …', ' …', '    …', '  …', 'port: 1'])
})

it.each([['://'], ['://a:'], ['a:'], ['pass: a, '], ['?password='], ['pass '], [' ']])(
  'has soon read a line of nothing but %j',
  (part) => {
    const line = part.repeat(400_000 / part.length)
    expect(shownLine([line], 0).length).toBeLessThanOrEqual(line.length + 1)
  },
)
