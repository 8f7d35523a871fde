import type { Problem } from '../../errors.ts'
import type { SourceDocument } from '../documents/document.ts'
import type { Salvaged } from '../documents/salvaged.ts'
import { ACTIVITY_FIELDS, contactFields, fieldCalled } from '../import-fields.ts'
import type { SyncSettings } from '../sync-settings.ts'
import type { Workspace } from '../workspace.ts'
import { finding, unknownName } from './findings.ts'

/** What can be said of `sync` without asking a database: which columns a query has is seen when it runs. */
export function* checkSync(document: SourceDocument, workspace: Salvaged<Workspace>): Generator<Problem> {
  for (const [name, settings] of Object.entries(workspace.sync ?? {})) {
    if (settings) yield* checkOne(document, name, settings, workspace)
  }
}

function* checkOne(
  document: SourceDocument,
  name: string,
  settings: Salvaged<SyncSettings>,
  workspace: Salvaged<Workspace>,
): Generator<Problem> {
  const { kind } = settings
  if (kind === undefined) return
  const fields = kind === 'contacts' ? contactFields(workspace.attributes ?? {}) : ACTIVITY_FIELDS
  const said = new Map<string, string>()
  for (const part of ['fields', 'set'] as const) {
    for (const given of Object.keys(settings[part] ?? {})) {
      const field = fieldCalled(given, fields)
      const path = ['sync', name, part, given]
      if (field === undefined) {
        yield unknownName(document, path, { what: `field of ${kind}`, name: given, names: fields, at: 'key' })
        continue
      }
      const earlier = said.get(field)
      if (earlier !== undefined) {
        yield finding(document, path, `${field} is given by ${earlier} already; keep one`, { at: 'key' })
      }
      said.set(field, `${part}.${given}`)
    }
  }
  if (settings.set?.external_id !== undefined) {
    yield finding(document, ['sync', name, 'set', 'external_id'], 'every row would be of the same contact', {
      at: 'key',
    })
  }
  if (kind === 'contacts' && settings.key !== undefined) {
    yield finding(
      document,
      ['sync', name, 'key'],
      'contacts are told apart by external_id; only activity has a key',
      {
        at: 'key',
      },
    )
  }
}
