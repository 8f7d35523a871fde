import { type SQL, sql } from 'drizzle-orm'
import { rows, type Session } from '../../database/connect.ts'

/** How fresh what a page shows is: said on every page. */
export interface PageFreshness {
  /** The newest thing any contact did that we know of; null where nothing was ever imported. */
  readonly newestEvent: Date | null
  /** When a run last ended. */
  readonly lastRun: Date | null
  /** Campaigns whose newest run, of this week, the feed check refused: nobody was taken in. */
  readonly refused: number
  /** What is held back now. */
  readonly paused: number
  /** Channels whose provider cannot be reached. */
  readonly away: readonly string[]
}

export async function readFreshness(session: Session, now: Date): Promise<PageFreshness> {
  const [row] = await rows<PageFreshness>(
    session,
    sql`SELECT (SELECT max(newest_at) FROM feed_days) AS "newestEvent",
          (SELECT max(finished_at) FROM runs WHERE finished_at <= ${now}) AS "lastRun",
          (SELECT count(*) FROM (SELECT DISTINCT campaign FROM campaign_versions) v
            WHERE ${refusedRun(sql`v.campaign`, now)} IS NOT NULL) AS refused,
          (SELECT count(*) FROM switches WHERE state = 'paused') AS paused,
          ARRAY(SELECT channel FROM absences ORDER BY since, channel) AS away`,
  )
  return row ?? { newestEvent: null, lastRun: null, refused: 0, paused: 0, away: [] }
}

/** A run that the feed check refused. */
export interface RefusedRun {
  readonly at: Date
  /** Why, in English. */
  readonly why: string
}

/** The newest run of a campaign, where it was refused and the campaign may run again. */
export async function readRefusedRun(
  session: Session,
  campaign: string,
  now: Date,
): Promise<RefusedRun | undefined> {
  const [found] = await rows<RefusedRun>(
    session,
    sql`SELECT started_at AS at, coalesce(note, '') AS why FROM runs
        WHERE run_id = ${refusedRun(sql`${campaign}::text`, now)}`,
  )
  return found
}

/** Its id. What is older than a week is of a campaign that is over, or of a process that is. */
function refusedRun(campaign: SQL, now: Date): SQL {
  return sql`(SELECT r.run_id FROM (
      SELECT * FROM runs WHERE campaign = ${campaign} ORDER BY scheduled_for DESC LIMIT 1) r
    WHERE r.state = 'refused' AND r.started_at > ${now}::timestamptz - interval '7 days'
      AND NOT EXISTS (SELECT FROM switches s WHERE s.scope = 'campaign' AND s.name = r.campaign AND s.state = 'stopped'))`
}
