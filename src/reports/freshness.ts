import { sql } from 'drizzle-orm'
import { rows, type Session } from '../database/connect.ts'
import { type Annotation, readAnnotations } from './annotations.ts'
import type { Range } from './people-cells.ts'
import { bracketed, type Speech } from './words.ts'

// What stands on every report: whom it is about, and how fresh its figures are.

export interface Freshness {
  /** When the figures were counted last; the oldest of those still moving. Undefined: never. */
  readonly countedAt: Date | undefined
  /** The newest activity there is. */
  readonly activityAt: Date | undefined
  /** Cohort days known to be out of date. */
  readonly stale: number
}

/** Of one campaign, or of all. */
export async function readFreshness(
  session: Session,
  { campaign }: { readonly campaign?: string | undefined },
): Promise<Freshness> {
  const own = campaign === undefined ? sql`true` : sql`campaign = ${campaign}`
  const [found] = await rows<{ countedAt: Date | null; activityAt: Date | null; stale: number }>(
    session,
    sql`
    SELECT (SELECT coalesce(min(rolled_at) FILTER (WHERE open), max(rolled_at)) FROM report_days WHERE ${own})
        AS "countedAt",
      (SELECT max(newest_at) FROM feed_days) AS "activityAt",
      (SELECT count(DISTINCT day) FROM report_dirty WHERE ${own}) AS stale`,
  )
  return {
    countedAt: found?.countedAt ?? undefined,
    activityAt: found?.activityAt ?? undefined,
    stale: found?.stale ?? 0,
  }
}

/** What every report of a campaign begins with. */
export interface About {
  readonly range: Range
  readonly freshness: Freshness
  readonly annotations: readonly Annotation[]
}

export async function readAbout(session: Session, range: Range): Promise<About> {
  return {
    range,
    freshness: await readFreshness(session, range),
    annotations: await readAnnotations(session, range),
  }
}

/** The lines under every title: whom it is about, and how fresh it is. */
export function aboutLines(
  { range, freshness }: Pick<About, 'range' | 'freshness'>,
  speech: Speech,
): string[] {
  const day = (iso: string | undefined) => (iso === undefined ? '…' : speech.day(iso))
  const whom =
    range.from === undefined && range.to === undefined
      ? range.campaign
      : `${range.campaign} · ${speech.word('assignedFrom')} ${day(range.from)} – ${day(range.to && dayBefore(range.to))} UTC`
  return [`${whom} · ${asOfText(range.now, speech)}`, ...freshnessLines(freshness, range.now, speech)]
}

/** The moment figures are of, with the zone it is written in, and those below it: the days of a report are of UTC. */
export function asOfText(now: Date, speech: Speech): string {
  return `${speech.word('asOf')} ${speech.moment(now)}${bracketed(speech.timezone, speech)}`
}

/** How fresh figures are, whatever they are about. */
export function freshnessLines(freshness: Freshness, now: Date, speech: Speech): string[] {
  const en = speech.language === 'en'
  const counted =
    freshness.countedAt === undefined
      ? en
        ? 'not counted yet'
        : '尚未统计'
      : `${en ? 'counted' : '统计于'} ${speech.moment(freshness.countedAt)}`
  const activity =
    freshness.activityAt === undefined
      ? en
        ? 'no activity known'
        : '尚无活跃数据'
      : `${en ? 'newest activity' : '最近活跃'} ${speech.moment(freshness.activityAt)}`
  const late =
    freshness.stale > 0
      ? [
          en
            ? `${speech.count(freshness.stale)} ${freshness.stale === 1 ? 'day' : 'days'} to be counted again`
            : `${speech.count(freshness.stale)} 天待重新统计`,
        ]
      : []
  return [[counted, activity, ...late].join(' · '), ...silenceOf(freshness, now, speech)]
}

/** Whole days without any activity from which on a reader is told: an import a day may be a day late. */
const SILENT = 3

/** A feed that has stopped looks like people who stay away, and a window that ends meanwhile like a complete one. */
function silenceOf({ activityAt }: Freshness, now: Date, speech: Speech): string[] {
  if (activityAt === undefined) return []
  const days = Math.floor((now.getTime() - activityAt.getTime()) / 86_400_000)
  if (days < SILENT) return []
  const n = speech.count(days)
  return [
    speech.language === 'en'
      ? `No activity has come in for ${n} days: who came back since is not known, in either group.`
      : `已有 ${n} 天没有新的活跃数据：此后谁回来过，两组都无从得知。`,
  ]
}

/** The last day of a range, whose end is the day after it. */
function dayBefore(iso: string): string {
  return new Date(Date.parse(iso) - 86_400_000).toISOString().slice(0, 10)
}
