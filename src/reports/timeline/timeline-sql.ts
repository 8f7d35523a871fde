import { sql } from 'drizzle-orm'
import { rows, type Session } from '../../database/connect.ts'
import { type Deferral, whyWaiting } from '../deferral.ts'

// Everything that is recorded about one contact, each by the contact's own key.

export interface ContactRow {
  contactId: number
  personId: number
  externalId: string
  email: string | null
  phone: string | null
  locale: string | null
  timezone: string | null
  signedUpAt: Date | null
  importedAt: Date
  /** Other contacts of the same person. */
  siblings: string[]
}

export async function findContactRow(session: Session, externalId: string): Promise<ContactRow | undefined> {
  const [found] = await rows<ContactRow>(
    session,
    sql`
    SELECT c.contact_id AS "contactId", c.person_id AS "personId", c.external_id AS "externalId", c.email, c.phone,
      c.locale, c.timezone, c.signed_up_at AS "signedUpAt", c.imported_at AS "importedAt",
      ARRAY(SELECT o.external_id FROM contacts o
            WHERE o.person_id = c.person_id AND o.contact_id <> c.contact_id ORDER BY o.contact_id LIMIT 5) AS siblings
    FROM external_ids x JOIN contacts c ON c.contact_id = x.contact_id
    WHERE x.external_id = ${externalId}`,
  )
  return found
}

/**
 * External ids that sort close to this one, before and after: the primary key's index finds them at any size, where a
 * distance to every id would read them all. Leading zeros and blanks, lost in a spreadsheet, are looked for as well.
 */
export async function neighbouringIds(session: Session, externalId: string): Promise<string[]> {
  const found = await rows<{ externalId: string }>(
    session,
    sql`
    SELECT DISTINCT n.external_id AS "externalId"
    FROM unnest(${sql.param([...new Set([externalId, externalId.trim(), ...stemsOf(externalId)])])}::text[]) AS wanted(id)
    CROSS JOIN LATERAL (
      (SELECT external_id FROM external_ids WHERE external_id >= wanted.id ORDER BY external_id LIMIT 20)
      UNION ALL
      (SELECT external_id FROM external_ids WHERE external_id < wanted.id ORDER BY external_id DESC LIMIT 20)
    ) n`,
  )
  return found.map((row) => row.externalId)
}

function stemsOf(externalId: string): string[] {
  const id = externalId.trim()
  const bare = id.replace(/^0+/, '')
  const padded = /^\d+$/.test(bare) ? [4, 5, 6, 7, 8, 10].map((length) => bare.padStart(length, '0')) : []
  // `u3` where ids are numbers.
  const number = id.replace(/^\D+/, '')
  const half = id.slice(0, Math.ceil(id.length / 2))
  return [bare, id.toLowerCase(), id.toUpperCase(), half, number, ...padded].filter((stem) => stem !== '')
}

export interface ActivityRow {
  /** 0 before the first episode, 1 after its assignment, 2 after the second's, … */
  era: number
  type: string
  events: number
  first: Date
  last: Date
  /** Micros; null where none of the events carries a value. */
  value: number | null
}

/** Activity up to `now`, summed up between the given moments (ascending) and by type. */
export async function sumActivity(
  session: Session,
  contactId: number,
  now: Date,
  moments: readonly Date[],
): Promise<ActivityRow[]> {
  return await rows<ActivityRow>(
    session,
    sql`
    SELECT era, type, count(*) AS events, min(occurred_at) AS first, max(occurred_at) AS last, sum(value)::float8 AS value
    FROM activity a
    CROSS JOIN LATERAL (
      SELECT count(*) AS era FROM unnest(${sql.param(moments.map((moment) => moment.toISOString()))}::timestamptz[]) AS m
      WHERE a.occurred_at > m
    ) place
    WHERE a.contact_id = ${contactId} AND a.occurred_at <= ${now}
    GROUP BY era, type ORDER BY era, first, type`,
  )
}

export interface EpisodeRow {
  episodeId: number
  campaign: string
  version: number
  personId: number
  episodeNo: number
  arm: 'treated' | 'holdout' | 'control' | 'seed'
  /** What lapsedAt is: the last activity, a date, or an event. */
  entry: 'silence' | 'date' | 'event'
  entryTier: string
  segment: string
  lapsedAt: Date
  assignedAt: Date
  windowEndsAt: Date
  outcomeUntil: Date
  silencedAt: Date | null
  silencedBy: string | null
  returnedAt: Date | null
  contaminated: boolean
  endedAt: Date | null
  endReason: string | null
}

export async function findEpisodes(session: Session, contactId: number, now: Date): Promise<EpisodeRow[]> {
  return await rows<EpisodeRow>(
    session,
    sql`
    SELECT episode_id AS "episodeId", campaign, version, person_id AS "personId", episode_no AS "episodeNo", arm,
      entry, entry_tier AS "entryTier", segment, lapsed_at AS "lapsedAt", assigned_at AS "assignedAt",
      window_ends_at AS "windowEndsAt", outcome_until AS "outcomeUntil", silenced_at AS "silencedAt",
      silenced_by AS "silencedBy", returned_at AS "returnedAt", contaminated, ended_at AS "endedAt",
      end_reason AS "endReason"
    FROM episodes WHERE contact_id = ${contactId} AND assigned_at <= ${now}
    ORDER BY assigned_at, episode_id`,
  )
}

export interface StageRow {
  episodeId: number
  tier: string
  enteredAt: Date
  arm: 'treated' | 'holdout'
  drawn: boolean
}

export async function findStages(session: Session, contactId: number, now: Date): Promise<StageRow[]> {
  return await rows<StageRow>(
    session,
    sql`
    SELECT s.episode_id AS "episodeId", s.entered_at AS "enteredAt", s.arm, s.drawn,
      coalesce((SELECT p.tier FROM steps p
                WHERE p.campaign = e.campaign AND p.version = e.version AND p.tier_no = s.tier_no LIMIT 1),
               s.tier_no::text) AS tier
    FROM stages s JOIN episodes e ON e.contact_id = s.contact_id AND e.episode_id = s.episode_id
    WHERE s.contact_id = ${contactId} AND s.entered_at <= ${now}
    ORDER BY s.entered_at, s.tier_no`,
  )
}

export interface TouchpointRow {
  touchpointId: number
  episodeId: number
  campaign: string
  tier: string
  step: string
  channels: string[]
  state: string
  reason: string | null
  detail: string | null
  channel: string | null
  template: string | null
  /** Of its step; null where the step has none. */
  variant: string | null
  providerId: string | null
  attempt: number
  cost: number
  plannedFor: Date
  /** Why it waits; null where it is merely planned, under way or settled. */
  deferral: Deferral | null
  /** When it is looked at next; null once settled. */
  dueAt: Date | null
  /** Null while at work. */
  settledAt: Date | null
}

/** Every touchpoint once, at work or settled; its cost as it is booked, by its receipts where they say what it was. */
export async function findTouchpoints(
  session: Session,
  contactId: number,
  now: Date,
): Promise<TouchpointRow[]> {
  return await rows<TouchpointRow>(
    session,
    sql`
    SELECT t.touchpoint_id AS "touchpointId", t.episode_id AS "episodeId", s.campaign, s.tier, s.step, s.channels,
      t.state, ${whyWaiting(now)} AS deferral, t.reason, t.detail, t.channel, t.template, t.variant, t.provider_id AS "providerId", t.attempt, t.cost,
      t.planned_for AS "plannedFor", t.due_at AS "dueAt", t.settled_at AS "settledAt"
    FROM (
      SELECT touchpoint_id, episode_id, step_id, state, NULL::text AS reason, NULL::text AS detail,
        NULL::text AS channel, NULL::text AS template, variant, NULL::text AS provider_id, attempt, 0::bigint AS cost,
        planned_for, due_at, waits, NULL::timestamptz AS settled_at
      FROM touchpoints WHERE contact_id = ${contactId}
      UNION ALL
      SELECT touchpoint_id, episode_id, step_id, state, reason, detail, channel, template, variant, provider_id, attempt,
        coalesce((SELECT sum(l.amount)::bigint FROM ledger l WHERE l.contact_id = r.contact_id
          AND l.touchpoint_id = r.touchpoint_id AND l.kind = 'spend' AND l.booked_at <= ${now}), cost),
        planned_for, NULL, NULL, settled_at
      FROM touchpoint_records r WHERE contact_id = ${contactId} AND settled_at <= ${now}
    ) t JOIN steps s ON s.step_id = t.step_id
    ORDER BY t.planned_for, t.touchpoint_id, t.settled_at`,
  )
}

export interface RecallRow {
  episodeId: number
  goalNo: number
  recalledAt: Date
  value: number | null
}

export async function findRecalls(session: Session, contactId: number, now: Date): Promise<RecallRow[]> {
  return await rows<RecallRow>(
    session,
    sql`
    SELECT episode_id AS "episodeId", goal_no AS "goalNo", recalled_at AS "recalledAt", value
    FROM recalls WHERE contact_id = ${contactId} AND recalled_at <= ${now}
    ORDER BY recalled_at, goal_no`,
  )
}

export interface SuppressionRow {
  address: 'email' | 'phone'
  reason: string
  source: string
  suppressedAt: Date
}

export async function findSuppressions(
  session: Session,
  contactId: number,
  now: Date,
): Promise<SuppressionRow[]> {
  return await rows<SuppressionRow>(
    session,
    sql`
    SELECT s.kind AS address, s.reason, s.source, s.suppressed_at AS "suppressedAt"
    FROM contacts c
    JOIN suppressions s ON (s.kind, s.key) IN (('email', c.email_key), ('phone', c.phone_key))
    WHERE c.contact_id = ${contactId} AND s.suppressed_at <= ${now}
    ORDER BY s.suppressed_at, s.kind`,
  )
}

export interface RunsRow {
  campaign: string
  runs: number
  first: Date
  last: Date
}

/** The runs since the contact is known, by campaign: what they answered is kept as counts, not by contact. */
export async function findRuns(session: Session, since: Date, now: Date): Promise<RunsRow[]> {
  return await rows<RunsRow>(
    session,
    sql`
    SELECT campaign, count(*) AS runs, min(as_of) AS first, max(as_of) AS last
    FROM runs WHERE state <> 'refused' AND as_of >= ${since} AND as_of <= ${now}
    GROUP BY campaign ORDER BY first, campaign`,
  )
}

export interface ReceiptRow {
  campaign: string
  step: string
  channel: string | null
  event: string
  detail: string | null
  occurredAt: Date
}

/** What providers reported of the contact's messages; repeats were never recorded. */
export async function findReceipts(session: Session, contactId: number, now: Date): Promise<ReceiptRow[]> {
  return await rows<ReceiptRow>(
    session,
    sql`
    SELECT p.campaign, p.step, r.channel, d.kind AS event, d.detail, d.occurred_at AS "occurredAt"
    FROM delivery_events d
    JOIN touchpoint_records r ON r.contact_id = d.contact_id AND r.touchpoint_id = d.touchpoint_id
    JOIN steps p ON p.step_id = r.step_id
    WHERE d.contact_id = ${contactId} AND d.occurred_at <= ${now}
    ORDER BY d.occurred_at, d.event_id`,
  )
}

export interface ReplyRow {
  channel: string
  text: string
  optOut: boolean
  repliedAt: Date
}

export async function findReplies(session: Session, contactId: number, now: Date): Promise<ReplyRow[]> {
  return await rows<ReplyRow>(
    session,
    sql`
    SELECT channel, text, opt_out AS "optOut", replied_at AS "repliedAt"
    FROM replies WHERE contact_id = ${contactId} AND replied_at <= ${now}
    ORDER BY replied_at, event_id`,
  )
}

export interface SwitchRow {
  scope: 'workspace' | 'campaign' | 'channel'
  name: string
  /** `away`: its provider cannot be reached. */
  state: 'paused' | 'stopped' | 'away'
  reason: string
  since: Date
}

export async function findSwitches(session: Session, now: Date): Promise<SwitchRow[]> {
  return await rows<SwitchRow>(
    session,
    sql`SELECT scope, name, state, reason, since FROM (
        SELECT scope, name, state, reason, since FROM switches
        UNION ALL SELECT 'channel', channel, 'away', detail, since FROM absences) held
      WHERE since <= ${now} ORDER BY since, scope, name`,
  )
}
