import { mkdir, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf, WinbackError, whyUnwritable } from '../errors.ts'

// What an option says is to be written, and where.

/** @throws WinbackError `file.unwritable` */
export async function writeAsked(path: string, content: string | Uint8Array): Promise<void> {
  await writeFile(path, content).catch((cause: unknown) => refuse(path, cause))
}

/** The folder, and those above it. @throws as {@link writeAsked} */
export async function makeAsked(folder: string): Promise<void> {
  await makeFolder(folder).catch((cause: unknown) => refuse(folder, cause))
}

/**
 * Makes a folder and those above it, one after the other: told to make them all, Node says of a read-only disk that there
 * is no such folder, and of one in /proc nothing, for ever.
 */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder)
  } catch (cause) {
    const code = codeOf(cause)
    if (code === 'EEXIST' && (await stat(folder)).isDirectory()) return
    if (code !== 'ENOENT' || dirname(folder) === folder) throw cause
    await makeFolder(dirname(folder))
    await mkdir(folder)
  }
}

function refuse(path: string, cause: unknown): never {
  throw new WinbackError('file.unwritable', `${path} cannot be written: ${whyUnwritable(cause)}`, {
    remedy: 'See to it, or name another place.',
    cause,
  })
}
