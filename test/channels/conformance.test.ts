import { createHmac } from 'node:crypto'
import { expect, it } from 'vitest'
import { z } from 'zod'
import type {
  Answer,
  Channel,
  ChannelModule,
  Delivery,
  Message,
  Webhook,
} from '../../src/channels/channel.ts'
import { describeChannel } from '../../src/channels/conformance.ts'
import { openHttp, parseJson } from '../../src/channels/http.ts'
import { openLane } from '../../src/channels/lane.ts'
import { readReference } from '../../src/channels/reference.ts'
import { sameSecret } from '../../src/channels/signatures.ts'
import { openProvider, type Provider } from '../support/provider.ts'

// That each clause of the suite can fail: a channel that is right passes all of it, and one that is broken in one way
// fails the clause that is about it.

const TOKEN = 'the token of the test'
const li = {
  contactId: 1,
  externalId: 'c-1',
  email: null,
  phone: '+8613800000000',
  locale: 'en',
  timezone: 'UTC',
}
const template = { name: 'hello', render: () => ({ front: { subject: 'Hi' }, html: '', text: 'Hello' }) }

const CLAUSES = {
  module: 'is what its module says',
  address: 'finds the address of every contact that has one, and never throws',
  render: 'renders the same from the same, and leaves its input alone',
  cost: 'costs a whole number of micros, none below zero',
  send: 'sends, and the provider has it',
  key: 'gives the provider the same key at every attempt',
  lane: 'never has more under way than its concurrency',
  promise: 'keeps each promise about what a provider may do',
  silence: 'keeps its deadline, and its promise, where the provider is silent',
  odd: 'hands over whatever a template or a contact holds, and nothing beside it',
  ask: 'confirms and asks with an outcome, whatever the provider does',
  report: 'reads what its provider reports, and refuses what anybody could have written',
  check: 'says in words what it finds',
  close: 'closes with what is under way, may be closed again, and then hands nothing over',
} as const

/** Ways to be broken, each with the clause that is about it. */
const BREAKS = {
  'is another than its module says': 'module',
  'throws at an address it cannot read': 'address',
  'takes an address of two lines': 'address',
  'renders by chance': 'render',
  'changes the contact it renders for': 'render',
  'costs nothing whatever the settings say': 'cost',
  'costs fractions of a micro': 'cost',
  'says sent and posts nothing': 'send',
  'answers nothing': 'send',
  'gives an id that is no text': 'send',
  'posts twice what it sends': 'send',
  'makes a key for each attempt': 'key',
  'has as many under way as come': 'lane',
  'throws at a hang-up': 'promise',
  'swallows an error': 'promise',
  'gives no reason': 'promise',
  'gives a reason that is no text': 'promise',
  'takes a refusal for a bad address': 'promise',
  'calls unsent what may have arrived': 'promise',
  'takes an answer for an absence': 'promise',
  'posts later what it said was not taken': 'promise',
  'tells its token in an error': 'promise',
  'tells its token where its check fails': 'promise',
  'never recovers': 'promise',
  'has no deadline': 'silence',
  'has a deadline of its own': 'silence',
  'takes silence for sent': 'silence',
  'puts the text into a header': 'odd',
  'posts a message for each line': 'odd',
  'takes an odd address for an absence': 'odd',
  'throws as it confirms': 'ask',
  'throws as it is asked': 'ask',
  'answers a question with nothing': 'ask',
  'answers a question with what cannot be recorded': 'ask',
  'looks at no signature': 'report',
  'greets anybody': 'report',
  'looks only whether there is a signature': 'report',
  'throws at a report it cannot read': 'report',
  'reports at no time': 'report',
  'forgets whose message it was': 'report',
  'takes one number of a message for the other': 'report',
  'finds nothing': 'check',
  'hands over once it is closed': 'close',
  'forgets what is under way as it closes': 'close',
  'has no certainty once it is closed': 'close',
} as const satisfies Record<string, keyof typeof CLAUSES>
type Break = keyof typeof BREAKS

/** Ways that only matter to a provider that recognises no repeat. */
const REPEATS = {
  'posts again after a hang-up': 'promise',
  'posts again what was silent': 'silence',
} as const satisfies Record<string, keyof typeof CLAUSES>
type Repeat = keyof typeof REPEATS

const sign = (body: string | Uint8Array) => createHmac('sha256', TOKEN).update(body).digest('hex')

const moduleFor = (idempotent: boolean): ChannelModule<object> => ({
  name: 'trial',
  idempotent,
  address: 'phone',
  renders: true,
  settings: z.strictObject({}),
  open: () => {
    throw new Error('the test opens it')
  },
})

/** @param broken in one way, or in none */
function openTrial(
  url: string,
  deadline: number,
  idempotent: boolean,
  broken?: Break | Repeat,
): Channel<string, string> {
  const is = (way: Break | Repeat) => broken === way
  const patience = is('has no deadline') ? 600_000 : is('has a deadline of its own') ? 10_000 : deadline
  const http = openHttp({ deadline: patience, reuse: false })
  const lane = openLane(is('has as many under way as come') ? 1000 : 3)
  const owed: Message<string, string>[] = []
  let tries = 0
  let struck = false
  let closing = false

  const call = ({ key, address, content }: Message<string, string>) =>
    http.call({
      method: 'POST',
      url,
      headers: {
        Authorization: `Bearer ${TOKEN}`,
        'Idempotency-Key': is('makes a key for each attempt') ? `${key}-${tries++}` : key,
        ...(is('puts the text into a header') ? { 'X-Text': content } : {}),
      },
      body: JSON.stringify({ to: address, text: content }),
    })
  const meaning = (exchange: Awaited<ReturnType<typeof call>>, key: string): Delivery => {
    if (exchange.kind !== 'answered') {
      struck = true
      const { kind } = exchange
      const detail = is('tells its token in an error') ? `${exchange.detail} (${TOKEN})` : exchange.detail
      if (is('throws at a hang-up')) throw new Error(detail)
      if (is('takes silence for sent')) return { outcome: 'sent', providerId: key }
      if (!idempotent && kind === 'lost') return { outcome: 'uncertain', detail }
      const unsent = kind === 'unsent' || is('calls unsent what may have arrived')
      return { outcome: 'retry', detail, unsent }
    }
    const { status } = exchange
    if (is('gives an id that is no text')) return { outcome: 'sent', ...({ providerId: { key } } as object) }
    if (status < 300 || is('swallows an error')) return { outcome: 'sent', providerId: key }
    const words = `the provider answers ${status}`
    const odd = is('gives a reason that is no text') ? ([words] as unknown as string) : words
    const detail = is('gives no reason') ? '' : odd
    if (status === 429) {
      return { outcome: 'retry', detail, unsent: true, unreached: is('takes an answer for an absence') }
    }
    const reason = status === 404 || is('takes a refusal for a bad address') ? 'bad_address' : 'refused'
    return { outcome: 'rejected', reason, detail }
  }
  const post = async (message: Message<string, string>): Promise<Delivery> => {
    if (is('takes an odd address for an absence') && !message.address.startsWith('+')) {
      return { outcome: 'retry', detail: 'nobody there', unsent: true, unreached: true }
    }
    if (is('answers nothing')) return undefined as unknown as Delivery
    if (is('says sent and posts nothing')) return { outcome: 'sent', providerId: message.key }
    if (is('never recovers') && struck) return { outcome: 'retry', detail: 'broken', unsent: true }
    for (const late of owed.splice(0)) await call(late)
    const lines = is('posts a message for each line') ? message.content.split('\r\n') : [message.content]
    for (const content of lines.slice(1)) await call({ ...message, content })
    const exchange = await call(message)
    const repeats = is('posts twice what it sends') && exchange.kind === 'answered'
    const resends = is('posts again after a hang-up') || is('posts again what was silent')
    if (repeats || (resends && exchange.kind === 'lost')) await call(message)
    const delivery = meaning(exchange, message.key)
    const turnedAway = delivery.outcome === 'retry' && delivery.unsent
    if (is('posts later what it said was not taken') && turnedAway) owed.push(message)
    return delivery
  }

  return {
    name: is('is another than its module says') ? 'other' : 'trial',
    idempotent,
    concurrency: 3,
    deadline,
    addressOf: ({ phone }) => {
      if (is('throws at an address it cannot read') && !phone?.startsWith('+')) throw new Error('no number')
      if (is('takes an address of two lines') && phone?.includes('\n')) return phone
      if (is('takes an odd address for an absence') && /^1{40}$/.test(phone ?? '')) return phone ?? undefined
      return phone !== null && /^\+\d{8,15}$/.test(phone) ? phone : undefined
    },
    render: (given, view, contact) => {
      if (is('changes the contact it renders for')) Object.assign(contact, { locale: 'fr' })
      return `${given?.render(view).text ?? ''}${is('renders by chance') ? String(Math.random()) : ''}`
    },
    cost: () =>
      is('costs nothing whatever the settings say') ? 0 : is('costs fractions of a micro') ? 0.5 : 50_000,
    send: (message) =>
      is('hands over once it is closed')
        ? post(message)
        : lane
            .run(() => post(message))
            .then((said) =>
              is('has no certainty once it is closed') && said.outcome === 'retry'
                ? { ...said, unsent: false }
                : is('forgets what is under way as it closes') && closing
                  ? { outcome: 'retry', detail: 'closed', unsent: true }
                  : said,
            ),
    confirm: async (reply) => {
      if (is('throws as it confirms')) throw new Error('no')
      const sent = { contactId: 0, touchpointId: 0, key: reply.eventId, address: reply.from, content: 'OK' }
      return meaning(await call(sent), reply.eventId)
    },
    query: async () => {
      if (is('throws as it is asked')) throw new Error('no')
      if (is('answers a question with nothing')) return {} as Answer
      const event = { contactId: 1, touchpointId: 1, kind: 'delivered', eventId: 'q-1' } as const
      const at = is('answers a question with what cannot be recorded') ? new Date('soon') : new Date(0)
      return { outcome: 'sent', events: [{ ...event, at }] }
    },
    greet: ({ url }) => {
      const query = new URL(url).searchParams
      if (query.get('token') === TOKEN || is('greets anybody')) {
        return { outcome: 'accepted', answer: query.get('challenge') ?? '' }
      }
      return { outcome: 'refused', status: 401, reason: 'the token is not ours' }
    },
    receipts: ({ headers, body, now }: Webhook) => {
      if (is('throws at a report it cannot read')) JSON.parse(Buffer.from(body).toString())
      const given = headers['x-signature']
      const fits = is('looks only whether there is a signature')
        ? given !== undefined
        : sameSecret(given ?? '', sign(body))
      if (!fits && !is('looks at no signature')) {
        return { outcome: 'refused', status: 401, reason: 'the signature does not fit' }
      }
      const at = is('reports at no time') ? new Date('soon') : now
      const { reference } = z.object({ reference: z.string() }).parse(parseJson(Buffer.from(body).toString()))
      const { installation, ...named } = readReference(reference) ?? { contactId: 0, touchpointId: 0 }
      const bare = is('takes one number of a message for the other')
        ? { contactId: named.touchpointId, touchpointId: named.contactId }
        : named
      const whose = is('forgets whose message it was') || !installation ? {} : { installation }
      const event = { ...bare, ...whose, kind: 'delivered', eventId: 'e-1', at } as const
      return { outcome: 'accepted', events: [event], replies: [] }
    },
    check: async () => {
      if (is('finds nothing')) return ' '
      const exchange = await http.call({ method: 'GET', url, headers: {} })
      if (exchange.kind === 'answered' && exchange.status < 300) return 'the provider answers'
      throw new Error(is('tells its token where its check fails') ? `no answer to ${TOKEN}` : 'no answer')
    },
    close: async () => {
      closing = true
      await lane.close()
    },
  }
}

/** The clauses of the suite over a channel, by title, to be run one by one. */
function clausesOf(idempotent: boolean, broken?: Break | Repeat): ReadonlyMap<string, () => Promise<void>> {
  const clauses = new Map<string, () => Promise<void>>()
  const runner = {
    describe: (_: string, define: () => void) => define(),
    it: (title: string, run: () => Promise<void>) => clauses.set(title, run),
  }
  describeChannel(
    'trial',
    {
      module: moduleFor(idempotent),
      reachable: [{ ...li }],
      unreachable: [{ ...li, phone: null }],
      template,
      view: {},
      price: 50_000,
      open: async (deadline) => {
        const server = await openProvider(() => ({ status: 200 }))
        const provoke = (instead: Provider['instead']) => () => {
          server.instead = instead
        }
        const doubt = idempotent
          ? ({ promised: 'retry', unsent: false } as const)
          : ({ promised: 'uncertain' } as const)
        return {
          channel: openTrial(server.url, deadline, idempotent, broken),
          faults: [
            {
              name: 'nobody',
              provoke: provoke({ status: 404 }),
              promised: 'rejected',
              reason: 'bad_address',
            },
            { name: 'no credit', provoke: provoke({ status: 402 }), promised: 'rejected', reason: 'refused' },
            {
              name: 'too many',
              provoke: provoke({ status: 429 }),
              promised: 'retry',
              unsent: true,
              unreached: false,
            },
            { name: 'a hang-up', provoke: provoke('hang up'), ...doubt },
            { name: 'silence', provoke: provoke('silence'), silent: true, ...doubt },
          ],
          heal: provoke(undefined),
          taken: () =>
            server.asked.flatMap(({ method, headers }) =>
              method === 'POST' ? [String(headers['idempotency-key'])] : [],
            ),
          attempts: () => server.reached,
          peak: () => server.peak,
          secrets: [TOKEN],
          report: (reference: string) => {
            const body = JSON.stringify({ reference })
            const now = new Date('2026-03-02T04:00:00Z')
            const url = 'https://shop.example/v1/receipts/trial'
            const headers = { 'x-signature': sign(body) }
            return { url, provider: undefined, headers, body: Buffer.from(body), now }
          },
          stop: server.stop,
        }
      },
    },
    runner,
  )
  return clauses
}

it.each([true, false])('passes a channel that is right (idempotent: %s)', async (idempotent) => {
  const clauses = clausesOf(idempotent)
  expect([...clauses.keys()]).toEqual(Object.values(CLAUSES))
  for (const run of clauses.values()) await run()
})

const ways = <Way extends Break | Repeat>(of: Record<Way, keyof typeof CLAUSES>, idempotent: boolean) =>
  (Object.keys(of) as Way[]).map((way) => [way, CLAUSES[of[way]], idempotent] as const)

it.each([...ways(BREAKS, true), ...ways(REPEATS, false)])(
  'fails one that %s: it %s',
  async (way, title, idempotent) => {
    await expect(clausesOf(idempotent, way).get(title)?.()).rejects.toThrow()
  },
)

it.each([
  ['answers nothing', /^send\(\) answered undefined: `outcome` is one of sent, /],
  ['has no deadline', /^send\(\) had not ended a second after its deadline/],
  ['tells its token in an error', /^send\(\) tells a secret of the settings \(•••\): .*\(•••\)/],
  ['throws at an address it cannot read', /^addressOf\(\).* threw: no number$/],
  ['throws at a report it cannot read', /^receipts\(\) threw: .*JSON/],
  [
    'forgets whose message it was',
    /^an event carries all that `readReference` gives, the `installation`, too/,
  ],
  ['reports at no time', /cannot be recorded: receipts\.events\.0\.at: /],
  ['finds nothing', /^check\(\) resolves to what it found, in words, and not to " "$/],
] as const)('says what is wrong with one that %s', async (way, words) => {
  await expect(clausesOf(true, way).get(CLAUSES[BREAKS[way]])?.()).rejects.toThrow(words)
})
