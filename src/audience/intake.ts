import { sql } from 'drizzle-orm'
import { rows, type Session } from '../database/connect.ts'
import { everybody } from './entries/entry.ts'
import { answersSql, type Selection } from './select.ts'

/**
 * The last contact that today's intake still takes in, or undefined where all may come. Counts what this local day
 * has opened already. One pass over the considered, before the first chunk.
 */
export async function intakeBound(
  session: Session,
  selection: Selection,
): Promise<{ since: Date; contact: number } | undefined> {
  const { campaign, now } = selection
  const { backlog, order } = campaign.definition.intake
  if (!backlog) return undefined
  const [today] = await rows<{ opened: number }>(
    session,
    sql`SELECT coalesce(sum(a.contacts), 0)::bigint AS opened FROM run_answers a JOIN runs r USING (run_id)
      WHERE r.campaign = ${campaign.name} AND a.answer = 'opened' AND r.as_of <= ${now}
        AND (r.as_of AT TIME ZONE ${campaign.timezone})::date = (${now}::timestamptz AT TIME ZONE ${campaign.timezone})::date`,
  )
  const room = Math.max(0, backlog.count - (today?.opened ?? 0))
  // Ranking them answers for every contact once more: not where there is a place for each of them.
  if (!(await moreContactsThan(session, room))) return undefined
  const direction = order === 'newest' ? sql`DESC` : sql`ASC`
  const bounds = await rows<{ since: Date; contact: number; place: number }>(
    session,
    sql`
    SELECT since, contact_id AS contact, place FROM (
      SELECT date_trunc('milliseconds', since) AS since, contact_id, row_number() OVER (
        ORDER BY date_trunc('milliseconds', since) ${direction}, contact_id ${direction}) AS place
      FROM (${answersSql({ campaign, now }, everybody)}) everyone WHERE answer = 'opened'
    ) placed WHERE place IN (${room}, ${room + 1}) ORDER BY place`,
  )
  const beyond = bounds.find((row) => row.place === room + 1)
  if (!beyond) return undefined
  const last = bounds.find((row) => row.place === room)
  if (last) return { since: last.since, contact: last.contact }
  // No room at all: a bound that nobody meets.
  return order === 'newest'
    ? { since: new Date('9999-01-01T00:00:00Z'), contact: 0 }
    : { since: new Date('0001-01-01T00:00:00Z'), contact: 0 }
}

/** Whether there are more contacts than so many; no more than those are counted. */
async function moreContactsThan(session: Session, most: number): Promise<boolean> {
  const [found] = await rows<{ more: boolean }>(
    session,
    sql`SELECT EXISTS (SELECT FROM contacts OFFSET ${most}) AS more`,
  )
  return found?.more === true
}
