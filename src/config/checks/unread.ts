import { type Path, valueAt } from '../documents/document.ts'
import { bandsOf } from '../entering.ts'
import { nearest } from '../nearest-name.ts'
import type { Band } from '../quantities.ts'
import type { Yardstick } from '../yardstick.ts'
import { type Checked, stepsOf } from './findings.ts'

// What is written in a file and could not be read. Its own error says so; whatever rests on it is left out, for it would
// blame what is right.

/** Whether what is written at a path, or above it, could not be read. */
export function unread({ campaign, document }: Checked, path: Path): boolean {
  return path.some((_, at) => {
    const place = path.slice(0, at + 1)
    return valueAt(document.value, place) !== undefined && valueAt(campaign, place) === undefined
  })
}

/** {@link unread} of anything at a path or below it. */
export function anyUnread(checked: Checked, path: Path): boolean {
  if (unread(checked, path)) return true
  const written = valueAt(checked.document.value, path)
  if (typeof written !== 'object' || written === null) return false
  return Object.keys(written).some((key) =>
    anyUnread(checked, [...path, Array.isArray(written) ? Number(key) : key]),
  )
}

/** The band of each tier; undefined where what it is made of could not be read. */
export function readBands(checked: Checked): (Band | undefined)[] {
  return bandsOf(checked.campaign.tiers ?? []).map((band, no) =>
    (['inactive', 'enter', 'after'] as const).some((key) => unread(checked, ['tiers', no, key]))
      ? undefined
      : band,
  )
}

/** Whether a name of the workspace is wrong there, or near enough to one that is wrong to be meant by it. */
export function isDoubtful(
  { workspace, doubtful }: Yardstick,
  block: 'attributes' | 'channels' | 'topics',
  name: string,
): boolean {
  const wrong = Object.keys(workspace[block] ?? {}).filter((each) => doubtful([block, each]))
  return doubtful([block, name]) || nearest(name, wrong) !== undefined
}

/** {@link isDoubtful} of the attribute a fact is. */
export function isDoubtfulFact(yardstick: Yardstick, path: string): boolean {
  return path.startsWith('contact.') && isDoubtful(yardstick, 'attributes', path.slice('contact.'.length))
}

/** Whether the id of some step could not be read, or is still to be written: then an unknown step may be that one. */
export function anyIdUnread(checked: Checked): boolean {
  const { campaign } = checked
  return anyStepUnread(checked) || [...stepsOf(campaign)].some(({ path }) => unread(checked, [...path, 'id']))
}

function anyStepUnread(checked: Checked): boolean {
  return (
    lacksSteps(checked) ||
    (checked.campaign.tiers ?? []).some((tier, no) =>
      (tier?.steps ?? []).some((_, stepNo) => unread(checked, ['tiers', no, 'steps', stepNo])),
    )
  )
}

/** Whether steps are still to be written: every campaign has tiers, and each of them a step. */
export function lacksSteps({ campaign }: Checked): boolean {
  const tiers = campaign.tiers ?? []
  return tiers.length === 0 || tiers.some((tier) => (tier?.steps ?? []).length === 0)
}
