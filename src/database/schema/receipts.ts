import { sql } from 'drizzle-orm'
import {
  boolean,
  check,
  date,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
} from 'drizzle-orm/pg-core'
import { at, bytea, id, micros } from './columns.ts'

/**
 * What providers reported of messages, append-only. A repeat has the same key and is not written. How far a message
 * got is the furthest of its events, so the order in which they come in makes no difference.
 */
export const deliveryEvents = pgTable(
  'delivery_events',
  {
    contactId: id('contact_id').notNull(),
    touchpointId: id('touchpoint_id').notNull(),
    /** The provider's id of the event. */
    eventId: text('event_id').notNull(),
    kind: text('kind').notNull(),
    detail: text('detail'),
    occurredAt: at('occurred_at').notNull(),
    receivedAt: at('received_at').notNull(),
    /** Micros; what the message cost in fact, where the event says so. */
    cost: micros('cost'),
    /** It came before the message was settled, and the ledger does not have its cost yet. */
    unbooked: boolean('unbooked').notNull().default(false),
    /** A soft bounce that is said to be about the sender, and nothing of the address. */
    ours: boolean('ours').notNull().default(false),
    /** The channel that reported it. This and what follows: null where a version before migration 0052 wrote it. */
    channel: text('channel'),
    stepId: integer('step_id'),
    /** When the message was settled, by which its record is found; null, too, where it was still under way. */
    settledAt: at('settled_at'),
  },
  (t) => [
    primaryKey({ columns: [t.contactId, t.touchpointId, t.eventId] }),
    index('delivery_events_harm').on(t.receivedAt).where(sql`kind IN ('complaint', 'hard_bounce')`),
    index('delivery_events_unbooked').on(t.contactId, t.touchpointId).where(sql`unbooked`),
    check(
      'delivery_events_kind',
      sql`${t.kind} IN ('sent', 'soft_bounce', 'delivered', 'hard_bounce', 'prefetched', 'opened', 'clicked', 'unsubscribed', 'complaint')`,
    ),
  ],
)

/** How many messages of a UTC day came back for a passing reason, in some rows for each day: who counts one waits for few others. */
export const softBounces = pgTable(
  'soft_bounces',
  {
    channel: text('channel').notNull(),
    /** On which they were settled. */
    day: date('day').notNull(),
    stripe: smallint('stripe').notNull(),
    messages: integer('messages').notNull(),
  },
  (t) => [primaryKey({ columns: [t.channel, t.day, t.stripe] })],
)

/** What people answered, and whether it was taken as an opt-out. */
export const replies = pgTable(
  'replies',
  {
    contactId: id('contact_id').notNull(),
    channel: text('channel').notNull(),
    eventId: text('event_id').notNull(),
    text: text('text').notNull(),
    optOut: boolean('opt_out').notNull(),
    repliedAt: at('replied_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.contactId, t.channel, t.eventId] })],
)

/** Where pushes go: tokens and subscriptions, each of one contact at a time. A dead one is removed. */
export const devices = pgTable(
  'devices',
  {
    contactId: id('contact_id').notNull(),
    /** sha-256 of provider and token. */
    deviceKey: bytea('device_key').notNull(),
    provider: text('provider').notNull(),
    /** The token, the registration id, or the endpoint of a subscription. */
    token: text('token').notNull(),
    /** `p256dh` and `auth` of a web subscription. */
    keys: jsonb('keys').$type<{ p256dh: string; auth: string }>(),
    registeredAt: at('registered_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.contactId, t.deviceKey] }),
    index('devices_key').using('hash', t.deviceKey),
    check('devices_provider', sql`${t.provider} IN ('web', 'fcm', 'jpush')`),
  ],
)
