import { sql } from 'drizzle-orm'
import { bigint, check, index, integer, pgTable, primaryKey, text, unique, uuid } from 'drizzle-orm/pg-core'
import { at, id, micros } from './columns.ts'

/**
 * What somebody was promised: one grant for a contact, offer and episode, whichever steps and channels speak of it.
 * Reserved while a message is under way, granted once one was handed over, then redeemed or expired.
 */
export const grants = pgTable(
  'grants',
  {
    contactId: id('contact_id').notNull(),
    grantId: id('grant_id').notNull().default(sql`nextval('grant_ids')`),
    episodeId: id('episode_id').notNull(),
    campaign: text('campaign').notNull(),
    offer: text('offer').notNull(),
    kind: text('kind').notNull(),
    /** The step and touchpoint that reserved it: the ledger books the offer under them. */
    stepId: integer('step_id').notNull(),
    touchpointId: id('touchpoint_id').notNull(),
    /** The claim that holds it while it is reserved. */
    claimId: uuid('claim_id'),
    state: text('state').notNull(),
    /** Of `deliver: account` with a provider: being asked for, or done. */
    credit: text('credit'),
    code: text('code'),
    /** What one redemption costs, and what the grant is expected to cost while it is outstanding. */
    face: micros('face').notNull(),
    expected: micros('expected').notNull(),
    reservedAt: at('reserved_at').notNull(),
    grantedAt: at('granted_at'),
    expiresAt: at('expires_at').notNull(),
    redeemedAt: at('redeemed_at'),
    /** Value of the order it was redeemed with, where that was said. */
    redeemedValue: micros('redeemed_value'),
    /** What names the redemption: a repeat of it changes nothing. */
    redemptionKey: text('redemption_key'),
  },
  (t) => [
    primaryKey({ columns: [t.contactId, t.grantId] }),
    unique('grants_once').on(t.contactId, t.episodeId, t.campaign, t.offer),
    index('grants_reserved').on(t.reservedAt).where(sql`state = 'reserved'`),
    index('grants_outstanding').on(t.expiresAt).where(sql`state = 'granted'`),
    check('grants_state', sql`${t.state} IN ('reserved', 'granted', 'redeemed', 'expired')`),
    check('grants_granted', sql`(${t.state} = 'reserved') = (${t.grantedAt} IS NULL)`),
    check('grants_redeemed', sql`(${t.state} = 'redeemed') = (${t.redeemedAt} IS NOT NULL)`),
    check('grants_credit', sql`${t.credit} IN ('asking', 'credited')`),
  ],
)

/**
 * Grants that were given back, for whoever asks what became of a promise: the message it was reserved for did not go out.
 * Neither stock nor limits count them, so they are no grants any more.
 */
export const releasedGrants = pgTable(
  'released_grants',
  {
    contactId: id('contact_id').notNull(),
    grantId: id('grant_id').notNull(),
    campaign: text('campaign').notNull(),
    offer: text('offer').notNull(),
    /** The step whose message it was reserved for. */
    stepId: integer('step_id').notNull(),
    reservedAt: at('reserved_at').notNull(),
    releasedAt: at('released_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.contactId, t.grantId] })],
)

/** How many of an offer were ever granted or are reserved; the row is the lock under which that is decided. */
export const offerStocks = pgTable(
  'offer_stocks',
  {
    campaign: text('campaign').notNull(),
    offer: text('offer').notNull(),
    taken: bigint('taken', { mode: 'number' }).notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.campaign, t.offer] }), check('offer_stocks_taken', sql`${t.taken} >= 0`)],
)

/** Codes by what they are looked up by: imported ones before anybody has them, all once somebody does. */
export const offerCodes = pgTable(
  'offer_codes',
  {
    /** Normalised: capitals, no separators. */
    code: text('code').primaryKey(),
    /** As people read it. */
    shown: text('shown').notNull(),
    campaign: text('campaign').notNull(),
    offer: text('offer').notNull(),
    contactId: id('contact_id'),
    grantId: id('grant_id'),
    importedAt: at('imported_at'),
    /** The code’s own end, where its issuer gave it one. */
    expiresAt: at('expires_at'),
  },
  (t) => [
    // Those that end first are given first.
    index('offer_codes_free').on(t.campaign, t.offer, t.expiresAt, t.code).where(sql`contact_id IS NULL`),
    index('offer_codes_imported').on(t.campaign, t.offer).where(sql`imported_at IS NOT NULL`),
    index('offer_codes_contact').on(t.contactId).where(sql`contact_id IS NOT NULL`),
  ],
)

/** What an event said of a code, and why it was no redemption. Callers of the API and files are answered instead. */
export const refusedRedemptions = pgTable(
  'refused_redemptions',
  {
    contactId: id('contact_id').notNull(),
    redemptionKey: text('redemption_key').notNull(),
    code: text('code').notNull(),
    reason: text('reason').notNull(),
    /** Whose offer the code is; null where nobody was given it. */
    campaign: text('campaign'),
    offer: text('offer'),
    /** Micros of the order it was tried with. */
    value: micros('value'),
    redeemedAt: at('redeemed_at').notNull(),
    recordedAt: at('recorded_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.contactId, t.redemptionKey] }),
    index('refused_redemptions_time').on(t.redeemedAt),
  ],
)
