import { sql } from 'drizzle-orm'
import {
  bigint,
  bigserial,
  check,
  date,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
} from 'drizzle-orm/pg-core'
import { at, bytea, id, micros } from './columns.ts'

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
    /** Of the number with its country, where it is written without: what persons are linked by instead. */
    wholeKey: bytea('whole_key'),
    locale: text('locale'),
    timezone: text('timezone'),
    signedUpAt: at('signed_up_at'),
    /** Values typed by the workspace's `attributes`. A missing key is not JSON null. */
    attributes: jsonb('attributes').$type<Record<string, unknown>>().notNull().default({}),
    /** Epoch seconds at which each attribute with a `fresh` limit was last supplied. */
    attributesAt: jsonb('attributes_at').$type<Record<string, number>>().notNull().default({}),
    /** First: what later files change leaves it as it is. */
    importedAt: at('imported_at').notNull(),
  },
  (t) => [
    index('contacts_person').on(t.personId),
    // Of type hash: only equality is asked, and four bytes in the place of 32 take a fifth off an import.
    index('contacts_email').using('hash', t.emailKey).where(sql`email_key IS NOT NULL`),
    index('contacts_phone').using('hash', t.phoneKey).where(sql`phone_key IS NOT NULL`),
    index('contacts_whole').using('hash', t.wholeKey).where(sql`whole_key IS NOT NULL`),
  ],
)

export const externalIds = pgTable(
  'external_ids',
  {
    /** Compared byte by byte (COLLATE "C", by migration 0016): the beginning of an id is a range of the index. */
    externalId: text('external_id').primaryKey(),
    contactId: id('contact_id').notNull(),
  },
  (t) => [index('external_ids_contact').on(t.contactId)],
)

/**
 * What a contact did, summed up; kept apart from the contact's JSONB because it changes with every session.
 * Every column is a commutative aggregate (min, max, count, sum), so late and out-of-order events are right. No index but the
 * key: what an event changes is then a HOT update.
 */
export const contactActivity = pgTable('contact_activity', {
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
})

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
    check(
      'suppressions_reason',
      sql`${t.reason} IN ('hard_bounce', 'complaint', 'unsubscribe', 'manual', 'erased')`,
    ),
    index('suppressions_left').on(t.suppressedAt).where(sql`reason = 'unsubscribe'`),
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
  /** Absolute path on the machine that imported: it holds rows, so an erasure looks into it. */
  rejectFile: text('reject_file'),
})

/** Salts and keys made at the first migration; never changed, or every draw and hash would change. */
export const settings = pgTable('settings', {
  name: text('name').primaryKey(),
  value: text('value').notNull(),
})
