import type { CompiledCampaign } from '../../config/compiled.ts'
import { dateEntry } from './date.ts'
import type { Entry } from './entry.ts'
import { eventEntry } from './event.ts'
import { silenceEntry } from './silence.ts'

/** How a campaign finds the moment its tiers count from. */
export function entryOf({ entry }: Pick<CompiledCampaign, 'entry'>): Entry {
  switch (entry.kind) {
    case 'silence':
      return silenceEntry
    case 'date':
      return dateEntry(entry)
    case 'event':
      return eventEntry(entry)
  }
}
