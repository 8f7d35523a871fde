import { type SQL, sql } from 'drizzle-orm'
import type { CompiledCampaign, Condition } from '../config/compiled.ts'
import { drawSql } from './holdout.ts'

// Selection as SQL: which contacts a campaign considers at a moment, and the answer to each of them. Nobody travels
// to Node to be filtered. `plan`, `run` and `explain` all read this one query, so they cannot disagree.

/** Why a considered contact was not taken in. The order of this list is the order in which reasons are looked for. */
export const ANSWERS = [
  'same_person',
  'audience',
  'audience_unknown',
  'max_silence',
  'rollout',
  'exclusive',
  'reentry_wait',
  'sunset',
  'backlog',
  'opened',
] as const
export type Answer = (typeof ANSWERS)[number]

/** What a selection decides with beside the campaign. */
export interface Selection {
  readonly campaign: CompiledCampaign
  readonly now: Date
  /**
   * Today's intake, found once at the start of a run: contacts at least this recently (or this long) silent come
   * in, the rest wait for another day. Undefined: no bound.
   */
  readonly intake?: { readonly since: Date; readonly contact: number } | undefined
}

/** `now` minus a number of seconds: bands are exact elapsed time, whatever the zone or its DST. */
export function before(now: Date, seconds: number): Date {
  return new Date(now.getTime() - seconds * 1000)
}

/** The band a contact is in, as CASE over `a.silent_since`: tier number, or NULL outside every band. */
export function tierSql(campaign: CompiledCampaign, now: Date, since: SQL): SQL {
  const cases = campaign.tiers.map((tier) => {
    const upper = tier.to === null ? sql`` : sql` AND ${since} > ${before(now, tier.to)}::timestamptz`
    return sql`WHEN ${since} <= ${before(now, tier.from)}::timestamptz${upper} THEN ${tier.no}::smallint`
  })
  return sql`CASE ${sql.join(cases, sql` `)} END`
}

/** First segment whose condition is true; `everyone` for the rest. */
export function segmentSql(campaign: CompiledCampaign, now: Date): SQL {
  if (campaign.segments.length === 0) return sql`'everyone'::text`
  const cases = campaign.segments.map(
    (segment) => sql`WHEN (${segment.condition.sql(now)}) IS TRUE THEN ${segment.name}::text`,
  )
  return sql`CASE ${sql.join(cases, sql` `)} ELSE 'everyone' END`
}

function when(answer: Answer, applies: SQL | undefined): SQL {
  return applies === undefined ? sql`` : sql`WHEN ${applies} THEN ${sql.raw(`'${answer}'`)}::text `
}

function audienceCases(audience: Condition | undefined): SQL {
  if (audience === undefined) return sql``
  // Evaluated once, in the FROM clause: a condition may be long.
  return sql`WHEN v.audience IS FALSE THEN 'audience'::text WHEN v.audience IS NULL THEN 'audience_unknown'::text `
}

/** True for contacts that today's intake leaves for later. */
function backlogSql(selection: Selection): SQL | undefined {
  const intake = selection.intake
  if (!intake) return undefined
  // Milliseconds: the bound has been through a Date.
  const place = sql`(date_trunc('milliseconds', a.silent_since), c.contact_id)`
  const last = sql`(${intake.since}::timestamptz, ${intake.contact}::bigint)`
  return selection.campaign.definition.intake.order === 'newest'
    ? sql`${place} < ${last}`
    : sql`${place} > ${last}`
}

/**
 * Every contact the campaign considers, with its answer:
 *
 *   contact_id, person_id, silent_since, tier_no, segment, episode_no, answer
 *
 * Considered is who is silent for as long as one of the bands says and has no open episode in this campaign.
 * Silence counts from the newest activity, else from the sign-up date; who has neither is never considered.
 *
 * History is looked up for the person through an index, contact by contact: joining all episodes and aggregating
 * them first was slower from the second run on, when most episodes belong to nobody in this chunk. OFFSET 0 holds
 * the planner to it: a run that follows an import at once is planned for tables nobody has counted yet, and a scan
 * of all episodes for each contact made the second chunk 500 times slower than the first.
 *
 * @param which narrows `a` (contact_activity) and `c` (contacts) to a chunk, or to one contact: both, since the
 *   planner carries an equality over to the other side of a join, and a range not
 */
export function answersSql(selection: Selection, which: SQL): SQL {
  const { campaign, now } = selection
  const { definition } = campaign
  const first = campaign.tiers[0]
  const last = campaign.tiers.at(-1)
  if (!first || !last) return sql`SELECT WHERE false`
  const oldest = last.to === null ? sql`` : sql` AND a.silent_since > ${before(now, last.to)}::timestamptz`
  const { max_silence: maxSilence } = definition.intake
  const { wait, sunset } = definition.reentry
  const answer = sql`CASE ${when('same_person', sql`h.open_here`)}${audienceCases(campaign.audience)}${when(
    'max_silence',
    maxSilence === undefined ? undefined : sql`a.silent_since <= ${before(now, maxSilence)}::timestamptz`,
  )}${when(
    'rollout',
    definition.rollout >= 1
      ? undefined
      : sql`${drawSql(campaign.salt, 'rollout', sql`c.person_id`)} >= ${definition.rollout}::numeric`,
  )}${when('exclusive', sql`h.open_elsewhere`)}${when(
    'reentry_wait',
    wait === 0 ? undefined : sql`h.last_ended > ${before(now, wait)}::timestamptz`,
  )}${when(
    'sunset',
    sunset === undefined ? undefined : sql`h.ended_no - coalesce(h.recalled_no, 0) >= ${sunset}`,
  )}${when('backlog', backlogSql(selection))}ELSE 'opened'::text END`
  return sql`
    SELECT contact_id, person_id, silent_since, tier_no, segment, episode_no,
      -- One contact of a person at a time: the one that was active last.
      CASE WHEN answer = 'opened' AND row_number() OVER (
        PARTITION BY person_id, answer ORDER BY silent_since DESC, contact_id) > 1
      THEN 'same_person' ELSE answer END AS answer
    FROM (
      SELECT c.contact_id, c.person_id, a.silent_since,
        ${tierSql(campaign, now, sql`a.silent_since`)} AS tier_no,
        ${segmentSql(campaign, now)} AS segment,
        coalesce(h.episode_no, 0) + 1 AS episode_no,
        ${answer} AS answer
      FROM contact_activity a
      JOIN contacts c ON c.contact_id = a.contact_id
      LEFT JOIN contact_signals s ON s.contact_id = a.contact_id
      LEFT JOIN LATERAL (
        SELECT max(e.episode_no) FILTER (WHERE e.campaign = ${campaign.name}) AS episode_no,
          bool_or(e.campaign = ${campaign.name} AND e.ended_at IS NULL AND e.contact_id = c.contact_id) AS open_mine,
          bool_or(e.campaign = ${campaign.name} AND e.ended_at IS NULL) AS open_here,
          bool_or(e.campaign <> ${campaign.name} AND e.ended_at IS NULL AND e.exclusive = ${campaign.exclusive})
            AS open_elsewhere,
          max(e.ended_at) FILTER (WHERE e.campaign = ${campaign.name}) AS last_ended,
          max(e.episode_no) FILTER (WHERE e.campaign = ${campaign.name} AND e.ended_at IS NOT NULL) AS ended_no,
          max(e.episode_no) FILTER (WHERE e.campaign = ${campaign.name} AND e.end_reason = 'recalled') AS recalled_no
        FROM (SELECT contact_id FROM contacts WHERE person_id = c.person_id OFFSET 0) p
        CROSS JOIN LATERAL (SELECT * FROM episodes WHERE contact_id = p.contact_id AND arm <> 'seed' OFFSET 0) e
      ) h ON true
      CROSS JOIN LATERAL (SELECT ${campaign.audience ? campaign.audience.sql(now) : sql`true`} AS audience) v
      WHERE ${which}
        AND a.silent_since <= ${before(now, first.from)}::timestamptz${oldest}
        AND c.erased_at IS NULL
        AND h.open_mine IS NOT TRUE
        AND NOT (c.external_id = ANY (${sql.param(definition.seeds)}::text[]))
    ) considered`
}
