import { sql } from 'drizzle-orm'
import {
  bigint,
  bigserial,
  check,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  serial,
  smallint,
  text,
  unique,
} from 'drizzle-orm/pg-core'
import { at, id } from './columns.ts'

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
    /** winback.yaml as written when it was applied, to show what changed since; null of versions that did not keep it. */
    workspaceSource: text('workspace_source'),
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
    /** The campaign's topic: what caps by topic count by. */
    topic: text('topic'),
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
    /** …and beyond it the chunks that end at these: chunks are taken side by side, and end in any order. */
    ahead: bigint('ahead', { mode: 'number' }).array().notNull().default([]),
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
