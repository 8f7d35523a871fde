import type { Command } from 'commander'
import { type Applied, applyCampaign } from '../../config/apply.ts'
import { shortHash } from '../../config/inputs.ts'
import type { LoadedCampaign } from '../../config/load.ts'
import { WinbackError } from '../../errors.ts'
import type { Speech } from '../../reports/words.ts'
import { assertTexts, openCampaigns, openTemplates, warnOfOverlooked } from '../campaigns.ts'
import { warnOfChangedOffers } from '../changed-offers.ts'
import { filelessCampaigns, filelessText } from '../fileless.ts'
import { type Say, type Spoken, sayIn, speechIn, spoken } from '../locale.ts'
import { warnOfLostMessages } from '../lost-channels.ts'
import { operator } from '../operator.ts'
import type { Outcome } from '../output.ts'
import { warnOfSwitches } from '../still-held.ts'
import { warnOfUnknownSeeds } from '../unknown-seeds.ts'
import { describe, type Start } from '../verb.ts'
import { type DatabaseContext, startInWorkspace } from '../workspace.ts'

interface ApplyOptions extends Spoken {
  readonly plan?: string
}

export function apply(start: Start): Command {
  const command = describe('apply', {
    group: 'campaigns',
    summary: 'Make campaign files the versions that run',
    description:
      'Whoever is taken in from now on gets the new version; who is under way keeps the one they began with.\n' +
      'With --plan, refuses when the campaign, the workspace or a template is no longer what the plan showed, or another version runs by now.',
    examples: [
      ['winback apply', 'every campaign of the workspace that changed'],
      ['winback apply graded-recall --plan 3f9c2a71b04e', 'exactly what `winback plan` showed'],
    ],
  })
  return spoken(command)
    .argument('[campaigns...]', 'names or files (default: all)')
    .option('--plan <hash>', 'the hash `winback plan` printed')
    .action((campaigns: string[], options: ApplyOptions, command: Command) =>
      startInWorkspace(start, command, (context) => runApply(context, campaigns, options)),
    )
}

async function runApply(
  context: DatabaseContext,
  wanted: readonly string[],
  options: ApplyOptions,
): Promise<Outcome<{ campaigns: Applied[] }>> {
  const { plan } = options
  const speech = speechIn(context, options)
  const templates = await openTemplates(context)
  // Everything is read, and found right, before the first version is written.
  const campaigns = await openCampaigns(context, templates, wanted)
  assertTexts(campaigns, templates)
  if (wanted.length === 0) await warnOfOverlooked(context)
  if (plan !== undefined && campaigns.length !== 1) {
    throw new WinbackError('usage.plan', '--plan is the hash of one campaign', {
      remedy: 'Name the campaign it was made for.',
    })
  }
  const applied: Applied[] = []
  for (const loaded of campaigns) {
    for (const warning of loaded.warnings)
      context.output.warn(`${loaded.file}: ${warning.path}: ${warning.message}`)
    await warnOfUnknownSeeds(context, loaded, sayIn(speech))
    await warnOfChangedOffers(context, loaded, sayIn(speech))
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
  await warnOfSwitches(
    context,
    applied.map(({ campaign }) => campaign),
    speech,
  )
  await warnOfLostMessages(context, speech)
  // Of some campaigns it says nothing what other files there are.
  if (wanted.length === 0) await warnOfFileless(context, campaigns, sayIn(speech))
  return { data: { campaigns: applied }, text: formatApplied(applied, speech) }
}

/** Whoever took a file away may believe that to be the end of its campaign. */
async function warnOfFileless(
  context: DatabaseContext,
  campaigns: readonly LoadedCampaign[],
  say: Say,
): Promise<void> {
  const named = campaigns.map(({ definition }) => definition.campaign)
  for (const name of await filelessCampaigns(context, named)) {
    const { found, mend } = filelessText(name, say)
    context.output.warn(say(`${found}. ${mend}`, `${found}。${mend}`))
  }
}

/** A line for each campaign. */
export function formatApplied(applied: readonly Applied[], speech: Speech): string {
  const say = sayIn(speech)
  if (applied.length === 0) return say('There is no campaign to apply.', '没有可应用的活动。')
  return applied
    .map(({ outcome, campaign, version, previous, inputs }) => {
      const hash = shortHash(inputs)
      if (outcome === 'unchanged') {
        return say(
          `${campaign}: unchanged, version ${version} (${hash})`,
          `${campaign}：无变化，版本 ${version}（${hash}）`,
        )
      }
      const after =
        previous === undefined ? '' : say(`, after version ${previous}`, `，此前为版本 ${previous}`)
      return say(
        `${campaign}: version ${version} applied${after} (${hash})`,
        `${campaign}：版本 ${version} 已生效${after}（${hash}）`,
      )
    })
    .join('\n')
}
