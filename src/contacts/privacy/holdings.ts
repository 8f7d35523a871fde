import { type SQL, sql } from 'drizzle-orm'

// Where Winback holds something about a person, and what an erasure makes of it. One line a table: export and erasure
// go by this list, docs/privacy.md repeats it, and a test fails where a table with a contact_id is missing here.

export interface Holding {
  readonly table: string
  /**
   * `removed`: its rows go. `kept`: they stay under a random id, for the counts of reports. `stays`: as it is, for it
   * names nobody: keyed hashes that keep the person from being written to again.
   */
  readonly fate: 'removed' | 'kept' | 'stays'
  /** Which rows are the contact's; by contact_id unless said otherwise. */
  readonly of?: (contactId: SQL) => SQL
  /** Columns of `kept` rows that could lead back, and what they become. */
  readonly blanked?: Readonly<Record<string, SQL>>
  /** Ids of `kept` rows that providers or mailboxes may know: moved by the same random distance as the others'. */
  readonly shifted?: readonly ('episode_id' | 'touchpoint_id' | 'grant_id')[]
  /** Known outside by what cannot be blanked: gets a random id of its own, which leads to no other table. */
  readonly alone?: boolean
  /** The order in which others lock several rows of one contact, who may do so while it is being erased. */
  readonly locked?: SQL
  /** Columns of amounts, in integer micros. */
  readonly money?: readonly string[]
  /** Columns of whole numbers that may be beyond what JSON can hold. */
  readonly wide?: readonly string[]
  /** Only in the schema of a rehearsal. */
  readonly rehearsal?: boolean
}

const own = (keys: SQL) => (contactId: SQL) =>
  sql`${keys} IN (SELECT k.kind, k.key FROM contacts c, LATERAL (VALUES ('email', c.email_key), ('phone', c.phone_key))
    AS k(kind, key) WHERE c.contact_id = ${contactId})`

/** In an order in which what finds rows through another table comes before that table. */
export const HOLDINGS: readonly Holding[] = [
  { table: 'suppressions', fate: 'stays', of: own(sql`(kind, key)`) },
  {
    table: 'anonymous_activity',
    fate: 'removed',
    money: ['value'],
    wide: ['key'],
    of: (contactId) =>
      sql`anonymous_id IN (SELECT a.anonymous_id FROM anonymous_ids a WHERE a.contact_id = ${contactId})`,
  },
  { table: 'anonymous_ids', fate: 'removed' },
  { table: 'external_ids', fate: 'removed' },
  { table: 'activity', fate: 'removed', money: ['value'], wide: ['key'] },
  { table: 'upcoming_activity', fate: 'removed', rehearsal: true },
  { table: 'contact_activity', fate: 'removed', money: ['orders_total'] },
  { table: 'contact_signals', fate: 'removed' },
  { table: 'signal_marks', fate: 'removed' },
  { table: 'consents', fate: 'removed' },
  { table: 'preferences', fate: 'removed' },
  { table: 'devices', fate: 'removed' },
  { table: 'outside_sends', fate: 'removed' },
  { table: 'replies', fate: 'removed' },
  { table: 'touchpoints', fate: 'removed', money: ['doubted_cost'] },
  { table: 'tried_addresses', fate: 'removed' },
  { table: 'inapp_messages', fate: 'removed', locked: sql`created_at DESC, touchpoint_id DESC` },
  { table: 'calls', fate: 'removed', locked: sql`call_id` },
  { table: 'call_attempts', fate: 'removed' },
  { table: 'call_slots', fate: 'removed' },
  { table: 'contacts', fate: 'removed' },
  { table: 'episodes', fate: 'kept', shifted: ['episode_id'] },
  { table: 'stages', fate: 'kept', shifted: ['episode_id'] },
  { table: 'recalls', fate: 'kept', shifted: ['episode_id'], money: ['value'] },
  {
    table: 'touchpoint_records',
    fate: 'kept',
    // By month, as they lie, is another order: what was sent again is settled later than what was planned after it.
    locked: sql`touchpoint_id, settled_at`,
    money: ['cost'],
    shifted: ['episode_id', 'touchpoint_id'],
    // The do-not-contact list has the same hash: it would lead from an address to what its owner did.
    blanked: { detail: sql`NULL`, provider_id: sql`NULL`, address_key: sql`NULL` },
  },
  { table: 'ledger', fate: 'kept', shifted: ['episode_id', 'touchpoint_id'], money: ['amount'] },
  {
    table: 'reasons_given',
    fate: 'kept',
    shifted: ['episode_id'],
    blanked: { note: sql`NULL` },
  },
  {
    table: 'delivery_events',
    fate: 'kept',
    money: ['cost'],
    shifted: ['touchpoint_id'],
    blanked: { detail: sql`NULL`, event_id: sql`gen_random_uuid()::text` },
  },
  {
    table: 'grants',
    fate: 'kept',
    locked: sql`grant_id`,
    money: ['expected', 'face', 'redeemed_value'],
    shifted: ['episode_id', 'touchpoint_id', 'grant_id'],
    blanked: { credit: sql`NULL`, code: sql`NULL`, redemption_key: sql`NULL` },
  },
  { table: 'released_grants', fate: 'removed' },
  { table: 'refused_redemptions', fate: 'removed', money: ['value'] },
  // The code is in somebody's mailbox, and must not be given out again.
  { table: 'offer_codes', fate: 'kept', alone: true, blanked: { grant_id: sql`NULL` } },
]

/** The rows of a holding that are a contact's. */
export function rowsOf(holding: Holding, contactId: number): SQL {
  const id = sql`${contactId}::bigint`
  return holding.of ? holding.of(id) : sql`contact_id = ${id}`
}
