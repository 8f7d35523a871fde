import { type SQL, sql } from 'drizzle-orm'
import { execute, rows, type Transaction } from '../../database/connect.ts'
import { isSaid } from '../../database/permissions.ts'
import { heldTotal } from '../../database/storable.ts'
import type { Goals } from '../goals.ts'
import { type Earned, marginWithin } from '../margins.ts'
import { type CohortDay, daysOf, literal, startOf } from './cohort-day.ts'
import { countStages, countVariants, DREW, VARIED } from './draws.ts'
import { countErrors, countMessages } from './messages.ts'
import { AGAIN, countRepeats } from './repeats.ts'

// One cohort day, counted: everybody a campaign assigned on that UTC day, with all that ever came of it. Counted anew
// as a whole, never added to: so a late receipt, a repeated pass and a rebuild end at the same figures.
//
// One day is a few people among a year's, so all that belongs to them is looked up by their keys: LATERAL with an
// aggregate or OFFSET 0, which no planner turns into a join. Left to itself it reads every later partition to
// hash it, for it thinks such joins come to one row (eight times slower at a million messages); with hash joins switched
// off it falls into nested loops over whole tables instead.

/** What counting needs of the workspace. */
export interface CountingRules {
  /** Event types that count as being active. */
  readonly activity: readonly string[]
  /** The event type of an order. */
  readonly order: string
  /** Of each version of a campaign: a tier's own window goes on after the episode's. */
  goalsOf(campaign: string): Promise<Goals>
  /**
   * What of the value of its goals' events is earned; empty where no goal has a margin, undefined where the goals can no
   * longer be read: then what was known of them last goes on.
   */
  earnedOf(campaign: string): Promise<Earned | undefined>
}

const TABLES = [
  'people',
  'repeats',
  'recalls',
  'stages',
  'variants',
  'funnel',
  'messages',
  'errors',
  'costs',
  'offers',
]

/** Replaces the day's rows in all tables. The caller's transaction sees one moment. */
export async function countDay(
  tx: Transaction,
  cohort: CohortDay,
  rules: CountingRules,
  earned: Earned,
  onProgress: (share: number) => void,
): Promise<void> {
  const goals = await rules.goalsOf(cohort.campaign)
  const emptied = TABLES.map(
    (table) => sql`${sql.identifier(table)} AS (
      DELETE FROM ${sql.identifier(`report_${table}`)} WHERE campaign = ${cohort.campaign} AND day = ${cohort.day})`,
  )
  await execute(tx, sql`WITH ${sql.join(emptied, sql`, `)} SELECT`)
  const run = async (statements: readonly SQL[], half: 0 | 1) => {
    for (const [done, statement] of statements.entries()) {
      onProgress((half + done / statements.length) / 2)
      await execute(tx, statement)
    }
  }
  const gathering = [
    gatherCohort(cohort),
    sql`ANALYZE cohort`,
    gatherMessages(cohort),
    gatherActs(cohort, rules),
    gatherCosts(),
    gatherMargins(earned),
    sql`ANALYZE cohort_messages, cohort_acts, cohort_costs, cohort_margins`,
  ]
  await run(gathering, 0)
  const { drew, varied, again } = await findRare(tx)
  const counting = [
    countPeople(cohort),
    countRecalls(cohort),
    ...(drew ? [countStages(cohort, goals, earned)] : []),
    ...(varied ? [countVariants(cohort, goals)] : []),
    countFunnel(cohort),
    countMessages(cohort),
    countErrors(cohort),
    countCosts(cohort),
    countOffers(cohort),
    ...(again ? [countRepeats(cohort, goals, earned)] : []),
  ]
  await run(counting, 1)
  await execute(tx, sql`DROP TABLE cohort, cohort_messages, cohort_acts, cohort_costs, cohort_margins`)
}

/**
 * What few days have: tiers that drew, variants, people who lapsed before. Without them there is nothing to count, and
 * planning how to count it takes as long as all else of a small day.
 */
async function findRare(tx: Transaction): Promise<{ drew: boolean; varied: boolean; again: boolean }> {
  const [found] = await rows<{ drew: boolean; varied: boolean; again: boolean }>(
    tx,
    sql`SELECT EXISTS (${DREW}) AS drew, EXISTS (${VARIED}) AS varied, EXISTS (${AGAIN}) AS again`,
  )
  return found ?? { drew: true, varied: true, again: true }
}

/** y is 1 for a recall within the window. Temporary tables, not one statement: each step is planned with what is there. */
function gatherCohort({ campaign, day }: CohortDay): SQL {
  return sql`
    CREATE TEMP TABLE cohort ON COMMIT DROP AS
    SELECT e.contact_id, e.episode_id, e.version, e.entry_tier AS tier, e.segment, e.arm, e.contaminated, e.episode_no,
      e.assigned_at, e.window_ends_at, e.returned_at, (r.contact_id IS NOT NULL)::int AS y, r.recalled_at,
      NOT EXISTS (
        -- As the person was when it was drawn: whoever has become another since was that one still.
        SELECT FROM (SELECT * FROM episodes f WHERE f.person_id = e.person_id OFFSET 0) f
        WHERE f.arm <> 'seed' AND (f.assigned_at, f.episode_id) < (e.assigned_at, e.episode_id)
      ) AS first
    FROM episodes e
    LEFT JOIN LATERAL (
      SELECT r.contact_id, r.recalled_at FROM recalls r
      WHERE r.contact_id = e.contact_id AND r.episode_id = e.episode_id AND r.goal_no = 0
        AND r.recalled_at > e.assigned_at AND r.recalled_at <= e.window_ends_at OFFSET 0
    ) r ON true
    WHERE e.campaign = ${literal(campaign)} AND e.arm <> 'seed'
      AND e.assigned_at >= ${startOf(day)} AND e.assigned_at < ${startOf(day, 1)}`
}

/** Every touchpoint of theirs once, at work or settled, with how far it got. */
function gatherMessages({ day }: CohortDay): SQL {
  return sql`
    CREATE TEMP TABLE cohort_messages ON COMMIT DROP AS
    SELECT m.*, coalesce(v.delivered, false) AS delivered, coalesce(v.opened, false) AS opened,
      coalesce(v.clicked, false) AS clicked, coalesce(v.bounced, false) AS bounced,
      coalesce(v.complained, false) AS complained, v.complained_at, v.unsubscribed_at,
      CASE WHEN v.delivered_at IS NOT NULL
        THEN greatest(0, extract(epoch FROM v.delivered_at - m.settled_at))::bigint END AS seconds
    FROM (
      SELECT c.contact_id, c.episode_id, r.touchpoint_id, r.step_id, r.variant, r.state, coalesce(r.reason, '') AS reason,
        r.detail, coalesce(r.channel, '') AS channel, r.settled_at, r.settled_at AS at, r.settled_at AS due_at
      FROM cohort c
      CROSS JOIN LATERAL (
        SELECT * FROM touchpoint_records r
        WHERE r.contact_id = c.contact_id AND r.episode_id = c.episode_id AND r.settled_at >= ${startOf(day)} OFFSET 0
      ) r
      UNION ALL
      SELECT c.contact_id, c.episode_id, t.touchpoint_id, t.step_id, t.variant, 'waiting', coalesce(t.waits, ''), NULL, '', NULL, t.planned_for,
        t.due_at
      FROM cohort c
      CROSS JOIN LATERAL (
        SELECT * FROM touchpoints t WHERE t.contact_id = c.contact_id AND t.episode_id = c.episode_id OFFSET 0
      ) t
    ) m
    LEFT JOIN LATERAL (
      SELECT bool_or(d.kind IN ('delivered', 'opened', 'clicked', 'complaint')) AS delivered,
        bool_or(d.kind = 'opened') AS opened, bool_or(d.kind = 'clicked') AS clicked,
        bool_or(d.kind = 'hard_bounce') AS bounced, bool_or(d.kind = 'complaint') AS complained,
        min(d.occurred_at) FILTER (WHERE d.kind = 'complaint') AS complained_at,
        min(d.occurred_at) FILTER (WHERE d.kind = 'unsubscribed') AS unsubscribed_at,
        min(d.occurred_at) FILTER (WHERE d.kind = 'delivered') AS delivered_at
      FROM delivery_events d WHERE d.contact_id = m.contact_id AND d.touchpoint_id = m.touchpoint_id
    ) v ON m.state = 'sent'`
}

/** Days after the assignment in which reports look at everything; a window may be longer. */
const LOOKED = 90

/** What they did: in the ninety days before (for CUPED) and the ninety after. */
function gatherActs({ day }: CohortDay, { activity, order }: CountingRules): SQL {
  const active = sql`a.type IN (${sql.join(activity.map(literal), sql`, `)})`
  const after = (from: number, to: number) =>
    sql`a.occurred_at > c.assigned_at + ${daysOf(from)} AND a.occurred_at <= c.assigned_at + ${daysOf(to)}`
  const ordered = sql`a.type = ${literal(order)} AND ${after(0, 30)}`
  const paid = sql`${ordered} AND coalesce(a.properties ->> 'coupon', '') IN ('', 'false')`
  return sql`
    CREATE TEMP TABLE cohort_acts ON COMMIT DROP AS
    SELECT c.contact_id, c.episode_id, acts.* FROM cohort c
    CROSS JOIN LATERAL (
      SELECT count(DISTINCT a.occurred_at::date) FILTER (WHERE a.occurred_at <= c.assigned_at AND ${active}) AS before,
        bool_or(${active} AND ${after(0, 7)}) AS active_7,
        bool_or(${active} AND ${after(23, 30)}) AS active_30,
        bool_or(${active} AND ${after(83, 90)}) AS active_90,
        count(*) FILTER (WHERE ${ordered}) AS orders_30, count(*) FILTER (WHERE ${paid}) AS full_price_30,
        bool_or(a.type = 'uninstalled' AND a.occurred_at > c.assigned_at AND a.occurred_at <= c.window_ends_at)
          AS uninstalled
      FROM activity a
      WHERE a.contact_id = c.contact_id
        AND a.occurred_at > c.assigned_at - ${daysOf(90)} AND a.occurred_at <= c.assigned_at + ${daysOf(LOOKED)}
        AND a.occurred_at >= ${startOf(day, -90)} AND a.occurred_at < ${startOf(day, LOOKED + 2)}
    ) acts`
}

function gatherCosts(): SQL {
  const of = (kind: string) =>
    sql`coalesce(sum(l.amount) FILTER (WHERE l.kind = ${literal(kind)}), 0)::bigint`
  return sql`
    CREATE TEMP TABLE cohort_costs ON COMMIT DROP AS
    SELECT c.contact_id, c.episode_id, booked.* FROM cohort c
    CROSS JOIN LATERAL (
      SELECT ${of('spend')} AS spend, ${of('liability')} AS liability, ${of('labour')} AS labour
      FROM ledger l WHERE l.contact_id = c.contact_id AND l.episode_id = c.episode_id
    ) booked`
}

/** All they brought in, of every arm by the same clock: what natural returners bring in is in both. */
function gatherMargins(earned: Earned): SQL {
  const place = { contact: sql`c.contact_id`, from: sql`c.assigned_at`, to: sql`c.window_ends_at` }
  return sql`
    CREATE TEMP TABLE cohort_margins ON COMMIT DROP AS
    SELECT c.contact_id, c.episode_id, e.margin FROM cohort c
    CROSS JOIN LATERAL ${marginWithin(earned, place)} e`
}

function countPeople({ campaign, day }: CohortDay): SQL {
  const total = sql`(coalesce(k.spend, 0) + coalesce(k.liability, 0) + coalesce(k.labour, 0))`
  const unpaid = sql`(coalesce(k.spend, 0) + coalesce(k.liability, 0))`
  const sum = (value: SQL) => sql`${heldTotal(sql`coalesce(sum(${value}), 0)`)}::bigint`
  return sql`
    INSERT INTO report_people
    SELECT ${literal(campaign)}, ${literal(day)}::date, c.version, c.tier, c.segment, c.arm,
      -- Of the day: of several intakes the smaller arm need have nobody of the last, and would be complete before the other.
      max(max(c.window_ends_at)) OVER (), max(ceil(extract(epoch FROM c.window_ends_at - c.assigned_at) / 86400))::int,
      count(*), count(*) FILTER (WHERE c.contaminated), count(c.returned_at), sum(c.y),
      count(*) FILTER (WHERE a.active_7), count(*) FILTER (WHERE a.active_30), count(*) FILTER (WHERE a.active_90),
      ${sum(sql`a.orders_30`)}, ${sum(sql`a.full_price_30`)}, count(*) FILTER (WHERE a.full_price_30 > 0),
      -- By a message, too: the address may be another by now, and who was erased has none.
      count(*) FILTER (WHERE o.opted_out OR m.unsubscribed_at <= c.window_ends_at),
      count(*) FILTER (WHERE o.complained OR m.complained_at <= c.window_ends_at),
      count(*) FILTER (WHERE a.uninstalled OR o.uninstalled), ${sum(sql`m.touches`)},
      ${sum(sql`k.spend`)}, ${sum(sql`k.liability`)}, ${sum(sql`k.labour`)},
      coalesce(sum(${total}::numeric ^ 2), 0), ${sum(sql`${total} * c.y`)},
      coalesce(sum(${unpaid}::numeric ^ 2), 0), ${sum(sql`${unpaid} * c.y`)},
      ${sum(sql`a.before`)}, ${sum(sql`a.before * a.before`)}, ${sum(sql`a.before * c.y`)},
      ${sum(sql`e.margin`)}, coalesce(sum(e.margin::numeric ^ 2), 0), coalesce(sum(e.margin::numeric * ${total}), 0),
      coalesce(sum(e.margin::numeric * ${unpaid}), 0), count(*) FILTER (WHERE e.margin <> 0),
      count(*) FILTER (WHERE c.first), coalesce(sum(c.y) FILTER (WHERE c.first), 0)
    FROM cohort c
    LEFT JOIN cohort_acts a USING (contact_id, episode_id)
    LEFT JOIN cohort_costs k USING (contact_id, episode_id)
    LEFT JOIN cohort_margins e USING (contact_id, episode_id)
    LEFT JOIN (
      SELECT contact_id, episode_id, count(*) FILTER (WHERE state = 'sent') AS touches, min(complained_at) AS complained_at,
        min(unsubscribed_at) AS unsubscribed_at
      FROM cohort_messages GROUP BY contact_id, episode_id
    ) m USING (contact_id, episode_id)
    CROSS JOIN LATERAL (
      SELECT ${choseAgainst()} OR ${withdrew()} OR s.unsubscribed AS opted_out, s.complained,
        c.window_ends_at > c.assigned_at + ${daysOf(LOOKED)} AND EXISTS (SELECT FROM activity a
          WHERE a.contact_id = c.contact_id AND a.type = 'uninstalled'
            AND a.occurred_at > c.assigned_at + ${daysOf(LOOKED)} AND a.occurred_at <= c.window_ends_at) AS uninstalled
      FROM (
        SELECT coalesce(bool_or(s.reason = 'unsubscribe'), false) AS unsubscribed,
          coalesce(bool_or(s.reason = 'complaint'), false) AS complained
        FROM contacts t
        JOIN suppressions s ON (s.kind, s.key) IN (('email', t.email_key), ('phone', t.phone_key))
        WHERE t.contact_id = c.contact_id AND s.reason IN ('unsubscribe', 'complaint')
          AND s.suppressed_at > c.assigned_at AND s.suppressed_at <= c.window_ends_at
      ) s
    ) o
    GROUP BY c.version, c.tier, c.segment, c.arm`
}

/**
 * A choice is kept as a whole, and so is written down again by whoever changes a topic: who has refused a channel long before
 * has not opted out anew. The contacted are led to that page, and the others are not.
 */
function choseAgainst(): SQL {
  return sql`EXISTS (SELECT FROM preferences f
          WHERE f.contact_id = c.contact_id AND cardinality(f.channels_off) > 0 AND ${isSaid(sql`f`)}
            AND f.chosen_at > c.assigned_at AND f.chosen_at <= c.window_ends_at
            AND NOT EXISTS (SELECT FROM (
              SELECT b.channels_off AS off FROM preferences b WHERE b.contact_id = f.contact_id AND b.chosen_at < f.chosen_at
              ORDER BY b.chosen_at DESC LIMIT 1
            ) before WHERE f.channels_off <@ before.off OR '*' = ANY (before.off)))`
}

/** What was withdrawn before is withdrawn: a list that is imported again says nothing new. */
function withdrew(): SQL {
  return sql`EXISTS (SELECT FROM consents n
          WHERE n.contact_id = c.contact_id AND n.decision = 'withdrawn' AND ${isSaid(sql`n`)}
            AND n.decided_at > c.assigned_at AND n.decided_at <= c.window_ends_at
            AND (SELECT b.decision FROM consents b
              WHERE b.contact_id = n.contact_id AND b.channel = n.channel AND b.decided_at < n.decided_at
              ORDER BY b.decided_at DESC, b.decision DESC LIMIT 1) IS DISTINCT FROM 'withdrawn')`
}

function countRecalls({ campaign, day }: CohortDay): SQL {
  return sql`
    INSERT INTO report_recalls
    SELECT ${literal(campaign)}, ${literal(day)}::date, tier, arm,
      -- The window's last moment is within it.
      least(floor(extract(epoch FROM recalled_at - assigned_at) / 86400),
        ceil(extract(epoch FROM window_ends_at - assigned_at) / 86400) - 1)::smallint AS age, count(*)
    FROM cohort WHERE y = 1 GROUP BY tier, arm, age`
}

/** Each person once: the furthest of their messages is their answer, with the reason of the newest, or of the next to go. */
function countFunnel({ campaign, day }: CohortDay): SQL {
  return sql`
    INSERT INTO report_funnel
    SELECT ${literal(campaign)}, ${literal(day)}::date, c.arm,
      CASE WHEN c.arm <> 'treated' THEN 'held_out' ELSE coalesce(m.state, 'no_message') END,
      CASE WHEN c.arm = 'treated' AND m.state IN ('failed', 'skipped', 'cancelled', 'waiting') THEN m.reason ELSE '' END,
      count(*), count(*) FILTER (WHERE m.delivered), count(*) FILTER (WHERE m.clicked), count(c.returned_at),
      sum(c.y), count(*) FILTER (WHERE g.redeemed)
    FROM cohort c
    LEFT JOIN (
      SELECT DISTINCT ON (contact_id, episode_id) contact_id, episode_id, state, reason,
        bool_or(delivered) OVER whole AS delivered, bool_or(clicked) OVER whole AS clicked
      FROM cohort_messages
      WINDOW whole AS (PARTITION BY contact_id, episode_id)
      ORDER BY contact_id, episode_id,
        array_position(ARRAY['sent', 'uncertain', 'waiting', 'failed', 'skipped', 'cancelled'], state),
        CASE WHEN state = 'waiting' THEN due_at END, at DESC, touchpoint_id
    ) m USING (contact_id, episode_id)
    CROSS JOIN LATERAL (
      SELECT EXISTS (SELECT FROM grants x WHERE x.contact_id = c.contact_id AND x.episode_id = c.episode_id
        AND x.state = 'redeemed') AS redeemed
    ) g
    GROUP BY 3, 4, 5`
}

function countCosts({ campaign, day }: CohortDay): SQL {
  return sql`
    INSERT INTO report_costs
    SELECT ${literal(campaign)}, ${literal(day)}::date, (l.booked_at AT TIME ZONE 'UTC')::date, l.step_id,
      coalesce(l.channel, ''), l.kind, sum(l.amount)
    FROM cohort c
    CROSS JOIN LATERAL (
      SELECT * FROM ledger l WHERE l.contact_id = c.contact_id AND l.episode_id = c.episode_id OFFSET 0
    ) l
    GROUP BY 3, l.step_id, 5, l.kind`
}

/** What is reserved is not granted yet: its message may still be called off. */
function countOffers({ campaign, day }: CohortDay): SQL {
  const sum = (value: SQL, state: string) =>
    sql`${heldTotal(sql`coalesce(sum(${value}) FILTER (WHERE g.state = ${literal(state)}), 0)`)}::bigint`
  return sql`
    INSERT INTO report_offers
    SELECT ${literal(campaign)}, ${literal(day)}::date, g.offer, g.kind, c.tier, c.segment, count(*),
      count(*) FILTER (WHERE g.state = 'redeemed'), count(*) FILTER (WHERE g.state = 'expired'),
      ${sum(sql`g.expected`, 'granted')}, ${sum(sql`g.face`, 'redeemed')}, ${sum(sql`g.redeemed_value`, 'redeemed')}
    FROM cohort c
    CROSS JOIN LATERAL (
      SELECT * FROM grants g
      WHERE g.contact_id = c.contact_id AND g.episode_id = c.episode_id AND g.state <> 'reserved' OFFSET 0
    ) g
    GROUP BY g.offer, g.kind, c.tier, c.segment`
}
