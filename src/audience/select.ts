import { type SQL, sql } from 'drizzle-orm'
import { earlier } from '../clock.ts'
import type { CompiledCampaign } from '../config/compiled.ts'
import { unansweredSendsSql } from '../database/outside-sends.ts'
import { entryOf } from './entries/entries.ts'
import type { MomentRange, Which } from './entries/entry.ts'
import { drawSql } from './holdout.ts'

// Selection as SQL: which contacts a campaign considers at a moment, and the answer to each of them. Nobody travels
// to Node to be filtered. `plan`, `run` and `explain` all read this one query, so they cannot disagree.

/** Why a considered contact was not taken in. The order of this list is the order in which reasons are looked for. */
export const ANSWERS = [
  'same_person',
  'audience',
  'audience_unknown',
  'already_returned',
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
   * Today's intake, found once at the start of a run: contacts whose moment is at least this recent (or this old) come
   * in, the rest wait for another day. Undefined: no bound.
   */
  readonly intake?: { readonly since: Date; readonly contact: number } | undefined
}

/** The moments that lie in one of the campaign's bands now. */
export function momentsOf(campaign: CompiledCampaign, now: Date): MomentRange {
  const first = campaign.tiers[0]
  const last = campaign.tiers.at(-1)
  return {
    after: last?.to === null || !last ? null : earlier(now, last.to),
    upTo: first ? earlier(now, first.from) : null,
  }
}

/** Whether a moment lies within bounds, as SQL. */
export function withinSql(since: SQL, { after, upTo }: MomentRange): SQL {
  const upper = upTo === null ? sql`${since} IS NOT NULL` : sql`${since} <= ${upTo}::timestamptz`
  return after === null ? upper : sql`${upper} AND ${since} > ${after}::timestamptz`
}

/** Whether the contact `c` has had an episode for its date or event. */
export function episodeForSql(campaign: CompiledCampaign, since: SQL): SQL {
  return sql`EXISTS (SELECT FROM episodes u WHERE u.contact_id = c.contact_id AND u.campaign = ${campaign.name}
    AND u.lapsed_at = ${since} AND u.arm <> 'seed')`
}

/** The band a contact is in, as CASE over the moment it counts from: tier number, or NULL outside every band. */
export function tierSql(campaign: CompiledCampaign, now: Date, since: SQL): SQL {
  const cases = campaign.tiers.map((tier) => {
    const upper = tier.to === null ? sql`` : sql` AND ${since} > ${earlier(now, tier.to)}::timestamptz`
    return sql`WHEN ${since} <= ${earlier(now, tier.from)}::timestamptz${upper} THEN ${tier.no}::smallint`
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

/**
 * True for contacts whom an event since then would have silenced. Silence itself has none by definition; after a date
 * or an event, somebody may have come back, or done what the campaign wants, before it takes them in.
 */
function returnedSql({ campaign, now }: Selection, since: SQL): SQL | undefined {
  if (campaign.entry.kind === 'silence') return undefined
  if (campaign.silencedBy === 'activity') return sql`a.last_active_at > ${since}`
  const goal = Object.values(campaign.definition.goals)[0]?.event
  return sql`EXISTS (SELECT FROM activity g WHERE g.contact_id = c.contact_id AND g.type = ${goal}
    AND g.occurred_at > ${since} AND g.occurred_at <= ${now}::timestamptz)`
}

/** True for contacts whom enough has been tried with: episodes without a recall, or messages since their last activity. */
function sunsetSql({ campaign, now }: Selection): SQL | undefined {
  const { sunset, unanswered } = campaign.definition.reentry
  const tries = [
    ...(sunset === undefined ? [] : [sql`h.ended_no - coalesce(h.recalled_no, 0) >= ${sunset}`]),
    ...(unanswered === undefined
      ? []
      : [sql`${unansweredSendsSql(sql`c.contact_id`, sql`a.silent_since`, now)} >= ${unanswered}`]),
  ]
  return tries.length === 0 ? undefined : sql`(${sql.join(tries, sql` OR `)})`
}

/**
 * When an episode was over: of this campaign and its exclusive group also one whose time is, and that nothing has ended yet.
 * A run does so before it considers anybody, and whoever asks what a run would do must find the same.
 */
function overSql({ campaign, now }: Selection, episode: SQL): SQL {
  return sql`coalesce(${episode}.ended_at, CASE
    WHEN (${episode}.campaign = ${campaign.name} OR ${episode}.exclusive = ${campaign.exclusive})
    AND ${episode}.outcome_until <= ${now}::timestamptz THEN ${now}::timestamptz END)`
}

/** Whether an episode ended as recalled, or will. Not as EXISTS: all recalls there are might be read and hashed. */
function recalledSql(episode: SQL): SQL {
  return sql`CASE WHEN ${episode}.ended_at IS NOT NULL THEN ${episode}.end_reason = 'recalled'
    ELSE (SELECT true FROM recalls r WHERE r.contact_id = ${episode}.contact_id
      AND r.episode_id = ${episode}.episode_id AND r.goal_no = 0) END`
}

/** True for contacts that today's intake leaves for later. */
function backlogSql(selection: Selection, since: SQL): SQL | undefined {
  const intake = selection.intake
  if (!intake) return undefined
  // Milliseconds: the bound has been through a Date.
  const place = sql`(date_trunc('milliseconds', ${since}), c.contact_id)`
  const last = sql`(${intake.since}::timestamptz, ${intake.contact}::bigint)`
  return selection.campaign.definition.intake.order === 'newest'
    ? sql`${place} < ${last}`
    : sql`${place} > ${last}`
}

/** The first reason that applies, in the order of {@link ANSWERS}. Over what {@link answersSql} joins. */
function answerSql(selection: Selection, since: SQL): SQL {
  const { campaign, now } = selection
  const { intake, reentry, rollout } = campaign.definition
  const reasons: Readonly<Record<Exclude<Answer, 'opened'>, SQL | undefined>> = {
    same_person: sql`h.open_here`,
    // Evaluated once, in the FROM clause: a condition may be long.
    audience: campaign.audience && sql`v.audience IS FALSE`,
    audience_unknown: campaign.audience && sql`v.audience IS NULL`,
    already_returned: returnedSql(selection, since),
    max_silence:
      intake.max_silence === undefined
        ? undefined
        : sql`a.silent_since <= ${earlier(now, intake.max_silence)}::timestamptz`,
    rollout:
      rollout >= 1
        ? undefined
        : sql`${drawSql(campaign.salt, 'rollout', sql`c.person_id`)} >= ${rollout}::numeric`,
    exclusive: sql`h.open_elsewhere`,
    reentry_wait:
      reentry.wait === 0 ? undefined : sql`h.last_ended > ${earlier(now, reentry.wait)}::timestamptz`,
    sunset: sunsetSql(selection),
    backlog: backlogSql(selection, since),
  }
  const cases = ANSWERS.flatMap((answer) => {
    const applies = answer === 'opened' ? undefined : reasons[answer]
    return applies ? [sql`WHEN ${applies} THEN ${sql.raw(`'${answer}'`)}::text`] : []
  })
  return sql`CASE ${sql.join(cases, sql` `)} ELSE 'opened'::text END`
}

/**
 * Every contact the campaign considers, with its answer:
 *
 *   contact_id, person_id, since, tier_no, segment, episode_no, answer
 *
 * Considered is whose moment (entries/) lies in one of the bands and who has no open episode in this campaign. Silence
 * counts from the newest activity, else from the sign-up date; who has neither is never considered. A date or an
 * event that an episode was opened for is never considered again, whatever came of it.
 *
 * History is looked up for the person through an index, contact by contact: joining all episodes and aggregating
 * them first was slower from the second run on, when most episodes belong to nobody in this chunk. OFFSET 0 holds
 * the planner to it: a run that follows an import at once is planned for tables nobody has counted yet, and a scan
 * of all episodes for each contact made the second chunk 500 times slower than the first.
 *
 * @param which narrows every table that is read to a chunk, or to one contact: each of them, since the
 *   planner carries an equality over to the other side of a join, and a range not. With all contacts of each person,
 *   wherever they stand: of what it leaves out nobody knows which was active last
 */
export function answersSql(selection: Selection, which: Which): SQL {
  const { campaign, now } = selection
  const { definition } = campaign
  const entry = entryOf(campaign)
  const { since } = entry
  const moments = momentsOf(campaign, now)
  const unused = entry.once ? sql`AND NOT ${episodeForSql(campaign, since)}` : sql``
  return sql`
    SELECT contact_id, person_id, since, tier_no, segment, episode_no,
      -- One contact of a person at a time: the one whose moment is the newest, also where that waits for another day.
      CASE WHEN answer = 'opened' AND row_number() OVER (
        PARTITION BY person_id, answer IN ('opened', 'backlog') ORDER BY since DESC, contact_id) > 1
      THEN 'same_person' ELSE answer END AS answer
    FROM (
      SELECT c.contact_id, c.person_id, ${since} AS since,
        ${tierSql(campaign, now, since)} AS tier_no,
        ${segmentSql(campaign, now)} AS segment,
        coalesce(h.episode_no, 0) + 1 AS episode_no,
        ${answerSql(selection, since)} AS answer
      FROM contact_activity a
      JOIN contacts c ON c.contact_id = a.contact_id
      LEFT JOIN contact_signals s ON s.contact_id = a.contact_id AND ${which(sql`s.contact_id`)}
      ${entry.join(moments, now, which)}
      LEFT JOIN LATERAL (
        SELECT max(e.episode_no) FILTER (WHERE e.campaign = ${campaign.name}) AS episode_no,
          bool_or(e.campaign = ${campaign.name} AND e.over_at IS NULL AND e.contact_id = c.contact_id) AS open_mine,
          bool_or(e.campaign = ${campaign.name} AND e.over_at IS NULL) AS open_here,
          bool_or(e.campaign <> ${campaign.name} AND e.over_at IS NULL AND e.exclusive = ${campaign.exclusive})
            AS open_elsewhere,
          max(e.over_at) FILTER (WHERE e.campaign = ${campaign.name}) AS last_ended,
          max(e.episode_no) FILTER (WHERE e.campaign = ${campaign.name} AND e.over_at IS NOT NULL) AS ended_no,
          max(e.episode_no) FILTER (WHERE e.campaign = ${campaign.name} AND e.over_at IS NOT NULL
            AND ${recalledSql(sql`e`)}) AS recalled_no
        FROM (SELECT contact_id FROM contacts WHERE person_id = c.person_id OFFSET 0) p
        CROSS JOIN LATERAL (SELECT *, ${overSql(selection, sql`o`)} AS over_at FROM episodes o
          WHERE o.contact_id = p.contact_id AND o.arm <> 'seed' OFFSET 0) e
      ) h ON true
      CROSS JOIN LATERAL (SELECT ${campaign.audience ? campaign.audience.sql(now) : sql`true`} AS audience) v
      WHERE ${which(sql`a.contact_id`)} AND ${which(sql`c.contact_id`)}
        AND ${withinSql(since, moments)}
        ${unused}
        AND h.open_mine IS NOT TRUE
        AND NOT (c.external_id = ANY (${sql.param(definition.seeds)}::text[]))
    ) considered
    -- Around a date or an event, there may be time between two bands.
    WHERE tier_no IS NOT NULL`
}
