import { type SQL, sql } from 'drizzle-orm'
import { type CohortDay, literal } from './cohort-day.ts'

// Of one cohort day, what became of its messages, and what providers said of those that failed. Over the temporary tables of
// cohort-sql.ts.

/** The last message before a recall is the one it is attributed to, where it was one of ours. */
export function countMessages({ campaign, day }: CohortDay): SQL {
  return sql`
    INSERT INTO report_messages
    WITH attributed AS (
      SELECT DISTINCT ON (m.contact_id, m.episode_id) m.contact_id, m.touchpoint_id
      FROM cohort_messages m JOIN cohort c USING (contact_id, episode_id)
      WHERE m.state = 'sent' AND c.y = 1 AND m.settled_at <= c.recalled_at
      ORDER BY m.contact_id, m.episode_id, m.settled_at DESC, m.touchpoint_id
    ), placed AS (
      SELECT m.*, (m.at AT TIME ZONE 'UTC')::date AS sent_on, a.contact_id IS NOT NULL AS recalled,
        CASE WHEN m.channel = 'email' THEN lower(split_part(coalesce(t.email, ''), '@', 2)) ELSE '' END AS domain
      FROM cohort_messages m
      LEFT JOIN LATERAL (
        SELECT t.email FROM contacts t WHERE t.contact_id = m.contact_id AND m.channel = 'email' OFFSET 0
      ) t ON true
      LEFT JOIN attributed a ON a.contact_id = m.contact_id AND a.touchpoint_id = m.touchpoint_id
    ), known AS (
      SELECT domain FROM placed WHERE domain <> '' GROUP BY domain ORDER BY count(*) DESC, domain LIMIT 12
    )
    SELECT ${literal(campaign)}, ${literal(day)}::date, sent_on, step_id, channel,
      CASE WHEN domain = '' OR domain IN (SELECT domain FROM known) THEN domain ELSE 'other' END AS domain, state, reason,
      count(*), count(*) FILTER (WHERE delivered), count(*) FILTER (WHERE opened), count(*) FILTER (WHERE clicked),
      count(*) FILTER (WHERE bounced), count(*) FILTER (WHERE complained), count(*) FILTER (WHERE recalled),
      coalesce(sum(seconds), 0)::bigint, count(*) FILTER (WHERE seconds > 600), count(seconds)
    FROM placed GROUP BY sent_on, step_id, channel, 6, state, reason`
}

/** The ten things that were said most often on a day, of a channel; each counted of all it was said of. */
export function countErrors({ campaign, day }: CohortDay): SQL {
  return sql`
    INSERT INTO report_errors
    SELECT ${literal(campaign)}, ${literal(day)}::date, sent_on, channel, reason, detail, messages FROM (
      SELECT *, row_number() OVER (PARTITION BY sent_on, channel ORDER BY messages DESC, detail, reason) AS place
      FROM (
        SELECT (at AT TIME ZONE 'UTC')::date AS sent_on, channel, reason,
          left(${withoutNames(sql`coalesce(detail, '')`)}, 200) AS detail, count(*) AS messages
        FROM cohort_messages WHERE state = 'failed' GROUP BY 1, 2, 3, 4
      ) said
    ) ranked WHERE place <= 10`
}

/**
 * What a provider said without the address, number or id it said it of: the same refusal of many people is one line, and
 * reports neither name nor keep anybody, who may be erased later. A number has a plus before it or nine digits, which no reply
 * code of SMTP has.
 */
function withoutNames(detail: SQL): SQL {
  return sql`regexp_replace(regexp_replace(${detail}, '[^[:space:]@"''<>(),:;]+@[[:alnum:].-]+', '…', 'g'),
    '\\+[0-9][0-9 .-]{6,18}[0-9]|[0-9]{9,}', '…', 'g')`
}
