import { execFileSync } from 'node:child_process'
import { createPrivateKey, createSign, generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Receipts, RefusedWebhook } from '../../../src/channels/channel.ts'
import { openEmail } from '../../../src/channels/email/email.ts'
import { emailSettings } from '../../../src/channels/email/settings.ts'

// What Amazon and SendGrid post, signed as they sign it, with keys of the test's own.

const now = new Date('2026-11-27T00:00:00Z')
const TOPIC = 'arn:aws:sns:eu-west-1:123456789012:mail'
const CERTIFICATE = 'https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem'
const REFERENCE = { contactId: 12, touchpointId: 345 }
const MESSAGE_ID = '<tp-345.wb-c-9l@shop.example>'

const sendgrid = generateKeyPairSync('ec', { namedCurve: 'P-256' })
let amazonKey = ''
let certificate = ''
let directory = ''
const fetched: string[] = []

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'winback-sns-'))
  const [key, file] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', file],
      ...['-subj', '/CN=sns.amazonaws.com', '-days', '2'],
    ],
    { stdio: 'pipe' },
  )
  amazonKey = readFileSync(key, 'utf8')
  certificate = readFileSync(file, 'utf8')
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const settings = () =>
  emailSettings.parse({
    from: 'hello@shop.example',
    smtp: { host: '127.0.0.1' },
    receipts: {
      sns: { topics: [TOPIC] },
      sendgrid: {
        public_key: sendgrid.publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
      },
    },
  })
const channel = () =>
  openEmail(settings(), undefined, {
    fetchText: async (url) => {
      fetched.push(url)
      return certificate
    },
  })

async function post(
  provider: string,
  body: Uint8Array | string,
  headers: Record<string, string> = {},
): Promise<Receipts | RefusedWebhook> {
  const answer = await channel().receipts?.({
    url: 'https://wb.shop.example/v1/receipts/email',
    provider,
    headers,
    body: typeof body === 'string' ? Buffer.from(body) : body,
    now,
  })
  if (!answer) throw new Error('the channel takes no receipts')
  return answer
}

describe('Amazon SES by SNS', () => {
  const envelope = (message: unknown, more: Record<string, string> = {}) => {
    const fields: Record<string, string> = {
      Type: 'Notification',
      MessageId: 'm-1',
      TopicArn: TOPIC,
      Message: typeof message === 'string' ? message : JSON.stringify(message),
      Timestamp: '2026-11-26T23:59:00.000Z',
      SignatureVersion: '2',
      SigningCertURL: CERTIFICATE,
      ...more,
    }
    const names =
      fields.Type === 'Notification'
        ? ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type']
        : ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type']
    const text = names
      .flatMap((name) => (fields[name] === undefined ? [] : [`${name}\n${fields[name]}\n`]))
      .join('')
    const hash = fields.SignatureVersion === '1' ? 'sha1' : 'sha256'
    const signature = createSign(hash).update(text).sign(createPrivateKey(amazonKey), 'base64')
    return { Signature: signature, ...fields }
  }
  const told = (more: object) => ({
    mail: { messageId: 'ses-1', headers: [{ name: 'Message-ID', value: MESSAGE_ID }] },
    ...more,
  })

  it.for([
    [{ eventType: 'Bounce', bounce: { bounceType: 'Permanent' } }, 'hard_bounce'],
    [{ eventType: 'Bounce', bounce: { bounceType: 'Transient' } }, 'soft_bounce'],
    [{ notificationType: 'Complaint', complaint: { complaintFeedbackType: 'abuse' } }, 'complaint'],
    [{ eventType: 'Reject', reject: { reason: 'Bad content' } }, 'soft_bounce'],
    [{ eventType: 'DeliveryDelay', deliveryDelay: { delayType: 'MailboxFull' } }, 'sent'],
    [{ eventType: 'Delivery' }, 'delivered'],
    [{ eventType: 'Open' }, 'opened'],
    [{ eventType: 'Click' }, 'clicked'],
    [{ eventType: 'Open', open: { userAgent: 'Mozilla/5.0' } }, 'prefetched'],
    [{ eventType: 'Open', open: { userAgent: 'Mozilla/5.0 (iPhone) Mail/1' } }, 'opened'],
    [{ notificationType: 'Complaint', complaint: { complaintFeedbackType: null } }, 'complaint'],
    [{ eventType: 'Complaint', complaint: { complaintSubType: 'OnAccountSuppressionList' } }, 'unsubscribed'],
  ] as const)('%o → %s', async ([event, kind]) => {
    expect(await post('ses', JSON.stringify(envelope(told(event))))).toMatchObject({
      outcome: 'accepted',
      events: [{ ...REFERENCE, kind, eventId: 'sns m-1', providerId: 'ses-1' }],
    })
  })

  it.for([
    [{ eventType: 'Reject', reject: { reason: 'Bad content' } }, true],
    [{ eventType: 'Bounce', bounce: { bounceType: 'Transient', bounceSubType: 'ContentRejected' } }, true],
    [{ eventType: 'Bounce', bounce: { bounceType: 'Transient', bounceSubType: 'MailboxFull' } }, false],
    [{ eventType: 'Bounce', bounce: { bounceType: 'Undetermined' } }, false],
    ...(['smtp; 421 4.7.0 try again later', 'smtp; 452 4.2.2 over quota'] as const).map(
      (diagnosticCode) =>
        [
          {
            eventType: 'Bounce',
            bounce: { bounceType: 'Transient', bouncedRecipients: [{ diagnosticCode }] },
          },
          diagnosticCode.includes('4.7.0'),
        ] as const,
    ),
  ] as const)('tells what came back by a fault of ours: %o → %s', async ([event, ours]) => {
    const read = await post('ses', JSON.stringify(envelope(told(event))))
    expect(read).toMatchObject({ events: [{ kind: 'soft_bounce' }] })
    expect(read.outcome === 'accepted' && 'events' in read && read.events[0]?.ours === true).toBe(ours)
  })

  it.for([
    ...['not-spam', 'auth-failure', 'virus'].map((complaintFeedbackType) => ({
      eventType: 'Complaint',
      complaint: { complaintFeedbackType },
    })),
    { eventType: 'Click', click: { userAgent: 'SafeLinks scanner' } },
    { eventType: 'Rendering Failure' },
  ])('%o says nothing of a person', async (event) => {
    expect(await post('ses', JSON.stringify(envelope(told(event))))).toMatchObject({
      outcome: 'accepted',
      events: [],
    })
  })

  it('is believed with either version of the signature, and the certificate is read once', async () => {
    const both = channel()
    const call = (message: object) =>
      both.receipts?.({
        url: '',
        provider: 'ses',
        headers: {},
        body: Buffer.from(JSON.stringify(message)),
        now,
      })
    const before = fetched.length
    for (const SignatureVersion of ['1', '2']) {
      const message = envelope(told({ eventType: 'Delivery' }), { SignatureVersion })
      expect(await call(message)).toMatchObject({ outcome: 'accepted' })
    }
    expect(fetched.length).toBe(before + 1)
  })

  it('confirms the subscription of a topic of ours, on a host of Amazon alone', async () => {
    const confirm = (SubscribeURL: string) =>
      post(
        'ses',
        JSON.stringify(
          envelope('You have chosen …', { Type: 'SubscriptionConfirmation', Token: 't', SubscribeURL }),
        ),
      )
    const url = 'https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription'
    expect(await confirm(url)).toMatchObject({ outcome: 'accepted', events: [] })
    expect(fetched).toContain(url)
    expect(await confirm('https://evil.example/?Action=ConfirmSubscription')).toMatchObject({
      outcome: 'refused',
    })
    expect(fetched).not.toContain('https://evil.example/?Action=ConfirmSubscription')
  })

  it('is to be sent again where Amazon cannot be asked: what is answered by a 4xx does not come again', async () => {
    let away = true
    const asked = openEmail(settings(), undefined, {
      fetchText: async (url) => {
        if (away) throw new Error(`${url} answered 503`)
        return certificate
      },
    })
    const call = (message: object) =>
      asked.receipts?.({
        url: '',
        provider: 'ses',
        headers: {},
        body: Buffer.from(JSON.stringify(message)),
        now,
      })
    const complaint = envelope(told({ eventType: 'Complaint', complaint: {} }))
    await expect(call(complaint)).rejects.toThrow(/certificate .* cannot be read: .* answered 503/)
    away = false
    expect(await call(complaint)).toMatchObject({ outcome: 'accepted', events: [{ kind: 'complaint' }] })
    away = true
    const SubscribeURL = 'https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription'
    const subscribed = envelope('…', { Type: 'SubscriptionConfirmation', Token: 't', SubscribeURL })
    await expect(call(subscribed)).rejects.toThrow(/could not be confirmed: .* answered 503/)
    await asked.close()
  })

  it('is refused from another topic, another host, with another text, or unreadable', async () => {
    const good = envelope(told({ eventType: 'Delivery' }))
    const cases: [object, number][] = [
      [{ ...good, TopicArn: 'arn:aws:sns:eu-west-1:1:other' }, 401],
      [{ ...good, SigningCertURL: 'https://sns.eu-west-1.amazonaws.com.evil.example/a.pem' }, 401],
      [{ ...good, SigningCertURL: 'http://sns.eu-west-1.amazonaws.com/a.pem' }, 401],
      [{ ...good, Message: JSON.stringify(told({ eventType: 'Bounce' })) }, 401],
      [{ ...good, MessageId: 'm-2' }, 401],
      [{ ...good, Signature: 'AAAA' }, 401],
      [{ ...good, SignatureVersion: '3' }, 400],
      [{}, 400],
    ]
    for (const [message, status] of cases) {
      expect(await post('ses', JSON.stringify(message))).toMatchObject({ outcome: 'refused', status })
    }
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (body) => {
        expect(await post('ses', body)).toMatchObject({ outcome: 'refused', status: 400 })
      }),
    )
  })

  it('is refused where it does not say which mail it is about, as SES does unless it is told to', async () => {
    const nameless = envelope({ notificationType: 'Complaint', mail: { messageId: 'ses-1' }, complaint: {} })
    expect(await post('ses', JSON.stringify(nameless))).toMatchObject({
      outcome: 'refused',
      status: 400,
      reason: expect.stringContaining('original headers'),
    })
    expect(await post('ses', JSON.stringify(envelope('Successfully validated SNS topic')))).toMatchObject({
      outcome: 'accepted',
      events: [],
    })
  })

  it('says nothing of messages that are not ours', async () => {
    const other = envelope({
      eventType: 'Delivery',
      mail: { messageId: 'x', commonHeaders: { messageId: '<a@b>' } },
    })
    expect(await post('ses', JSON.stringify(other))).toMatchObject({ outcome: 'accepted', events: [] })
  })
})

describe('SendGrid', () => {
  const timestamp = String(now.getTime() / 1000)
  const signed = (body: string, at = timestamp, key = sendgrid.privateKey) => ({
    'x-twilio-email-event-webhook-timestamp': at,
    'x-twilio-email-event-webhook-signature': sign('sha256', Buffer.from(at + body), key).toString('base64'),
  })
  const event = (more: object) => ({
    email: 'li@mail.example',
    timestamp: 1_795_000_000,
    'smtp-id': MESSAGE_ID,
    sg_event_id: 'e-1',
    sg_message_id: 's-1',
    ...more,
  })

  it.for([
    ['Bounced Address', 'hard_bounce'],
    ['Invalid', 'hard_bounce'],
    // Who left must not come back with those who bounced: `winback allow --bounced`.
    ['Unsubscribed Address', 'unsubscribed'],
    ['Spam Reporting Address', 'unsubscribed'],
    ['Spam Content', 'soft_bounce'],
    ['Invalid SMTPAPI header', 'soft_bounce'],
    ['Recipient List over Package Quota', 'soft_bounce'],
    [undefined, 'soft_bounce'],
  ] as const)('dropped for %s → %s', async ([reason, kind]) => {
    const body = JSON.stringify([event({ event: 'dropped', reason })])
    expect(await post('sendgrid', body, signed(body))).toMatchObject({ events: [{ kind }] })
  })

  it.for([
    [{ event: 'bounce', type: 'blocked', reason: '550 5.7.1 message blocked' }, true],
    [{ event: 'bounce', type: 'blocked', reason: '552 5.2.2 mailbox full' }, false],
    [{ event: 'bounce', type: 'blocked' }, false],
    [{ event: 'dropped', reason: 'Recipient List over Package Quota' }, true],
  ] as const)('tells what came back by a fault of ours: %o → %s', async ([told, ours]) => {
    const body = JSON.stringify([event(told)])
    const read = await post('sendgrid', body, signed(body))
    expect(read).toMatchObject({ events: [{ kind: 'soft_bounce' }] })
    expect(read.outcome === 'accepted' && read.events[0]?.ours === true).toBe(ours)
  })

  it('reads each event of a post, in order', async () => {
    const body = JSON.stringify([
      event({ event: 'processed' }),
      event({ event: 'delivered', response: '250 OK' }),
      event({ event: 'bounce', type: 'bounce', reason: '550 no such user' }),
      event({ event: 'bounce', type: 'blocked' }),
      event({ event: 'deferred' }),
      event({ event: 'open', sg_machine_open: true }),
      event({ event: 'open' }),
      event({ event: 'spamreport' }),
      event({ event: 'group_resubscribe' }),
      event({ event: 'delivered', 'smtp-id': '<another@mail>' }),
    ])
    const read = await post('sendgrid', body, signed(body))
    expect(read.outcome === 'accepted' && read.events.map(({ kind }) => kind)).toEqual([
      ...['sent', 'delivered', 'hard_bounce', 'soft_bounce', 'sent', 'prefetched', 'opened', 'complaint'],
    ])
    expect(read).toMatchObject({
      events: [
        { ...REFERENCE, eventId: 'e-1', providerId: 's-1' },
        {},
        { detail: '550 no such user' },
        {},
        {},
        {},
        {},
        {},
      ],
    })
  })

  it('knows the message of what a person did, in which the Message-ID does not stand', async () => {
    const named = (more: object) => {
      const { 'smtp-id': _, ...rest } = event({ winback: 'wb-0123abcd-c-9l', ...more })
      return rest
    }
    const body = JSON.stringify([
      named({ event: 'spamreport' }),
      named({ event: 'unsubscribe' }),
      named({ event: 'group_unsubscribe' }),
      named({ event: 'open', useragent: 'Mozilla/5.0 (iPhone) Mail/1' }),
      named({ event: 'open', useragent: 'YahooMailProxy; https://help.yahoo.com' }),
      named({ event: 'click', useragent: 'Mozilla/5.0 (iPhone) Mail/1' }),
      named({ event: 'click', useragent: 'SafeLinks scanner' }),
    ])
    const read = await post('sendgrid', body, signed(body))
    expect(read.outcome === 'accepted' && read.events.map(({ kind }) => kind)).toEqual([
      ...['complaint', 'unsubscribed', 'unsubscribed', 'opened', 'prefetched', 'clicked'],
    ])
    expect(read).toMatchObject({ events: [{ ...REFERENCE, installation: '0123abcd' }, {}, {}, {}, {}, {}] })
  })

  it('one event that cannot be read costs none of those beside it', async () => {
    const body = JSON.stringify([
      event({ event: 'delivered', sg_event_id: undefined }),
      event({ event: 'bounce', reason: null, type: ['an argument of the account'] }),
      null,
    ])
    expect(await post('sendgrid', body, signed(body))).toMatchObject({
      outcome: 'accepted',
      events: [{ ...REFERENCE, kind: 'hard_bounce' }],
    })
  })

  it('is taken for as long as SendGrid tries again, a day, for it may be signed when it was sent first', async () => {
    const body = JSON.stringify([event({ event: 'delivered' })])
    const yesterday = String(now.getTime() / 1000 - 86_400)
    expect(await post('sendgrid', body, signed(body, yesterday))).toMatchObject({
      outcome: 'accepted',
      events: [{ ...REFERENCE, kind: 'delivered' }],
    })
  })

  it('is refused unsigned, changed, late, or by another key', async () => {
    const body = JSON.stringify([event({ event: 'delivered' })])
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const cases: [string, Record<string, string>, number][] = [
      [body, {}, 401],
      [`${body} `, signed(body), 401],
      [body, { ...signed(body), 'x-twilio-email-event-webhook-timestamp': '1' }, 401],
      [body, signed(body, String(now.getTime() / 1000 - 2 * 86_400 - 1)), 401],
      [body, signed(body, String(now.getTime() / 1000 + 601)), 401],
      [body, signed(body, timestamp, other.privateKey), 401],
      ['{}', signed('{}'), 400],
      ['[{"event":1}]', signed('[{"event":1}]'), 400],
    ]
    for (const [text, headers, status] of cases) {
      expect(await post('sendgrid', text, headers)).toMatchObject({ outcome: 'refused', status })
    }
    await fc.assert(
      fc.asyncProperty(fc.string(), async (text) => {
        // No events are fine.
        fc.pre(text.trim() !== '[]')
        expect(await post('sendgrid', text, signed(text))).toMatchObject({ outcome: 'refused', status: 400 })
      }),
    )
  })
})

it('names the providers it knows where another reports', async () => {
  expect(await post('mailgun', '{}')).toMatchObject({
    outcome: 'refused',
    status: 404,
    reason: expect.stringContaining('ses and sendgrid'),
  })
})
