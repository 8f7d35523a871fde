import { sql } from 'drizzle-orm'
import { type Database, rows } from '../database/connect.ts'
import { painter } from '../reports/layout.ts'
import { type Earned, marginWithin } from '../reports/margins.ts'
import type { TextStyle } from '../reports/report.ts'
import { roiCell } from '../reports/roi-text.ts'
import { speechOf } from '../reports/words.ts'
import type { NotEnough } from '../statistics/estimate.ts'
import { type Roi, type RoiMoments, roiOf } from '../statistics/roi.ts'
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

/** Sets the ROI of the complete episodes beside what was planted. @param earned the share of an order that is margin */
export function compareEarnings(
  truth: TruthCell,
  arms: { readonly treated: RoiMoments; readonly heldOut: RoiMoments },
  earned: number,
): Earnings {
  const { treated, heldOut } = arms
  const margin = (truth.bought.treated - truth.bought.natural) * earned * 1e6
  const cost = treated.cost / Math.max(1, treated.n) - heldOut.cost / Math.max(1, heldOut.n)
  const roi = cost > 0 ? margin / cost - 1 : undefined
  const reported = roiOf(treated, heldOut)
  const ratio = 'ratio' in reported && reported.ratio.answer === 'ratio' ? reported.ratio : undefined
  return {
    planted: { margin, cost, roi },
    reported,
    holds: ratio && roi !== undefined ? ratio.low <= roi && roi <= ratio.high : undefined,
  }
}

/** What complete episodes brought in and cost, summed by arm as reports sum it. */
export async function readEarnings(
  database: Database,
  campaign: string,
  now: Date,
  earned: Earned,
): Promise<{ treated: RoiMoments; heldOut: RoiMoments }> {
  const place = { contact: sql`e.contact_id`, from: sql`e.assigned_at`, to: sql`e.window_ends_at` }
  const found = await rows<RoiMoments & { arm: string }>(
    database,
    sql`SELECT e.arm, count(*) AS n, count(*) FILTER (WHERE m.margin <> 0) AS buyers,
          sum(m.margin)::float8 AS margin, sum(k.cost)::float8 AS cost,
          sum(m.margin::numeric ^ 2)::float8 AS "marginSquares", sum(k.cost::numeric ^ 2)::float8 AS "costSquares",
          sum(m.margin::numeric * k.cost)::float8 AS products
        FROM episodes e
        CROSS JOIN LATERAL ${marginWithin(earned, place)} m
        CROSS JOIN LATERAL (SELECT coalesce(sum(l.amount), 0) AS cost FROM ledger l
          WHERE l.contact_id = e.contact_id AND l.episode_id = e.episode_id) k
        WHERE e.campaign = ${campaign} AND e.arm IN ('treated', 'holdout') AND e.window_ends_at <= ${now}
        GROUP BY e.arm`,
  )
  const arm = (name: string): RoiMoments =>
    found.find((row) => row.arm === name) ?? {
      ...{ n: 0, buyers: 0, margin: 0, cost: 0, marginSquares: 0, costSquares: 0, products: 0 },
    }
  return { treated: arm('treated'), heldOut: arm('holdout') }
}

/** Planted beside reported; and where the report cannot tell whether it pays, that it cannot, and why. */
export function formatEarnings({ planted, reported, holds }: Earnings, style: TextStyle): string {
  const paint = painter(style.color)
  const speech = speechOf({ ...style, locale: 'en' })
  const share = (roi: number) => `${speech.signed(roi * 100)} %`
  const ratio = 'ratio' in reported && reported.ratio.answer === 'ratio' ? reported.ratio : undefined
  const told = ratio !== undefined && (ratio.low > 0 || ratio.high < 0)
  const mark = holds === undefined ? '' : holds ? '  ✓' : '  ✗'
  return [
    paint.strong('What it earned for what it cost, as planted and as reported'),
    `  planted    ${speech.money(planted.margin)} more margin for ${speech.money(planted.cost)} of cost, a person contacted: ` +
      `ROI ${planted.roi === undefined ? 'not there, for nothing was spent' : share(planted.roi)}`,
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
