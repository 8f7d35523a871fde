import { sql } from 'drizzle-orm'
import {
  boolean,
  check,
  index,
  integer,
  pgTable,
  primaryKey,
  smallint,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core'
import { at, id, micros } from './columns.ts'

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
    /** What lapsed_at is: the last activity, a date the contact has, or an event. */
    entry: text('entry').notNull().default('silence'),
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
    /** When the return released the steps that wait for it. */
    releasedAt: at('released_at'),
    contaminated: boolean('contaminated').notNull().default(false),
    endedAt: at('ended_at'),
    endReason: text('end_reason'),
  },
  (t) => [
    primaryKey({ columns: [t.contactId, t.episodeId] }),
    // Who a person was does not change when its contacts become others.
    index('episodes_person').on(t.personId),
    uniqueIndex('episodes_open_once').on(t.contactId, t.campaign).where(sql`ended_at IS NULL`),
    uniqueIndex('episodes_exclusive').on(t.contactId, t.exclusive).where(sql`ended_at IS NULL`),
    // A date or an event opens once, whatever came of it.
    uniqueIndex('episodes_entry_once')
      .on(t.contactId, t.campaign, t.lapsedAt)
      .where(sql`entry <> 'silence' AND arm <> 'seed'`),
    // A few colleagues among everybody.
    index('episodes_seeds').on(t.contactId).where(sql`arm = 'seed'`),
    check(
      'episodes_entry',
      sql`${t.entry} IN ('silence', 'date', 'event') AND (${t.entry} = 'date' OR ${t.lapsedAt} <= ${t.assignedAt})`,
    ),
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
