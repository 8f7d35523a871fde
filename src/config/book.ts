import { sql } from 'drizzle-orm/sql'
import { rows, type Session } from '../database/connect.ts'
import { WinbackError } from '../errors.ts'
import { compileCampaign } from './compile.ts'
import type { CampaignBook, CompiledCampaign, VersionText } from './compiled.ts'
import type { TemplateFiles } from './inputs.ts'
import { parseAppliedCampaign, salvageApplied } from './load.ts'
import type { TemplateIndex } from './templates-index.ts'
import { type PinnedWorkspace, readTemplates } from './versions.ts'
import type { Workspace } from './workspace.ts'

/**
 * The applied campaigns of a database. A version never changes, so it is read and compiled once; which one is current is
 * looked up every time.
 */
export function openCampaignBook(
  session: Session,
  workspace: Workspace,
  indexTemplates: (files: TemplateFiles, workspace: Pick<Workspace, 'locales'>) => TemplateIndex,
): CampaignBook {
  const versions = remembering((name: string, version: number) => readVersion(name, version))
  const texts = remembering((name: string, version: number) => readText(name, version))
  const places = remembering((stepId: number) => readPlace(stepId), PLACES)

  async function readRow(name: string, version: number) {
    const [row] = await rows<{
      source: string
      file: string
      templates: string
      salt: string
      /** Of a version that was applied long ago, without what is kept since. */
      workspace: Partial<PinnedWorkspace> & Pick<PinnedWorkspace, 'control'>
    }>(
      session,
      sql`SELECT v.source, v.file, v.templates, v.workspace, k.salt
            FROM campaign_versions v JOIN campaigns k USING (campaign)
           WHERE v.campaign = ${name} AND v.version = ${version}`,
    )
    if (row) return row
    throw new WinbackError('version.unknown', `${name} has no version ${version}`, {
      remedy: 'Run `winback report` to see which campaigns were applied.',
    })
  }

  async function readText(name: string, version: number): Promise<VersionText> {
    const { file, source, workspace: pinned } = await readRow(name, version)
    return { version, definition: salvageApplied(file, source), control: pinned.control }
  }

  async function readCurrent(name: string): Promise<number | undefined> {
    const [row] = await rows<{ version: number }>(
      session,
      sql`SELECT current_version AS version FROM campaigns WHERE campaign = ${name}`,
    )
    return row?.version
  }

  async function readVersion(name: string, version: number): Promise<CompiledCampaign> {
    const row = await readRow(name, version)
    const steps = await rows<{ step: string; step_id: number }>(
      session,
      sql`SELECT step, step_id FROM steps WHERE campaign = ${name} AND version = ${version}`,
    )
    const kept = { ...workspace, ...row.workspace }
    const templates = indexTemplates(await readTemplates(session, row.templates), kept)
    return compileCampaign({
      definition: parseAppliedCampaign(`${row.file} (version ${version})`, row.source),
      version,
      salt: row.salt,
      stepIds: new Map(steps.map(({ step, step_id }) => [step, step_id])),
      workspace: kept,
      templates,
      templateSet: row.templates,
    })
  }

  async function readPlace(stepId: number): Promise<{ campaign: string; version: number }> {
    const [row] = await rows<{ campaign: string; version: number }>(
      session,
      sql`SELECT campaign, version FROM steps WHERE step_id = ${stepId}`,
    )
    if (!row) throw new WinbackError('step.unknown', `no applied campaign has a step ${stepId}`)
    return row
  }

  return {
    campaign: versions,
    async current(name) {
      const version = await readCurrent(name)
      return version === undefined ? undefined : versions(name, version)
    },
    text: texts,
    async currentText(name) {
      const version = await readCurrent(name)
      return version === undefined ? undefined : texts(name, version)
    },
    async step(stepId) {
      const place = await places(stepId)
      const campaign = await versions(place.campaign, place.version)
      const steps = [...campaign.tiers.flatMap((tier) => tier.steps), ...campaign.onReturn]
      const step = steps.find((each) => each.stepId === stepId)
      if (!step) throw new Error(`step ${stepId} is not in ${campaign.name} version ${campaign.version}`)
      return { campaign, step }
    },
  }
}

/** What is read of a campaign, or undefined of one that this Winback cannot read: another one applied it. */
export async function ifReadable<Read>(reading: Promise<Read>): Promise<Read | undefined> {
  return await reading.catch((error: unknown) => {
    if (error instanceof WinbackError) return undefined
    throw error
  })
}

/** Versions that are remembered: far more than are under way at a time, though a process may see thousands applied. */
const REMEMBERED = 500
/** Steps whose campaign and version are remembered: a few words each. */
const PLACES = 20_000

/**
 * Asks once for each set of arguments, and again only after a failure, or where so many others were asked for since.
 * @param most answers that are remembered
 */
export function remembering<Arguments extends readonly (string | number)[], Result>(
  ask: (...given: Arguments) => Promise<Result>,
  most = REMEMBERED,
): (...given: Arguments) => Promise<Result> {
  const answers = new Map<string, Promise<Result>>()
  return (...given) => {
    const key = JSON.stringify(given)
    const answer = answers.get(key) ?? ask(...given)
    // Asked for last, forgotten last.
    answers.delete(key)
    answers.set(key, answer)
    const [oldest] = answers.keys()
    if (answers.size > most && oldest !== undefined) answers.delete(oldest)
    answer.catch(() => {
      if (answers.get(key) === answer) answers.delete(key)
    })
    return answer
  }
}
