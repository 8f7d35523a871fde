import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { type RunResult, runCampaign } from '../../src/audience/run.ts'
import type { Channel } from '../../src/channels/channel.ts'
import { parseTemplates } from '../../src/channels/templates.ts'
import type { ManualClock } from '../../src/clock.ts'
import { applyCampaign, type RolledBack, rollbackCampaign } from '../../src/config/apply.ts'
import { environmentFrom } from '../../src/config/environment.ts'
import { parseCampaign, readWorkspace } from '../../src/config/load.ts'
import type { Workspace } from '../../src/config/workspace.ts'
import { importActivity, importContacts, importSuppressions } from '../../src/contacts/import.ts'
import { type Database, execute } from '../../src/database/connect.ts'
import { openRuntime, type Runtime } from '../../src/service/runtime.ts'
import type { Leases } from '../../src/touchpoints/lifecycle.ts'
import { scratchDirectory } from './scratch.ts'

// The whole of Winback but the command line, on files: a workspace, campaigns as YAML, real imports, real templates.
// Only the channels are scripted.

export interface Shop {
  readonly database: Database
  readonly clock: ManualClock
  readonly workspace: Workspace
  readonly runtime: Runtime
  /** Makes a campaign's text its current version; returns the version. */
  apply(source: string): Promise<number>
  /** Restores a version; by default the one before. */
  rollback(campaign: string, to?: number): Promise<RolledBack>
  /** Imports rows as a file would bring them. */
  importContacts(rows: readonly Readonly<Record<string, unknown>>[]): Promise<void>
  importActivity(rows: readonly Readonly<Record<string, unknown>>[]): Promise<{ inserted: number }>
  importSuppressions(rows: readonly Readonly<Record<string, unknown>>[]): Promise<void>
  /** Runs a campaign for a tick; now by default. */
  run(campaign: string, tick?: Date): Promise<RunResult>
}

export const WORKSPACE = `
version: 1
name: Shop
timezone: UTC
currency: CNY
locales: [en]
control: 0%
attributes: { first_name: string, price: { type: number, fresh: 1d } }
persons: { shared_by_at_most: 20 }
channels:
  email: { from: "Shop <hello@shop.example>", smtp: { host: 127.0.0.1, port: 2525 } }
  log: {}
`

export const TEMPLATES: Readonly<Record<string, string>> = {
  'hello.en.hbs': '---\nsubject: Hello\n---\n<p>Hello again</p>\n',
  'named.en.hbs': '---\nsubject: Hello\n---\n<p>Hello [{{contact.first_name}}]</p>\n',
  'priced.en.hbs': '---\nsubject: Hello\n---\n<p>Now [{{contact.price}}]</p>\n',
}

/** The workspace of {@link WORKSPACE}, or of another text. */
export function parseWorkspace(source = WORKSPACE): Workspace {
  const { definition, problems } = readWorkspace('winback.yaml', source, environmentFrom({}), '/')
  if (!definition) throw new Error(JSON.stringify(problems))
  return definition
}

/** As a replay keeps those of what it repeats: a campaign has its salt before its first version. */
async function keepSalts(
  database: Database,
  { workspace, ...campaigns }: Readonly<Record<string, string>>,
  now: Date,
): Promise<void> {
  await execute(database, sql`UPDATE settings SET value = ${workspace ?? ''} WHERE name = 'workspace_salt'`)
  for (const [campaign, salt] of Object.entries(campaigns)) {
    await execute(
      database,
      sql`INSERT INTO campaigns (campaign, current_version, salt, created_at) VALUES (${campaign}, 0, ${salt}, ${now})`,
    )
  }
}

export async function openShop(options: {
  database: Database
  clock: ManualClock
  channels: readonly Channel[]
  workspace?: string
  templates?: Readonly<Record<string, string>>
  leases?: Leases
  /** By which the workspace and its campaigns draw, instead of new ones: what was drawn once is drawn again. */
  salts?: Readonly<Record<string, string>>
}): Promise<Shop> {
  const { database, clock } = options
  if (options.salts) await keepSalts(database, options.salts, clock.now())
  const source = options.workspace ?? WORKSPACE
  const files = options.templates ?? TEMPLATES
  const workspace = parseWorkspace(source)
  const templates = parseTemplates(files, { locales: workspace.locales })
  const runtime = await openRuntime({
    database,
    workspace,
    clock,
    channels: new Map<string, Channel>(options.channels.map((channel) => [channel.name, channel])),
    ...(options.leases ? { leases: options.leases } : {}),
  })
  const directory = scratchDirectory()
  let written = 0
  const write = (rows: readonly Readonly<Record<string, unknown>>[]) => {
    written += 1
    const file = join(directory, `${written}.ndjson`)
    writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
    return file
  }
  const importing = { workspace, clock, hooks: runtime.hooks }
  const whole = <Summary extends { rejected: number; rejectFile: string | undefined }>(summary: Summary) => {
    if (summary.rejected > 0) throw new Error(`${summary.rejected} rows were rejected: ${summary.rejectFile}`)
    return summary
  }
  return {
    database,
    clock,
    workspace,
    runtime,
    apply: async (text) => {
      const loaded = parseCampaign('campaigns/test.yaml', text, workspace, templates)
      const applied = await applyCampaign(database, {
        loaded,
        templateFiles: files,
        workspace: { definition: workspace, source, directory: '/' },
        clock,
        by: 'test',
      })
      return applied.version
    },
    rollback: (campaign, to) =>
      rollbackCampaign(database, campaign, {
        to,
        clock,
        by: 'test',
        workspace: { definition: workspace, source },
        indexTemplates: (stored) => parseTemplates(stored, { locales: workspace.locales }),
      }),
    importContacts: async (rows) => {
      whole(await importContacts(database, write(rows), importing))
    },
    importActivity: async (rows) => whole(await importActivity(database, write(rows), importing)),
    importSuppressions: async (rows) => {
      whole(await importSuppressions(database, write(rows), importing))
    },
    run: async (campaign, tick) => {
      const current = await runtime.book.current(campaign)
      if (!current) throw new Error(`${campaign} was not applied`)
      return await runCampaign(runtime.run, current, tick ?? clock.now())
    },
  }
}
