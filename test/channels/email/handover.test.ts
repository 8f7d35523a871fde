import { createServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { Channel, Delivery } from '../../../src/channels/channel.ts'
import { openEmail } from '../../../src/channels/email/email.ts'
import { classify } from '../../../src/channels/email/handover.ts'
import type { EmailContent } from '../../../src/channels/email/message.ts'
import { emailSettings, mustEncrypt } from '../../../src/channels/email/settings.ts'
import { type CaptureServer, type Fault, startSmtp } from '../../support/smtp.ts'
import { startRawSmtp } from '../../support/smtp-raw.ts'

/** A server that answers is waited for, however busy the machine is. */
const PATIENT = { connect: 20_000, greeting: 20_000, socket: 20_000, deadline: 20_000 }
/** Short enough that a stalled server does not make a stalled test. */
const HASTY = { connect: 300, greeting: 300, socket: 300, deadline: 1_000 }
/** The same where the message has to have arrived before the silence. */
const STEADY = { connect: 2_000, greeting: 2_000, socket: 1_000, deadline: 20_000 }

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()))
})

function open(
  server: { port: number },
  smtp: Record<string, unknown> = {},
  timing = PATIENT,
): Channel<string, EmailContent> {
  const settings = emailSettings.parse({
    from: 'Shop <hello@shop.example>',
    smtp: { host: '127.0.0.1', port: server.port, connections: 2, ...smtp },
  })
  const channel = openEmail(settings, timing)
  stops.push(() => channel.close())
  return channel
}

async function raw(options: Parameters<typeof startRawSmtp>[0] = {}) {
  const server = await startRawSmtp(options)
  stops.push(server.stop)
  return server
}

const content: EmailContent = {
  subject: 'Hello',
  fromName: undefined,
  html: `<p>${'A long enough text. '.repeat(2_000)}</p>`,
  text: 'Hello',
}

function send(channel: Channel<string, EmailContent>, address = 'li@mail.example'): Promise<Delivery> {
  return channel.send({ contactId: 1, touchpointId: 1, address, content, key: 'tp-1' })
}

function brief(delivery: Delivery): string {
  return delivery.outcome === 'rejected' ? `rejected ${delivery.reason}` : delivery.outcome
}

describe('a reply decides', () => {
  const replies: [Fault, string][] = [
    [{ at: 'connect', reply: '421 4.3.2 too busy' }, 'retry'],
    [{ at: 'connect', reply: '554 5.7.1 you are not welcome here' }, 'retry'],
    [{ at: 'ehlo', reply: '550 5.7.1 no' }, 'retry'],
    [{ at: 'mail', reply: '451 4.7.1 later' }, 'retry'],
    [{ at: 'mail', reply: '421 4.7.0 closing' }, 'retry'],
    [{ at: 'mail', reply: '530 5.7.0 authenticate first' }, 'retry'],
    // The sender is the same of all: each would be refused for good, until somebody has mended it.
    [{ at: 'mail', reply: '550 5.7.1 sender not allowed' }, 'retry'],
    [{ at: 'mail', reply: '553 5.7.1 <hello@shop.example>: Sender address rejected' }, 'retry'],
    [{ at: 'mail', reply: '552 5.3.4 too big' }, 'rejected refused'],
    [{ at: 'mail', reply: '555 5.5.4 Unsupported option: SMTPUTF8' }, 'rejected refused'],
    [{ at: 'rcpt', reply: '450 4.2.1 greylisted, try again in 300 seconds' }, 'retry'],
    [{ at: 'rcpt', reply: '421 4.7.0 closing' }, 'retry'],
    [{ at: 'rcpt', reply: '550 5.1.1 no such user' }, 'rejected bad_address'],
    [{ at: 'rcpt', reply: '550 no such user' }, 'rejected bad_address'],
    [{ at: 'rcpt', reply: '553 5.1.3 bad syntax' }, 'rejected bad_address'],
    [{ at: 'rcpt', reply: '551 5.1.6 moved' }, 'rejected bad_address'],
    [{ at: 'rcpt', reply: '550 5.1.8 bad sender domain' }, 'rejected refused'],
    [{ at: 'rcpt', reply: '550 5.7.1 blocked' }, 'rejected refused'],
    [{ at: 'rcpt', reply: '550 5.2.1 mailbox disabled' }, 'rejected bad_address'],
    [{ at: 'rcpt', reply: '552 5.3.4 too big' }, 'rejected refused'],
    [{ at: 'rcpt', reply: '552 5.2.2 mailbox full' }, 'rejected refused'],
    // Exim, qmail, a blocklist, Tencent: to the recipient, and about whoever asks. All would have been nobody.
    [{ at: 'rcpt', reply: '550 relay not permitted' }, 'retry'],
    [{ at: 'rcpt', reply: '554 5.7.1 <li@mail.example>: Relay access denied' }, 'retry'],
    [{ at: 'rcpt', reply: "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)" }, 'retry'],
    [{ at: 'rcpt', reply: '550 blocked using zen.example, see https://zen.example' }, 'rejected refused'],
    [{ at: 'rcpt', reply: '550 Connection frequency limited' }, 'rejected refused'],
    [{ at: 'rcpt', reply: '550 sorry, no mailbox here by that name (#5.1.1)' }, 'rejected bad_address'],
    [{ at: 'rcpt', reply: '550 Unrouteable address' }, 'rejected bad_address'],
    // Microsoft 365, Outlook.com and Yahoo of somebody who is not there.
    [
      { at: 'rcpt', reply: '550 5.4.1 Recipient address rejected: Access denied. AS(201806281)' },
      'rejected bad_address',
    ],
    [
      { at: 'rcpt', reply: '550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).' },
      'rejected bad_address',
    ],
    [{ at: 'rcpt', reply: '550 5.4.1 All recipient addresses rejected' }, 'rejected refused'],
    [{ at: 'data', reply: '451 4.3.0 later' }, 'retry'],
    [{ at: 'data', reply: '554 5.7.1 no' }, 'rejected refused'],
    [{ at: 'body', reply: '451 4.3.0 out of disk' }, 'retry'],
    [{ at: 'dot', reply: '451 4.7.1 try later' }, 'retry'],
    [{ at: 'dot', reply: '421 4.3.2 shutting down' }, 'retry'],
    [{ at: 'dot', reply: '554 5.7.1 looks like spam' }, 'rejected content'],
    [
      {
        at: 'dot',
        reply: '554 Message rejected: Email address is not verified. The following failed: hello@x',
      },
      'retry',
    ],
    [{ at: 'dot', reply: '554 Message rejected: Sending paused for this account.' }, 'retry'],
    [{ at: 'dot', reply: '550 The from address does not match a verified Sender Identity.' }, 'retry'],
    [
      {
        at: 'dot',
        reply:
          "554 Access denied: User `arn:aws:iam::1:user/a' is not authorized to perform `ses:SendRawEmail' on b",
      },
      'retry',
    ],
    [{ at: 'dot', reply: '554 5.2.252 SendAsDenied; a@x not allowed to send as hello@x' }, 'retry'],
    [
      { at: 'dot', reply: '550 5.7.60 SMTP; Client does not have permissions to send as this sender' },
      'retry',
    ],
    // What we may send in a day is used up: Gmail, its relay, Microsoft 365.
    [{ at: 'rcpt', reply: '550 5.4.5 Daily user sending limit exceeded. For more, visit' }, 'retry'],
    [{ at: 'dot', reply: '550 5.4.5 Daily user sending quota exceeded.' }, 'retry'],
    [{ at: 'dot', reply: '550 5.7.1 Daily SMTP relay sending limit exceeded for customer.' }, 'retry'],
    [
      { at: 'rcpt', reply: "550 5.1.90 Your message can't be sent because you've reached your daily limit" },
      'retry',
    ],
    [
      {
        at: 'dot',
        reply: '554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed',
      },
      'retry',
    ],
    [
      { at: 'rcpt', reply: '550 5.2.121 Recipient’s per hour message receive limit exceeded' },
      'rejected refused',
    ],
    // Tencent says so once it has read the message.
    [{ at: 'dot', reply: '550 The recipient may contain a non-existent account' }, 'rejected bad_address'],
    // Exchange and Gmail of the sender, of what a message says, and of somebody who gets much mail.
    [{ at: 'rcpt', reply: '550 5.1.0 Sender denied' }, 'rejected refused'],
    // Exim of the sender, whom it looked up.
    [
      {
        at: 'rcpt',
        reply:
          '550-Verification failed for <bounce@shop.example>\r\n550-No Such User Here\r\n550 Sender verify failed',
      },
      'rejected refused',
    ],
    [{ at: 'dot', reply: '550 5.2.1 Content Filter agent quarantined this message' }, 'rejected refused'],
    [
      { at: 'rcpt', reply: '550 5.2.1 The user you are trying to contact is receiving mail at a rate that' },
      'rejected refused',
    ],
    [{ at: 'dot', reply: '552 5.3.4 too big' }, 'rejected content'],
    [{ at: 'dot', reply: '550 5.1.1 no such user' }, 'rejected bad_address'],
    [{ at: 'dot', reply: '550 no such user' }, 'rejected bad_address'],
    [{ at: 'dot', reply: '550 looks like spam' }, 'rejected content'],
    [{ at: 'dot', reply: '552 5.2.2 mailbox full' }, 'rejected refused'],
    // No refusal, and no answer to what was asked.
    [{ at: 'mail', reply: 'hello, who is there' }, 'retry'],
    [{ at: 'rcpt', reply: '354 go ahead' }, 'retry'],
    [{ at: 'rcpt', reply: 'HTTP/1.1 400 Bad Request' }, 'retry'],
    [{ at: 'dot', reply: '354 go ahead' }, 'uncertain'],
    [{ at: 'dot', reply: 'fine' }, 'uncertain'],
  ]
  for (const pipelining of [true, false]) {
    it.for(replies)(`${pipelining ? 'pipelined' : 'one by one'}: %j → %s`, async ([fault, outcome]) => {
      const server = await raw({ faults: [fault], pipelining })
      expect(brief(await send(open(server)))).toBe(outcome)
      expect(server.messages).toHaveLength(0)
    })
  }

  it.for([
    [{ at: 'mail', reply: '451 4.7.1 later' }, true],
    [{ at: 'mail', reply: '550 5.7.1 sender not allowed' }, true],
    [{ at: 'rcpt', reply: '550 relay not permitted' }, true],
    [{ at: 'rcpt', reply: '550 5.4.5 Daily user sending limit exceeded.' }, true],
    [{ at: 'dot', reply: '554 Message rejected: Sending paused for this account.' }, true],
    [{ at: 'mail', reply: '452 4.3.1 insufficient system storage' }, true],
    [{ at: 'rcpt', reply: '421 4.7.0 closing' }, true],
    [{ at: 'rcpt', reply: '451 4.3.0 temporary lookup failure' }, true],
    [{ at: 'dot', reply: '454 Throttling failure: Daily message quota exceeded.' }, true],
    [{ at: 'dot', reply: '451 4.3.0 queue file write error' }, true],
    // Of whom it is for, or of what it says.
    [{ at: 'rcpt', reply: '450 4.2.1 greylisted, try again in 300 seconds' }, false],
    [{ at: 'rcpt', reply: '450 greylisted' }, false],
    [{ at: 'rcpt', reply: '452 4.2.2 mailbox full' }, false],
    [{ at: 'dot', reply: '451 4.7.1 try later' }, false],
  ] as [Fault, boolean][])('%j: from nobody → %s', async ([fault, none]) => {
    const server = await raw({ faults: [fault] })
    const delivery = await send(open(server))
    expect(delivery).toMatchObject({ outcome: 'retry' })
    expect('takesNone' in delivery).toBe(none)
  })

  it('gives the wait that a reply names', async () => {
    const server = await raw({
      faults: [{ at: 'rcpt', reply: '450 4.2.0 Greylisted, try again in 5 minutes' }],
    })
    expect(await send(open(server))).toMatchObject({ outcome: 'retry', after: 300 })
  })

  it('sends what is taken, with the message id and the reply', async () => {
    const server = await raw()
    expect(await send(open(server))).toEqual({
      outcome: 'sent',
      providerId: '<tp-1.wb-1-1@shop.example>',
      detail: '250 2.0.0 taken as raw',
    })
    expect(server.messages).toHaveLength(1)
  })

  it('keeps its connection after a refusal', async () => {
    const server = await raw({ faults: [{ at: 'rcpt', to: 'gone@mail.example', reply: '550 5.1.1 gone' }] })
    const channel = open(server, { connections: 1 })
    expect(brief(await send(channel, 'gone@mail.example'))).toBe('rejected bad_address')
    expect(brief(await send(channel, 'li@mail.example'))).toBe('sent')
    expect(server.commands.filter((line) => line.startsWith('EHLO'))).toHaveLength(1)
  })
})

/** Of a server that was not reached, or let us in no further. */
const AWAY = { outcome: 'retry', unsent: true, unreached: true }

describe('without a reply, the body decides', () => {
  const before = ['connect', 'ehlo', 'mail', 'rcpt', 'data'] as const
  const after = ['body', 'dot'] as const
  for (const action of ['drop', 'stall'] as const) {
    for (const pipelining of [true, false]) {
      const how = `${action}, ${pipelining ? 'pipelined' : 'one by one'}`
      it.for(before)(`${how}, at %s: the body was not read → retry`, async (at) => {
        const server = await raw({ faults: [{ at, action }], pipelining })
        expect(brief(await send(open(server, {}, HASTY)))).toBe('retry')
        expect(server.messages).toHaveLength(0)
      })
      it.for(after)(`${how}, at %s: the body was read → uncertain`, async (at) => {
        const server = await raw({ faults: [{ at, action }], pipelining })
        expect(brief(await send(open(server, {}, STEADY)))).toBe('uncertain')
      })
    }
  }

  it('is uncertain of a message that the server kept without saying so', async () => {
    const server = await raw({ faults: [{ at: 'dot', action: 'drop', kept: true }] })
    expect(brief(await send(open(server)))).toBe('uncertain')
    expect(server.messages).toHaveLength(1)
  })

  it('does not take the signing of a message for its handover', async () => {
    const { privateKey } = await rsaKey()
    const server = await raw({ faults: [{ at: 'rcpt', action: 'drop' }] })
    const settings = emailSettings.parse({
      from: 'hello@shop.example',
      smtp: { host: '127.0.0.1', port: server.port },
      dkim: { domain: 'shop.example', selector: 's1', private_key: privateKey },
    })
    const channel = openEmail(settings, PATIENT)
    stops.push(() => channel.close())
    expect(brief(await send(channel))).toBe('retry')
  })

  it('asks over another connection, once for each, where an idle one had been cut', async () => {
    const server = await raw()
    const channel = open(server, { connections: 1 })
    expect(brief(await send(channel))).toBe('sent')
    server.faults.add({ at: 'mail', action: 'drop', times: 1 })
    expect(brief(await send(channel))).toBe('sent')
    expect(server.messages).toHaveLength(2)
    // Not without end.
    server.faults.add({ at: 'mail', action: 'drop' })
    expect(brief(await send(channel))).toBe('retry')
    expect(server.messages).toHaveLength(2)
  })

  it('asks again where the server has had enough of a connection, at once and not without end', async () => {
    const enough = '421 4.7.0 one message a connection'
    const server = await raw({ faults: [{ at: 'mail', reply: enough, times: 1 }] })
    const channel = open(server, { connections: 2 })
    // It has taken nothing yet, so it means us.
    expect(await send(channel)).toMatchObject({ outcome: 'retry', detail: enough })
    expect(brief(await send(channel))).toBe('sent')
    server.faults.add({ at: 'mail', reply: enough, times: 3 })
    expect(brief(await send(channel))).toBe('sent')
    server.faults.add({ at: 'mail', reply: enough })
    expect(await send(channel)).toMatchObject({ outcome: 'retry', detail: enough })
    expect(server.messages).toHaveLength(2)
  })

  it.for([true, false])('waits for the reply to the message itself, pipelining %s', async (pipelining) => {
    const server = await raw({ faults: [{ at: 'data', reply: '354 go ahead\r\n250 taken' }], pipelining })
    expect(await send(open(server))).toEqual({
      outcome: 'uncertain',
      detail: 'answered before it was sent: 250 taken',
    })
    expect(server.messages).toHaveLength(0)
  })

  it.for([true, false])(
    'is uncertain of what a reply too many stands before, pipelining %s',
    async (pipelining) => {
      const twice: Fault = { at: 'dot', reply: '250 taken\r\n250 and once more', times: 1, kept: true }
      const server = await raw({ faults: [twice], pipelining })
      const channel = open(server, { connections: 1 })
      const deliveries = await Promise.all([send(channel), send(channel)])
      expect(deliveries.map(brief)).toEqual(['sent', 'uncertain'])
      // The server took it all the same.
      await server.received(2)
    },
  )

  it('ends a send at its deadline though the server keeps the line alive', async () => {
    // One byte every 100 ms: no socket timeout ever notices.
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.write('220-')
      const drip = setInterval(() => socket.write('x'), 100)
      socket.once('close', () => clearInterval(drip))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    stops.push(() => new Promise((resolve) => server.close(() => resolve())))
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    const settings = emailSettings.parse({
      from: 'a@shop.example',
      smtp: { host: '127.0.0.1', port: address.port },
    })
    const channel = openEmail(settings, { ...PATIENT, deadline: 400 })
    stops.push(() => channel.close())
    const detail = 'no end within 400 ms'
    expect(await send(channel)).toEqual({ outcome: 'retry', detail, unsent: true, unreached: true })
  })

  it('ends a send at its deadline while the server thinks about the message', async () => {
    const server = await raw({ faults: [{ at: 'dot', action: 'stall' }] })
    const settings = emailSettings.parse({
      from: 'a@shop.example',
      smtp: { host: '127.0.0.1', port: server.port },
    })
    const channel = openEmail(settings, { connect: 5_000, greeting: 5_000, socket: 30_000, deadline: 400 })
    stops.push(() => channel.close())
    expect(await send(channel)).toEqual({ outcome: 'uncertain', detail: 'no end within 400 ms' })
  })

  // Nodemailer's parser was half a minute over it, and no timer came in time: not even the send's deadline.
  it.for(['connect', 'ehlo', 'rcpt'] as const)(
    'retries where %s is answered by ends of lines',
    async (at) => {
      const server = await raw({ faults: [{ at, reply: '\n'.repeat(200_000) }] })
      const detail = 'the server says much and answers nothing'
      const away = at === 'rcpt' ? {} : { unsent: true, unreached: true }
      expect(await send(open(server))).toEqual({ outcome: 'retry', detail, ...away })
    },
  )

  it('retries where nobody listens', async () => {
    const server = await raw()
    await server.stop()
    expect(await send(open(server))).toMatchObject({
      ...AWAY,
      detail: expect.stringMatching(/REFUSED/),
    })
  })

  it('retries where TLS fails, is refused or is not offered', async () => {
    const garbage = await raw({ extensions: ['STARTTLS'] })
    expect(await send(open(garbage, {}, HASTY))).toMatchObject(AWAY)
    const plain = await raw()
    expect(await send(open(plain, { require_tls: true }, HASTY))).toMatchObject(AWAY)
    expect(await send(open(plain, { secure: true }, HASTY))).toMatchObject(AWAY)
    expect(plain.messages).toHaveLength(0)
  })

  it.for([
    ['another machine, with a password', { host: 'mx.shop.example', user: 'shop' }, true],
    ['another machine, without one', { host: 'mx.shop.example' }, false],
    ['this machine', { host: '127.0.0.1', user: 'shop' }, false],
    ['as the settings say', { host: 'mx.shop.example', user: 'shop', require_tls: false }, false],
    ['as the settings say', { host: 'localhost', require_tls: true }, true],
  ] as const)('requires encryption: %s → %s', ([, smtp, expected]) => {
    expect(mustEncrypt(emailSettings.parse({ from: 'a@shop.example', smtp, price: '0' }).smtp)).toBe(expected)
  })

  it.for(['connect', 'ehlo'] as const)('was not reached where %s is refused', async (at) => {
    for (const reply of ['421 4.3.2 later', '554 5.7.1 your address is blocked']) {
      const server = await raw({ faults: [{ at, reply }] })
      expect(await send(open(server))).toMatchObject({ ...AWAY, detail: expect.stringContaining(reply) })
    }
  })

  it('was reached where it has heard whom a message is for, or from', async () => {
    for (const at of ['mail', 'rcpt', 'data'] as const) {
      const server = await raw({ faults: [{ at, reply: '451 4.3.0 later' }] })
      expect(await send(open(server))).not.toHaveProperty('unreached')
    }
  })

  it('says nothing of a server that others reach, where a message waits for a connection until its deadline', async () => {
    const server = await raw({ faults: [{ at: 'dot', action: 'stall' }] })
    const channel = open(server, { connections: 1 }, { ...PATIENT, deadline: 1_500 })
    const [first, second] = await Promise.all([send(channel), send(channel)])
    expect(brief(first)).toBe('uncertain')
    expect(second).toEqual({ outcome: 'retry', detail: 'no end within 1500 ms' })
    // Nor does the channel's own end.
    const closing = open(await raw({ faults: [{ at: 'connect', action: 'stall' }] }), {}, PATIENT)
    const late = send(closing)
    await closing.close()
    const said = await late
    expect(said).toMatchObject({ outcome: 'retry', unsent: true })
    expect(said).not.toHaveProperty('unreached')
  })

  it('gives no password to a server that has lost its STARTTLS on the way, and says so', async () => {
    const server = await raw({ extensions: ['AUTH PLAIN LOGIN'] })
    const channel = open(server, { require_tls: true, user: 'shop', password: 'secret' })
    expect(brief(await send(channel))).toBe('retry')
    await expect(channel.check()).rejects.toMatchObject({
      message: expect.stringContaining('STARTTLS'),
      remedy: expect.stringContaining('587'),
    })
    expect(server.commands.filter((line) => /^(AUTH|MAIL)/.test(line))).toEqual([])
  })
})

describe('signing in', () => {
  let server: CaptureServer
  const start = async (faults: Fault[] = []) => {
    server = await startSmtp({ user: 'shop', password: 'right', faults })
    stops.push(server.stop)
  }

  it('sends with the right password', async () => {
    await start()
    expect(brief(await send(open(server, { user: 'shop', password: 'right' })))).toBe('sent')
  })
  it('retries with the wrong one: the settings are wrong, not the message', async () => {
    await start()
    const delivery = await send(open(server, { user: 'shop', password: 'wrong' }))
    expect(delivery).toMatchObject({ ...AWAY, detail: expect.stringMatching(/^535/) })
  })
  it('retries when the server fails to check it', async () => {
    await start([{ at: 'auth', reply: '454 4.7.0 Temporary authentication failure' }])
    expect(await send(open(server, { user: 'shop', password: 'right' }))).toMatchObject(AWAY)
  })
  it('checks the server in words, or says what is wrong', async () => {
    await start()
    expect(await open(server, { user: 'shop', password: 'right' }).check()).toBe(
      `127.0.0.1:${server.port} answers, NOT encrypted, signed in as shop, without DKIM signature, from hello@shop.example`,
    )
    await expect(open(server, { user: 'shop', password: 'wrong' }).check()).rejects.toThrow(/535/)
    const { port } = server
    await server.stop()
    await expect(open({ port }).check()).rejects.toThrow(/cannot be used: .*REFUSED/)
  })
})

describe('classify', () => {
  it('counts a code of success inside an error as no reply', () => {
    const failure = {
      message: 'Unexpected Response',
      code: 'EPROTOCOL',
      responseCode: 250,
      response: '250 ok',
    }
    expect(classify({ taken: false, failure, bodyRead: true }).outcome).toBe('uncertain')
    expect(classify({ taken: false, failure, bodyRead: false }).outcome).toBe('retry')
  })
  it('rejects what is refused on this side', () => {
    const tooBig = { message: 'Message size larger than allowed 10', code: 'EMESSAGE', command: 'MAIL FROM' }
    expect(classify({ taken: false, failure: tooBig, bodyRead: false })).toMatchObject({ reason: 'content' })
  })
})

async function rsaKey(): Promise<{ privateKey: string }> {
  const { generateKeyPairSync } = await import('node:crypto')
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
  return { privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}
