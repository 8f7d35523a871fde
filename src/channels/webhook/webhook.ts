import { hash } from 'node:crypto'
import { z } from 'zod'
import { WinbackError } from '../../errors.ts'
import type { Channel, ChannelModule, Delivery, Message } from '../channel.ts'
import { type Exchange, neverLeft, openHttp, parseJson, retryAfter, saysTakesNone } from '../http.ts'
import { openLane } from '../lane.ts'
import { parsePrice } from '../price.ts'
import { guardedLookup, type Resolve, refusalOf } from '../private-hosts.ts'
import { referenceOf } from '../reference.ts'
import { readWebhookReceipts } from './receipts.ts'
import { type WebhookSettings, webhookSettings } from './settings.ts'
import { signedHeaders } from './signature.ts'

/** Signed HTTP to a provider of your own, in batches. It must recognise a repeat by each item's `key`. */
export const webhook: ChannelModule<WebhookSettings> = {
  name: 'webhook',
  idempotent: true,
  address: 'none',
  renders: true,
  settings: webhookSettings,
  open: (settings) => openWebhook(settings),
}

/** Whom a message is for, as the provider is told. */
export interface Recipient {
  readonly external_id: string
  readonly locale: string
  readonly timezone: string
  readonly email?: string | null
  readonly phone?: string | null
}

export interface WebhookContent {
  readonly template: string
  readonly front: Readonly<Record<string, string>>
  readonly text: string
  readonly html: string
}

/** What a provider says of one message. What it adds beside the status is taken where it makes sense. */
const result = z.discriminatedUnion('status', [
  z.object({
    status: z.literal('sent'),
    id: z
      .union([z.string(), z.number().transform(String)])
      .optional()
      .catch(undefined),
  }),
  z.object({
    status: z.literal('rejected'),
    reason: z.enum(['bad_address', 'refused', 'content', 'unsubscribed']).catch('refused'),
    detail: z.string().min(1).catch('no reason given'),
  }),
  z.object({
    status: z.literal('retry'),
    detail: z.string().min(1).catch('no reason given'),
    after: z.coerce.number().positive().optional().catch(undefined),
  }),
])
const answer = z.object({ results: z.array(z.looseObject({ key: z.string() }).optional().catch(undefined)) })

/** Milliseconds. */
const DEADLINE = 20_000
/** Milliseconds a message waits for others to go with. */
const GATHER = 5
/** A web server’s own answer, often to a megabyte; the provider behind it has seen nothing. */
const TOO_LARGE = 413

interface Waiting {
  readonly message: Message<Recipient, WebhookContent>
  done(delivery: Delivery): void
}

/**
 * @param options.deadline milliseconds a send may take
 * @param options.resolve resolves names in the place of the system's resolver
 * @throws WinbackError `channels.webhook.settings` for a URL that may not be called
 */
export function openWebhook(
  settings: WebhookSettings,
  options: { deadline?: number; resolve?: Resolve } = {},
): Channel<Recipient, WebhookContent> {
  const refusal = refusalOf(settings.url, settings.allow_private)
  if (refusal !== undefined) {
    throw new WinbackError('channels.webhook.settings', `channels.webhook.url: ${refusal}`, {
      remedy: 'Name the host under channels.webhook.allow_private where it is meant to be called.',
    })
  }
  const { deadline = DEADLINE, resolve } = options
  const price = parsePrice(settings.price)
  const lookup = guardedLookup(settings.allow_private, resolve)
  const http = openHttp({ deadline, reuse: true, lookup })
  const lane = openLane(settings.batch * settings.connections)
  const requests = openTurns(settings.connections)
  let gathering: Waiting[] = []
  /** Messages in one request: fewer, once the provider has said that so many are too large for it. */
  let most = settings.batch

  const patience = deadline - GATHER
  const post = async (body: object, key: string, until: number): Promise<Exchange> => {
    const text = JSON.stringify(body)
    const exchange = await requests(until - performance.now(), () => {
      // Real time, whatever clock the campaign runs by: the provider compares it with its own.
      const timestamp = Math.floor(Date.now() / 1000)
      const headers = {
        'Content-Type': 'application/json',
        'Idempotency-Key': key,
        ...signedHeaders(settings, timestamp, text),
      }
      const within = Math.max(1, until - performance.now())
      return http.call({ method: 'POST', url: settings.url, headers, body: text, within })
    })
    const detail = `no connection was free within ${patience / 1000} s`
    return exchange ?? { kind: 'unsent', detail, unreached: false }
  }
  const deliver = async (batch: readonly Waiting[], until: number): Promise<void> => {
    const items = batch.map(({ message }) => itemOf(message))
    const exchange = await post({ items }, batchKey(batch), until)
    if (batch.length > 1 && exchange.kind === 'answered' && exchange.status === TOO_LARGE) {
      const half = Math.ceil(batch.length / 2)
      most = Math.min(most, half)
      await Promise.all([deliver(batch.slice(0, half), until), deliver(batch.slice(half), until)])
      return
    }
    const outcomes = outcomesOf(exchange)
    for (const { message, done } of batch) done(outcomes(message.key))
  }
  const flush = () => {
    const batch = gathering
    gathering = []
    void deliver(batch, performance.now() + patience)
  }
  const join = (message: Message<Recipient, WebhookContent>) =>
    new Promise<Delivery>((done) => {
      gathering.push({ message, done })
      if (gathering.length >= most) flush()
      else if (gathering.length === 1) setTimeout(() => gathering.length > 0 && flush(), GATHER)
    })

  return {
    name: webhook.name,
    idempotent: webhook.idempotent,
    concurrency: settings.batch * settings.connections,
    deadline,
    addressOf: ({ externalId, locale, timezone, email, phone }) => {
      const given = settings.include
      return {
        external_id: externalId,
        locale,
        timezone,
        ...(given.includes('email') ? { email } : {}),
        ...(given.includes('phone') ? { phone } : {}),
      }
    },
    render: (template, view) => {
      if (!template) throw new Error('a message needs a template')
      const { front, text = '', html } = template.render(view)
      return { template: template.name, front, text, html }
    },
    cost: () => price,
    send: (message) => lane.run(() => join(message)),
    receipts: (call) => readWebhookReceipts(call, settings),
    check: async () => {
      const exchange = await post({ items: [] }, 'check', performance.now() + patience)
      if (exchange.kind !== 'answered') throw new Error(exchange.detail)
      if (exchange.status >= 300)
        throw new Error(`${settings.url} answers ${exchange.status} to an empty batch`)
      return `${new URL(settings.url).host} answers to a signed batch`
    },
    leave: () => http.close(),
    close: async () => {
      await lane.close()
      http.close()
    },
  }
}

/** What the provider gets of a message. */
function itemOf(message: Message<Recipient, WebhookContent>) {
  return { key: message.key, reference: referenceOf(message), to: message.address, ...message.content }
}

/** The same for the same messages, whatever else has happened. */
function batchKey(batch: readonly Waiting[]): string {
  const keys = batch.map(({ message }) => message.key).toSorted()
  return hash('sha256', keys.join('\n'))
}

/** Lets so many requests be under way at a time; undefined where there was no room for one within its milliseconds. */
function openTurns(width: number): <T>(patience: number, work: () => Promise<T>) => Promise<T | undefined> {
  const waiting = new Set<() => void>()
  let free = width
  const roomWithin = (patience: number) =>
    new Promise<boolean>((resolve) => {
      const begin = () => {
        clearTimeout(timer)
        resolve(true)
      }
      const timer = setTimeout(() => {
        waiting.delete(begin)
        resolve(false)
      }, patience)
      waiting.add(begin)
    })
  return async (patience, work) => {
    if (free > 0) free -= 1
    else if (!(await roomWithin(patience))) return undefined
    try {
      return await work()
    } finally {
      const [next] = waiting
      if (next) {
        waiting.delete(next)
        next()
      } else free += 1
    }
  }
}

/** What became of each message of a batch. The provider knows keys, so whatever is in doubt is asked again. */
function outcomesOf(exchange: Exchange): (key: string) => Delivery {
  if (exchange.kind !== 'answered') {
    const delivery: Delivery =
      exchange.kind === 'unsent'
        ? neverLeft(exchange)
        : { outcome: 'retry', detail: exchange.detail, unsent: false }
    return () => delivery
  }
  const { status, headers, text } = exchange
  if (status >= 300) {
    const after = retryAfter(headers, new Date()) ?? (status === 403 ? 3600 : undefined)
    const redirected = status < 400 ? '; redirects are not followed' : ''
    const detail = `the provider answers ${status}${redirected}`
    if (status === TOO_LARGE) return () => ({ outcome: 'rejected', reason: 'content', detail })
    const unsent = status < 500
    // It does not believe us, whatever the messages are. A 403 may be about what they say: so answer firewalls, which read them.
    const unreached = status === 401
    const said = {
      unsent,
      unreached,
      takesNone: saysTakesNone(status),
      ...(after === undefined ? {} : { after }),
    }
    return () => ({ outcome: 'retry', detail, ...said })
  }
  const results = answer.safeParse(parseJson(text)).data?.results
  if (!results) return () => ({ outcome: 'retry', detail: 'the provider’s answer is not { results: […] }' })
  const byKey = new Map<string, unknown[]>()
  for (const said of results) {
    if (!said) continue
    const before = byKey.get(said.key)
    if (before) before.push(said)
    else byKey.set(said.key, [said])
  }
  return (key) => conclude(key, byKey.get(key) ?? [])
}

/** One message's own part of the answer: what is wrong with another's is no matter of its own. */
function conclude(key: string, said: readonly unknown[]): Delivery {
  if (said.length === 0)
    return { outcome: 'retry', detail: 'the provider’s answer does not name this message' }
  const read = said.map((one) => result.safeParse(one).data)
  const [first] = read
  if (first === undefined || read.some((other) => other?.status !== first.status)) {
    const detail = `the provider’s answer cannot be understood: ${JSON.stringify(said).slice(0, 200)}`
    return { outcome: 'retry', detail }
  }
  switch (first.status) {
    case 'sent':
      return { outcome: 'sent', providerId: first.id ?? key }
    case 'rejected':
      return { outcome: 'rejected', reason: first.reason, detail: first.detail }
    case 'retry': {
      const { after, detail } = first
      return { outcome: 'retry', detail, unsent: true, ...(after === undefined ? {} : { after }) }
    }
  }
}
