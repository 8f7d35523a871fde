import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readReturned } from '../../../src/channels/email/bounce.ts'
import { referenceOf } from '../../../src/channels/reference.ts'
import { signAddress } from '../../../src/tokens/address.ts'
import { signingKey } from '../../../src/tokens/token.ts'

const key = signingKey(1, randomBytes(32))
const keys = { current: key, verifying: new Map([[1, key]]) }
const message = { contactId: 12, touchpointId: 345 }
const now = new Date('2026-11-27T00:00:00Z')
const to = (mailbox: 'bounce' | 'unsubscribe') =>
  `${mailbox}+${signAddress(keys, mailbox, referenceOf(message))}@shop.example`
const read = (text: string | Uint8Array, recipients?: string[]) =>
  readReturned(typeof text === 'string' ? Buffer.from(text.replaceAll('\n', '\r\n')) : text, {
    keys,
    now,
    ...(recipients ? { recipients } : {}),
  })

/** As Postfix writes them: RFC 3464 with one recipient. */
const notification = (fields: string, address = to('bounce')) => `Return-Path: <>
From: MAILER-DAEMON@mx.example (Mail Delivery System)
To: ${address}
Subject: Undelivered Mail Returned to Sender
Message-Id: <abc@mx.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

--B
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--B
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example
Arrival-Date: Fri, 27 Nov 2026 00:00:00 +0000

Final-Recipient: rfc822; li@gone.example
${fields}

--B
Content-Description: Undelivered Message
Content-Type: message/rfc822

From: hello@shop.example
Subject: Hello
Action: failed

Body

--B--
`

describe('a notification', () => {
  it.for([
    ['Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no such user', 'hard_bounce'],
    ['Action: failed\nStatus: 5.2.1\nDiagnostic-Code: smtp; 550 5.2.1 disabled', 'hard_bounce'],
    // A blocklist, a broken DMARC record, the size, a loop, the sender: nothing about the address.
    ['Action: failed\nStatus: 5.7.1', 'soft_bounce'],
    ['Action: failed\nStatus: 5.7.26\nDiagnostic-Code: smtp; 550 5.7.26 DMARC', 'soft_bounce'],
    ['Action: failed\nStatus: 5.3.4', 'soft_bounce'],
    ['Action: failed\nStatus: 5.4.6', 'soft_bounce'],
    ['Action: failed\nStatus: 5.1.8', 'soft_bounce'],
    // Servers that give no enhanced code: Postfix writes 5.0.0, others nothing.
    ['Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 User unknown', 'hard_bounce'],
    ['Action: failed\nDiagnostic-Code: smtp; 550 No such user here', 'hard_bounce'],
    ['Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550-5.7.1 blocked', 'soft_bounce'],
    ['Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 looks like spam', 'soft_bounce'],
    ['Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 554 the user is unknown', 'soft_bounce'],
    ['Action: failed\nDiagnostic-Code: smtp; 450 No such user here', 'soft_bounce'],
    // Tencent, NetEase, Yahoo, Microsoft.
    [
      'Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 Mailbox not found. http://x.example',
      'hard_bounce',
    ],
    [
      'Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 User not found: li@gone.example',
      'hard_bounce',
    ],
    [
      'Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 RC:NE The email account does not exist',
      'hard_bounce',
    ],
    [
      "Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 554 delivery error: dd This user doesn't have a yahoo.com account",
      'hard_bounce',
    ],
    [
      'Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 554 30 Sorry, your message to li@gone.example cannot be\n delivered. This mailbox is disabled (554.30).',
      'hard_bounce',
    ],
    [
      'Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 554 delivery error: dd Sorry, this account is over quota',
      'soft_bounce',
    ],
    [
      'Action: failed\nStatus: 5.4.1\nDiagnostic-Code: smtp; 550 5.4.1 Recipient address rejected: Access denied',
      'hard_bounce',
    ],
    // Tencent, Cisco, Coremail and Exim of nobody, in words of their own.
    ...[
      '550 The recipient may contain a non-existent account, please check the recipient address.',
      '550 RC:LD The email account that you tried to reach does no exists.',
      '550 #5.1.0 Address rejected.',
      '550 5.1.0 Domain gone.example does not accept mail (nullMX)',
      '550 #2175041 unavailable mail user',
      '550 Unrouteable address',
      '511 sorry, no mailbox here by that name (#5.1.1 - chkuser)',
    ].map(
      (said) => [`Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; ${said}`, 'hard_bounce'] as const,
    ),
    // Of our account's day, of the sender, of what a message says, of somebody who gets much mail.
    ...[
      "5.1.90 Your message can't be sent because you've reached your daily limit for message recipients",
      '5.1.20 Multiple From addresses are not allowed without Sender address',
      '5.1.0 Sender denied',
      '5.1.0 <bounce@shop.example> sender rejected. AUP#CDRBL',
      '5.1.0 Authentication required',
      '5.2.1 Content Filter agent quarantined this message',
      '5.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages',
      '5.2.121 Recipient’s per hour message receive limit from specific sender exceeded',
    ].map(
      (said) =>
        [
          `Action: failed\nStatus: ${said.split(' ')[0]}\nDiagnostic-Code: smtp; 550 ${said}`,
          'soft_bounce',
        ] as const,
    ),
    // Of the sender, whom a server looked up: the first two as Exim's, the reason among its lines.
    ...[
      '550-Verification failed for <bounce@shop.example> 550-Unrouteable address 550 Sender verify failed',
      '550-Verification failed for <bounce@shop.example> 550-Called: 192.0.2.1 550-Sent: RCPT TO:<bounce@shop.example> 550-Response: 550 sorry, no mailbox here by that name (#5.1.1) 550 Sender verify failed',
      '550 <bounce@shop.example>: Sender address rejected: User unknown in virtual alias table',
      '550 Sender domain does not exist',
      "550 The sender's domain does not exist",
    ].map(
      (said) => [`Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; ${said}`, 'soft_bounce'] as const,
    ),
    ['Action: failed\nStatus: 5.2.2\nDiagnostic-Code: smtp; 552 5.2.2 mailbox\n  full', 'soft_bounce'],
    ['Action: failed\nStatus: 4.4.1', 'soft_bounce'],
    ['action: FAILED\nstatus: 5.1.10', 'hard_bounce'],
    ['Action: delivered\nStatus: 2.0.0', 'delivered'],
    ['Action: relayed\nStatus: 2.0.0', 'delivered'],
  ] as const)('%s → %s', async ([fields, kind]) => {
    expect(await read(notification(fields))).toMatchObject({
      outcome: 'events',
      events: [{ ...message, kind, eventId: 'mail <abc@mx.example>', at: now }],
    })
  })

  it.for([
    ['Status: 5.7.1', true],
    ['Status: 4.7.28\nDiagnostic-Code: smtp; 421-4.7.28 unusual rate of mail from your IP', true],
    ['Status: 5.7.26\nDiagnostic-Code: smtp; 550 5.7.26 DMARC', true],
    ['Status: 5.6.0', true],
    ['Status: 5.3.4', true],
    ['Status: 5.1.8', true],
    ['Status: 4.2.1\nDiagnostic-Code: smtp; 450 4.2.1 greylisted', true],
    ['Status: 5.0.0\nDiagnostic-Code: smtp; 550 Mail content denied', true],
    ['Status: 5.0.0\nDiagnostic-Code: smtp; 550 Ip frequency limited', true],
    ['Status: 5.0.0\nDiagnostic-Code: smtp; 550 Sender verify failed', true],
    // Of where it went, a host that is away or a mailbox that is full, and what says nothing.
    ['Status: 5.2.2\nDiagnostic-Code: smtp; 552 5.2.2 mailbox full', false],
    ['Status: 4.4.1', false],
    ['Status: 5.4.4\nDiagnostic-Code: X-Postfix; Host or domain name not found', false],
    ['Status: 4.3.2', false],
    ['Status: 5.0.0\nDiagnostic-Code: smtp; 554 delivery error: dd Sorry, this account is over quota', false],
  ] as const)('tells a passing failure of ours from one of the address: %s → %s', async ([fields, ours]) => {
    const told = await read(notification(`Action: failed\n${fields}`))
    expect(told).toMatchObject({ outcome: 'events', events: [{ kind: 'soft_bounce' }] })
    expect(told.outcome === 'events' && told.events[0]?.ours === true).toBe(ours)
  })

  // What is for machines says 5.0.0 of all of these, and no more: OpenSMTPD, then Exim.
  it.for([
    ['    li@gone.example: 550 5.1.1 no such user', 'hard_bounce'],
    ['    li@gone.example: 452 4.2.2 mailbox full', 'soft_bounce'],
    ['    li@gone.example: 550 5.7.1 blocked', 'soft_bounce'],
    ['  li@gone.example\n    Unrouteable address', 'hard_bounce'],
    ['  li@gone.example\n    retry timeout exceeded', 'soft_bounce'],
    ['  li@gone.example\n    all hosts for gone.example have been failing for a long time', 'soft_bounce'],
    [
      '  li@gone.example\n    Domain shop.example has exceeded the max emails per hour (125/100 (125%)) allowed. Message discarded.',
      'soft_bounce',
    ],
  ] as const)('that leaves the reason to people: %s → %s', async ([said, kind]) => {
    const mail = notification('Action: failed\nStatus: 5.0.0').replace(
      'not be delivered.\n',
      `not be delivered.\n\n${said}\n`,
    )
    expect(await read(mail)).toMatchObject({ outcome: 'events', events: [{ ...message, kind }] })
  })

  it('is read of mail to an address beyond ASCII, too', async () => {
    const mail = notification('Action: failed\nStatus: 5.1.1')
      .replace('report-type=delivery-status', 'report-type=global-delivery-status')
      .replace('message/delivery-status', 'message/global-delivery-status')
    expect(await read(mail)).toMatchObject({ outcome: 'events', events: [{ kind: 'hard_bounce' }] })
  })

  it('keeps the words of the server, unfolded', async () => {
    const said = await read(
      notification('Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550\n  gone away'),
    )
    expect(said).toMatchObject({ events: [{ detail: 'smtp; 550 gone away' }] })
  })

  it('settles nothing while the server is still trying, or says nothing of it', async () => {
    for (const fields of ['Action: delayed\nStatus: 4.4.7', 'Action: expanded', 'Status: 5.0.0']) {
      expect(await read(notification(fields)), fields).toMatchObject({ outcome: 'ignored' })
    }
  })

  it('is believed by its signed address alone', async () => {
    const fields = 'Action: failed\nStatus: 5.1.1'
    const forged = to('bounce').replace(/-(.)(?=@)?/, '-0')
    for (const address of ['bounce@shop.example', forged, to('bounce').replace('bounce+', 'bounce+x')]) {
      expect(await read(notification(fields, address)), address).toMatchObject({ outcome: 'refused' })
    }
    expect(await read(notification(fields, 'list@mx.example'), [to('bounce')])).toMatchObject({
      outcome: 'events',
    })
  })
})

describe('a notice of qmail', () => {
  const notice = (said: string) => `Return-Path: <>
From: MAILER-DAEMON@mx.example
To: ${to('bounce')}
Subject: failure notice
Message-Id: <abc@mx.example>

Hi. This is the qmail-send program at mx.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<li@gone.example>:
${said}

--- Below this line is a copy of the message.

Return-Path: <hello@shop.example>
Subject: Hello

<li@gone.example>:
Sorry, no mailbox here by that name. (#5.1.1)
`
  it.for([
    ['Sorry, no mailbox here by that name. vpopmail (#5.1.1)', 'hard_bounce'],
    ["Sorry, I couldn't find any host named gone.example. (#5.1.2)", 'hard_bounce'],
    [
      '58.251.110.111 does not like recipient.\nRemote host said: 550 Mailbox not found.\nGiving up on 58.251.110.111.',
      'hard_bounce',
    ],
    [
      '58.251.110.111 failed after I sent the message.\nRemote host said: 550 The recipient may contain a non-existent account',
      'hard_bounce',
    ],
    [
      '74.125.130.27 does not like recipient.\nRemote host said: 550-5.1.1 The email account that you tried to reach does not\n550 5.1.1 exist.',
      'hard_bounce',
    ],
    [
      '58.251.110.111 failed after I sent the message.\nRemote host said: 550 SPF check failed [MJyt IP: 59.110.30.68].',
      'soft_bounce',
    ],
    ["User disk quota exceeded. (#4.3.0)\nI'm not going to try again; it has been too long.", 'soft_bounce'],
    ['Remote host said: 450 4.2.1 greylisted\nI have tried for a week.', 'soft_bounce'],
    ['This message is looping: it already has my Delivered-To line. (#5.4.6)', 'soft_bounce'],
    ['Something is amiss.', 'soft_bounce'],
  ] as const)('%s → %s', async ([said, kind]) => {
    expect(await read(notice(said))).toMatchObject({
      outcome: 'events',
      events: [{ ...message, kind, eventId: 'mail <abc@mx.example>', at: now }],
    })
  })

  it('is no person’s answer that quotes one, nor one that names no recipient', async () => {
    const quoting = notice('Sorry. (#5.1.1)').replace('Hi. This', 'I got this:\n\nHi. This')
    const nobody = notice('Sorry. (#5.1.1)').replace('<li@gone.example>:\n', 'li:\n')
    for (const mail of [quoting, nobody]) expect(await read(mail)).toMatchObject({ outcome: 'ignored' })
  })
})

describe('other mail', () => {
  it('a complaint in the abuse reporting format', async () => {
    const report = (type: string) =>
      notification('')
        .replace('report-type=delivery-status', 'report-type=feedback-report')
        .replace(
          /Content-Type: message\/delivery-status[\s\S]*?--B/,
          `Content-Type: message/feedback-report\n\nFeedback-Type: ${type}\nUser-Agent: Loop/1.0\nVersion: 1\n\n--B`,
        )
    expect(await read(report('abuse'))).toMatchObject({ outcome: 'events', events: [{ kind: 'complaint' }] })
    expect(await read(report('not-spam'))).toMatchObject({ outcome: 'ignored' })
  })

  it('a complaint that was sent to a registered address, by the address the mail had come from', async () => {
    const report = (fields: string, quoted: string) =>
      notification('', 'complaints@shop.example')
        .replace('report-type=delivery-status', 'report-type=feedback-report')
        .replace(
          /Content-Type: message\/delivery-status[\s\S]*?--B/,
          `Content-Type: message/feedback-report\n\nFeedback-Type: abuse\n${fields}Version: 1\n\n--B`,
        )
        .replace('From: hello@shop.example\n', `${quoted}From: hello@shop.example\n`)
    const about = { outcome: 'events', events: [{ ...message, kind: 'complaint' }] }
    expect(await read(report(`Original-Mail-From: <${to('bounce')}>\n`, ''))).toMatchObject(about)
    expect(await read(report('', `Return-Path: <${to('bounce')}>\n`))).toMatchObject(about)
    const forged = to('bounce').replace('bounce+', 'bounce+x')
    const others = [report('', ''), report(`Original-Mail-From: <${forged}>\n`, '')]
    for (const mail of others) expect(await read(mail)).toMatchObject({ outcome: 'refused' })
    // A bounce is believed by where it was sent to alone.
    const bounced = notification('Action: failed\nStatus: 5.1.1', 'bounce@shop.example')
    const quoting = bounced.replace(
      'From: hello@shop.example\n',
      `Return-Path: <${to('bounce')}>\nFrom: hello@shop.example\n`,
    )
    expect(await read(quoting)).toMatchObject({ outcome: 'refused' })
  })

  it('a complaint in Microsoft’s own words, by who it says had sent the mail', async () => {
    const report = (
      sender: string,
      subject = 'complaint about message from 192.0.2.222',
    ) => `From: staff@hotmail.example
Subject:  ${subject}
To: complaints@shop.example
Message-Id: <abc@mx.example>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="B"

--B
Content-Type: message/rfc822
Content-Disposition: inline

X-HmXmrOriginalRecipient: <li@hotmail.example>
X-Reporter-IP: 192.0.2.22
Authentication-Results: hotmail.example; spf=pass (sender IP is 203.0.113.245)
 smtp.mailfrom=${sender}; dkim=pass header.d=shop.example
From: hello@shop.example
Subject: Hello

Body
--B--
`
    expect(await read(report(to('bounce')))).toMatchObject({
      outcome: 'events',
      events: [{ ...message, kind: 'complaint', eventId: 'mail <abc@mx.example>' }],
    })
    const forged = to('bounce').replace('bounce+', 'bounce+x')
    const plain = report(to('bounce')).replace('X-HmXmrOriginalRecipient', 'X-Other')
    for (const mail of [report(forged), report(to('bounce'), 'Hello'), plain]) {
      expect(await read(mail)).toMatchObject({ outcome: 'refused' })
    }
  })

  it.each([
    ['ends of lines alone', '\n'.repeat(498_000)],
    ['tiny parts', '--b\n\n'.repeat(142_000)],
    ['one long line', 'x'.repeat(900_000)],
    [
      'blanks in a field',
      `--b\nContent-Type: message/feedback-report\n\nVersion:${' '.repeat(200_000)}\u2028`,
    ],
    [
      'blanks in quoted headers',
      `--b\nContent-Type: message/rfc822\n\nTo:${' '.repeat(90_000)}\u2028\n`.repeat(5),
    ],
  ])('within a test’s time, where it calls itself a complaint: %s', async (_what, rest) => {
    const mail = `Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n${rest}`
    expect(await read(mail)).toMatchObject({ outcome: 'refused' })
  })

  it('a wish to be left alone, by mail', async () => {
    const mail = `From: li@mail.example\nTo: ${to('unsubscribe')}\nSubject: unsubscribe\n\n\n`
    expect(await read(mail)).toMatchObject({ outcome: 'unsubscribe', message })
  })

  it('a person’s answer, and an out-of-office note', async () => {
    const mail = `From: li@mail.example\nTo: ${to('bounce')}\nSubject: Re: Hello\n\nThank you, but no.\n`
    expect(await read(mail)).toMatchObject({ outcome: 'ignored' })
  })

  it('anything at all: it never throws, and never makes an event without a signed address', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.uint8Array({ maxLength: 2_000 }), fc.string({ maxLength: 2_000 })),
        async (bytes) => {
          expect((await read(bytes)).outcome).toBe('refused')
        },
      ),
    )
    const whole = notification('Action: failed\nStatus: 5.1.1')
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length), fc.nat(200), fc.string(), async (at, length, noise) => {
        const cut = whole.slice(0, at) + noise + whole.slice(at + length)
        expect(['events', 'ignored', 'refused', 'unsubscribe']).toContain((await read(cut)).outcome)
      }),
    )
  })

  // Each took from a quarter of a minute to most of an hour, in which the process answered nobody.
  it.each([
    ['one long word for an address', `To: ${'a'.repeat(90_000)}\n\nHello\n`],
    ['many parts', `Content-Type: multipart/mixed; boundary=b\n\n${'--b\n'.repeat(190_000)}`],
    ['headers without end', `To: ${'a'.repeat(900_000)}\n\nHello\n`],
    ['groups of addresses', `From: ${':'.repeat(900_000)}\n\nHello\n`],
  ])('within a test’s time, where it is no mail to us: %s', async (_what, mail) => {
    expect(await read(mail)).toMatchObject({ outcome: 'refused' })
  })

  it.each([
    ['ends of lines alone', `Content-Type: text/plain\n\n${'\n'.repeat(498_000)}`],
    ['tiny parts', `Content-Type: multipart/mixed; boundary=b\n\n${'--b\n\n'.repeat(142_000)}`],
    ['a report of ends of lines', notification(`Action: delayed\n${'\n'.repeat(490_000)}`)],
  ])('within a test’s time, where it comes by an address of ours: %s', async (_what, mail) => {
    expect(await read(mail, [to('bounce')])).toMatchObject({ outcome: 'ignored' })
  })

  it('what a notification says, however many lines the mail has that it quotes', async () => {
    const whole = notification('Action: failed\nStatus: 5.1.1')
    const long = whole.replace('\nBody\n', `\n${'Body\n'.repeat(100_000)}`)
    expect(await read(long)).toMatchObject({ outcome: 'events', events: [{ kind: 'hard_bounce' }] })
  })

  it('nothing longer than a megabyte', async () => {
    expect(await read(Buffer.alloc(1_000_001, 'a'))).toMatchObject({ outcome: 'refused' })
  })
})
