import { type SQL, sql } from 'drizzle-orm/sql'
import type { Campaign } from './campaign.ts'
import type { Salvaged } from './documents/salvaged.ts'
import { column, type Fact, type FactCatalogue, instant, since } from './fact.ts'
import { actFacts } from './facts/acts.ts'
import { churnFacts } from './facts/churn.ts'
import { membershipFacts } from './facts/membership.ts'
import { returnFacts } from './facts/return.ts'
import { rfmFacts } from './facts/rfm.ts'
import { riskFacts } from './facts/risk.ts'
import { instantSql } from './instants.ts'
import { formatDuration } from './quantities.ts'
import { DEFAULT_SIGNALS, type SignalSettings } from './signal-settings.ts'
import type { AttributeType, Workspace } from './workspace.ts'

/** First words of facts that have a second: templates may ask about any of them, whether or not anything is known. */
export const FACT_GROUPS = [
  ...[
    'contact',
    'orders',
    'activity',
    'rfm',
    'rhythm',
    'use',
    'risk',
    'cart',
    'favourites',
    'comments',
    'coupons',
  ],
  ...['complaints', 'reviews', 'assignments', 'sign_in', 'membership', 'activation', 'episodes'],
]

/** First words of fact names: not to be used as ids of steps. */
export const FACT_ROOTS = [
  ...FACT_GROUPS,
  ...['churn', 'churn_reason', 'nps', 'nps_at', 'quadrant', 'return_basis', 'return_probability', 'sunset'],
  ...['segment', 'campaign', 'workspace', 'offer', 'event', 'now'],
]

/** Attributes of a contact that are columns; a workspace may not declare its own by these names. */
export const BUILT_IN_ATTRIBUTES = ['external_id', 'locale', 'timezone', 'signed_up_at', 'email', 'phone']

/** Every fact of a workspace that is known of any contact, and `segment`. Earlier steps: {@link stepFacts}. */
export function factCatalogue(workspace: Salvaged<Workspace>): FactCatalogue {
  const known = catalogues.get(workspace) ?? describeFacts(workspace)
  catalogues.set(workspace, known)
  return known
}

/** Each step and each text asks for it, and a workspace never changes once it is read: a thousand attributes are described once. */
const catalogues = new WeakMap<Salvaged<Workspace>, FactCatalogue>()

function describeFacts(workspace: Salvaged<Workspace>): FactCatalogue {
  const currency = workspace.currency ?? 'currency units'
  const signals = settingsOf(workspace)
  // Amounts are integer micros; times 0.000001 is exact, where a division would round large ones.
  const total = sql`coalesce(a.orders_total, 0) * 0.000001`
  const facts: Fact[] = [
    column('contact.external_id', 'string', 'The contact’s key in your system', sql`c.external_id`),
    column('contact.locale', 'string', 'Language, such as zh-CN', sql`c.locale`),
    column('contact.timezone', 'string', 'IANA zone', sql`c.timezone`),
    column('contact.signed_up_at', 'timestamp', 'When the contact signed up', sql`c.signed_up_at`),
    column('orders.count', 'number', 'How many orders', sql`coalesce(a.orders_count, 0)::numeric`),
    {
      ...column('orders.total', 'money', 'Sum of all orders, whatever was paid back', total),
      unit: currency,
    },
    {
      ...column(
        'orders.average',
        'money',
        'Average order; absent without any',
        sql`${total} / nullif(a.orders_count, 0)`,
      ),
      unit: currency,
    },
    column('orders.first_at', 'timestamp', 'First order', sql`a.first_order_at`),
    column('orders.last_at', 'timestamp', 'Latest order', sql`a.last_order_at`),
    {
      ...column('orders.silence', 'duration', 'Time since the latest order', sql`NULL`),
      sql: (now) => since(sql`a.last_order_at`, now),
    },
    column('activity.count', 'number', 'How many activities', sql`coalesce(a.activity_count, 0)::numeric`),
    column('activity.first_at', 'timestamp', 'First activity', sql`a.first_active_at`),
    column('activity.last_at', 'timestamp', 'Latest activity', sql`a.last_active_at`),
    {
      ...column(
        'activity.silence',
        'duration',
        'Time since the latest activity, or since sign-up',
        sql`NULL`,
      ),
      sql: (now) => since(sql`a.silent_since`, now),
    },
    ...churnFacts(signals),
    ...returnFacts(signals),
    ...rfmFacts(signals),
    ...actFacts(),
    ...riskFacts(signals),
    ...membershipFacts(signals, membershipAttribute(workspace, signals)),
    { ...column('segment', 'string', 'The segment the episode opened with', sql`e.segment`), from: 'steps' },
    ...Object.entries(workspace.attributes ?? {}).flatMap(([name, attribute]) =>
      attribute?.type && !BUILT_IN_ATTRIBUTES.includes(name)
        ? [attributeFact(name, attribute.type, attribute.fresh, attribute.description)]
        : [],
    ),
  ]
  return new Map(facts.map((fact) => [fact.path, fact]))
}

/** Settings of which any part may be missing: the defaults stand in for it. */
function settingsOf({ signals }: Salvaged<Workspace>): SignalSettings {
  return complete(DEFAULT_SIGNALS, signals)
}

/** The value with every key the example has; lists and texts are taken as they are, where they are there at all. */
function complete<T>(example: T, value: unknown): T {
  if (value === undefined || value === null) return example
  if (typeof example !== 'object' || example === null || Array.isArray(example)) return value as T
  const given = value as Readonly<Record<string, unknown>>
  const keys = new Set([...Object.keys(example), ...Object.keys(given)])
  return Object.fromEntries(
    [...keys].map((key) => [key, complete((example as Record<string, unknown>)[key], given[key])]),
  ) as T
}

function membershipAttribute(
  workspace: Salvaged<Workspace>,
  { membership }: SignalSettings,
): SQL | undefined {
  const name = membership.attribute
  if (name === undefined || workspace.attributes?.[name]?.type !== 'timestamp') return undefined
  return attributeFact(name, 'timestamp', undefined, undefined).sql(new Date(0))
}

/**
 * An attribute the workspace declares. A value of another type than declared is NULL, never an error. Numbers are held
 * within thirty digits of the point either way, so that no arithmetic on them can overflow.
 */
function attributeFact(
  name: string,
  type: AttributeType,
  fresh: number | undefined,
  description: string | undefined,
): Fact {
  const value = sql`c.attributes -> ${name}::text`
  const text = sql`(c.attributes ->> ${name}::text)`
  const kind = sql`jsonb_typeof(${value})`
  const number = sql`(${value})::numeric`
  const expressions: Record<AttributeType, SQL> = {
    string: sql`CASE WHEN ${kind} = 'string' THEN ${text} END`,
    number: sql`CASE WHEN ${kind} = 'number' THEN CASE WHEN ${number} = 0 OR abs(${number}) BETWEEN 1e-30 AND 1e30
      THEN ${number} END END`,
    bool: sql`CASE WHEN ${kind} = 'boolean' THEN (${value})::boolean END`,
    timestamp: sql`CASE WHEN ${kind} = 'string' THEN ${instantSql(text)} END`,
  }
  const age = sql`c.attributes_at -> ${name}::text`
  return {
    path: `contact.${name}`,
    type,
    description: description ?? `The attribute ${name}`,
    from: 'anywhere',
    sql: () => expressions[type],
    isNull: () => sql`coalesce(${kind} = 'null', FALSE)`,
    ...(fresh === undefined
      ? {}
      : {
          fresh,
          stale: (now: Date) => sql`CASE WHEN jsonb_typeof(${age}) = 'number'
            THEN (${age})::numeric < ${now.getTime() / 1000 - fresh}::numeric ELSE TRUE END`,
        }),
  }
}

/** Whether a name is that of a fact about a step, whatever the step is called. */
export function isStepFact(path: string): boolean {
  const [root = '', outcome = '', ...more] = path.split('.')
  if (more.length > 0 || FACT_ROOTS.includes(root)) return false
  return Object.hasOwn(OUTCOMES, outcome) || Object.hasOwn(REPORTED, outcome)
}

const OUTCOMES = { sent: 'sent', failed: 'failed', skipped: 'skipped' } as const

/** What receipts and taps tell of a step. An open is none of them: machines open e-mails, and people unseen. */
const REPORTED = { delivered: ['delivered', 'opened', 'clicked'], clicked: ['clicked'] } as const

/** What conditions may ask of an earlier step: `STEP.sent`. */
export const STEP_FACTS: readonly string[] = [...Object.keys(OUTCOMES), ...Object.keys(REPORTED)]

/** How a step's id is written in a condition, where a hyphen would be a minus. */
export function stepRoot(id: string): string {
  return id.replaceAll('-', '_')
}

/**
 * The facts about earlier steps that the step at (tierNo, stepNo), counted from 0, may use: steps of earlier tiers, and of
 * its own tier those written before it that are due no later. Each is true or false, never unknown.
 */
export function stepFacts(
  campaign: Salvaged<Campaign>,
  tierNo: number,
  stepNo: number,
): { facts: FactCatalogue; later: ReadonlyMap<string, string> } {
  const facts = new Map<string, Fact>()
  const later = new Map<string, string>()
  const own = campaign.tiers?.[tierNo]?.steps?.[stepNo]
  for (const [otherTierNo, tier] of (campaign.tiers ?? []).entries()) {
    for (const [otherNo, step] of (tier?.steps ?? []).entries()) {
      if (!step?.id) continue
      // What could not be read is no reason to call a step late.
      const late = (step.after ?? 0) > (own?.after ?? Number.POSITIVE_INFINITY)
      const due = otherTierNo === tierNo && otherNo < stepNo && !late
      const root = stepRoot(step.id)
      for (const [outcome, make] of STEP_FACT_MAKERS) {
        const path = `${root}.${outcome}`
        if (otherTierNo < tierNo || due) facts.set(path, make(path, step.id))
        else if (otherTierNo === tierNo && otherNo === stepNo) later.set(path, `${step.id} is this very step`)
        else if (otherTierNo === tierNo && otherNo < stepNo)
          later.set(path, `${step.id} is due later (${formatDuration(step.after ?? 0)}) than this step`)
        else later.set(path, `${step.id} comes later in the campaign`)
      }
    }
  }
  return { facts, later }
}

const STEP_FACT_MAKERS: readonly (readonly [outcome: string, make: (path: string, id: string) => Fact])[] = [
  ...Object.entries(OUTCOMES).map(
    ([name, state]) => [name, (path: string, id: string) => stepFact(path, id, state)] as const,
  ),
  ...Object.entries(REPORTED).map(
    ([name, kinds]) => [name, (path: string, id: string) => reportedFact(path, id, name, kinds)] as const,
  ),
]

/**
 * Since when an episode's messages are settled, a day earlier for clocks that differ: records lie in a table a month, and
 * all that are kept would be looked into.
 */
const OWN_MONTHS = sql`e.assigned_at - interval '1 day'`

/**
 * By campaign and id rather than step_id: an earlier step may have run under an earlier version. OFFSET 0 has the
 * contact's own few records looked up first: by the index on step and state, each contact would read the whole step's.
 */
function stepFact(path: string, id: string, state: string): Fact {
  return {
    path,
    type: 'bool',
    description: `The step ${id} was ${state}`,
    from: 'steps',
    sql: () => sql`EXISTS (
      SELECT FROM (SELECT step_id, state FROM touchpoint_records
                    WHERE contact_id = e.contact_id AND episode_id = e.episode_id
                      AND settled_at >= ${OWN_MONTHS} OFFSET 0) earlier
        JOIN steps earlier_step USING (step_id)
       WHERE earlier.state = ${state}::text
         AND earlier_step.campaign = e.campaign AND earlier_step.step = ${id}::text)`,
  }
}

/** True once a receipt or a tap says so. By the contact's own few events, as above. */
function reportedFact(path: string, id: string, name: string, kinds: readonly string[]): Fact {
  return {
    path,
    type: 'bool',
    description: `The step ${id} was ${name}`,
    from: 'steps',
    sql: (now) => sql`EXISTS (
      SELECT FROM (SELECT touchpoint_id, kind, occurred_at FROM delivery_events
                    WHERE contact_id = e.contact_id OFFSET 0) event
        JOIN touchpoint_records earlier ON earlier.contact_id = e.contact_id
         AND earlier.touchpoint_id = event.touchpoint_id AND earlier.episode_id = e.episode_id
         AND earlier.settled_at >= ${OWN_MONTHS}
        JOIN steps earlier_step USING (step_id)
       WHERE event.kind = ANY (${sql.param([...kinds])}::text[]) AND event.occurred_at <= ${instant(now)}
         AND earlier_step.campaign = e.campaign AND earlier_step.step = ${id}::text)`,
  }
}
