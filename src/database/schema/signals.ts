import { sql } from 'drizzle-orm'
import {
  check,
  customType,
  date,
  doublePrecision,
  integer,
  jsonb,
  numeric,
  pgTable,
  text,
} from 'drizzle-orm/pg-core'
import { at, id } from './columns.ts'

const bits64 = customType<{ data: string }>({ dataType: () => 'bit(64)' })

/**
 * What a contact's history comes to, as far as time passing does not change it: a fact that depends on the time (how
 * long silent, days used within two weeks) is calculated from this when it is asked for. A pure function of the
 * contact's events and the workspace's rules, recomputed when either changes.
 */
export const contactSignals = pgTable('contact_signals', {
  contactId: id('contact_id').primaryKey(),
  /** Days (UTC) with activity, the first and the last of them. */
  activeDays: integer('active_days').notNull().default(0),
  firstDay: date('first_day', { mode: 'string' }),
  lastDay: date('last_day', { mode: 'string' }),
  /** The last 64 days up to last_day, that one first: 1 where there was activity. */
  useBits: bits64('use_bits').notNull().default(sql`repeat('0', 64)::bit(64)`),
  /** Seconds: the 90th percentile (type 7) of the pauses between days of activity; null below two pauses. */
  usualPause: numeric('usual_pause'),
  signInAt: at('sign_in_at'),
  orders: integer('orders').notNull().default(0),
  couponOrders: integer('coupon_orders').notNull().default(0),
  couponCycles: integer('coupon_cycles').notNull().default(0),
  cartItems: integer('cart_items').notNull().default(0),
  cartAt: at('cart_at'),
  favourites: integer('favourites').notNull().default(0),
  favouriteAt: at('favourite_at'),
  commentAt: at('comment_at'),
  nps: numeric('nps'),
  npsAt: at('nps_at'),
  complaintsOpen: integer('complaints_open').notNull().default(0),
  reviewRating: numeric('review_rating'),
  reviewAt: at('review_at'),
  assignmentsOpen: integer('assignments_open').notNull().default(0),
  membershipStartedAt: at('membership_started_at'),
  membershipEndsAt: at('membership_ends_at'),
  membershipEndedAt: at('membership_ended_at'),
  activatedAt: at('activated_at'),
})

/** Contacts whose events changed since their signals were computed; set by ingest in its own transaction. */
export const signalMarks = pgTable('signal_marks', { contactId: id('contact_id').primaryKey() })

/** The rules contact_signals was computed by: another text, and all of it is computed anew. One row. */
export const signalRules = pgTable(
  'signal_rules',
  {
    one: integer('one').primaryKey().default(1),
    rules: text('rules').notNull(),
    changedAt: at('changed_at').notNull(),
  },
  (t) => [check('signal_rules_one', sql`${t.one} = 1`)],
)

/** What was learnt of everybody together: quintiles and the return model. The newest at or before a moment holds then. */
export const signalFits = pgTable('signal_fits', {
  fittedAt: at('fitted_at').primaryKey(),
  buyers: integer('buyers').notNull(),
  /** Upper ends of the four lower fifths: seconds since the latest order, orders, micros, days of activity. */
  recency: doublePrecision('recency').array(),
  frequency: doublePrecision('frequency').array(),
  monetary: doublePrecision('monetary').array(),
  use: doublePrecision('use').array(),
  /** r, α, a, b; null where the data are too thin. */
  bgnbd: doublePrecision('bgnbd').array(),
  logLikelihood: doublePrecision('log_likelihood'),
  contacts: integer('contacts').notNull(),
  repeaters: integer('repeaters').notNull(),
  /** Share that came back within the horizon, by band of silence: the fallback. */
  silence: doublePrecision('silence').array(),
  /** Why there is no model, in words. */
  note: text('note'),
  /** What an earlier fit foresaw against what then happened. */
  calibration: jsonb('calibration').$type<Record<string, unknown>>(),
})
