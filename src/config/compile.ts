import { type SQL, sql } from 'drizzle-orm/sql'
import { ConfigError, type Problem } from '../errors.ts'
import { ANNUAL_REPORT, annualReportSql } from './annual-report.ts'
import { type Campaign, ON_RETURN, type Step } from './campaign.ts'
import { eventFacts, type KnownFacts, knownToStep, selectionFacts } from './checks/expressions.ts'
import type {
  CompiledCampaign,
  CompiledEntry,
  CompiledStep,
  CompiledTier,
  Condition,
  StepTemplate,
  TemplateFact,
} from './compiled.ts'
import { combineConditions, compileCondition } from './conditions/conditions.ts'
import { bandsOf } from './entering.ts'
import type { Fact } from './fact.ts'
import { silencedByOf } from './silenced-by.ts'
import { isForAll, ownTexts, type TemplateIndex } from './templates-index.ts'
import { type Saying, sayingOf } from './variants.ts'
import type { Workspace } from './workspace.ts'

export interface CompileInput {
  readonly definition: Campaign
  readonly version: number
  readonly salt: string
  /** step_id of each step, by the step's id in the campaign. */
  readonly stepIds: ReadonlyMap<string, number>
  readonly workspace: Workspace
  readonly templates: TemplateIndex
  /** Hash of the template set of this version. */
  readonly templateSet: string
}

/**
 * A campaign that was checked, with its conditions as SQL and its steps as rows.
 * @throws ConfigError where a condition does not compile, which a checked campaign's does
 */
export function compileCampaign(input: CompileInput): CompiledCampaign {
  const { definition, workspace } = input
  const selection = selectionFacts(workspace, definition)
  const entry = compileEntry(definition, selection, workspace)
  const bands = bandsOf(definition.tiers)
  return {
    name: definition.campaign,
    version: input.version,
    salt: input.salt,
    definition,
    control: workspace.control,
    timezone: definition.timezone ?? workspace.timezone,
    // A group of one, told apart from groups that are named: a name has no colon.
    exclusive: definition.exclusive ?? `campaign:${definition.campaign}`,
    templateSet: input.templateSet,
    locales: workspace.locales,
    entry,
    silencedBy: silencedByOf(definition),
    churnReason: selection.facts.get('churn_reason')?.sql,
    effort: effortSql(definition, selection),
    audience: condition(definition.audience, selection, 'audience', definition),
    segments: Object.entries(definition.segments).flatMap(([name, source]) => {
      const compiled = condition(source, selection, `segments.${name}`, definition)
      return compiled ? [{ name, condition: compiled }] : []
    }),
    tiers: definition.tiers.map(
      (tier, tierNo): CompiledTier => ({
        no: tierNo + 1,
        name: tier.name,
        from: bands[tierNo]?.from ?? 0,
        to: bands[tierNo]?.to ?? null,
        holdout: tier.holdout,
        steps: tier.steps.map((step, stepNo) => compileStep(input, step, tier.name, tierNo, stepNo)),
      }),
    ),
    onReturn: definition.on_return.map((step, stepNo) => ({
      ...compileStep(input, step, ON_RETURN, definition.tiers.length, stepNo),
      onReturn: true as const,
    })),
  }
}

/** Every tier of a checked campaign is entered alike, so the first speaks for all. */
function compileEntry(definition: Campaign, selection: KnownFacts, workspace: Workspace): CompiledEntry {
  const [tier] = definition.tiers
  const entering = tier?.enter
  if (!entering) return { kind: 'silence' }
  if (entering.kind === 'event') {
    const where = condition(tier.where, eventFacts(workspace), 'tiers[0].where', definition)
    return { kind: 'event', type: entering.type, first: entering.first, where }
  }
  const fact = selection.facts.get(entering.fact)
  if (fact?.type === 'timestamp') return { kind: 'date', path: fact.path, sql: (now) => fact.sql(now) }
  throw new ConfigError([
    {
      severity: 'error',
      location: { file: definition.campaign },
      path: 'tiers[0].enter',
      message: `${entering.fact} is no date in this workspace`,
      found: entering.fact,
    },
  ])
}

/** The limit of the quadrant the contact is in at that moment; who is in none has none. */
function effortSql({ limits }: Campaign, { facts }: KnownFacts): ((now: Date) => SQL) | undefined {
  const quadrant = facts.get('quadrant')
  const set = Object.entries(limits.effort).flatMap(([name, most]) =>
    most === undefined ? [] : [{ name, most }],
  )
  if (set.length === 0 || !quadrant) return undefined
  const cases = set.map(({ name, most }) => sql`WHEN ${name}::text THEN ${most}::int`)
  return (now) => sql`CASE ${quadrant.sql(now)} ${sql.join(cases, sql` `)} END`
}

function compileStep(
  input: CompileInput,
  step: Step,
  tier: string,
  tierNo: number,
  stepNo: number,
): CompiledStep {
  const { definition, templates, workspace } = input
  const knows = knownToStep(workspace, definition, tierNo, stepNo)
  const place = tier === ON_RETURN ? `${ON_RETURN}[${stepNo}]` : `tiers[${tierNo}].steps[${stepNo}]`
  const stepId = input.stepIds.get(step.id)
  if (stepId === undefined) throw new Error(`step ${step.id} of ${definition.campaign} has no row`)
  const textsOf = (name: string) => saidBy(name, step.channel, templates, workspace.locales[0])
  const template = (name: string, segment?: string): StepTemplate => ({
    name,
    facts: [
      ...factsOf(textsOf(name), templates, knows, segment),
      ...(step.data === undefined ? [] : textsOf(name).flatMap((text) => dataOf(text, templates, segment))),
    ],
    offered: textsOf(name).some((text) =>
      templates.variables(text, segment).some(({ path }) => path.startsWith('offer.')),
    ),
  })
  const segments = ['everyone', ...Object.keys(definition.segments)]
  const said = (saying: Saying): Pick<CompiledStep, 'templates' | 'offer'> => {
    const named =
      typeof saying.template === 'string' ? { everyone: saying.template } : (saying.template ?? {})
    const terms = saying.offer === undefined ? undefined : definition.offers[saying.offer]
    return {
      templates: new Map(
        segments.flatMap((segment): [string, StepTemplate][] => {
          const own = Object.hasOwn(named, segment) ? named[segment] : undefined
          const name = own ?? named.everyone
          return name === undefined ? [] : [[segment, template(name, segment)]]
        }),
      ),
      offer: saying.offer !== undefined && terms ? { name: saying.offer, terms } : undefined,
    }
  }
  const plain: CompiledStep = {
    stepId,
    tierNo: tierNo + 1,
    tier,
    stepNo: stepNo + 1,
    id: step.id,
    channels: step.channel,
    after: step.after,
    condition: combineConditions(
      condition(step.when, knows, `${place}.when`, definition),
      condition(step.unless, knows, `${place}.unless`, definition),
    ),
    ...said(step.script === undefined ? step : { template: step.script, offer: step.offer }),
    otherwise: step.otherwise === undefined ? undefined : template(step.otherwise),
    ...(step.script === undefined ? {} : { call: { sla: step.sla, capacity: step.capacity?.count ?? null } }),
    ...(step.data === undefined ? {} : { data: (now: Date) => annualReportSql(workspace, now) }),
  }
  const known = new Set(templates.names())
  const variants = Object.entries(step.variants ?? {}).map(([name, variant]) => {
    const saying = sayingOf(step, name, variant, (text) => known.has(text))
    return { name, share: variant.share, step: { ...plain, ...said(saying) } }
  })
  const [first] = variants
  return first ? { ...first.step, variants } : plain
}

function condition(
  source: string | undefined,
  known: KnownFacts,
  path: string,
  { campaign }: Campaign,
): Condition | undefined {
  if (source === undefined) return undefined
  const { condition, problems } = compileCondition(source, known.facts, known.absent)
  if (condition) return condition
  throw new ConfigError(
    problems.map(
      ({ message }): Problem => ({
        severity: 'error',
        location: { file: campaign },
        path,
        message,
        found: source,
      }),
    ),
  )
}

/**
 * The texts a step may say of a template: what its channels say in its place, and the template itself where one of them
 * has nothing of its own. A fact that only an e-mail prints must not keep back a push.
 */
function saidBy(
  name: string,
  channels: readonly string[],
  templates: TemplateIndex,
  fallback: string | undefined,
): string[] {
  const own = ownTexts(name, channels)
  return own.every((text) => isForAll(templates, text, fallback)) ? own : [name, ...own]
}

/** The facts a template and what its channels say in its place need; what every message knows by itself is not asked of the database. */
function factsOf(
  names: readonly string[],
  templates: TemplateIndex,
  known: KnownFacts,
  segment: string | undefined,
): TemplateFact[] {
  const variables = names.flatMap((name) => [...templates.variables(name, segment)])
  const needed = new Set(variables.filter(({ optional }) => !optional).map(({ path }) => path))
  return [...new Set(variables.map(({ path }) => path))].toSorted().flatMap((path) => {
    const fact = path === 'segment' ? undefined : known.facts.get(path)
    return fact ? [templateFact(fact, !needed.has(path))] : []
  })
}

/** What a template uses of the step's data: values like facts, read from what the batch's statement has joined. */
function dataOf(template: string, templates: TemplateIndex, segment: string | undefined): TemplateFact[] {
  const variables = templates.variables(template, segment)
  return ANNUAL_REPORT.flatMap(({ path }): TemplateFact[] => {
    const uses = variables.filter((variable) => variable.path === path)
    if (uses.length === 0) return []
    const key = path.slice(path.indexOf('.') + 1)
    return [
      {
        path,
        optional: uses.every(({ optional }) => optional === true),
        sql: () => sql`r.report -> ${key}::text`,
      },
    ]
  })
}

function templateFact(fact: Fact, optional: boolean): TemplateFact {
  return {
    path: fact.path,
    optional,
    sql: (now) => sql`to_jsonb(${fact.sql(now)})`,
    ...(fact.stale ? { stale: fact.stale } : {}),
  }
}
