import type { Campaign } from '../config/campaign.ts'
import { bandsOf } from '../config/entering.ts'
import { left, painter, right, table } from '../reports/layout.ts'
import type { Estimate, NotEnough } from '../statistics/estimate.ts'
import type { Ladder, Truth, TruthCell } from './truth.ts'

/** One figure as it was planted and as the report estimates it. Rates, or differences of rates. */
export interface Compared {
  /** `all`, or the entry tier. */
  readonly group: string
  readonly figure: 'natural' | 'contacted' | 'difference'
  readonly planted: number
  readonly reported: Estimate | NotEnough
  /** Undefined where the report says "not enough". */
  readonly holds: boolean | undefined
}

/** What of a report is compared: an overview is one. */
export interface ReportedRates {
  readonly overall: ReportedGroup
  readonly byTier: readonly (ReportedGroup & { readonly name: string })[]
}

interface ReportedGroup {
  readonly treated: { readonly rate: Estimate | NotEnough }
  readonly heldOut: { readonly rate: Estimate | NotEnough }
  readonly difference: Estimate | NotEnough
}

/** How many were drawn into each arm. */
interface Assigned {
  readonly treated: { readonly assigned: number }
  readonly heldOut: { readonly assigned: number }
}

/** The campaign as the simulated people meet it: what goes out by e-mail reaches them, the log does not. */
export function ladderOf(campaign: Campaign, timezone: string): Ladder {
  const { send_window: windows, max_delay: maxDelay } = campaign.limits
  const window = windows.email ?? windows.default
  const bands = bandsOf(campaign.tiers)
  return {
    window: campaign.window,
    maxDelay,
    sendWindow: window ? { from: window.from, to: window.to } : { from: 0, to: 1440 },
    timezone,
    tiers: campaign.tiers.map((tier, no) => ({
      name: tier.name,
      from: bands[no]?.from ?? 0,
      to: bands[no]?.to ?? null,
      holdout: tier.holdout,
      // Two mails due at one time are alternatives, told apart by their conditions.
      messages: [
        ...new Set(tier.steps.filter((step) => step.channel.includes('email')).map((step) => step.after)),
      ],
    })),
  }
}

/** Sets the report beside the truth, over all and by entry tier; nothing while nobody's window has elapsed. */
export function compare(truth: Truth, report: ReportedRates): Compared[] {
  if (truth.all.episodes === 0) return []
  return [
    ...compareGroup('all', truth.all, report.overall),
    ...report.byTier.flatMap((group) => {
      const cell = truth.tiers.get(group.name)
      return cell ? compareGroup(group.name, cell, group) : []
    }),
  ]
}

function compareGroup(group: string, truth: TruthCell, effect: ReportedGroup): Compared[] {
  const figure = (name: Compared['figure'], planted: number, reported: Estimate | NotEnough): Compared => ({
    group,
    figure: name,
    planted,
    reported,
    holds: reported.kind === 'estimate' ? reported.low <= planted && planted <= reported.high : undefined,
  })
  return [
    figure('natural', truth.natural, effect.heldOut.rate),
    figure('contacted', truth.treated, effect.treated.rate),
    figure('difference', truth.difference, effect.difference),
  ]
}

const WORDS = {
  natural: 'would have come back anyway',
  contacted: 'came back, contacted',
  difference: 'won back by us',
} as const

/** Planted beside reported, a line a figure. */
export function formatComparison(compared: readonly Compared[], color: boolean): string {
  const paint = painter(color)
  const title = paint.strong('What was planted, and what the report found')
  if (compared.length === 0) {
    return `${title}\n${paint.faint('  Nobody has been watched for a whole window yet: more days (--days) will tell.')}`
  }
  const rows = compared.map((each, index) => [
    each.group === compared[index - 1]?.group ? '' : each.group,
    WORDS[each.figure],
    percent(each.planted, each.figure),
    each.reported.kind === 'estimate' ? percent(each.reported.value, each.figure) : 'not enough data',
    each.reported.kind === 'estimate'
      ? `${percent(each.reported.low, each.figure)} to ${percent(each.reported.high, each.figure)}`
      : '',
    each.holds === undefined ? '' : each.holds ? '✓' : '✗',
  ])
  const judged = compared.filter((each) => each.holds !== undefined)
  const held = judged.filter((each) => each.holds).length
  return [
    title,
    ...table(
      [left('taken in at'), left(''), right('planted'), right('reported'), right('95 % interval'), left('')],
      rows,
      paint,
    ),
    paint.faint(
      `  ${held} of ${judged.length} intervals hold the planted figure; at 95 %, one in twenty misses by chance.`,
    ),
  ].join('\n')
}

/** Campaigns in which nothing was planted, beside what their reports find. */
export function formatOthers(
  reported: readonly { readonly campaign: string; readonly overall: ReportedGroup & Assigned }[],
  color: boolean,
): string {
  const paint = painter(color)
  const rate = (estimate: Estimate | NotEnough) =>
    estimate.kind === 'estimate' ? percent(estimate.value, 'natural') : '–'
  const rows = reported.map(({ campaign, overall: { treated, heldOut, difference } }) => {
    const known = difference.kind === 'estimate'
    return [
      campaign,
      (treated.assigned + heldOut.assigned).toLocaleString('en'),
      rate(treated.rate),
      rate(heldOut.rate),
      known ? percent(difference.value, 'difference') : 'not enough data',
      known ? `${percent(difference.low, 'difference')} to ${percent(difference.high, 'difference')}` : '',
      known ? (difference.low <= 0 && difference.high >= 0 ? '✓' : '✗') : '',
    ]
  })
  const heads = ['', 'taken in', 'contacted', 'not contacted', 'won back by us', '95 % interval', '']
  return [
    paint.strong('The campaigns beside it: nothing was planted, and nothing should be found'),
    ...table(
      heads.map((title, no) => (no === 0 || no === 6 ? left(title) : right(title))),
      rows,
      paint,
    ),
    paint.faint(
      '  Contacted, not contacted: how many came back, renewed or ordered again. ✓: the interval holds 0.',
    ),
  ].join('\n')
}

function percent(share: number, figure: Compared['figure']): string {
  const text = (share * 100).toFixed(1)
  return figure === 'difference' ? `${share > 0 ? '+' : ''}${text} pp` : `${text} %`
}
