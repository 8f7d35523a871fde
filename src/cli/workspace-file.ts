import { access } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import type { ChannelRegistry } from '../channels/channels.ts'
import { inspectWorkspace, type LoadedWorkspace, loadWorkspace } from '../config/load.ts'
import { databaseSettings } from '../config/workspace.ts'
import { ConfigError, WinbackError } from '../errors.ts'
import type { Invocation } from './verb.ts'

// The workspace as its file says, without its database: what `validate` needs, and all that others begin with.

/** What a verb that reads the configuration is given. */
export interface WorkspaceContext extends Invocation {
  readonly loaded: LoadedWorkspace
}

export const WORKSPACE_FILE = 'winback.yaml'

/**
 * The workspace file: the one named by --workspace, else winback.yaml in `cwd` or the nearest folder above it.
 * @throws WinbackError `workspace.missing`
 */
export async function findWorkspaceFile(
  invocation: Pick<Invocation, 'cwd' | 'workspaceFile'>,
): Promise<string> {
  const { cwd, workspaceFile } = invocation
  if (workspaceFile !== undefined) {
    if (await exists(workspaceFile)) return workspaceFile
    throw new WinbackError('workspace.missing', `${workspaceFile} does not exist`, {
      remedy: 'Name a workspace file with --workspace, or leave the option out to have it found.',
    })
  }
  for (let folder = cwd; ; folder = dirname(folder)) {
    const file = join(folder, WORKSPACE_FILE)
    if (await exists(file)) return file
    if (folder === dirname(folder)) break
  }
  throw new WinbackError('workspace.missing', `no ${WORKSPACE_FILE} in ${cwd} or any folder above it`, {
    remedy: 'Run `winback init` to make one here, or point to one with --cwd or --workspace.',
  })
}

/** Finds and loads the workspace. @throws WinbackError `workspace.missing`, ConfigError with every problem */
export async function openWorkspace<Given extends Invocation>(
  invocation: Given,
): Promise<Given & WorkspaceContext> {
  const file = await findWorkspaceFile(invocation)
  const loaded = await loadWorkspace(shown(file), invocation.environment)
  return { ...invocation, loaded }
}

/** Where a database is: the workspace's own folder, where it names none. */
export interface DatabasePlace {
  readonly directory: string
  readonly url?: string | undefined
  readonly schema: string
}

/** What can be read of a workspace in whose file something may be wrong. */
export interface ReadableContext extends Invocation {
  readonly place: DatabasePlace
  /** An IANA zone. */
  readonly timezone: string
  readonly channels: ChannelRegistry
}

/**
 * {@link openWorkspace} as far as the file can be read; that it is no further is warned of.
 * @throws WinbackError `workspace.missing`, ConfigError where the database is in doubt
 */
export async function readAsFarAsItGoes(invocation: Invocation): Promise<ReadableContext> {
  const { environment, output } = invocation
  const file = shown(await findWorkspaceFile(invocation))
  const { yardstick, problems, directory } = await inspectWorkspace(file, environment)
  const { workspace, channels, doubtful } = yardstick
  if (doubtful(['database'])) throw new ConfigError(problems)
  const { url = environment.databaseUrl, schema } = databaseSettings.parse(workspace.database ?? {})
  const mistakes = problems.filter(({ severity }) => severity === 'error').length
  if (mistakes > 0) {
    output.warn(
      output.language === 'en'
        ? `${mistakes} problem${mistakes === 1 ? '' : 's'} in ${file}, which \`winback validate\` names: this is done all the same`
        : `${file} 中有 ${mistakes} 处问题（\`winback validate\` 会逐一列出）：本操作仍会执行`,
    )
  }
  const timezone = doubtful(['timezone']) ? undefined : workspace.timezone
  return { ...invocation, place: { directory, url, schema }, timezone: timezone ?? 'UTC', channels }
}

/** A path as the person at the terminal would type it, so that it can be clicked or copied. */
export function shown(path: string): string {
  const short = relative('.', path)
  return short === '' ? '.' : short.startsWith('..') ? resolve(path) : short
}

/** Whether there is a file or a folder. */
export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
