import { access } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { type LoadedWorkspace, loadWorkspace } from '../config/load.ts'
import { WinbackError } from '../errors.ts'
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
