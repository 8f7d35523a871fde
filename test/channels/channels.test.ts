import { describe, expect, it } from 'vitest'
import type { ContactView } from '../../src/channels/channel.ts'
import { channels, openChannels, registerChannels } from '../../src/channels/channels.ts'
import { describeChannel } from '../../src/channels/conformance.ts'
import { email, openEmail } from '../../src/channels/email/email.ts'
import { emailSettings } from '../../src/channels/email/settings.ts'
import { retryAfter } from '../../src/channels/http.ts'
import { log, openLog } from '../../src/channels/log/log.ts'
import { logSettings } from '../../src/channels/log/settings.ts'
import { parseTemplates } from '../../src/channels/templates.ts'
import { webhookSettings } from '../../src/channels/webhook/settings.ts'
import type { Fault } from '../support/smtp.ts'
import { startRawSmtp } from '../support/smtp-raw.ts'

const li: ContactView = {
  contactId: 1,
  externalId: 'c-1',
  email: 'li@mail.example',
  phone: null,
  locale: 'en',
  timezone: 'Asia/Shanghai',
}
const templates = parseTemplates({
  'hello.en.hbs': '---\nsubject: Hello {{contact.first_name}}\n---\n<p>Hello {{contact.first_name}}</p>',
})
const template = templates.find('hello', { locale: 'en' })
if (!template) throw new Error('no template')
const view = { $locale: 'en', $timezone: 'Asia/Shanghai', $currency: 'CNY', contact: { first_name: 'Li' } }
const timing = (deadline: number) => {
  const each = deadline * 0.3
  return { connect: each, greeting: each, socket: each, deadline }
}

describeChannel(
  'email',
  {
    module: email,
    reachable: [li, { ...li, email: ' 李@例え.jp ' }],
    unreachable: [
      { ...li, email: null },
      { ...li, email: 'nobody' },
    ],
    template,
    view,
    price: 3_500,
    open: async (deadline) => {
      const server = await startRawSmtp()
      const settings = emailSettings.parse({
        from: '小店 <hello@shop.example>',
        price: '0.0035',
        smtp: { host: '127.0.0.1', port: server.port, connections: 3, window: 3 },
      })
      const provoke = (fault: Fault) => () => server.faults.add(fault)
      return {
        channel: openEmail(settings, timing(deadline)),
        faults: [
          {
            name: 'no greeting',
            provoke: provoke({ at: 'connect', action: 'stall' }),
            promised: 'retry',
            unreached: true,
            silent: true,
          },
          {
            name: 'a greeting that refuses',
            provoke: provoke({ at: 'connect', reply: '421 4.3.2 later' }),
            promised: 'retry',
            unreached: true,
          },
          {
            name: 'a drop at MAIL',
            provoke: provoke({ at: 'mail', action: 'drop' }),
            promised: 'retry',
            unreached: false,
          },
          {
            name: 'a stall at DATA',
            provoke: provoke({ at: 'data', action: 'stall' }),
            promised: 'retry',
            silent: true,
          },
          {
            name: 'a drop in the body',
            provoke: provoke({ at: 'body', action: 'drop' }),
            promised: 'uncertain',
          },
          {
            name: 'no last word',
            provoke: provoke({ at: 'dot', action: 'stall' }),
            promised: 'uncertain',
            silent: true,
          },
          {
            name: 'no such user',
            provoke: provoke({ at: 'rcpt', reply: '550 5.1.1 no such user' }),
            promised: 'rejected',
            reason: 'bad_address',
          },
          {
            name: 'greylisting',
            provoke: provoke({ at: 'rcpt', reply: '450 4.2.0 later' }),
            promised: 'retry',
            unreached: false,
          },
          {
            name: 'a spam filter',
            provoke: provoke({ at: 'dot', reply: '554 5.7.1 spam' }),
            promised: 'rejected',
            reason: 'content',
          },
        ],
        heal: () => server.faults.clear(),
        taken: () => server.messages.map((mail) => mail.header('X-Winback-Touchpoint') ?? ''),
        attempts: () => server.commands.filter((line) => /^MAIL /i.test(line)).length,
        peak: () => server.peak.connections,
        stop: server.stop,
      }
    },
  },
  { describe, it },
)

describeChannel(
  'log',
  {
    module: log,
    reachable: [li, { ...li, email: null }],
    unreachable: [],
    view,
    price: 20_000,
    open: () =>
      Promise.resolve({
        channel: openLog(logSettings.parse({ price: '0.02' })),
        faults: [],
        heal: () => {},
        stop: () => {},
      }),
  },
  { describe, it },
)

describe('openChannels', () => {
  it('opens what the workspace has a block for', async () => {
    const open = openChannels(
      registerChannels({ channels: { log: logSettings.parse({}), email: undefined } }),
    )
    expect([...open.keys()]).toEqual(['log'])
    await Promise.all([...open.values()].map((channel) => channel.close()))
  })
  it('describes every channel there is, by the name it is registered under', () => {
    const known = registerChannels({ channels: {} })
    expect([...known.keys()]).toEqual(Object.keys(channels))
    for (const [name, module] of Object.entries(channels)) {
      const { address, renders, idempotent } = module
      expect(known.get(name)).toMatchObject({ name, address, renders, idempotent })
    }
  })
  it('knows what people call a provider of one’s own', () => {
    const settings = { url: 'https://x.example', secret: 'of sixteen letters', title: { 'zh-CN': '微信' } }
    const registry = registerChannels({ channels: { webhook: webhookSettings.parse(settings) } })
    expect(registry.get('webhook')).toMatchObject({ title: { 'zh-CN': '微信' } })
    expect(registry.get('email')).not.toHaveProperty('title')
  })
  it('says which setting cannot be used', () => {
    const smtp = { host: 'localhost' }
    const open = (settings: object) =>
      openChannels(registerChannels({ channels: { email: emailSettings.parse(settings) } }))
    expect(() => open({ from: 'nobody', smtp })).toThrow(/expected one address, with or without a name/)
    const unchecked = { ...emailSettings.parse({ from: 'a@shop.example', smtp }), from: 'nobody' }
    expect(() => openChannels(registerChannels({ channels: { email: unchecked } }))).toThrow(
      /channels.email.from: `nobody` is no sender/,
    )
    const dkim = { domain: 'shop.example', selector: 's', private_key: 'not a key' }
    expect(() => open({ from: 'a@shop.example', smtp, dkim })).toThrow(/expected a private key in PEM/)
    const unread = { ...unchecked, from: 'a@shop.example', dkim }
    expect(() => openChannels(registerChannels({ channels: { email: unread } }))).toThrow(
      /dkim.private_key cannot be read/,
    )
  })
  it('counts and charges on log', async () => {
    const channel = openLog(logSettings.parse({ price: '0.02' }))
    expect(channel.cost(null)).toBe(20_000)
    await channel.send({ contactId: 1, touchpointId: 1, key: 'k', address: 'nowhere', content: null })
    expect(await channel.check()).toBe('delivers nowhere; counted 1 since it was opened')
  })
})

it('reads when to come back, as a request of Node.js or of fetch was answered', () => {
  const now = new Date('2026-03-02T08:00:00Z')
  for (const headers of [
    (value: string) => ({ 'retry-after': value }),
    (value: string) => new Headers({ 'Retry-After': value }),
  ]) {
    expect(retryAfter(headers('7'), now)).toBe(7)
    expect(retryAfter(headers('Mon, 02 Mar 2026 08:01:00 GMT'), now)).toBe(60)
    for (const nonsense of ['soon', '-5', '0', '', '5, 7']) {
      expect(retryAfter(headers(nonsense), now)).toBeUndefined()
    }
    for (const far of ['99999999999999999999', 'Fri, 31 Dec 9999 23:59:59 GMT']) {
      expect(retryAfter(headers(far), now)).toBe(21_600)
    }
  }
  expect(retryAfter({}, now)).toBeUndefined()
  expect(retryAfter(new Headers(), now)).toBeUndefined()
})
