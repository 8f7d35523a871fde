import type { Estimate, NotEnough } from '../../statistics/estimate.ts'
import { MINIMUM_RECALLS } from '../../statistics/sequence.ts'
import { left, right } from '../layout.ts'
import type { TextStyle } from '../report.ts'
import { type Sheet, type SheetTable, within, writing } from '../sheet.ts'
import { alarmingP, bracketed, pValue, type Speech, span } from '../words.ts'
import { costSentences, variantCostTables } from './variant-costs-text.ts'
import { nameOf } from './variant-words.ts'
import type { ComparedStep, VariantComparison, VariantFigures } from './variants.ts'

// Variants of a step in words, in both languages: a sentence a step, and all of them as one table.

/**
 * What can be said of each step, the finding first.
 * @param off the campaign's own groups are off: no conclusion about anything
 */
export function variantSentences(
  steps: readonly ComparedStep[],
  off: boolean,
  speech: Speech,
): Sheet['sentences'] {
  return steps.flatMap((step): Sheet['sentences'][number][] => {
    const name = `${nameOf(step, steps, speech)}${speech.language === 'en' ? ': ' : '：'}`
    if (step.split.alarm) return [{ text: name + alarmText(step, speech), tone: 'bad' }]
    if (off) return []
    const tone = step.comparisons.some(({ verdict }) => verdict === 'better') ? 'good' : 'plain'
    const gap = speech.language === 'en' ? ' ' : ''
    const parts = [verdictText(step, speech), ...costSentences(step, speech)]
    return [{ text: name + parts.join(gap), tone }]
  })
}

/** Who drew what and came back; and, where anybody did, each variant against the first. */
export function variantTables(steps: readonly ComparedStep[], off: boolean, style: TextStyle): SheetTable[] {
  const { speech, cell, en } = writing(style)
  const sizes: SheetTable = {
    id: 'variants',
    title: en ? 'Variants of a step, among all who drew them' : '同一步骤的各方案（按抽中的人计）',
    columns: [
      left(''),
      right(en ? 'share' : '占比'),
      right(en ? 'drawn' : '抽中'),
      right(en ? 'sent' : '已发送'),
      right(en ? 'complete' : '观察期已满'),
      right(en ? 'came back' : '回来'),
      right(en ? 'rate' : '召回率'),
      left(speech.word('interval')),
    ],
    rows: steps.flatMap((step) =>
      step.variants.map(({ name, share, assigned, sent, matured, recalled, rate }) => [
        cell.text(`${nameOf(step, steps, speech)} · ${name}`),
        cell.percent(share),
        cell.count(assigned),
        cell.count(sent),
        cell.count(matured),
        cell.count(recalled),
        rate.kind === 'estimate' ? within(cell.percent(rate.value), rate) : cell.none,
        cell.text(range(rate, speech.percent, speech)),
      ]),
    ),
    empty: en
      ? 'Nobody has drawn a variant yet. A step with `variants` says here which message brings back more.'
      : '尚无人抽取方案。设置了 `variants` 的步骤会在此显示哪种消息召回更多。',
  }
  return steps.length === 0
    ? [sizes]
    : [sizes, comparisonTable(steps, off, style), ...variantCostTables(steps, off, style)]
}

function comparisonTable(steps: readonly ComparedStep[], off: boolean, style: TextStyle): SheetTable {
  const { speech, cell, en } = writing(style)
  const line = (step: ComparedStep, { variant, difference, adjusted, verdict }: VariantComparison) => {
    const silent = off || step.split.alarm
    const first = step.variants[0]?.name ?? ''
    const name = nameOf(step, steps, speech)
    return [
      cell.text(en ? `${name} · ${variant} against ${first}` : `${name} · ${variant} 对比 ${first}`),
      !silent && difference.kind === 'estimate'
        ? within(cell.points(difference.value), difference)
        : cell.none,
      cell.text(silent ? speech.word('noConclusion') : range(difference, speech.points, speech)),
      silent || adjusted === undefined ? cell.none : { text: pValue(adjusted), value: adjusted },
      cell.text(silent ? '' : verdictWord(verdict, en)),
    ]
  }
  return {
    id: 'comparisons',
    title: en ? 'Each variant against the first (p by Holm)' : '各方案与第一个方案比较（Holm 校正）',
    columns: [left(''), right(en ? 'points' : '百分点'), left(speech.word('interval')), right('p'), left('')],
    rows: steps.flatMap((step) => step.comparisons.map((comparison) => line(step, comparison))),
    empty: '',
  }
}

function range(estimate: Estimate | NotEnough, write: (value: number) => string, speech: Speech): string {
  return estimate.kind === 'estimate' ? span(write, estimate) : speech.word('notEnough')
}

/** What a careful reader must know of the table; nothing where there is none. */
export function variantNotes(steps: readonly ComparedStep[], { language }: Speech): string[] {
  if (steps.length === 0) return []
  const en = language === 'en'
  return [
    ...(steps.some(({ repeated }) => repeated)
      ? [
          en
            ? 'Some drew a variant of a step more than once: the intervals and p of variants take the lapses of a person together.'
            : '部分人多次抽中同一步骤的方案：方案的区间与 p 按人聚类计算。',
        ]
      : []),
    en
      ? 'Variants are compared among all who drew one, sent to or not; each window counts from entering the tier. A verdict holds however often one looks and for all variants of a step together; interval and p hold for one look. Cost is all that was booked to those complete from entering the tier on, labour too; the verdict does not weigh it.'
      : '各方案按所有抽中的人比较，无论是否发送；观察期自进入阶段起算。结论不受查看次数影响，并已对同一步骤的全部方案校正；区间与 p 只对一次查看有效。成本为观察期已满者自进入阶段起计入的全部金额（含人工），结论未将其计入。',
  ]
}

function verdictWord(verdict: VariantComparison['verdict'], en: boolean): string {
  switch (verdict) {
    case 'better':
      return en ? 'brings back more' : '召回更多'
    case 'worse':
      return en ? 'brings back fewer' : '召回更少'
    case 'no_difference':
      return en ? 'may be chance' : '可能只是偶然'
    case 'not_yet':
      return en ? 'not yet' : '暂无结论'
  }
}

function alarmText({ split, variants }: ComparedStep, speech: Speech): string {
  const en = speech.language === 'en'
  const total = variants.reduce((sum, { assigned }) => sum + assigned, 0)
  const sizes = variants.map(({ name, share, assigned }) =>
    en
      ? `${name} ${speech.count(assigned)} where ${speech.count(total * share)} were due`
      : `${name} ${speech.count(assigned)} 人，应为 ${speech.count(total * share)} 人`,
  )
  if (split.strayed > 0) {
    const strayed = speech.count(split.strayed)
    sizes.push(en ? `${strayed} of a variant that has no share` : `${strayed} 人属于没有占比的方案`)
  }
  const p = split.test.kind === 'tested' ? bracketed(alarmingP(split.test.p), speech) : ''
  return en
    ? `the variants are off, no conclusion: ${sizes.join('; ')}${p}.`
    : `方案分组异常，结论不可用：${sizes.join('；')}${p}。`
}

function verdictText(step: ComparedStep, speech: Speech): string {
  const en = speech.language === 'en'
  const found = step.comparisons.filter(({ verdict }) => verdict === 'better' || verdict === 'worse')
  if (found.length === 0) return openText(step, speech)
  const first = step.variants[0]?.name ?? ''
  const parts = found.map(({ variant, verdict, difference }) => {
    const size =
      difference.kind !== 'estimate'
        ? ''
        : en
          ? ` (${speech.points(difference.value)} points, ${span(speech.points, difference)})`
          : `（${speech.points(difference.value)} 个百分点，${span(speech.points, difference)}）`
    if (verdict === 'better')
      return en
        ? `${variant} brings back more than ${first}${size}`
        : `${variant} 比 ${first} 召回更多${size}`
    return en ? `${variant} brings back fewer than ${first}${size}` : `${variant} 比 ${first} 召回更少${size}`
  })
  const open = step.comparisons.filter((each) => !found.includes(each)).map(({ variant }) => variant)
  const rest =
    open.length === 0 ? '' : en ? ` Not yet told: ${open.join(', ')}.` : `尚无结论：${open.join('、')}。`
  return en ? `${parts.join('; ')}.${rest}` : `${parts.join('；')}。${rest}`
}

/** Nothing is found, and what it would take. */
function openText({ variants, comparisons }: ComparedStep, speech: Speech): string {
  const en = speech.language === 'en'
  const n = speech.count
  const pending = variants.reduce((sum, each) => sum + each.pending, 0)
  const waiting =
    pending === 0 ? '' : en ? ` ${n(pending)} are still open.` : `另有 ${n(pending)} 人仍在观察中。`
  if (variants.some(({ matured }) => matured === 0)) {
    const complete = variants.map(({ name, matured }) => `${name} ${n(matured)}`).join(en ? ', ' : '，')
    return en
      ? `Not yet: observation is complete for ${complete}.${waiting}`
      : `暂无结论：观察期已满 ${complete}。${waiting}`
  }
  if (comparisons.every(({ verdict }) => verdict === 'not_yet')) {
    const back = variants.map(({ name, recalled }) => `${name} ${n(recalled)}`).join(en ? ', ' : '，')
    return en
      ? `Not yet: came back ${back}; at least ${MINIMUM_RECALLS} in each are needed.${waiting}`
      : `暂无结论：回来的人数 ${back}；每个方案至少需要 ${MINIMUM_RECALLS} 人。${waiting}`
  }
  const rates = variants
    .flatMap(({ name, rate }) => (rate.kind === 'estimate' ? [`${name} ${speech.percent(rate.value)}`] : []))
    .join(en ? ', ' : '，')
  return en
    ? `Not yet: ${rates} came back, and the difference may be chance.${neededText(variants, comparisons, speech)}${waiting}`
    : `暂无结论：召回率 ${rates}，差异可能只是偶然。${neededText(variants, comparisons, speech)}${waiting}`
}

/** For the comparison that would be told first; beyond a million, nobody waits for it. */
function neededText(
  [first]: readonly VariantFigures[],
  comparisons: readonly VariantComparison[],
  speech: Speech,
): string {
  const needed = Math.min(
    ...comparisons.map(({ recallsNeeded = 0 }) => recallsNeeded || Number.POSITIVE_INFINITY),
  )
  if (!first || needed > 1e6) return ''
  return speech.language === 'en'
    ? ` If the rates stay as they are, about ${speech.count(needed)} more must come back with ${first.name} before it can be told.`
    : `若召回率保持不变，${first.name} 还需约 ${speech.count(needed)} 人回来才能下结论。`
}
