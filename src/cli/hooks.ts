import { channelDescriptions } from '../channels/channels.ts'
import type { CampaignBook } from '../config/compiled.ts'
import type { Workspace } from '../config/workspace.ts'
import type { Hooks } from '../contacts/hooks.ts'
import { recordReturns } from '../outcomes/returns.ts'
import { recordMerges, recordSuppressions } from '../outcomes/silence.ts'

/** What an ingest sets off in the same transaction: returns, suppressions and merges silence at once. */
export function openHooks(workspace: Pick<Workspace, 'activity'>, book: CampaignBook): Hooks {
  const channelsOf = {
    email: channelNames('email'),
    phone: channelNames('phone'),
  }
  return {
    onActivity: (tx, now) => recordReturns(tx, now, { book, activityTypes: workspace.activity }),
    onSuppressed: (tx, now) => recordSuppressions(tx, now, channelsOf),
    onMerged: recordMerges,
  }
}

function channelNames(address: 'email' | 'phone'): string[] {
  return channelDescriptions.filter((channel) => channel.address === address).map((channel) => channel.name)
}
