import { sql } from 'drizzle-orm'
import { rows, type Session } from '../../database/connect.ts'

/** How fresh what a page shows is: said on every page. */
export interface PageFreshness {
  /** The newest thing any contact did that we know of; null where nothing was ever imported. */
  readonly newestEvent: Date | null
  /** When a run last ended. */
  readonly lastRun: Date | null
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
          (SELECT count(*) FROM switches WHERE state = 'paused') AS paused,
          ARRAY(SELECT channel FROM absences ORDER BY since, channel) AS away`,
  )
  return row ?? { newestEvent: null, lastRun: null, paused: 0, away: [] }
}
