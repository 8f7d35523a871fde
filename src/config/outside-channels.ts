import { z } from 'zod'
import type { ChannelModule } from '../channels/channel.ts'
import { isBuiltIn } from '../channels/channels.ts'
import { importChannel, type OutsideChannel, type OutsideChannels } from '../channels/outside.ts'
import { messageOf, type Problem } from '../errors.ts'
import { finding } from './checks/findings.ts'
import { type Path, type SourceDocument, valueAt } from './documents/document.ts'
import { problemsOf } from './documents/issues.ts'
import { UNKNOWN_KEY } from './documents/misplaced.ts'
import { secretsOf } from './documents/secrets.ts'

// `channels: { whatsapp: { module: ./channels/whatsapp.js, … } }`: the blocks of winback.yaml that bring their channel
// along. Loading is the one step that waits; the rest is a function of the text and of what was loaded.

/** What became of each module that is named, by the channel's name. */
export type OutsideModules = ReadonlyMap<string, Loaded>
type Loaded = ChannelModule<unknown> | { readonly trouble: string }

export const NO_MODULES: OutsideModules = new Map()

/** Loads every module that `channels` names. @param directory what paths are relative to */
export async function loadOutside(document: SourceDocument, directory: string): Promise<OutsideModules> {
  return new Map(
    await Promise.all(
      blocksOf(document.value).map(
        async ({ name, module }) => [name, await importChannel(name, module, directory)] as const,
      ),
    ),
  )
}

/** What a workspace file says of outside channels, and the rest of it. */
export interface OutsideReading {
  /** The file's value without the blocks that name a module. */
  readonly rest: unknown
  readonly outside: OutsideChannels
  readonly problems: readonly Problem[]
}

/** Holds the blocks against what was loaded, each against its own channel's schema. */
export function readOutside(
  document: SourceDocument,
  value: unknown,
  modules: OutsideModules,
): OutsideReading {
  const outside = new Map<string, OutsideChannel>()
  const problems: Problem[] = []
  const taken = new Set<string>()
  for (const { name, module: specifier } of blocksOf(value)) {
    const loaded = modules.get(name)
    if (loaded === undefined) continue
    taken.add(name)
    const found = readOne(document, value, { name, specifier, loaded })
    if (Array.isArray(found)) problems.push(...found)
    else outside.set(name, found)
  }
  return { rest: without(value, taken), outside, problems }
}

/** Where secrets of channels from outside stand in winback.yaml, as far as their schemas say so. */
export function outsideSecrets(modules: OutsideModules): Path[] {
  return [...modules].flatMap(([name, loaded]) => {
    if ('trouble' in loaded) return []
    try {
      return secretsOf(loaded.settings).map((path): Path => ['channels', name, ...path])
    } catch {
      // A schema that cannot be told as JSON Schema: what it marks is not known.
      return []
    }
  })
}

interface Named {
  readonly name: string
  readonly specifier: string
  readonly loaded: Loaded
}

function readOne(
  document: SourceDocument,
  value: unknown,
  { name, specifier, loaded }: Named,
): OutsideChannel | Problem[] {
  const path: Path = ['channels', name]
  const wrong = (message: string, at: 'key' | 'value') =>
    at === 'key'
      ? [finding(document, path, message, { at })]
      : [finding(document, [...path, 'module'], message, { found: specifier })]
  if (isBuiltIn(name)) {
    return wrong(`${name} is one of Winback’s own channels; give the one of ${specifier} another name`, 'key')
  }
  if (!/^[a-z][a-z0-9_]*$/.test(name) || name === 'default') {
    return wrong('the name of a channel is of lower-case letters, digits and _, and not `default`', 'key')
  }
  if ('trouble' in loaded) return wrong(`${specifier} ${loaded.trouble}`, 'value')
  if (isBuiltIn(loaded.name)) {
    return wrong(
      `${specifier} calls itself ${loaded.name}, as one of Winback’s own channels; rename it there`,
      'value',
    )
  }
  if (loaded.name !== name) {
    return wrong(`${specifier} is the channel ${loaded.name}; write channels.${loaded.name}`, 'key')
  }
  const block = valueAt(value, path)
  const { module: _, ...own } =
    typeof block === 'object' && block !== null ? { module: '', ...block } : { module: '' }
  try {
    const parsed = loaded.settings.safeParse(own)
    if (parsed.success) return { module: loaded, settings: parsed.data }
    const issues = parsed.error.issues.map((issue) => ({ ...issue, path: [...path, ...issue.path] }))
    // Its schema, standing where it stands in the file: keys that are near to an unknown one are found by it.
    const schema = z.object({ channels: z.object({ [name]: loaded.settings }) })
    return problemsOf(issues, document, value, schema)
  } catch (error) {
    return wrong(`${specifier} cannot read its settings: ${messageOf(error)}`, 'value')
  }
}

/** A block that is of no channel of ours and names no module. */
export function explainUnknown(problem: Problem): Problem {
  const unknown = problem.message.startsWith(UNKNOWN_KEY) && /^channels\.[^.]+$/.test(problem.path)
  if (!unknown || problem.suggestion !== undefined) return problem
  return { ...problem, message: 'unknown channel; one from outside the package names its `module`' }
}

/** The blocks that name a module, by name. */
function blocksOf(value: unknown): { name: string; module: string }[] {
  const channels = valueAt(value, ['channels'])
  if (typeof channels !== 'object' || channels === null) return []
  return Object.entries(channels).flatMap(([name, block]: [string, unknown]) => {
    const module = valueAt(block, ['module'])
    return typeof module === 'string' ? [{ name, module }] : []
  })
}

function without(value: unknown, names: ReadonlySet<string>): unknown {
  const channels = valueAt(value, ['channels'])
  if (names.size === 0 || typeof value !== 'object' || typeof channels !== 'object' || channels === null)
    return value
  const rest = Object.entries(channels).filter(([name]) => !names.has(name))
  return { ...value, channels: Object.fromEntries(rest) }
}
