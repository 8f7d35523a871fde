import type { Command } from 'commander'
import { type Applied, applyCampaign } from '../config/apply.ts'
import { shortHash } from '../config/inputs.ts'
import { readSwitches } from '../config/switches.ts'
import { WinbackError } from '../errors.ts'
import { openCampaigns, openTemplates } from './campaigns.ts'
import { operator } from './operator.ts'
import type { Outcome } from './output.ts'
import { describe, type Start } from './verb.ts'
import { type DatabaseContext, withWorkspace } from './workspace.ts'

export function apply(start: Start): Command {
  return describe('apply', {
    group: 'campaigns',
    summary: 'Make campaign files the versions that run',
    description:
      'Whoever is taken in from now on gets the new version; who is under way keeps the one they began with.\n' +
      'With --plan, refuses when the campaign, the workspace or a template is no longer what the plan showed.',
    examples: [
      ['winback apply', 'every campaign of the workspace that changed'],
      ['winback apply graded-recall --plan 3f9c2a71b04e', 'exactly what `winback plan` showed'],
    ],
  })
    .argument('[campaigns...]', 'names or files (default: all)')
    .option('--plan <hash>', 'the hash `winback plan` printed')
    .action((campaigns: string[], options: { plan?: string }, command: Command) =>
      start(command, (invocation) =>
        withWorkspace(invocation, (context) => runApply(context, campaigns, options.plan)),
      ),
    )
}

async function runApply(
  context: DatabaseContext,
  wanted: readonly string[],
  plan: string | undefined,
): Promise<Outcome<{ campaigns: Applied[] }>> {
  const templates = await openTemplates(context)
  // Everything is read, and found right, before the first version is written.
  const campaigns = await openCampaigns(context, templates, wanted)
  if (plan !== undefined && campaigns.length !== 1) {
    throw new WinbackError('usage.plan', '--plan is the hash of one campaign', {
      remedy: 'Name the campaign it was made for.',
    })
  }
  const applied: Applied[] = []
  for (const loaded of campaigns) {
    for (const warning of loaded.warnings)
      context.output.warn(`${loaded.file}: ${warning.path}: ${warning.message}`)
    applied.push(
      await applyCampaign(context.database, {
        loaded,
        templateFiles: templates.files,
        workspace: context.loaded,
        clock: context.clock,
        by: operator(),
        expectedPlan: plan,
      }),
    )
  }
  await warnOfSwitches(context, applied)
  return { data: { campaigns: applied }, text: formatApplied(applied) }
}

/** A version that is applied to what is held back runs no more than the one before. */
async function warnOfSwitches(context: DatabaseContext, applied: readonly Applied[]): Promise<void> {
  const names = applied.map(({ campaign }) => campaign)
  for (const { scope, name, state, reason } of await readSwitches(context.database)) {
    if (scope === 'channel' || (scope === 'campaign' && !names.includes(name))) continue
    const what = scope === 'workspace' ? 'everything' : name
    context.output.warn(
      state === 'stopped'
        ? `${what} was stopped for good (${reason}) and stays stopped: nobody is taken in. Apply it under another name to begin anew.`
        : `${what} is paused (${reason}) and stays paused until \`winback resume${scope === 'workspace' ? ' --all' : ` ${name}`}\`.`,
    )
  }
}

/** A line for each campaign. */
export function formatApplied(applied: readonly Applied[]): string {
  if (applied.length === 0) return 'There is no campaign to apply.'
  return applied
    .map(({ outcome, campaign, version, previous, inputs }) =>
      outcome === 'unchanged'
        ? `${campaign}: unchanged, version ${version} (${shortHash(inputs)})`
        : `${campaign}: version ${version} applied${previous === undefined ? '' : `, after version ${previous}`} (${shortHash(inputs)})`,
    )
    .join('\n')
}
