import type { Problem } from '../../errors.ts'
import { bandsOf } from '../entering.ts'
import { formatDuration, formatRate, type Rate } from '../quantities.ts'
import { type Checked, finding, ladderSteps, unknownName } from './findings.ts'

/** Caps the campaign itself keeps, and windows for channels that are there. */
export function checkLimits(checked: Checked): Problem[] {
  const { campaign, document, channels } = checked
  // A window may be ahead of its channel, as a step may.
  const names = [...channels.keys()]
  const windows = Object.keys(campaign.limits?.send_window ?? {}).flatMap((channel) =>
    channel === 'default' || names.includes(channel)
      ? []
      : [
          unknownName(
            document,
            ['limits', 'send_window', channel],
            'channel',
            channel,
            ['default', ...names],
            { at: 'key' },
          ),
        ],
  )
  return [...windows, ...checkCaps(checked)]
}

const DAY = 86_400
const SPANS = { day: DAY, week: 7 * DAY }

function* checkCaps({ campaign, document, workspace, channels }: Checked): Generator<Problem> {
  const names = [...channels.keys()]
  const bands = bandsOf(campaign.tiers ?? [])
  const start = bands[0]?.from ?? 0
  const sends = [...ladderSteps(campaign)].map(({ step, tierNo }) => ({
    id: step.id ?? '?',
    channels: step.channel ?? [],
    at: (bands[tierNo]?.from ?? start) - start + (step.after ?? 0),
  }))
  for (const [no, cap] of (campaign.limits?.per_person ?? []).entries()) {
    if (!cap) continue
    const path = ['limits', 'per_person', no]
    const { channel, at_most: most } = cap
    if (channel !== undefined && !names.includes(channel)) {
      yield unknownName(document, [...path, 'channel'], 'channel', channel, names)
      continue
    }
    if (cap.topic !== undefined && !Object.hasOwn(workspace.topics, cap.topic)) {
      yield unknownName(document, [...path, 'topic'], 'topic', cap.topic, Object.keys(workspace.topics))
      continue
    }
    if (!most || (cap.topic !== undefined && cap.topic !== campaign.topic)) continue
    const busiest = mostWithin(
      channel === undefined ? sends : sends.filter((send) => send.channels.includes(channel)),
      most,
    )
    if (busiest.length <= most.count) continue
    const span = typeof most.per === 'number' ? formatDuration(most.per) : `a ${most.per}`
    yield finding(
      document,
      [...path, 'at_most'],
      `this campaign alone sends one person ${busiest.length} messages within ${span} (${busiest.map(({ id }) => id).join(', ')}), more than ${formatRate(most)}; allow ${formatRate({ ...most, count: busiest.length })}, or set the steps apart by \`after\``,
    )
  }
}

interface Send {
  readonly id: string
  readonly at: number
}

/** The steps of the busiest day, week or span: two less than a day apart may fall on one calendar day. */
function mostWithin(sends: readonly Send[], { per }: Rate): readonly Send[] {
  const span = typeof per === 'number' ? per : SPANS[per]
  let busiest: readonly Send[] = []
  for (const { at } of sends) {
    const within = sends.filter((other) => other.at >= at && other.at < at + span)
    if (within.length > busiest.length) busiest = within
  }
  return busiest
}
