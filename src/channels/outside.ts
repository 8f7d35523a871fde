import { access } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { isAbsolute, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { messageOf, WinbackError } from '../errors.ts'
import type { Channel, ChannelContext, ChannelModule, Delivery, Money } from './channel.ts'

// Channels from outside the package: a module that winback.yaml names. It is loaded once, when the file is read; what
// it exports is checked, because no compiler of ours saw it; and what it opens is held to what the pipeline relies on.

/** A channel from outside: its module, and its block of winback.yaml as the module's own schema reads it. */
export interface OutsideChannel {
  readonly module: ChannelModule<unknown>
  readonly settings: unknown
}

/** By name, as winback.yaml and the steps call them. */
export type OutsideChannels = ReadonlyMap<string, OutsideChannel>

/** Milliseconds: a send whose lease might end before it does is not begun, and leases are 90 seconds. */
const LONGEST_DEADLINE = 60_000
/** Milliseconds a send may end after its deadline before it is taken for lost. */
const LATENESS = 2_000

const ADDRESSES: readonly unknown[] = ['email', 'phone', 'device', 'none']
const OUTCOMES: readonly unknown[] = ['sent', 'rejected', 'retry', 'uncertain']

/**
 * Loads the module of the channel `name`: its default export, or the one called as the channel is.
 * @param specifier a path, relative to `directory`, or the name of a package that is installed there
 * @returns the module, or the rest of a sentence that begins with the specifier and says what to do
 */
export async function importChannel(
  name: string,
  specifier: string,
  directory: string,
): Promise<ChannelModule<unknown> | { readonly trouble: string }> {
  const place = isPath(specifier) ? await findFile(specifier, directory) : findPackage(specifier, directory)
  if ('trouble' in place) return place
  let exported: unknown
  try {
    exported = await import(/* @vite-ignore */ pathToFileURL(place.file).href)
  } catch (error) {
    return { trouble: `cannot be loaded: ${messageOf(error)}${hintFor(error)}` }
  }
  const found = exportOf(exported, name)
  if (found === undefined)
    return { trouble: `exports no channel; export it as \`default\` or as \`${name}\`` }
  if (isChannelModule(found)) return found
  return { trouble: `exports no channel: ${unfit(found).join('; ')} (see docs/adding-a-channel.md)` }
}

type Place = { readonly file: string } | { readonly trouble: string }

function isPath(specifier: string): boolean {
  return /^\.{1,2}\//.test(specifier) || isAbsolute(specifier)
}

async function findFile(path: string, directory: string): Promise<Place> {
  const file = resolve(directory, path)
  return await access(file).then(
    () => ({ file }),
    () => ({ trouble: `does not exist; a path is relative to winback.yaml (${file} was looked for)` }),
  )
}

function findPackage(name: string, directory: string): Place {
  try {
    return { file: createRequire(join(directory, 'winback.yaml')).resolve(name) }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    return code === 'ERR_PACKAGE_PATH_NOT_EXPORTED'
      ? { trouble: 'exports itself for `import` alone; name its file: ./node_modules/…' }
      : {
          trouble: `is no package that is installed here; run npm install ${name}, or write ./${name} for a file`,
        }
  }
}

function hintFor(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION') return '; compile it, and name the .js file'
  if (code === 'ERR_UNSUPPORTED_DIR_IMPORT') return '; name the file, not its folder'
  return ''
}

/** A module that was compiled to CommonJS has its default export inside the default export. */
function exportOf(exported: unknown, name: string): unknown {
  const own = propertyOf(exported, 'default')
  return propertyOf(own, 'default') ?? own ?? propertyOf(exported, name)
}

function propertyOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
}

function isChannelModule(value: unknown): value is ChannelModule<unknown> {
  return unfit(value).length === 0
}

/** What keeps an export from being a channel; nothing where it is one. */
export function unfit(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return ['it is no object']
  const get = (key: string): unknown => Reflect.get(value, key)
  const demands: readonly [string, boolean, string][] = [
    ['name', typeof get('name') === 'string', 'a text'],
    ['idempotent', typeof get('idempotent') === 'boolean', 'true or false'],
    ['address', ADDRESSES.includes(get('address')), ADDRESSES.join(', ').replace(/, (\w+)$/, ' or $1')],
    ['renders', typeof get('renders') === 'boolean', 'true or false'],
    ['settings', typeof propertyOf(get('settings'), 'safeParse') === 'function', 'a zod schema'],
    ['open', typeof get('open') === 'function', 'a function'],
    ['lint', ['function', 'undefined'].includes(typeof get('lint')), 'a function'],
  ]
  return demands.flatMap(([key, fits, wanted]) => (fits ? [] : [`\`${key}\` must be ${wanted}`]))
}

/**
 * Opens a channel from outside. Its defects stay its own: a send that answers nothing usable, or not in time, is one of
 * unknown outcome; an address it cannot read is none; a price that is no price stops the one message.
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
  const { idempotent, concurrency, deadline, fetched, overflow, receipts, confirm, query } = channel
  return {
    ...{ name, idempotent, concurrency, deadline },
    ...(fetched === undefined ? {} : { fetched }),
    ...(overflow === undefined ? {} : { overflow }),
    addressOf: (contact) => {
      try {
        return channel.addressOf(contact)
      } catch {
        return undefined
      }
    },
    render: (template, view, contact) => channel.render(template, view, contact),
    cost: (content) => wholeMicros(name, channel.cost(content)),
    send: async (message) => usable(name, await withinTime(name, channel.send(message), deadline + LATENESS)),
    check: () => channel.check(),
    close: () => channel.close(),
    // Called as its methods: it may be an object of a class.
    ...(receipts ? { receipts: (webhook) => receipts.call(channel, webhook) } : {}),
    ...(confirm ? { confirm: (reply) => confirm.call(channel, reply) } : {}),
    ...(query ? { query: (doubt) => query.call(channel, doubt) } : {}),
  }
}

function unfitChannel(module: ChannelModule<unknown>, value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return ['it is no object']
  const get = (key: string): unknown => Reflect.get(value, key)
  const between = (key: string, most: number) => {
    const number = get(key)
    return typeof number === 'number' && Number.isSafeInteger(number) && number >= 1 && number <= most
  }
  const functions = ['addressOf', 'render', 'cost', 'send', 'check', 'close']
  const demands: readonly [string, boolean, string][] = [
    ['name', get('name') === module.name, `\`${module.name}\`, as its module says`],
    ['idempotent', get('idempotent') === module.idempotent, `${module.idempotent}, as its module says`],
    ['concurrency', between('concurrency', Number.MAX_SAFE_INTEGER), 'a whole number from 1'],
    ['deadline', between('deadline', LONGEST_DEADLINE), `1 to ${LONGEST_DEADLINE} milliseconds`],
    ...functions.map((key) => [key, typeof get(key) === 'function', 'a function'] as const),
  ].map(([key, fits, wanted]) => [String(key), fits === true, String(wanted)])
  return demands.flatMap(([key, fits, wanted]) => (fits ? [] : [`\`${key}\` must be ${wanted}`]))
}

async function withinTime(name: string, sending: Promise<Delivery>, milliseconds: number): Promise<Delivery> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new Error(`the channel ${name} had not answered ${milliseconds} ms after it was asked to send`),
        ),
      milliseconds,
    )
  })
  try {
    return await Promise.race([sending, late])
  } finally {
    clearTimeout(timer)
  }
}

function usable(name: string, delivery: Delivery): Delivery {
  if (OUTCOMES.includes(propertyOf(delivery, 'outcome'))) return delivery
  throw new Error(
    `the channel ${name} answered a send with ${JSON.stringify(delivery) ?? 'nothing'}, which is no outcome`,
  )
}

function wholeMicros(name: string, cost: Money): Money {
  if (Number.isSafeInteger(cost) && cost >= 0) return cost
  throw new Error(`the channel ${name} asks a price of ${String(cost)}; prices are whole micros`)
}
