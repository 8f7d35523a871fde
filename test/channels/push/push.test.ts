import { createDecipheriv, createECDH, generateKeyPairSync, hkdfSync, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, describe, expect, it, vi } from 'vitest'
import webpush from 'web-push'
import type { Channel, Device, Webhook } from '../../../src/channels/channel.ts'
import { describeChannel } from '../../../src/channels/conformance.ts'
import { type PushContent, readTap, signTap } from '../../../src/channels/push/content.ts'
import { combine, type DeviceOutcome } from '../../../src/channels/push/device.ts'
import { openPush, push } from '../../../src/channels/push/push.ts'
import { pushSettings } from '../../../src/channels/push/settings.ts'
import { referenceOf } from '../../../src/channels/reference.ts'
import { servePushes } from '../../../src/simulator/providers/push.ts'
import { openProvider, type Provider } from '../../support/provider.ts'
import { readNow } from '../../support/receipts.ts'

const TAP_SECRET = 'sixteen letters at least'
const vapid = webpush.generateVAPIDKeys()
const account = generateKeyPairSync('rsa', { modulusLength: 2048 })
const browser = createECDH('prime256v1')
browser.generateKeys()
const auth = randomBytes(16)
const template = {
  name: 'hello',
  render: () => ({ front: { subject: '您好', url: '/cart' }, html: '', text: 'Come\n back' }),
}
const li = { contactId: 7, externalId: 'c-7', email: null, phone: null, locale: 'en', timezone: 'UTC' }

const json = (value: unknown, status = 200, headers: Record<string, string> = {}) => ({
  status,
  headers,
  body: JSON.stringify(value),
})

/** The browser's side of RFC 8188 and 8291: opens what the push service would hand it. */
function decrypt(body: Buffer): unknown {
  const salt = body.subarray(0, 16)
  const keyLength = body.readUInt8(20)
  const sender = body.subarray(21, 21 + keyLength)
  const sealed = body.subarray(21 + keyLength)
  const derive = (secret: Buffer, saltOf: Buffer, info: Buffer, length: number) =>
    Buffer.from(hkdfSync('sha256', secret, saltOf, info, length))
  const info = Buffer.concat([Buffer.from('WebPush: info\0'), browser.getPublicKey(), sender])
  const secret = derive(browser.computeSecret(sender), auth, info, 32)
  const key = derive(secret, salt, Buffer.from('Content-Encoding: aes128gcm\0'), 16)
  const nonce = derive(secret, salt, Buffer.from('Content-Encoding: nonce\0'), 12)
  const decipher = createDecipheriv('aes-128-gcm', key, nonce)
  decipher.setAuthTag(sealed.subarray(-16))
  const padded = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()])
  return JSON.parse(padded.subarray(0, padded.lastIndexOf(2)).toString())
}

/** The demo's push services, with the tests' faults around them. */
function openServices() {
  return openProvider(
    servePushes({
      web: { publicKey: vapid.publicKey, subject: 'mailto:ops@shop.example' },
      fcm: { project: 'shop', email: 'push@shop.example', publicKey: account.publicKey },
      jpush: { appKey: 'app', masterSecret: 'master' },
    }),
  )
}

const KINDS = ['web', 'fcm', 'jpush'] as const
function settingsFor(url: string, kinds: readonly (typeof KINDS)[number][] = KINDS) {
  const all = {
    web: {
      subject: 'mailto:ops@shop.example',
      public_key: vapid.publicKey,
      private_key: vapid.privateKey,
      allow_private: ['127.0.0.1'],
    },
    fcm: {
      project_id: 'shop',
      client_email: 'push@shop.example',
      private_key: account.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      token_url: `${url}token`,
      endpoint: url,
    },
    jpush: { app_key: 'app', master_secret: 'master', endpoint: url },
  }
  return pushSettings.parse({
    ...Object.fromEntries(kinds.map((kind) => [kind, all[kind]])),
    tap_secret: TAP_SECRET,
    connections: 4,
    price: '0.01',
  })
}
function deviceOf(kind: Device['provider'], url: string): Device {
  if (kind !== 'web') return { provider: kind, token: `${kind}-1`, keys: null }
  const keys = { p256dh: browser.getPublicKey('base64url'), auth: auth.toString('base64url') }
  return { provider: 'web', token: `${url}browser/1`, keys }
}

const fcmError = (status: number, errorCode: string, message = '') =>
  json(
    {
      error: {
        status: errorCode,
        message,
        details: [{ '@type': 'type.googleapis.com/google.firebase.fcm.v1.FcmError', errorCode }],
      },
    },
    status,
  )
const FAULTS = {
  web: [
    ['gone', json({}, 410), 'rejected', 'bad_address'],
    ['never there', json({}, 404), 'rejected', 'bad_address'],
    ['too large', json({}, 413), 'rejected', 'content'],
    ['signed with other keys than it subscribed with', json({}, 403), 'retry'],
    ['a signature that is not believed', json({}, 401), 'retry'],
    ['other keys, in Google’s words', { status: 400, body: '<H1>UnauthorizedRegistration</H1>' }, 'retry'],
    ['other keys, in Apple’s words', json({ reason: 'VapidPkHashMismatch' }, 400), 'retry'],
    ['no push', json({}, 400), 'rejected', 'refused'],
    ['too many', json({}, 429, { 'Retry-After': '9' }), 'retry'],
    ['too many, in Microsoft’s words', json({}, 406), 'retry'],
    ['out of order', json({}, 503), 'retry'],
    ['sent elsewhere', { status: 302, headers: { Location: 'http://10.0.0.1/' } }, 'retry'],
  ],
  fcm: [
    ['unregistered', fcmError(404, 'UNREGISTERED'), 'rejected', 'bad_address'],
    // The service account is of another project than the app: our mistake, and no device is forgotten for it.
    ['another sender’s', fcmError(403, 'SENDER_ID_MISMATCH'), 'retry', undefined, false],
    [
      'an account without the right',
      json({ error: { status: 'PERMISSION_DENIED', message: 'denied on resource' } }, 403),
      'retry',
      undefined,
      true,
    ],
    [
      'no token',
      fcmError(400, 'INVALID_ARGUMENT', 'The registration token is not a valid FCM registration token'),
      'rejected',
      'bad_address',
    ],
    ['bad content', fcmError(400, 'INVALID_ARGUMENT', 'Invalid data'), 'rejected', 'content'],
    ['too many, for the device perhaps', fcmError(429, 'QUOTA_EXCEEDED'), 'retry', undefined, false, false],
    ['out of order', fcmError(503, 'UNAVAILABLE'), 'retry', undefined, false, true],
    ['an old bearer', fcmError(401, 'UNAUTHENTICATED'), 'retry'],
    // Apple does not know the project’s key: Android is reached all the same, and the channel must not rest.
    ['a key that Apple refuses', fcmError(401, 'THIRD_PARTY_AUTH_ERROR'), 'retry', undefined, false],
    // Not FCM's words: no device is taken for gone, and none for reached.
    ['nothing there', { status: 404, body: '<html>Not Found</html>' }, 'retry'],
    ['sent elsewhere', { status: 302, headers: { Location: 'http://10.0.0.1/' } }, 'retry'],
    ['refused by a proxy', { status: 403, body: '<html>' }, 'retry', undefined, false],
    ['welcomed by a proxy', { status: 200, body: '<html>' }, 'uncertain'],
  ],
  jpush: [
    [
      'nobody’s',
      json({ error: { code: 1011, message: 'cannot find user by this audience' } }, 400),
      'rejected',
      'bad_address',
    ],
    ['too long', json({ error: { code: 1005, message: 'too long' } }, 400), 'rejected', 'content'],
    [
      'wrong secret',
      json({ error: { code: 1004, message: 'Authen failed' } }, 401),
      'retry',
      undefined,
      true,
    ],
    [
      'an app that is none',
      json({ error: { code: 1008, message: 'app_key is not exist' } }, 400),
      'retry',
      undefined,
      true,
    ],
    [
      'an app that may push no more',
      json({ error: { code: 2003, message: '' } }, 403),
      'retry',
      undefined,
      true,
    ],
    ['refused by a proxy', { status: 403, body: '<html>' }, 'retry', undefined, false],
    ['nothing there', { status: 404, body: '<html>Not Found</html>' }, 'retry'],
    ['sent elsewhere', { status: 302, headers: { Location: 'http://10.0.0.1/' } }, 'retry'],
    ['welcomed by a proxy', { status: 200, body: '<html>' }, 'uncertain'],
    [
      'nobody’s, by a number in quotes',
      json({ error: { code: '1011', message: '' } }, 400),
      'rejected',
      'bad_address',
    ],
  ],
} as const

// Endpoints of subscriptions name the service's port: it is the same for all the conformance tests.
const services = await openServices()
afterAll(() => services.stop())

for (const kind of KINDS) {
  const { url } = services
  describeChannel(
    `push by ${kind}`,
    {
      module: push,
      reachable: [{ ...li, devices: [deviceOf(kind, url)] }],
      unreachable: [li, { ...li, devices: [] }, { ...li, devices: [{ ...deviceOf(kind, url), token: '' }] }],
      template,
      view: {},
      open: async (deadline) => {
        services.instead = undefined
        const provoke = (instead: Provider['instead']) => () => {
          services.instead = instead
        }
        const channel = openPush(settingsFor(url, [kind]), deadline)
        // The bearer and the cids are there when the faults begin.
        const device = deviceOf(kind, url)
        await channel.send({
          contactId: 1,
          touchpointId: 2,
          key: 'warm',
          address: [device],
          content: { title: 'a', body: 'b', url: undefined },
        })
        return {
          channel: channel as Channel<unknown, PushContent>,
          faults: [
            ...FAULTS[kind].map(([name, instead, promised, reason, unreached, takesNone]) => ({
              name,
              ...(takesNone === undefined ? {} : { takesNone }),
              ...(unreached === undefined ? {} : { unreached }),
              provoke: provoke(instead),
              promised,
              address: [device],
              ...(reason ? { reason } : {}),
            })),
            {
              name: 'silence',
              provoke: provoke('silence'),
              promised: 'uncertain' as const,
              silent: true as const,
              address: [device],
            },
          ],
          heal: provoke(undefined),
          secrets: [vapid.privateKey, 'master', 'PRIVATE KEY'],
          peak: () => services.peak,
          stop: () => {},
        }
      },
    },
    { describe, it },
  )
}

describe('a push', () => {
  const message = (devices: Device[], body = 'Come back') => ({
    contactId: 7,
    touchpointId: 42,
    key: 'tp-42',
    address: devices,
    content: { title: '您好', body, url: '/cart' },
  })
  const reference = referenceOf({ contactId: 7, touchpointId: 42 })
  const tap = signTap(TAP_SECRET, { contactId: 7, touchpointId: 42 })
  const openAll = async () => {
    const server = await openServices()
    const channel = openPush(settingsFor(server.url), 3000)
    return {
      server,
      channel,
      devices: KINDS.map((kind) => deviceOf(kind, server.url)),
      close: () => Promise.all([channel.close(), server.stop()]),
    }
  }

  it('is opened by the browser it was encrypted for', async () => {
    const { server, channel, devices, close } = await openAll()
    expect(await channel.send(message(devices.slice(0, 1)))).toMatchObject({
      outcome: 'sent',
      providerId: expect.stringContaining('/message/1'),
    })
    const [asked] = server.asked
    expect(decrypt(asked?.body ?? Buffer.alloc(0))).toEqual({
      title: '您好',
      body: 'Come back',
      url: '/cart',
      tap,
    })
    expect(asked?.headers).toMatchObject({ ttl: '172800', topic: reference })
    await close()
  })

  it('goes to every device; the bearer is asked for once, the cid comes from the pool', async () => {
    const { server, channel, devices, close } = await openAll()
    const outcomes = await Promise.all([1, 2, 3].map(() => channel.send(message(devices))))
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['sent', 'sent', 'sent'])
    const paths = server.asked.map(({ path }) => path.split('?')[0] ?? '')
    const count = (path: string) => paths.filter((one) => one === path).length
    expect([
      count('/token'),
      count('/browser/1'),
      count('/v3/push'),
      count('/v1/projects/shop/messages:send'),
    ]).toEqual([1, 3, 3, 3])
    const bodies = server.asked
      .filter(({ path }) => path === '/v3/push')
      .map(({ body }) => JSON.parse(body.toString()) as { cid: string })
    expect(new Set(bodies.map(({ cid }) => cid)).size).toBe(3)
    expect(bodies[0]).toMatchObject({
      audience: { registration_id: ['jpush-1'] },
      notification: { android: { title: '您好', extras: { tap, url: '/cart' } } },
    })
    await close()
  })

  it('that Google gives no bearer for says why in its words: a revoked key, a clock that is wrong', async () => {
    const { server, channel, devices, close } = await openAll()
    server.instead = json({ error: 'invalid_grant', error_description: 'Invalid JWT Signature.' }, 400)
    expect(await channel.send(message(devices.slice(1, 2)))).toMatchObject({
      outcome: 'retry',
      detail:
        'no access to FCM: Google answers 400 invalid_grant Invalid JWT Signature. to push@shop.example',
    })
    server.instead = { status: 502, body: '<html>' }
    expect(await channel.send(message(devices.slice(1, 2)))).toMatchObject({
      detail: 'no access to FCM: Google answers 502 to push@shop.example',
    })
    await close()
  })

  it('of a title alone is shown on Android, too', async () => {
    const { server, channel, devices, close } = await openAll()
    await channel.send(message(devices.slice(2), ''))
    const pushed = server.asked.find(({ path }) => path === '/v3/push')
    expect(JSON.parse(pushed?.body.toString() ?? '').notification.android).toMatchObject({
      alert: '您好',
      title: '您好',
    })
    await close()
  })

  it('whose answer was lost is asked for again with the same cid, where the provider knows one', async () => {
    const { server, channel, devices } = await openAll()
    const [, , jpush] = devices
    if (!jpush) throw new Error('no device')
    await channel.send(message([jpush]))
    server.instead = 'hang up'
    const sending = channel.send(message([jpush]))
    expect(await sending).toMatchObject({ outcome: 'uncertain' })
    // It may have been pushed, though the second call finds nobody.
    server.instead = 'silence'
    const before = server.reached
    const doubted = channel.send(message([jpush]))
    await vi.waitFor(() => expect(server.reached).toBe(before + 1), { interval: 1 })
    const stopped = server.stop()
    expect(await doubted).toMatchObject({ outcome: 'uncertain' })
    await stopped
    await channel.close()
  })

  it.each([
    ['its rate is used up', json({ error: { code: 2002, message: 'limit' } }, 429)],
    ['our key is no longer let in', json({ error: { code: 1004, message: 'auth failed' } }, 401)],
    ['a proxy answers', json({}, 403)],
  ])('whose answer was lost may be pushed, though the second call is turned away: %s', async (_, answer) => {
    const { server, channel, devices, close } = await openAll()
    const [, , jpush] = devices
    if (!jpush) throw new Error('no device')
    await channel.send(message([jpush]))
    server.instead = 'hang up'
    const before = server.reached
    const sending = channel.send(message([jpush]))
    await vi.waitFor(() => expect(server.reached).toBe(before + 1), { interval: 1 })
    server.instead = answer
    expect(await sending).toMatchObject({ outcome: 'uncertain' })
    await close()
  })

  it('waits for any device as long as it is worth, in the words of each', async () => {
    const { server, channel, devices, close } = await openAll()
    const begun = Math.floor(Date.now() / 1000)
    await channel.send(message(devices))
    const bodyOf = (path: string) =>
      JSON.parse(server.asked.find((one) => one.path === path)?.body.toString() ?? '')
    const pushed = bodyOf('/v1/projects/shop/messages:send').message
    expect(pushed).toMatchObject({ android: { ttl: '172800s' }, webpush: { headers: { TTL: '172800' } } })
    expect(Number(pushed.apns.headers['apns-expiration']) - begun - 172_800).toBeLessThan(60)
    expect(Number(pushed.apns.headers['apns-expiration'])).toBeGreaterThanOrEqual(begun + 172_800)
    expect(bodyOf('/v3/push').options).toMatchObject({ time_to_live: 172_800 })
    await close()
  })

  it('is asked for again with the same cid where JPush fails, and with none that JPush has forgotten', async () => {
    const { server, channel, devices, close } = await openAll()
    const [, , jpush] = devices
    if (!jpush) throw new Error('no device')
    const pooled = () => server.asked.filter(({ path }) => path.startsWith('/v3/push/cid')).length
    await channel.send(message([jpush]))
    await channel.send(message([jpush]))
    expect(pooled()).toBe(1)
    const before = server.reached
    server.instead = json({ error: { code: 1030, message: 'timeout' } }, 503)
    expect(await channel.send(message([jpush]))).toMatchObject({ outcome: 'uncertain' })
    expect(server.reached).toBe(before + 2)
    server.instead = undefined
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 90_000_000 })
    try {
      expect(await channel.send(message([jpush]))).toMatchObject({ outcome: 'sent' })
    } finally {
      vi.useRealTimers()
    }
    expect(pooled()).toBe(2)
    await close()
  })

  it('that is beyond the rate of its provider waits, and the next ones with it', async () => {
    const { server, channel, devices, close } = await openAll()
    const [, , jpush] = devices
    if (!jpush) throw new Error('no device')
    server.instead = json({ error: { code: 2002, message: 'limit' } }, 429, {
      'X-Rate-Limit-Remaining': '0',
      'X-Rate-Limit-Reset': '42',
    })
    expect(await channel.send(message([jpush]))).toMatchObject({ outcome: 'retry', after: 42 })
    server.instead = undefined
    const asked = server.asked.length
    expect(await channel.send(message([jpush]))).toMatchObject({
      outcome: 'retry',
      detail: expect.stringContaining('rate'),
    })
    expect(server.asked).toHaveLength(asked)
    await close()
  })

  it('is put off for as long as a browser’s service says, out of order or not', async () => {
    const { server, channel, devices, close } = await openAll()
    const [web] = devices
    if (!web) throw new Error('no device')
    for (const status of [429, 503]) {
      server.instead = json({}, status, { 'Retry-After': '900' })
      expect(await channel.send(message([web]))).toMatchObject({ outcome: 'retry', after: 900 })
    }
    await close()
  })

  it('that is too large is refused before it is sent', async () => {
    const { server, channel, devices, close } = await openAll()
    for (const device of devices) {
      expect(await channel.send(message([device], '字'.repeat(1400)))).toMatchObject({
        outcome: 'rejected',
        reason: 'content',
      })
    }
    expect(
      server.asked.filter(
        ({ path }) => path === '/v3/push' || path.startsWith('/browser') || path.startsWith('/v1'),
      ),
    ).toEqual([])
    await close()
  })

  it('never goes to an endpoint in a private network, nor to what is no subscription', async () => {
    const channel = openPush(
      pushSettings.parse({
        web: {
          subject: 'mailto:ops@shop.example',
          public_key: vapid.publicKey,
          private_key: vapid.privateKey,
        },
      }),
    )
    const keys = { p256dh: browser.getPublicKey('base64url'), auth: auth.toString('base64url') }
    for (const device of [
      { token: 'https://169.254.169.254/latest', keys },
      { token: 'http://push.example/', keys },
      { token: 'nonsense', keys },
      { token: 'https://push.example/', keys: null },
      { token: 'https://push.example/', keys: { p256dh: 'x', auth: 'y' } },
      // As a browser without a push service gives it.
      { token: 'https://permanently-removed.invalid/fcm/send/a', keys },
    ]) {
      expect(await channel.send(message([{ provider: 'web', ...device }]))).toMatchObject({
        outcome: 'rejected',
        reason: 'bad_address',
        dead: [device.token],
      })
    }
    await channel.close()
  })

  it('that reached one device reached the person; the dead ones are named', () => {
    const device = (token: string): Device => ({ provider: 'fcm', token, keys: null })
    const dead = { outcome: 'dead', detail: 'gone' } as const
    expect(
      combine([
        [device('a'), dead],
        [device('b'), { outcome: 'sent' }],
        [device('c'), { outcome: 'retry', detail: 'later' }],
      ]),
    ).toEqual({ outcome: 'sent', dead: ['a'] })
    expect(
      combine([
        [device('a'), { outcome: 'retry', detail: 'later' }],
        [device('b'), { outcome: 'uncertain', detail: '?' }],
      ]),
    ).toMatchObject({ outcome: 'uncertain' })
    expect(
      combine([
        [device('a'), dead],
        [device('b'), dead],
      ]),
    ).toEqual({ outcome: 'rejected', reason: 'bad_address', detail: 'gone; gone', dead: ['a', 'b'] })
  })

  it('was not reached where none of their devices’ provider was, and there is no other', () => {
    const device = (token: string): Device => ({ provider: 'fcm', token, keys: null })
    const away = { outcome: 'retry', detail: 'ECONNREFUSED', unsent: true, unreached: true } as const
    const both = (other: DeviceOutcome) =>
      [
        [device('a'), away],
        [device('b'), other],
      ] as const
    expect(combine(both(away))).toMatchObject({ outcome: 'retry', unreached: true })
    expect(combine(both(away), true)).toMatchObject({ outcome: 'retry', unreached: false })
    expect(combine(both({ outcome: 'dead', detail: 'gone' }))).toMatchObject({ unreached: false })
    expect(combine(both({ outcome: 'retry', detail: '503' }))).toMatchObject({ unreached: false })
    const full = { outcome: 'retry', detail: '503', takesNone: true } as const
    const one = [[device('a'), full]] as const
    expect(combine(one)).toMatchObject({ outcome: 'retry', takesNone: true })
    expect(combine(one, true)).toMatchObject({ outcome: 'retry', takesNone: false })
    expect(combine(both(full))).toMatchObject({ unreached: false, takesNone: false })
  })

  it('says so of a provider that nobody listens for, and of no browser’s own service', async () => {
    const url = 'http://127.0.0.1:9/'
    for (const [name, away] of [
      ['fcm', true],
      ['jpush', true],
      ['web', undefined],
    ] as const) {
      const channel = openPush(settingsFor(url, [name]))
      const delivery = await channel.send(message([deviceOf(name, url)]))
      expect(delivery).toMatchObject({ outcome: 'retry' })
      expect('unreached' in delivery && delivery.unreached === true).toBe(away === true)
      await channel.close()
    }
  })
})

describe('a tap', () => {
  const channel = openPush(settingsFor('http://127.0.0.1:9/', ['jpush']))
  const now = new Date('2026-03-02T04:00:00Z')
  const post = (body: string) => {
    const call: Webhook = {
      url: 'https://shop.example/',
      provider: undefined,
      headers: {},
      body: Buffer.from(body),
      now,
    }
    return readNow(channel, call)
  }
  const tap = signTap(TAP_SECRET, { contactId: 7, touchpointId: 42 })
  it('is a click on the push it came with, however often it is told', () => {
    const event = { contactId: 7, touchpointId: 42, kind: 'clicked', eventId: 'tap', at: now }
    expect(post(JSON.stringify({ tap }))).toEqual({ outcome: 'accepted', events: [event], replies: [] })
  })
  it('is refused where we did not sign it', () => {
    expect(
      post(JSON.stringify({ tap: `${tap.slice(0, -1)}${tap.endsWith('A') ? 'B' : 'A'}` })),
    ).toMatchObject({ status: 401 })
    expect(post(JSON.stringify({ tap: referenceOf({ contactId: 7, touchpointId: 42 }) }))).toMatchObject({
      status: 401,
    })
    for (const body of ['', '[]', 'null', '{"tap":1}']) expect(post(body)).toMatchObject({ status: 400 })
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (body) => {
        expect(post(body)?.outcome).toBe('refused')
      }),
    )
    fc.assert(fc.property(fc.string(), (text) => readTap(TAP_SECRET, text) === undefined))
  })
})
