import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type Clock, manualClock } from '../../src/clock.ts'
import type { ImportOptions, ImportWorkspace } from '../../src/contacts/files/file-import.ts'

export const workspace: ImportWorkspace = {
  currency: 'CNY',
  activity: ['session', 'order'],
  orders: { event: 'order' },
  events: { horizon: 30 * 86_400 },
  persons: { shared_by_at_most: 3 },
  attributes: {
    first_name: { type: 'string' },
    points: { type: 'number', fresh: 86_400 },
    vip: { type: 'bool' },
    renewed: { type: 'timestamp' },
  },
}

/** Stands still: several files' tests may share it. */
export const clock: Clock = manualClock(new Date('2026-03-01T00:00:00Z'))

export function options(more: Partial<ImportOptions> = {}): ImportOptions {
  return { workspace, clock, asOf: new Date('2026-02-28T00:00:00Z'), ...more }
}

/** A file of its own directory, gone after the test. */
export function file(name: string, content: string | Buffer): string {
  const directory = mkdtempSync(join(tmpdir(), 'winback-import-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}
