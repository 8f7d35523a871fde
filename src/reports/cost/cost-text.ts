import type { Chart, LineChart } from '../../charts/chart.ts'
import type { Estimate, NotEnough } from '../../statistics/estimate.ts'
import type { CostPerRecall } from '../../statistics/net-benefit.ts'
import { annotationNotes, marksOf } from '../annotations.ts'
import { aboutLines } from '../freshness.ts'
import { left, right } from '../layout.ts'
import type { TextStyle } from '../report.ts'
import { amountAround, type Cell, type Sheet, type SheetTable, writing } from '../sheet.ts'
import { shortageText } from '../shortage-words.ts'
import { splitNotes } from '../verdict-text.ts'
import type { Speech } from '../words.ts'
import { nothingYet } from '../words.ts'
import { boundlessText } from './boundless-price.ts'
import type { CostData } from './cost.ts'
import { marginNotes, roiSentence, roiTable } from './roi-text.ts'

// What it cost in words, and what is left of the budgets.

export function costSheet(data: CostData, style: TextStyle): Sheet {
  const { speech, cell, en } = writing(style)
  const w = speech.word
  const sum = (kind?: string) =>
    data.lines
      .filter((line) => kind === undefined || line.kind === kind)
      .reduce((all, line) => all + line.amount, 0)
  const kinds: SheetTable = {
    id: 'kinds',
    title: w('costTitle'),
    columns: [
      left(''),
      right(en ? 'amount' : '金额'),
      right(en ? 'budget' : '预算'),
      right(en ? 'left' : '剩余'),
    ],
    rows: (['spend', 'liability', 'labour'] as const).map((kind) => {
      const budget = kind === 'labour' ? undefined : data.budget?.[kind]
      const whole = budget?.per === 'campaign' ? budget.amount : undefined
      const daily =
        budget?.per === 'day' ? `${speech.money(budget.amount)}${en ? ' a day' : '/天'}` : undefined
      return [
        cell.text(w(kind)),
        cell.money(sum(kind)),
        daily === undefined ? cell.money(whole) : cell.text(daily),
        cell.money(whole === undefined || kind === 'labour' ? undefined : whole - data.booked[kind]),
      ]
    }),
    empty: w('nothing'),
  }
  const lines: SheetTable = {
    id: 'lines',
    title: en ? 'By step, channel and kind' : '按步骤、渠道与类型',
    columns: [
      left(en ? 'step' : '步骤'),
      left(en ? 'channel' : '渠道'),
      left(en ? 'kind' : '类型'),
      right(en ? 'amount' : '金额'),
    ],
    rows: data.lines.map((line) => [
      cell.text(`${line.tier} › ${line.step}`),
      cell.channel(line.channel),
      cell.text(w(line.kind)),
      cell.money(line.amount),
    ]),
    empty: w('nothing'),
  }
  const prices: SheetTable = {
    id: 'prices',
    title: en ? 'What one won back by us costs' : '每多召回一人的成本',
    columns: [
      left(''),
      left(en ? 'with labour' : '含人工'),
      left(en ? 'without labour' : '不含人工'),
      left(en ? 'brings in, per person contacted' : '每触达一人的净收益'),
    ],
    rows: data.prices.map((price) => [
      cell.text(price.name === '' ? w('all') : price.name),
      priceCell(price.withLabour, data.alarm || price.off, speech),
      priceCell(price.withoutLabour, data.alarm || price.off, speech),
      benefitCell(price.benefit, data.alarm || price.off, style),
    ]),
    empty: nothingYet(speech),
  }
  const notes = [
    ...splitNotes({ split: data.split, overall: data }, speech),
    ...marginNotes(data, speech),
    ...(data.acquisition === undefined
      ? []
      : [`${w('acquisition')}${en ? ': ' : '：'}${speech.money(data.acquisition)}`]),
    ...(data.recallValue === undefined
      ? [
          en
            ? 'Set `value: { recall: … }` in the campaign to see what it brings in.'
            : '在活动中设置 `value: { recall: … }` 即可看到净收益。',
        ]
      : valueNotes(data, speech)),
    ...pendingNotes(data.prices, speech),
    ...(data.repeated
      ? [
          en
            ? 'Some lapsed more than once: the intervals take the lapses of a person together.'
            : '部分人多次流失：区间按人聚类计算。',
        ]
      : []),
    ...(Object.values(data.budget ?? {}).some((budget) => budget?.per === 'campaign')
      ? [
          en
            ? 'What is left of a budget is what the whole campaign has left of it now, whatever days are asked about; what went to seeds is taken off, too.'
            : '预算剩余指整个活动目前的剩余，与所选日期无关；发给种子联系人的费用也已扣除。',
        ]
      : []),
    en
      ? 'What one won back costs, and what it brings in, is over everyone assigned whose observation is complete, redemptions by people who would have come back anyway included; of a tier with a draw of its own, from entering it on. The intervals hold for one look each, on a day fixed beforehand. Amounts are all that was booked so far.'
      : '每多召回一人的成本与收益按观察期已满的全部已分组者计算，含不触达也会回来的人的核销；有阶段内随机的阶段自进入阶段起计。区间只对事先定好的一次查看有效。金额为迄今记账的全部。',
  ]
  return {
    name: 'cost',
    title: en ? 'What it cost' : '花了多少',
    about: aboutLines(data, speech),
    sentences: [priceSentence(data, speech), ...roiSentence(data, speech)],
    tables: [kinds, prices, ...(data.earned ? [roiTable(data, speech)] : []), lines],
    charts: data.days.length === 0 ? [] : burnDown(data, speech, style.currency),
    notes: [...notes, ...annotationNotes(data.annotations, speech)],
  }
}

/** What {@link benefitCell} takes a recall to be worth: the campaign says so, no figure here does. */
export function valueNotes({ recallValue }: Pick<CostData, 'recallValue'>, speech: Speech): string[] {
  if (recallValue === undefined) return []
  const value = speech.money(recallValue)
  return [
    speech.language === 'en'
      ? `Brings in: a recall counts ${value}, as the campaign says (\`value.recall\`), less what it cost.`
      : `净收益：每次召回按活动设定的 ${value}（\`value.recall\`）计，减去成本。`,
  ]
}

/** Which tiers' figures will be of their own draw, and are not yet: they change once the first of it are complete. */
export function pendingNotes(prices: CostData['prices'], { language }: Speech): string[] {
  const tiers = prices.filter(({ pending }) => pending).map(({ name }) => name)
  if (tiers.length === 0) return []
  return [
    language === 'en'
      ? `${tiers.join(', ')}: nobody’s observation by the tier’s own draw is complete yet; until then, this is of those who entered with it.`
      : `${tiers.join('、')}：阶段内随机者的观察期均未满，此前按从该阶段进入的人计算。`,
  ]
}

/** A price, a floor, or why there is none: never a ratio over what may be nothing. */
export function priceCell(price: CostPerRecall | NotEnough, alarm: boolean, speech: Speech): Cell {
  const en = speech.language === 'en'
  if (alarm) return { text: speech.word('noConclusion'), value: null }
  if (!('answer' in price)) return { text: shortageText(price, speech), value: null }
  if (price.answer === 'cost' && isFree(price))
    return { text: en ? 'nothing was spent' : '没有花费', value: 0, interval: { low: 0, high: 0 } }
  if (price.answer === 'cost') return amountAround(price, speech)
  if (price.answer === 'no_gain') return { text: en ? 'no gain to divide by' : '没有增量', value: null }
  return { text: boundlessText(price, speech.money, speech.language), value: null }
}

/** Nothing was booked to anybody: not a price that is known to be nought, and nothing to compare with another. */
export function isFree({ low, high }: Pick<Estimate, 'low' | 'high'>): boolean {
  return low === 0 && high === 0
}

/** What each person contacted brings in; nothing where it is not known what a recall is worth. */
export function benefitCell(benefit: Estimate | undefined, alarm: boolean, style: TextStyle): Cell {
  const { speech, cell } = writing(style)
  return benefit === undefined || alarm ? cell.none : amountAround(benefit, speech)
}

function priceSentence(data: CostData, speech: Speech): Sheet['sentences'][number] {
  const en = speech.language === 'en'
  const [whole] = data.prices
  const text = priceCell(whole?.withLabour ?? { kind: 'not_enough', why: 'nobody' }, data.alarm, speech).text
  const known = whole && 'answer' in whole.withLabour && whole.withLabour.answer === 'cost' && !data.alarm
  const compared =
    known && data.acquisition !== undefined
      ? en
        ? `; a new customer costs ${speech.money(data.acquisition)}`
        : `；获取一位新客需 ${speech.money(data.acquisition)}`
      : ''
  return {
    text: en ? `One won back by us costs: ${text}${compared}.` : `每多召回一人的成本：${text}${compared}。`,
    tone: 'plain',
  }
}

/** What is spent so far, day by day, and where the budget of the whole campaign lies. */
function burnDown(data: CostData, speech: Speech, currency: string | undefined): Chart[] {
  const en = speech.language === 'en'
  return (['spend', 'liability'] as const).map((kind): LineChart => {
    let spent = 0
    const name = speech.word(kind)
    const points = data.days.map((day) => {
      spent += day[kind]
      return { x: day.day, y: spent / 1e6 }
    })
    // Some days of a campaign have no budget of their own.
    const budget =
      data.range.from === undefined && data.range.to === undefined ? data.budget?.[kind] : undefined
    const limit = budget?.per === 'campaign' ? budget.amount / 1e6 : undefined
    return {
      kind: 'lines',
      id: `burn_${kind}`,
      title: en ? `${name.charAt(0).toUpperCase()}${name.slice(1)}, added up day by day` : `${name}（累计）`,
      xTitle: '',
      x: 'date',
      unit: 'money',
      currency,
      series: [
        { name, points },
        ...(limit === undefined
          ? []
          : [{ name: en ? 'budget' : '预算', points: points.map(({ x }) => ({ x, y: limit })) }]),
      ],
      marks: marksOf(data.annotations),
    }
  })
}
