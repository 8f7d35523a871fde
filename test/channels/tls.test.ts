import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'
import { afterEach, describe, expect, it } from 'vitest'
import type { Delivery } from '../../src/channels/channel.ts'
import { openEmail } from '../../src/channels/email/email.ts'
import { emailSettings } from '../../src/channels/email/settings.ts'
import { webhookSettings } from '../../src/channels/webhook/settings.ts'
import { openWebhook } from '../../src/channels/webhook/webhook.ts'
import { EXPIRED, KEY, SELF_SIGNED } from '../support/certificates.ts'
import { startTrouble, type Trouble } from '../support/tls.ts'

// Whatever is wrong with a provider's TLS is wrong with our connection: no message is refused for it, nobody's address is
// taken for dead, and nothing of the message has left.

const TROUBLES: readonly Trouble[] = ['self', 'expired', 'old', 'plain', 'gone']
const WORDS: Record<Trouble, RegExp> = {
  self: /self-signed certificate/,
  expired: /certificate has expired/,
  old: /TLS: .*protocol version/,
  plain: /TLS: wrong version number/,
  gone: /closed unexpectedly|disconnected before|Reached maximum|hang up|ECONNRESET/,
}

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

async function trouble(kind: Trouble): Promise<number> {
  const { port, stop } = await startTrouble(kind)
  stops.push(stop)
  return port
}

describe.for(TROUBLES)('a provider whose TLS is %s', (kind) => {
  it('puts off an e-mail', async () => {
    const smtp = { host: '127.0.0.1', port: await trouble(kind), secure: true }
    const channel = openEmail(emailSettings.parse({ from: 'a@shop.example', smtp, price: '0' }))
    const content = { subject: 'Hello', fromName: undefined, html: '<p>Hello</p>', text: 'Hello' }
    const delivery: Delivery = await channel.send({
      ...{ contactId: 1, touchpointId: 1, key: 'tp-1', address: 'li@mail.example' },
      content,
    })
    await channel.close()
    expect(delivery).toEqual({
      ...{ outcome: 'retry', unsent: true, unreached: true },
      detail: expect.stringMatching(WORDS[kind]),
    })
  })

  it('puts off a webhook, of which nothing was sent', async () => {
    const settings = webhookSettings.parse({
      url: `https://127.0.0.1:${await trouble(kind)}/`,
      secret: 's'.repeat(32),
      allow_private: ['127.0.0.1'],
      price: '0',
    })
    const channel = openWebhook(settings)
    const delivery = await channel.send({
      ...{ contactId: 1, touchpointId: 1, key: 'tp-1' },
      address: { external_id: 'a', locale: 'en', timezone: 'UTC' },
      content: { template: 'hello', front: {}, text: 'Hello', html: '<p>Hello</p>' },
    })
    await channel.close()
    expect(delivery).toEqual({
      outcome: 'retry',
      unsent: true,
      unreached: true,
      detail: expect.stringMatching(WORDS[kind]),
    })
  })
})

describe.for([
  ['self', SELF_SIGNED],
  ['expired', EXPIRED],
] as const)('a mail server that encrypts once it is asked, with a certificate that is %s', ([kind, cert]) => {
  it('is told of in the words of the certificate', async () => {
    const server = new SMTPServer({ key: KEY, cert, authOptional: true })
    server.on('error', () => {})
    server.listen(0, '127.0.0.1')
    await once(server.server, 'listening')
    stops.push(() => new Promise((resolve) => server.close(() => resolve())))
    const { port } = server.server.address() as AddressInfo
    const smtp = { host: '127.0.0.1', port }
    const channel = openEmail(emailSettings.parse({ from: 'a@shop.example', smtp, price: '0' }))
    stops.push(() => channel.close())
    await expect(channel.check()).rejects.toThrow(WORDS[kind])
    const content = { subject: 'Hello', fromName: undefined, html: '<p>Hello</p>', text: 'Hello' }
    expect(
      await channel.send({
        ...{ contactId: 1, touchpointId: 1, key: 'tp-1', address: 'li@mail.example' },
        content,
      }),
    ).toEqual({
      ...{ outcome: 'retry', unsent: true, unreached: true },
      detail: expect.stringMatching(WORDS[kind]),
    })
  })
})
