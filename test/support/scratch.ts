import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterFile } from './after-file.ts'

/** A directory that is removed after the test file. */
export function scratchDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'winback-test-'))
  afterFile(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}
