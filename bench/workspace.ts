import { join } from 'node:path'
import { runCampaign } from '../src/audience/run.ts'
import { parseTemplates, readTemplateFiles } from '../src/channels/templates.ts'
import { type ManualClock, manualClock } from '../src/clock.ts'
import { applyCampaign } from '../src/config/apply.ts'
import { environmentFrom } from '../src/config/environment.ts'
import { loadCampaign, loadWorkspace } from '../src/config/load.ts'
import type { Workspace } from '../src/config/workspace.ts'
import type { Database } from '../src/database/connect.ts'
import { refreshReports } from '../src/service/reporting.ts'
import { openRuntime, type Runtime } from '../src/service/runtime.ts'
import { freshenSignals } from '../src/service/signals.ts'
import { packageDirectory } from './arena.ts'

/** When everything in the benchmark happens: a Monday at nine, UTC. */
export const NOW = new Date('2026-03-02T09:00:00Z')

const directory = join(packageDirectory, 'bench', 'workspace')

export interface WorkspaceOptions {
  /** Where its e-mail channel delivers to. */
  readonly smtpPort?: number
  /** Mails carry signed links, an open pixel, unsubscription by one click and by mail, and a sender of their own. */
  readonly tracked?: boolean
}

/** The benchmark's workspace. */
export async function openWorkspace({ smtpPort = 1025, tracked = false }: WorkspaceOptions = {}): Promise<{
  definition: Workspace
  apply(database: Database, campaign: string): Promise<void>
}> {
  const loaded = await loadWorkspace(join(directory, 'winback.yaml'), environmentFrom({}))
  const { channels, web } = loaded.definition
  const email = channels.email && {
    ...channels.email,
    smtp: { ...channels.email.smtp, port: smtpPort },
    ...(tracked ? { unsubscribe: 'leave@bench.example', bounces: 'bounce@bench.example' } : {}),
  }
  return {
    definition: {
      ...loaded.definition,
      channels: { ...channels, ...(email ? { email } : {}) },
      web: { ...web, ...(tracked ? { url: 'https://bench.example' } : {}) },
    },
    apply: async (database, campaign) => {
      const folder = join(loaded.directory, loaded.definition.templates)
      const files = await readTemplateFiles(folder)
      const templates = parseTemplates(files, { locales: loaded.definition.locales })
      const file = join(directory, 'campaigns', `${campaign}.yaml`)
      await applyCampaign(database, {
        loaded: await loadCampaign(file, loaded, templates),
        templateFiles: files,
        workspace: loaded,
        clock: manualClock(NOW),
        by: 'bench',
      })
    },
  }
}

/** A runtime that stands still at `at`; close the runtime, then the database. */
export async function openBenchRuntime(
  database: Database,
  options: WorkspaceOptions & { readonly at?: Date } = {},
): Promise<Runtime & { clock: ManualClock }> {
  const workspace = await openWorkspace(options)
  const clock = manualClock(options.at ?? NOW)
  const runtime = await openRuntime({ database, workspace: workspace.definition, clock })
  return { ...runtime, clock }
}

/** Applies a campaign and runs it once: episodes, stages and planned touchpoints. */
export async function applyAndRun(database: Database, campaign: string): Promise<void> {
  const workspace = await openWorkspace()
  await workspace.apply(database, campaign)
  const runtime = await openBenchRuntime(database)
  try {
    const current = await runtime.book.current(campaign)
    if (!current) throw new Error(`${campaign} was not applied`)
    const result = await runCampaign(runtime.run, current, NOW)
    if (result.state !== 'done') throw new Error(`the run was ${result.state}: ${result.note}`)
  } finally {
    await runtime.close()
  }
}

/** As in a workspace that has been running: the passes that a start makes over signals and sums find nothing to do. */
export async function countEverything(database: Database): Promise<void> {
  const runtime = await openBenchRuntime(database)
  try {
    await freshenSignals(runtime)
    await refreshReports(runtime)
  } finally {
    await runtime.close()
  }
}
