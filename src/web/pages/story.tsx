import type { TimelineEntry } from '../../reports/timeline/timeline.ts'
import { entryText } from '../../reports/timeline/timeline-text.ts'
import type { Visit } from './visit.ts'

/**
 * A contact's story, or the end of it: what was sent stands out, and so does a return.
 * @param brief as who talks with them asks for it
 */
export function Story({
  visit,
  entries,
  brief = false,
}: {
  visit: Visit
  entries: readonly TimelineEntry[]
  brief?: boolean
}) {
  return (
    <ol class="story">
      {entries.map((entry) => (
        <li class={markOf(entry)}>
          <time datetime={entry.at.toISOString()}>{visit.speech.moment(entry.at)}</time>
          {entryText(entry, visit.speech, brief)}
        </li>
      ))}
    </ol>
  )
}

function markOf(entry: TimelineEntry): string | undefined {
  if (entry.kind === 'returned' || entry.kind === 'recalled') return 'good'
  return entry.kind === 'settled' && entry.state === 'sent' ? 'done' : undefined
}
