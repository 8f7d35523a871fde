import { stat } from 'node:fs/promises'
import { isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { codeOf, messageOf } from '../errors.ts'
import type { ChannelModule } from './channel.ts'
import { within } from './within.ts'

// Channels from outside the package: a module that winback.yaml names. It is loaded once, when the file is read, and
// what it exports is checked, because no compiler of ours saw it. What it opens is held in guarded.ts.

/** A channel from outside: its module, and its block of winback.yaml as the module's own schema reads it. */
export interface OutsideChannel {
  readonly module: ChannelModule<unknown>
  readonly settings: unknown
}

/** By name, as winback.yaml and the steps call them. */
export type OutsideChannels = ReadonlyMap<string, OutsideChannel>

const PATIENCE = 30_000

const ADDRESSES: readonly unknown[] = ['email', 'phone', 'device', 'none']

/**
 * Loads the module of the channel `name`: its default export, or the one called as the channel is.
 * @param specifier a path, relative to `directory`, or the name of a package that is installed there
 * @param patience milliseconds a module may take: one whose top level waits for ever would end the process without a word
 * @returns the module, or the rest of a sentence that begins with the specifier and says what to do
 */
export async function importChannel(
  name: string,
  specifier: string,
  directory: string,
  patience = PATIENCE,
): Promise<ChannelModule<unknown> | { readonly trouble: string }> {
  const place = isPath(specifier)
    ? await findFile(specifier, directory)
    : await findPackage(specifier, directory)
  if ('trouble' in place) return place
  let exported: unknown
  try {
    exported = await within(patience, 'it', 'load', () => import(/* @vite-ignore */ place.url))
  } catch (error) {
    return { trouble: `cannot be loaded: ${messageOf(error)}${hintFor(error, place.url)}` }
  }
  const found = exportOf(exported, name)
  if (found === undefined)
    return { trouble: `exports no channel; export it as \`default\` or as \`${name}\`` }
  if (isChannelModule(found)) return found
  return { trouble: `exports no channel: ${unfit(found).join('; ')} (see docs/adding-a-channel.md)` }
}

type Place = { readonly url: string } | { readonly trouble: string }

function isPath(specifier: string): boolean {
  return /^\.{1,2}\//.test(specifier) || isAbsolute(specifier)
}

async function findFile(path: string, directory: string): Promise<Place> {
  const file = resolve(directory, path)
  const found = await stat(file).catch(() => undefined)
  if (!found) {
    return { trouble: `does not exist; a path is relative to winback.yaml (${file} was looked for)` }
  }
  return found.isDirectory()
    ? { trouble: 'is a folder; name the file in it' }
    : { url: pathToFileURL(file).href }
}

/** As `import` in a module beside winback.yaml would find it: `require` refuses packages that are for `import` alone. */
async function findPackage(name: string, directory: string): Promise<Place> {
  const { resolve: resolveModule } = await import('import-meta-resolve')
  try {
    return { url: resolveModule(name, pathToFileURL(join(directory, 'winback.yaml')).href) }
  } catch (error) {
    return codeOf(error) === 'ERR_PACKAGE_PATH_NOT_EXPORTED'
      ? { trouble: `is no part its package exports: ${messageOf(error)}` }
      : {
          trouble: `is no package that is installed here; run npm install ${name}, or write ./${name} for a file`,
        }
  }
}

function hintFor(error: unknown, url: string): string {
  // Its message names neither file nor line, and it may be of any file that the module imports.
  if (error instanceof SyntaxError && url.startsWith('file:'))
    return `; \`node ${fileURLToPath(url)}\` shows where`
  switch (codeOf(error)) {
    case 'ERR_UNKNOWN_FILE_EXTENSION':
      return '; compile it, and name the .js file'
    case 'ERR_MODULE_NOT_FOUND':
      return '; what a module imports is looked for from where the module lies, so install it there'
    default:
      return ''
  }
}

/** A module that was compiled to CommonJS has its default export inside the default export. */
function exportOf(exported: unknown, name: string): unknown {
  const own = propertyOf(exported, 'default')
  return propertyOf(own, 'default') ?? own ?? propertyOf(exported, name)
}

/** A property of what may be no object at all. */
export function propertyOf(value: unknown, key: string): unknown {
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
    ['title', isTitle(get('title')), 'a text, or one for each language'],
    ['settings', propertyOf(get('settings'), '_zod') !== undefined, 'a schema of zod 4'],
    ['open', typeof get('open') === 'function', 'a function'],
    ['lint', ['function', 'undefined'].includes(typeof get('lint')), 'a function'],
  ]
  return demands.flatMap(([key, fits, wanted]) => (fits ? [] : [`\`${key}\` must be ${wanted}`]))
}

function isTitle(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value === undefined || typeof value === 'string'
  return Object.values(value).every((title) => typeof title === 'string')
}
