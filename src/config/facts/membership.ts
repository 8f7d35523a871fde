import { type SQL, sql } from 'drizzle-orm/sql'
import { ago, type Fact, instant, signal, since } from '../fact.ts'
import type { SignalSettings } from '../signal-settings.ts'

// Beginnings and ends: membership, activation, and when to leave somebody alone.

/** @param attribute the attribute that says when the membership ends, as SQL, where the workspace names one */
export function membershipFacts(settings: SignalSettings, attribute: SQL | undefined): Fact[] {
  // An end that was recorded counts from the moment it happened, whatever the start had promised. What begins at that
  // very moment goes on: a trial became a membership, or one plan another.
  const fromEvents = sql`CASE WHEN s.membership_ended_at > s.membership_started_at OR s.membership_started_at IS NULL
    THEN s.membership_ended_at ELSE s.membership_ends_at END`
  const ends = attribute === undefined ? sql`(${fromEvents})` : sql`coalesce(${attribute}, ${fromEvents})`
  const begun =
    attribute === undefined
      ? sql`s.membership_started_at IS NOT NULL`
      : sql`(s.membership_started_at IS NOT NULL OR ${attribute} IS NOT NULL)`
  return [
    signal('membership.ends', 'timestamp', 'When the membership ends, or ended', () => ends),
    signal(
      'membership.left',
      'duration',
      'Time until then; negative afterwards',
      (now) => sql`-${since(ends, now)}`,
    ),
    signal(
      'membership.active',
      'bool',
      'There is a membership and it has not ended',
      (now) => sql`coalesce(${begun} AND coalesce(${ends} > ${instant(now)}, true), false)`,
    ),
    signal(
      'activation.at',
      'timestamp',
      'The first event that counts as activation',
      () => sql`s.activated_at`,
    ),
    signal(
      'activation.waiting',
      'duration',
      'Time since sign-up without activation; absent once activated',
      (now) => sql`CASE WHEN s.activated_at IS NULL THEN ${since(sql`c.signed_up_at`, now)} END`,
    ),
    signal(
      'episodes.unanswered',
      'number',
      'Episodes that ended without a recall since the last recall',
      (now) => unansweredSql(now),
    ),
    signal(
      'sunset',
      'bool',
      'Better left alone: that many unanswered episodes (`signals.sunset`), or signed up long ago and never active',
      (now) => sql`(${unansweredSql(now)} >= ${settings.sunset.episodes}::int
        OR coalesce(a.last_active_at IS NULL AND c.signed_up_at <= ${ago(now, settings.sunset.never_active)}, false))`,
    ),
  ]
}

/** By the contact's own few episodes, through their primary key. Held-out ones count alike, so that the arms stay comparable. */
function unansweredSql(now: Date): SQL {
  return sql`(SELECT count(*) FILTER (WHERE mine.ended_at > coalesce(mine.recalled, '-infinity'))::numeric
    FROM (SELECT past.ended_at, max(past.ended_at) FILTER (WHERE past.end_reason = 'recalled') OVER () AS recalled
      FROM episodes past WHERE past.contact_id = c.contact_id AND past.arm <> 'seed' AND past.ended_at <= ${instant(now)}) mine)`
}
