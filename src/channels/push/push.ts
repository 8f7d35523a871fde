import type { Channel, ChannelModule, Device, Receipts, RefusedWebhook, Webhook } from '../channel.ts'
import { parseJson } from '../http.ts'
import { openLane } from '../lane.ts'
import { parsePrice } from '../price.ts'
import { referenceOf } from '../reference.ts'
import { type PushContent, readTap, renderPush, signTap } from './content.ts'
import { combine, type PushProvider } from './device.ts'
import { openFcm } from './fcm.ts'
import { openJpush } from './jpush.ts'
import { type PushSettings, pushSettings } from './settings.ts'
import { openWebPush } from './web.ts'

/** Pushes to somebody's browsers and apps, each by its own provider. Not idempotent: two of the three know no repeat. */
export const push: ChannelModule<PushSettings> = {
  name: 'push',
  idempotent: false,
  address: 'device',
  renders: true,
  settings: pushSettings,
  lint: (_settings, { front }) =>
    front.subject === undefined ? ['has no subject, which is a push’s title'] : [],
  open: (settings) => openPush(settings),
}

/** Milliseconds a send may take: to all devices of a person side by side. */
const DEADLINE = 30_000
/** Devices of one person that get a push: the newest. */
const DEVICES = 10

/**
 * @param deadline milliseconds
 * @throws WinbackError `channels.push.settings` for keys that cannot be used
 */
export function openPush(
  settings: PushSettings,
  deadline = DEADLINE,
): Channel<readonly Device[], PushContent> {
  const price = parsePrice(settings.price)
  const providers = new Map<Device['provider'], PushProvider>()
  if (settings.web) providers.set('web', openWebPush(settings.web, deadline))
  if (settings.fcm) providers.set('fcm', openFcm(settings.fcm, deadline))
  if (settings.jpush) providers.set('jpush', openJpush(settings.jpush, deadline))
  const lane = openLane(settings.connections)
  const { tap_secret: secret, ttl } = settings
  return {
    name: push.name,
    idempotent: push.idempotent,
    concurrency: settings.connections,
    deadline,
    addressOf: ({ devices = [] }) => {
      const reached = devices.filter(({ provider, token }) => providers.has(provider) && token !== '')
      return reached.length === 0 ? undefined : reached.slice(0, DEVICES)
    },
    render: (template, view) => renderPush(template, view),
    cost: () => price,
    send: (message) =>
      lane.run(async () => {
        const tap = secret === undefined ? undefined : signTap(secret, message)
        const whole = { ...message.content, reference: referenceOf(message), tap, ttl }
        const outcomes = await Promise.all(
          message.address.map(async (device) => {
            const provider = providers.get(device.provider)
            const outcome = await provider?.send(device, whole, message.key)
            return [device, outcome ?? { outcome: 'dead' as const, detail: 'no such provider' }] as const
          }),
        )
        return combine(outcomes, providers.size > 1)
      }),
    ...(secret === undefined ? {} : { receipts: (webhook) => readTaps(webhook, secret) }),
    check: async () =>
      (await Promise.all([...providers.values()].map((provider) => provider.check()))).join('; '),
    leave: () => {
      for (const provider of providers.values()) provider.close()
    },
    close: async () => {
      await lane.close()
      for (const provider of providers.values()) provider.close()
    },
  }
}

/** `{ "tap": "…" }`, from an app or a service worker: the `tap` that came with the push, which only we can have made. */
function readTaps({ body, now }: Webhook, secret: string): Receipts | RefusedWebhook {
  const value = parseJson(Buffer.from(body).toString('utf8'))
  const tap = typeof value === 'object' && value !== null && 'tap' in value ? value.tap : undefined
  if (typeof tap !== 'string') return { outcome: 'refused', status: 400, reason: 'expected { "tap": "…" }' }
  const named = readTap(secret, tap)
  if (!named) return { outcome: 'refused', status: 401, reason: 'the tap is none of ours' }
  return {
    outcome: 'accepted',
    events: [{ ...named, kind: 'clicked', eventId: 'tap', at: now }],
    replies: [],
  }
}
