import { type LoopbackAnswer, type Misbehaviour, openProvider } from '../../test/support/provider.ts'
import { type Fault, startSmtp } from '../../test/support/smtp.ts'
import type { Luck } from './luck.ts'

// The far end of every channel: servers on this machine that take messages, and now and then time out, hang up, are
// busy (429) or broken (5xx). They count what they may have delivered.

export type Far = 'email' | 'sms' | 'push' | 'webhook' | 'callback'

/** A message as its provider knows it. */
export interface Handover {
  readonly channel: Far
  /** `wb-…`, as receipts name it. */
  readonly reference: string
  /** One-click unsubscription, of a mail. */
  readonly unsubscribe?: string | undefined
  /** The code of an offer, where the message has one. */
  readonly code?: string | undefined
}

export interface Providers {
  readonly smtpPort: number
  /** With a slash at its end. */
  readonly url: string
  /** How often each message may have been delivered, by channel and reference. */
  readonly taken: ReadonlyMap<Far, ReadonlyMap<string, number>>
  /** Keys under which a message came where repeats are recognised: one each. */
  readonly keys: ReadonlyMap<string, ReadonlySet<string>>
  /** Texts in which a fact is a blank. */
  readonly blanks: readonly string[]
  /** What accounts were credited, by key. */
  readonly credits: ReadonlyMap<string, string>
  /** Keys under which something else was asked for than before. */
  readonly odd: readonly string[]
  /** Nothing fails any more. */
  heal(): void
  stop(): Promise<void>
}

const CODE = /[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}/
/** Share of requests that go wrong, and how. */
const WRONG = 0.06
const FAULTS: readonly Fault[] = [
  { at: 'rcpt', reply: '450 4.2.0 later', times: 3 },
  { at: 'rcpt', reply: '550 5.1.1 nobody', times: 1 },
  { at: 'connect', reply: '421 4.3.2 busy', times: 2 },
  { at: 'body', action: 'drop', times: 1 },
  { at: 'dot', reply: '451 4.3.0 later', times: 2 },
  { at: 'dot', action: 'drop', kept: true, times: 1 },
  { at: 'dot', action: 'stall', kept: true, times: 1 },
  { at: 'dot', delay: 400, times: 5 },
]
/** Milliseconds between two faults of the mail server, and two looks at what it has taken. */
const FAULT_EVERY = 1500
const LOOK_EVERY = 100

/** Opens them. `onTaken` hears of each message that was taken and said to be. */
export async function openProviders(luck: Luck, onTaken: (handover: Handover) => void): Promise<Providers> {
  const taken = new Map<Far, Map<string, number>>()
  const keys = new Map<string, Set<string>>()
  const blanks: string[] = []
  const credits = new Map<string, string>()
  const odd: string[] = []
  let well = false
  const take = (channel: Far, reference: string) => {
    const known = taken.get(channel) ?? new Map<string, number>()
    taken.set(channel, known.set(reference, (known.get(reference) ?? 0) + 1))
  }
  const see = (text: string) => {
    if (text.includes('[]')) blanks.push(text)
  }
  const json = (status: number, body: object): LoopbackAnswer => ({ status, body: JSON.stringify(body) })

  /** A provider that knows no repeats: what it may have delivered counts, whatever it answers. */
  const deliver = (channel: Far, reference: string, answer: object): LoopbackAnswer | Misbehaviour => {
    if (!well && luck.chance(WRONG)) {
      const wrong = luck.below(4)
      if (wrong === 0) return { status: 429, headers: { 'Retry-After': '2' } }
      take(channel, reference)
      return wrong === 1 ? 'silence' : wrong === 2 ? 'hang up' : { status: 500 }
    }
    take(channel, reference)
    onTaken({ channel, reference })
    return json(201, answer)
  }
  /** One that knows repeats by their key. */
  const accept = (channel: Far, items: readonly { key: string; reference: string }[]) => {
    for (const { key, reference } of items) {
      keys.set(reference, (keys.get(reference) ?? new Set()).add(key))
    }
    if (!well && luck.chance(WRONG)) {
      const wrong = luck.below(4)
      if (wrong === 0) return { status: 429, headers: { 'Retry-After': '2' } }
      return wrong === 1 ? 'silence' : wrong === 2 ? 'hang up' : { status: 503 }
    }
    for (const { reference } of items) {
      if (!taken.get(channel)?.has(reference)) onTaken({ channel, reference })
      take(channel, reference)
    }
    return undefined
  }

  /** The shop's own, which credits accounts, each once for a key. */
  const credit = (key: string, text: string): LoopbackAnswer | Misbehaviour => {
    if ((credits.get(key) ?? text) !== text) odd.push(key)
    if (!well && luck.chance(WRONG)) {
      const wrong = luck.below(5)
      if (wrong < 2) return { status: wrong === 0 ? 429 : 401 }
      if (luck.chance(0.5)) credits.set(key, text)
      return wrong === 2 ? 'silence' : wrong === 3 ? 'hang up' : { status: 503 }
    }
    credits.set(key, text)
    return json(200, {})
  }

  const http = await openProvider(({ path, body, headers }) => {
    const text = body.toString('utf8')
    see(text)
    if (path === '/credits') return credit(String(headers['idempotency-key']), text)
    if (path === '/token') return json(200, { access_token: 'token', expires_in: 3600 })
    if (path.startsWith('/2010-04-01/')) {
      const callback = new URL(new URLSearchParams(text).get('StatusCallback') ?? 'http://none')
      const reference = callback.searchParams.get('ref') ?? ''
      return deliver('sms', reference, { sid: `SM${reference}` })
    }
    if (path.startsWith('/v1/projects/')) {
      const { message } = JSON.parse(text) as { message: { data: { reference: string } } }
      return deliver('push', message.data.reference, { name: `push/${message.data.reference}` })
    }
    if (path === '/robot') {
      const { reference } = JSON.parse(text) as { reference: string }
      const wrong = accept('callback', [{ reference, key: String(headers['idempotency-key']) }])
      return wrong ?? json(202, { id: `robot-${reference}` })
    }
    const { items } = JSON.parse(text) as { items: { key: string; reference: string }[] }
    const results = items.map(({ key }) => ({ key, status: 'sent', id: `hook-${key}` }))
    return accept('webhook', items) ?? json(200, { results })
  })
  const smtp = await startSmtp()
  const faults = setInterval(() => {
    const fault = luck.pick(FAULTS)
    if (!well && fault) smtp.faults.add(fault)
  }, FAULT_EVERY)
  const look = () => {
    // Taken out: ten minutes of mail would be the largest thing in memory.
    for (const { header, raw } of smtp.messages.splice(0)) {
      const reference = /\.(wb-[0-9a-z]+-[0-9a-z]+-[0-9a-z]+)@/.exec(header('Message-ID') ?? '')?.[1] ?? ''
      const text = raw.toString('latin1')
      see(text)
      take('email', reference)
      const unsubscribe = /<(http[^>]+)>/.exec(header('List-Unsubscribe') ?? '')?.[1]
      onTaken({ channel: 'email', reference, unsubscribe, code: CODE.exec(text)?.[0] })
    }
    http.asked.length = 0
  }
  const looking = setInterval(look, LOOK_EVERY)
  return {
    smtpPort: smtp.port,
    url: http.url,
    taken,
    keys,
    blanks,
    credits,
    odd,
    heal: () => {
      well = true
      smtp.faults.clear()
    },
    stop: async () => {
      clearInterval(faults)
      clearInterval(looking)
      look()
      await http.stop()
      await smtp.stop()
    },
  }
}
