import type { Command } from 'commander'
import { parseTemplates } from '../channels/templates.ts'
import { campaignHistory, type HistoryEntry, type RolledBack, rollbackCampaign } from '../config/apply.ts'
import { shortHash } from '../config/inputs.ts'
import { painter, table } from '../reports/layout.ts'
import { appliedCampaign } from './campaigns.ts'
import { operator } from './operator.ts'
import type { Outcome } from './output.ts'
import { describe, type Start, wholeNumber } from './verb.ts'
import { type DatabaseContext, withWorkspace } from './workspace.ts'

export function rollback(start: Start): Command {
  return describe('rollback', {
    group: 'campaigns',
    summary: 'Go back to an earlier version of a campaign, templates included',
    description:
      'Makes a new version with the old one’s text: history only grows. Files on disk are not touched.',
    examples: [
      ['winback rollback graded-recall', 'to the version before'],
      ['winback rollback graded-recall --to 3', 'to version 3'],
      ['winback rollback graded-recall --list', 'the versions there are'],
    ],
  })
    .argument('<campaign>', 'the campaign')
    .option('--to <version>', 'the version to restore (default: the one before)', wholeNumber('--to'))
    .option('--list', 'list the versions and change nothing')
    .action((campaign: string, options: { to?: number; list?: boolean }, command: Command) =>
      start(command, (invocation) =>
        withWorkspace<Outcome>(invocation, (context) =>
          options.list ? listVersions(context, campaign) : runRollback(context, campaign, options.to),
        ),
      ),
    )
}

async function runRollback(
  context: DatabaseContext,
  name: string,
  to: number | undefined,
): Promise<Outcome<RolledBack>> {
  const campaign = await appliedCampaign(context, name)
  const { definition } = context.loaded
  const result = await rollbackCampaign(context.database, campaign, {
    to,
    clock: context.clock,
    by: operator(),
    workspace: definition,
    indexTemplates: (files) => parseTemplates(files, { locales: definition.locales }),
  })
  return {
    data: result,
    text:
      `${campaign}: version ${result.version} applied, which is version ${result.restores} again (it was ${result.previous}).\n` +
      'The files on disk are as they were: `winback apply` would bring them back.',
  }
}

async function listVersions(
  context: DatabaseContext,
  name: string,
): Promise<Outcome<{ versions: HistoryEntry[] }>> {
  const versions = await campaignHistory(context.database, await appliedCampaign(context, name))
  return { data: { versions }, text: formatVersions(versions, context.output.colors.isColorSupported) }
}

/** The versions, newest first. */
export function formatVersions(versions: readonly HistoryEntry[], color: boolean): string {
  return table(
    [
      { title: 'version', align: 'right' },
      { title: '', align: 'left' },
      { title: 'restores', align: 'right' },
      { title: 'applied', align: 'left' },
      { title: 'by', align: 'left' },
      { title: 'inputs', align: 'left' },
      { title: 'file', align: 'left' },
    ],
    versions.map((each) => [
      String(each.version),
      each.current ? 'current' : '',
      each.restores === undefined ? '' : String(each.restores),
      each.appliedAt.toISOString().slice(0, 16).replace('T', ' '),
      each.appliedBy,
      shortHash(each.inputs),
      each.file,
    ]),
    painter(color),
  ).join('\n')
}
