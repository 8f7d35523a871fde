import { sql } from 'drizzle-orm'
import { bigserial, boolean, check, index, integer, jsonb, pgTable, serial, text } from 'drizzle-orm/pg-core'
import { at, id } from './columns.ts'

/** Who may sign in. */
export const users = pgTable(
  'users',
  {
    userId: serial('user_id').primaryKey(),
    /** Lower case: what is typed at the sign-in. */
    name: text('name').notNull().unique(),
    role: text('role').notNull(),
    /** scrypt, with its parameters and salt; null until the one-time link was used. */
    password: text('password'),
    createdAt: at('created_at').notNull(),
    createdBy: text('created_by').notNull(),
    disabledAt: at('disabled_at'),
  },
  (t) => [check('users_role', sql`${t.role} IN ('viewer', 'agent', 'operator', 'admin')`)],
)

/** One-time links that set a password. The secret itself is kept nowhere. */
export const userLinks = pgTable('user_links', {
  /** SHA-256 of the secret, hexadecimal. */
  linkHash: text('link_hash').primaryKey(),
  userId: integer('user_id')
    .notNull()
    .references(() => users.userId, { onDelete: 'cascade' }),
  expiresAt: at('expires_at').notNull(),
})

/** Who is signed in, and where. */
export const webSessions = pgTable(
  'web_sessions',
  {
    /** SHA-256 of the cookie's value, hexadecimal. */
    sessionHash: text('session_hash').primaryKey(),
    userId: integer('user_id')
      .notNull()
      .references(() => users.userId, { onDelete: 'cascade' }),
    /** What every form of the session carries. */
    csrf: text('csrf').notNull(),
    createdAt: at('created_at').notNull(),
    /** To the minute. */
    seenAt: at('seen_at').notNull(),
    expiresAt: at('expires_at').notNull(),
    address: text('address').notNull(),
  },
  (t) => [index('web_sessions_user').on(t.userId)],
)

/** Failed sign-ins, by user name and by address; forgotten after a success, or a quiet hour. */
export const signInFailures = pgTable('sign_in_failures', {
  /** `name:ada`, `from:203.0.113.7`. */
  key: text('key').primaryKey(),
  failures: integer('failures').notNull(),
  failedAt: at('failed_at').notNull(),
})

/** Whatever changed something: who, what, when, from where. Append-only; it holds no personal data of contacts. */
export const audit = pgTable(
  'audit',
  {
    auditId: bigserial('audit_id', { mode: 'number' }).primaryKey(),
    at: at('at').notNull(),
    /** A user's name, an API key's, or who was at the terminal. */
    actor: text('actor').notNull(),
    via: text('via').notNull(),
    /** `campaign.apply`, `contact.erase` … */
    action: text('action').notNull(),
    /** What it was about. A contact by its internal id alone, which after an erasure leads nowhere. */
    about: text('about'),
    detail: jsonb('detail').$type<Record<string, unknown>>(),
    /** Where from: an internet address; null of a terminal. */
    address: text('address'),
  },
  (t) => [
    index('audit_about').on(t.about),
    index('audit_reasons').on(t.auditId).where(sql`detail ->> 'reason' IS NOT NULL`),
    check('audit_via', sql`${t.via} IN ('web', 'api', 'cli')`),
  ],
)

/** Plans that wait for somebody to approve them, and what became of them. */
export const campaignPlans = pgTable(
  'campaign_plans',
  {
    planId: bigserial('plan_id', { mode: 'number' }).primaryKey(),
    campaign: text('campaign').notNull(),
    /** Hash of every input: what is approved is this and nothing else. */
    inputs: text('inputs').notNull(),
    /** What it counted; of its samples the contacts' numbers alone, for a plan outlives a person's data. */
    figures: jsonb('figures').$type<Record<string, unknown>>().notNull(),
    plannedAt: at('planned_at').notNull(),
    plannedBy: integer('planned_by')
      .notNull()
      .references(() => users.userId),
    decidedAt: at('decided_at'),
    decidedBy: integer('decided_by').references(() => users.userId),
    approved: boolean('approved'),
    version: id('version'),
  },
  (t) => [
    index('campaign_plans_campaign').on(t.campaign, t.planId),
    check(
      'campaign_plans_decided',
      sql`(${t.decidedAt} IS NULL) = (${t.approved} IS NULL) AND (${t.decidedBy} IS NULL) = (${t.approved} IS NULL)`,
    ),
  ],
)
