import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openChannels, registerChannels } from '../../src/channels/channels.ts'
import { importChannel } from '../../src/channels/outside.ts'
import { countriesOf } from '../../src/channels/sms/phone.ts'
import { formatProblems } from '../../src/config/documents/problems.ts'
import { environmentFrom } from '../../src/config/environment.ts'
import { loadWorkspace } from '../../src/config/load.ts'
import type { Problem } from '../../src/errors.ts'
import { WORKSPACE_YAML } from './support/samples.ts'

// Blocks of winback.yaml that bring their channel along: real files, loaded as `validate` and workers load them.

const WECHAT = `
import { z } from 'zod'
export default {
  name: 'wechat', idempotent: true, address: 'phone', renders: false,
  settings: z.strictObject({ url: z.url(), price: z.string().default('0.01') }),
  open: (settings) => ({
    name: 'wechat', idempotent: true, concurrency: 2, deadline: 1000,
    addressOf: (contact) => contact.phone,
    render: () => settings.url,
    cost: () => 10000,
    send: async (message) => ({ outcome: 'sent', providerId: message.key }),
    check: async () => 'reached ' + settings.url,
    close: async () => {},
  }),
}
`

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'winback-outside-'))
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(join(import.meta.dirname, '../../node_modules/zod'), join(folder, 'node_modules/zod'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function write(name: string, content: string): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true })
  writeFileSync(join(folder, name), content)
}

function load(name: string, block: string) {
  write('winback.yaml', `${WORKSPACE_YAML.trimEnd()}\n  ${name}: ${block}\n`)
  return loadWorkspace(join(folder, 'winback.yaml'), environmentFrom({}))
}

/** The one thing that is wrong. */
async function problemOf(name: string, block: string): Promise<unknown> {
  const problems = await load(name, block).then(
    () => [],
    (error: { problems?: unknown[] }) => error.problems ?? [error],
  )
  expect(problems).toHaveLength(1)
  return problems[0]
}

test('a path is relative to winback.yaml, and the channel opens with its own settings', async () => {
  write('channels/wechat.mjs', WECHAT)
  const { definition } = await load('wechat', '{ module: ./channels/wechat.mjs, url: "https://wx.example/" }')
  const registry = registerChannels(definition)
  expect(registry.get('wechat')).toMatchObject({ address: 'phone', setUp: { price: '0.01' } })
  await expect(openChannels(registry).get('wechat')?.check()).resolves.toBe('reached https://wx.example/')
})

test.each([
  ['as it always was', '{ "name": "winback-wechat", "main": "./index.mjs" }', 'winback-wechat'],
  [
    'for import alone',
    '{ "name": "winback-wechat", "exports": { ".": { "import": "./index.mjs" } } }',
    'winback-wechat',
  ],
  ['a part of it', '{ "name": "winback-wechat", "exports": { "./wx": "./index.mjs" } }', 'winback-wechat/wx'],
])('a package that is installed beside winback.yaml, %s', async (_, manifest, specifier) => {
  write('node_modules/winback-wechat/package.json', manifest)
  write('node_modules/winback-wechat/index.mjs', WECHAT)
  const { definition } = await load('wechat', `{ module: ${specifier}, url: "https://wx.example/" }`)
  expect(registerChannels(definition).has('wechat')).toBe(true)
})

test('a module that was compiled to CommonJS', async () => {
  const compiled = WECHAT.replace("import { z } from 'zod'", "const { z } = require('zod')")
  write('wechat.cjs', compiled.replace('export default', 'exports.__esModule = true; exports.default ='))
  const { definition } = await load('wechat', '{ module: ./wechat.cjs, url: "https://wx.example/" }')
  expect(registerChannels(definition).has('wechat')).toBe(true)
})

test('a rate of it limits something', async () => {
  write('wechat.mjs', WECHAT)
  write(
    'winback.yaml',
    `${WORKSPACE_YAML.trimEnd()}\n  wechat: { module: ./wechat.mjs, url: "https://wx.example/" }\nrates: { wechat: { at_most: 5 per 1s } }\n`,
  )
  const { definition } = await loadWorkspace(join(folder, 'winback.yaml'), environmentFrom({}))
  expect(definition.rates).toHaveProperty('wechat')
})

test('it is set up, so it is not awaited', async () => {
  write('wechat.mjs', WECHAT)
  write(
    'winback.yaml',
    `${WORKSPACE_YAML.trimEnd()}\n  wechat: { module: ./wechat.mjs, url: "https://wx.example/" }\nnot_yet: [wechat]\n`,
  )
  const { warnings } = await loadWorkspace(join(folder, 'winback.yaml'), environmentFrom({}))
  expect(warnings).toMatchObject([{ message: 'channel wechat is set up; take it out of `not_yet`' }])
})

test('settings are read by its own schema, and wrong ones are found in the file', async () => {
  write('wechat.mjs', WECHAT)
  const line = WORKSPACE_YAML.trimEnd().split('\n').length + 1
  await expect(problemOf('wechat', '{ module: ./wechat.mjs, url: nowhere }')).resolves.toMatchObject({
    path: 'channels.wechat.url',
    location: { line, column: expect.any(Number) },
  })
  await expect(
    problemOf('wechat', '{ module: ./wechat.mjs, url: "https://wx.example/", prise: "1" }'),
  ).resolves.toMatchObject({ path: 'channels.wechat.prise', suggestion: 'price', location: { line } })
})

test.each([
  ['no such file', './absent.mjs', 'does not exist; a path is relative to winback.yaml'],
  ['no such package', 'winback-absent', 'run npm install winback-absent'],
  ['a part that is not exported', 'winback-closed/wx', 'is no part its package exports'],
  ['throws', './throws.mjs', 'cannot be loaded: no luck today'],
  ['needs what is not there', './needy.mjs', 'so install it there'],
  ['a folder', './node_modules', 'is a folder; name the file in it'],
  ['a schema of another library', './old.mjs', '`settings` must be a schema of zod 4'],
  ['exports nothing', './empty.mjs', 'exports no channel; export it as `default` or as `wechat`'],
  ['exports something else', './other.mjs', '`idempotent` must be true or false'],
  ['a title that is none', './titled.mjs', '`title` must be a text, or one for each language'],
  ['another name', './renamed.mjs', 'write channels.weixin'],
  ['calls itself as one of ours', './sms.mjs', 'one of Winback’s own channels; rename it there'],
])('a module of which nothing comes: %s', async (_, module, message) => {
  write('throws.mjs', "throw new Error('no luck today')")
  write('needy.mjs', "import 'winback-absent'")
  write('old.mjs', WECHAT.replace(/settings: z.*/, 'settings: { safeParse: () => ({ success: true }) },'))
  write('node_modules/winback-closed/package.json', '{ "name": "winback-closed", "exports": {} }')
  write('titled.mjs', WECHAT.replace('renders', 'title: { en: 1 }, renders'))
  write('empty.mjs', 'export const nothing = 1')
  write('other.mjs', "export default { name: 'wechat' }")
  write('renamed.mjs', WECHAT.replaceAll("'wechat'", "'weixin'"))
  write('sms.mjs', WECHAT.replaceAll("'wechat'", "'sms'"))
  await expect(
    problemOf('wechat', `{ module: ${module}, url: "https://wx.example/" }`),
  ).resolves.toMatchObject({ message: expect.stringContaining(message) })
})

test('a module that never ends loading is not waited for', async () => {
  write('slow.mjs', 'await new Promise(() => {})')
  await expect(importChannel('wechat', './slow.mjs', folder, 50)).resolves.toEqual({
    trouble: 'cannot be loaded: it had not answered 50 ms after it was asked to load',
  })
})

test('the name of a channel of ours is taken', async () => {
  write('wechat.mjs', WECHAT)
  await expect(problemOf('sms', '{ module: ./wechat.mjs }')).resolves.toMatchObject({
    path: 'channels.sms',
    message: expect.stringContaining('give the one of ./wechat.mjs another name'),
  })
})

test('an unknown channel without a module', async () => {
  await expect(problemOf('wechat', '{ url: "https://wx.example/" }')).resolves.toMatchObject({
    message: 'unknown channel; one from outside the package names its `module`',
  })
})

test('what it marks as a secret is refused in clear, and never repeated', async () => {
  const settings =
    '{ url: z.url(), key: z.string().meta({ writeOnly: true }), by: z.object({ pin: z.string().min(9).meta({ writeOnly: true }) }) }'
  write('wechat.mjs', WECHAT.replace("{ url: z.url(), price: z.string().default('0.01') }", settings))
  const block = (key: string, pin: string) =>
    `{ module: ./wechat.mjs, url: "https://wx.example/", key: ${key}, by: { pin: ${pin} } }`
  const problems = await load('wechat', block('hunter2', 'hunter3')).catch(
    (error: { problems: Problem[] }) => error.problems,
  )
  expect(problems).toMatchObject([
    { path: 'channels.wechat.key', message: expect.stringContaining('a secret stands here in clear') },
    { path: 'channels.wechat.by.pin', message: expect.stringContaining('a secret stands here in clear') },
  ])
  expect(JSON.stringify(problems)).not.toContain('hunter')
  const file = join(folder, 'winback.yaml')
  const told = formatProblems('length' in problems ? problems : [], { [file]: readFileSync(file, 'utf8') })
  expect(told).toContain('key: …')
  expect(told).not.toContain('hunter')
})

test('the country of its numbers is one of those by which numbers are compared', async () => {
  const country = '{ url: z.url(), country: z.string() }'
  write('wechat.mjs', WECHAT.replace("{ url: z.url(), price: z.string().default('0.01') }", country))
  const { definition } = await load(
    'wechat',
    '{ module: ./wechat.mjs, url: "https://wx.example/", country: "44" }',
  )
  expect(countriesOf(definition)).toContain('44')
})
