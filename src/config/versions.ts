import { randomBytes } from 'node:crypto'
import { sql } from 'drizzle-orm/sql'
import { lockKey } from '../database/advisory-locks.ts'
import { execute, rows, type Session, type Transaction } from '../database/connect.ts'
import { WinbackError } from '../errors.ts'
import { ON_RETURN } from './campaign.ts'
import { type TemplateFiles, templatesHash } from './inputs.ts'
import type { Workspace } from './workspace.ts'

// Campaign versions as rows: read by everyone, written by apply and rollback under the campaign's lock.

/** The template files of a set that was applied. @throws WinbackError `templates.missing` */
export async function readTemplates(session: Session, hash: string): Promise<TemplateFiles> {
  const [row] = await rows<{ files: TemplateFiles }>(
    session,
    sql`SELECT files FROM template_sets WHERE hash = ${hash}`,
  )
  if (row) return row.files
  throw new WinbackError('templates.missing', `template set ${hash.slice(0, 12)} is not in the database`, {
    remedy: 'Run `winback apply` for the campaign again.',
  })
}

/**
 * What of the workspace a version keeps from the day it was applied: an attribute that is taken out of winback.yaml
 * must not stop the episodes that began with it, nor a language that is put first there, in which its templates have no
 * text; and a change of the control group must not rewrite old draws.
 */
export type PinnedWorkspace = Pick<Workspace, 'attributes' | 'orders' | 'control' | 'locales'>

function pinWorkspace({ attributes, orders, control, locales }: PinnedWorkspace): PinnedWorkspace {
  return { attributes, orders, control, locales }
}

/** A row of campaign_versions. */
export interface VersionRow {
  readonly campaign: string
  readonly version: number
  readonly source: string
  readonly file: string
  readonly inputs: string
  readonly templates: string
  readonly workspace: PinnedWorkspace
  readonly workspace_source: string | null
  readonly applied_at: Date
  readonly applied_by: string
  readonly restores: number | null
}

/** A campaign that was ever applied, and when it first was. */
export interface AppliedCampaign {
  readonly campaign: string
  readonly createdAt: Date
}

/** Every campaign that was ever applied, by name. */
export function appliedCampaigns(session: Session): Promise<AppliedCampaign[]> {
  return rows<AppliedCampaign>(
    session,
    sql`SELECT campaign, created_at AS "createdAt" FROM campaigns ORDER BY campaign`,
  )
}

/** Names of every campaign that was ever applied, in order. */
export async function appliedNames(session: Session): Promise<string[]> {
  return (await appliedCampaigns(session)).map(({ campaign }) => campaign)
}

/** Every version of a campaign, oldest first. */
export function readVersions(session: Session, campaign: string): Promise<VersionRow[]> {
  return rows<VersionRow>(
    session,
    sql`SELECT * FROM campaign_versions WHERE campaign = ${campaign} ORDER BY version`,
  )
}

/** The version new episodes open with, the hash of its inputs, and the salt all versions draw with. */
export async function currentVersion(
  session: Session,
  campaign: string,
): Promise<{ version: number; inputs: string; salt: string } | undefined> {
  const [row] = await rows<{ version: number; inputs: string; salt: string }>(
    session,
    sql`SELECT v.version, v.inputs, k.salt
          FROM campaigns k JOIN campaign_versions v ON v.campaign = k.campaign AND v.version = k.current_version
         WHERE k.campaign = ${campaign}`,
  )
  return row
}

/** One apply of a campaign at a time: the second sees what the first wrote, and makes the next version. */
export async function lockCampaign(tx: Transaction, campaign: string): Promise<void> {
  await execute(tx, sql`SELECT pg_advisory_xact_lock(${lockKey('named', sql`${campaign}::text`)})`)
}

/** Keeps a set of template files; returns the hash it is found by. */
export async function storeTemplates(tx: Transaction, files: TemplateFiles): Promise<string> {
  const hash = templatesHash(files)
  await execute(
    tx,
    sql`INSERT INTO template_sets (hash, files) VALUES (${hash}, ${JSON.stringify(files)}::jsonb)
        ON CONFLICT (hash) DO NOTHING`,
  )
  return hash
}

/** What of a campaign the rows of its steps are made from. */
export interface StepSource {
  readonly campaign: string
  readonly priority: number
  readonly topic?: string | undefined
  readonly tiers: readonly {
    readonly name: string
    readonly steps: readonly StepKey[]
  }[]
  readonly on_return: readonly StepKey[]
}

interface StepKey {
  readonly id: string
  readonly channel: readonly string[]
}

/** A version to be written. */
export interface NewVersion {
  readonly definition: StepSource
  readonly source: string
  readonly file: string
  readonly inputs: string
  readonly templates: string
  readonly workspace: PinnedWorkspace
  /** winback.yaml as it is written. */
  readonly workspaceSource: string
  readonly restores: number | null
  readonly at: Date
  readonly by: string
}

/** Writes the next version with its steps, and makes it current. Under {@link lockCampaign}. Returns its number. */
export async function storeVersion(tx: Transaction, made: NewVersion): Promise<number> {
  const { definition } = made
  const { campaign } = definition
  const [row] = await rows<{ version: number }>(
    tx,
    sql`INSERT INTO campaign_versions
          (campaign, version, source, file, inputs, templates, workspace, workspace_source, applied_at, applied_by, restores)
        SELECT ${campaign}::text, coalesce(max(version), 0) + 1, ${made.source}::text, ${made.file}::text,
               ${made.inputs}::text, ${made.templates}::text,
               ${JSON.stringify(pinWorkspace(made.workspace))}::jsonb, ${made.workspaceSource}::text,
               ${made.at.toISOString()}::timestamptz, ${made.by}::text, ${made.restores}::int
          FROM campaign_versions WHERE campaign = ${campaign}
        RETURNING version`,
  )
  if (!row) throw new Error(`no version of ${campaign} was written`)
  const { version } = row
  const steps = [...definition.tiers, { name: ON_RETURN, steps: definition.on_return }].flatMap(
    (tier, tierNo) =>
      tier.steps.map((step, stepNo) => ({
        tier_no: tierNo + 1,
        tier: tier.name,
        step_no: stepNo + 1,
        step: step.id,
        channels: step.channel,
      })),
  )
  await execute(
    tx,
    sql`INSERT INTO steps (campaign, version, priority, topic, tier_no, tier, step_no, step, channels)
        SELECT ${campaign}::text, ${version}::int, ${definition.priority}::smallint,
          ${definition.topic ?? null}::text, tier_no, tier, step_no, step, channels
          FROM jsonb_to_recordset(${JSON.stringify(steps)}::jsonb)
               AS given(tier_no smallint, tier text, step_no smallint, step text, channels text[])
         ORDER BY tier_no, step_no`,
  )
  await execute(
    tx,
    sql`INSERT INTO campaigns (campaign, current_version, salt, created_at)
        VALUES (${campaign}, ${version}, ${randomBytes(16).toString('hex')}, ${made.at.toISOString()}::timestamptz)
        ON CONFLICT (campaign) DO UPDATE SET current_version = excluded.current_version`,
  )
  return version
}
