import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  date,
  integer,
  jsonb,
  numeric,
  pgTable,
  primaryKey,
  serial,
  smallint,
  text,
} from 'drizzle-orm/pg-core'
import { at, micros } from './columns.ts'

// What reports are read from: sums by campaign and cohort day, the UTC day of the assignment. Derived from the tables of
// contacts, episodes and messages, and rebuilt from them at any time (see reports/rollup/). None grows with contacts.

const day = (name: string) => date(name, { mode: 'string' })
const count = (name: string) => bigint(name, { mode: 'number' }).notNull()

/** What happened on the market or with us, marked on every curve. A null campaign means all of them. */
export const annotations = pgTable(
  'annotations',
  {
    annotationId: serial('annotation_id').primaryKey(),
    campaign: text('campaign'),
    startsOn: day('starts_on').notNull(),
    /** The last day it lasted; the first where it was one day. */
    endsOn: day('ends_on').notNull(),
    label: text('label').notNull(),
    madeBy: text('made_by').notNull(),
    madeAt: at('made_at').notNull(),
  },
  (t) => [check('annotations_range', sql`${t.endsOn} >= ${t.startsOn}`)],
)

/** Which cohort days are rolled up, and what tells that one must be rolled up again. */
export const reportDays = pgTable(
  'report_days',
  {
    campaign: text('campaign').notNull(),
    day: day('day').notNull(),
    rolledAt: at('rolled_at').notNull(),
    /** Episodes of it may still change by themselves. */
    open: boolean('open').notNull(),
    /** Activity events of the days it looks at, as known then: another number now means that some came late. */
    events: count('events'),
    /** What of an event's value is earned, by event type, as it was counted with: another one now asks for a recount. */
    earned: jsonb('earned').$type<Readonly<Record<string, number>>>().notNull(),
  },
  (t) => [primaryKey({ columns: [t.campaign, t.day] })],
)

/** Cohort days whose figures changed after they seemed over. A log without a key: nobody waits for anybody here. */
export const reportDirty = pgTable('report_dirty', {
  campaign: text('campaign').notNull(),
  day: day('day').notNull(),
})

/** People by what they were assigned with. Seeds are nowhere in these tables. */
export const reportPeople = pgTable(
  'report_people',
  {
    campaign: text('campaign').notNull(),
    day: day('day').notNull(),
    version: integer('version').notNull(),
    /** Tier and segment at entry. */
    tier: text('tier').notNull(),
    segment: text('segment').notNull(),
    arm: text('arm').notNull(),
    /** When the last window of the day ends, of all who were assigned on it. */
    finalAt: at('final_at').notNull(),
    windowDays: integer('window_days').notNull(),
    assigned: count('assigned'),
    contaminated: count('contaminated'),
    returned: count('returned'),
    recalled: count('recalled'),
    /** Active in the seven days that end on day 7, 30, 90 after the assignment. */
    active7: count('active_7'),
    active30: count('active_30'),
    active90: count('active_90'),
    /** Orders within thirty days, those of them without a coupon, and how many people made such. */
    orders30: count('orders_30'),
    fullPrice30: count('full_price_30'),
    fullPriceBuyers30: count('full_price_buyers_30'),
    /** Within the window. */
    optedOut: count('opted_out'),
    complained: count('complained'),
    uninstalled: count('uninstalled'),
    /** Messages sent. */
    touches: count('touches'),
    /** Integer micros. */
    spend: micros('spend').notNull(),
    liability: micros('liability').notNull(),
    labour: micros('labour').notNull(),
    /** Σ cost² and Σ cost·recall a head; `unpaid` is the same without labour. */
    costSquares: numeric('cost_squares', { mode: 'number' }).notNull(),
    costRecalls: micros('cost_recalls').notNull(),
    unpaidSquares: numeric('unpaid_squares', { mode: 'number' }).notNull(),
    unpaidRecalls: micros('unpaid_recalls').notNull(),
    /** Active days in the ninety before the assignment: Σx, Σx², Σx·recall. */
    before: count('before'),
    beforeSquares: count('before_squares'),
    beforeRecalls: count('before_recalls'),
    /**
     * What they brought in within the window: Σ margin, Σ margin², Σ margin·cost a head (`unpaid` without labour), and how
     * many brought in anything.
     */
    margin: micros('margin').notNull(),
    marginSquares: numeric('margin_squares', { mode: 'number' }).notNull(),
    marginCosts: numeric('margin_costs', { mode: 'number' }).notNull(),
    marginUnpaid: numeric('margin_unpaid', { mode: 'number' }).notNull(),
    buyers: count('buyers'),
    /** Of the assigned and of the recalled, those for whom it was the first lapse in any campaign. */
    firsts: count('firsts'),
    firstsRecalled: count('firsts_recalled'),
  },
  (t) => [
    primaryKey({
      name: 'report_people_pk',
      columns: [t.campaign, t.day, t.version, t.tier, t.segment, t.arm],
    }),
  ],
)

const product = (name: string) => numeric(name, { mode: 'number' }).notNull()

/**
 * Products of two lapses of one person, of which the day's is the later: what clustering by person needs beside the sums of
 * heads. n is 1, y the recall, c the cost, u the cost without labour, m the margin; the first letter is of the later lapse,
 * the second of the earlier. Only where somebody lapsed again.
 */
export const reportRepeats = pgTable(
  'report_repeats',
  {
    campaign: text('campaign').notNull(),
    day: day('day').notNull(),
    /** The cohort day of the earlier lapse. */
    earlier: day('earlier').notNull(),
    /** `episode`, `stage` of a tier's own draw, or `variant` of a step. */
    unit: text('unit').notNull(),
    /** That both entered with, or both drew in; empty where they differ. */
    tier: text('tier').notNull(),
    /** Of a variant: the step of each of the two's version; 0 otherwise. */
    stepId: integer('step_id').notNull(),
    earlierStepId: integer('earlier_step_id').notNull(),
    /** Or the variant. */
    arm: text('arm').notNull(),
    earlierArm: text('earlier_arm').notNull(),
    finalAt: at('final_at').notNull(),
    /** Pairs of which the earlier is the last one before in its arm. */
    next: count('next'),
    nn: product('nn'),
    ny: product('ny'),
    nc: product('nc'),
    nu: product('nu'),
    nm: product('nm'),
    yn: product('yn'),
    yy: product('yy'),
    yc: product('yc'),
    yu: product('yu'),
    ym: product('ym'),
    cn: product('cn'),
    cy: product('cy'),
    cc: product('cc'),
    cm: product('cm'),
    un: product('un'),
    uy: product('uy'),
    uu: product('uu'),
    um: product('um'),
    mn: product('mn'),
    my: product('my'),
    mc: product('mc'),
    mu: product('mu'),
    mm: product('mm'),
  },
  (t) => [
    primaryKey({
      name: 'report_repeats_pk',
      columns: [t.campaign, t.day, t.earlier, t.unit, t.tier, t.stepId, t.earlierStepId, t.arm, t.earlierArm],
    }),
  ],
)

/** Recalls by whole days since the assignment, 0 for the first day. */
export const reportRecalls = pgTable(
  'report_recalls',
  {
    campaign: text('campaign').notNull(),
    day: day('day').notNull(),
    tier: text('tier').notNull(),
    arm: text('arm').notNull(),
    age: smallint('age').notNull(),
    recalls: count('recalls'),
  },
  (t) => [primaryKey({ name: 'report_recalls_pk', columns: [t.campaign, t.day, t.tier, t.arm, t.age] })],
)

/** Tiers that drew on entering: by the tier's own arm, with its own window. */
export const reportStages = pgTable(
  'report_stages',
  {
    campaign: text('campaign').notNull(),
    day: day('day').notNull(),
    tier: text('tier').notNull(),
    arm: text('arm').notNull(),
    finalAt: at('final_at').notNull(),
    assigned: count('assigned'),
    contaminated: count('contaminated'),
    recalled: count('recalled'),
    spend: micros('spend').notNull(),
    liability: micros('liability').notNull(),
    labour: micros('labour').notNull(),
    costSquares: numeric('cost_squares', { mode: 'number' }).notNull(),
    costRecalls: micros('cost_recalls').notNull(),
    unpaidSquares: numeric('unpaid_squares', { mode: 'number' }).notNull(),
    unpaidRecalls: micros('unpaid_recalls').notNull(),
    /** What they brought in within the tier's own window, summed as in {@link reportPeople}. */
    margin: micros('margin').notNull(),
    marginSquares: numeric('margin_squares', { mode: 'number' }).notNull(),
    marginCosts: numeric('margin_costs', { mode: 'number' }).notNull(),
    marginUnpaid: numeric('margin_unpaid', { mode: 'number' }).notNull(),
    buyers: count('buyers'),
  },
  (t) => [primaryKey({ name: 'report_stages_pk', columns: [t.campaign, t.day, t.tier, t.arm] })],
)

/** Steps that compare variants: all who drew one, sent to or not. The window counts from entering the tier, as its own draw's. */
export const reportVariants = pgTable(
  'report_variants',
  {
    campaign: text('campaign').notNull(),
    day: day('day').notNull(),
    /** Of one version. */
    stepId: integer('step_id').notNull(),
    variant: text('variant').notNull(),
    finalAt: at('final_at').notNull(),
    assigned: count('assigned'),
    contaminated: count('contaminated'),
    sent: count('sent'),
    recalled: count('recalled'),
    /** Booked to their episodes in the tier, all kinds together, integer micros; and Σ cost² and Σ cost·recall a head. */
    cost: micros('cost').notNull(),
    costSquares: numeric('cost_squares', { mode: 'number' }).notNull(),
    costRecalls: micros('cost_recalls').notNull(),
  },
  (t) => [primaryKey({ name: 'report_variants_pk', columns: [t.campaign, t.day, t.stepId, t.variant] })],
)

/** Each assigned person once, by the furthest that any of their messages got. */
export const reportFunnel = pgTable(
  'report_funnel',
  {
    campaign: text('campaign').notNull(),
    day: day('day').notNull(),
    arm: text('arm').notNull(),
    answer: text('answer').notNull(),
    reason: text('reason').notNull(),
    people: count('people'),
    delivered: count('delivered'),
    clicked: count('clicked'),
    returned: count('returned'),
    recalled: count('recalled'),
    redeemed: count('redeemed'),
  },
  (t) => [primaryKey({ name: 'report_funnel_pk', columns: [t.campaign, t.day, t.arm, t.answer, t.reason] })],
)

/** Messages by the day they were settled on (planned for, where they are not). */
export const reportMessages = pgTable(
  'report_messages',
  {
    campaign: text('campaign').notNull(),
    day: day('day').notNull(),
    sentOn: day('sent_on').notNull(),
    stepId: integer('step_id').notNull(),
    channel: text('channel').notNull(),
    /** Of the address, for e-mail: the day's twelve most frequent, the rest as `other`. */
    domain: text('domain').notNull(),
    state: text('state').notNull(),
    reason: text('reason').notNull(),
    messages: count('messages'),
    delivered: count('delivered'),
    opened: count('opened'),
    clicked: count('clicked'),
    bounced: count('bounced'),
    complained: count('complained'),
    /** Messages that were the last before a recall: attributed, never called incremental. */
    recalled: count('recalled'),
    /** Seconds from the handover to the delivery, summed; and how many took longer than ten minutes. */
    latency: count('latency'),
    late: count('late'),
    /** Of how many a provider said when they arrived. */
    timed: count('timed'),
  },
  (t) => [
    primaryKey({
      name: 'report_messages_pk',
      columns: [t.campaign, t.day, t.sentOn, t.stepId, t.channel, t.domain, t.state, t.reason],
    }),
  ],
)

/** The providers' words for what failed, the ten most frequent of each day. */
export const reportErrors = pgTable(
  'report_errors',
  {
    campaign: text('campaign').notNull(),
    day: day('day').notNull(),
    sentOn: day('sent_on').notNull(),
    channel: text('channel').notNull(),
    reason: text('reason').notNull(),
    detail: text('detail').notNull(),
    messages: count('messages'),
  },
  (t) => [
    primaryKey({
      name: 'report_errors_pk',
      columns: [t.campaign, t.day, t.sentOn, t.channel, t.reason, t.detail],
    }),
  ],
)

/** The ledger by day, step, channel and kind. Integer micros. */
export const reportCosts = pgTable(
  'report_costs',
  {
    campaign: text('campaign').notNull(),
    day: day('day').notNull(),
    bookedOn: day('booked_on').notNull(),
    stepId: integer('step_id').notNull(),
    channel: text('channel').notNull(),
    kind: text('kind').notNull(),
    amount: micros('amount').notNull(),
  },
  (t) => [
    primaryKey({
      name: 'report_costs_pk',
      columns: [t.campaign, t.day, t.bookedOn, t.stepId, t.channel, t.kind],
    }),
  ],
)

/** What was granted, by the day its episode was assigned. */
export const reportOffers = pgTable(
  'report_offers',
  {
    campaign: text('campaign').notNull(),
    day: day('day').notNull(),
    offer: text('offer').notNull(),
    kind: text('kind').notNull(),
    tier: text('tier').notNull(),
    segment: text('segment').notNull(),
    granted: count('granted'),
    redeemed: count('redeemed'),
    expired: count('expired'),
    /** Integer micros: what the outstanding are expected to cost, what the redeemed cost, what they bought. */
    outstanding: micros('outstanding').notNull(),
    face: micros('face').notNull(),
    value: micros('value').notNull(),
  },
  (t) => [
    primaryKey({
      name: 'report_offers_pk',
      columns: [t.campaign, t.day, t.offer, t.kind, t.tier, t.segment],
    }),
  ],
)

/** One row a digest that fell due: written before it is sent, so that nobody gets it twice. */
export const digests = pgTable(
  'digests',
  {
    scheduledFor: at('scheduled_for').primaryKey(),
    state: text('state').notNull(),
    note: text('note'),
    sentAt: at('sent_at').notNull(),
  },
  (t) => [check('digests_state', sql`${t.state} IN ('sending', 'sent', 'failed')`)],
)
