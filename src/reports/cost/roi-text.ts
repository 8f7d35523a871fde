import type { Estimate, NotEnough } from '../../statistics/estimate.ts'
import { MINIMUM_BUYERS, type Roi, type RoiRatio } from '../../statistics/roi.ts'
import { left } from '../layout.ts'
import { amountAround, type Cell, type Sheet, type SheetTable } from '../sheet.ts'
import { shortageText } from '../shortage-words.ts'
import { bracketed, nothingYet, type Speech, span } from '../words.ts'
import type { CostData } from './cost.ts'

// The ROI in words: a ratio and its interval, or why there is none.

/** The ratio, or why there is none. */
export function roiCell(roi: Roi | NotEnough | undefined, alarm: boolean, speech: Speech): Cell {
  const en = speech.language === 'en'
  if (alarm) return { text: speech.word('noConclusion'), value: null }
  if (roi === undefined) return { text: '–', value: null }
  if ('kind' in roi && roi.why === 'nobody_held_out') return { text: shortageText(roi, speech), value: null }
  const ratio: RoiRatio = 'ratio' in roi ? roi.ratio : { answer: 'not_estimable' }
  if (ratio.answer === 'no_cost')
    return { text: en ? 'no extra cost to divide by' : '没有额外成本', value: null }
  if (ratio.answer === 'not_estimable') return { text: speech.word('notEnough'), value: null }
  const { value, low, high } = ratio
  const large = isLarge(value)
  const write = (roi: number) => roiText(roi, speech, large)
  return { text: write(value) + bracketed(span(write, ratio), speech), value, interval: { low, high } }
}

function isLarge(roi: number): boolean {
  return Math.abs(roi) > 10
}

/**
 * A ROI as a share, 0.8 → `+80 %`; beyond ten times the cost as a multiple of it, 27.3 → `+27 times`.
 * @param large as a multiple: the ends of an interval are read as its middle is
 */
export function roiText(roi: number, speech: Speech, large = isLarge(roi)): string {
  const en = speech.language === 'en'
  if (large) return `${speech.signed(roi)}${en ? ' times' : ' 倍'}`
  return `${speech.signed(roi * 100)}${en ? ' %' : '%'}`
}

/** Of the campaign and each tier: the extra margin, what is left of it, and the ROI. */
export function roiTable(data: CostData, speech: Speech): SheetTable {
  const en = speech.language === 'en'
  const amount = (estimate: Estimate | NotEnough | undefined, off: boolean): Cell =>
    off
      ? { text: speech.word('noConclusion'), value: null }
      : estimate?.kind === 'estimate'
        ? amountAround(estimate, speech)
        : { text: speech.word('notEnough'), value: null }
  return {
    id: 'roi',
    title: en ? 'What it earned for what it cost' : '投入与产出',
    columns: [
      left(''),
      left(en ? 'extra margin, per person contacted' : '每触达一人多赚的毛利'),
      left(en ? 'left of it after all cost' : '扣除全部成本后'),
      left(en ? 'ROI with labour' : 'ROI（含人工）'),
      left(en ? 'ROI without labour' : 'ROI（不含人工）'),
    ],
    rows: data.prices.map(({ name, roi, off: itself }) => {
      const off = data.alarm || itself
      const whole = roi?.withLabour
      const known = whole && 'ratio' in whole ? whole : undefined
      return [
        { text: name === '' ? speech.word('all') : name },
        amount(known?.margin, off),
        amount(known?.left, off),
        roiCell(whole, off, speech),
        roiCell(roi?.withoutLabour, off, speech),
      ]
    }),
    empty: nothingYet(speech),
  }
}

/** The ROI of the campaign, and whether it pays; nothing where no goal has a margin. */
export function roiSentence(data: CostData, speech: Speech): Sheet['sentences'] {
  const en = speech.language === 'en'
  const [whole] = data.prices
  if (!(data.earned && whole)) return []
  const roi = whole.roi?.withLabour
  const { text } = roiCell(roi, data.alarm, speech)
  const ratio = roi && 'ratio' in roi && !data.alarm ? roi.ratio : undefined
  const reading = ratio?.answer === 'ratio' ? readingOf(ratio, en) : ''
  return [{ text: en ? `ROI: ${text}.${reading}` : `ROI（投资回报率）：${text}。${reading}`, tone: 'plain' }]
}

/** What an interval says of the one question that is asked of it: whether it pays. */
function readingOf({ low, high }: Estimate, en: boolean): string {
  if (low > 0) return en ? ' It earns more than it costs.' : '收益高于成本。'
  if (high < 0) return en ? ' It costs more than it earns.' : '成本高于收益。'
  return en ? ' Whether it earns more than it costs cannot be told yet.' : '尚不能判断收益是否高于成本。'
}

/** What the ROI is made of, or how to get one. */
export function marginNotes(
  { earned, goalsUnread, split }: Pick<CostData, 'earned' | 'goalsUnread' | 'split'>,
  speech: Speech,
): string[] {
  const en = speech.language === 'en'
  const unread =
    goalsUnread === undefined
      ? []
      : [
          en
            ? `The goals of version ${goalsUnread} can no longer be read: its margin is what was known last, and all else is counted. \`winback doctor\` says more.`
            : `版本 ${goalsUnread} 的目标已无法读取：毛利率沿用上次已知的值，其余照常统计。详见 \`winback doctor\`。`,
        ]
  // Until somebody is counted, it is not known of what.
  const nobody = split.arms.every(({ observed }) => observed === 0) && split.strayed === 0
  if (!earned && (goalsUnread !== undefined || nobody)) return unread
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
    ...unread,
    en
      ? `ROI = (extra margin − extra cost) / extra cost, contacted against not contacted. Margin of what was bought within the window, less what was paid back: ${shares}. What people would have bought anyway is in both groups and cancels out.`
      : `ROI =（多赚的毛利 − 多花的成本）/ 多花的成本，由触达组与对照组相比得出。毛利按观察窗口内的消费计算，已扣除退款：${shares}。不触达也会发生的消费两组都有，相互抵消。`,
    en
      ? `At least ${MINIMUM_BUYERS} people with margin are needed in each group.`
      : `每组至少需要 ${MINIMUM_BUYERS} 位产生毛利的人。`,
  ]
}
