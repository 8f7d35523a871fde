import { sql } from 'drizzle-orm'
import type { Chart, LineChart } from '../charts/chart.ts'
import { rows } from '../database/connect.ts'
import type { Estimate, NotEnough } from '../statistics/estimate.ts'
import { newcombe } from '../statistics/newcombe.ts'
import { type CostData, costWithin, priceCell } from './cost.ts'
import {
  type Arm,
  checkSplit,
  type Effect,
  effectOf,
  type SplitCheck,
  type Verdict,
  verdictOf,
} from './effect.ts'
import { type Annotation, aboutLines, annotationNotes, type Freshness, marksOf } from './freshness.ts'
import { nothingYet } from './funnel.ts'
import { countsOf, inRange, type PeopleCell, type Range, readPeople, total } from './people-cells.ts'
import type { CampaignQuestion } from './question.ts'
import type { TextStyle } from './report.ts'
import { left, right, type Sheet, type SheetTable, writing } from './sheet.ts'
import { inSnapshot, type Readable } from './snapshot.ts'
import type { Speech } from './words.ts'

// The first page: what a marketer asks on Monday. Weeks are those of the assignment, Monday to Sunday, UTC.

export interface Week {
  /** The Monday, ISO. */
  readonly day: string
  readonly effect: Effect
}

/** One group against the other in one respect, over all assigned. */
export interface Contrast {
  readonly name: string
  readonly treated: { readonly count: number; readonly of: number }
  readonly heldOut: { readonly count: number; readonly of: number }
  /** Rates: Newcombe. Undefined where it is a mean and only its two values are given. */
  readonly difference: Estimate | NotEnough | undefined
}

export interface MondayData {
  readonly range: Range
  readonly freshness: Freshness
  readonly annotations: readonly Annotation[]
  readonly split: SplitCheck
  readonly verdict: Verdict
  readonly overall: Effect
  /** The newest week whose observation is complete, and the week before. */
  readonly lastFinal: Week | undefined
  readonly weekBefore: Week | undefined
  /** The newest week whose intake is over while its observation is not, at its age in days; the last final week beside it at the same age. */
  readonly running:
    | { readonly week: Week; readonly age: number; readonly finalAtThatAge: Effect | undefined }
    | undefined
  readonly weeks: readonly Week[]
  readonly cost: CostData
  /** By channel: messages, the recalls that came next after one, micros spent. Attributed, not incremental. */
  readonly channels: readonly {
    readonly channel: string
    readonly sent: number
    readonly recalled: number
    readonly spend: number
  }[]
  readonly annoyed: readonly Contrast[]
  readonly touchesAHead: number | undefined
  readonly stayed: readonly Contrast[]
}

export async function readMonday(readable: Readable, question: CampaignQuestion): Promise<MondayData> {
  return await inSnapshot(readable, async (session) => {
    const weeks = await readPeople(session, question, ['week', 'version'])
    const split = checkSplit(weeks, question.split)
    const overall = effectOf(countsOf(weeks, 'treated'), countsOf(weeks, 'holdout'))
    const monday = (week: string) => weeks.filter((cell) => cell.day === week)
    const all = [...new Set(weeks.map((cell) => cell.day))].sort()
    const over = (week: string) => Date.parse(week) + 7 * DAY <= question.now.getTime()
    const final = all.filter((week) => over(week) && monday(week).every((cell) => cell.final))
    const weekOf = (week: string | undefined): Week | undefined =>
      week === undefined
        ? undefined
        : {
            day: week,
            effect: effectOf(countsOf(monday(week), 'treated'), countsOf(monday(week), 'holdout')),
          }
    const lastFinal = final.at(-1)
    const before = lastFinal === undefined ? undefined : isoDay(Date.parse(lastFinal) - 7 * DAY)
    const runningWeek = all
      .filter((week) => over(week) && !final.includes(week) && ageOf(week, question.now) >= 1)
      .at(-1)
    const cost = await costWithin(session, question)
    const channels = await rows<MondayData['channels'][number]>(
      session,
      sql`
      SELECT m.channel, m.sent, m.recalled, coalesce(c.spend, 0)::bigint AS spend
      FROM (SELECT channel, sum(messages)::bigint AS sent, sum(recalled)::bigint AS recalled FROM report_messages
            WHERE ${inRange(question)} AND state = 'sent' GROUP BY channel) m
      LEFT JOIN (SELECT channel, sum(amount)::bigint AS spend FROM report_costs WHERE ${inRange(question)} AND kind = 'spend'
                 GROUP BY channel) c USING (channel)
      ORDER BY m.recalled DESC, m.channel`,
    )
    const reachedAge = runningWeek === undefined ? 0 : ageOf(runningWeek, question.now)
    const byAge =
      runningWeek === undefined
        ? []
        : await rows<{ week: string; arm: string; recalls: number }>(
            session,
            sql`
            SELECT date_trunc('week', day)::date::text AS week, arm, sum(recalls)::bigint AS recalls FROM report_recalls
            WHERE ${inRange(question)} AND age < ${reachedAge} GROUP BY 1, 2`,
          )
    const atAge = (week: string): Effect => {
      const arm = (name: 'treated' | 'holdout') => {
        const cells = monday(week).filter((cell) => cell.arm === name)
        const assigned = total(cells, 'assigned')
        const recalled = byAge
          .filter((row) => row.week === week && row.arm === name)
          .reduce((sum, row) => sum + row.recalls, 0)
        return { assigned, contaminated: total(cells, 'contaminated'), matured: assigned, recalled }
      }
      return effectOf(arm('treated'), arm('holdout'))
    }
    const treated = weeks.filter((cell) => cell.arm === 'treated')
    return {
      range: question,
      freshness: cost.freshness,
      annotations: cost.annotations,
      split,
      verdict: verdictOf(overall, split.alarm),
      overall,
      lastFinal: weekOf(lastFinal),
      weekBefore: final.includes(before ?? '') ? weekOf(before) : undefined,
      running:
        runningWeek === undefined
          ? undefined
          : {
              week: { day: runningWeek, effect: atAge(runningWeek) },
              age: reachedAge,
              finalAtThatAge: lastFinal === undefined ? undefined : atAge(lastFinal),
            },
      weeks: final.flatMap((week) => weekOf(week) ?? []),
      cost,
      channels,
      annoyed: annoyedOf(weeks),
      touchesAHead:
        total(treated, 'assigned') > 0 ? total(treated, 'touches') / total(treated, 'assigned') : undefined,
      stayed: stayedOf(weeks),
    }
  })
}

const DAY = 86_400_000

function isoDay(at: number): string {
  return new Date(at).toISOString().slice(0, 10)
}

/** Whole days that the week's last comer has been observed. */
function ageOf(week: string, now: Date): number {
  return Math.floor((now.getTime() - (Date.parse(week) + 7 * DAY)) / DAY)
}

function contrast(
  cells: readonly PeopleCell[],
  name: string,
  count: (of: readonly PeopleCell[]) => number,
  base: (of: readonly PeopleCell[]) => number,
  rate = true,
): Contrast {
  const side = (arm: Arm) => {
    const own = cells.filter((cell) => cell.arm === arm)
    return { count: count(own), of: base(own) }
  }
  const [treated, heldOut] = [side('treated'), side('holdout')]
  return {
    name,
    treated,
    heldOut,
    difference: rate
      ? newcombe(
          { recalled: treated.count, assigned: treated.of },
          { recalled: heldOut.count, assigned: heldOut.of },
        )
      : undefined,
  }
}

function annoyedOf(cells: readonly PeopleCell[]): Contrast[] {
  const assigned = (of: readonly PeopleCell[]) => total(of, 'assigned')
  return (['optedOut', 'complained', 'uninstalled'] as const).map((figure) =>
    contrast(cells, figure, (of) => total(of, figure), assigned),
  )
}

function stayedOf(cells: readonly PeopleCell[]): Contrast[] {
  return [
    ...([7, 30, 90] as const).map((age) =>
      contrast(
        cells,
        `active${age}`,
        (of) => total(of, `active${age}`),
        (of) => total(of, `past${age}`),
      ),
    ),
    contrast(
      cells,
      'fullPriceBuyers30',
      (of) => total(of, 'fullPriceBuyers30'),
      (of) => total(of, 'past30'),
    ),
    contrast(
      cells,
      'fullPrice30',
      (of) => total(of, 'fullPrice30'),
      (of) => total(of, 'past30'),
      false,
    ),
    contrast(
      cells,
      'orders30',
      (of) => total(of, 'orders30'),
      (of) => total(of, 'past30'),
      false,
    ),
  ]
}

const CONTRASTS: Readonly<Record<string, { en: string; 'zh-CN': string }>> = {
  optedOut: { en: 'opted out', 'zh-CN': '退订' },
  complained: { en: 'complained', 'zh-CN': '投诉' },
  uninstalled: { en: 'took the app off', 'zh-CN': '卸载应用' },
  active7: { en: 'active in the week to day 7', 'zh-CN': '第 7 天前一周内活跃' },
  active30: { en: 'active in the week to day 30', 'zh-CN': '第 30 天前一周内活跃' },
  active90: { en: 'active in the week to day 90', 'zh-CN': '第 90 天前一周内活跃' },
  fullPriceBuyers30: { en: 'bought without a coupon in 30 days', 'zh-CN': '30 天内不用券下单的人' },
  fullPrice30: { en: 'orders without a coupon, a hundred heads', 'zh-CN': '每百人不用券订单数' },
  orders30: { en: 'orders in 30 days, a hundred heads', 'zh-CN': '每百人 30 天订单数' },
}

export function mondaySheet(data: MondayData, style: TextStyle): Sheet {
  const { speech, cell, en } = writing(style)
  const w = speech.word
  const off = data.split.alarm
  const date = (iso: string) => speech.date(new Date(`${iso}T00:00:00Z`))
  const week = (name: string, effect: Effect) => {
    const { difference, recalls } = effect
    const known = difference.kind === 'estimate' && recalls.kind === 'estimate' && !off
    return [
      cell.text(name),
      cell.count(effect.treated.matured),
      cell.percent(effect.treated.rate.kind === 'estimate' ? effect.treated.rate.value : undefined),
      cell.percent(effect.heldOut.rate.kind === 'estimate' ? effect.heldOut.rate.value : undefined),
      known ? { text: speech.signed(recalls.value), value: recalls.value } : cell.none,
      cell.text(
        off
          ? w('noConclusion')
          : known
            ? `${speech.signed(recalls.low)} … ${speech.signed(recalls.high)}`
            : w('notEnough'),
      ),
    ]
  }
  const { lastFinal, weekBefore, running } = data
  const weeks: SheetTable = {
    id: 'weeks',
    title: en ? 'Won back, by the week they were taken in' : '按纳入周统计的召回',
    columns: [
      left(''),
      right(w('treated')),
      right(w('recalled')),
      right(en ? 'without us' : '不触达'),
      right(en ? 'won back' : w('wonBack')),
      left(w('interval')),
    ],
    rows: [
      ...(lastFinal
        ? [week(`${en ? 'complete,' : '最近完整周'} ${date(lastFinal.day)}`, lastFinal.effect)]
        : []),
      ...(weekBefore
        ? [week(`${en ? 'before that,' : '前一周'} ${date(weekBefore.day)}`, weekBefore.effect)]
        : []),
      ...(running
        ? [
            week(
              en
                ? `running, ${date(running.week.day)}, day ${speech.count(running.age)}`
                : `观察中 ${date(running.week.day)}，第 ${speech.count(running.age)} 天`,
              running.week.effect,
            ),
          ]
        : []),
      ...(running?.finalAtThatAge
        ? [week(en ? 'the complete one at that age' : '完整周在同一天数时', running.finalAtThatAge)]
        : []),
      ...(data.overall.treated.assigned > 0
        ? [week(en ? 'all complete so far' : '全部观察期已满', data.overall)]
        : []),
    ],
    empty: nothingYet(speech),
  }
  const earning: SheetTable = {
    id: 'earning',
    title: en ? 'Which tier earns more' : '哪个阶段更赚',
    columns: [
      left(''),
      left(en ? 'one won back costs' : '每多召回一人'),
      left(en ? 'brings in, a head contacted' : '每触达一人的净收益'),
    ],
    rows: data.cost.prices.map((price) => [
      cell.text(price.name === '' ? w('all') : price.name),
      priceCell(price.withLabour, off, speech),
      price.benefit && !off
        ? {
            text: `${speech.money(price.benefit.value)} (${speech.money(price.benefit.low)} … ${speech.money(price.benefit.high)})`,
            value: price.benefit.value / 1e6,
          }
        : cell.none,
    ]),
    empty: nothingYet(speech),
  }
  const channels: SheetTable = {
    id: 'channels',
    title: en
      ? 'Which channel came last before a return (not: because of it)'
      : '召回前的最后渠道（不代表因其召回）',
    columns: [
      left(en ? 'channel' : '渠道'),
      right(en ? 'sent' : '已发送'),
      right(en ? 'came back next' : '随后召回'),
      right(en ? 'a hundred sent' : '每百条'),
      right(w('spend')),
    ],
    rows: data.channels.map((each) => [
      cell.text(each.channel),
      cell.count(each.sent),
      cell.count(each.recalled),
      cell.plain(each.sent > 0 ? (100 * each.recalled) / each.sent : undefined),
      cell.money(each.spend),
    ]),
    empty: en ? 'Nothing was sent yet.' : '尚未发送。',
  }
  const contrastTable = (id: string, title: string, contrasts: readonly Contrast[]): SheetTable => ({
    id,
    title,
    columns: [
      left(''),
      right(w('treated')),
      right(w('holdout')),
      right(en ? 'points' : '百分点'),
      left(w('interval')),
    ],
    rows: contrasts
      .filter(({ treated, heldOut }) => treated.of + heldOut.of > 0)
      .map(({ name, treated, heldOut, difference }) => {
        const show = (side: { count: number; of: number }) =>
          side.of === 0
            ? cell.none
            : difference === undefined
              ? cell.plain((100 * side.count) / side.of)
              : cell.percent(side.count / side.of)
        const known = difference?.kind === 'estimate' && !off
        return [
          cell.text(CONTRASTS[name]?.[speech.language] ?? name),
          show(treated),
          show(heldOut),
          known ? cell.points(difference.value) : cell.none,
          cell.text(
            off
              ? w('noConclusion')
              : known
                ? `${speech.points(difference.low)} … ${speech.points(difference.high)}`
                : difference === undefined
                  ? ''
                  : w('notEnough'),
          ),
        ]
      }),
    empty: en ? 'Nobody has been observed for long enough yet.' : '观察时间还不够。',
  })
  const touches =
    data.touchesAHead === undefined
      ? []
      : [
          en
            ? `${speech.plain(data.touchesAHead)} messages a head contacted.`
            : `触达组人均 ${speech.plain(data.touchesAHead)} 条消息。`,
        ]
  return {
    name: 'monday',
    title: en ? 'Monday' : '周一速览',
    about: aboutLines(data, speech),
    sentences: sentencesOf(data, speech),
    tables: [
      weeks,
      earning,
      channels,
      contrastTable('annoyed', en ? 'Did we annoy people' : '是否打扰了人', data.annoyed),
      contrastTable(
        'stayed',
        en ? 'Did they stay, and buy without a coupon' : '是否留下，是否不用券也买',
        data.stayed,
      ),
    ],
    charts: off ? [] : weeklyChart(data, speech),
    notes: [
      ...touches,
      ...(data.cost.acquisition === undefined
        ? []
        : [`${w('acquisition')}: ${speech.money(data.cost.acquisition)}`]),
      ...annotationNotes(data.annotations, speech),
    ],
  }
}

function sentencesOf(data: MondayData, speech: Speech): Sheet['sentences'] {
  const en = speech.language === 'en'
  const n = speech.count
  if (data.split.alarm) {
    return [
      {
        text: en
          ? 'Groups are off, no conclusion: see the lift report for what does not fit.'
          : '分组异常，结论不可用：详见增量报告。',
        tone: 'bad',
      },
    ]
  }
  const { lastFinal, weekBefore, running } = data
  const date = (iso: string) => speech.date(new Date(`${iso}T00:00:00Z`))
  const words: Sheet['sentences'][number][] = []
  if (!lastFinal) {
    words.push({
      text: en
        ? data.overall.treated.assigned === 0
          ? 'Not yet: nobody has been assigned.'
          : 'Not yet: no week is complete. Until then, look at the one that is running.'
        : data.overall.treated.assigned === 0
          ? '暂无结论：还没有人进入分组。'
          : '暂无结论：尚无观察期已满的一周。',
      tone: 'plain',
    })
  } else {
    const won = (week: Week) => (week.effect.recalls.kind === 'estimate' ? week.effect.recalls : undefined)
    const [now, before] = [won(lastFinal), weekBefore && won(weekBefore)]
    const against = before
      ? en
        ? `, against ${n(before.value)} the week before`
        : `，前一周为 ${n(before.value)} 人`
      : ''
    const few = lastFinal.effect.sequence.kind === 'not_enough'
    words.push({
      text:
        now && !few
          ? en
            ? `Of those taken in in the week of ${date(lastFinal.day)}, ${n(now.value)} came back because of us (${n(now.low)} to ${n(now.high)})${against}.`
            : `${date(lastFinal.day)} 当周纳入者中，多召回 ${n(now.value)} 人（${n(now.low)} 至 ${n(now.high)}）${against}。`
          : en
            ? `The week of ${date(lastFinal.day)} is complete, but too few came back in one of the groups to tell.`
            : `${date(lastFinal.day)} 当周观察期已满，但有一组回来的人太少，暂算不出。`,
      tone: now && !few && now.low > 0 ? 'good' : now && !few && now.high < 0 ? 'bad' : 'plain',
    })
  }
  if (running) {
    // The gate of every verdict: with fewer returns a figure would jump by tens of points from one day to the next.
    const rate = (effect: Effect | undefined) =>
      effect?.difference.kind === 'estimate' && effect.sequence.kind !== 'not_enough'
        ? speech.points(effect.difference.value)
        : undefined
    const [own, then] = [rate(running.week.effect), rate(running.finalAtThatAge)]
    if (own === undefined) {
      words.push({
        text: en
          ? `The week of ${date(running.week.day)} is ${n(running.age)} days old; too few came back so far to tell.`
          : `${date(running.week.day)} 当周已观察 ${n(running.age)} 天，目前回来的人太少，暂算不出。`,
        tone: 'faint',
      })
    } else {
      words.push({
        text: en
          ? `The week of ${date(running.week.day)} is ${n(running.age)} days old: ${own} points so far${then === undefined ? '' : `, where the complete week stood at ${then}`}.`
          : `${date(running.week.day)} 当周已观察 ${n(running.age)} 天：目前相差 ${own} 个百分点${then === undefined ? '' : `，完整周同期为 ${then}`}。`,
        tone: 'plain',
      })
    }
  }
  const [whole] = data.cost.prices
  if (whole && lastFinal) {
    const price = priceCell(whole.withLabour, false, speech).text
    const other =
      data.cost.acquisition === undefined
        ? ''
        : en
          ? `; a new customer costs ${speech.money(data.cost.acquisition)}`
          : `；获取一位新客需 ${speech.money(data.cost.acquisition)}`
    words.push({
      text: en ? `One won back costs: ${price}${other}.` : `每多召回一人的成本：${price}${other}。`,
      tone: 'plain',
    })
  }
  return words
}

function weeklyChart(data: MondayData, speech: Speech): Chart[] {
  const en = speech.language === 'en'
  if (data.weeks.length === 0) return []
  const chart: LineChart = {
    kind: 'lines',
    id: 'weeks',
    title: en ? 'Came back, by the week they were taken in' : '各纳入周的召回率',
    xTitle: '',
    x: 'date',
    unit: 'percent',
    series: (['treated', 'heldOut'] as const).map((arm) => ({
      name: speech.word(arm === 'treated' ? 'treated' : 'holdout'),
      points: data.weeks.map(({ day, effect }) => {
        const { rate } = effect[arm]
        return rate.kind === 'estimate'
          ? { x: day, y: rate.value, low: rate.low, high: rate.high }
          : { x: day, y: null }
      }),
    })),
    marks: marksOf(data.annotations),
  }
  return [chart]
}
