import { type SQL, sql } from 'drizzle-orm'
import type { Device } from '../channels/channel.ts'
import type { CompiledCampaign, CompiledStep, TemplateFact } from '../config/compiled.ts'
import { templatesOf } from '../config/variants.ts'
import { preparedRows, type Session } from '../database/connect.ts'
import { objectSql } from '../database/jsonb.ts'
import { choiceSql, consentSql } from '../database/permissions.ts'
import { keyTable, type TouchpointKey } from './keys.ts'

/** Everything the guards look at for one claimed touchpoint, read in one statement for the whole batch. */
export interface Candidate extends TouchpointKey {
  readonly episodeId: number
  readonly attempt: number
  /** An earlier try of it may have gone out, and no provider has said since whether it did. */
  readonly doubted: boolean
  /** By which channel it may have gone out; null where it was not tried, or cannot have. */
  readonly doubtedOn: string | null
  readonly plannedFor: Date
  readonly personId: number
  readonly externalId: string
  readonly email: string | null
  readonly phone: string | null
  /** Newest first; absent where the step has no channel that delivers to devices. */
  readonly devices?: readonly Device[]
  /** As the contact has it; unresolved. */
  readonly locale: string | null
  readonly timezone: string | null
  readonly seed: boolean
  readonly segment: string
  /** Of its step; null where the step has none. */
  readonly variant: string | null
  /** Why the episode is silent, or null while it is not. */
  readonly silencedBy: 'returned' | 'stopped' | 'contaminated' | 'merged' | 'erased' | null
  /** The episode is over. */
  readonly over: boolean
  /** Activity since the contact lapsed, whether or not the episode heard of it. Never where the goal alone silences. */
  readonly active: boolean
  /** The date the episode was opened for is another now: a membership renewed, a trial extended. */
  readonly moved: boolean
  /** The episode has entered a later tier. */
  readonly superseded: boolean
  readonly suppressed: { readonly email: string | null; readonly phone: string | null }
  /** Consent by channel of the step; a channel nothing was ever decided about is absent. */
  readonly consent: Readonly<Record<string, 'given' | 'withdrawn'>>
  /** What the person chose last; null where it never chose. */
  readonly choice: LatestChoice | null
  /** The step's condition; null is unknown. True where the step has none. */
  readonly condition: boolean | null
  /** Values by dotted path; absent facts are absent, and so is a text that shows nothing. */
  readonly facts: Readonly<Record<string, unknown>>
  /** Paths of facts older than their `fresh` limit. */
  readonly stale: readonly string[]
  /** Messages the episode may come to in all; null without a limit. */
  readonly effort: number | null
  /** What is left of them at this moment; null without a limit. */
  readonly effortLeft: number | null
}

/** A person's latest choice, as the guards look at it. */
export interface LatestChoice {
  /** Channels nothing is wanted on; `*` is all of them. */
  readonly channelsOff: readonly string[]
  readonly topicsOff: readonly string[]
  /** Epoch seconds. */
  readonly pausedUntil: number | null
  /** At most so many messages within so many days; null without a limit. */
  readonly atMost: number | null
  readonly withinDays: number | null
  /** Messages to the person within that time; null without a limit. */
  readonly lately: number | null
}

/**
 * Reads the candidates of a claim. One statement a batch: the joins are by primary key, and conditions and facts
 * are expressions over the joined rows, so a step with twenty facts costs no more round trips than one with none.
 */
export async function gather(
  session: Session,
  batch: {
    claimId: string
    keys: readonly TouchpointKey[]
    campaign: Pick<CompiledCampaign, 'entry' | 'silencedBy' | 'effort'>
    step: CompiledStep
    now: Date
    /** Whether the step has a channel that delivers to devices. */
    devices?: boolean
  },
): Promise<Candidate[]> {
  const source = sql`${keyTable(batch.keys)}
    JOIN touchpoints t USING (contact_id, touchpoint_id)
    JOIN contacts c ON c.contact_id = t.contact_id
    JOIN contact_activity a ON a.contact_id = t.contact_id
    LEFT JOIN contact_signals s ON s.contact_id = t.contact_id
    JOIN episodes e ON e.contact_id = t.contact_id AND e.episode_id = t.episode_id${dataSql(batch)}
    WHERE t.claim_id = ${batch.claimId}::uuid`
  return await read(session, batch, source)
}

/** What {@link gather} would read by now of a touchpoint that is recorded; undefined where its contact is gone. */
export async function gatherRecorded(
  session: Session,
  what: { key: TouchpointKey; campaign: CompiledCampaign; step: CompiledStep; now: Date },
): Promise<Candidate | undefined> {
  const { contactId, touchpointId } = what.key
  const source = sql`(SELECT contact_id, touchpoint_id, episode_id, attempt, false AS doubted, NULL::text AS doubted_on,
        variant, planned_for
      FROM touchpoint_records WHERE contact_id = ${contactId} AND touchpoint_id = ${touchpointId}) t
    JOIN contacts c ON c.contact_id = t.contact_id
    JOIN contact_activity a ON a.contact_id = t.contact_id
    LEFT JOIN contact_signals s ON s.contact_id = t.contact_id
    JOIN episodes e ON e.contact_id = t.contact_id AND e.episode_id = t.episode_id${dataSql(what)}`
  const [candidate] = await read(session, what, source)
  return candidate
}

/**
 * The candidate a contact would be, had it just entered the step's tier: for previews, test mails and samples. No
 * touchpoint and no episode exist or are made; earlier steps count as not sent.
 * @param segment an SQL expression over `c` and `a`
 */
export async function imagine(
  session: Session,
  what: {
    contactId: number
    campaign: CompiledCampaign
    step: CompiledStep
    now: Date
    segment: SQL
    devices?: boolean
  },
): Promise<Candidate | undefined> {
  const source = sql`contacts c JOIN contact_activity a USING (contact_id)
    LEFT JOIN contact_signals s ON s.contact_id = c.contact_id
    CROSS JOIN LATERAL (SELECT c.contact_id, 0::bigint AS touchpoint_id, 0::bigint AS episode_id, 0 AS attempt,
      false AS doubted, NULL::text AS doubted_on, NULL::text AS variant, ${what.now}::timestamptz AS planned_for) t
    CROSS JOIN LATERAL (SELECT c.contact_id, 0::bigint AS episode_id, ${what.campaign.name}::text AS campaign,
      ${what.campaign.version}::int AS version, 'treated'::text AS arm, ${what.segment} AS segment, NULL::text AS silenced_by, false AS contaminated,
      NULL::timestamptz AS ended_at,
      'infinity'::timestamptz AS lapsed_at, 'infinity'::timestamptz AS assigned_at, ${what.step.tierNo}::int AS tier_no) e${dataSql(what)}
    WHERE c.contact_id = ${what.contactId}`
  const [candidate] = await read(session, what, source)
  return candidate
}

async function read(
  session: Session,
  what: {
    campaign: Pick<CompiledCampaign, 'entry' | 'silencedBy' | 'effort'>
    step: CompiledStep
    now: Date
    devices?: boolean
  },
  source: SQL,
): Promise<Candidate[]> {
  const { step, now } = what
  const facts = factsOf(step)
  const found = await preparedRows<Candidate>(
    session,
    sql`
    SELECT t.contact_id AS "contactId", t.touchpoint_id AS "touchpointId", t.episode_id AS "episodeId", t.attempt, t.doubted,
      t.doubted_on AS "doubtedOn",
      t.planned_for AS "plannedFor", c.person_id AS "personId", c.external_id AS "externalId", c.email, c.phone, c.locale, c.timezone,
      ${what.devices ? sql`${DEVICES} AS devices,` : sql``}
      e.arm = 'seed' AS seed, e.segment, t.variant,
      ${step.onReturn ? RELEASED : sql`e.silenced_by`} AS "silencedBy",
      e.ended_at IS NOT NULL AS over, ${activeSql(what.campaign)} AS active, ${movedSql(what.campaign, now)} AS moved,
      e.tier_no > ${step.tierNo} AS superseded,
      jsonb_build_object(
        'email', (SELECT s.reason FROM suppressions s WHERE s.kind = 'email' AND s.key = c.email_key AND s.suppressed_at <= ${now}),
        'phone', (SELECT s.reason FROM suppressions s WHERE s.kind = 'phone' AND s.key = c.phone_key AND s.suppressed_at <= ${now})) AS suppressed,
      ${consentsSql(step.channels, now)} AS consent, ${choiceSql(sql`c`, now, sql`t.touchpoint_id`)} AS choice,
      ${step.condition ? step.condition.sql(now) : sql`true`} AS condition,
      jsonb_strip_nulls(${objectSql(facts.map((fact) => ({ name: fact.path, value: fact.sql(now) })))}) AS facts,
      ${staleSql(facts, now)} AS stale, ${effortSql(what.campaign, now)} AS effort, ${effortLeftSql(what.campaign, now)} AS "effortLeft"
    FROM ${source}`,
  )
  return found.map(withoutBlanks)
}

/** Spaces, control characters, and letters that are there for others alone: joiners, marks of direction, fillers. */
const BLANK = /^[\s\p{Cc}\p{Cf}\p{DI}\u2800]*$/u

/** A name of nothing but spaces is none: printed, it would be the blank that no message has. */
function withoutBlanks(candidate: Candidate): Candidate {
  const facts = Object.entries(candidate.facts)
  const blank = ([, value]: [string, unknown]) => typeof value === 'string' && BLANK.test(value)
  if (!facts.some(blank)) return candidate
  return { ...candidate, facts: Object.fromEntries(facts.filter((fact) => !blank(fact))) }
}

/** What the return has released is not silenced by it; that another arm was drawn for the person comes before it. */
const RELEASED = sql`CASE WHEN e.silenced_by = 'returned' AND e.contaminated THEN 'contaminated' ELSE e.silenced_by END`

const DEVICES = sql`(SELECT coalesce(jsonb_agg(
      jsonb_build_object('provider', d.provider, 'token', d.token, 'keys', d.keys) ORDER BY d.registered_at DESC, d.device_key), '[]')
    FROM devices d WHERE d.contact_id = c.contact_id)`

/** What the step reads beside facts, joined as `r`: once a contact, however many of its values a template prints. */
function dataSql({ step, now }: { step: CompiledStep; now: Date }): SQL {
  return step.data ? sql` LEFT JOIN LATERAL (${step.data(now)}) r ON true` : sql``
}

function effortSql({ effort }: Pick<CompiledCampaign, 'effort'>, now: Date): SQL {
  return effort ? sql`(${effort(now)})::int` : sql`NULL::int`
}

/**
 * What is left of the effort the contact is worth: the limit, less what is spent of it, less what was claimed before this
 * one and may be on its way to be reserved. A first look: it is decided as the message is reserved (cap-places.ts).
 */
function effortLeftSql(campaign: Pick<CompiledCampaign, 'effort'>, now: Date): SQL {
  if (!campaign.effort) return sql`NULL::int`
  const claimedBefore = sql`other.state = 'claimed' AND other.touchpoint_id < t.touchpoint_id`
  return sql`(${effortSql(campaign, now)} - ${effortSpent(claimedBefore)})::int`
}

/**
 * How many messages the episode of `t` has sent (or may have), or is about to send: reserved, being handed over, or to be
 * tried again because nobody knows. By the
 * contact's own few rows.
 * @param also what counts besides of `other`, a touchpoint of the episode
 */
export function effortSpent(also: SQL = sql`false`): SQL {
  return sql`((SELECT count(*) FROM touchpoint_records done WHERE done.contact_id = t.contact_id
      AND done.episode_id = t.episode_id AND done.state IN ('sent', 'uncertain'))
    + (SELECT count(*) FROM touchpoints other WHERE other.contact_id = t.contact_id AND other.episode_id = t.episode_id
      AND other.touchpoint_id <> t.touchpoint_id
      AND (other.state = 'sending' OR other.doubted OR (other.state = 'claimed' AND other.channel IS NOT NULL) OR (${also}))))`
}

/** An object of the step's channels that something was decided about. */
function consentsSql(channels: readonly string[], now: Date): SQL {
  const pairs = channels.map((name) => sql`${name}::text, ${consentSql(sql`c`, sql`${name}::text`, now)}`)
  return sql`jsonb_strip_nulls(jsonb_build_object(${sql.join(pairs, sql`, `)}))`
}

/** Where the goal alone silences, the episode has heard of it: its transaction and the opening of the episode see to it. */
function activeSql({ silencedBy }: Pick<CompiledCampaign, 'silencedBy'>): SQL {
  return silencedBy === 'goal'
    ? sql`false`
    : sql`coalesce(a.last_active_at > least(e.lapsed_at, e.assigned_at), false)`
}

/** An episode that is only imagined is of no date. */
function movedSql({ entry }: Pick<CompiledCampaign, 'entry'>, now: Date): SQL {
  return entry.kind === 'date'
    ? sql`(isfinite(e.lapsed_at) AND (${entry.sql(now)}) IS DISTINCT FROM e.lapsed_at)`
    : sql`false`
}

/** Every fact any template of the step may need, once. Which of them a contact's own template needs is judged later. */
function factsOf(step: CompiledStep): TemplateFact[] {
  const facts = new Map(
    templatesOf(step).flatMap((template) => template.facts.map((fact) => [fact.path, fact] as const)),
  )
  return [...facts.values()]
}

function staleSql(facts: readonly TemplateFact[], now: Date): SQL {
  const checks = facts.flatMap((fact) =>
    fact.stale ? [sql`CASE WHEN ${fact.stale(now)} THEN ${fact.path}::text END`] : [],
  )
  if (checks.length === 0) return sql`'{}'::text[]`
  return sql`array_remove(ARRAY[${sql.join(checks, sql`, `)}], NULL)`
}
