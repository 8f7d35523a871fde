import { openCallback } from '../../src/channels/callback/callback.ts'
import { openInapp } from '../../src/channels/inapp/inapp.ts'
import { type ManualClock, manualClock } from '../../src/clock.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { createApiKey } from '../../src/web/api-keys.ts'
import { composeWeb } from '../../src/web/server.ts'
import { freshDatabase } from './database.ts'
import { openRobot, ROBOT, reportHeaders } from './robot.ts'
import { openShop, parseWorkspace, type Shop, TEMPLATES, WORKSPACE } from './shop.ts'

// Calls of one campaign, people and a robot beside them, over the composed web side.

const START = new Date('2026-03-10T09:00:00Z')
/** Two calls a day, and a gift in the app on return. */
export const CAMPAIGN = `
version: 1
campaign: calling
title: Calling
owner: team@shop.example
priority: 70
schedule: "0 9 * * *"
timezone: UTC
goals: { recall: { event: session } }
window: 30d
holdout: 0%
limits: { spread: 0s, max_delay: 2d }
offers:
  gift: { kind: benefit, name: A tin of tea, value: 3 CNY, stock: 5 }
tiers:
  - name: only
    inactive: 3d..20d
    steps:
      - { id: call, channel: callback, script: adviser, sla: 24h, capacity: 2 per day }
on_return:
  - { id: welcome, channel: inapp, template: welcome, offer: gift }
`
const TEXTS = {
  ...TEMPLATES,
  'adviser.en.hbs': '<p>Ask what {{workspace.name}} could do better</p>\n',
  'promise.en.hbs': '<p>{{contact.first_name}} gets {{offer.code}} until {{date offer.expires_at}}</p>\n',
  'welcome.en.hbs': '---\nsubject: Good to see you\nurl: /gift\n---\n<p>{{offer.name}} is yours</p>\n',
}

export let shop: Shop
export let clock: ManualClock
export let api: (
  path: string,
  body?: unknown,
  method?: string,
) => Promise<{ status: number; body: Record<string, unknown> }>
export let robot: Awaited<ReturnType<typeof openRobot>> | undefined

/**
 * Opens a shop whose people are all due to be called, and sends.
 * @param withRobot what is beyond the capacity goes to a robot
 */
export async function openCalling(
  people: number,
  withRobot = false,
  instead?: 'hang up',
  campaign = CAMPAIGN,
): Promise<void> {
  clock = manualClock(START)
  robot = withRobot ? await openRobot() : undefined
  if (robot) robot.instead = instead
  const workspace = WORKSPACE.replace(
    'channels:\n',
    'topics: { offers: Offers, news: News }\nchannels:\n  callback: { wage: "60" }\n  inapp: {}\n',
  )
  const { channels } = parseWorkspace(workspace)
  if (!channels.callback || !channels.inapp) throw new Error('no channels')
  const callback = robot
    ? {
        ...channels.callback,
        robot: { ...ROBOT, url: robot.url, key_id: 'winback', takes: 'overflow' as const, price: '0.5' },
      }
    : channels.callback
  shop = await openShop({
    database: await freshDatabase(),
    clock,
    channels: [openCallback(callback), openInapp(channels.inapp)],
    workspace,
    templates: TEXTS,
  })
  const ids = Array.from({ length: people }, (_, no) => `u${no + 1}`)
  await shop.importContacts(
    ids.map((id, no) => ({ external_id: id, phone: `+86138001380${10 + no}`, first_name: 'Li' })),
  )
  await shop.importActivity(
    ids.map((id) => ({ external_id: id, type: 'session', occurred_at: '2026-03-06T00:00:00Z' })),
  )
  await shop.apply(campaign)
  await shop.run('calling')
  const app = composeWeb({ runtime: shop.runtime })
  const key = await createApiKey(shop.database, {
    name: 'desk',
    scopes: ['calls', 'inapp'],
    now: START,
    by: 'test',
  })
  api = async (path, body, method = body === undefined ? 'GET' : 'POST') => {
    const headers = { Authorization: `Bearer ${key.text}` }
    const answer = await app.request(path, {
      headers,
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    return { status: answer.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) }
  }
  await work()
}

/** Sends what is due. */
export async function work(): Promise<void> {
  await dispatchDue(shop.database, { now: clock.now(), jobs: 100 }, async (batch) => {
    await processBatch(shop.runtime.worker, batch)
  })
}

/** The queue, as the API gives it. */
export async function queue(query = ''): Promise<Record<string, unknown>[]> {
  return (await api(`/v1/calls${query}`)).body.calls as Record<string, unknown>[]
}

export async function closeCalling(): Promise<void> {
  await shop.runtime.close()
  await robot?.stop()
}

/** Somebody comes back. */
export const back = (who: string) =>
  shop.importActivity([{ external_id: who, type: 'session', occurred_at: clock.now().toISOString() }])

/** What the robot was posted, the first first. */
export function tasks(): { readonly reference: string }[] {
  return (robot?.asked ?? []).map(({ body }) => JSON.parse(body.toString()) as { reference: string })
}

/** The robot reports. */
export async function report(calls: readonly object[]): Promise<{ status: number; body: unknown }> {
  const body = JSON.stringify({ calls })
  const headers = reportHeaders(clock.now(), body)
  const app = composeWeb({ runtime: shop.runtime })
  const answer = await app.request('/v1/receipts/callback', { method: 'POST', body, headers })
  return { status: answer.status, body: await answer.json() }
}
