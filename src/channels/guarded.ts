import { messageOf, WinbackError } from '../errors.ts'
import type {
  Channel,
  ChannelContext,
  ChannelModule,
  Delivery,
  Money,
  Rejected,
  WrittenTemplate,
} from './channel.ts'
import { type OutsideChannel, propertyOf } from './outside.ts'
import { readAnswer, readGreeting, readReceipts } from './outside-receipts.ts'
import { within } from './within.ts'

// A channel from outside, held to what the pipeline relies on. No compiler of ours saw it, and its defects must stay
// its own: they concern the message they befall, never the batch, the other channels or the database.

/** Milliseconds: a send whose lease might end before it does is not begun, and leases are 90 seconds. */
const LONGEST_DEADLINE = 60_000
/** As many touchpoints one dead worker leaves in doubt. */
const WIDEST = 10_000
/** Milliseconds a send may end after its deadline before it is taken for lost. */
const LATENESS = 2_000
/** Milliseconds for whatever has no deadline of its own: a check, a webhook, a question. */
const PATIENCE = 30_000

/**
 * Opens a channel from outside. A send that answers nothing usable, or not in time, is one of unknown outcome; an
 * address it cannot read is none; what it renders or asks for it that cannot be used stops the one message. What only
 * Winback's own channels may (keep messages, do without the mark `sending`, take calls off people's hands) is not passed on.
 * @throws WinbackError `channels.<name>.settings`, `channels.<name>.module`
 */
export function openOutside(name: string, outside: OutsideChannel, context: ChannelContext): Channel {
  const { module, settings } = outside
  let channel: Channel
  try {
    channel = module.open(settings, context)
  } catch (cause) {
    throw new WinbackError(`channels.${name}.settings`, `channels.${name}: ${messageOf(cause)}`, {
      remedy: `Mend \`channels.${name}\` in winback.yaml.`,
      cause,
    })
  }
  const wrong = unfitChannel(module, channel)
  if (wrong.length > 0) {
    throw new WinbackError(
      `channels.${name}.module`,
      `channels.${name}: what its module opens is no channel: ${wrong.join('; ')}`,
      { remedy: 'Run the conformance suite of winback/testing over it.' },
    )
  }
  const { idempotent, concurrency, deadline, fetched, receipts, greet, confirm, query, leave } = channel
  const longest = deadline + LATENESS
  return {
    name,
    idempotent,
    concurrency,
    deadline,
    ...(fetched === undefined ? {} : { fetched }),
    addressOf: (contact) => addressOf(channel, contact),
    render: (template, view, contact) => atOnce(name, 'rendered', channel.render(template, view, contact)),
    cost: (content) => wholeMicros(name, channel.cost(content)),
    send: async (message) =>
      usable(name, await within(longest, `the channel ${name}`, 'send', () => channel.send(message))),
    check: async () =>
      String(await within(PATIENCE, `the channel ${name}`, 'say how it is', () => channel.check())),
    // Whatever becomes of its closing, the process ends.
    close: () => within(longest, `the channel ${name}`, 'close', () => channel.close()).catch(() => {}),
    // Called as its methods: it may be an object of a class.
    ...(leave
      ? {
          leave: () => {
            try {
              leave.call(channel)
            } catch {
              // What it does not end is given up.
            }
          },
        }
      : {}),
    ...(receipts
      ? {
          receipts: async (webhook) =>
            readReceipts(
              name,
              await within(PATIENCE, `the channel ${name}`, 'read', () => receipts.call(channel, webhook)),
            ),
        }
      : {}),
    ...(greet
      ? {
          greet: async (webhook) =>
            readGreeting(
              name,
              await within(PATIENCE, `the channel ${name}`, 'greet', () => greet.call(channel, webhook)),
            ),
        }
      : {}),
    ...(confirm
      ? {
          confirm: (reply) =>
            within(longest, `the channel ${name}`, 'confirm', () => confirm.call(channel, reply))
              .then((said) => usable(name, said))
              .catch((error: unknown) => ({ outcome: 'uncertain', detail: messageOf(error) })),
        }
      : {}),
    ...(query
      ? {
          // Others are asked after it: what it cannot say is not known yet.
          query: (doubt) =>
            within(PATIENCE, `the channel ${name}`, 'answer', () => query.call(channel, doubt))
              .then(readAnswer)
              .catch(() => ({ outcome: 'unknown' })),
        }
      : {}),
  }
}

/** What a channel from outside finds wrong with a text: whatever it does, each is the rest of a sentence. */
export function lintOutside(
  { module, settings }: OutsideChannel,
  template: WrittenTemplate,
  workspace: string,
): string[] {
  try {
    const found: unknown = module.lint?.(settings, template, workspace) ?? []
    if (Array.isArray(found)) return found.map(String)
    return ['cannot be looked at: the channel’s `lint` gives no list']
  } catch (error) {
    return [`cannot be looked at by the channel: ${messageOf(error)}`]
  }
}

/** What keeps an opened channel from being used; nothing where it can be. */
export function unfitChannel(
  module: Pick<ChannelModule<unknown>, 'name' | 'idempotent'>,
  value: unknown,
): string[] {
  if (typeof value !== 'object' || value === null) return ['it is no object']
  if (isPromise(value)) return ['it is a promise; `open` gives it at once, and connects when it first sends']
  const get = (key: string): unknown => Reflect.get(value, key)
  const between = (key: string, most: number) => {
    const number = get(key)
    return typeof number === 'number' && Number.isSafeInteger(number) && number >= 1 && number <= most
  }
  const kinds = (keys: readonly string[], kind: string, alsoAbsent: boolean, wanted: string) =>
    keys.map((key): Demand => {
      const found = typeof get(key)
      return [key, found === kind || (alsoAbsent && found === 'undefined'), wanted]
    })
  const demands: readonly Demand[] = [
    ['name', get('name') === module.name, `\`${module.name}\`, as its module says`],
    ['idempotent', get('idempotent') === module.idempotent, `${module.idempotent}, as its module says`],
    ['concurrency', between('concurrency', WIDEST), `a whole number from 1 to ${WIDEST}`],
    ['deadline', between('deadline', LONGEST_DEADLINE), `1 to ${LONGEST_DEADLINE} milliseconds`],
    ...kinds(['addressOf', 'render', 'cost', 'send', 'check', 'close'], 'function', false, 'a function'),
    ...kinds(['receipts', 'greet', 'confirm', 'query', 'leave'], 'function', true, 'a function'),
    ...kinds(['fetched'], 'boolean', true, 'true or false'),
  ]
  return demands.flatMap(([key, fits, wanted]) => (fits ? [] : [`\`${key}\` must be ${wanted}`]))
}

/** A property, whether it is as it must be, and how that is. */
type Demand = readonly [string, boolean, string]

function isPromise(value: unknown): boolean {
  return typeof propertyOf(value, 'then') === 'function'
}

/** `null` and an empty text are what somebody without a compiler says for none. */
function addressOf(channel: Channel, contact: Parameters<Channel['addressOf']>[0]): unknown {
  try {
    const address = channel.addressOf(contact)
    return address === null || address === '' || isPromise(address) ? undefined : address
  } catch {
    return undefined
  }
}

function atOnce(name: string, done: string, content: unknown): unknown {
  if (!isPromise(content)) return content
  throw new Error(`the channel ${name} ${done} a promise; it must answer at once`)
}

const REASONS: readonly Rejected['reason'][] = ['bad_address', 'refused', 'content', 'unsubscribed']

/**
 * What a send said, as far as it can be used: its outcome is believed, and what is odd beside it is left out.
 * @throws Error where it is no outcome: nobody knows how far it got
 */
function usable(name: string, said: unknown): Delivery {
  const get = (key: string) => propertyOf(said, key)
  const detail = textOf(get('detail')) ?? 'no reason given'
  const tokens: unknown = get('dead')
  const dead = Array.isArray(tokens) ? { dead: tokens.filter(isToken) } : {}
  switch (get('outcome')) {
    case 'sent': {
      if (get('keep') !== undefined) {
        throw new Error(
          `the channel ${name} answered a send with \`keep\`, which is for Winback’s own channels`,
        )
      }
      const providerId = textOf(get('providerId'))
      const cost = get('cost')
      return {
        outcome: 'sent',
        ...(providerId === undefined ? {} : { providerId }),
        ...(get('detail') === undefined ? {} : { detail }),
        ...(isMicros(cost) ? { cost } : {}),
        ...dead,
      }
    }
    case 'rejected': {
      const reason = REASONS.find((each) => each === get('reason')) ?? 'refused'
      return { outcome: 'rejected', reason, detail, ...dead }
    }
    case 'retry': {
      const after = get('after')
      const pause = typeof after === 'number' && after > 0 && Number.isFinite(after) ? { after } : {}
      const unsent = get('unsent') === true ? { unsent: true } : {}
      const unreached = get('unreached') === true ? { unsent: true, unreached: true } : {}
      const none = get('takesNone') === true ? { takesNone: true } : {}
      return { outcome: 'retry', detail, ...pause, ...unsent, ...unreached, ...none, ...dead }
    }
    case 'uncertain':
      return { outcome: 'uncertain', detail, ...dead }
    default:
      throw new Error(`the channel ${name} answered a send with ${shown(said)}, which is no outcome`)
  }
}

function textOf(value: unknown): string | undefined {
  return (typeof value === 'string' && value !== '') || typeof value === 'number' ? String(value) : undefined
}

/** No device is known by what the database cannot hold, and what is looked for there must be such as it can. */
function isToken(value: unknown): value is string {
  return typeof value === 'string' && !value.includes('\0')
}

function isMicros(value: unknown): value is Money {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function wholeMicros(name: string, cost: unknown): Money {
  if (isMicros(cost)) return cost
  throw new Error(`the channel ${name} asks a price of ${shown(cost)}; prices are whole micros`)
}

/** A value as an error shows it; what JSON cannot write (a cycle, a bigint) is not worth an error of its own. */
function shown(value: unknown): string {
  // JSON writes null for NaN.
  if (typeof value === 'number') return String(value)
  try {
    return (JSON.stringify(value) ?? String(value)).slice(0, 200)
  } catch {
    return String(value)
  }
}
