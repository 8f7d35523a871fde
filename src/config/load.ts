import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { z } from 'zod'
import { ConfigError, codeOf, type Problem, WinbackError, whyUnreadable } from '../errors.ts'
import { type Campaign, campaign as campaignSchema } from './campaign.ts'
import { checkEnvironment, checkKeys } from './checks/environment.ts'
import { checkWorkspace } from './checks/settings.ts'
import { checkCampaign } from './checks.ts'
import type { VersionText } from './compiled.ts'
import { readDocument } from './documents/document.ts'
import { explainFullWidth } from './documents/full-width.ts'
import { untold } from './documents/in-clear.ts'
import { problemsOf } from './documents/issues.ts'
import { sortProblems } from './documents/problems.ts'
import { fillReferences } from './documents/references.ts'
import type { Salvaged } from './documents/salvaged.ts'
import { salvage } from './documents/shape.ts'
import { checkSizes } from './documents/sizes.ts'
import type { Environment } from './environment.ts'
import { nearest } from './nearest-name.ts'
import {
  explainUnknown,
  loadOutside,
  NO_MODULES,
  type OutsideModules,
  outsideSecrets,
  readOutside,
} from './outside-channels.ts'
import type { TemplateIndex } from './templates-index.ts'
import { type Workspace, workspace as workspaceSchema } from './workspace.ts'
import { missedBy, salvagedYardstick, type Yardstick, yardstickOf } from './yardstick.ts'

/** A workspace file that was found right. */
export interface LoadedWorkspace {
  readonly definition: Workspace
  /** The file as written, references and not the secrets they stand for. */
  readonly source: string
  readonly file: string
  /** The folder `templates` and `campaigns` are relative to, absolute. */
  readonly directory: string
  readonly warnings: readonly Problem[]
}

/** A campaign file that was found right. */
export interface LoadedCampaign {
  readonly definition: Campaign
  readonly source: string
  readonly file: string
  readonly warnings: readonly Problem[]
}

/**
 * Reads winback.yaml, with its references filled in and the channels it names a module for loaded.
 * @throws ConfigError with every problem of the file; WinbackError `config.unreadable`
 */
export async function loadWorkspace(file: string, environment: Environment): Promise<LoadedWorkspace> {
  const { definition, problems, source, directory } = await inspectWorkspace(file, environment)
  const { warnings } = settle(problems)
  if (!definition) throw new ConfigError(problems)
  return { definition, source, file, directory, warnings }
}

/** A workspace file, right or wrong. */
export interface InspectedWorkspace extends WorkspaceReading {
  readonly source: string
  /** As {@link LoadedWorkspace} has it. */
  readonly directory: string
}

/** {@link loadWorkspace} without refusing what is wrong. @throws WinbackError `config.unreadable` */
export async function inspectWorkspace(file: string, environment: Environment): Promise<InspectedWorkspace> {
  const source = await read(file)
  const directory = resolve(dirname(file))
  const modules = await loadOutside(readDocument(file, source), directory)
  return { ...readWorkspace(file, source, environment, directory, modules), source, directory }
}

/**
 * Reads a campaign file and holds it against the workspace and its templates.
 * @throws ConfigError with every problem of the file; WinbackError `config.unreadable`
 */
export async function loadCampaign(
  file: string,
  workspace: Pick<LoadedWorkspace, 'definition'>,
  templates: TemplateIndex,
): Promise<LoadedCampaign> {
  const source = await read(file)
  return settleCampaign(file, source, readCampaign(file, source, workspace.definition, templates))
}

/** {@link loadCampaign} where of the workspace something may be wrong. */
export async function inspectCampaign(
  file: string,
  yardstick: Yardstick,
  templates: TemplateIndex,
): Promise<LoadedCampaign> {
  const source = await read(file)
  return settleCampaign(file, source, judgeCampaign(file, source, yardstick, templates))
}

/**
 * {@link loadCampaign} for a campaign whose text is at hand.
 * @throws ConfigError with every problem of the text
 */
export function parseCampaign(
  file: string,
  source: string,
  workspace: Workspace,
  templates: TemplateIndex,
): LoadedCampaign {
  return settleCampaign(file, source, readCampaign(file, source, workspace, templates))
}

/**
 * The definition of a version that was applied, and so was right when it was: its text alone is read again. What has since
 * changed around it, a channel taken out of the workspace say, must not stop the campaigns that run.
 * @throws ConfigError where the text is not a campaign of this format
 */
export function parseAppliedCampaign(file: string, source: string): Campaign {
  const document = readDocument(file, source)
  if (document.problems.length > 0) throw new ConfigError(document.problems)
  const result = campaignSchema.safeParse(document.value)
  if (result.success) return result.data
  throw new ConfigError(problemsOf(result.error.issues, document, document.value, campaignSchema))
}

/**
 * What is left of the text of a version that was applied, key by key: one that is not of this format is absent, and takes
 * none of the others with it. Never in part: of goals the first is the primary, and another must not move up.
 */
export function salvageApplied(file: string, source: string): VersionText['definition'] {
  const { value } = readDocument(file, source)
  const given: Readonly<Record<string, unknown>> = value instanceof Object ? { ...value } : {}
  return Object.fromEntries(
    Object.entries(campaignSchema.shape).flatMap(([key, schema]) => {
      const { success, data } = schema.safeParse(given[key])
      return success ? [[key, data]] : []
    }),
  )
}

/** Where a workspace has its campaigns. */
type CampaignsPlace = Pick<LoadedWorkspace, 'directory'> & {
  readonly definition: Pick<Workspace, 'campaigns'>
}

/** The campaign files of a workspace, by name. @throws WinbackError `config.unreadable` */
export async function findCampaigns(workspace: CampaignsPlace): Promise<string[]> {
  return await filesNamed(workspace, /\.ya?ml$/i)
}

/** Files that were meant as campaigns and are not read, each with the reason and the way out. */
export async function overlookedCampaigns(workspace: CampaignsPlace): Promise<Problem[]> {
  const renamed = await filesNamed(workspace, /\.ya?ml\.txt$/i)
  const folder = join(workspace.directory, workspace.definition.campaigns)
  // Beside the workspace file lie folders of all kinds.
  const below = resolve(folder) === resolve(workspace.directory) ? [] : await filesBelow(folder)
  return [
    ...renamed.map((file) => notRead(file, 'the name of a campaign’s ends in .yaml, and this one’s in .txt')),
    ...below.map((file) =>
      notRead(
        file,
        `campaigns lie in ${workspace.definition.campaigns} itself. Move it there, or begin the folder’s name with a dot if it is to be left alone`,
      ),
    ),
  ]
}

function notRead(file: string, why: string): Problem {
  const message = `this file is not read: ${why}`
  return { severity: 'warning', location: { file }, path: '', message }
}

/** Folders below each other that are looked through. */
const DEEPEST = 5

/** YAML in the folders below one, but in those that are hidden. */
async function filesBelow(folder: string, depth = 0): Promise<string[]> {
  if (depth === DEEPEST) return []
  // What may not be read is nobody's campaign.
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const seen = entries
    .filter(({ name }) => !name.startsWith('.'))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const files = depth === 0 ? [] : seen.filter((each) => each.isFile() && /\.ya?ml$/i.test(each.name))
  const below = await Promise.all(
    seen
      .filter((each) => each.isDirectory() && each.name !== 'node_modules')
      .map(({ name }) => filesBelow(join(folder, name), depth + 1)),
  )
  return [...files.map(({ name }) => join(folder, name)), ...below.flat()]
}

async function filesNamed(workspace: CampaignsPlace, pattern: RegExp): Promise<string[]> {
  const folder = join(workspace.directory, workspace.definition.campaigns)
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new WinbackError(
      'config.unreadable',
      `the campaigns folder cannot be read: ${whyUnreadable(cause)}`,
      {
        location: { file: folder },
        remedy: 'Create the folder, or name another as `campaigns` in winback.yaml.',
        cause,
      },
    )
  })
  return names
    .filter((name) => pattern.test(name) && !name.startsWith('.'))
    .toSorted()
    .map((name) => join(folder, name))
}

interface Reading<Definition> {
  readonly definition: Definition | undefined
  readonly problems: readonly Problem[]
}

interface WorkspaceReading extends Reading<Workspace> {
  /** What campaigns can be held against in spite of what is wrong. */
  readonly yardstick: Yardstick
}

/**
 * Everything right and wrong with the text of a workspace file.
 * @param modules what was loaded of the modules it names
 */
export function readWorkspace(
  file: string,
  source: string,
  environment: Environment,
  directory: string,
  modules: OutsideModules = NO_MODULES,
): WorkspaceReading {
  const document = readDocument(file, source)
  const sizes = checkSizes(document)
  if (document.value === undefined || sizes.length > 0) {
    const yardstick = salvagedYardstick({}, new Map(), new Set(['']))
    return { definition: undefined, problems: [...document.problems, ...sizes].map(untold), yardstick }
  }
  const {
    value,
    problems: unfilled,
    told,
  } = fillReferences(document, environment, directory, outsideSecrets(modules))
  const { rest, outside, problems: unfit } = readOutside(document, value, modules)
  const { parsed, lenient: left, issues } = interpret(workspaceSchema, rest)
  const lenient = left as Salvaged<Workspace>
  const unlike = [...problemsOf(issues, document, rest, workspaceSchema).map(explainUnknown), ...unfit]
  const definition = parsed && {
    ...parsed,
    database: { ...parsed.database, url: parsed.database.url ?? environment.databaseUrl },
    redis: { ...parsed.redis, url: parsed.redis.url ?? environment.redisUrl },
    ...(outside.size > 0 ? { outside } : {}),
  }
  const problems = finished([
    ...document.problems,
    ...unfilled,
    // What a reference that leads nowhere leaves behind is wrong for no other reason.
    ...unlike.filter(({ path }) => !told.has(path)),
    ...checkEnvironment(document, environment),
    ...checkKeys(document, lenient, environment),
    ...checkWorkspace(document, lenient),
  ])
  const errors = problems.filter(({ severity }) => severity === 'error')
  if (definition && errors.length === 0) return { definition, problems, yardstick: yardstickOf(definition) }
  const wrong = new Set([...errors.map(({ path }) => path), ...missedBy(issues, errors, rest)])
  return { definition, problems, yardstick: salvagedYardstick(lenient, outside, wrong) }
}

/** Everything right and wrong with the text of a campaign file. */
export function readCampaign(
  file: string,
  source: string,
  workspace: Workspace,
  templates: TemplateIndex,
): Reading<Campaign> {
  return judgeCampaign(file, source, yardstickOf(workspace), templates)
}

/** {@link readCampaign} where of the workspace something may be wrong. */
export function judgeCampaign(
  file: string,
  source: string,
  yardstick: Yardstick,
  templates: TemplateIndex,
): Reading<Campaign> {
  const document = readDocument(file, source)
  const sizes = checkSizes(document)
  if (document.value === undefined || sizes.length > 0) {
    return { definition: undefined, problems: [...document.problems, ...sizes].map(untold) }
  }
  const { parsed, lenient, issues } = interpret(campaignSchema, document.value)
  const campaign = lenient as Salvaged<Campaign>
  return {
    definition: parsed,
    problems: finished([
      ...document.problems,
      ...problemsOf(issues, document, document.value, campaignSchema, yardstick.workspace.currency),
      ...checkCampaign({ ...yardstick, campaign, document, templates }),
    ]),
  }
}

function finished(problems: readonly Problem[]): Problem[] {
  return sortProblems(problems).map(explainFullWidth).map(untold)
}

/** What the schema makes of a value: all of it, or what can be salvaged and what is wrong. */
function interpret<Schema extends z.ZodType>(schema: Schema, value: unknown) {
  const result = schema.safeParse(value)
  return result.success
    ? { parsed: result.data, lenient: result.data, issues: [] }
    : { parsed: undefined, lenient: salvage(schema, value, nearest) ?? {}, issues: result.error.issues }
}

function settle(problems: readonly Problem[]): { warnings: readonly Problem[] } {
  if (problems.some((problem) => problem.severity === 'error')) throw new ConfigError(problems)
  return { warnings: problems }
}

function settleCampaign(file: string, source: string, reading: Reading<Campaign>): LoadedCampaign {
  const { warnings } = settle(reading.problems)
  if (!reading.definition) throw new ConfigError(reading.problems)
  return { definition: reading.definition, source, file, warnings }
}

/** Whether a workspace file is another by now than the one that was loaded, or cannot be read any more. */
export async function isEdited({ file, source }: Pick<LoadedWorkspace, 'file' | 'source'>): Promise<boolean> {
  try {
    return (await read(file)) !== source
  } catch (error) {
    if (error instanceof WinbackError) return true
    throw error
  }
}

/** Bytes of a file that people write, a hundred times what is usual; data that strayed here takes minutes to read as YAML. */
const LARGEST_FILE = 500_000

async function read(file: string): Promise<string> {
  let bytes: Buffer
  try {
    bytes = await readFile(file)
  } catch (cause) {
    const folder = codeOf(cause) === 'EISDIR'
    throw new WinbackError(
      'config.unreadable',
      folder ? `${file} is a folder, not a file` : `${file} cannot be read: ${whyUnreadable(cause)}`,
      {
        location: { file },
        remedy: folder ? 'Rename or remove it.' : 'Check the path, and that the file may be read.',
        cause,
      },
    )
  }
  if (bytes.length > LARGEST_FILE) {
    const size = Math.ceil(bytes.length / 1000)
    throw new WinbackError('config.unreadable', `${file} is no file of settings: it has ${size} kB`, {
      location: { file },
      remedy: `Move data elsewhere; what is written by hand stays below ${LARGEST_FILE / 1000} kB.`,
    })
  }
  if (bytes.includes(0)) {
    throw new WinbackError('config.unreadable', `${file} is not a text file`, {
      location: { file },
      remedy: 'Remove it, or save it as UTF-8 text.',
    })
  }
  if (bytes.includes(13) && !bytes.includes(10)) {
    throw new WinbackError('config.unreadable', `${file} is one line: it ends lines by CR alone`, {
      location: { file },
      remedy: 'Save it with LF or CRLF at the ends of its lines.',
    })
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new WinbackError('config.unreadable', `${file} is not UTF-8 text`, {
      location: { file },
      remedy: 'Save the file as UTF-8.',
      cause,
    })
  }
}
