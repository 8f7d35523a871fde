import { type SQL, sql } from 'drizzle-orm'
import { earlier } from '../../../clock.ts'
import { rows, type Session } from '../../../database/connect.ts'
import { type Deferral, whyWaiting } from '../../../reports/deferral.ts'

/** What became of a message, as the outbox tells them apart; `coming` has not ended. */
export const OUTBOX_PARTS = {
  sent: ['sent'],
  failed: ['failed', 'uncertain'],
  skipped: ['skipped', 'cancelled'],
  coming: [],
} as const satisfies Readonly<Record<string, readonly string[]>>

export type OutboxPart = keyof typeof OUTBOX_PARTS

/** Which messages are asked for; what is undefined is not asked for. */
export interface OutboxChoice {
  /** Undefined: all that have ended. */
  readonly what?: OutboxPart | undefined
  readonly campaign?: string | undefined
  /** Of what has not gone out, a channel it may go out on. */
  readonly channel?: string | undefined
}

export interface OutboxLine {
  readonly externalId: string | null
  readonly campaign: string
  readonly step: string
  /** The one it went out on; of what is to come, all it may go out on. */
  readonly channels: readonly string[]
  readonly state: string
  readonly reason: string | null
  /** Why it is put off. */
  readonly deferral: Deferral | null
  /** When it ended, or is due. */
  readonly at: Date
}

/** Messages that are shown. */
export const OUTBOX_LINES = 100

/**
 * Days back that are looked into, one span after the other until a page is full; older messages are in the stories of
 * contacts. Records have no order by time: of a month with a million, all of them were sorted for the last hundred.
 */
const DAYS = [0.25, 2, 31] as const

/** The campaigns and channels there are to choose by. */
export async function readOutboxChoices(
  session: Session,
): Promise<{ campaigns: readonly string[]; channels: readonly string[] }> {
  const [found] = await rows<{ campaigns: string[]; channels: string[] }>(
    session,
    sql`SELECT ARRAY(SELECT DISTINCT campaign FROM steps ORDER BY 1) AS campaigns,
      ARRAY(SELECT DISTINCT unnest(channels) FROM steps ORDER BY 1) AS channels`,
  )
  return found ?? { campaigns: [], channels: [] }
}

/** The last messages of the month that ended, newest first; or the next ones to come, the first due first. */
export async function readOutbox(session: Session, choice: OutboxChoice, now: Date): Promise<OutboxLine[]> {
  if (choice.what === 'coming') return await rows<OutboxLine>(session, comingSql(choice, now))
  let lines: OutboxLine[] = []
  for (const days of DAYS) {
    lines = await rows<OutboxLine>(session, endedSql(choice, now, days))
    if (lines.length === OUTBOX_LINES) break
  }
  return lines
}

/** The last days' partitions alone are looked into. */
function endedSql({ what, campaign, channel }: OutboxChoice, now: Date, days: number): SQL {
  const since = earlier(now, days * 86_400)
  const states = what === undefined ? sql`` : sql` AND state = ANY (${sql.param([...OUTBOX_PARTS[what]])})`
  const steps =
    campaign === undefined
      ? sql``
      : sql` AND step_id IN (SELECT step_id FROM steps WHERE campaign = ${campaign})`
  // What did not go out has no channel of its own: it stands under each it might have gone out on.
  const by =
    channel === undefined
      ? sql``
      : sql` AND (channel = ${channel} OR (channel IS NULL
          AND step_id IN (SELECT step_id FROM steps WHERE ${channel} = ANY (channels))))`
  return sql`SELECT c.external_id AS "externalId", s.campaign, s.step,
      CASE WHEN r.channel IS NULL THEN '{}' ELSE ARRAY[r.channel] END AS channels,
      r.state, r.reason, NULL AS deferral, r.settled_at AS at
    FROM (SELECT * FROM touchpoint_records WHERE settled_at > ${since} AND settled_at <= ${now}${states}${steps}${by}
      ORDER BY settled_at DESC LIMIT ${OUTBOX_LINES}) r
    JOIN steps s USING (step_id) LEFT JOIN contacts c USING (contact_id) ORDER BY r.settled_at DESC`
}

/** Each step's first are read from its index by due time: all that waits is never sorted. */
function comingSql({ campaign, channel }: OutboxChoice, now: Date): SQL {
  const of = campaign === undefined ? sql`true` : sql`s.campaign = ${campaign}`
  const by = channel === undefined ? sql`true` : sql`${channel} = ANY (s.channels)`
  return sql`SELECT c.external_id AS "externalId", t.campaign, t.step, t.channels, t.state, NULL AS reason, t.deferral,
      t.due_at AS at
    FROM (SELECT t.contact_id, t.state, t.due_at, s.campaign, s.step, s.channels, ${whyWaiting(now)} AS deferral
      FROM steps s CROSS JOIN LATERAL (
        SELECT * FROM touchpoints w WHERE w.step_id = s.step_id ORDER BY w.due_at LIMIT ${OUTBOX_LINES}) t
      WHERE ${of} AND ${by} ORDER BY t.due_at LIMIT ${OUTBOX_LINES}) t
    LEFT JOIN contacts c USING (contact_id) ORDER BY t.due_at`
}
