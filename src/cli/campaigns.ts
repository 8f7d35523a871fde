import { basename, join, resolve } from 'node:path'
import { parseTemplates, readTemplateFiles, type TemplateSet } from '../channels/templates.ts'
import { stepsOf } from '../config/checks/findings.ts'
import { namesOf } from '../config/checks/texts.ts'
import { readDocument } from '../config/documents/document.ts'
import { findCampaigns, type LoadedCampaign, loadCampaign, overlookedCampaigns } from '../config/load.ts'
import { nearest } from '../config/nearest-name.ts'
import { ownTexts } from '../config/templates-index.ts'
import { ConfigError, type Problem, WinbackError } from '../errors.ts'
import { shown, type WorkspaceContext } from './workspace-file.ts'

/** The templates of the workspace as they are on disk. */
export interface Templates {
  readonly files: Readonly<Record<string, string>>
  readonly set: TemplateSet
}

/** @throws WinbackError `templates.unreadable` */
export async function openTemplates({ loaded }: Pick<WorkspaceContext, 'loaded'>): Promise<Templates> {
  return readTemplates(loaded.directory, loaded.definition)
}

/**
 * {@link openTemplates} of a folder beside the workspace file.
 * @param options.locales those of the workspace; without them, nothing is missing in any
 * @throws WinbackError `templates.unreadable`
 */
export async function readTemplates(
  directory: string,
  options: { readonly templates: string; readonly locales?: readonly string[] },
): Promise<Templates> {
  const folder = join(directory, options.templates)
  const files = await readTemplateFiles(folder)
  const { locales } = options
  return { files, set: parseTemplates(files, { ...(locales && { locales }), folder: shown(folder) }) }
}

/** What became of reading campaign files: those that are right, and every problem of all of them. */
export interface CampaignFiles {
  readonly files: readonly string[]
  readonly campaigns: readonly LoadedCampaign[]
  readonly problems: readonly Problem[]
}

/** Loads campaign files, all of the workspace's by default, and gathers the problems instead of throwing. */
export async function readCampaigns(
  context: WorkspaceContext,
  templates: Templates,
  files?: readonly string[],
): Promise<CampaignFiles> {
  const chosen = files ?? (await findCampaigns(context.loaded))
  const read = await gatherCampaigns(chosen, (file) => loadCampaign(file, context.loaded, templates.set))
  if (files !== undefined) return read
  return { ...read, problems: [...(await findOverlooked(context.loaded)), ...read.problems] }
}

/** Files that were meant as campaigns and are not read, as the person at the terminal would name them. */
export async function findOverlooked(place: Parameters<typeof overlookedCampaigns>[0]): Promise<Problem[]> {
  const overlooked = await overlookedCampaigns(place)
  return overlooked.map((each) => ({ ...each, location: { file: shown(each.location.file) } }))
}

/** Whoever asks for all campaigns is told which files are none of them. */
export async function warnOfOverlooked({ loaded, output }: WorkspaceContext): Promise<void> {
  for (const { location, message } of await findOverlooked(loaded))
    output.warn(`${location.file}: ${message}`)
}

/** {@link readCampaigns} by a reader of one file, which throws what is wrong with it. */
export async function gatherCampaigns(
  files: readonly string[],
  load: (file: string) => Promise<LoadedCampaign>,
): Promise<CampaignFiles> {
  const chosen = files.map(shown)
  const campaigns: LoadedCampaign[] = []
  const problems: Problem[] = []
  for (const file of chosen) {
    try {
      const campaign = await load(file)
      campaigns.push(campaign)
      problems.push(...campaign.warnings)
    } catch (error) {
      if (error instanceof ConfigError) problems.push(...error.problems)
      else if (error instanceof WinbackError && error.code === 'config.unreadable') {
        // One file that is no campaign must not hide what is wrong with the others.
        problems.push(asProblem(error, file))
      } else throw error
    }
  }
  return { files: chosen, campaigns, problems: [...problems, ...twice(campaigns)] }
}

/** What could not be read, as one problem among those of other files. */
export function asProblem({ message, remedy, location }: WinbackError, file = location?.file ?? ''): Problem {
  return {
    severity: 'error',
    location: { file: shown(file) },
    path: '',
    message: `${message.replace(`${file} `, '')}${remedy ? `. ${remedy}` : ''}`,
  }
}

/**
 * Loads the campaigns a verb is about: by name, by file, or all.
 * @throws ConfigError with every problem, WinbackError `usage.campaign` for a name that no file has
 */
export async function openCampaigns(
  context: WorkspaceContext,
  templates: Templates,
  wanted: readonly string[],
): Promise<readonly LoadedCampaign[]> {
  const byFile = wanted.filter(isFile)
  const byName = wanted.filter((name) => !isFile(name))
  const all = await findCampaigns(context.loaded)
  const files =
    byName.length === 0 && byFile.length > 0 ? byFile.map((file) => resolve(context.cwd, file)) : all
  const read = await readCampaigns(context, templates, files)
  const errors = read.problems.filter((problem) => problem.severity === 'error')
  const named = (name: string) => read.campaigns.find((campaign) => campaign.definition.campaign === name)
  // Which of two is meant, nobody can tell.
  const doubled = twice(read.campaigns).filter(({ found = '' }) => byName.includes(found))
  if (doubled.length > 0) throw new ConfigError(doubled)
  // A campaign that was not asked for may be broken; one that was asked for may be among the broken.
  const missing = byName.filter((name) => !named(name))
  if (errors.length > 0 && (wanted.length === 0 || byFile.length > 0 || missing.length > 0)) {
    throw new ConfigError(read.problems)
  }
  for (const name of missing) {
    const names = read.campaigns.map((campaign) => campaign.definition.campaign)
    const near = nearest(name, names)
    const [overlooked] = (await findOverlooked(context.loaded)).filter(({ location }) =>
      basename(location.file).startsWith(`${name}.`),
    )
    if (overlooked) {
      const { location, message } = overlooked
      throw new WinbackError('usage.campaign', `no campaign is named "${name}"`, {
        remedy: `There is ${location.file}, but ${message}.`,
      })
    }
    throw new WinbackError('usage.campaign', `no campaign is named "${name}"`, {
      remedy: near
        ? `Did you mean ${near}?`
        : names.length > 0
          ? `There ${names.length === 1 ? 'is' : 'are'} ${names.join(', ')}.`
          : `Put a campaign file into ${shown(join(context.loaded.directory, context.loaded.definition.campaigns))}.`,
    })
  }
  return byName.length === 0
    ? read.campaigns
    : read.campaigns.filter(({ definition }) => byName.includes(definition.campaign))
}

/**
 * Refuses campaigns of which a step may send a text that cannot be read: nobody would get it. What no step names may be a draft.
 * @throws ConfigError with every such problem
 */
export function assertTexts(campaigns: readonly LoadedCampaign[], { set }: Templates): void {
  const known = set.names()
  const names = campaigns.flatMap(({ definition }) =>
    [...stepsOf(definition)].flatMap(({ step }) =>
      namesOf(step, known).flatMap((name) => [name, ...ownTexts(name, step.channel ?? [])]),
    ),
  )
  const problems = [...new Set(names)].flatMap((name) => set.problems(name))
  const errors = once(problems.filter(({ severity }) => severity === 'error'))
  if (errors.length > 0) throw new ConfigError(errors)
}

/** What several files or steps share is told once. */
export function once(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()]
}

function isFile(text: string): boolean {
  return /\.ya?ml$/.test(text) || basename(text) !== text
}

/** Two files with one campaign name: whichever were applied last would win. */
function twice(campaigns: readonly LoadedCampaign[]): Problem[] {
  const first = new Map<string, LoadedCampaign>()
  return campaigns.flatMap((campaign): Problem[] => {
    const name = campaign.definition.campaign
    const earlier = first.get(name)
    if (!earlier) {
      first.set(name, campaign)
      return []
    }
    return [
      {
        severity: 'error',
        location: readDocument(campaign.file, campaign.source).locate(['campaign']),
        path: 'campaign',
        message: `${earlier.file} is named \`${name}\` too`,
        found: name,
        expected: 'a name of its own',
      },
    ]
  })
}
