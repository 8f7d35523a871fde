import { type SQL, sql } from 'drizzle-orm/sql'
import { ago, type Fact, signal, since } from '../fact.ts'
import type { SignalSettings } from '../signal-settings.ts'

// Silent is not lost: a monthly buyer who has been quiet for a week is within their own rhythm.

/** Why somebody counts as active, falsely silent or lost, in the order in which it is looked for. */
export const CHURN_REASONS = {
  recent: 'active',
  cart: 'false',
  favourite: 'false',
  comment: 'false',
  rhythm: 'false',
  silent: 'true',
} as const

/**
 * The reason of {@link CHURN_REASONS}, NULL for whoever has neither activity nor a sign-up date. The usual pause is
 * the 90th percentile of the contact's own pauses, and known from the third day of activity on. An unfinished act
 * counts where it is younger than the last activity (or was that itself): what was favourited before is no sign.
 */
function reasonSql(settings: SignalSettings['churn'], now: Date): SQL {
  const oldest = ago(now, settings.unfinished)
  const unfinished = (moment: SQL) =>
    sql`${moment} > ${oldest} AND ${moment} >= coalesce(a.last_active_at, a.silent_since)`
  return sql`(CASE WHEN a.silent_since IS NULL THEN NULL
    WHEN a.silent_since > ${ago(now, settings.silent)} THEN 'recent'
    WHEN s.cart_items > 0 AND s.cart_at > ${oldest} THEN 'cart'
    WHEN ${unfinished(sql`s.favourite_at`)} THEN 'favourite'
    WHEN ${unfinished(sql`s.comment_at`)} THEN 'comment'
    WHEN ${since(sql`a.last_active_at`, now)} <= s.usual_pause * ${settings.rhythm}::numeric THEN 'rhythm'
    ELSE 'silent' END)`
}

export function churnFacts(settings: SignalSettings): Fact[] {
  const reason = (now: Date) => reasonSql(settings.churn, now)
  return [
    {
      ...signal(
        'churn',
        'string',
        'active, false (silent, but within their own rhythm or with an unfinished act) or true',
        (now) => sql`(SELECT CASE WHEN k.reason = 'recent' THEN 'active' WHEN k.reason = 'silent' THEN 'true'
        WHEN k.reason IS NOT NULL THEN 'false' END FROM (SELECT ${reason(now)} AS reason OFFSET 0) k)`,
      ),
      values: ['active', 'false', 'true'],
    },
    {
      ...signal('churn_reason', 'string', 'Why: recent, cart, favourite, comment, rhythm or silent', reason),
      values: ['recent', 'cart', 'favourite', 'comment', 'rhythm', 'silent'],
    },
    signal(
      'rhythm.pause',
      'duration',
      'The usual pause between days of activity: nine in ten of theirs were no longer',
      () => sql`s.usual_pause`,
    ),
    signal(
      'use.days',
      'number',
      'On how many days there was activity',
      () => sql`coalesce(s.active_days, 0)::numeric`,
    ),
  ]
}
