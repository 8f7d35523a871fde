import type { Estimate, NotEnough } from '../../statistics/estimate.ts'
import { left, right } from '../layout.ts'
import type { TextStyle } from '../report.ts'
import { type Cell, type SheetTable, writing } from '../sheet.ts'
import { shortageText } from '../shortage-words.ts'
import { type Speech, span } from '../words.ts'
import { nameOf } from './variant-words.ts'
import type { ComparedStep } from './variants.ts'

// What the variants of a step cost, in words of both languages: a person and each who came back, and by how much one
// costs more than the first.

/** What stands beside a step's verdict; nothing where nothing was booked. */
export function costSentences(step: ComparedStep, speech: Speech): string[] {
  const en = speech.language === 'en'
  const { variants, comparisons, recallValue } = step
  if (!isBooked(step)) return []
  const costs = variants.flatMap(({ name, cost: { perPerson, perRecall } }) => {
    if (perPerson.kind !== 'estimate') return []
    const each = amount(perRecall, speech.money, speech)
    return en
      ? [`${name} ${speech.money(perPerson.value)} a person, for each who came back ${each}`]
      : [`${name} 人均 ${speech.money(perPerson.value)}，每召回一人 ${each}`]
  })
  const first = variants[0]?.name ?? ''
  const worth = comparisons.flatMap(({ variant, cost: { benefit } }) => {
    if (benefit?.kind !== 'estimate') return []
    const between = span((micros) => signed(micros, speech), benefit)
    return en
      ? [`${variant} ${signed(benefit.value, speech)} a head against ${first} (${between})`]
      : [`${variant} 比 ${first} 人均 ${signed(benefit.value, speech)}（${between}）`]
  })
  const join = (parts: readonly string[]) => parts.join(en ? '; ' : '；')
  return [
    ...(costs.length === 0 ? [] : [en ? `Cost: ${join(costs)}.` : `成本：${join(costs)}。`]),
    ...(worth.length === 0 || recallValue === undefined
      ? []
      : [
          en
            ? `With a recall worth ${speech.money(recallValue)}, what they bring in less what they cost: ${join(worth)}.`
            : `每次召回价值按 ${speech.money(recallValue)} 计，带来的价值减去成本：${join(worth)}。`,
        ]),
  ]
}

/** Each variant's cost, and where anybody's is known, each against the first. */
export function variantCostTables(
  steps: readonly ComparedStep[],
  off: boolean,
  style: TextStyle,
): SheetTable[] {
  const { speech, cell, en } = writing(style)
  const perPerson = right(en ? 'a person' : '人均')
  const perRecall = right(en ? 'each who came back' : '每召回一人')
  const booked = steps.filter(isBooked)
  const costs: SheetTable = {
    id: 'variant_costs',
    title: en
      ? 'What each variant cost, over all who drew it and are complete'
      : '各方案的成本（按抽中且观察期已满的人计）',
    columns: [
      left(''),
      right(en ? 'booked' : '金额'),
      perPerson,
      left(speech.word('interval')),
      perRecall,
      left(speech.word('interval')),
    ],
    rows: booked.flatMap((step) =>
      step.variants.map(({ name, cost }) => [
        cell.text(`${nameOf(step, steps, speech)} · ${name}`),
        cell.money(cost.moments.cost),
        ...estimated(cost.perPerson, speech.money, speech),
        ...estimated(cost.perRecall, speech.money, speech),
      ]),
    ),
    empty: steps.some(({ variants }) => variants.some(({ matured }) => matured > 0))
      ? speech.word('nothing')
      : en
        ? 'Nobody who drew one has been observed to the end yet.'
        : '抽取方案的人都还在观察中。',
  }
  if (booked.length === 0) return [costs]
  const more = (value: number) => signed(value, speech)
  const valued = booked.some(({ recallValue }) => recallValue !== undefined)
  const comparisons: SheetTable = {
    id: 'cost_comparisons',
    title: en ? 'What each variant costs more than the first' : '各方案比第一个方案多花的成本',
    columns: [
      left(''),
      perPerson,
      left(speech.word('interval')),
      perRecall,
      left(speech.word('interval')),
      ...(valued ? [right(en ? 'brings in, a head' : '人均净收益'), left(speech.word('interval'))] : []),
    ],
    rows: booked.flatMap((step) => {
      const silent = off || step.split.alarm
      const of = (estimate: Estimate | NotEnough | undefined) =>
        silent
          ? [cell.none, { text: speech.word('noConclusion') }]
          : estimated(estimate ?? { kind: 'not_enough', why: 'nobody' }, more, speech)
      const name = nameOf(step, steps, speech)
      const first = step.variants[0]?.name ?? ''
      return step.comparisons.map(({ variant, cost }) => [
        cell.text(en ? `${name} · ${variant} against ${first}` : `${name} · ${variant} 对比 ${first}`),
        ...of(cost.perPerson),
        ...of(cost.perRecall),
        ...(valued ? of(cost.benefit) : []),
      ])
    }),
    empty: '',
  }
  return [costs, comparisons]
}

function isBooked({ variants }: ComparedStep): boolean {
  return variants.some(({ cost }) => cost.moments.cost !== 0)
}

function signed(micros: number, { money }: Speech): string {
  return micros > 0 ? `+${money(micros)}` : money(micros)
}

/** The amount, and its interval: none where every head cost the same. */
function estimated(
  estimate: Estimate | NotEnough,
  write: (micros: number) => string,
  speech: Speech,
): [Cell, Cell] {
  if (estimate.kind !== 'estimate')
    return [
      { text: '–', value: null },
      { text: shortageText(estimate, speech), value: null },
    ]
  const alike = speech.language === 'en' ? 'alike for everyone' : '人人相同'
  return [
    {
      text: write(estimate.value),
      value: Math.round(estimate.value) / 1e6,
      interval: { low: Math.round(estimate.low) / 1e6, high: Math.round(estimate.high) / 1e6 },
    },
    { text: estimate.low === estimate.high ? alike : span(write, estimate) },
  ]
}

function amount(estimate: Estimate | NotEnough, write: (micros: number) => string, speech: Speech): string {
  return estimate.kind === 'estimate' ? write(estimate.value) : shortageText(estimate, speech)
}
