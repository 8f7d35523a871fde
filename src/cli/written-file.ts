import { mkdir, writeFile } from 'node:fs/promises'
import { WinbackError, whyUnwritable } from '../errors.ts'

// What an option says is to be written, and where.

/** @throws WinbackError `file.unwritable` */
export async function writeAsked(path: string, content: string | Uint8Array): Promise<void> {
  await writeFile(path, content).catch((cause: unknown) => refuse(path, cause))
}

/** The folder, and those above it. @throws as {@link writeAsked} */
export async function makeAsked(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => refuse(folder, cause))
}

function refuse(path: string, cause: unknown): never {
  throw new WinbackError('file.unwritable', `${path} cannot be written: ${whyUnwritable(cause)}`, {
    remedy: 'See to it, or name another place.',
    cause,
  })
}
