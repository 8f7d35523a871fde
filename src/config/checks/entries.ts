import type { Problem } from '../../errors.ts'
import { compileCondition } from '../conditions/conditions.ts'
import { subjectOf } from '../entering.ts'
import { EVENTS } from '../event-names.ts'
import { nearest } from '../nearest-name.ts'
import { formatDuration } from '../quantities.ts'
import { eventFacts, selectionFacts } from './expressions.ts'
import { type Checked, finding, unknownName } from './findings.ts'
import { isDoubtfulFact, readBands, unread } from './unread.ts'

// Tiers entered by a date or an event: all alike, in order, about something that exists.

export function checkEntries(checked: Checked): Problem[] {
  return [...checkKinds(checked), ...checkSubjects(checked), ...checkOrder(checked), ...checkKeys(checked)]
}

/** One campaign counts from one moment: an episode walks all its tiers. */
function* checkKinds(checked: Checked): Generator<Problem> {
  const { campaign, document } = checked
  const tiers = campaign.tiers ?? []
  const first = tiers[0]
  for (const [no, tier] of tiers.entries()) {
    if (tier?.inactive && tier.enter) {
      yield finding(
        document,
        ['tiers', no, 'enter'],
        'a tier has `inactive` or `enter`, not both: it counts from one moment',
      )
      continue
    }
    if (!first || !tier || no === 0) continue
    if ([0, no].some((each) => !conditionReads(checked, each))) continue
    const [own, other] = [written(tier), written(first)]
    if (own === undefined || other === undefined || own === other) continue
    yield finding(
      document,
      ['tiers', no, tier.enter ? 'enter' : 'inactive'],
      `tier ${first.name ?? 'tiers[0]'} counts from ${other} and this one from ${own}; make it a campaign of its own`,
    )
  }
}

/** Whether the condition on a tier's events, where there is one, could be read. */
function conditionReads(checked: Checked, no: number): boolean {
  const where = checked.campaign.tiers?.[no]?.where
  if (where === undefined) return !unread(checked, ['tiers', no, 'where'])
  return compileCondition(where, eventFacts(checked.workspace).facts).problems.length === 0
}

function written(tier: NonNullable<NonNullable<Checked['campaign']['tiers']>[number]>): string | undefined {
  if (tier.enter)
    return `${subjectOf(tier.enter)}${tier.where === undefined ? '' : ` where ${tier.where.trim()}`}`
  return tier.inactive ? 'silence' : undefined
}

function* checkSubjects(checked: Checked): Generator<Problem> {
  const { campaign, document, workspace, doubtful } = checked
  const { facts } = selectionFacts(workspace, campaign)
  const dates = [...facts.values()].filter(({ type }) => type === 'timestamp').map(({ path }) => path)
  const named = [...(workspace.activity ?? []), workspace.orders?.event].filter((name) => name !== undefined)
  const events = [...new Set([...named, ...Object.keys(EVENTS)])]
  const eventsDoubtful = doubtful(['activity']) || doubtful(['orders'])
  const told = new Set<string>()
  for (const [no, tier] of (campaign.tiers ?? []).entries()) {
    const entering = tier?.enter
    const path = ['tiers', no, 'enter']
    // What every tier says is told of the first.
    if (!entering || told.has(subjectOf(entering))) continue
    told.add(subjectOf(entering))
    if (
      entering.kind === 'date' &&
      !dates.includes(entering.fact) &&
      !isDoubtfulFact(checked, entering.fact)
    ) {
      const known = facts.get(entering.fact)
      yield known
        ? finding(document, path, `${entering.fact} is a ${known.type}, not a date`, {
            expected: `one of ${dates.join(', ')}`,
          })
        : unknownName(document, path, { what: 'date', name: entering.fact, names: dates })
    }
    if (entering.kind === 'event' && !events.includes(entering.type) && !eventsDoubtful) {
      const suggestion = nearest(entering.type, events)
      // Events of any name may come in, so only what looks like a slip is told.
      if (suggestion !== undefined) {
        yield finding(document, path, `no event \`${entering.type}\` is known here; it will be waited for`, {
          severity: 'warning',
          found: entering.type,
          suggestion,
        })
      }
    }
  }
}

function* checkOrder(checked: Checked): Generator<Problem> {
  const { campaign, document } = checked
  const tiers = campaign.tiers ?? []
  const bands = readBands(checked)
  for (const [no, tier] of tiers.entries()) {
    const [own, other] = [bands[no], bands[no - 1]]
    if (!tier?.enter || !tiers[no - 1]?.enter || !own || !other || own.from > other.from) continue
    yield finding(
      document,
      ['tiers', no, tier.enter.kind === 'event' && tier.after !== undefined ? 'after' : 'enter'],
      `tier ${tiers[no - 1]?.name ?? `tiers[${no - 1}]`} begins no earlier than this one; put the tiers in the order of their time`,
    )
  }
}

/** Keys that mean something with one kind of entry alone. */
function* checkKeys({ campaign, document }: Checked): Generator<Problem> {
  for (const [no, tier] of (campaign.tiers ?? []).entries()) {
    const kind = tier?.enter?.kind ?? (tier?.inactive ? 'silence' : undefined)
    if (!tier || kind === undefined) continue
    for (const key of ['after', 'where'] as const) {
      if (tier[key] === undefined || kind === 'event') continue
      const place = kind === 'date' ? 'write the time in `enter`' : 'a step has `after` too'
      yield finding(
        document,
        ['tiers', no, key],
        `\`${key}\` belongs to a tier entered by an event${key === 'after' ? `; ${place}` : ''}`,
        { at: 'key' },
      )
    }
    if (tier.within !== undefined && kind === 'silence') {
      yield finding(document, ['tiers', no, 'within'], '`inactive` says already until when; leave it out', {
        at: 'key',
      })
    }
    if (tier.within === 0) {
      yield finding(
        document,
        ['tiers', no, 'within'],
        `nobody would ever be taken in; use at least the time between two runs, such as ${formatDuration(86_400)}`,
      )
    }
  }
}
