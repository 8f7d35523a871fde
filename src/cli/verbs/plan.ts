import type { Command } from 'commander'
import { speechOf } from '../../reports/words.ts'
import { shortageWarning } from '../../service/plan/sentences.ts'
import { assertTexts, openCampaigns, openTemplates, warnOfOverlooked } from '../campaigns.ts'
import { warnOfChangedOffers } from '../changed-offers.ts'
import { chooseLocale, sayIn } from '../locale.ts'
import { warnOfLostMessages } from '../lost-channels.ts'
import { parseMoment } from '../moments.ts'
import type { Outcome } from '../output.ts'
import { warnOfUnknownSeeds } from '../unknown-seeds.ts'
import { describe, type Start } from '../verb.ts'
import { type DatabaseContext, startInWorkspace } from '../workspace.ts'
import { type CampaignPlan, planCampaign } from './plan/plan.ts'
import { formatPlan } from './plan/text.ts'

interface PlanOptions {
  readonly asOf?: string
  readonly locale?: string
}

export function plan(start: Start): Command {
  return describe('plan', {
    group: 'campaigns',
    summary: 'What a campaign would do, to whom, at what cost, and what it could prove',
    description:
      'Changes nothing. Counts the audience by tier and segment, says who is left out and why, shows messages to ' +
      'real contacts, and prints the hash `winback apply --plan` wants.',
    examples: [
      ['winback plan', 'every campaign of the workspace'],
      ['winback plan graded-recall --as-of 2026-11-25', 'as if it were that day'],
      ['winback plan graded-recall --json', 'the counts, for a review'],
    ],
  })
    .argument('[campaigns...]', 'names or files (default: all)')
    .option('--as-of <time>', 'count for this moment (default: now)')
    .option('--locale <locale>', 'en or zh-CN, or a variant (default: this machine’s)')
    .action((campaigns: string[], options: PlanOptions, command: Command) =>
      startInWorkspace(start, command, (context) => runPlan(context, campaigns, options)),
    )
}

async function runPlan(
  context: DatabaseContext,
  wanted: readonly string[],
  options: PlanOptions,
): Promise<Outcome<{ campaigns: CampaignPlan[] }>> {
  const locale = chooseLocale(options.locale)
  const workspace = context.loaded.definition
  const templates = await openTemplates(context)
  const loaded = await openCampaigns(context, templates, wanted)
  assertTexts(loaded, templates)
  if (wanted.length === 0) await warnOfOverlooked(context)
  const asOf =
    options.asOf === undefined
      ? context.clock.now()
      : parseMoment('--as-of', options.asOf, workspace.timezone)
  const speech = speechOf({ locale })
  await warnOfLostMessages(context, speech)
  const plans: CampaignPlan[] = []
  for (const campaign of loaded) {
    for (const warning of campaign.warnings) {
      context.output.warn(`${campaign.file}: ${warning.path}: ${warning.message}`)
    }
    await warnOfUnknownSeeds(context, campaign, sayIn(speech))
    await warnOfChangedOffers(context, campaign, sayIn(speech))
    const plan = await planCampaign(context, campaign, templates, asOf)
    for (const shortage of plan.shortages) {
      context.output.warn(shortageWarning(shortage, plan.campaign, speech))
    }
    plans.push(plan)
  }
  const style = {
    locale,
    color: context.output.colors.isColorSupported,
    width: context.output.width,
  }
  return {
    data: { campaigns: plans },
    text:
      plans.length === 0
        ? sayIn(speech)(
            `There is no campaign in ${workspace.campaigns}/. Run \`winback init\` for one to begin with.`,
            `${workspace.campaigns}/ 中没有活动。运行 \`winback init\` 可创建一个。`,
          )
        : plans.map((each) => formatPlan(each, workspace, style)).join('\n\n\n'),
  }
}
