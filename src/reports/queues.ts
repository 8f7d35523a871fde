import { sql } from 'drizzle-orm'
import { rows, type Session } from '../database/connect.ts'
import type { Language } from './words.ts'

// The queues that schedulers and workers have, and whether somebody of both is at each. What is handed to one is taken by
// nobody who looks at another, and what a scheduler alone hands out by nobody at all; each of them finds its own in order.

/** A queue, and the machines on which somebody runs who has it. */
export interface Queue {
  readonly engine: 'postgres' | 'redis'
  /** Where it is, as one of them names it. */
  readonly place: string
  readonly schedulers: readonly string[]
  readonly workers: readonly string[]
}

/** Seconds for which a process is believed to run since it was last seen; it is seen every {@link SEEN_EVERY}. */
export const BELIEVED = 60
export const SEEN_EVERY = 15

/** The queues of those who run at this moment, by the database's own time. */
export async function readQueues(session: Session): Promise<Queue[]> {
  return await rows<Queue>(
    session,
    sql`SELECT min(engine) AS engine, min(place) AS place,
        coalesce(array_agg(DISTINCT host ORDER BY host) FILTER (WHERE role = 'scheduler'), '{}') AS schedulers,
        coalesce(array_agg(DISTINCT host ORDER BY host) FILTER (WHERE role = 'worker'), '{}') AS workers
      FROM queue_processes WHERE seen_at > clock_timestamp() - make_interval(secs => ${BELIEVED})
      GROUP BY queue_id ORDER BY 1, 2, 3, 4`,
  )
}

/** Nobody takes what is handed out, nobody hands anything out, or both are there and at different queues. */
export type Gap = 'no_worker' | 'no_scheduler' | 'apart'

/** What keeps those who run from working together. Two queues that have both sides each do their work. Pure. */
export function gapBetween(queues: readonly Queue[]): Gap | undefined {
  if (queues.every(({ schedulers, workers }) => schedulers.length > 0 && workers.length > 0)) return undefined
  if (queues.every(({ workers }) => workers.length === 0)) return 'no_worker'
  return queues.every(({ schedulers }) => schedulers.length === 0) ? 'no_scheduler' : 'apart'
}

/** What the gap is, who has which queue, and what is to be done. */
export function gapText(
  gap: Gap,
  queues: readonly Queue[],
  language: Language,
): { readonly found: string; readonly mend: string } {
  return gap === 'apart' ? apartText(queues, language) : aloneText(gap, queues, language)
}

function aloneText(gap: Exclude<Gap, 'apart'>, queues: readonly Queue[], language: Language) {
  const hosts = [
    ...new Set(queues.flatMap(({ schedulers, workers }) => [...schedulers, ...workers])),
  ].toSorted()
  const en = hosts.join(', ')
  const zh = hosts.join('、')
  if (gap === 'no_worker') {
    return language === 'en'
      ? {
          found: `a scheduler runs (${en}) and no worker: nothing is sent`,
          mend: 'Start one: `winback worker`, or `winback start` for all in one process. What is due waits until then.',
        }
      : {
          found: `只有调度器在运行（${zh}），没有工作进程：不会发送任何消息`,
          mend: '请启动工作进程：`winback worker`；或用 `winback start` 在一个进程中运行全部。到期的消息会一直等待。',
        }
  }
  return language === 'en'
    ? {
        found: `a worker runs (${en}) and no scheduler: no campaign runs, and nothing is handed out to be sent`,
        mend: 'Start one: `winback scheduler`, or `winback start` for all in one process. A run that was missed is caught up.',
      }
    : {
        found: `只有工作进程在运行（${zh}），没有调度器：活动不会运行，也不会分派任何消息`,
        mend: '请启动调度器：`winback scheduler`；或用 `winback start` 在一个进程中运行全部。错过的运行会补上。',
      }
}

function apartText(queues: readonly Queue[], language: Language) {
  const lines = queues.map((queue) => `${nameOf(queue, language)}${peopleOf(queue, language)}`)
  return language === 'en'
    ? {
        found: `schedulers and workers have different queues, and what is handed to one is taken by nobody at another: ${lines.join('; ')}`,
        mend:
          'Give all of them the same `redis.url` in winback.yaml (REDIS_URL), or none, and start those anew that had another. ' +
          'Nothing is lost: what nobody took is handed out again after five minutes.',
      }
    : {
        found: `调度器与工作进程使用的队列不同，交给其中一个队列的消息，其他队列上无人处理：${lines.join('；')}`,
        mend:
          '请让所有进程使用相同的 `redis.url`（winback.yaml，REDIS_URL），或都不设置，再重启用错队列的进程。' +
          '不会丢失数据：无人处理的消息五分钟后会重新分派。',
      }
}

function nameOf({ engine, place }: Queue, language: Language): string {
  if (engine === 'postgres') return language === 'en' ? 'the database' : '数据库'
  return language === 'en' ? `Redis at ${place}` : `${place} 的 Redis`
}

function peopleOf({ schedulers, workers }: Queue, language: Language): string {
  const parts = [
    [schedulers, 'scheduler on ', '调度器位于 '],
    [workers, 'worker on ', '工作进程位于 '],
  ] as const
  const said = parts.flatMap(([hosts, en, zh]) =>
    hosts.length === 0 ? [] : [language === 'en' ? `${en}${hosts.join(', ')}` : `${zh}${hosts.join('、')}`],
  )
  return language === 'en' ? ` (${said.join(' and ')})` : `（${said.join('，')}）`
}
