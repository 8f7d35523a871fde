import { sql } from 'drizzle-orm'
import { type RunDependencies, type RunResult, runCampaign } from '../../src/audience/run.ts'
import type { AddressKind, Channel } from '../../src/channels/channel.ts'
import { type ManualClock, manualClock } from '../../src/clock.ts'
import { campaign as campaignSchema, ON_RETURN } from '../../src/config/campaign.ts'
import type {
  CallTerms,
  CampaignBook,
  CompiledCampaign,
  CompiledEntry,
  CompiledStep,
  CompiledTier,
  Condition,
} from '../../src/config/compiled.ts'
import { type Database, execute, rows, transaction } from '../../src/database/connect.ts'
import { readInstallation } from '../../src/database/installation.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import type { Offer } from '../../src/offers/offers.ts'
import { recordReturns } from '../../src/outcomes/returns.ts'
import { recordSuppressions } from '../../src/outcomes/silence.ts'
import { processBatch, type WorkerDependencies } from '../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { createSlots } from '../../src/touchpoints/sending/slots.ts'
import { type TestChannel, testChannel } from './channel.ts'
import { freshDatabase } from './database.ts'

// The pipeline without files: a compiled campaign made by hand on a database of its own, a channel in memory that
// does what it is told, and a clock that stands still.

export const DAY = 86_400
export const START = new Date('2026-03-02T01:00:00Z')

export interface Pipeline {
  readonly database: Database
  readonly clock: ManualClock
  readonly campaign: CompiledCampaign
  readonly channel: TestChannel
  readonly worker: WorkerDependencies
  readonly run: RunDependencies
  /** Adds a contact silent since a moment; returns its id. */
  addContact(contact?: {
    silentSince?: Date
    email?: string | null
    phone?: string | null
    timezone?: string
    attributes?: Record<string, unknown>
    person?: number
  }): Promise<number>
  /** Puts an address on the do-not-contact list, as an import would. */
  suppress(kind: 'email' | 'phone', address: string): Promise<void>
  /** Runs the campaign for this moment. */
  runNow(): Promise<RunResult>
  /** Records activity as ingest would: facts, returns and cancels in one transaction. */
  addActivity(contactId: number, at: Date, type?: string): Promise<void>
  /** Dispatches and processes everything due now, in this process. */
  work(): Promise<void>
  records(): Promise<{ contactId: number; step: string; state: string; reason: string | null }[]>
  open(): Promise<{ contactId: number; step: string; state: string; dueAt: Date }[]>
}

export interface PipelineOptions {
  tiers?: { name: string; from: number; to: number | null; holdout?: number; steps: StepSketch[] }[]
  /** Released by the return. */
  onReturn?: StepSketch[]
  holdout?: number
  control?: number
  definition?: Record<string, unknown>
  audience?: Condition
  /** What the tiers' seconds count from; silence by default. */
  entry?: CompiledEntry
  channel?: TestChannel
  /** More channels beside the first. */
  others?: readonly TestChannel[]
  database?: Database
}

export interface StepSketch {
  id: string
  after?: number
  channels?: string[]
  condition?: Condition
  facts?: { path: string; value: ReturnType<typeof sql>; stale?: ReturnType<typeof sql> }[]
  otherwise?: boolean
  offer?: { name: string; terms: Offer }
  /** Compared on the step; each says a template of its name. */
  variants?: { name: string; share: number; offer?: { name: string; terms: Offer } }[]
  call?: CallTerms
}

/** A condition written as SQL, for tests of what comes after the compiler. */
export function condition(source: string, fragment: ReturnType<typeof sql>): Condition {
  return { source, sql: () => fragment }
}

export async function openPipeline(options: PipelineOptions = {}): Promise<Pipeline> {
  const database = options.database ?? (await freshDatabase())
  const clock = manualClock(START)
  const channel = options.channel ?? testChannel()
  const sketches = options.tiers ?? [
    { name: 'coupon', from: 3 * DAY, to: 7 * DAY, steps: [{ id: 'remind' }, { id: 'coupon', after: DAY }] },
    { name: 'trial', from: 7 * DAY, to: 15 * DAY, steps: [{ id: 'trial' }] },
  ]
  const definition = campaignSchema.parse({
    version: 1,
    campaign: 'test',
    title: 'Test',
    schedule: '0 9 * * *',
    timezone: 'UTC',
    goals: { recall: { event: 'session' } },
    window: '30d',
    holdout: `${(options.holdout ?? 0) * 100}%`,
    tiers: sketches.map((tier) => ({
      name: tier.name,
      inactive: options.entry ? '1d..2d' : `${tier.from}s..${tier.to === null ? '' : `${tier.to}s`}`,
      steps: tier.steps.map((step) => ({
        id: step.id,
        channel: step.channels ?? ['email'],
        after: `${step.after ?? 0}s`,
      })),
    })),
    ...options.definition,
  })
  const campaign = await insertCampaign(database, definition, sketches, options)
  const steps = new Map(
    [...campaign.tiers.flatMap((tier) => tier.steps), ...campaign.onReturn].map((step) => [
      step.stepId,
      step,
    ]),
  )
  const book: CampaignBook = {
    campaign: async () => campaign,
    current: async () => campaign,
    text: async () => campaign,
    currentText: async () => campaign,
    step: async (stepId) => {
      const step = steps.get(stepId)
      if (!step) throw new Error(`no step ${stepId}`)
      return { campaign, step }
    },
  }
  const channels = [channel, ...(options.others ?? [])]
  const worker: WorkerDependencies = {
    database,
    clock,
    installation: await readInstallation(database),
    book,
    sender: { name: 'Shop', timezone: 'UTC', currency: 'CNY' },
    channels: new Map<string, Channel>(channels.map((one) => [one.name, one as Channel])),
    addressKinds: new Map(channels.map((one) => [one.name, one.kind])),
    needsConsent: new Set(),
    templates: async () => ({ find: () => undefined }),
    slots: new Map(channels.map((one) => [one.name, createSlots(one.concurrency)])),
  }
  const run: RunDependencies = { database, book, clock, workspaceSalt: 'salt' }
  let added = 0
  return {
    database,
    clock,
    campaign,
    channel,
    worker,
    run,
    addContact: async (contact = {}) => {
      added += 1
      const email = contact.email === undefined ? `u${added}@example.com` : contact.email
      const phone = contact.phone ?? null
      const [row] = await rows<{ id: number }>(
        database,
        sql`
        WITH made AS (
          INSERT INTO contacts (person_id, external_id, email, email_key, phone, phone_key, timezone, attributes,
            imported_at)
          VALUES (0, ${`u${added}`}, ${email}, ${keySql(email)}, ${phone}, ${keySql(phone)},
            ${contact.timezone ?? null}, ${JSON.stringify(contact.attributes ?? {})}::jsonb, ${clock.now()})
          RETURNING contact_id, external_id
        ), named AS (
          INSERT INTO external_ids (external_id, contact_id) SELECT external_id, contact_id FROM made
        ), active AS (
          INSERT INTO contact_activity (contact_id, silent_since, last_active_at, activity_count)
          SELECT contact_id, ${contact.silentSince ?? null}, ${contact.silentSince ?? null}, 1 FROM made
        )
        SELECT contact_id AS id FROM made`,
      )
      const id = row?.id ?? 0
      await execute(
        database,
        sql`UPDATE contacts SET person_id = ${contact.person ?? id} WHERE contact_id = ${id}`,
      )
      return id
    },
    suppress: async (kind, address) => {
      await transaction(database, async (tx) => {
        await execute(
          tx,
          sql`INSERT INTO suppressions VALUES (${kind}, ${keySql(address)}, 'unsubscribe', 'test', ${clock.now()})`,
        )
        await execute(
          tx,
          sql`CREATE TEMP TABLE new_suppressions ON COMMIT DROP AS
            SELECT ${kind}::text AS kind, ${keySql(address)} AS key`,
        )
        const named = (wanted: AddressKind) =>
          channels.filter((one) => one.kind === wanted).map((one) => one.name)
        await recordSuppressions(tx, clock.now(), { email: named('email'), phone: named('phone') })
      })
    },
    runNow: () => runCampaign(run, campaign, clock.now()),
    addActivity: async (contactId, at, type = 'session') => {
      await ensurePartitions(database, 'activity', [at])
      await transaction(database, async (tx) => {
        await execute(
          tx,
          sql`INSERT INTO activity (contact_id, occurred_at, key, type, received_at)
            VALUES (${contactId}, ${at}, 0, ${type}, ${clock.now()}) ON CONFLICT DO NOTHING`,
        )
        await execute(
          tx,
          sql`CREATE TEMP TABLE new_activity ON COMMIT DROP AS SELECT ${contactId}::bigint AS contact_id,
            ${at}::timestamptz AS occurred_at, ${type}::text AS type, NULL::bigint AS value`,
        )
        await execute(
          tx,
          sql`UPDATE contact_activity SET silent_since = greatest(silent_since, ${at}),
            last_active_at = greatest(last_active_at, ${at}) WHERE contact_id = ${contactId}`,
        )
        await recordReturns(tx, clock.now(), { book, activityTypes: ['session', 'order'] })
      })
    },
    work: async () => {
      await dispatchDue(database, { now: clock.now(), jobs: 1000 }, async (batch) => {
        await processBatch(worker, batch)
      })
    },
    records: () =>
      rows(
        database,
        sql`SELECT contact_id AS "contactId", step, state, reason FROM touchpoint_records JOIN steps USING (step_id)
          ORDER BY contact_id, step`,
      ),
    open: () =>
      rows(
        database,
        sql`SELECT contact_id AS "contactId", step, state, due_at AS "dueAt" FROM touchpoints JOIN steps USING (step_id)
          ORDER BY contact_id, step`,
      ),
  }
}

/** Every claim and every place in the queue is over: for the sweeper, whoever held them is dead. */
export async function expireLeases(database: Database): Promise<void> {
  await execute(
    database,
    sql`UPDATE touchpoints SET lease_until = '2000-01-01' WHERE lease_until IS NOT NULL`,
  )
}

function keySql(address: string | null) {
  return sql`sha256(convert_to(${address}::text, 'UTF8'))`
}

async function insertCampaign(
  database: Database,
  definition: CompiledCampaign['definition'],
  sketches: NonNullable<PipelineOptions['tiers']>,
  options: PipelineOptions,
): Promise<CompiledCampaign> {
  const tiers: CompiledTier[] = []
  const insertSteps = async (name: string, tierIndex: number, wanted: readonly StepSketch[]) => {
    const steps: CompiledTier['steps'][number][] = []
    for (const [stepIndex, step] of wanted.entries()) {
      const channels = step.channels ?? ['email']
      const [row] = await rows<{ stepId: number }>(
        database,
        sql`INSERT INTO steps (campaign, version, tier_no, tier, step_no, step, channels)
          VALUES (${definition.campaign}, 1, ${tierIndex + 1}, ${name}, ${stepIndex + 1}, ${step.id},
            ${sql.param(channels)}::text[]) RETURNING step_id AS "stepId"`,
      )
      const facts = (step.facts ?? []).map(({ path, value, stale }) => ({
        path,
        optional: false,
        sql: () => value,
        ...(stale ? { stale: () => stale } : {}),
      }))
      const plain: CompiledStep = {
        stepId: row?.stepId ?? 0,
        tierNo: tierIndex + 1,
        tier: name,
        stepNo: stepIndex + 1,
        id: step.id,
        channels,
        after: step.after ?? 0,
        condition: step.condition,
        templates: new Map(step.facts ? [['everyone', { name: step.id, facts }]] : []),
        otherwise: step.otherwise ? { name: 'neutral', facts: [] } : undefined,
        offer: step.offer,
        ...(name === ON_RETURN ? { onReturn: true } : {}),
        ...(step.call ? { call: step.call } : {}),
      }
      const variants = (step.variants ?? []).map(({ name: variant, share, offer }) => ({
        name: variant,
        share,
        step: { ...plain, offer, templates: new Map([['everyone', { name: variant, facts }]]) },
      }))
      steps.push(variants[0] ? { ...variants[0].step, variants } : plain)
    }
    return steps
  }
  const onReturn = await insertSteps(ON_RETURN, sketches.length, options.onReturn ?? [])
  for (const [tierIndex, tier] of sketches.entries()) {
    const steps = await insertSteps(tier.name, tierIndex, tier.steps)
    const { name, from, to, holdout = 0 } = tier
    tiers.push({ no: tierIndex + 1, name, from, to, holdout, steps })
  }
  return {
    name: definition.campaign,
    version: 1,
    salt: 'campaign-salt',
    definition,
    control: options.control ?? 0,
    timezone: 'UTC',
    exclusive: definition.exclusive ?? definition.campaign,
    templateSet: '',
    locales: ['en'],
    entry: options.entry ?? { kind: 'silence' },
    silencedBy: definition.silenced_by ?? (options.entry ? 'goal' : 'activity'),
    audience: options.audience,
    segments: [],
    tiers,
    onReturn,
  }
}
