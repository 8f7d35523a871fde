import { type SQL, sql } from 'drizzle-orm'
import { rows, type Session } from '../database/connect.ts'
import type { Sheet } from './sheet.ts'
import type { Speech } from './words.ts'

// Channels whose provider cannot be reached at this moment: since when, why, and how much waits for it.

export interface AbsentChannel {
  readonly channel: string
  readonly since: Date
  /** What the last try said. */
  readonly detail: string
  /** When it is tried again. */
  readonly nextAt: Date
  /** Messages that are due on it, or were put back untried. */
  readonly waiting: number
}

/** @param campaign whose messages are counted, and whose channels are looked at; without it, those of all */
export async function readAbsences(session: Session, now: Date, campaign?: string): Promise<AbsentChannel[]> {
  const own = (step: SQL) => (campaign === undefined ? sql`true` : sql`${step}.campaign = ${campaign}`)
  return await rows<AbsentChannel>(
    session,
    sql`SELECT a.channel, a.since, a.detail, a.next_at AS "nextAt",
        (SELECT count(*) FROM steps s JOIN touchpoints t USING (step_id)
          WHERE a.channel = ANY (s.channels) AND ${own(sql`s`)} AND t.state = 'planned'
            AND (t.due_at <= ${now} OR t.waits = 'unreachable')) AS waiting
      FROM absences a
      WHERE a.since <= ${now} AND EXISTS (SELECT FROM steps s WHERE a.channel = ANY (s.channels) AND ${own(sql`s`)})
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
  { channel, since, detail, nextAt, waiting }: AbsentChannel,
  now: Date,
  speech: Speech,
): string {
  const [name, from, count] = [speech.channel(channel), speech.moment(since), speech.count(waiting)]
  if (speech.language === 'en') {
    const next = nextAt > now ? `the next try is at ${speech.moment(nextAt)}` : 'the next batch tries it'
    return `${name} cannot be reached since ${from} (${detail}). Messages that wait for it, untried: ${count}; ${next}.`
  }
  const next = nextAt > now ? `下次尝试：${speech.moment(nextAt)}` : '下一批发送时会再次尝试'
  return `${name}自 ${from} 起无法连接（${detail}）。等待中且未计入尝试的消息：${count} 条；${next}。`
}
