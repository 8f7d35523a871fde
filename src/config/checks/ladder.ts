import type { Problem } from '../../errors.ts'
import { ON_RETURN } from '../campaign.ts'
import { FACT_ROOTS, stepRoot } from '../facts.ts'
import { type Band, formatDuration } from '../quantities.ts'
import { type Checked, finding, ladderSteps, stepsOf } from './findings.ts'
import { readBands } from './unread.ts'

const WEEK = 7 * 86_400
/** Words of CEL: a step of such an id could not be named in a condition. */
const CEL_WORDS = [
  'true',
  'false',
  'null',
  'in',
  'as',
  'has',
  'size',
  'duration',
  'timestamp',
  'break',
  'const',
  'continue',
  'else',
  'for',
  'function',
  'if',
  'import',
  'let',
  'loop',
  'package',
  'namespace',
  'return',
  'var',
  'void',
  'while',
  'prototype',
]

/** Bands that fit together, names that are there once, and times that the bands and the window leave room for. */
export function checkLadder(checked: Checked): Problem[] {
  return [
    ...checkBands(checked),
    ...checkNames(checked),
    ...checkDelays(checked),
    ...checkWindow(checked),
    ...checkIntake(checked),
  ]
}

function formatBand({ from, to }: Band): string {
  return `${formatDuration(from)}..${to === null ? '' : formatDuration(to)}`
}

function* checkBands({ campaign, document }: Checked): Generator<Problem> {
  const tiers = campaign.tiers ?? []
  for (const [no, tier] of tiers.entries()) {
    const before = tiers[no - 1]
    const [own, other] = [tier?.inactive, before?.inactive]
    if (!own || !other) continue
    const path = ['tiers', no, 'inactive']
    const name = before?.name ?? `tiers[${no - 1}]`
    if (other.to === null) {
      yield finding(
        document,
        ['tiers', no - 1, 'inactive'],
        'only the last tier may be without an upper end',
        {
          expected: `${formatDuration(other.from)}..${formatDuration(own.from)}`,
        },
      )
    } else if (own.from < other.to) {
      yield finding(
        document,
        path,
        `${formatBand(own)} overlaps with tier ${name} (${formatBand(other)}); begin at ${formatDuration(other.to)}`,
      )
    } else if (own.from > other.to) {
      yield finding(
        document,
        path,
        `nobody is in a tier from ${formatDuration(other.to)} to ${formatDuration(own.from)}; begin at ${formatDuration(other.to)}, where tier ${name} ends`,
      )
    }
  }
}

function* checkNames({ campaign, document }: Checked): Generator<Problem> {
  const tiers = new Map<string, number>()
  for (const [no, tier] of (campaign.tiers ?? []).entries()) {
    if (!tier?.name) continue
    if (tier.name === ON_RETURN) {
      yield finding(
        document,
        ['tiers', no, 'name'],
        `${ON_RETURN} is what reports call the steps that the return releases; use another name`,
      )
    }
    const first = tiers.get(tier.name)
    if (first === undefined) tiers.set(tier.name, no)
    else
      yield finding(
        document,
        ['tiers', no, 'name'],
        `tiers[${first}] is named ${tier.name} too; reports tell tiers apart by name`,
      )
  }
  const ids = new Map<string, string>()
  for (const { step, path, tier } of stepsOf(campaign)) {
    if (!step.id) continue
    const place = [...path, 'id']
    const root = stepRoot(step.id)
    const first = ids.get(root)
    if (first === undefined) ids.set(root, `${step.id} of tier ${tier.name ?? '?'}`)
    else yield finding(document, place, `the step ${first} has this id already; ids are unique in a campaign`)
    if (FACT_ROOTS.includes(root) || CEL_WORDS.includes(root)) {
      yield finding(
        document,
        place,
        `${step.id} is a reserved word: ${root}.sent would mean something else in a condition`,
      )
    }
  }
  if (campaign.segments && Object.hasOwn(campaign.segments, 'everyone')) {
    yield finding(
      document,
      ['segments', 'everyone'],
      'everyone is the name of the rest, whom no segment matches',
      { at: 'key' },
    )
  }
}

function* checkDelays(checked: Checked): Generator<Problem> {
  const { campaign, document } = checked
  const starts = readBands(checked).map((band) => band?.from)
  for (const { step, tier, tierNo, path } of ladderSteps(campaign)) {
    const band = tier.inactive
    const from = starts[tierNo]
    // A tier around a date or an event is left only for the next one.
    const to = band ? band.to : starts[tierNo + 1]
    if (!step.after || from === undefined || to === null || to === undefined || to <= from) continue
    const stay = to - from
    if (step.after < stay) continue
    const place = band ? ` (${formatBand(band)})` : ''
    yield finding(
      document,
      [...path, 'after'],
      `this step would never be sent: ${formatDuration(step.after)} after entering, tier ${tier.name ?? ''}${place} is over; use less than ${formatDuration(stay)}`,
    )
  }
}

function* checkWindow(checked: Checked): Generator<Problem> {
  const { campaign, document } = checked
  const bands = readBands(checked)
  const start = bands[0]?.from
  if (start === undefined || campaign.window === undefined) return
  let [last, by] = [0, '']
  for (const { step, tierNo } of ladderSteps(campaign)) {
    const from = bands[tierNo]?.from
    if (from === undefined || step.after === undefined) continue
    const sent = from - start + step.after
    if (sent >= last) [last, by] = [sent, step.id ?? '']
  }
  const least = last + WEEK
  if (campaign.window >= least) return
  yield finding(
    document,
    ['window'],
    `the window of ${formatDuration(campaign.window)} is shorter than the ladder: step ${by} is sent ${formatDuration(last)} after the assignment, and its recalls need 7d more; use ${formatDuration(least)} or longer`,
    { expected: `at least ${formatDuration(least)}` },
  )
}

function* checkIntake({ campaign, document }: Checked): Generator<Problem> {
  const silence = campaign.intake?.max_silence
  const first = campaign.tiers?.[0]?.inactive
  const last = campaign.tiers?.at(-1)?.inactive
  const path = ['intake', 'max_silence']
  if (silence === undefined) return
  if (campaign.tiers?.[0]?.enter) {
    yield finding(
      document,
      path,
      'this bounds silence, and the tiers are entered by a date or an event; use `within` in a tier, or a condition in `audience`',
    )
  } else if (first && silence <= first.from) {
    yield finding(
      document,
      path,
      `nobody would be taken in: the first tier begins at ${formatDuration(first.from)} of silence`,
    )
  } else if (last && last.to !== null && silence > last.to) {
    yield finding(
      document,
      path,
      `the last tier ends at ${formatDuration(last.to)} of silence, so this bounds nothing; use ${formatDuration(last.to)} or less`,
    )
  }
}
