import type { Location, Problem } from '../../errors.ts'
import { type Campaign, ON_RETURN, type Tier } from '../campaign.ts'
import { formatPath, type Path, type SourceDocument, valueAt } from '../documents/document.ts'
import type { Salvaged } from '../documents/salvaged.ts'
import { nearest } from '../nearest-name.ts'
import type { TemplateIndex } from '../templates-index.ts'
import type { Yardstick } from '../yardstick.ts'

/** What every check is given: the parts of the campaign that could be read, and all it is held against. */
export interface Checked extends Yardstick {
  readonly campaign: Salvaged<Campaign>
  readonly document: SourceDocument
  readonly templates: TemplateIndex
}

export interface FindingOptions {
  /** `key` points at the name of the path's last part, not at what stands there. */
  readonly at?: 'value' | 'key'
  readonly severity?: Problem['severity']
  readonly location?: Location
  readonly found?: string | undefined
  readonly expected?: string | undefined
  readonly suggestion?: string | undefined
}

/** A problem at `path`, with what stands there. */
export function finding(
  document: SourceDocument,
  path: Path,
  message: string,
  options: FindingOptions = {},
): Problem {
  const value = valueAt(document.value, path)
  const found = options.found ?? (options.at === 'key' ? String(path.at(-1)) : value)
  return {
    severity: options.severity ?? 'error',
    location: options.location ?? document.locate(path, options.at),
    path: formatPath(path),
    message,
    ...(typeof found === 'string' || typeof found === 'number' ? { found: String(found) } : {}),
    expected: options.expected,
    suggestion: options.suggestion,
  }
}

interface UnknownName extends FindingOptions {
  readonly what: string
  readonly name: string
  readonly names: readonly string[]
}

/** A name that is not among those there are: `what` says of what. */
export function unknownName(
  document: SourceDocument,
  path: Path,
  { what, name, names, ...options }: UnknownName,
): Problem {
  const list =
    names.length === 0 ? 'there are none' : `there ${names.length === 1 ? 'is' : 'are'} ${names.join(', ')}`
  return finding(document, path, `unknown ${what} \`${name}\`; ${list}`, {
    found: name,
    suggestion: nearest(name, names),
    ...options,
  })
}

/** Every step with its place, in the order of the file: those of the ladder, and those the return releases. */
export function* stepsOf(campaign: Salvaged<Campaign>) {
  yield* ladderSteps(campaign)
  // As if they were of one more tier, the last: all steps of the ladder are earlier ones.
  const tierNo = campaign.tiers?.length ?? 0
  const tier: Salvaged<Tier> = { name: ON_RETURN }
  for (const [stepNo, step] of (campaign.on_return ?? []).entries()) {
    if (step) yield { tierNo, tier, stepNo, step, path: [ON_RETURN, stepNo] as const }
  }
}

/** The steps of the tiers. */
export function* ladderSteps(campaign: Salvaged<Campaign>) {
  for (const [tierNo, tier] of (campaign.tiers ?? []).entries()) {
    for (const [stepNo, step] of (tier?.steps ?? []).entries()) {
      if (tier && step)
        yield { tierNo, tier, stepNo, step, path: ['tiers', tierNo, 'steps', stepNo] as const }
    }
  }
}
