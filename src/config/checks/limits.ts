import type { Problem } from '../../errors.ts'
import { nearest } from '../nearest-name.ts'
import { formatDuration, formatRate, type LocalWindow, type Rate } from '../quantities.ts'
import { type Checked, finding, ladderSteps, stepsOf, unknownName } from './findings.ts'
import { isDoubtful, readBands } from './unread.ts'

/** Caps the campaign itself keeps, and windows for channels that are there. */
export function checkLimits(checked: Checked): Problem[] {
  const { campaign, document, channels } = checked
  // A window may be ahead of its channel, as a step may.
  const names = [...channels.keys()]
  const windows = Object.keys(campaign.limits?.send_window ?? {}).flatMap((channel) =>
    channel === 'default' || names.includes(channel) || isDoubtful(checked, 'channels', channel)
      ? []
      : [
          unknownName(document, ['limits', 'send_window', channel], {
            what: 'channel',
            name: channel,
            names: ['default', ...names],
            at: 'key',
          }),
        ],
  )
  return [...windows, ...checkDelay(checked), ...checkCaps(checked)]
}

const MINUTE = 60
const HOUR = 3600
const DAY = 86_400
const SPANS = { day: DAY, week: 7 * DAY }

/** Nights and weekends that are longer than a message may wait: what comes due as one begins is never sent. */
function* checkDelay({ campaign, document }: Checked): Generator<Problem> {
  const { max_delay: most, send_window: windows = {} } = campaign.limits ?? {}
  if (most === undefined) return
  const used = [...stepsOf(campaign)].flatMap(({ step }) => step.channel ?? [])
  for (const [name, window] of Object.entries(windows)) {
    if (
      !window ||
      !used.some((channel) => channel === name || (name === 'default' && !windows[channel ?? '']))
    ) {
      continue
    }
    const { seconds, from, to } = longestShut(window)
    if (seconds <= most) continue
    // The next opening may be an hour further off where clocks are put back.
    const enough = formatDuration(Math.ceil(seconds / HOUR) * HOUR + HOUR)
    yield finding(
      document,
      ['limits', 'send_window', name],
      `shut for ${inHours(seconds)}, ${from} to ${to}, and \`max_delay\` is ${formatDuration(most)}: what comes due within ${inHours(seconds - most)} of ${from} is never sent (too_late); set \`max_delay\` to ${enough} or more`,
      { severity: 'warning' },
    )
  }
}

/** How long a window is shut at a stretch, public holidays apart. */
function longestShut({ from, to, workdays }: LocalWindow): { seconds: number; from: string; to: string } {
  const seconds = (workdays ? 3 : 1) * DAY - (to - from) * MINUTE
  return workdays
    ? { seconds, from: `Friday ${clock(to)}`, to: `Monday ${clock(from)}` }
    : { seconds, from: clock(to), to: clock(from) }
}

function inHours(seconds: number): string {
  const minutes = Math.ceil(seconds / MINUTE)
  return `${Math.floor(minutes / 60)} h${minutes % 60 === 0 ? '' : ` ${minutes % 60} min`}`
}

function clock(minutes: number): string {
  return [Math.floor(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, '0')).join(':')
}

function* checkCaps(checked: Checked): Generator<Problem> {
  const { campaign, document, workspace, channels } = checked
  const names = [...channels.keys()]
  const topics = Object.keys(workspace.topics ?? {})
  const bands = readBands(checked)
  // A step whose time could not be read is counted nowhere.
  const sends = [...ladderSteps(campaign)].flatMap(({ step, tierNo }): (Send & { channels: unknown[] })[] => {
    const from = bands[tierNo]?.from
    if (from === undefined || step.after === undefined) return []
    return [{ id: step.id ?? '?', channels: [...(step.channel ?? [])], at: from + step.after }]
  })
  for (const [no, cap] of (campaign.limits?.per_person ?? []).entries()) {
    if (!cap) continue
    const path = ['limits', 'per_person', no]
    const most = cap.at_most
    // What is misspelt counts as the name it is nearest to, so that the cap itself is looked at all the same.
    const [channel, topic] = [meant(cap.channel, names), meant(cap.topic, topics)]
    if (
      cap.channel !== undefined &&
      !names.includes(cap.channel) &&
      !isDoubtful(checked, 'channels', cap.channel)
    ) {
      yield unknownName(document, [...path, 'channel'], { what: 'channel', name: cap.channel, names })
    }
    if (cap.topic !== undefined && !topics.includes(cap.topic) && !isDoubtful(checked, 'topics', cap.topic)) {
      yield unknownName(document, [...path, 'topic'], { what: 'topic', name: cap.topic, names: topics })
    }
    if (!most || (topic !== undefined && topic !== meant(campaign.topic, topics))) continue
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

function meant(name: string | undefined, names: readonly string[]): string | undefined {
  return name === undefined || names.includes(name) ? name : (nearest(name, names) ?? name)
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
