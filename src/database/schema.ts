import { sql } from 'drizzle-orm'
import {
  bigint,
  bigserial,
  boolean,
  check,
  customType,
  date,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  serial,
  smallint,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'

// Table names are unqualified: every connection's search_path names the one schema Winback lives in
// (`winback` by default, another for a replay or a test), so one set of migrations serves them all.
//
// Tables that grow with contacts carry contact_id in the primary key and in unique constraints, so that
// they can be partitioned or distributed later. Lookup tables are keyed by what they look up.

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' })
const at = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' })
const id = (name: string) => bigint(name, { mode: 'number' })
const micros = (name: string) => bigint(name, { mode: 'number' })

// ── contacts ────────────────────────────────────────────────────────────────────────────────────────

export const contacts = pgTable(
  'contacts',
  {
    contactId: id('contact_id').primaryKey().generatedAlwaysAsIdentity({ cache: 100 }),
    /** The contact_id of the person's first contact: contacts sharing an e-mail or phone share it. */
    personId: id('person_id').notNull(),
    externalId: text('external_id').notNull(),
    email: text('email'),
    /** Keyed hash of the normalised e-mail: links persons and matches suppressions without the address. */
    emailKey: bytea('email_key'),
    phone: text('phone'),
    phoneKey: bytea('phone_key'),
    locale: text('locale'),
    timezone: text('timezone'),
    signedUpAt: at('signed_up_at'),
    /** Values typed by the workspace's `attributes`. A missing key is not JSON null. */
    attributes: jsonb('attributes').$type<Record<string, unknown>>().notNull().default({}),
    /** Epoch seconds at which each attribute with a `fresh` limit was last supplied. */
    attributesAt: jsonb('attributes_at').$type<Record<string, number>>().notNull().default({}),
    importedAt: at('imported_at').notNull(),
    erasedAt: at('erased_at'),
  },
  (t) => [
    index('contacts_person').on(t.personId),
    // Of type hash: only equality is asked, and four bytes in the place of 32 take a fifth off an import.
    index('contacts_email').using('hash', t.emailKey).where(sql`email_key IS NOT NULL`),
    index('contacts_phone').using('hash', t.phoneKey).where(sql`phone_key IS NOT NULL`),
  ],
)

export const externalIds = pgTable('external_ids', {
  externalId: text('external_id').primaryKey(),
  contactId: id('contact_id').notNull(),
})

/**
 * What a contact did, summed up; kept apart from the contact's JSONB because it changes with every session.
 * Every column is a commutative aggregate (min, max, count, sum), so late and out-of-order events are right.
 */
export const contactActivity = pgTable(
  'contact_activity',
  {
    contactId: id('contact_id').primaryKey(),
    /** Newest activity, or the sign-up date where there is none yet; null where neither is known. */
    silentSince: at('silent_since'),
    lastActiveAt: at('last_active_at'),
    firstActiveAt: at('first_active_at'),
    activityCount: integer('activity_count').notNull().default(0),
    ordersCount: integer('orders_count').notNull().default(0),
    ordersTotal: micros('orders_total').notNull().default(0),
    firstOrderAt: at('first_order_at'),
    lastOrderAt: at('last_order_at'),
  },
  (t) => [index('contact_activity_silent_since').on(t.silentSince)],
)

/** Partitioned by month of occurred_at (see migrations; partitions are made as months appear). */
export const activity = pgTable(
  'activity',
  {
    contactId: id('contact_id').notNull(),
    occurredAt: at('occurred_at').notNull(),
    /** 64-bit hash of the message id, or of the row's content and its ordinal among identical rows. */
    key: bigint('key', { mode: 'bigint' }).notNull(),
    type: text('type').notNull(),
    value: micros('value'),
    properties: jsonb('properties').$type<Record<string, unknown>>(),
    receivedAt: at('received_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.contactId, t.occurredAt, t.key] })],
)

/** How much came in for each UTC day, and the newest event: what the feed check looks at. */
export const feedDays = pgTable('feed_days', {
  day: date('day', { mode: 'string' }).primaryKey(),
  events: bigint('events', { mode: 'number' }).notNull(),
  newestAt: at('newest_at').notNull(),
})

export const suppressions = pgTable(
  'suppressions',
  {
    kind: text('kind').notNull(),
    key: bytea('key').notNull(),
    reason: text('reason').notNull(),
    source: text('source').notNull(),
    suppressedAt: at('suppressed_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.kind, t.key] }),
    check('suppressions_kind', sql`${t.kind} IN ('email', 'phone')`),
    check('suppressions_reason', sql`${t.reason} IN ('hard_bounce', 'complaint', 'unsubscribe', 'manual')`),
  ],
)

/** One row an import: what came in, what was rejected and where the rejects are. */
export const imports = pgTable('imports', {
  importId: bigserial('import_id', { mode: 'number' }).primaryKey(),
  kind: text('kind').notNull(),
  file: text('file').notNull(),
  startedAt: at('started_at').notNull(),
  finishedAt: at('finished_at'),
  rows: bigint('rows', { mode: 'number' }).notNull().default(0),
  inserted: bigint('inserted', { mode: 'number' }).notNull().default(0),
  updated: bigint('updated', { mode: 'number' }).notNull().default(0),
  unchanged: bigint('unchanged', { mode: 'number' }).notNull().default(0),
  rejected: bigint('rejected', { mode: 'number' }).notNull().default(0),
})

/** Salts and keys made at the first migration; never changed, or every draw and hash would change. */
export const settings = pgTable('settings', {
  name: text('name').primaryKey(),
  value: text('value').notNull(),
})

// ── campaigns ───────────────────────────────────────────────────────────────────────────────────────

export const campaigns = pgTable('campaigns', {
  campaign: text('campaign').primaryKey(),
  currentVersion: integer('current_version').notNull(),
  /** Drawn once; arms and rollout hash with it. */
  salt: text('salt').notNull(),
  createdAt: at('created_at').notNull(),
})

export const campaignVersions = pgTable(
  'campaign_versions',
  {
    campaign: text('campaign').notNull(),
    version: integer('version').notNull(),
    /** The campaign file as written; it is parsed again by the code that runs it. */
    source: text('source').notNull(),
    file: text('file').notNull(),
    /** Hash of every input of the plan: campaign, workspace, templates. */
    inputs: text('inputs').notNull(),
    templates: text('templates').notNull(),
    /** What of the workspace the version was applied with: its draws, and the facts its conditions ask about. */
    workspace: jsonb('workspace').$type<Record<string, unknown>>().notNull(),
    appliedAt: at('applied_at').notNull(),
    appliedBy: text('applied_by').notNull(),
    /** The version this one restores, where it came from `rollback`. */
    restores: integer('restores'),
  },
  (t) => [primaryKey({ columns: [t.campaign, t.version] })],
)

/** Template files by content hash: a worker on another machine renders what was applied. */
export const templateSets = pgTable('template_sets', {
  hash: text('hash').primaryKey(),
  files: jsonb('files').$type<Record<string, string>>().notNull(),
})

/** The steps of each applied version; a touchpoint names one by step_id. */
export const steps = pgTable(
  'steps',
  {
    stepId: serial('step_id').primaryKey(),
    campaign: text('campaign').notNull(),
    version: integer('version').notNull(),
    tierNo: smallint('tier_no').notNull(),
    tier: text('tier').notNull(),
    stepNo: smallint('step_no').notNull(),
    step: text('step').notNull(),
    channels: text('channels').array().notNull(),
    /** The campaign's, 0–100: whose touchpoints are dispatched first. */
    priority: smallint('priority').notNull().default(50),
  },
  (t) => [unique('steps_place').on(t.campaign, t.version, t.tierNo, t.stepNo)],
)

/** Kill switches. `workspace` has the name '*'; a campaign may be stopped for good. */
export const switches = pgTable(
  'switches',
  {
    scope: text('scope').notNull(),
    name: text('name').notNull(),
    state: text('state').notNull(),
    reason: text('reason').notNull(),
    since: at('since').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.scope, t.name] }),
    check('switches_scope', sql`${t.scope} IN ('workspace', 'campaign', 'channel')`),
    check('switches_state', sql`${t.state} IN ('paused', 'stopped')`),
  ],
)

export const runs = pgTable(
  'runs',
  {
    runId: bigserial('run_id', { mode: 'number' }).primaryKey(),
    campaign: text('campaign').notNull(),
    scheduledFor: at('scheduled_for').notNull(),
    version: integer('version').notNull(),
    /** The clock's time the selection was made for. */
    asOf: at('as_of').notNull(),
    state: text('state').notNull(),
    /** Contacts up to this contact_id are done; a run that was interrupted goes on from here. */
    cursor: id('cursor').notNull().default(0),
    /** Intake: contacts silent since before this moment wait for another day. */
    intakeFrom: at('intake_from'),
    /** …and, among those silent since exactly then, the last contact_id that comes in. */
    intakeContact: id('intake_contact'),
    startedAt: at('started_at').notNull(),
    finishedAt: at('finished_at'),
    note: text('note'),
  },
  (t) => [
    unique('runs_once').on(t.campaign, t.scheduledFor),
    check('runs_state', sql`${t.state} IN ('running', 'done', 'refused')`),
  ],
)

/** The answer to every contact a run considered, counted. `opened` carries the arm; the rest say why not. */
export const runAnswers = pgTable(
  'run_answers',
  {
    runId: bigint('run_id', { mode: 'number' }).notNull(),
    answer: text('answer').notNull(),
    tier: text('tier').notNull(),
    segment: text('segment').notNull(),
    arm: text('arm').notNull(),
    contacts: bigint('contacts', { mode: 'number' }).notNull(),
  },
  (t) => [primaryKey({ columns: [t.runId, t.answer, t.tier, t.segment, t.arm] })],
)

// ── episodes ────────────────────────────────────────────────────────────────────────────────────────

/**
 * One lapse of one contact in one campaign. Sending stops at silenced_at; the outcome stays open until
 * outcome_until (window + grace), the same clock for every arm, and only then does the episode end: so the
 * windows of one contact never overlap.
 */
export const episodes = pgTable(
  'episodes',
  {
    contactId: id('contact_id').notNull(),
    episodeId: id('episode_id').notNull().default(sql`nextval('episode_ids')`),
    campaign: text('campaign').notNull(),
    version: integer('version').notNull(),
    exclusive: text('exclusive').notNull(),
    personId: id('person_id').notNull(),
    /** 1, 2, … for the person in this campaign; part of what the arm is drawn from. */
    episodeNo: integer('episode_no').notNull(),
    arm: text('arm').notNull(),
    entryTier: text('entry_tier').notNull(),
    segment: text('segment').notNull(),
    lapsedAt: at('lapsed_at').notNull(),
    assignedAt: at('assigned_at').notNull(),
    windowEndsAt: at('window_ends_at').notNull(),
    outcomeUntil: at('outcome_until').notNull(),
    /** Latest stage entered; moves by the clock alone. */
    tierNo: smallint('tier_no').notNull(),
    /** No touch from here on, and why: a return, a stop, a contamination, an erasure. */
    silencedAt: at('silenced_at'),
    silencedBy: text('silenced_by'),
    /** First activity after assigned_at, whatever the arm. */
    returnedAt: at('returned_at'),
    contaminated: boolean('contaminated').notNull().default(false),
    endedAt: at('ended_at'),
    endReason: text('end_reason'),
  },
  (t) => [
    primaryKey({ columns: [t.contactId, t.episodeId] }),
    uniqueIndex('episodes_open_once').on(t.contactId, t.campaign).where(sql`ended_at IS NULL`),
    uniqueIndex('episodes_exclusive').on(t.contactId, t.exclusive).where(sql`ended_at IS NULL`),
    check('episodes_arm', sql`${t.arm} IN ('treated', 'holdout', 'control', 'seed')`),
    check(
      'episodes_silenced_by',
      sql`${t.silencedBy} IN ('returned', 'stopped', 'contaminated', 'merged', 'erased') AND (${t.silencedAt} IS NULL) = (${t.silencedBy} IS NULL)`,
    ),
    check(
      'episodes_end',
      sql`${t.endReason} IN ('recalled', 'returned', 'expired', 'withdrawn', 'erased') AND (${t.endedAt} IS NULL) = (${t.endReason} IS NULL)`,
    ),
  ],
)

/** An episode's stay in one tier. `arm` is the tier's own draw, or what the episode carries with it. */
export const stages = pgTable(
  'stages',
  {
    contactId: id('contact_id').notNull(),
    episodeId: id('episode_id').notNull(),
    tierNo: smallint('tier_no').notNull(),
    enteredAt: at('entered_at').notNull(),
    arm: text('arm').notNull(),
    /** True where this tier drew: both of its arms then measure the tier's own effect. */
    drawn: boolean('drawn').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.contactId, t.episodeId, t.tierNo] }),
    check('stages_arm', sql`${t.arm} IN ('treated', 'holdout')`),
  ],
)

/** First event of each goal inside the episode's window. Goal 0 is the primary: the recall. */
export const recalls = pgTable(
  'recalls',
  {
    contactId: id('contact_id').notNull(),
    episodeId: id('episode_id').notNull(),
    goalNo: smallint('goal_no').notNull(),
    recalledAt: at('recalled_at').notNull(),
    value: micros('value'),
  },
  (t) => [primaryKey({ columns: [t.contactId, t.episodeId, t.goalNo] })],
)

// ── touchpoints ─────────────────────────────────────────────────────────────────────────────────────

/**
 * The work table: narrow and hot. No index names `state`, `claim_id` or `lease_until`, so every change of
 * state is a HOT update; rows leave for touchpoint_records when they are settled.
 */
export const touchpoints = pgTable(
  'touchpoints',
  {
    contactId: id('contact_id').notNull(),
    touchpointId: id('touchpoint_id').notNull().default(sql`nextval('touchpoint_ids')`),
    episodeId: id('episode_id').notNull(),
    stepId: integer('step_id').notNull(),
    state: text('state').notNull().default('planned'),
    attempt: smallint('attempt').notNull().default(0),
    /** Never changes; max_delay counts from here. */
    plannedFor: at('planned_for').notNull(),
    /** When to look next: delays, back-off and quiet hours live here. */
    dueAt: at('due_at').notNull(),
    claimId: uuid('claim_id'),
    /** The channel it is being sent on, from the moment it is marked `sending`. */
    channel: text('channel'),
    /** Real time, of the database: the lease of `queued`, `claimed` and `sending`. */
    leaseUntil: at('lease_until'),
  },
  (t) => [
    primaryKey({ columns: [t.contactId, t.touchpointId] }),
    index('touchpoints_due').on(t.stepId, t.dueAt),
    check('touchpoints_state', sql`${t.state} IN ('planned', 'queued', 'claimed', 'sending')`),
    check(
      'touchpoints_lease',
      sql`(${t.state} = 'planned') = (${t.leaseUntil} IS NULL) AND (${t.state} IN ('claimed', 'sending')) = (${t.claimId} IS NOT NULL)`,
    ),
  ],
)

/** How each touchpoint ended. Append-only, partitioned by month of settled_at. */
export const touchpointRecords = pgTable(
  'touchpoint_records',
  {
    contactId: id('contact_id').notNull(),
    touchpointId: id('touchpoint_id').notNull(),
    episodeId: id('episode_id').notNull(),
    stepId: integer('step_id').notNull(),
    state: text('state').notNull(),
    /** The guard's name, or how it failed. */
    reason: text('reason'),
    /** The provider's words, or what was missing. */
    detail: text('detail'),
    channel: text('channel'),
    /** Which template was rendered: the step's own, or its `otherwise`. */
    template: text('template'),
    providerId: text('provider_id'),
    attempt: smallint('attempt').notNull(),
    cost: micros('cost').notNull().default(0),
    plannedFor: at('planned_for').notNull(),
    settledAt: at('settled_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.contactId, t.touchpointId, t.settledAt] }),
    index('touchpoint_records_step').on(t.stepId, t.state),
    check(
      'touchpoint_records_state',
      sql`${t.state} IN ('sent', 'failed', 'skipped', 'cancelled', 'uncertain')`,
    ),
    check(
      'touchpoint_records_reason',
      sql`(${t.state} IN ('skipped', 'cancelled', 'failed')) <= (${t.reason} IS NOT NULL)`,
    ),
  ],
)

/** Every amount booked, append-only. Spend by channel price; liability by offer. Integer micros. */
export const ledger = pgTable(
  'ledger',
  {
    contactId: id('contact_id').notNull(),
    ledgerId: id('ledger_id').notNull().default(sql`nextval('ledger_ids')`),
    touchpointId: id('touchpoint_id').notNull(),
    episodeId: id('episode_id').notNull(),
    stepId: integer('step_id').notNull(),
    kind: text('kind').notNull(),
    channel: text('channel'),
    amount: micros('amount').notNull(),
    bookedAt: at('booked_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.contactId, t.ledgerId] }),
    index('ledger_step').on(t.stepId),
    check('ledger_kind', sql`${t.kind} IN ('spend', 'liability', 'labour')`),
  ],
)
