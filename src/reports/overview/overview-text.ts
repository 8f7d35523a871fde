import { earlier } from '../../clock.ts'
import type { Estimate } from '../../statistics/estimate.ts'
import { absenceText } from '../absences.ts'
import type { ArmFigures, Effect } from '../effect.ts'
import { asOfText } from '../freshness.ts'
import {
  type Axis,
  type Column,
  fitted,
  left,
  type Painter,
  painter,
  right,
  table,
  tableCells,
  whiskers,
  wrap,
} from '../layout.ts'
import { ANSWERS, REASONS, STATES } from '../reasons.ts'
import type { TextStyle } from '../report.ts'
import { alarmSentence, splitNotes, verdictSentence } from '../verdict-text.ts'
import { type Speech, sentence, span, speechOf } from '../words.ts'
import type { OverviewData } from './overview.ts'
import type { Discrepancy } from './reconciliation.ts'

// The overview as text. Rates and differences are drawn beside their figures: an interval is seen before it is read.

/** The overview as text for a terminal, in `style.locale`. @throws RangeError for a locale, currency or zone unknown to Intl */
export function formatReport(data: OverviewData, style: TextStyle): string {
  const speech = speechOf(style)
  const paint = painter(style.color)
  const alarm = alarmSentence(data, speech)
  const verdict = verdictSentence(data, speech)
  const tone =
    data.verdict.kind === 'won_back' ? paint.good : data.verdict.kind === 'harm' ? paint.bad : paint.strong
  return [
    ...heading(data, speech, paint, style),
    '',
    ...(alarm ? [...wrap(alarm, style.width).map(paint.bad), ''] : []),
    ...(alarm ? [] : [...wrap(verdict, style.width).map(tone), '']),
    ...wrap(speech.word('cameBackTitle'), style.width).map(paint.strong),
    ...rateRows(data, speech, paint, style.width),
    '',
    ...wrap(speech.word('wonBackTitle'), style.width).map(paint.strong),
    ...effectRows(data, speech, paint, style.width),
    '',
    ...wrap(speech.word('countsTitle'), style.width).map(paint.strong),
    ...countRows(data, speech, paint, style.width),
    '',
    ...data.absent.flatMap((each) => [
      ...wrap(absenceText(each, data.now, speech), style.width).map(paint.bad),
      '',
    ]),
    ...wrap(speech.word('messagesTitle'), style.width).map(paint.strong),
    ...messageRows(data, speech, paint, style.width),
    '',
    ...wrap(speech.word('costTitle'), style.width).map(paint.strong),
    ...costRows(data, speech, paint, style.width),
    '',
    ...footnotes(data, speech).flatMap((note) => wrap(`* ${note}`, style.width).map(paint.faint)),
    '',
  ].join('\n')
}

function heading(data: OverviewData, speech: Speech, paint: Painter, style: TextStyle): string[] {
  const range =
    data.from || data.to
      ? ` · ${speech.word('assignedFrom')} ${data.from ? beginning(data.from, speech) : '…'} – ${data.to ? lastOf(data.to, speech) : '…'}`
      : ''
  const about = `${range} · ${asOfText(data.now, speech)}`
  const [first = '', ...rest] = wrap(`${data.campaign}${about}`, style.width)
  return [paint.strong(data.campaign) + first.slice(data.campaign.length), ...rest]
}

/** Whether a day begins then, where the reader counts days: with a change of the clock that need not be midnight. */
function beginsDay(at: Date, { date }: Speech): boolean {
  return date(at) !== date(earlier(at, 0.001))
}

function beginning(from: Date, speech: Speech): string {
  return beginsDay(from, speech) ? speech.date(from) : speech.moment(from)
}

/** The last day before the end, which is itself left out; as every other report says it. */
function lastOf(to: Date, speech: Speech): string {
  return beginsDay(to, speech) ? speech.date(earlier(to, 0.001)) : speech.moment(to)
}

/** Recall rate by arm, overall and by entry tier, on one common axis from 0. */
function rateRows(data: OverviewData, speech: Speech, paint: Painter, width: number): string[] {
  const columns = [
    left(''),
    left(speech.word('group')),
    right(speech.word('assigned')),
    ...(mixedOf(data) > 0 ? [right(speech.word('contaminated'))] : []),
    right(speech.word('pending')),
    right(speech.word('matured')),
    right(speech.word('recalled')),
    right(speech.word('rate')),
    left(speech.word('interval')),
  ]
  const lines: { cells: string[]; figures: ArmFigures }[] = []
  for (const group of [{ ...data.overall, name: speech.word('all') }, ...data.byTier]) {
    const arms = [
      { word: 'treated', figures: group.treated },
      { word: 'holdout', figures: group.heldOut },
      { word: 'control', figures: group.control },
    ] as const
    for (const { word, figures } of arms) {
      if (word === 'control' && group.control.assigned === 0) continue
      const { rate } = figures
      const cells = [
        word === 'treated' ? group.name : '',
        speech.word(word),
        speech.count(figures.assigned),
        ...(mixedOf(data) > 0 ? [speech.count(figures.contaminated)] : []),
        speech.count(figures.pending),
        speech.count(figures.matured),
        speech.count(figures.recalled),
        ...(rate.kind === 'estimate'
          ? [speech.percent(rate.value), `${speech.percent(rate.low)} – ${speech.percent(rate.high)}`]
          : ['–', speech.word('notEnough')]),
      ]
      lines.push({ cells, figures })
    }
  }
  const highest = Math.max(
    0,
    ...lines.map(({ figures: { rate } }) => (rate.kind === 'estimate' ? rate.high : 0)),
  )
  return plotted(
    columns,
    lines.map(({ cells, figures: { rate } }) => ({
      cells,
      estimate: rate.kind === 'estimate' ? rate : undefined,
    })),
    { low: 0, high: highest },
    { width, paint, label: speech.percent },
  )
}

/** Persons that turned out to be one and had drawn different groups. */
function mixedOf({ overall }: OverviewData): number {
  return overall.treated.contaminated + overall.heldOut.contaminated + overall.control.contaminated
}

/** Treated against held out: overall, by entry tier and segment, by the tiers' own draws, and the programme. */
function effectRows(data: OverviewData, speech: Speech, paint: Painter, width: number): string[] {
  const points = speech.language === 'en' ? `${speech.word('difference')}, points` : '差值（百分点）'
  const columns = [left(''), right(speech.word('wonBack')), right(points), left(speech.word('interval'))]
  const line = (name: string, effect: Effect, off = data.split.alarm) => ({
    cells: off
      ? [name, '–', '–', speech.word('noConclusion')]
      : effect.difference.kind === 'estimate' && effect.recalls.kind === 'estimate'
        ? [
            name,
            speech.signed(effect.recalls.value),
            speech.points(effect.difference.value),
            span(speech.points, effect.difference),
          ]
        : [name, '–', '–', speech.word('notEnough')],
    estimate: effect.difference.kind === 'estimate' && !off ? effect.difference : undefined,
  })
  const title = (text: string) => ({ cells: [text], estimate: undefined })
  const indent = (name: string) => `  ${speech.segment(name)}`
  const severalSegments = data.bySegment.length > 1
  const lines = [
    line(speech.word('all'), data.overall),
    ...(data.byTier.length > 0 ? [title(speech.word('byTier'))] : []),
    ...data.byTier.map((group) => line(indent(group.name), group)),
    ...(severalSegments ? [title(speech.word('bySegment'))] : []),
    ...(severalSegments ? data.bySegment.map((group) => line(indent(group.name), group)) : []),
    ...(data.ownDraws.length > 0 ? [title(speech.word('ownDraws'))] : []),
    ...data.ownDraws.map((draw) => line(indent(draw.tier), draw, data.split.alarm || draw.off)),
    ...(data.programme
      ? [title(speech.word('programme')), line(`  ${speech.word('all')}`, data.programme, data.programmeOff)]
      : []),
  ]
  const known = lines.flatMap(({ estimate }) => (estimate ? [estimate.low, estimate.high] : []))
  return plotted(
    columns,
    lines,
    { low: Math.min(0, ...known), high: Math.max(0, ...known) },
    { width, paint, label: speech.points },
  )
}

/** A table with whiskers to its right, where the terminal leaves room for them. */
function plotted(
  columns: readonly Column[],
  lines: readonly { cells: readonly string[]; estimate: Estimate | undefined }[],
  range: Omit<Axis, 'width'>,
  { width, paint, label }: { width: number; paint: Painter; label: (value: number) => string },
): string[] {
  const cells = lines.map((line) => line.cells)
  const room = Math.min(48, width - tableCells(columns, cells) - 4)
  if (room < 12 || range.high <= range.low) return fitted(columns, cells, paint, width)
  const axis = { ...range, width: room }
  const from = label(range.low)
  const to = label(range.high)
  const scale = from + ' '.repeat(Math.max(1, room - from.length - to.length)) + to
  return table(
    [...columns, left(scale)],
    lines.map((line) => (line.estimate ? [...line.cells, whiskers(axis, line.estimate)] : line.cells)),
    paint,
  )
}

function countRows(data: OverviewData, speech: Speech, paint: Painter, width: number): string[] {
  const { reconciliation: counts } = data
  const { language } = speech
  const en = language === 'en'
  const { runs, ladder } = counts
  const inRuns = en
    ? `${speech.count(runs.done)} ${runs.done === 1 ? 'run' : 'runs'}${runs.running > 0 ? `, ${speech.count(runs.running)} under way` : ''}${runs.refused > 0 ? `, ${speech.count(runs.refused)} refused` : ''}; once for each run`
    : `${speech.count(runs.done)} 次运行${runs.running > 0 ? `，${speech.count(runs.running)} 次进行中` : ''}${runs.refused > 0 ? `，${speech.count(runs.refused)} 次被拒` : ''}；每次运行各计一次`
  const rows = [
    [speech.word('considered'), speech.count(counts.considered), inRuns],
    [`= ${speech.word('opened')}`, speech.count(counts.opened), ''],
    ...counts.arms
      .filter((arm) => arm.opened > 0 || arm.episodes > 0)
      .map((arm) => ['', speech.count(arm.opened), speech.word(arm.arm)]),
    [`+ ${speech.word('leftOut')}`, speech.count(counts.considered - counts.opened), ''],
    ...counts.leftOut.map((row) => ['', speech.count(row.contacts), sentence(ANSWERS, row.answer, language)]),
  ]
  const ladderLine = en
    ? `${speech.count(ladder.stages)} contacted stays in a tier × their steps = ${speech.count(ladder.expected)} messages; ${speech.count(ladder.found)} have a recorded state.`
    : `${speech.count(ladder.stages)} 个触达阶段 × 各自步骤 = ${speech.count(ladder.expected)} 条消息；有记录状态的 ${speech.count(ladder.found)} 条。`
  const conclusion = counts.holds
    ? wrap(en ? 'Everything adds up, to the last person.' : '所有人数逐一对上。', width - 2).map(paint.good)
    : counts.off.flatMap((off) => wrap(discrepancy(off, speech), width - 2).map(paint.bad))
  return [
    ...fitted([left(''), right(''), left('')], rows, paint, width),
    ...wrap(ladderLine, width - 2).map((line) => `  ${line}`),
    ...conclusion.map((line) => `  ${line}`),
  ]
}

function discrepancy(off: Discrepancy, speech: Speech): string {
  const en = speech.language === 'en'
  const count = speech.count(off.count)
  const example = off.contact
    ? en
      ? `, such as contact ${off.contact} (winback explain ${off.contact})`
      : `，例如联系人 ${off.contact}（winback explain ${off.contact}）`
    : ''
  const arm = ARM_WORDS.find((word) => word === off.arm)
  const group = arm ? speech.word(arm) : (off.arm ?? '')
  switch (off.kind) {
    case 'episodes':
      return en
        ? `OFF: ${speech.signed(off.count)} episodes “${group}” against what the runs counted.`
        : `不符：“${group}”的实际人数与运行记录相差 ${speech.signed(off.count)}。`
    case 'unknown_arm':
      return en
        ? `OFF: ${count} taken in without a group (“${group}”).`
        : `不符：${count} 人被纳入但没有分组（“${group}”）。`
    case 'missing':
      return en
        ? `OFF: no state is recorded of ${count} of the messages of contacted stays${example}.`
        : `不符：触达阶段有 ${count} 条消息没有记录状态${example}。`
    case 'unexpected':
      return en
        ? `OFF: no contacted stay in a tier accounts for ${count} of the messages${example}.`
        : `不符：${count} 条消息不属于任何触达阶段${example}。`
    case 'repeated':
      return en
        ? `OFF: recorded more than once: ${count} of the messages${example}.`
        : `不符：${count} 条消息重复出现${example}。`
  }
}

const ARM_WORDS = ['treated', 'holdout', 'control'] as const

function messageRows(data: OverviewData, speech: Speech, paint: Painter, width: number): string[] {
  const { language } = speech
  let step = ''
  const rows = data.touchpoints.map((cell) => {
    const place = `${cell.tier} › ${cell.step}`
    const first = place !== step
    step = place
    return [
      first ? place : '',
      speech.count(cell.touchpoints),
      sentence(STATES, cell.deferred ? 'deferred' : cell.state, language),
      cell.reason === null ? '' : sentence(REASONS, cell.reason, language),
    ]
  })
  if (rows.length === 0) return [`  ${language === 'en' ? 'none yet' : '暂无'}`]
  return fitted([left(''), right(''), left(''), left('')], rows, paint, width)
}

function costRows(data: OverviewData, speech: Speech, paint: Painter, width: number): string[] {
  const { cost, verdict, seeds, overall } = data
  if (cost.total === 0 && seeds.cost === 0) return [`  ${speech.word('nothing')}`]
  const rows = cost.lines.map((line) => [
    `${line.tier} › ${line.step}`,
    line.channel === null ? '' : speech.channel(line.channel),
    speech.word(line.kind),
    speech.money(line.amount),
  ])
  const kinds = (['spend', 'liability', 'labour'] as const).filter((kind) => cost.byKind[kind] !== 0)
  const totals = [
    ...(kinds.length > 1
      ? kinds.map((kind) => [speech.word('total'), '', speech.word(kind), speech.money(cost.byKind[kind])])
      : []),
    [speech.word('total'), '', '', speech.money(cost.total)],
  ]
  // No verdict from groups that are off: a price of their difference is one.
  const amount = (micros: number | undefined) =>
    micros === undefined || verdict.kind === 'groups_off' ? speech.word('notEnough') : speech.money(micros)
  const rates = [
    [
      speech.word('perRecall'),
      cost.perRecall === undefined ? speech.word('notEnough') : speech.money(cost.perRecall),
    ],
    [speech.word('perIncremental'), amount(cost.perIncremental)],
    ...(cost.byKind.labour > 0
      ? [[speech.word('withoutLabour'), amount(cost.perIncrementalWithoutLabour)]]
      : []),
    ...(cost.acquisition === undefined ? [] : [[speech.word('acquisition'), speech.money(cost.acquisition)]]),
  ]
  const [spent, back] = [speech.money(cost.matured.treated), speech.count(overall.treated.recalled)]
  const divided =
    cost.perRecall === undefined
      ? ''
      : speech.language === 'en'
        ? `Complete only: ${spent} for the contacted whose observation is complete, divided by the ${back} of them who came back.`
        : `仅观察期已满：触达组中观察期已满者的成本 ${spent}，除以其中召回的 ${back} 人。`
  return [
    ...fitted([left(''), left(''), left(''), right('')], [...rows, ...totals], paint, width),
    ...fitted([left(''), right('')], rates, paint, width),
    ...wrap(divided, width - 2).map((line) => `  ${paint.faint(line)}`),
  ]
}

/** What else a careful reader must know, a sentence each. */
function footnotes(data: OverviewData, speech: Speech): string[] {
  const en = speech.language === 'en'
  const notes: string[] = []
  const { overall, seeds, split } = data
  const mixed = mixedOf(data)
  if (overall.treated.assigned + overall.heldOut.assigned > 0) {
    const { sequence } = overall
    const daily = sequence.kind === 'estimate' && !split.alarm ? span(speech.points, sequence) : ''
    notes.push(
      en
        ? `The verdict holds however often one looks${daily ? `: ${daily} points for daily looks` : ''}. The other intervals hold for one look each.`
        : `结论不受查看次数影响${daily ? `：每天查看的区间为 ${daily} 个百分点` : ''}。其他区间只对一次查看有效。`,
    )
  }
  if (data.relativeUplift !== undefined && data.verdict.kind !== 'groups_off') {
    const raw = speech.percent(overall.treated.recalled / overall.treated.matured)
    const uplift = speech.points(data.relativeUplift)
    notes.push(
      en
        ? `Often quoted, and less than it seems: ${raw} of the contacted came back in all, ${uplift} % relative to those not contacted.`
        : `常被引用但容易高估：触达组总召回率 ${raw}，相对对照组 ${uplift}%。`,
    )
  }
  if (!data.programme && data.controlShare > 0) {
    const share = speech.percent(data.controlShare)
    notes.push(
      en
        ? `What all campaigns bring together is not told yet: of the control group (${share} of people), nobody has lapsed since campaigns were applied with it.`
        : `尚无法得知全部活动合计的效果：自活动按全局对照组（占 ${share}）应用以来，其中还没有人流失。`,
    )
  } else if (!data.programme) {
    notes.push(
      en
        ? 'What all campaigns bring together is not told: nobody is kept out of all of them. Set `control: 5%` in winback.yaml.'
        : '无法得知全部活动合计的效果：没有人被排除在所有活动之外。请在 winback.yaml 中设置 `control: 5%`。',
    )
  }
  if (mixed > 0) {
    notes.push(
      en
        ? `${speech.count(mixed)} are mixed: persons that turned out to be one had drawn different groups. They get nothing more and stay where they were drawn.`
        : `${speech.count(mixed)} 人属于混组：后来发现是同一个人，却抽到不同分组。不再发送，仍计入原分组。`,
    )
  }
  notes.push(...splitNotes(data, speech))
  if (seeds.episodes > 0) {
    notes.push(
      en
        ? `Seeds count nowhere above: ${speech.count(seeds.episodes)} in all, ${speech.money(seeds.cost)}.`
        : `种子联系人不计入以上任何数字：共 ${speech.count(seeds.episodes)} 人次，${speech.money(seeds.cost)}。`,
    )
  }
  return notes
}
