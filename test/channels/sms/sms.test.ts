import { createHmac, timingSafeEqual } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Webhook } from '../../../src/channels/channel.ts'
import { describeChannel } from '../../../src/channels/conformance.ts'
import { referenceOf } from '../../../src/channels/reference.ts'
import { signAliyun } from '../../../src/channels/sms/aliyun-signature.ts'
import { lintSms } from '../../../src/channels/sms/lint.ts'
import { parsePhone } from '../../../src/channels/sms/phone.ts'
import { smsSettings } from '../../../src/channels/sms/settings.ts'
import { openSms, sms } from '../../../src/channels/sms/sms.ts'
import { signTwilio } from '../../../src/channels/sms/twilio-receipts.ts'
import { parseTemplates } from '../../../src/channels/templates.ts'
import { serveTwilio } from '../../../src/simulator/providers/twilio.ts'
import { type LoopbackRequest, openProvider } from '../../support/provider.ts'
import { readNow } from '../../support/receipts.ts'

const NOW = new Date('2026-03-02T04:00:00Z')
const ALIYUN = {
  provider: 'aliyun',
  access_key_id: 'testId',
  access_key_secret: 'testSecret',
  sign_name: '小店',
  templates: { hello: 'SMS_71390007', 'hello.en': 'SMS_1' },
  callback_token: 'a-token-of-16-or-more',
  opt_out_template: 'SMS_2',
  price: '0.045',
}
const TWILIO = {
  provider: 'twilio',
  account_sid: 'AC1',
  auth_token: '12345',
  from: '+15550001111',
  callback_url: 'https://shop.example/v1/receipts/sms/twilio',
  opt_out_confirmation: 'You get nothing more from us.',
  price: '0.0079',
}
const li = {
  contactId: 7,
  externalId: 'c-7',
  email: null,
  phone: '+8613800000000',
  locale: 'zh-CN',
  timezone: 'Asia/Shanghai',
}

it('goes by day where a campaign says nothing: 9 to 20 in China, 8 to 21 over Twilio', () => {
  const windows = [ALIYUN, TWILIO].map((settings) => openSms(smsSettings.parse(settings)).window)
  expect(windows).toEqual([
    { from: 9 * 60, to: 20 * 60, workdays: false },
    { from: 8 * 60, to: 21 * 60, workdays: false },
  ])
})

const TEXT = '【小店】您的订单还在。拒收请回复R'
const template = { name: 'hello', render: () => ({ front: { param_name: '李' }, html: '', text: TEXT }) }

/** Aliyun: checks the signature as its documentation says, and answers. */
function openAliyunServer() {
  const details: { OutId: string; SendStatus: number; SendDate?: string }[] = []
  const opened = openProvider((asked) => {
    const form = Object.fromEntries(new URLSearchParams(asked.body.toString()))
    const { Signature = '', ...signed } = form
    const encode = (text: string) =>
      encodeURIComponent(text)
        .replace(/\*/g, '%2A')
        .replace(/'/g, '%27')
        .replace(/!/g, '%21')
        .replace(/\(/g, '%28')
        .replace(/\)/g, '%29')
    const query = Object.entries(signed)
      .map(([name, value]) => `${encode(name)}=${encode(value)}`)
      .sort()
      .join('&')
    const mine = createHmac('sha1', 'testSecret&')
      .update(`${asked.method}&%2F&${encode(query)}`)
      .digest()
    const given = Buffer.from(Signature, 'base64')
    if (given.length !== mine.length || !timingSafeEqual(given, mine)) {
      return json({ Code: 'SignatureDoesNotMatch', Message: 'wrong' }, 400)
    }
    if (
      signed.Version !== '2017-05-25' ||
      !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(signed.Timestamp ?? '')
    ) {
      return json({ Code: 'InvalidVersion' }, 400)
    }
    if (signed.Action === 'QuerySendDetails') {
      const listed = details.filter(({ SendDate = signed.SendDate }) => SendDate === signed.SendDate)
      return json({
        Code: 'OK',
        TotalCount: listed.length,
        SmsSendDetailDTOs: { SmsSendDetailDTO: listed },
      })
    }
    return json({ Code: 'OK', Message: 'OK', BizId: `biz-${signed.OutId ?? ''}`, RequestId: '1' })
  })
  return opened.then((provider) => Object.assign(provider, { details }))
}

const openTwilioServer = () => openProvider(serveTwilio({ sid: 'AC1', token: '12345' }))

function json(value: unknown, status = 200) {
  return { status, body: JSON.stringify(value) }
}
const formOf = (asked: LoopbackRequest | undefined) =>
  Object.fromEntries(new URLSearchParams(asked?.body.toString()))

/** A report of each provider, as it would come in. Aliyun signs none: it calls a URL with a token. */
const REPORTS = {
  aliyun: {
    unsigned: true as const,
    report: (reference: string) => {
      const one = { phone_number: '13800000000', success: true, biz_id: 'b', out_id: reference }
      const report_time = '2026-03-02 12:00:00'
      return webhook({
        provider: 'aliyun',
        url: `https://shop.example/v1/receipts/sms/aliyun?token=${ALIYUN.callback_token}`,
        body: Buffer.from(JSON.stringify([{ ...one, report_time, send_time: report_time }])),
      })
    },
  },
  twilio: {
    report: (reference: string) => {
      const form = new URLSearchParams({ MessageSid: 'SM1', MessageStatus: 'delivered' })
      const url = `${TWILIO.callback_url}?ref=${reference}`
      const headers = { 'x-twilio-signature': signTwilio(url, form, TWILIO.auth_token) }
      return webhook({ provider: 'twilio', url, headers, body: Buffer.from(form.toString()) })
    },
  },
}

for (const [provider, block, openServer, error] of [
  ['aliyun', ALIYUN, openAliyunServer, (Code: string, status = 200) => json({ Code, Message: 'm' }, status)],
  ['twilio', TWILIO, openTwilioServer, (code: string, status = 400) => json({ code: Number(code) }, status)],
] as const) {
  describeChannel(
    `sms by ${provider}`,
    {
      module: sms,
      reachable: [li, { ...li, phone: '+86 138-0000-0000' }],
      unreachable: [
        { ...li, phone: null },
        { ...li, phone: 'none' },
      ],
      template,
      view: {},
      price: provider === 'aliyun' ? 45_000 : 7_900,
      open: async (deadline) => {
        const server = await openServer()
        const settings = smsSettings.parse({ ...block, endpoint: server.url, connections: 4 })
        const provoke = (instead: typeof server.instead) => () => {
          server.instead = instead
        }
        const faults = {
          aliyun: [
            ['no such number', error('isv.MOBILE_NUMBER_ILLEGAL'), 'rejected', 'bad_address'],
            ['opted out', error('isv.CUSTOMER_REFUSED'), 'rejected', 'unsubscribed'],
            ['the template was withdrawn', error('isv.SMS_TEMPLATE_ILLEGAL'), 'rejected', 'content'],
            ['too often', error('isv.BUSINESS_LIMIT_CONTROL'), 'retry', undefined, false, false],
            ['our day’s number', error('isv.DAY_LIMIT_CONTROL'), 'retry', undefined, false, true],
            ['no credit', error('isv.AMOUNT_NOT_ENOUGH'), 'retry', undefined, true],
            ['out of service', error('isv.OUT_OF_SERVICE'), 'retry', undefined, true],
            ['no right to send', error('isp.RAM_PERMISSION_DENY'), 'retry', undefined, true],
            ['never ordered', error('isv.PRODUCT_UN_SUBSCRIPT'), 'retry', undefined, true],
            ['not from this country', error('isv.DENY_IP_RANGE'), 'retry', undefined, true],
            ['locked', error('isv.SECURITY_FROZEN_ACCOUNT'), 'retry', undefined, true],
            ['a signature not approved yet', error('isv.SMS_SIGNATURE_ILLEGAL'), 'retry', undefined, true],
            ['a signature for codes alone', error('isv.SMS_SIGNATURE_SCENE_ILLEGAL'), 'rejected', 'content'],
            ['refused by a proxy', { status: 403, body: '<html>' }, 'retry', undefined, false],
            ['sent elsewhere', { status: 302, headers: { Location: 'http://10.0.0.1/' } }, 'retry'],
            ['welcomed by a proxy', { status: 200, body: '<html>' }, 'uncertain'],
            ['a key without the right', error('NoPermission', 403), 'retry', undefined, true],
            ['words that are not let through', error('isv.SMS_CONTENT_ILLEGAL'), 'rejected', 'content'],
            ['throttled', error('Throttling.User', 400), 'retry', undefined, false, true],
          ],
          twilio: [
            ['no such number', error('21211'), 'rejected', 'bad_address'],
            ['too long', error('21617'), 'rejected', 'content'],
            ['opted out', error('21610'), 'rejected', 'unsubscribed'],
            [
              'throttled',
              { ...error('20429', 429), headers: { 'Retry-After': '7' } },
              'retry',
              undefined,
              false,
              true,
            ],
            ['a full queue', error('21611'), 'retry', undefined, false, true],
            ['a sender that is not ours', error('21659'), 'retry', undefined, true],
            ['no sender for that country', error('21606'), 'retry', undefined, false],
            ['wrong token', error('20003', 401), 'retry', undefined, true],
            ['a suspended account', error('20005', 403), 'retry', undefined, true],
            ['a region that is not enabled', error('21408'), 'retry', undefined, false],
            ['no such account', error('20404', 404), 'retry', undefined, true],
            ['refused by a proxy', { status: 403, body: '<html>' }, 'retry', undefined, false],
            ['nothing there', { status: 404, body: '<html>Not Found</html>' }, 'retry'],
            ['sent elsewhere', { status: 302, headers: { Location: 'http://10.0.0.1/' } }, 'retry'],
            ['a number in quotes', json({ code: '21211' }, 400), 'rejected', 'bad_address'],
            ['welcomed by a proxy', { status: 200, body: '<html>' }, 'uncertain'],
          ],
        } as const
        return {
          channel: openSms(settings, deadline),
          faults: [
            ...faults[provider].map(([name, instead, promised, reason, unreached, takesNone]) => ({
              name,
              provoke: provoke(instead),
              promised,
              ...(unreached === undefined ? {} : { unreached }),
              ...(takesNone === undefined ? {} : { takesNone }),
              ...(reason ? { reason } : {}),
            })),
            {
              name: 'silence',
              provoke: provoke('silence'),
              promised: 'uncertain' as const,
              silent: true as const,
            },
            { name: 'hanging up', provoke: provoke('hang up'), promised: 'uncertain' as const },
            {
              name: 'a proxy in between',
              provoke: provoke({ status: 502, body: '<html>' }),
              promised: 'uncertain' as const,
            },
          ],
          heal: provoke(undefined),
          attempts: () => server.reached,
          ...REPORTS[provider],
          secrets: [ALIYUN.access_key_secret, ALIYUN.callback_token, TWILIO.auth_token],
          peak: () => server.peak,
          stop: server.stop,
        }
      },
    },
    { describe, it },
  )
}

const webhook = (more: Partial<Webhook>): Webhook => {
  return {
    url: 'https://shop.example/',
    provider: undefined,
    headers: {},
    body: new Uint8Array(),
    now: NOW,
    ...more,
  }
}
const message = (text = TEXT) => ({
  contactId: 7,
  touchpointId: 42,
  key: 'tp-42',
  address: '13800000000',
  content: { template: 'hello', locale: 'zh-CN', text, parameters: { name: '李' }, segments: 1 },
})
const REFERENCE = referenceOf({ contactId: 7, touchpointId: 42 })

describe('Aliyun', () => {
  // Both from Aliyun's documentation of its signatures.
  it('is signed as it publishes', () => {
    const common = {
      AccessKeyId: 'testId',
      Action: 'SendSms',
      Format: 'XML',
      OutId: '123',
      PhoneNumbers: '15300000001',
      RegionId: 'cn-hangzhou',
      SignName: '阿里云短信测试专用',
      SignatureMethod: 'HMAC-SHA1',
      SignatureNonce: '45e25e9b-0a6f-4070-8c85-2956eda1b466',
      SignatureVersion: '1.0',
      TemplateCode: 'SMS_71390007',
      TemplateParam: '{"customer":"test"}',
      Timestamp: '2017-07-12T02:42:19Z',
      Version: '2017-05-25',
    }
    expect(signAliyun('GET', common, 'testSecret')).toBe('zJDF+Lrzhj/ThnlvIToysFRq6t4=')
    const regions = {
      AccessKeyId: 'testid',
      Action: 'DescribeRegions',
      Format: 'XML',
      SignatureMethod: 'HMAC-SHA1',
      SignatureNonce: '3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf',
      SignatureVersion: '1.0',
      Timestamp: '2016-02-23T12:46:24Z',
      Version: '2014-05-26',
    }
    expect(signAliyun('GET', regions, 'testsecret')).toBe('OLeaidS1JvxuMvnyHOwuJ+uX5qY=')
  })

  const settings = (endpoint: string) => smsSettings.parse({ ...ALIYUN, endpoint })

  it('gets the approved template, its values and our reference', async () => {
    const server = await openAliyunServer()
    const channel = openSms(settings(server.url))
    expect(await channel.send(message())).toEqual({ outcome: 'sent', providerId: `biz-${REFERENCE}` })
    expect(formOf(server.asked[0])).toMatchObject({
      PhoneNumbers: '13800000000',
      SignName: '小店',
      TemplateCode: 'SMS_71390007',
      TemplateParam: '{"name":"李"}',
      OutId: REFERENCE,
    })
    await channel.send({ ...message(), content: { ...message().content, locale: 'en' } })
    expect(formOf(server.asked[1]).TemplateCode).toBe('SMS_1')
    // Who reads a language that has no text of its own gets another, and the code of that.
    const texts = parseTemplates(
      { 'hello.en.hbs': `---\nsubject: x\n---\n${TEXT}` },
      { locales: ['en', 'zh-CN'] },
    )
    const foreign = channel.render(texts.find('hello', { locale: 'zh-CN' }), {}, li)
    await channel.send({ ...message(), content: foreign })
    expect(formOf(server.asked[2]).TemplateCode).toBe('SMS_1')
    expect(channel.addressOf({ ...li, phone: '13800000000' })).toBe('13800000000')
    expect(channel.addressOf({ ...li, phone: '+15550001111' })).toBeUndefined()
    const content = channel.render(
      { ...template, render: () => ({ front: {}, html: '', text: '字'.repeat(71) }) },
      {},
      li,
    )
    expect(channel.cost(content)).toBe(90_000)
    await channel.close()
    await server.stop()
  })

  it('is asked about a send without an answer, and never sent to again', async () => {
    const server = await openAliyunServer()
    const channel = openSms(settings(server.url))
    const doubt = {
      contactId: 7,
      touchpointId: 42,
      address: '13800000000',
      providerId: null,
      plannedFor: new Date(),
      since: new Date(),
    }
    expect(await channel.query?.(doubt)).toEqual({ outcome: 'unknown' })
    expect(await channel.query?.({ ...doubt, since: new Date(Date.now() - 3_600_000) })).toEqual({
      outcome: 'absent',
    })
    server.details.push({ OutId: 'another', SendStatus: 3 }, { OutId: REFERENCE, SendStatus: 3 })
    expect(await channel.query?.(doubt)).toMatchObject({ outcome: 'sent', events: [{ kind: 'delivered' }] })
    expect(server.asked.every((asked) => formOf(asked).Action === 'QuerySendDetails')).toBe(true)
    server.instead = 'hang up'
    expect(await channel.query?.(doubt)).toEqual({ outcome: 'unknown' })
    await channel.close()
    await server.stop()
  })

  it('is asked about every day on which it may have been sent: its worker was killed, and found days later', async () => {
    const server = await openAliyunServer()
    const channel = openSms(settings(server.url))
    // Sent in the evening in China; nothing ran until the morning two days later.
    server.details.push({ OutId: REFERENCE, SendStatus: 3, SendDate: '20260302' })
    const doubt = {
      contactId: 7,
      touchpointId: 42,
      address: '13800000000',
      providerId: null,
      plannedFor: new Date('2026-03-02T11:50:00Z'),
      since: new Date('2026-03-04T01:00:00Z'),
    }
    expect(await channel.query?.(doubt)).toMatchObject({ outcome: 'sent' })
    expect(server.asked.map((asked) => formOf(asked).SendDate)).toEqual(['20260304', '20260303', '20260302'])
    server.details.splice(0)
    expect(await channel.query?.(doubt)).toEqual({ outcome: 'absent' })
    // Of the days before these thirty Aliyun tells nothing.
    const before = server.asked.length
    const long = { ...doubt, plannedFor: new Date('2026-01-10T11:50:00Z') }
    expect(await channel.query?.(long)).toEqual({ outcome: 'unknown' })
    expect(server.asked.length - before).toBe(30)
    await channel.close()
    await server.stop()
  })

  it('is not believed to lack what its list broke off before, nor asked for a list without end', async () => {
    const server = await openAliyunServer()
    const channel = openSms(settings(server.url))
    const doubt = {
      contactId: 7,
      touchpointId: 42,
      address: '13800000000',
      providerId: null,
      plannedFor: new Date(Date.now() - 3_600_000),
      since: new Date(Date.now() - 3_600_000),
    }
    const listing = (TotalCount: number | undefined, length: number) => {
      const SmsSendDetailDTO = Array.from({ length }, () => ({ OutId: 'another', SendStatus: '3' }))
      server.instead = json({ Code: 'OK', TotalCount, SmsSendDetailDTOs: { SmsSendDetailDTO } })
    }
    // Ten of twelve on a page, and then two.
    listing(12, 10)
    expect(await channel.query?.(doubt)).toEqual({ outcome: 'absent' })
    listing(12, 0)
    expect(await channel.query?.(doubt)).toEqual({ outcome: 'unknown' })
    const before = server.reached
    for (const total of [undefined, 1_000_000]) {
      listing(total, 50)
      expect(await channel.query?.(doubt)).toEqual({ outcome: 'unknown' })
    }
    expect(server.reached - before).toBe(20)
    await channel.close()
    await server.stop()
  })

  const channel = openSms(settings('http://127.0.0.1:9/'))
  const url = `https://shop.example/v1/receipts/sms/aliyun?token=${ALIYUN.callback_token}`
  const post = (value: unknown) =>
    readNow(channel, webhook({ url, body: Buffer.from(JSON.stringify(value)) }))
  const report = {
    phone_number: '13800000000',
    send_time: '2026-03-02 12:00:00',
    report_time: '2026-03-02 12:00:05',
    success: true,
    err_code: 'DELIVERED',
    err_msg: '用户接收成功',
    sms_size: '2',
    biz_id: '932702304080415357^0',
    out_id: REFERENCE,
  }

  it('reports what became of messages, what they cost, and what was answered', () => {
    expect(
      post([report, { ...report, success: false, err_code: 'MOBILE_NOT_EXIST' }, { ...report, out_id: 'x' }]),
    ).toMatchObject({
      outcome: 'accepted',
      events: [
        {
          contactId: 7,
          touchpointId: 42,
          kind: 'delivered',
          cost: 90_000,
          at: new Date('2026-03-02T04:00:05Z'),
        },
        { kind: 'hard_bounce' },
      ],
      answer: { body: '{"code":0,"msg":"ok"}' },
    })
    // Said of a telephone that is off, too.
    for (const err_code of ['INVALID_NUMBER', 'MOBILE_NOT_ON_SERVICE']) {
      expect(post([{ ...report, success: false, err_code }])).toMatchObject({
        events: [{ kind: 'soft_bounce' }],
      })
    }
    // Once refused, or on a list for having been: no complaint of this message, for which all would be paused.
    expect(post([{ ...report, success: false, err_code: 'MOBILE_IN_BLACK' }])).toMatchObject({
      events: [{ kind: 'unsubscribed' }],
    })
    const up = {
      phone_number: '13800000000',
      content: '退订',
      send_time: '2026-03-02 12:00:00',
      sequence_id: 9,
    }
    expect(post([up])).toMatchObject({ replies: [{ from: '13800000000', optOut: true, eventId: '9' }] })
  })

  it('tells two long replies of one second apart where nothing numbers them, and knows the repeat of either', () => {
    const reply = (end: string) => {
      const content = `${'很久没来了，'.repeat(40)}${end}`
      return { phone_number: '13800000000', content, send_time: '2026-03-02 12:00:00' }
    }
    const taken = post([reply('下次再说'), reply('退订'), reply('退订')])
    const [first, second, again] = taken?.outcome === 'accepted' ? taken.replies : []
    expect(first?.eventId).not.toBe(second?.eventId)
    expect(again?.eventId).toBe(second?.eventId)
    expect(second?.eventId.length).toBeLessThanOrEqual(200)
  })

  it('is refused without the token, or where none of it makes sense', () => {
    const body = Buffer.from(JSON.stringify([report]))
    expect(readNow(channel, webhook({ url: url.slice(0, -1), body }))).toMatchObject({ status: 401 })
    expect(readNow(channel, webhook({ url, body: Buffer.from('{') }))).toMatchObject({ status: 400 })
    for (const value of [
      {},
      1,
      [1],
      [null],
      [{ ...report, success: 'yes' }],
      [{ ...report, report_time: 'now' }],
    ]) {
      expect(post(value)).toMatchObject({ outcome: 'refused', status: 400 })
    }
    // Aliyun gives up after three refusals, and an opt-out with it.
    const leaving = { phone_number: '13800000000', content: '退订', send_time: 'yesterday', sequence_id: 9 }
    expect(post([{ ...report, report_time: 'now' }, 1, report, leaving])).toMatchObject({
      outcome: 'accepted',
      events: [{ kind: 'delivered' }],
      replies: [{ optOut: true, eventId: '9', at: NOW }],
    })
    fc.assert(
      fc.property(
        fc.oneof(
          fc.jsonValue(),
          fc.array(
            fc.record({ ...Object.fromEntries(Object.keys(report).map((key) => [key, fc.jsonValue()])) }),
          ),
        ),
        (value) => {
          const read = post(value)
          if (read?.outcome === 'accepted')
            expect(read.events.length + read.replies.length).toBeLessThanOrEqual(
              Array.isArray(value) ? value.length : 0,
            )
          else expect(read?.reason).not.toBe('')
        },
      ),
    )
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(readNow(channel, webhook({ url, body: bytes }))?.outcome).toMatch(/accepted|refused/)
      }),
    )
  })
})

describe('Twilio', () => {
  const settings = (endpoint: string) => smsSettings.parse({ ...TWILIO, endpoint })

  it('gets the text, and where to report to', async () => {
    const server = await openTwilioServer()
    const channel = openSms(settings(server.url))
    expect(await channel.send({ ...message(), address: '+15552223333' })).toEqual({
      outcome: 'sent',
      providerId: 'SM1',
    })
    expect(server.asked[0]?.path).toBe('/2010-04-01/Accounts/AC1/Messages.json')
    expect(formOf(server.asked[0])).toEqual({
      To: '+15552223333',
      From: '+15550001111',
      Body: TEXT,
      StatusCallback: `${TWILIO.callback_url}?ref=${REFERENCE}`,
    })
    await channel.confirm?.({ from: '+15552223333', text: 'STOP', optOut: true, eventId: '1', at: NOW })
    expect(formOf(server.asked[1])).toMatchObject({ To: '+15552223333', Body: TWILIO.opt_out_confirmation })
    await channel.close()
    await server.stop()
  })

  // The example of https://www.twilio.com/docs/usage/security
  it('signs as it publishes', () => {
    const form = Object.entries({
      CallSid: 'CA1234567890ABCDE',
      Caller: '+14158675309',
      Digits: '1234',
      From: '+14158675309',
      To: '+18005551212',
    })
    expect(signTwilio('https://mycompany.com/myapp.php?foo=1&bar=2', form, '12345')).toBe(
      'RSOYDt4T1cUTdK1PDd93/VVr8B8=',
    )
  })

  const channel = openSms(settings('http://127.0.0.1:9/'))
  const post = (form: Record<string, string>, ref = REFERENCE, sign = signTwilio) => {
    const search = `?ref=${ref}`
    const body = new URLSearchParams(form)
    const headers = { 'x-twilio-signature': sign(TWILIO.callback_url + search, body, '12345') }
    // Behind a proxy the request itself names another host.
    return readNow(
      channel,
      webhook({
        url: `http://10.0.0.2/v1/receipts/sms/twilio${search}`,
        headers,
        body: Buffer.from(body.toString()),
      }),
    )
  }

  it('reports statuses and replies', () => {
    expect(post({ MessageSid: 'SM1', MessageStatus: 'delivered' })).toMatchObject({
      events: [{ contactId: 7, touchpointId: 42, kind: 'delivered', eventId: 'SM1:delivered' }],
    })
    expect(post({ MessageSid: 'SM1', MessageStatus: 'queued' })).toMatchObject({ events: [] })
    expect(post({ MessageSid: 'SM1', MessageStatus: 'undelivered', ErrorCode: '30005' })).toMatchObject({
      events: [{ kind: 'hard_bounce' }],
    })
    expect(post({ MessageSid: 'SM1', MessageStatus: 'failed', ErrorCode: '21610' })).toMatchObject({
      events: [{ kind: 'unsubscribed' }],
    })
    expect(post({ MessageSid: 'SM1', MessageStatus: 'failed', ErrorCode: '30003' })).toMatchObject({
      events: [{ kind: 'soft_bounce' }],
    })
    expect(post({ MessageSid: 'SM2', From: '+15552223333', Body: 'Stop' })).toMatchObject({
      replies: [{ from: '+15552223333', optOut: true, eventId: 'SM2' }],
      answer: { type: 'text/xml' },
    })
  })

  it('is believed however the settings spell the URL that Twilio was given', async () => {
    const server = await openTwilioServer()
    const callback_url = 'https://Shop.Example:443/v1/receipts/sms/twilio'
    const spelled = openSms(smsSettings.parse({ ...TWILIO, endpoint: server.url, callback_url }))
    await spelled.send({ ...message(), address: '+15552223333' })
    const form = new URLSearchParams({ MessageSid: 'SM1', MessageStatus: 'delivered' })
    for (const signed of [formOf(server.asked[0]).StatusCallback ?? '', `${callback_url}?ref=${REFERENCE}`]) {
      const headers = { 'x-twilio-signature': signTwilio(signed, form, TWILIO.auth_token) }
      const url = `http://10.0.0.2/v1/receipts/sms/twilio?ref=${REFERENCE}`
      const read = readNow(spelled, webhook({ url, headers, body: Buffer.from(form.toString()) }))
      expect(read).toMatchObject({ events: [{ kind: 'delivered' }] })
    }
    await spelled.close()
    await server.stop()
  })

  it.each([
    ['our other address', 'https://shop.example/v1/receipts/sms', 'http://10.0.0.2/v1/receipts/sms'],
    [
      'the address of the web side, which is another host’s',
      'https://app.shop.example/v1/receipts/sms/twilio',
      'https://app.shop.example/v1/receipts/sms/twilio',
    ],
  ])('is believed of what people answer where Twilio was told to report that to %s', (_, told, called) => {
    const body = new URLSearchParams({ MessageSid: 'SM2', From: '+15552223333', Body: 'Stop' })
    const headers = { 'x-twilio-signature': signTwilio(told, body, '12345') }
    const read = readNow(channel, webhook({ url: called, headers, body: Buffer.from(body.toString()) }))
    expect(read).toMatchObject({ replies: [{ from: '+15552223333', optOut: true }] })
  })

  it('is refused with a wrong signature or a changed form', () => {
    expect(post({ MessageSid: 'SM1', MessageStatus: 'delivered' }, REFERENCE, () => 'x')).toMatchObject({
      status: 401,
    })
    expect(
      post({ MessageSid: 'SM1', MessageStatus: 'delivered' }, REFERENCE, (url) =>
        signTwilio(url, [], '12345'),
      ),
    ).toMatchObject({ status: 401 })
    expect(post({ MessageStatus: 'delivered' })).toMatchObject({ status: 400 })
    expect(post({ MessageSid: 'SM1' })).toMatchObject({ status: 400 })
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string()), fc.string(), (form, ref) => {
        const read = post({ MessageSid: 'SM1', ...form }, encodeURIComponent(ref.toWellFormed()))
        expect(read?.outcome).toMatch(/accepted|refused/)
      }),
    )
  })
})

it.each([
  ['13800138000', '86', '+8613800138000'],
  ['8613800138000', '86', '+8613800138000'],
  ['86 (0) 138 0013 8000', '86', '+8613800138000'],
  ['013800138000', '86', '+8613800138000'],
  // Too long for Shanghai, too short for a mobile number with its country: as it was written.
  ['86138001380', '86', '+8686138001380'],
  ['01701234567', '49', '+491701234567'],
  ['+49 (0)170 1234567', '49', '+491701234567'],
  ['4155550123', '1', '+14155550123'],
  ['14155550123', '1', '+14155550123'],
  // Italy keeps its zero, and a zero abroad is not ours to judge.
  ['06 1234 5678', '39', '+390612345678'],
  ['+390612345678', '49', '+390612345678'],
  ['+8613800138000', '49', '+8613800138000'],
  ['13800138000', undefined, undefined],
])('%s in a country of %s is %s', (text, country, expected) =>
  expect(parsePhone(text, country)).toBe(expected),
)

describe('what a provider would refuse is said before', () => {
  const written = (text: string, locale = 'zh-CN', name = 'hello') => ({
    name,
    locale,
    file: 'x',
    text,
    front: {},
  })
  const aliyun = (more: object) => smsSettings.parse({ ...ALIYUN, ...more })
  it.each([
    [TEXT, {}, undefined],
    ['【{{workspace.name}}】回来看看。拒收请回复R', {}, undefined],
    ['您的订单还在。拒收请回复R', {}, /must begin with the signature 【小店】/],
    ['【别家】您好。拒收请回复R', {}, /must begin with/],
    ['【小店】您的订单还在。', {}, /must end with 拒收请回复R/],
    ['【小店】{{contact.first_name}}您好。拒收请回复R', {}, /must not have variables/],
    ['【小店】{{contact.first_name}}您好。拒收请回复R', { variables: true }, undefined],
    ['【小店】请看 https://x.cn/a 拒收请回复R', {}, /must not have links/],
    ['【小店】请看 https://x.cn/a 拒收请回复R', { links: true }, undefined],
    [`【小店】${'字'.repeat(500)}拒收请回复R`, {}, /510 characters/],
    [TEXT, { templates: {} }, /no template code/],
  ])('%s', (text, more, problem) => {
    const found = lintSms(aliyun(more), written(text), '小店').join('; ')
    if (problem) expect(found).toMatch(problem)
    else expect(found).toBe('')
  })
  it('over Twilio: length, and how to opt out', () => {
    const twilio = smsSettings.parse(TWILIO)
    expect(lintSms(twilio, written('Come back. Reply STOP to opt out', 'en'), 'Shop')).toEqual([])
    expect(lintSms(twilio, written('Come back.', 'en'), 'Shop').join()).toMatch(/how to opt out/)
    expect(lintSms(twilio, written(`${'a'.repeat(1530)} STOP`, 'en'), 'Shop').join()).toMatch(/11 segments/)
  })
})
