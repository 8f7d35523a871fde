import { sql } from 'drizzle-orm'
import type { Chart, LineChart } from '../charts/chart.ts'
import { rows, type Session } from '../database/connect.ts'
import type { Estimate, NotEnough } from '../statistics/estimate.ts'
import {
  type CostMoments,
  type CostPerRecall,
  costPerRecall,
  incrementalOf,
  netBenefit,
} from '../statistics/net-benefit.ts'
import { type Annotation, annotationNotes, marksOf, readAnnotations } from './annotations.ts'
import { boundlessText } from './boundless-price.ts'
import { checkSplit } from './effect.ts'
import { aboutLines, type Freshness, readFreshness } from './freshness.ts'
import { nothingYet } from './funnel.ts'
import { costMoments, inRange, type Range, readPeople } from './people-cells.ts'
import { orderTiers } from './people-sql.ts'
import type { CampaignQuestion } from './question.ts'
import type { TextStyle } from './report.ts'
import { type Cell, left, right, type Sheet, type SheetTable, writing } from './sheet.ts'
import { inSnapshot, type Readable } from './snapshot.ts'
import type { Speech } from './words.ts'

// What it cost, what one won back by us costs, and what is left of the budgets.

export interface CostLine {
  readonly tier: string
  readonly step: string
  readonly channel: string
  readonly kind: 'spend' | 'liability' | 'labour'
  /** Integer micros. */
  readonly amount: number
}

/** Price of one more recall, with labour and without; micros. */
export interface Price {
  readonly name: string
  readonly withLabour: CostPerRecall | NotEnough
  readonly withoutLabour: CostPerRecall | NotEnough
  /** λΔE − ΔC a head, at the campaign's value of a recall. */
  readonly benefit: Estimate | undefined
}

export interface CostData {
  readonly range: Range
  readonly freshness: Freshness
  readonly annotations: readonly Annotation[]
  readonly lines: readonly CostLine[]
  /** All campaign first, then tiers: by their own draw where they have one, by entry otherwise. */
  readonly prices: readonly Price[]
  /** The groups do not have the sizes they were drawn with: no price is one. */
  readonly alarm: boolean
  /** Booked by day. */
  readonly days: readonly {
    readonly day: string
    readonly spend: number
    readonly liability: number
    readonly labour: number
  }[]
  readonly budget: CampaignQuestion['budget']
  readonly recallValue: number | undefined
  readonly acquisition: number | undefined
}

export async function readCost(readable: Readable, question: CampaignQuestion): Promise<CostData> {
  return await inSnapshot(readable, (session) => costWithin(session, question))
}

/** {@link readCost} as part of a report that has its snapshot already. */
export async function costWithin(session: Session, question: CampaignQuestion): Promise<CostData> {
  const people = await readPeople(session, question, ['tier', 'version'])
  const tiers = await orderTiers(session, question.campaign)
  const lines = await rows<CostLine>(
    session,
    sql`
      SELECT p.tier, p.step, c.channel, c.kind, sum(c.amount)::float8 AS amount
      FROM report_costs c JOIN steps p USING (step_id) WHERE ${inRange(question, 'c')}
      GROUP BY p.tier, p.step, c.channel, c.kind ORDER BY min(p.tier_no), min(p.step_no), p.step, c.channel, c.kind`,
  )
  const days = await rows<CostData['days'][number]>(
    session,
    sql`
      SELECT booked_on::text AS day, coalesce(sum(amount) FILTER (WHERE kind = 'spend'), 0)::float8 AS spend,
        coalesce(sum(amount) FILTER (WHERE kind = 'liability'), 0)::float8 AS liability,
        coalesce(sum(amount) FILTER (WHERE kind = 'labour'), 0)::float8 AS labour
      FROM report_costs WHERE ${inRange(question)} GROUP BY booked_on ORDER BY booked_on`,
  )
  const stages = await rows<{
    tier: string
    arm: string
    n: number
    recalls: number
    cost: number
    costSquares: number
    products: number
    unpaid: number
    unpaidSquares: number
    unpaidProducts: number
  }>(
    session,
    sql`
      SELECT tier, arm, sum(assigned)::bigint AS n, sum(recalled)::bigint AS recalls,
        sum(spend + liability + labour)::float8 AS cost, sum(cost_squares)::float8 AS "costSquares",
        sum(cost_recalls)::float8 AS products, sum(spend + liability)::float8 AS unpaid,
        sum(unpaid_squares)::float8 AS "unpaidSquares", sum(unpaid_recalls)::float8 AS "unpaidProducts"
      FROM report_stages WHERE ${inRange(question)} AND final_at <= ${question.now} GROUP BY tier, arm`,
  )
  const priceOf = (
    name: string,
    moments: (arm: 'treated' | 'holdout', labour: boolean) => CostMoments,
  ): Price => {
    const judged = (labour: boolean) => incrementalOf(moments('treated', labour), moments('holdout', labour))
    const [paid, unpaid] = [judged(true), judged(false)]
    return {
      name,
      withLabour: 'kind' in paid ? paid : costPerRecall(paid),
      withoutLabour: 'kind' in unpaid ? unpaid : costPerRecall(unpaid),
      benefit:
        'kind' in paid || question.recallValue === undefined
          ? undefined
          : netBenefit(paid, question.recallValue),
    }
  }
  const ofStage =
    (tier: string) =>
    (arm: 'treated' | 'holdout', labour: boolean): CostMoments => {
      const row = stages.find((each) => each.tier === tier && each.arm === arm)
      if (!row) return { n: 0, cost: 0, recalls: 0, costSquares: 0, products: 0 }
      return labour
        ? row
        : {
            n: row.n,
            recalls: row.recalls,
            cost: row.unpaid,
            costSquares: row.unpaidSquares,
            products: row.unpaidProducts,
          }
    }
  const entered = new Set(people.map((cell) => cell.tier))
  return {
    range: question,
    freshness: await readFreshness(session, question),
    annotations: await readAnnotations(session, question),
    lines,
    prices: [
      priceOf('', (arm, labour) => costMoments(people, arm, labour)),
      ...tiers
        .filter((tier) => entered.has(tier) || stages.some((each) => each.tier === tier))
        .map((tier) =>
          priceOf(
            tier,
            stages.some((each) => each.tier === tier && each.arm === 'holdout')
              ? ofStage(tier)
              : (arm, labour) =>
                  costMoments(
                    people.filter((cell) => cell.tier === tier),
                    arm,
                    labour,
                  ),
          ),
        ),
    ],
    alarm: checkSplit(people, question.split).alarm,
    days,
    budget: question.budget,
    recallValue: question.recallValue,
    acquisition: question.acquisition,
  }
}

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
        cell.money(whole === undefined ? undefined : whole - sum(kind)),
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
      { text: speech.channel(line.channel), value: line.channel },
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
      priceCell(price.withLabour, data.alarm, speech),
      priceCell(price.withoutLabour, data.alarm, speech),
      benefitCell(price.benefit, data.alarm, style),
    ]),
    empty: nothingYet(speech),
  }
  const notes = [
    ...(data.acquisition === undefined ? [] : [`${w('acquisition')}: ${speech.money(data.acquisition)}`]),
    ...(data.recallValue === undefined
      ? [
          en
            ? 'Set `value: { recall: … }` in the campaign to see what it brings in.'
            : '在活动中设置 `value: { recall: … }` 即可看到净收益。',
        ]
      : []),
    en
      ? 'Costs are over everyone assigned whose observation is complete, redemptions by people who would have come back anyway included.'
      : '成本按观察期已满的全部已分组者计算，含不触达也会回来的人的核销。',
  ]
  return {
    name: 'cost',
    title: en ? 'What it cost' : '花了多少',
    about: aboutLines(data, speech),
    sentences: [priceSentence(data, speech)],
    tables: [kinds, prices, lines],
    charts: data.days.length === 0 ? [] : burnDown(data, speech, style.currency),
    notes: [...notes, ...annotationNotes(data.annotations, speech)],
  }
}

/** A price, a floor, or why there is none: never a ratio over what may be nothing. */
export function priceCell(price: CostPerRecall | NotEnough, alarm: boolean, speech: Speech): Cell {
  const en = speech.language === 'en'
  if (alarm) return { text: speech.word('noConclusion'), value: null }
  if (!('answer' in price)) return { text: speech.word('notEnough'), value: null }
  if (price.answer === 'cost') {
    return {
      text: `${speech.money(price.value)} (${speech.money(price.low)} … ${speech.money(price.high)})`,
      value: price.value / 1e6,
    }
  }
  if (price.answer === 'no_gain') return { text: en ? 'no gain to divide by' : '没有增量', value: null }
  return { text: boundlessText(price, speech.money, speech.language), value: null }
}

/** What each person contacted brings in; nothing where it is not known what a recall is worth. */
export function benefitCell(benefit: Estimate | undefined, alarm: boolean, style: TextStyle): Cell {
  const { speech, cell } = writing(style)
  if (benefit === undefined || alarm) return cell.none
  return {
    text: `${speech.money(benefit.value)} (${speech.money(benefit.low)} … ${speech.money(benefit.high)})`,
    value: benefit.value / 1e6,
  }
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
    const budget = data.budget?.[kind]
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
