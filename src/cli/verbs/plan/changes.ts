import { inputsHash, type TemplateFiles } from '../../../config/inputs.ts'
import { type DiffLine, diffLines } from '../../../config/line-diff.ts'
import type { VersionRow } from '../../../config/versions.ts'

// What an apply would change of what runs. A version keeps its file and its templates; of winback.yaml it keeps a hash.

export interface PlannedChanges {
  /** Of the campaign's file, with the lines around them; none where it is as it was. */
  readonly campaign: readonly DiffLine[]
  readonly templates: readonly {
    readonly path: string
    readonly change: 'added' | 'changed' | 'removed'
  }[]
  /** Whether `winback.yaml` is another than when the version was applied. */
  readonly workspace: boolean
}

/** What the files say otherwise than the version that runs. Pure. */
export function changesSince(
  version: Pick<VersionRow, 'source' | 'inputs'> & { readonly templates: TemplateFiles },
  files: { readonly campaign: string; readonly workspace: string; readonly templates: TemplateFiles },
): PlannedChanges {
  const before = version.templates
  const after = files.templates
  const paths = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted()
  const campaign = diffLines(version.source, files.campaign)
  const unchanged = { campaign: version.source, workspace: files.workspace, templates: before }
  return {
    campaign: campaign.some(({ kind }) => kind !== 'same') ? campaign : [],
    templates: paths
      .filter((path) => before[path] !== after[path])
      .map((path) => ({
        path,
        change: before[path] === undefined ? 'added' : after[path] === undefined ? 'removed' : 'changed',
      })),
    workspace: inputsHash(unchanged) !== version.inputs,
  }
}
