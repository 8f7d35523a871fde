import { type Chart, type HeatChart, hasValues, type LineChart } from '../../charts/chart.ts'
import type { Estimate, NotEnough } from '../../statistics/estimate.ts'
import { annotationNotes, marksOf } from '../annotations.ts'
import type { Effect } from '../effect.ts'
import { aboutLines } from '../freshness.ts'
import { left, right } from '../layout.ts'
import type { TextStyle } from '../report.ts'
import { pointAt, type Sheet, type SheetTable, within, writing } from '../sheet.ts'
import { alarmSentence, splitNotes, verdictSentence, verdictTone } from '../verdict-text.ts'
import { bracketed, nothingYet, pValue, type Speech, span } from '../words.ts'
import type { LiftData } from './lift.ts'
import { variantNotes, variantSentences, variantTables } from './variants-text.ts'

// What was won back in words, in both languages: the verdict, the cells and the tiers' own draws, the curves.

export function liftSheet(data: LiftData, style: TextStyle): Sheet {
  const { speech, cell, en } = writing(style)
  const alarm = alarmSentence(data, speech)
  const nothing = data.overall.treated.assigned + data.overall.heldOut.assigned === 0
  const range = (estimate: Estimate | NotEnough) =>
    estimate.kind === 'estimate' ? span(speech.points, estimate) : speech.word('notEnough')
  const line = (
    label: string,
    effect: Effect,
    interval: Estimate | NotEnough,
    last: string,
    off = data.split.alarm,
  ) => {
    const shown = effect.difference.kind === 'estimate' && !off
    return [
      cell.text(label),
      cell.count(effect.treated.matured),
      cell.count(effect.heldOut.matured),
      cell.rate(effect.treated.rate),
      cell.rate(effect.heldOut.rate),
      shown && effect.difference.kind === 'estimate' && interval.kind === 'estimate'
        ? within(cell.points(effect.difference.value), interval)
        : cell.none,
      cell.text(off ? speech.word('noConclusion') : range(interval)),
      cell.text(off ? '' : last),
    ]
  }
  const columns = [
    left(''),
    right(speech.word('treated')),
    right(speech.word('holdout')),
    right(en ? 'rate' : '召回率'),
    right(en ? 'without us' : '不触达'),
    right(en ? 'points' : '百分点'),
    left(en ? 'interval' : '区间'),
    left(''),
  ]
  const found = en ? 'holds among all cells' : '校正后仍成立'
  const not = en ? 'may be chance' : '可能只是偶然'
  const cells: SheetTable = {
    id: 'cells',
    title: en ? 'By the tier and segment they entered with' : '按进入时的阶段与分群',
    columns,
    rows: data.cells.map((each) =>
      line(
        `${each.tier} · ${speech.segment(each.segment)}`,
        each,
        each.interval,
        each.adjusted === undefined ? '' : each.selected ? found : not,
      ),
    ),
    empty: nothingYet(speech),
  }
  const draws: SheetTable = {
    id: 'own_draws',
    title: en
      ? 'What each tier adds, by its own draw (p by Holm)'
      : '各阶段自身的效果（阶段内随机，Holm 校正）',
    columns,
    rows: data.ownDraws.map((each) =>
      line(
        each.tier,
        each,
        each.difference,
        each.adjusted === undefined ? '' : `p ${pValue(each.adjusted)}`,
        data.split.alarm || each.off,
      ),
    ),
    empty: en
      ? 'No tier has drawn on entering yet. A tier with a `holdout` says here what it adds.'
      : '尚无阶段内随机的结果。设置了 `holdout` 的阶段会在此显示它自身的效果。',
  }
  return {
    name: 'lift',
    title: en ? 'Won back by us' : '多召回的人数',
    about: aboutLines(data, speech),
    sentences: [
      ...(alarm ? [{ text: alarm, tone: 'bad' as const }] : []),
      { text: verdictSentence(data, speech), tone: verdictTone(data.verdict) },
      ...variantSentences(data.variants, data.split.alarm, speech),
    ],
    tables: [wholeTable(data, style), cells, draws, ...variantTables(data.variants, data.split.alarm, style)],
    charts: nothing || data.split.alarm ? [] : chartsOf(data, speech),
    notes: [
      ...splitNotes(data, speech),
      ...notesOf(data, speech),
      ...variantNotes(data.variants, speech),
      ...annotationNotes(data.annotations, speech),
    ],
  }
}

/** The one difference in each way it is told, and beside it what bosses quote. */
function wholeTable(
  { overall, steadied, clustered, relativeUplift, split }: LiftData,
  style: TextStyle,
): SheetTable {
  const { speech, cell, en } = writing(style)
  const difference = (name: string, estimate: Estimate | NotEnough | undefined) =>
    estimate?.kind !== 'estimate' || split.alarm
      ? []
      : [
          [
            cell.text(name),
            within(cell.points(estimate.value), estimate),
            cell.text(span(speech.points, estimate)),
          ],
        ]
  return {
    id: 'whole',
    title: en ? 'The whole campaign, points' : '活动整体（百分点）',
    columns: [left(''), right(speech.word('difference')), left(speech.word('interval'))],
    rows: [
      ...difference(en ? 'for one look' : '单次查看', overall.difference),
      ...difference(en ? 'for daily looks' : '每天查看', overall.sequence),
      ...difference(en ? 'steadied by activity before' : '按此前活跃校正', steadied.adjusted),
      ...difference(en ? 'person by person' : '按人聚类', clustered),
      ...(relativeUplift === undefined || split.alarm
        ? []
        : [
            [
              cell.text(en ? 'all who came back, of the contacted' : '触达组总召回率'),
              cell.rate(overall.treated.rate),
              cell.text(en ? 'less than it seems' : '容易高估'),
            ],
            [
              cell.text(en ? 'relative to those not contacted' : '相对对照组'),
              cell.percent(relativeUplift),
              cell.text(en ? 'less than it seems' : '容易高估'),
            ],
          ]),
    ],
    empty: split.alarm
      ? speech.word('noConclusion')
      : overall.treated.assigned + overall.heldOut.assigned === 0
        ? nothingYet(speech)
        : overall.heldOut.assigned === 0
          ? en
            ? 'There is nobody to compare with.'
            : '没有可供比较的人。'
          : en
            ? 'Too few have been observed to the end yet.'
            : '观察期已满的人还太少。',
  }
}

function notesOf(data: LiftData, speech: Speech): string[] {
  const en = speech.language === 'en'
  const points = (estimate: Estimate) =>
    speech.points(estimate.value) + bracketed(span(speech.points, estimate), speech)
  const notes: string[] = []
  if (data.split.alarm) return notes
  const { sequence } = data.overall
  if (sequence.kind === 'estimate') {
    notes.push(
      en ? `For daily looks: ${points(sequence)} points.` : `每天查看适用：${points(sequence)} 个百分点。`,
    )
  }
  const { adjusted, explained } = data.steadied
  if (adjusted.kind === 'estimate' && explained > 0.005) {
    const shown = points(adjusted)
    notes.push(
      en
        ? `Steadied by how often they were active in the ninety days before: ${shown} points, with ${speech.percent(explained)} less variance.`
        : `按此前九十天的活跃天数校正：${shown} 个百分点，方差减少 ${speech.percent(explained)}。`,
    )
  }
  if (data.clustered?.kind === 'estimate') {
    notes.push(
      en
        ? `Some lapsed more than once. Counted person by person: ${points(data.clustered)} points.`
        : `部分人多次流失。按人聚类：${points(data.clustered)} 个百分点。`,
    )
  }
  notes.push(
    en
      ? 'Cells are read only where the campaign as a whole shows an effect; their intervals are as wide as their number asks for.'
      : '只有活动整体有效时才看各单元格；其区间已按单元格数量放宽。',
  )
  return notes
}

function chartsOf(data: LiftData, speech: Speech): Chart[] {
  const en = speech.language === 'en'
  const curves: LineChart = {
    kind: 'lines',
    id: 'curves',
    title: en ? 'Came back by day since the assignment' : '分组后逐日召回率',
    xTitle: en ? 'days since the assignment' : '分组后天数',
    x: 'number',
    unit: 'percent',
    series: [
      {
        name: speech.word('treated'),
        points: data.curves.treated.map(({ age, rate }) => pointAt(age, rate)),
      },
      {
        name: speech.word('holdout'),
        points: data.curves.heldOut.map(({ age, rate }) => pointAt(age, rate)),
      },
    ],
    marks: [],
  }
  const sequence: LineChart = {
    kind: 'lines',
    id: 'sequence',
    title: en ? 'The difference as it built up, for daily looks' : '差值随时间的变化（适用于每天查看）',
    xTitle: en ? 'taken in until' : '纳入截至',
    x: 'date',
    unit: 'points',
    series: [
      {
        name: speech.word('difference'),
        points: data.sequence.map(({ day, estimate }) => pointAt(day, estimate)),
      },
    ],
    marks: marksOf(data.annotations),
  }
  const framed = !data.cells.some(({ selected }) => selected)
    ? ''
    : en
      ? '; framed: holds among all cells'
      : '，加框者校正后仍成立'
  const heat: HeatChart = {
    kind: 'heat',
    id: 'heat',
    title: `${en ? 'Difference by tier and segment, points' : '各阶段与分群的差值（百分点）'}${framed}`,
    unit: 'points',
    rows: data.tiers,
    columns: data.segments.map(speech.segment),
    cells: data.cells.flatMap((cell) => {
      const row = data.tiers.indexOf(cell.tier)
      if (row === -1) return []
      const known = cell.difference.kind === 'estimate' ? cell.difference.value : null
      return [
        {
          row,
          column: data.segments.indexOf(cell.segment),
          value: known,
          label: known === null ? '–' : speech.points(known),
          strong: cell.selected,
        },
      ]
    }),
  }
  return [curves, sequence, heat].filter(hasValues)
}
