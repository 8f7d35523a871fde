import { bigint, index, jsonb, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { at, bytea, id, micros } from './columns.ts'

/** Who may call the API, and for what. The key itself is kept nowhere, only its hash. */
export const apiKeys = pgTable('api_keys', {
  keyId: text('key_id').primaryKey(),
  name: text('name').notNull(),
  /** SHA-256 of the secret part, hexadecimal. The secret is 256 random bits: nothing slower is needed. */
  secretHash: text('secret_hash').notNull(),
  scopes: text('scopes').array().notNull(),
  createdAt: at('created_at').notNull(),
  createdBy: text('created_by').notNull(),
  /** To the minute. */
  lastUsedAt: at('last_used_at'),
  revokedAt: at('revoked_at'),
})

/**
 * Message ids that were taken: a repeat is known by its row here, whatever contact and time it carries. Kept for
 * `events.horizon`. Message ids are stored as 128 bits of their SHA-256.
 */
export const ingestKeys = pgTable(
  'ingest_keys',
  {
    /** Whose ids they are: `events` for what people did, however it arrives. */
    source: text('source').notNull(),
    messageId: uuid('message_id').notNull(),
    receivedAt: at('received_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.source, t.messageId] }),
    // For pruning. Not by BRIN: the room of what was pruned is used again, and soon each block has something old.
    index('ingest_keys_received').on(t.receivedAt),
  ],
)

/** Which contact a visitor without a name turned out to be; the latest word counts. */
export const anonymousIds = pgTable(
  'anonymous_ids',
  {
    anonymousId: text('anonymous_id').primaryKey(),
    contactId: id('contact_id').notNull(),
    linkedAt: at('linked_at').notNull(),
  },
  (t) => [index('anonymous_ids_contact').on(t.contactId)],
)

/** What visitors without a name did: becomes the contact's once we know who it was, or is forgotten after 90 days. */
export const anonymousActivity = pgTable(
  'anonymous_activity',
  {
    anonymousId: text('anonymous_id').notNull(),
    occurredAt: at('occurred_at').notNull(),
    key: bigint('key', { mode: 'bigint' }).notNull(),
    type: text('type').notNull(),
    value: micros('value'),
    properties: jsonb('properties').$type<Record<string, unknown>>(),
    receivedAt: at('received_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.anonymousId, t.occurredAt, t.key] }),
    index('anonymous_activity_received').on(t.receivedAt),
  ],
)

/** How far each sync has read, written in the transaction that keeps what it read. */
export const syncCursors = pgTable('sync_cursors', {
  sync: text('sync').primaryKey(),
  /** Hash of what is read and what it is read as: another query begins from the start. */
  fingerprint: text('fingerprint').notNull(),
  /** The cursor column's value in the last row taken, as text, of `cursorType`; null before the first. */
  cursor: text('cursor'),
  cursorType: text('cursor_type'),
  updatedAt: at('updated_at').notNull(),
  /** When the last sync that came to its end began: what was due before has been caught up. */
  readAt: at('read_at'),
})

/** Rows of syncs that were rejected when last seen, by keyed hash: one that is read again is not told of again. */
export const syncRejects = pgTable(
  'sync_rejects',
  {
    sync: text('sync').notNull(),
    rowKey: bytea('row_key').notNull(),
    seenAt: at('seen_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.sync, t.rowKey] })],
)
