import { costWithin } from '../reports/cost/cost.ts'
import { roiCell, roiText } from '../reports/cost/roi-text.ts'
import { painter } from '../reports/layout.ts'
import { readPeople, roiMoments } from '../reports/people-cells.ts'
import type { CampaignQuestion } from '../reports/question.ts'
import type { TextStyle } from '../reports/report.ts'
import { inSnapshot, type Readable } from '../reports/snapshot.ts'
import { speechOf } from '../reports/words.ts'
import type { NotEnough } from '../statistics/estimate.ts'
import type { Roi } from '../statistics/roi.ts'
import type { TruthCell } from './truth.ts'

// What the campaign earned for what it cost: what the same people buy with and without it, which only their maker knows,
// beside the ROI that the contacted show against those who were not. Money in integer micros a head.

export interface Earnings {
  readonly planted: {
    /** Extra margin and extra cost of one contacted. The cost is what was booked: nobody planted it. */
    readonly margin: number
    readonly cost: number
    /** Undefined where nothing was spent. */
    readonly roi: number | undefined
  }
  readonly reported: Roi | NotEnough
  /** Whether the reported interval holds the planted ROI; undefined where there is none. */
  readonly holds: boolean | undefined
}

/** What the report says of the complete. */
export interface ReportedEarnings {
  /** Extra cost of one contacted, micros. */
  readonly cost: number
  /** The campaign's own, with labour, as the cost report has it. */
  readonly roi: Roi | NotEnough
}

/** Sets the ROI of the report beside what was planted. @param earned the share of an order that is margin */
export function compareEarnings(
  truth: TruthCell,
  { cost, roi: reported }: ReportedEarnings,
  earned: number,
): Earnings {
  const margin = (truth.bought.treated - truth.bought.natural) * earned * 1e6
  const roi = cost > 0 ? margin / cost - 1 : undefined
  const ratio = 'ratio' in reported && reported.ratio.answer === 'ratio' ? reported.ratio : undefined
  return {
    planted: { margin, cost, roi },
    reported,
    holds: ratio && roi !== undefined ? ratio.low <= roi && roi <= ratio.high : undefined,
  }
}

/** The ROI of the cost report, as counted last. Undefined where no goal has a margin. */
export async function readEarnings(
  readable: Readable,
  question: CampaignQuestion,
): Promise<ReportedEarnings | undefined> {
  return await inSnapshot(readable, async (session) => {
    const { prices } = await costWithin(session, question)
    const roi = prices[0]?.roi?.withLabour
    if (!roi) return undefined
    const people = await readPeople(session, question)
    const [treated, heldOut] = (['treated', 'holdout'] as const).map((arm) => {
      const { cost, n } = roiMoments(people, arm, true)
      return cost / Math.max(1, n)
    })
    return { cost: (treated ?? 0) - (heldOut ?? 0), roi }
  })
}

/** Planted beside reported; and where the report cannot tell whether it pays, that it cannot, and why. */
export function formatEarnings({ planted, reported, holds }: Earnings, style: TextStyle): string {
  const paint = painter(style.color)
  const speech = speechOf({ ...style, locale: 'en' })
  const ratio = 'ratio' in reported && reported.ratio.answer === 'ratio' ? reported.ratio : undefined
  const told = ratio !== undefined && (ratio.low > 0 || ratio.high < 0)
  const mark = holds === undefined ? '' : holds ? '  ✓' : '  ✗'
  return [
    paint.strong('What it earned for what it cost, as planted and as reported'),
    `  planted    ${speech.money(planted.margin)} more margin for ${speech.money(planted.cost)} of cost, a person contacted: ` +
      `ROI ${planted.roi === undefined ? 'not there, for nothing was spent' : roiText(planted.roi, speech)}`,
    `  reported   ROI ${roiCell(reported, false, speech).text}${mark}`,
    ...(told
      ? []
      : [
          paint.faint(
            '  Orders differ far more than the campaign moves them, and few are held out: with so few people, the report',
          ),
          paint.faint(
            '  cannot say whether it pays, and an interval that holds nearly every ROI says nothing of the planted one.',
          ),
        ]),
  ].join('\n')
}
