import { sql } from 'drizzle-orm/sql'
import type { Problem } from '../../errors.ts'
import { type Campaign, name } from '../campaign.ts'
import { compileCondition } from '../conditions/conditions.ts'
import { formatPath, type Path, type SourceDocument, valueAt } from '../documents/document.ts'
import type { Salvaged } from '../documents/salvaged.ts'
import type { Fact, FactCatalogue } from '../fact.ts'
import { factCatalogue, isStepFact, stepFacts } from '../facts.ts'
import type { Workspace } from '../workspace.ts'
import { type Checked, stepsOf } from './findings.ts'
import { anyIdUnread, isDoubtfulFact } from './unread.ts'

/** Facts a place may use, and why others are not known there. */
export interface KnownFacts {
  readonly facts: FactCatalogue
  readonly absent: ReadonlyMap<string, string>
}

/** Facts known before an episode is open: for `audience` and `segments`. */
export function selectionFacts(workspace: Salvaged<Workspace>, campaign: Salvaged<Campaign>): KnownFacts {
  const all = [...factCatalogue(workspace)]
  const reason = 'it exists only once an episode is open; use it in a step'
  const steps = stepFacts(campaign, -1, -1).later.keys()
  return {
    facts: new Map(all.filter(([, fact]) => fact.from === 'anywhere')),
    absent: new Map([
      ...all.filter(([, fact]) => fact.from === 'steps').map(([path]) => [path, reason] as const),
      ...[...steps].map((path) => [path, reason] as const),
    ]),
  }
}

/** Facts of one event, over `v`, its row of activity: for `where` of a tier entered by an event. */
export function eventFacts(workspace: Salvaged<Workspace>): KnownFacts {
  const value: Fact = {
    path: 'event.value',
    type: 'money',
    description: 'The value of the event that is entered by',
    unit: workspace.currency ?? 'currency units',
    from: 'anywhere',
    sql: () => sql`v.value * 0.000001`,
  }
  const reason = 'only the event itself is known here; ask about the contact in `audience`'
  return {
    facts: new Map([[value.path, value]]),
    absent: new Map([...factCatalogue(workspace).keys()].map((path) => [path, reason])),
  }
}

/** Facts known to the step at (tierNo, stepNo), counted from 0. */
export function knownToStep(
  workspace: Salvaged<Workspace>,
  campaign: Salvaged<Campaign>,
  tierNo: number,
  stepNo: number,
): KnownFacts {
  const { facts, later } = stepFacts(campaign, tierNo, stepNo)
  return { facts: new Map([...factCatalogue(workspace), ...facts]), absent: later }
}

/** Every condition: its syntax, its types and its facts, each problem at its character. */
export function checkExpressions(checked: Checked): Problem[] {
  const { campaign, document, workspace } = checked
  const idUnread = anyIdUnread(checked)
  const hidden = (fact: string) => (idUnread && isStepFact(fact)) || isDoubtfulFact(checked, fact)
  const check = (path: Path, source: string | undefined, known: KnownFacts) =>
    checkExpression(document, path, source, known, hidden)
  const selection = selectionFacts(workspace, campaign)
  return [
    ...check(['audience'], campaign.audience, selection),
    ...Object.entries(campaign.segments ?? {}).flatMap(([segment, source]) =>
      check(['segments', segment], source, selection),
    ),
    // The tiers of a campaign ask the same of the event; a mistake is told once.
    ...(campaign.tiers ?? []).flatMap((tier, no, tiers) =>
      tiers.findIndex((other) => other?.where === tier?.where) === no
        ? check(['tiers', no, 'where'], tier?.where, eventFacts(workspace))
        : [],
    ),
    ...[...stepsOf(campaign)].flatMap(({ step, path, tierNo, stepNo }) => {
      if (step.when === undefined && step.unless === undefined) return []
      const known = withSegments(knownToStep(workspace, campaign, tierNo, stepNo), document)
      return [
        ...check([...path, 'when'], step.when, known),
        ...check([...path, 'unless'], step.unless, known),
      ]
    }),
  ]
}

/** `segment` with the segments there are, where every name of them is right: one that is not may be the one that is meant. */
function withSegments({ facts, absent }: KnownFacts, document: SourceDocument): KnownFacts {
  const segment = facts.get('segment')
  const written = Object.keys(valueAt(document.value, ['segments']) ?? {})
  const right = written.every((each) => each !== 'everyone' && name.safeParse(each).success)
  if (!segment || !right) return { facts, absent }
  return { facts: new Map([...facts, ['segment', { ...segment, values: [...written, 'everyone'] }]]), absent }
}

function checkExpression(
  document: SourceDocument,
  path: Path,
  source: string | undefined,
  { facts, absent }: KnownFacts,
  hidden: (fact: string) => boolean,
): Problem[] {
  if (source === undefined) return []
  const compiled = compileCondition(source, facts, absent)
  return (compiled.condition ? compiled.doubts : compiled.problems).flatMap(
    ({ offset, message, suggestion, unknown }) =>
      unknown !== undefined && hidden(unknown)
        ? []
        : [
            {
              severity: 'error',
              location: document.locateInside(path, offset),
              path: formatPath(path),
              message,
              found: source,
              suggestion,
            },
          ],
  )
}
