import type { Problem } from '../../errors.ts'
import { offerVariables } from '../../offers/offers.ts'
import { REPORT_VARIABLES } from '../annual-report.ts'
import type { Path } from '../documents/document.ts'
import { isStepFact } from '../facts.ts'
import { nearest } from '../nearest-name.ts'
import { isForAll, ownTexts, type TemplateVariable } from '../templates-index.ts'
import { sayingOf } from '../variants.ts'
import { knownToStep } from './expressions.ts'
import { type Checked, finding, stepsOf, unknownName } from './findings.ts'
import { anyIdUnread, isDoubtfulFact, unread } from './unread.ts'

/** What every message knows beside facts. */
export const MESSAGE_CONTEXT: readonly string[] = [
  'workspace.name',
  'campaign.name',
  'campaign.title',
  'segment',
  'locale',
  'subject',
  'preheader',
  'links.unsubscribe',
  'links.preferences',
]

/** Templates that exist, for segments that exist, whose every variable something can fill. */
export function checkTemplates(checked: Checked): Problem[] {
  const found = new Map<string, Problem>()
  for (const place of stepsOf(checked.campaign)) {
    for (const each of sayings(checked, place)) {
      // Variants share what they do not say anew, and what is wrong with that is wrong once.
      for (const problem of checkStep(checked, each)) {
        const { location, message } = problem
        found.set(JSON.stringify([location, message]), problem)
      }
    }
  }
  return [...found.values()]
}

type Said = Place & {
  /** Where the template stands: the step's, or its variant's. */
  readonly templatePath: Path
}

/** A step as each of its variants has it; as it is, where it has none. */
function* sayings({ templates }: Checked, place: Place): Generator<Said> {
  const { step, path } = place
  const names = templates.names()
  const ownPath = [...path, 'template']
  const variants = Object.entries(step.variants ?? {})
  if (variants.length === 0) yield { ...place, templatePath: ownPath }
  for (const [name, variant] of variants) {
    if (variant === undefined) continue
    const said = sayingOf(step, name, variant, (text) => names.includes(text))
    const templatePath = variant.template === undefined ? ownPath : [...path, 'variants', name, 'template']
    yield { ...place, step: { ...step, ...said }, templatePath }
  }
}

type Place = ReturnType<typeof stepsOf> extends Generator<infer Found> ? Found : never

function* checkStep(checked: Checked, place: Said): Generator<Problem> {
  const { campaign, document, templates, channels } = checked
  const { step, path, templatePath } = place
  const names = templates.names()
  const rendering = (step.channel ?? []).flatMap((name) =>
    name !== undefined && channels.get(name)?.renders ? [name] : [],
  )
  // What a call says is its script; that it has one is looked at where calls are.
  const saying = rendering.filter((name) => name !== 'callback')
  if (step.template === undefined && saying.length > 0 && !hasKey(checked, [...path, 'template'])) {
    const id = step.id ?? 'this step'
    yield finding(
      document,
      path,
      `${id} needs a template: channel ${saying.join(', ')} sends what a template says`,
    )
  }
  if (
    step.otherwise !== undefined &&
    step.template === undefined &&
    step.script === undefined &&
    !hasKey(checked, [...path, 'template'])
  ) {
    yield finding(
      document,
      [...path, 'otherwise'],
      '`otherwise` stands in for a template, and this step has none',
      { at: 'key' },
    )
  }

  const used: { name: string; path: Path }[] = []
  if (typeof step.template === 'string') used.push({ name: step.template, path: templatePath })
  else if (step.template) {
    const segments = [...new Set([...Object.keys(campaign.segments ?? {}), 'everyone'])]
    for (const [segment, name] of Object.entries(step.template)) {
      const at = [...templatePath, segment]
      if (!segments.includes(segment) && !unread(checked, ['segments']))
        yield unknownName(document, at, { what: 'segment', name: segment, names: segments, at: 'key' })
      if (name !== undefined) used.push({ name, path: at })
    }
    const misspelt = Object.keys(step.template).some(
      (segment) => !segments.includes(segment) && nearest(segment, segments) === 'everyone',
    )
    if (!Object.hasOwn(step.template, 'everyone') && !misspelt) {
      yield finding(document, templatePath, 'missing: `everyone`, for those whom no segment matches', {
        at: 'key',
      })
    }
  }
  if (step.script !== undefined) used.push({ name: step.script, path: [...path, 'script'] })
  if (step.otherwise !== undefined) used.push({ name: step.otherwise, path: [...path, 'otherwise'] })

  for (const { name, path: at } of used) {
    if (names.includes(name)) yield* checkSegments(checked, name, at)
    else if (!checked.doubtful(['templates']) && !isSaidByChannels(checked, name, rendering))
      yield unknownName(document, at, {
        what: 'template',
        name,
        names,
        // What one of its channels says in its place is not meant for the others.
        suggestion: templateMeant(
          name,
          names.filter((text) => !ownTexts(name, rendering).includes(text)),
        ),
      })
  }
  yield* checkVariables(
    checked,
    place,
    used
      .flatMap(({ name, path }) =>
        [name, ...ownTexts(name, step.channel ?? [])].map((text) => ({ name: text, path })),
      )
      .filter(({ name }) => names.includes(name)),
  )
}

/** Whether each channel has a text of its own for everybody, so that nobody gets the template they stand for. */
function isSaidByChannels(
  { templates, workspace }: Checked,
  name: string,
  channels: readonly string[],
): boolean {
  const own = ownTexts(name, channels)
  return own.length > 0 && own.every((text) => isForAll(templates, text, workspace.locales?.[0]))
}

/** A template is named without its folder, its language and its ending. */
function templateMeant(name: string, names: readonly string[]): string | undefined {
  const bare = name.replace(/^.*\//, '').replace(/(\.[\w-]+)*\.(hbs|html)$/, '')
  return names.includes(bare) ? bare : nearest(bare, names)
}

/** A template may have variants for the segments of other campaigns; one that is nearly ours is a slip. */
function* checkSegments(
  { campaign, document, templates }: Checked,
  name: string,
  path: Path,
): Generator<Problem> {
  const segments = Object.keys(campaign.segments ?? {})
  for (const variant of templates.segmentsOf(name)) {
    const suggestion = segments.includes(variant) ? undefined : nearest(variant, segments)
    if (suggestion === undefined) continue
    yield finding(
      document,
      path,
      `template ${name} has a variant for ${variant}, which is no segment of this campaign`,
      {
        severity: 'warning',
        found: variant,
        suggestion,
      },
    )
  }
}

/** True where the key is in the file, though what stands there may have been refused. */
function hasKey({ document }: Checked, path: Path): boolean {
  const { line, column } = document.locate(path, 'key')
  const parent = document.locate(path.slice(0, -1))
  return line !== parent.line || column !== parent.column
}

interface Unfilled {
  readonly variable: TemplateVariable
  readonly template: string
  readonly path: Path
}

/** What nothing fills, with one cause to a finding: a step without its offer is one mistake, however much uses it. */
function* checkVariables(
  checked: Checked,
  place: Place,
  used: readonly { readonly name: string; readonly path: Path }[],
): Generator<Problem> {
  const { campaign, document, templates, workspace } = checked
  const { step, tierNo, stepNo, path: at } = place
  const { facts, absent } = knownToStep(workspace, campaign, tierNo, stepNo)
  const offer = step.offer === undefined ? undefined : campaign.offers?.[step.offer]
  const kind = offer?.kind
  // A way of delivery that could not be read may be by code.
  const ofOffer = kind ? offerVariables(kind, offer?.deliver ?? 'code') : []
  const offerUnread = (step.offer !== undefined && kind === undefined) || unread(checked, [...at, 'offer'])
  const dataUnread = unread(checked, [...at, 'data'])
  const data = step.data === undefined ? [] : REPORT_VARIABLES
  const known = new Set([...facts.keys(), ...MESSAGE_CONTEXT, ...ofOffer, ...data])
  const groups = groupsOf(known)
  const causes = new Map<string, Unfilled[]>()
  for (const { name: template, path } of used) {
    for (const variable of templates.variables(template)) {
      const isOffer = variable.path.startsWith('offer.')
      if (known.has(variable.path) || (variable.entered && groups.has(variable.path))) continue
      // What could not be read is reported where it stands.
      if (isOffer && offerUnread) continue
      if (dataUnread && REPORT_VARIABLES.has(variable.path)) continue
      if (isStepFact(variable.path) && anyIdUnread(checked)) continue
      if (isDoubtfulFact(checked, variable.path)) continue
      const cause = isOffer ? 'offer' : `${template} ${absent.get(variable.path) ?? ''}`
      const unfilled = causes.get(cause) ?? []
      causes.set(cause, unfilled)
      unfilled.push({ variable, template, path })
    }
  }
  for (const [cause, unfilled] of causes) {
    const [first] = unfilled
    if (!first) continue
    const { variable, template, path } = first
    const paths = [...new Set(unfilled.map((each) => each.variable.path))]
    const suggestion = paths.length === 1 ? nearest(variable.path, known) : undefined
    const options = { found: variable.path, suggestion }
    if (cause === 'offer') {
      const uses = [...new Set(unfilled.map((each) => each.template))].map((name) => {
        const own = unfilled.filter((each) => each.template === name)
        return `template ${name} uses ${listed(own, known, kind !== undefined && paths.length > 1)}`
      })
      const names = paths.map((each) => each.slice('offer.'.length)).join(' or ')
      const uncoded = paths.length === 1 && paths[0] === 'offer.code'
      const why = !kind
        ? 'the step has no `offer`'
        : uncoded
          ? `${step.offer} is credited to the account and has no code; one with \`deliver: code\` has`
          : `a ${kind} has no ${names}`
      yield finding(document, path, `${uses.join(', ')}, but ${why}`, {
        ...options,
        suggestion: kind ? suggestion : undefined,
      })
      continue
    }
    // The mistake is in the template, so that is where to look.
    const ofReport = step.data === undefined && REPORT_VARIABLES.has(variable.path)
    const reason = ofReport ? 'the step has no `data: annual-report`' : absent.get(variable.path)
    const list = unfilled.length === 1 ? `{{${variable.path}}}` : listed(unfilled, known, paths.length > 1)
    const message = reason
      ? `${list} ${paths.length === 1 ? 'is' : 'are'} not known to step ${step.id ?? ''}: ${reason}`
      : `nothing can fill ${list}, used by template ${template}`
    yield finding(document, path, message, {
      ...options,
      location: { file: variable.file, line: variable.line, column: variable.column },
    })
  }
}

/** Names that values are known under: `contact` of `contact.first_name`. */
function groupsOf(known: ReadonlySet<string>): ReadonlySet<string> {
  const groups = new Set<string>()
  for (const path of known) {
    for (let at = path.indexOf('.'); at !== -1; at = path.indexOf('.', at + 1)) groups.add(path.slice(0, at))
  }
  return groups
}

/** `{{a}} (x.hbs:3:5, x.zh-CN.hbs:3:5), {{b}} (x.hbs:4:1)`: each variable once, with its first place in each file. */
function listed(unfilled: readonly Unfilled[], known: ReadonlySet<string>, suggest: boolean): string {
  const places = new Map<string, Map<string, string>>()
  for (const { variable } of unfilled) {
    const own = places.get(variable.path) ?? new Map<string, string>()
    places.set(variable.path, own)
    if (own.has(variable.file)) continue
    own.set(variable.file, `${variable.file}:${variable.line}:${variable.column}`)
  }
  const named = [...places].slice(0, LISTED).map(([path, own]) => {
    const near = suggest ? nearest(path, known) : undefined
    return `{{${path}}} (${[...own.values()].join(', ')}${near ? `; did you mean {{${near}}}?` : ''})`
  })
  const left = places.size - named.length
  return [...named, ...(left > 0 ? [`and ${left} more`] : [])].join(', ')
}

/** Variables that a finding names each; of more, it says how many. */
const LISTED = 20
