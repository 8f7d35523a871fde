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
import {
  MINIMUM_BUYERS,
  type Return,
  type ReturnMoments,
  type ReturnOnCost,
  returnOf,
} from '../statistics/return-on-cost.ts'
import { type Annotation, annotationNotes, marksOf, readAnnotations } from './annotations.ts'
import { boundlessText } from './boundless-price.ts'
import type { Earned } from './cohort-day.ts'
import { checkSplit } from './effect.ts'
import { aboutLines, type Freshness, readFreshness } from './freshness.ts'
import { nothingYet } from './funnel.ts'
import { costMoments, inRange, type Range, readPeople, returnMoments } from './people-cells.ts'
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
  /** Extra margin for extra cost; absent where no goal has a margin. */
  readonly returns:
    | { readonly withLabour: Return | NotEnough; readonly withoutLabour: Return | NotEnough }
    | undefined
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
  /** What was counted as margin; undefined where no goal has one, or not every day was counted with the same. */
  readonly earned: Earned | undefined
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
    buyers: number
    margin: number
    marginSquares: number
    marginCosts: number
    marginUnpaid: number
  }>(
    session,
    sql`
      SELECT tier, arm, sum(assigned)::bigint AS n, sum(recalled)::bigint AS recalls,
        sum(spend + liability + labour)::float8 AS cost, sum(cost_squares)::float8 AS "costSquares",
        sum(cost_recalls)::float8 AS products, sum(spend + liability)::float8 AS unpaid,
        sum(unpaid_squares)::float8 AS "unpaidSquares", sum(unpaid_recalls)::float8 AS "unpaidProducts",
        sum(buyers)::bigint AS buyers, sum(margin)::float8 AS margin, sum(margin_squares)::float8 AS "marginSquares",
        sum(margin_costs)::float8 AS "marginCosts", sum(margin_unpaid)::float8 AS "marginUnpaid"
      FROM report_stages WHERE ${inRange(question)} AND final_at <= ${question.now} GROUP BY tier, arm`,
  )
  const earned = await readEarned(session, question)
  const priceOf = (name: string, moments: Moments<CostMoments>, brought: Moments<ReturnMoments>): Price => {
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
      returns: earned && {
        withLabour: returnOf(brought('treated', true), brought('holdout', true)),
        withoutLabour: returnOf(brought('treated', false), brought('holdout', false)),
      },
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
  const returnOfStage =
    (tier: string) =>
    (arm: 'treated' | 'holdout', labour: boolean): ReturnMoments => {
      const { n, cost, costSquares } = ofStage(tier)(arm, labour)
      const row = stages.find((each) => each.tier === tier && each.arm === arm)
      const { buyers = 0, margin = 0, marginSquares = 0, marginCosts = 0, marginUnpaid = 0 } = row ?? {}
      return {
        n,
        cost,
        costSquares,
        buyers,
        margin,
        marginSquares,
        products: labour ? marginCosts : marginUnpaid,
      }
    }
  const entered = new Set(people.map((cell) => cell.tier))
  return {
    range: question,
    freshness: await readFreshness(session, question),
    annotations: await readAnnotations(session, question),
    lines,
    prices: [
      priceOf(
        '',
        (arm, labour) => costMoments(people, arm, labour),
        (arm, labour) => returnMoments(people, arm, labour),
      ),
      ...tiers
        .filter((tier) => entered.has(tier) || stages.some((each) => each.tier === tier))
        .map((tier) => {
          if (stages.some((each) => each.tier === tier && each.arm === 'holdout'))
            return priceOf(tier, ofStage(tier), returnOfStage(tier))
          const cells = people.filter((cell) => cell.tier === tier)
          return priceOf(
            tier,
            (arm, labour) => costMoments(cells, arm, labour),
            (arm, labour) => returnMoments(cells, arm, labour),
          )
        }),
    ],
    alarm: checkSplit(people, question.split).alarm,
    days,
    budget: question.budget,
    recallValue: question.recallValue,
    acquisition: question.acquisition,
    earned,
  }
}

type Moments<Of> = (arm: 'treated' | 'holdout', labour: boolean) => Of

/** What the days in question were counted with; undefined where that is nothing, or not the same on all of them. */
async function readEarned(session: Session, question: CampaignQuestion): Promise<Earned | undefined> {
  const found = await rows<{ earned: Earned }>(
    session,
    sql`SELECT DISTINCT earned FROM report_days WHERE ${inRange(question)}`,
  )
  const [first, ...others] = found
  return first && others.length === 0 && Object.keys(first.earned).length > 0 ? first.earned : undefined
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
    ...marginNotes(data.earned, speech),
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
    sentences: [priceSentence(data, speech), ...returnSentence(data, speech)],
    tables: [kinds, prices, ...(data.earned ? [returnTable(data, speech)] : []), lines],
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

/** The ratio, or why there is none. */
export function returnCell(returned: Return | NotEnough | undefined, alarm: boolean, speech: Speech): Cell {
  const en = speech.language === 'en'
  if (alarm) return { text: speech.word('noConclusion'), value: null }
  if (returned === undefined) return { text: '–', value: null }
  const ratio: ReturnOnCost = 'ratio' in returned ? returned.ratio : { answer: 'not_estimable' }
  if (ratio.answer === 'no_cost')
    return { text: en ? 'no extra cost to divide by' : '没有额外成本', value: null }
  if (ratio.answer === 'not_estimable') return { text: speech.word('notEnough'), value: null }
  const share = (value: number) => `${speech.signed(value * 100)}${en ? ' %' : '%'}`
  return { text: `${share(ratio.value)} (${share(ratio.low)} … ${share(ratio.high)})`, value: ratio.value }
}

function returnTable(data: CostData, speech: Speech): SheetTable {
  const en = speech.language === 'en'
  const amount = (estimate: Estimate | NotEnough | undefined): Cell =>
    data.alarm
      ? { text: speech.word('noConclusion'), value: null }
      : estimate?.kind === 'estimate'
        ? {
            text: `${speech.money(estimate.value)} (${speech.money(estimate.low)} … ${speech.money(estimate.high)})`,
            value: estimate.value / 1e6,
          }
        : { text: speech.word('notEnough'), value: null }
  return {
    id: 'returns',
    title: en ? 'What it earned for what it cost' : '投入与产出',
    columns: [
      left(''),
      left(en ? 'extra margin, per person contacted' : '每触达一人多赚的毛利'),
      left(en ? 'left of it after all cost' : '扣除全部成本后'),
      left(en ? 'ROI with labour' : 'ROI（含人工）'),
      left(en ? 'ROI without labour' : 'ROI（不含人工）'),
    ],
    rows: data.prices.map(({ name, returns }) => {
      const whole = returns?.withLabour
      const known = whole && 'ratio' in whole ? whole : undefined
      return [
        { text: name === '' ? speech.word('all') : name },
        amount(known?.margin),
        amount(known?.left),
        returnCell(whole, data.alarm, speech),
        returnCell(returns?.withoutLabour, data.alarm, speech),
      ]
    }),
    empty: nothingYet(speech),
  }
}

function returnSentence(data: CostData, speech: Speech): Sheet['sentences'] {
  const en = speech.language === 'en'
  const [whole] = data.prices
  if (!(data.earned && whole)) return []
  const returned = whole.returns?.withLabour
  const { text } = returnCell(returned, data.alarm, speech)
  const ratio = returned && 'ratio' in returned && !data.alarm ? returned.ratio : undefined
  const reading = ratio?.answer === 'return' ? readingOf(ratio, en) : ''
  return [{ text: en ? `ROI: ${text}.${reading}` : `ROI（投资回报率）：${text}。${reading}`, tone: 'plain' }]
}

/** What an interval says of the one question that is asked of it: whether it pays. */
function readingOf({ low, high }: Estimate, en: boolean): string {
  if (low > 0) return en ? ' It earns more than it costs.' : '收益高于成本。'
  if (high < 0) return en ? ' It costs more than it earns.' : '成本高于收益。'
  return en ? ' Whether it earns more than it costs cannot be told yet.' : '尚不能判断收益是否高于成本。'
}

/** What the ROI is made of, or how to get one. */
function marginNotes(earned: Earned | undefined, speech: Speech): string[] {
  const en = speech.language === 'en'
  if (!earned) {
    return [
      en
        ? 'Set a margin on a goal to see the ROI: `goals: { order: { event: order, margin: 30% } }`.'
        : '为目标设置毛利率即可看到 ROI：`goals: { order: { event: order, margin: 30% } }`。',
    ]
  }
  const shares = Object.entries(earned)
    .filter(([, share]) => share > 0)
    .map(([event, share]) => `${event} ${speech.percent(share)}`)
    .join(en ? ', ' : '、')
  return [
    en
      ? `ROI = (extra margin − extra cost) / extra cost, contacted against not contacted. Margin of what was bought within the window, less what was paid back: ${shares}. What people would have bought anyway is in both groups and cancels out.`
      : `ROI =（多赚的毛利 − 多花的成本）/ 多花的成本，由触达组与对照组相比得出。毛利按观察窗口内的消费计算，已扣除退款：${shares}。不触达也会发生的消费两组都有，相互抵消。`,
    en
      ? `At least ${MINIMUM_BUYERS} people with margin are needed in each group.`
      : `每组至少需要 ${MINIMUM_BUYERS} 位产生毛利的人。`,
  ]
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
