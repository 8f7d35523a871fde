import { type SQL, sql } from 'drizzle-orm'
import { CREDITOR, LONGEST_REST } from '../config/waits.ts'
import { rows, type Session } from '../database/connect.ts'
import type { Sheet } from './sheet.ts'
import type { Speech } from './words.ts'

// Channels whose provider cannot be reached at this moment: since when, why, and how much waits for it. So it is told of
// the provider that credits offers, which stands among them by a name of its own.

export interface AbsentChannel {
  readonly channel: string
  readonly since: Date
  /** What the last try said. */
  readonly detail: string
  /** When it is tried again. */
  readonly nextAt: Date
  /** Messages that are due on it, or were put back untried; as many as were counted. */
  readonly waiting: number
  /** There are more than were counted. */
  readonly more: boolean
}

/** Messages of a step that are counted: Monday must not wait for what a day without mail left behind. */
const COUNTED = 100_000

/**
 * @param campaign whose messages are counted, and whose channels are looked at; without it, those of all
 * @param most messages of a step that are counted, those due first
 */
export async function readAbsences(
  session: Session,
  now: Date,
  campaign?: string,
  most = COUNTED,
): Promise<AbsentChannel[]> {
  const own = (step: SQL) => (campaign === undefined ? sql`true` : sql`${step}.campaign = ${campaign}`)
  return await rows<AbsentChannel>(
    session,
    sql`SELECT a.channel, a.since, a.detail, a.next_at AS "nextAt",
        w.waiting, w.more
      FROM absences a
      CROSS JOIN LATERAL (
        SELECT coalesce(sum(c.waiting), 0)::bigint AS waiting, coalesce(bool_or(c.seen = ${most}), false) AS more
        FROM steps s CROSS JOIN LATERAL (
          SELECT count(*) AS seen,
            count(*) FILTER (WHERE state = 'planned' AND CASE WHEN a.channel = ${CREDITOR} THEN waits = 'credit'
              ELSE due_at <= ${now} OR waits = 'unreachable' END) AS waiting
          FROM (SELECT state, due_at, waits FROM touchpoints t
            WHERE t.step_id = s.step_id AND t.due_at <= ${now}::timestamptz + make_interval(secs => ${LONGEST_REST})
            ORDER BY t.due_at LIMIT ${most}) first
        ) c
        WHERE (a.channel = ANY (s.channels) OR a.channel = ${CREDITOR}) AND ${own(sql`s`)}
      ) w
      WHERE a.since <= ${now} AND CASE WHEN a.channel = ${CREDITOR} THEN ${campaign === undefined} OR w.waiting > 0
        ELSE EXISTS (SELECT FROM steps s WHERE a.channel = ANY (s.channels) AND ${own(sql`s`)}) END
      ORDER BY a.since, a.channel`,
  )
}

/** One sentence a channel. */
export function absenceSentences(
  absent: readonly AbsentChannel[],
  now: Date,
  speech: Speech,
): Sheet['sentences'] {
  return absent.map((each) => ({ text: absenceText(each, now, speech), tone: 'bad' }))
}

/** `E-mail cannot be reached since 3 March, 09:12 …` */
export function absenceText(
  { channel, since, detail, nextAt, waiting, more }: AbsentChannel,
  now: Date,
  speech: Speech,
): string {
  const [name, from, count] = [speech.channel(channel), speech.moment(since), speech.count(waiting)]
  // Each message asks it by itself; there is no next try of all.
  if (channel === CREDITOR) {
    return speech.language === 'en'
      ? `${name} cannot be reached since ${from} (${detail}). Messages that wait for it: ${more ? 'at least ' : ''}${count}; each asks it again within 15 minutes.`
      : `${name}自 ${from} 起无法连接（${detail}）。等待它的消息：${more ? '至少 ' : ''}${count} 条；每条会在 15 分钟内再次请求。`
  }
  if (speech.language === 'en') {
    const next = nextAt > now ? `the next try is at ${speech.moment(nextAt)}` : 'the next batch tries it'
    return `${name} cannot be reached since ${from} (${detail}). Messages that wait for it, untried: ${more ? 'at least ' : ''}${count}; ${next}.`
  }
  const next = nextAt > now ? `下次尝试：${speech.moment(nextAt)}` : '下一批发送时会再次尝试'
  return `${name}自 ${from} 起无法连接（${detail}）。等待中且未计入尝试的消息：${more ? '至少 ' : ''}${count} 条；${next}。`
}
