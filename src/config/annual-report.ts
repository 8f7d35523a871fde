import { type SQL, sql } from 'drizzle-orm/sql'
import { earlier } from '../clock.ts'
import type { Workspace } from './workspace.ts'

// The person's own year, read from what they did: `data: annual-report` on a step. It is read for the contacts of a
// batch when the message is made, in the statement that gathers everything else about them.

/** What a step may ask to be read of a contact beside facts: `data` in the campaign file. */
export const DATA_SOURCES = ['annual-report'] as const

/** A value of a data source, by the name templates use. */
export interface DataValue {
  /** `report.orders` */
  readonly path: string
  readonly description: string
}

/** The days a report looks back on. */
const YEAR = 365

/** Names under which an event may say what it was about, the most telling first. */
const SUBJECTS = ['product', 'name', 'title', 'category'] as const

/** What `data: annual-report` gives a template. Money in currency units, moments as ISO 8601 text. */
export const ANNUAL_REPORT: readonly DataValue[] = [
  { path: 'report.member_since', description: 'Sign-up, or the first activity where that is not known' },
  { path: 'report.member_days', description: 'Whole days since then' },
  { path: 'report.from', description: 'Where the year that is looked at begins: 365 days ago' },
  { path: 'report.until', description: 'Where it ends: now' },
  { path: 'report.active_days', description: 'Days of the year with any activity' },
  { path: 'report.orders', description: 'Orders of the year' },
  { path: 'report.spend', description: 'What they came to' },
  {
    path: 'report.favourite',
    description: `What was ordered or liked most often, by the first of the properties ${SUBJECTS.map((name) => `\`${name}\``).join(', ')} that an event has; absent where none has one`,
  },
  { path: 'report.favourites', description: 'How many things were liked or put on a list' },
  {
    path: 'report.best_month',
    description:
      'A moment in the month with the highest spend, else with the most active days: for {{date … style="month"}}',
  },
  { path: 'report.best_month_spend', description: 'What was spent in it; absent without an order' },
  {
    path: 'report.rank',
    description:
      'Among all buyers by lifetime spend: 8 where at most 8 % spent as much or more; absent for who is in the lower half',
  },
  {
    path: 'report.months',
    description: 'For {{chart}} and {{#each}}: twelve months with `month`, `spend`, `orders`, `active_days`',
  },
]

/** What a template may name of the report: its values, and those of a month within {{#each report.months}}. */
export const REPORT_VARIABLES: ReadonlySet<string> = new Set([
  ...ANNUAL_REPORT.map(({ path }) => path),
  ...['month', 'spend', 'orders', 'active_days'].map((name) => `report.months[].${name}`),
])

/** Event types that mean something was liked. */
const LIKES = ['favourite_added', 'like', 'favourite', 'favorite', 'wishlist']

/**
 * The report of one contact as a jsonb `report`, for a LATERAL join over `c` (contacts) and `a` (contact_activity).
 * One pass over the contact's own rows of thirteen months: by the primary key, and by partitions alone that can hold
 * them. Days and months are the workspace's, whose zone is known to exist.
 */
export function annualReportSql(
  workspace: Pick<Workspace, 'activity' | 'orders' | 'timezone'>,
  now: Date,
): SQL {
  const until = sql`${now}::timestamptz`
  const from = sql`${earlier(now, YEAR * 86_400)}::timestamptz`
  const zone = sql`${workspace.timezone}::text`
  const active = sql`y.type = ANY (${sql.param(workspace.activity)}::text[])`
  const ordered = sql`y.type = ${workspace.orders.event}::text`
  const liked = sql`y.type = ANY (${sql.param(LIKES)}::text[])`
  // A list or an object beside them is data of a shop's own, and no words for a letter.
  const words = (
    name: string,
  ) => sql`CASE WHEN jsonb_typeof(y.properties -> ${name}::text) IN ('string', 'number')
    AND y.properties ->> ${name}::text ~ '\\S' THEN y.properties ->> ${name}::text END`
  const subject = sql`coalesce(${sql.join(SUBJECTS.map(words), sql`, `)})`
  const month = (moment: SQL) => sql`date_trunc('month', ${moment} AT TIME ZONE ${zone})`
  return sql`
    WITH year AS (
      SELECT y.type, y.value, (y.occurred_at AT TIME ZONE ${zone})::date AS day, ${month(sql`y.occurred_at`)} AS month,
        ${active} AS active, ${ordered} AS ordered, ${liked} AS liked,
        CASE WHEN ${ordered} OR ${liked} THEN ${subject} END AS subject
      FROM activity y
      WHERE y.contact_id = c.contact_id AND y.occurred_at > ${from} AND y.occurred_at <= ${until}
    ), months AS (
      SELECT m.month, coalesce(sum(y.value) FILTER (WHERE y.ordered), 0) * 0.000001 AS spend,
        count(*) FILTER (WHERE y.ordered) AS orders, count(DISTINCT y.day) FILTER (WHERE y.active) AS active_days
      FROM generate_series(${month(until)} - interval '11 months', ${month(until)}, interval '1 month') AS m(month)
      LEFT JOIN year y ON y.month = m.month
      GROUP BY m.month
    ), best AS (
      -- Of the year itself: it begins in a month before the twelve, of which all but a day may be its own.
      SELECT month, coalesce(sum(value) FILTER (WHERE ordered), 0) * 0.000001 AS spend
      FROM year WHERE ordered OR active GROUP BY month
      ORDER BY spend DESC, count(DISTINCT day) FILTER (WHERE active) DESC, month DESC LIMIT 1
    ), totals AS (
      SELECT count(DISTINCT day) FILTER (WHERE active) AS active_days, count(*) FILTER (WHERE ordered) AS orders,
        coalesce(sum(value) FILTER (WHERE ordered), 0) * 0.000001 AS spend,
        count(*) FILTER (WHERE liked) AS favourites,
        mode() WITHIN GROUP (ORDER BY subject) AS favourite
      FROM year
    ), standing AS (
      -- The highest hundredth whose threshold the contact is beyond: 97 is the top 3 %. Who merely reaches it may be one of
      -- many who spent the same, and they are not all in the top.
      SELECT 100 - max(s.percent) AS rank FROM spend_standings s
      WHERE s.percent >= 50 AND a.orders_count > 0 AND a.orders_total > s.threshold
    )
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'member_since', coalesce(c.signed_up_at, a.first_active_at),
      'member_days', floor(extract(epoch FROM ${until} - coalesce(c.signed_up_at, a.first_active_at)) / 86400),
      'from', ${from}, 'until', ${until},
      'active_days', t.active_days, 'orders', t.orders, 'spend', t.spend,
      'favourite', t.favourite, 'favourites', t.favourites,
      -- Of its middle, which is the same month wherever the reader is.
      'best_month', (SELECT (b.month + interval '14 days 12 hours') AT TIME ZONE ${zone} FROM best b),
      'best_month_spend', (SELECT b.spend FROM best b WHERE b.spend > 0),
      'rank', (SELECT rank FROM standing),
      'months', (SELECT jsonb_agg(jsonb_build_object('month', to_char(month, 'YYYY-MM'), 'spend', spend,
        'orders', orders, 'active_days', active_days) ORDER BY month) FROM months)
    )) AS report
    FROM totals t`
}
