import { type Campaign, type CampaignName, HOUR } from './campaign.ts'
import { encore } from './encore.ts'
import { game } from './game.ts'

// The campaigns of the workspace, and what holds for both of them.

export const CAMPAIGNS: Readonly<Record<CampaignName, Campaign>> = { game, encore }
export const NAMES: readonly CampaignName[] = ['game', 'encore']

/** Left alone in both. */
export const CONTROL = 0.1
/** Mails the provider takes. In whole hours comes half a mail: nothing is lost to rounding. */
export const RATE = { count: 8, per: 16 * HOUR }

/** What the workspace says beside the usual. @param shop the address that credits accounts */
export function workspaceAdditions(shop: string): string {
  return `
rates: { email: { at_most: ${RATE.count} per ${RATE.per / HOUR}h } }
offers: { provider: { url: "${shop}" } }
`
}
