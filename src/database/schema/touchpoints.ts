import { sql } from 'drizzle-orm'
import {
  boolean,
  check,
  date,
  index,
  integer,
  pgTable,
  primaryKey,
  smallint,
  text,
  uuid,
} from 'drizzle-orm/pg-core'
import { at, bytea, id, micros } from './columns.ts'

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
    /** Which of the step's variants, drawn when it was planned and never again; null where the step has none. */
    variant: text('variant'),
    state: text('state').notNull().default('planned'),
    attempt: smallint('attempt').notNull().default(0),
    /** Never changes; max_delay counts from here. */
    plannedFor: at('planned_for').notNull(),
    /** When to look next: delays, back-off and quiet hours live here. */
    dueAt: at('due_at').notNull(),
    claimId: uuid('claim_id'),
    /** The channel it goes out on: from when a place under a cap is reserved for it, else from when it is marked `sending`. */
    channel: text('channel'),
    /** The keyed hash of the e-mail address or number it is being handed over to; set with `sending`, null before. */
    addressKey: bytea('address_key'),
    /** A try of it may have gone out, and the provider recognises the next by its key. */
    doubted: boolean('doubted').notNull().default(false),
    /** The channel of that try. */
    doubtedOn: text('doubted_on'),
    /** Micros that try costs if it went out, at most where its worker died; null where nothing was held for it either. */
    doubtedCost: micros('doubted_cost'),
    /** The day whose rates it was counted in when it was queued last; null where nothing limited. */
    ratedOn: date('rated_on'),
    /** Why it was put back, until it is claimed again. */
    waits: text('waits'),
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

/** Where messages may have gone that were tried again since, by providers that recognise a repeat. */
export const triedAddresses = pgTable(
  'tried_addresses',
  {
    contactId: id('contact_id').notNull(),
    touchpointId: id('touchpoint_id').notNull(),
    channel: text('channel').notNull(),
    addressKey: bytea('address_key').notNull(),
  },
  (t) => [
    primaryKey({
      name: 'tried_addresses_pk',
      columns: [t.contactId, t.touchpointId, t.channel, t.addressKey],
    }),
  ],
)

/**
 * How each touchpoint ended, partitioned by month of settled_at. A row changes where it was uncertain (what became of it
 * is known after all, or what it may have cost), and where its person is erased.
 */
export const touchpointRecords = pgTable(
  'touchpoint_records',
  {
    contactId: id('contact_id').notNull(),
    touchpointId: id('touchpoint_id').notNull(),
    episodeId: id('episode_id').notNull(),
    stepId: integer('step_id').notNull(),
    /** As the touchpoint had it, sent or not. */
    variant: text('variant'),
    state: text('state').notNull(),
    /** The guard's name, or how it failed. */
    reason: text('reason'),
    /** The provider's words, or what was missing. */
    detail: text('detail'),
    channel: text('channel'),
    /** Which template was rendered: the step's own, or its `otherwise`. */
    template: text('template'),
    providerId: text('provider_id'),
    /** The keyed hash of the e-mail address or number it was handed over to; null where it went to none of them. */
    addressKey: bytea('address_key'),
    attempt: smallint('attempt').notNull(),
    cost: micros('cost').notNull().default(0),
    plannedFor: at('planned_for').notNull(),
    settledAt: at('settled_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.contactId, t.touchpointId, t.settledAt] }),
    index('touchpoint_records_step').on(t.stepId, t.state),
    index('touchpoint_records_uncertain').on(t.contactId, t.touchpointId).where(sql`state = 'uncertain'`),
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
