import { relative, resolve } from 'node:path'
import type { Clock } from '../clock.ts'
import { type Database, type Session, transaction } from '../database/connect.ts'
import { type Problem, WinbackError } from '../errors.ts'
import { inputsHash, planHash, shortHash, type TemplateFiles } from './inputs.ts'
import { type LoadedCampaign, type LoadedWorkspace, parseCampaign } from './load.ts'
import type { TemplateIndex } from './templates-index.ts'
import {
  currentVersion,
  lockCampaign,
  readTemplates,
  readVersions,
  storeTemplates,
  storeVersion,
} from './versions.ts'

export interface Applied {
  readonly outcome: 'applied' | 'unchanged'
  readonly campaign: string
  readonly version: number
  /** The version before, where there was one. */
  readonly previous: number | undefined
  /** Hash of the inputs, 64 digits. */
  readonly inputs: string
}

export interface ApplyInput {
  readonly loaded: LoadedCampaign
  readonly templateFiles: TemplateFiles
  readonly workspace: Pick<LoadedWorkspace, 'definition' | 'source' | 'directory'>
  readonly clock: Clock
  /** Who applies it, for the history. */
  readonly by: string
  /** What {@link planHash} was of the plan (its first digits will do): refused when inputs or version are others by now. */
  readonly expectedPlan?: string | undefined
}

/**
 * Makes a checked campaign the version that new episodes open with. Nothing happens where the current version has the same
 * inputs. Open episodes keep the version they began with.
 * @throws WinbackError `plan.changed`, `plan.overtaken`
 */
export async function applyCampaign(database: Database, input: ApplyInput): Promise<Applied> {
  const { loaded, templateFiles, workspace } = input
  const campaign = loaded.definition.campaign
  const inputs = inputsHash({
    campaign: loaded.source,
    workspace: workspace.source,
    templates: templateFiles,
  })
  const { expectedPlan } = input
  if (expectedPlan !== undefined) assertHash(expectedPlan)

  return transaction(database, async (tx) => {
    await lockCampaign(tx, campaign)
    const current = await currentVersion(tx, campaign)
    if (expectedPlan !== undefined) assertPlan(expectedPlan, { campaign, inputs, current })
    if (current?.inputs === inputs) {
      return { outcome: 'unchanged', campaign, version: current.version, previous: current.version, inputs }
    }
    const templates = await storeTemplates(tx, templateFiles)
    const version = await storeVersion(tx, {
      definition: loaded.definition,
      source: loaded.source,
      file: relative(workspace.directory, resolve(loaded.file)),
      inputs,
      templates,
      workspace: workspace.definition,
      workspaceSource: workspace.source,
      restores: null,
      at: input.clock.now(),
      by: input.by,
    })
    return { outcome: 'applied', campaign, version, previous: current?.version, inputs }
  })
}

function assertHash(expected: string): void {
  if (/^[0-9a-f]{12,64}$/.test(expected)) return
  throw new WinbackError('plan.hash', `"${expected}" is not the hash of a plan`, {
    remedy: 'Copy the twelve digits that `winback plan` prints.',
  })
}

/** What was planned over another version would take back, without a word, what was applied in between. */
function assertPlan(
  expected: string,
  now: {
    readonly campaign: string
    readonly inputs: string
    readonly current: { readonly version: number; readonly inputs: string } | undefined
  },
): void {
  const { campaign, inputs, current } = now
  const running = current?.version ?? 0
  const madeOver = Array.from({ length: running + 1 }, (_, version) => version).find((version) =>
    planHash(inputs, version).startsWith(expected),
  )
  const remedy = 'Run `winback plan` again and look at what it says.'
  if (madeOver === undefined) {
    throw new WinbackError(
      'plan.changed',
      `the campaign, the workspace or a template changed since plan ${shortHash(expected)}`,
      { remedy, facts: { expected, found: planHash(inputs, running) } },
    )
  }
  // Applied again, a plan has nothing left to do.
  if (madeOver === running || current?.inputs === inputs) return
  throw new WinbackError(
    'plan.overtaken',
    `version ${running} of ${campaign} was applied since plan ${shortHash(expected)}, which ${
      madeOver === 0 ? 'knew of none' : `shows what would change of version ${madeOver}`
    }`,
    { remedy, facts: { campaign, version: running } },
  )
}

export interface RollbackInput {
  /** The version to restore; by default the one before what is current. */
  readonly to?: number | undefined
  readonly clock: Clock
  readonly by: string
  /** Today's: the old text is held against it first, so that nothing is restored that cannot run. */
  readonly workspace: Pick<LoadedWorkspace, 'definition' | 'source'>
  /** @param marked what stands behind a file's name in a problem: the files on disk are others by now */
  readonly indexTemplates: (files: TemplateFiles, marked: string) => TemplateIndex
  /** Told what of the old text no longer fits the workspace and keeps nothing from running. */
  readonly warn?: (warning: Problem) => void
}

export interface RolledBack {
  readonly campaign: string
  /** The new version, which has the old one's text and templates. */
  readonly version: number
  readonly restores: number
  readonly previous: number
}

/**
 * Makes a NEW version with an older version's text and templates: history only grows. Rolling back twice goes two back.
 * @throws WinbackError `campaign.unknown`, `version.unknown`; ConfigError where the old text no longer fits the workspace
 */
export async function rollbackCampaign(
  database: Database,
  campaign: string,
  input: RollbackInput,
): Promise<RolledBack> {
  return transaction(database, async (tx) => {
    await lockCampaign(tx, campaign)
    const versions = await readVersions(tx, campaign)
    const current = await currentVersion(tx, campaign)
    if (!current) {
      throw new WinbackError('campaign.unknown', `no version of ${campaign} was ever applied`, {
        remedy: `Run \`winback apply ${campaign}\`.`,
      })
    }
    const byNo = new Map(versions.map((each) => [each.version, each]))
    const original = (no: number): number => byNo.get(no)?.restores ?? no
    const target = input.to ?? original(original(current.version) - 1)
    const restored = byNo.get(target)
    if (!restored) {
      const known = versions.map((each) => each.version).join(', ')
      const first = original(current.version)
      const held = first === current.version ? '' : ` (the current version ${current.version} restores it)`
      const message =
        input.to === undefined
          ? `there is nothing before version ${first} of ${campaign}${held}`
          : `${campaign} has no version ${input.to}`
      throw new WinbackError('version.unknown', message, {
        remedy:
          versions.length === 1
            ? 'It is the only one so far.'
            : `Name the version you want with --to; there are ${known}. \`winback rollback ${campaign} --list\` shows them.`,
      })
    }
    const { workspace } = input
    const templates = await readTemplates(tx, restored.templates)
    // Its lines are not those of the files on disk, which would be quoted for them.
    const marked = ` (version ${target})`
    const index = input.indexTemplates(templates, marked)
    const { definition, warnings } = parseCampaign(
      `${restored.file}${marked}`,
      restored.source,
      workspace.definition,
      index,
    )
    for (const warning of warnings) input.warn?.(warning)
    const version = await storeVersion(tx, {
      definition,
      source: restored.source,
      file: restored.file,
      // With today's workspace, of which it keeps its share: an old one's hash would call that one applied.
      inputs: inputsHash({ campaign: restored.source, workspace: workspace.source, templates }),
      templates: restored.templates,
      workspace: workspace.definition,
      workspaceSource: workspace.source,
      restores: original(target),
      at: input.clock.now(),
      by: input.by,
    })
    return { campaign, version, restores: target, previous: current.version }
  })
}

export interface HistoryEntry {
  readonly version: number
  readonly current: boolean
  readonly file: string
  readonly inputs: string
  readonly appliedAt: Date
  readonly appliedBy: string
  readonly restores: number | undefined
}

/** Every version of a campaign, newest first; empty for one that was never applied. */
export async function campaignHistory(session: Session, campaign: string): Promise<HistoryEntry[]> {
  const current = await currentVersion(session, campaign)
  const versions = await readVersions(session, campaign)
  return versions
    .toSorted((a, b) => b.version - a.version)
    .map((each) => ({
      version: each.version,
      current: each.version === current?.version,
      file: each.file,
      inputs: each.inputs,
      appliedAt: each.applied_at,
      appliedBy: each.applied_by,
      restores: each.restores ?? undefined,
    }))
}
