import { inputsHash, type TemplateFiles } from '../../../config/inputs.ts'
import { type DiffLine, diffLines } from '../../../config/line-diff.ts'
import type { VersionRow } from '../../../config/versions.ts'

// What an apply would change of what runs.

export interface PlannedChanges {
  /** Of the campaign's file, with the lines around them; none where it is as it was. */
  readonly campaign: readonly DiffLine[]
  readonly templates: readonly {
    readonly path: string
    readonly change: 'added' | 'changed' | 'removed'
  }[]
  /** Whether `winback.yaml` is another than when the version was applied. */
  readonly workspace: boolean
  /** Of `winback.yaml`, with the lines around them; none where it is as it was, or the version did not keep it. */
  readonly workspaceLines: readonly DiffLine[]
}

/** What the files say otherwise than the version that runs. Pure. */
export function changesSince(
  version: Pick<VersionRow, 'source' | 'inputs' | 'workspace_source'> & { readonly templates: TemplateFiles },
  files: { readonly campaign: string; readonly workspace: string; readonly templates: TemplateFiles },
): PlannedChanges {
  const before = version.templates
  const after = files.templates
  const paths = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted()
  const unchanged = { campaign: version.source, workspace: files.workspace, templates: before }
  return {
    campaign: changedLines(version.source, files.campaign),
    templates: paths
      .filter((path) => before[path] !== after[path])
      .map((path) => ({
        path,
        change: before[path] === undefined ? 'added' : after[path] === undefined ? 'removed' : 'changed',
      })),
    workspace: inputsHash(unchanged) !== version.inputs,
    workspaceLines: changedLines(version.workspace_source ?? files.workspace, files.workspace),
  }
}

function changedLines(before: string, after: string): DiffLine[] {
  const lines = diffLines(before, after)
  return lines.some(({ kind }) => kind !== 'same') ? lines : []
}
