import type { CostPerRecall } from '../../statistics/net-benefit.ts'
import { MINIMUM_RECALLS } from '../../statistics/sequence.ts'
import { boundlessText } from '../cost/boundless-price.ts'
import { fitted, left, type Painter, painter, right, wrap } from '../layout.ts'
import type { TextStyle } from '../report.ts'
import { alarmingP, bracketed, pValue, type Speech, span, speechOf } from '../words.ts'
import type { Comparison, ExperimentResult } from './experiment.ts'

// An experiment as text. Money and means are in the file's own units, which nobody told us.

/** The result as text for a terminal. @param outcome the outcome's name in the file */
export function formatExperiment(result: ExperimentResult, outcome: string, style: TextStyle): string {
  const speech = speechOf(style)
  const paint = painter(style.color)
  const pen = { speech, paint, outcome, result, number: numberOf(style.locale) }
  const en = speech.language === 'en'
  const verdicts = result.comparisons.flatMap((comparison) => {
    const tone = { more: paint.good, fewer: paint.bad }[comparison.verdict.kind as 'more'] ?? paint.strong
    return wrap(verdictOf(comparison, pen), style.width).map(tone)
  })
  const alone = result.comparisons.length === 0
  return [
    ...(result.alarm ? wrap(alarmOf(pen), style.width).map(paint.bad) : verdicts),
    ...(alone
      ? [
          en
            ? `Not yet: "${result.control}" is alone; there is nobody to compare with.`
            : `暂无结论：只有“${result.control}”一组，无从比较。`,
        ]
      : []),
    '',
    ...levels(pen, style),
    '',
    ...(alone ? [] : [...differences(pen, style), '']),
    ...notesOf(pen).flatMap((note) => wrap(`* ${note}`, style.width).map(paint.faint)),
  ].join('\n')
}

interface Pen {
  readonly speech: Speech
  readonly paint: Painter
  readonly outcome: string
  readonly result: ExperimentResult
  readonly number: (value: number) => string
}

function numberOf(locale: string): (value: number) => string {
  const format = new Intl.NumberFormat(locale, { maximumSignificantDigits: 4 })
  return (value) => format.format(value)
}

/** A sum is no estimate: whoever adds up the column finds it to the last unit, and to its thousandths. */
function sumOf(sum: number, { locale }: Speech): string {
  const options = {
    maximumSignificantDigits: 4,
    maximumFractionDigits: 3,
    roundingPriority: 'morePrecision',
  } as const
  return new Intl.NumberFormat(locale, options).format(sum)
}

/** A level: a rate in percent, a mean as it is. */
function level(value: number, { result, speech, number }: Pen): string {
  return result.rates ? speech.percent(value) : number(value)
}

/** A difference: points of a rate, or in the unit of the mean; signed. */
function gap(value: number, { result, speech, number }: Pen): string {
  return result.rates ? speech.points(value) : `${value > 0 ? '+' : ''}${number(value)}`
}

function verdictOf(comparison: Comparison, pen: Pen): string {
  const { arm, difference, verdict, extra } = comparison
  const { speech, outcome, result } = pen
  const en = speech.language === 'en'
  const n = speech.count
  if (verdict.kind === 'groups_off') return alarmOf(pen)
  if (verdict.kind === 'not_yet') {
    if (verdict.missing > 0) {
      return en
        ? `${arm}: not yet. Each group needs at least ${MINIMUM_RECALLS} with ${outcome}; ${n(verdict.missing)} more are missing.`
        : `${arm}：暂无结论。每组至少需要 ${MINIMUM_RECALLS} 个 ${outcome}，还差 ${n(verdict.missing)} 个。`
    }
    return en
      ? `${arm}: not yet. There are too few rows to compare with ${result.control}.`
      : `${arm}：暂无结论。行数太少，无法与 ${result.control} 比较。`
  }
  if (difference.kind !== 'estimate' || extra.kind !== 'estimate') return ''
  const points = result.rates ? (en ? ' points' : ' 个百分点') : ''
  const between = `${gap(difference.value, pen)}${points}`
  const interval = span((value) => gap(value, pen), difference)
  if (verdict.kind === 'no_difference') {
    const needed =
      verdict.needed !== undefined && verdict.needed > 0 && verdict.needed <= 1e6
        ? en
          ? ` If the rates stay as they are, ${n(verdict.needed)} more with ${outcome} are needed in ${result.control}.`
          : `若比率保持不变，${result.control} 还需 ${n(verdict.needed)} 个 ${outcome} 才能下结论。`
        : ''
    return en
      ? `${arm}: no difference shown. ${between} against ${result.control} (95 % interval ${interval}) may be chance.${needed}`
      : `${arm}：未见差异。与 ${result.control} 相差 ${between}（95% 区间 ${interval}），可能只是偶然。${needed}`
  }
  const gained = result.rates ? n(Math.abs(extra.value)) : pen.number(Math.abs(extra.value))
  const more = verdict.kind === 'more'
  return en
    ? `${arm}: ${more ? 'a gain' : 'a loss'}. ${between} of ${outcome} against ${result.control} (95 % interval ${interval}): ${gained} ${more ? 'that would not have been' : 'fewer than there would have been'}.`
    : `${arm}：${more ? '有增量' : '有损失'}。${outcome} 与 ${result.control} 相差 ${between}（95% 区间 ${interval}）：${more ? `多出 ${gained}` : `损失 ${gained}`}。`
}

function alarmOf({ result, speech }: Pen): string {
  const en = speech.language === 'en'
  const [tested, strays] = [result.split?.kind === 'tested' ? result.split : undefined, result.strays]
  if (strays.length > 0 && !tested?.alarm) {
    const named = strays.join(en ? ', ' : '、')
    return en
      ? `GROUPS ARE OFF, NO CONCLUSION: the split has no share for ${named}. Find out why somebody is there before reading on.`
      : `分组异常，结论不可用：分组比例中没有 ${named}。请先查明为何有人在其中。`
  }
  const p = tested ? bracketed(alarmingP(tested.p), speech) : ''
  const sizes = result.arms.map(({ arm, n }) => `${arm} ${speech.count(n)}`).join(en ? ', ' : '，')
  return en
    ? `GROUPS ARE OFF, NO CONCLUSION: ${sizes} are not what the split should give${p}. Find out why before reading on.`
    : `分组异常，结论不可用：${sizes} 与应有的分组比例不符${p}。请先查明原因。`
}

function levels(pen: Pen, style: TextStyle): string[] {
  const { speech, result, outcome } = pen
  const en = speech.language === 'en'
  const columns = [
    left(speech.word('group')),
    right(en ? 'rows' : '行数'),
    right(result.rates ? outcome : en ? `${outcome}, sum` : `${outcome} 合计`),
    right(result.rates ? (en ? 'rate' : '比率') : en ? 'mean' : '均值'),
    left(speech.word('interval')),
  ]
  const rows = result.arms.map(({ arm, n, sum, level: found }) => [
    arm === result.control ? `${arm} ${en ? '(control)' : '（对照）'}` : arm,
    speech.count(n),
    result.rates ? speech.count(sum) : sumOf(sum, speech),
    found.kind === 'estimate' ? level(found.value, pen) : '–',
    found.kind === 'estimate' ? span((value) => level(value, pen), found) : speech.word('notEnough'),
  ])
  return fitted(columns, rows, pen.paint, style.width)
}

function differences(pen: Pen, style: TextStyle): string[] {
  const { speech, result } = pen
  const en = speech.language === 'en'
  const off = result.alarm
  const columns = [
    left(en ? `against ${result.control}` : `与 ${result.control} 相比`),
    right(result.rates ? (en ? 'difference, points' : '差值（百分点）') : speech.word('difference')),
    left(speech.word('interval')),
    right(en ? 'relative' : '相对'),
    right(result.comparisons.length > 1 ? (en ? 'p (Holm)' : 'p（Holm）') : 'p'),
  ]
  const rows = result.comparisons.flatMap((comparison) => {
    const { difference, relative, adjusted, cuped, arm } = comparison
    if (off) return [[arm, '–', speech.word('noConclusion'), '–', '–']]
    if (difference.kind !== 'estimate') return [[arm, '–', speech.word('notEnough'), '–', '–']]
    const line = [
      arm,
      gap(difference.value, pen),
      span((value) => gap(value, pen), difference),
      relative.kind === 'estimate' ? `${speech.points(relative.value)}${en ? ' %' : '%'}` : '–',
      adjusted === undefined ? '–' : pValue(adjusted),
    ]
    const steadied = cuped?.adjusted
    if (steadied?.kind !== 'estimate' || !cuped) return [line]
    return [
      line,
      [
        en ? '  with the covariate' : '  经协变量校正',
        gap(steadied.value, pen),
        span((value) => gap(value, pen), steadied),
        '',
        en
          ? `${speech.percent(cuped.explained)} less variance`
          : `方差减少 ${speech.percent(cuped.explained)}`,
      ],
    ]
  })
  return fitted(columns, rows, pen.paint, style.width)
}

function notesOf(pen: Pen): string[] {
  const { result, speech, outcome } = pen
  const en = speech.language === 'en'
  const notes: string[] = []
  for (const { arm, cost } of result.alarm ? [] : result.comparisons) {
    if (!cost) continue
    if ('kind' in cost) {
      notes.push(
        en
          ? `${arm}: what one more ${outcome} costs cannot be said yet: at least ${MINIMUM_RECALLS} with ${outcome} are needed in each group.`
          : `${arm}：每多一个 ${outcome} 的成本暂算不出：每组至少需要 ${MINIMUM_RECALLS} 个 ${outcome}。`,
      )
      continue
    }
    notes.push(`${arm}${en ? ': ' : '：'}${costSentence(cost.each, pen)}`)
    if (cost.benefit) {
      const { value } = cost.benefit
      const interval = span(pen.number, cost.benefit)
      notes.push(
        en
          ? `${arm}: each row brings in ${pen.number(value)} after its cost (95 % interval ${interval}).`
          : `${arm}：扣除成本后每行带来 ${pen.number(value)}（95% 区间 ${interval}）。`,
      )
    }
  }
  for (const { arm, sequence } of result.alarm ? [] : result.comparisons) {
    if (sequence?.kind !== 'estimate') continue
    const interval = span((value) => gap(value, pen), sequence)
    notes.push(
      en
        ? `${arm}: should the campaign still run and be looked at again and again, only ${interval} points holds.`
        : `${arm}：若活动仍在进行且会反复查看，则只有 ${interval} 个百分点这一区间有效。`,
    )
  }
  notes.push(
    en
      ? `Rates and means are over all rows of a group, whether anything reached them or not; ${outcome} is compared as it was assigned.`
      : `比率和均值按组内全部行计算，不论是否触达；${outcome} 按分组结果比较。`,
  )
  if (result.split === undefined) {
    notes.push(
      en
        ? 'Whether the groups have the sizes they should have was not checked: say --split control=10,contacted=90.'
        : '未检查分组比例是否正常：可用 --split control=10,contacted=90 指定。',
    )
  }
  return notes
}

/** What one more costs: a figure, a floor, or that there is nothing to divide by. */
function costSentence(each: CostPerRecall, { speech, number, outcome }: Pen): string {
  const en = speech.language === 'en'
  if (each.answer === 'cost') {
    const interval = span(number, each)
    return en
      ? `each ${outcome} that would not have been costs ${number(each.value)} (95 % interval ${interval}).`
      : `每多一个 ${outcome} 的成本为 ${number(each.value)}（95% 区间 ${interval}）。`
  }
  if (each.answer === 'no_gain') {
    return en ? 'there is no gain to divide the cost by.' : '没有增量，成本无从分摊。'
  }
  const known = boundlessText(each, number, speech.language)
  return en
    ? `what one more ${outcome} costs cannot be said yet: ${known}.`
    : `每多一个 ${outcome} 的成本暂算不出：${known}。`
}
