import type { Chart, LineChart } from '../../charts/chart.ts'
import { absenceSentences } from '../absences.ts'
import { annotationNotes, marksOf } from '../annotations.ts'
import { benefitCell, isFree, pendingNotes, priceCell, valueNotes } from '../cost/cost-text.ts'
import { roiCell } from '../cost/roi-text.ts'
import type { Effect } from '../effect.ts'
import { aboutLines } from '../freshness.ts'
import { left, right } from '../layout.ts'
import type { TextStyle } from '../report.ts'
import { type Figure, pointAt, type Sheet, type SheetTable, within, writing } from '../sheet.ts'
import { splitNotes, verdictTone } from '../verdict-text.ts'
import { nothingYet, type Phrases, type Speech, sentence, span } from '../words.ts'
import type { Contrast, MondayData, Week } from './monday.ts'
import { dayOf, mondaySentences } from './monday-sentences.ts'

// The first page in words, in both languages: sentences first (monday-sentences.ts), then the tables they rest on.

const CONTRASTS: Phrases = {
  optedOut: { en: 'opted out', 'zh-CN': '退订' },
  complained: { en: 'complained', 'zh-CN': '投诉' },
  uninstalled: { en: 'took the app off', 'zh-CN': '卸载应用' },
  active7: { en: 'active in the week to day 7', 'zh-CN': '第 7 天前一周内活跃' },
  active30: { en: 'active in the week to day 30', 'zh-CN': '第 30 天前一周内活跃' },
  active90: { en: 'active in the week to day 90', 'zh-CN': '第 90 天前一周内活跃' },
  fullPriceBuyers30: { en: 'bought without a coupon in 30 days', 'zh-CN': '30 天内不用券下单的人' },
  fullPrice30: { en: 'orders without a coupon, per 100 people', 'zh-CN': '每百人不用券订单数' },
  orders30: { en: 'orders in 30 days, per 100 people', 'zh-CN': '每百人 30 天订单数' },
}

export function mondaySheet(data: MondayData, style: TextStyle): Sheet {
  const { speech, en } = writing(style)
  const off = data.split.alarm
  return {
    name: 'monday',
    title: en ? 'Monday' : '周一速览',
    about: aboutLines(data, speech),
    figures: figuresOf(data, speech),
    sentences: [...mondaySentences(data, speech), ...absenceSentences(data.absent, data.range.now, speech)],
    tables: [
      weeksTable(data, style),
      earningTable(data, style),
      channelsTable(data, style),
      contrastTable(
        {
          id: 'annoyed',
          title: en
            ? 'Did we annoy people, of everyone taken in, those still open too'
            : '是否打扰了人（按全部纳入者计，含仍在观察中的）',
          contrasts: data.annoyed,
          off,
        },
        style,
      ),
      contrastTable(
        {
          id: 'stayed',
          title: en ? 'Did they stay, and buy without a coupon' : '是否留下，是否不用券也买',
          contrasts: data.stayed,
          off,
        },
        style,
      ),
    ],
    charts: off ? [] : weeklyChart(data, speech),
    notes: [
      ...splitNotes(data, speech),
      ...(data.touchesAHead === undefined
        ? []
        : [
            en
              ? `Messages per person contacted: ${speech.plain(data.touchesAHead)}.`
              : `触达组人均 ${speech.plain(data.touchesAHead)} 条消息。`,
          ]),
      ...(data.cost.acquisition === undefined
        ? []
        : [`${speech.word('acquisition')}${en ? ': ' : '：'}${speech.money(data.cost.acquisition)}`]),
      ...valueNotes(data.cost, speech),
      ...pendingNotes(data.cost.prices, speech),
      ...annotationNotes(data.annotations, speech),
    ],
  }
}

function weeksTable(
  { split, lastFinal, weekBefore, running, overall }: MondayData,
  style: TextStyle,
): SheetTable {
  const { speech, cell, en } = writing(style)
  const w = speech.word
  const off = split.alarm
  const row = (name: string, { treated, heldOut, difference, recalls }: Effect) => {
    const known = difference.kind === 'estimate' && recalls.kind === 'estimate' && !off
    return [
      cell.text(name),
      cell.count(treated.matured),
      cell.rate(treated.rate),
      cell.rate(heldOut.rate),
      known ? within(cell.signed(recalls.value), recalls) : cell.none,
      cell.text(off ? w('noConclusion') : known ? span(speech.signed, recalls) : w('notEnough')),
    ]
  }
  const runs = (week: Week, age: number) =>
    en
      ? `running, ${dayOf(week, speech)}, day ${speech.count(age)}`
      : `观察中 ${dayOf(week, speech)}，第 ${speech.count(age)} 天`
  return {
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
        ? [row(`${en ? 'complete,' : '最近完整周'} ${dayOf(lastFinal, speech)}`, lastFinal.effect)]
        : []),
      ...(weekBefore
        ? [row(`${en ? 'before that,' : '前一周'} ${dayOf(weekBefore, speech)}`, weekBefore.effect)]
        : []),
      ...(running ? [row(runs(running.week, running.age), running.week.effect)] : []),
      ...(running?.finalAtThatAge
        ? [row(en ? 'the complete one at that age' : '完整周在同一天数时', running.finalAtThatAge)]
        : []),
      ...(overall.treated.assigned > 0 ? [row(en ? 'all complete so far' : '全部观察期已满', overall)] : []),
    ],
    empty: nothingYet(speech),
  }
}

function earningTable({ cost, split }: MondayData, style: TextStyle): SheetTable {
  const { speech, cell, en } = writing(style)
  return {
    id: 'earning',
    title: en ? 'Which tier earns more' : '哪个阶段更赚',
    columns: [
      left(''),
      left(en ? 'one won back costs' : '每多召回一人'),
      left(en ? 'brings in, per person contacted' : '每触达一人的净收益'),
      ...(cost.earned ? [left('ROI')] : []),
    ],
    rows: cost.prices.map((price) => {
      const off = split.alarm || price.off
      return [
        cell.text(price.name === '' ? speech.word('all') : price.name),
        priceCell(price.withLabour, off, speech),
        benefitCell(price.benefit, off, style),
        ...(cost.earned ? [roiCell(price.roi?.withLabour, off, speech)] : []),
      ]
    }),
    empty: nothingYet(speech),
  }
}

function channelsTable({ channels }: MondayData, style: TextStyle): SheetTable {
  const { speech, cell, en } = writing(style)
  return {
    id: 'channels',
    title: en
      ? 'Which channel came last before a return (not: because of it)'
      : '召回前的最后渠道（不代表因其召回）',
    columns: [
      left(en ? 'channel' : '渠道'),
      right(en ? 'sent' : '已发送'),
      right(en ? 'came back next' : '随后召回'),
      right(en ? 'per 100 sent' : '每百条'),
      right(speech.word('spend')),
    ],
    rows: channels.map((each) => [
      cell.channel(each.channel),
      cell.count(each.sent),
      cell.count(each.recalled),
      cell.plain(each.sent > 0 ? (100 * each.recalled) / each.sent : undefined),
      cell.money(each.spend),
    ]),
    empty: en ? 'Nothing was sent yet.' : '尚未发送。',
  }
}

interface Contrasts {
  readonly id: string
  readonly title: string
  readonly contrasts: readonly Contrast[]
  /** The groups are off: nothing is concluded. */
  readonly off: boolean
}

function contrastTable({ id, title, contrasts, off }: Contrasts, style: TextStyle): SheetTable {
  const { speech, cell, en } = writing(style)
  const w = speech.word
  const interval = (difference: Contrast['difference']) => {
    if (off) return w('noConclusion')
    if (difference === undefined) return ''
    if (difference.kind !== 'estimate') return w('notEnough')
    return span(speech.points, difference)
  }
  return {
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
        const show = ({ rate }: { rate: number | undefined }) =>
          rate === undefined
            ? cell.none
            : difference === undefined
              ? cell.plain(100 * rate)
              : cell.percent(rate)
        return [
          cell.text(sentence(CONTRASTS, name, speech.language)),
          show(treated),
          show(heldOut),
          difference?.kind === 'estimate' && !off
            ? within(cell.points(difference.value), difference)
            : cell.none,
          cell.text(interval(difference)),
        ]
      }),
    empty: en ? 'Nobody has been observed for long enough yet.' : '观察时间还不够。',
  }
}

/** Large: how many were won back, the two rates behind it, the price. Nothing where there is no verdict. */
function figuresOf({ overall, verdict, split, cost }: MondayData, speech: Speech): Sheet['figures'] {
  const en = speech.language === 'en'
  const { treated, heldOut, recalls } = overall
  if (split.alarm || verdict.kind === 'not_yet' || verdict.kind === 'groups_off') return undefined
  if (recalls.kind !== 'estimate' || treated.rate.kind !== 'estimate' || heldOut.rate.kind !== 'estimate') {
    return undefined
  }
  const n = speech.count
  const [low, high] = [speech.signed(recalls.low), speech.signed(recalls.high)]
  const of = ({ matured }: { matured: number }) => (en ? `of ${n(matured)}` : `共 ${n(matured)} 人`)
  const [whole] = cost.prices
  const price =
    whole &&
    'answer' in whole.withLabour &&
    whole.withLabour.answer === 'cost' &&
    !isFree(whole.withLabour) &&
    whole.withLabour
  const customer = cost.acquisition === undefined ? undefined : speech.money(cost.acquisition)
  const figures: readonly Figure[] = [
    {
      name: speech.word('wonBack'),
      text: speech.signed(recalls.value),
      tone: verdictTone(verdict),
      beside: en ? `95 % interval ${low} to ${high}` : `95% 区间 ${low} 至 ${high}`,
    },
    {
      name: en ? 'came back, contacted' : '触达组召回率',
      text: speech.percent(treated.rate.value),
      tone: 'plain',
      beside: of(treated),
    },
    {
      name: en ? 'came back, not contacted' : '对照组召回率',
      text: speech.percent(heldOut.rate.value),
      tone: 'plain',
      beside: of(heldOut),
    },
    ...(price
      ? [
          {
            name: en ? 'one won back costs' : '每多召回一人的成本',
            text: speech.money(price.value),
            tone: 'plain' as const,
            beside: customer && (en ? `a new customer: ${customer}` : `获取一位新客：${customer}`),
          },
        ]
      : []),
  ]
  return { title: en ? 'Everybody whose observation is complete' : '全部观察期已满者', figures }
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
      points: data.weeks.map(({ day, effect }) => pointAt(day, effect[arm].rate)),
    })),
    marks: marksOf(data.annotations),
  }
  return [chart]
}
