import { sql } from 'drizzle-orm'
import { check, date, index, integer, pgTable, primaryKey, smallint, text, unique } from 'drizzle-orm/pg-core'
import { at, bytea, id } from './columns.ts'

/** What waits for a person inside the user's own app, until it was shown there. */
export const inappMessages = pgTable(
  'inapp_messages',
  {
    contactId: id('contact_id').notNull(),
    touchpointId: id('touchpoint_id').notNull(),
    episodeId: id('episode_id').notNull(),
    stepId: integer('step_id').notNull(),
    locale: text('locale').notNull(),
    title: text('title').notNull(),
    text: text('text').notNull(),
    html: text('html').notNull(),
    url: text('url'),
    /** The offer it promises: its grant is the episode's. */
    offer: text('offer'),
    createdAt: at('created_at').notNull(),
    /** First handed to the app. */
    fetchedAt: at('fetched_at'),
    /** Shown to the person, as the app says: never handed out again. */
    shownAt: at('shown_at'),
  },
  (t) => [primaryKey({ columns: [t.contactId, t.touchpointId] })],
)

/** A call to be made, from the moment its step came to it until it was made or has become pointless. */
export const calls = pgTable(
  'calls',
  {
    contactId: id('contact_id').notNull(),
    callId: id('call_id').notNull().default(sql`nextval('call_ids')`),
    touchpointId: id('touchpoint_id').notNull(),
    episodeId: id('episode_id').notNull(),
    stepId: integer('step_id').notNull(),
    campaign: text('campaign').notNull(),
    /** `recall` ends with the return; `welcome` was released by it; `care` is for somebody who was unhappy. */
    kind: text('kind').notNull(),
    script: text('script').notNull(),
    /** Who makes it: a person or the robot. */
    taker: text('taker').notNull(),
    owner: text('owner'),
    priority: smallint('priority').notNull(),
    state: text('state').notNull(),
    openedAt: at('opened_at').notNull(),
    /** By when it should have been made. */
    dueAt: at('due_at').notNull(),
    /** Not to be tried before this. */
    nextAttemptAt: at('next_attempt_at').notNull(),
    attempts: smallint('attempts').notNull().default(0),
    claimedBy: text('claimed_by'),
    claimedAt: at('claimed_at'),
    /** Of the number that whoever took it was shown. */
    addressKey: bytea('address_key'),
    closedAt: at('closed_at'),
    /** The outcome it ended with, or what made it pointless: `returned`, `suppressed`, `stopped` … */
    closedBy: text('closed_by'),
  },
  (t) => [
    primaryKey({ columns: [t.contactId, t.callId] }),
    unique('calls_once').on(t.contactId, t.touchpointId, t.kind),
    index('calls_queue').on(t.priority, t.dueAt).where(sql`state IN ('open', 'claimed')`),
    check('calls_kind', sql`${t.kind} IN ('recall', 'welcome', 'care')`),
    check('calls_taker', sql`${t.taker} IN ('agent', 'robot')`),
    check('calls_state', sql`${t.state} IN ('open', 'claimed', 'done', 'closed')`),
    check('calls_claimed', sql`(${t.state} = 'claimed') <= (${t.claimedBy} IS NOT NULL)`),
    check(
      'calls_closed',
      sql`(${t.state} IN ('done', 'closed')) = (${t.closedAt} IS NOT NULL AND ${t.closedBy} IS NOT NULL)`,
    ),
  ],
)

/** What became of each attempt to call. Append-only. */
export const callAttempts = pgTable(
  'call_attempts',
  {
    contactId: id('contact_id').notNull(),
    callId: id('call_id').notNull(),
    attemptNo: smallint('attempt_no').notNull(),
    /** The same at every repeat of the report. */
    eventId: text('event_id').notNull(),
    madeAt: at('made_at').notNull(),
    madeBy: text('made_by').notNull(),
    outcome: text('outcome').notNull(),
    reason: text('reason'),
    seconds: integer('seconds').notNull().default(0),
    sentiment: text('sentiment'),
    notes: text('notes'),
    transcript: text('transcript'),
    nextAttemptAt: at('next_attempt_at'),
  },
  (t) => [
    primaryKey({ columns: [t.contactId, t.callId, t.attemptNo] }),
    unique('call_attempts_once').on(t.contactId, t.callId, t.eventId),
    check('call_attempts_seconds', sql`${t.seconds} >= 0`),
    check('call_attempts_sentiment', sql`${t.sentiment} IN ('positive', 'neutral', 'negative')`),
  ],
)

/** Whose call a touchpoint is, and on which local day of the campaign: what a step's daily capacity is counted by. */
export const callSlots = pgTable(
  'call_slots',
  {
    contactId: id('contact_id').notNull(),
    touchpointId: id('touchpoint_id').notNull(),
    campaign: text('campaign').notNull(),
    step: text('step').notNull(),
    day: date('day', { mode: 'string' }).notNull(),
    taker: text('taker').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.contactId, t.touchpointId] }),
    index('call_slots_day').on(t.campaign, t.step, t.day),
    check('call_slots_taker', sql`${t.taker} IN ('agent', 'robot')`),
  ],
)

/** One row a step and day: the lock under which its slots are counted and given. */
export const callDays = pgTable(
  'call_days',
  {
    campaign: text('campaign').notNull(),
    step: text('step').notNull(),
    day: date('day', { mode: 'string' }).notNull(),
  },
  (t) => [primaryKey({ columns: [t.campaign, t.step, t.day] })],
)

/** Why people stay away, in the words of one list, wherever they said so. Append-only. */
export const reasonsGiven = pgTable(
  'reasons_given',
  {
    contactId: id('contact_id').notNull(),
    reasonId: id('reason_id').notNull().default(sql`nextval('reason_ids')`),
    source: text('source').notNull(),
    reason: text('reason').notNull(),
    episodeId: id('episode_id'),
    saidAt: at('said_at').notNull(),
    /** The words around it. */
    note: text('note'),
    recordedBy: text('recorded_by').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.contactId, t.reasonId] }),
    check('reasons_given_source', sql`${t.source} IN ('call', 'reply', 'opt_out', 'interview')`),
  ],
)
