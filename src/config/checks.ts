import type { Problem } from '../errors.ts'
import { checkCalls } from './checks/calls.ts'
import { checkChannels } from './checks/channels.ts'
import { checkEntries } from './checks/entries.ts'
import { checkExpressions } from './checks/expressions.ts'
import type { Checked } from './checks/findings.ts'
import { checkLadder } from './checks/ladder.ts'
import { checkLimits } from './checks/limits.ts'
import { checkNaughts } from './checks/naughts.ts'
import { checkOffers } from './checks/offers.ts'
import { checkSettings } from './checks/settings.ts'
import { checkTemplates } from './checks/templates.ts'
import { checkTexts } from './checks/texts.ts'
import { checkVariants } from './checks/variants.ts'

/**
 * Everything about a campaign that its schema cannot say, each refusal with its place and its reason. Works on what
 * could be read of a broken file, so that one run names every mistake.
 */
export function checkCampaign(checked: Checked): Problem[] {
  return [
    ...checkSettings(checked),
    ...checkLadder(checked),
    ...checkEntries(checked),
    ...checkChannels(checked),
    ...checkCalls(checked),
    ...checkVariants(checked),
    ...checkTemplates(checked),
    ...checkTexts(checked),
    ...checkExpressions(checked),
    ...checkOffers(checked),
    ...checkLimits(checked),
    ...checkNaughts(checked),
  ]
}
