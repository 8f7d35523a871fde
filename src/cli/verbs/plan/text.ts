import type { DiffLine } from '../../../config/line-diff.ts'
import type { Workspace } from '../../../config/workspace.ts'
import { cellsOf, fitted, left, type Painter, painter, right, wrap } from '../../../reports/layout.ts'
import { type Speech, speechOf } from '../../../reports/words.ts'
import {
  betweenText,
  channelShares,
  effectText,
  gridOf,
  leftOutLines,
  lossLines,
  modelText,
  outsideLines,
  pastText,
  planWord,
  poolText,
  quietLines,
  shareText,
  whenText,
} from '../../../service/plan/sentences.ts'
import type { PLAN_WORDS } from '../../../service/plan/words.ts'
import { styleOfWorkspace } from '../../../service/reporting.ts'
import { foreseenText } from '../../foreseen.ts'
import { outcomeText } from '../../step-outcome.ts'
import type { PlannedChanges } from './changes.ts'
import type { CampaignPlan, Sample } from './plan.ts'

/** How a plan is written for the person at this terminal. */
export interface PlanStyle {
  readonly locale: string
  readonly color: boolean
  readonly width: number
}

/** What every section is written with. */
interface Pen {
  readonly speech: Speech
  readonly paint: Painter
  readonly width: number
  word(word: keyof typeof PLAN_WORDS): string
}

/**
 * A plan as text: whether it would run, the audience as a grid, who is left out and why, what it costs, what it can
 * show and when, samples, hash.
 * @throws RangeError for a locale unknown to Intl
 */
export function formatPlan(plan: CampaignPlan, workspace: Workspace, style: PlanStyle): string {
  const speech = speechOf({ ...styleOfWorkspace(workspace), locale: style.locale })
  const paint = painter(style.color)
  const word = (name: keyof typeof PLAN_WORDS) => planWord(name, speech)
  const pen: Pen = { speech, paint, width: style.width, word }
  const section = (title: keyof typeof PLAN_WORDS, lines: readonly string[]) =>
    lines.length === 0 ? [] : [...wrap(word(title), style.width).map(paint.strong), ...lines]
  const empty = plan.audience.outside.total === 0
  const sections = [
    [...heading(plan, pen), ...state(plan, workspace, pen)],
    warning(plan, pen),
    section('changes', plan.changes === null ? [] : changed(plan.changes, workspace, pen)),
    section('audience', empty ? indented(word('noContacts'), pen) : grid(plan, pen)),
    section(plan.entry === 'silence' ? 'leftOut' : 'leftOutInTime', leftOut(plan, pen)),
    section('falseChurn', falseChurn(plan, pen)),
    section('outside', outside(plan, pen)),
    section('messages', empty ? [] : outlook(plan, pen)),
    wrap(modelText(plan, speech) ?? '', style.width).filter((line) => line !== ''),
    section('variants', empty ? [] : variants(plan, pen)),
    section('heldOut', heldOut(plan, pen)),
    section('cost', empty ? [] : cost(plan, pen)),
    section('showable', empty ? [] : detectable(plan, pen)),
    section(
      'samples',
      plan.samples.flatMap((sample) => formatSample(sample, pen)),
    ),
    next(plan, pen),
  ]
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')
}

/** The title with its file beside it, or beneath where the line is too short for both. */
function heading({ title, file }: CampaignPlan, { paint, width }: Pen): string[] {
  if (cellsOf(title) + 2 + cellsOf(file) <= width)
    return [`${paint.strong(title)}${paint.faint(`  ${file}`)}`]
  return [...wrap(title, width).map(paint.strong), `  ${paint.faint(file)}`]
}

function indented(text: string, { width }: Pen): string[] {
  return wrap(text, width - 2).map((line) => `  ${line}`)
}

function state(plan: CampaignPlan, workspace: Workspace, pen: Pen): string[] {
  const { speech } = pen
  const en = speech.language === 'en'
  const { current, changed } = plan.version
  const version =
    current === null
      ? en
        ? 'never applied'
        : '从未应用'
      : changed
        ? en
          ? `version ${current} runs; these files differ`
          : `正在运行版本 ${current}，与这些文件不同`
        : en
          ? `version ${current} runs`
          : `正在运行版本 ${current}`
  // A schedule is read in the campaign's zone, whatever the workspace's.
  const local = speechOf({ locale: speech.locale, timezone: plan.timezone })
  const run =
    plan.nextRun === null
      ? en
        ? 'no further run'
        : '不再运行'
      : en
        ? `next run ${local.moment(plan.nextRun)} (${plan.timezone})`
        : `下次运行 ${local.moment(plan.nextRun)}（${plan.timezone}）`
  const now = speech.moment(plan.asOf)
  return indented(
    en
      ? `as of ${now} (${workspace.timezone}); ${version}; ${run}`
      : `截至 ${now}（${workspace.timezone}）；${version}；${run}`,
    pen,
  )
}

function warning(plan: CampaignPlan, { speech, paint, width }: Pen): string[] {
  const text = foreseenText(plan.foreseen, plan.campaign, speech)
  return text === undefined ? [] : wrap(text, width).map(paint.bad)
}

/** Changed lines shown of a file. */
const SHOWN = 40
const MARKS = { same: '  ', add: '+ ', del: '- ' } as const

function changed(
  { campaign, templates, workspace, workspaceLines }: PlannedChanges,
  { templates: folder }: Workspace,
  pen: Pen,
): string[] {
  const { speech, word } = pen
  const colon = speech.language === 'en' ? ': ' : '：'
  const words = { added: word('added'), changed: word('altered'), removed: word('removed') }
  return [
    ...diffText(campaign, pen),
    ...templates.flatMap(({ path, change }) => indented(`${folder}/${path}${colon}${words[change]}`, pen)),
    ...(workspace ? indented(`winback.yaml${colon}${word('altered')}`, pen) : []),
    ...diffText(workspaceLines, pen),
  ]
}

function diffText(diff: readonly DiffLine[], { paint, speech, width, word }: Pen): string[] {
  const paints = { same: paint.faint, add: paint.good, del: paint.bad }
  const lines = diff.slice(0, SHOWN).map(({ kind, text }) => {
    return `  ${paints[kind](shortened(`${MARKS[kind]}${text}`, width - 2))}`
  })
  const more = diff.length - lines.length
  const colon = speech.language === 'en' ? ': ' : '：'
  return more > 0 ? [...lines, `  … ${word('more')}${colon}${speech.count(more)}`] : lines
}

/** The beginning of a line that a terminal would break. */
function shortened(text: string, width: number): string {
  if (cellsOf(text) <= width) return text
  let kept = ''
  for (const character of text) {
    if (cellsOf(kept + character) >= width) break
    kept += character
  }
  return `${kept}…`
}

function grid(plan: CampaignPlan, pen: Pen): string[] {
  const { speech, paint, width, word } = pen
  const { segments, count } = gridOf(plan)
  if (segments.length === 0) return indented(word('nobody'), pen)
  const line = (title: string, tier: string | undefined) => [
    title,
    ...segments.map((segment) => speech.count(count(tier, segment))),
    speech.count(count(tier, undefined)),
  ]
  return fitted(
    [left(word('tier')), ...segments.map((segment) => right(speech.segment(segment))), right(word('all'))],
    [...plan.heldOut.map(({ tier }) => line(tier, tier)), line(word('all'), undefined)],
    paint,
    width,
  )
}

function leftOut(plan: CampaignPlan, { speech, paint, width }: Pen): string[] {
  const cells = leftOutLines(plan, speech).map(({ count, words }) => [speech.count(count), words])
  return cells.length === 0 ? [] : fitted([right(''), left('')], cells, paint, width)
}

/** How many of each band are within their own rhythm or have left something unfinished, and which. */
function falseChurn(plan: CampaignPlan, { speech, paint, width, word }: Pen): string[] {
  const cells = quietLines(plan, speech).map(({ tier, quiet, of, why }) => [
    tier,
    speech.count(quiet),
    speech.count(of),
    why,
  ])
  if (cells.length === 0) return []
  return fitted(
    [left(word('tier')), right(word('onlyQuiet')), right(word('ofBand')), left('')],
    cells,
    paint,
    width,
  )
}

function outside(plan: CampaignPlan, pen: Pen): string[] {
  const { total } = plan.audience.outside
  return outsideLines(plan, pen.speech).flatMap(({ count, words }) =>
    indented(shareText(count, total, words, pen.speech), pen),
  )
}

function outlook(plan: CampaignPlan, { speech, paint, width, word }: Pen): string[] {
  const cells = plan.audience.steps.map((step) => {
    const why = lossLines(step, speech).map(({ count, words }) =>
      shareText(count, step.contacts, words, speech),
    )
    const messages = speech.count(step.messages)
    return [
      step.tier,
      step.step,
      channelShares(step, speech).join(speech.language === 'en' ? ', ' : '、'),
      messages,
      why.join(speech.language === 'en' ? '; ' : '；'),
    ]
  })
  const columns = [
    left(word('tier')),
    left(word('step')),
    left(word('channel')),
    right(word('count')),
    left(''),
  ]
  return fitted(columns, cells, paint, width)
}

/** How each step that compares variants splits its messages. */
function variants(plan: CampaignPlan, pen: Pen): string[] {
  const { speech, paint, width, word } = pen
  const cells = plan.variants.flatMap(({ tier, step, variants: split }) =>
    split.map(({ name, share, messages }) => [
      tier,
      step,
      name,
      speech.percent(share),
      speech.count(messages),
    ]),
  )
  if (cells.length === 0) return []
  const table = fitted(
    [
      left(word('tier')),
      left(word('step')),
      left(word('variant')),
      right(word('share')),
      right(word('count')),
    ],
    cells,
    paint,
    width,
  )
  return [...table, ...plan.between.flatMap((each) => indented(betweenText(each, speech), pen))]
}

function heldOut(plan: CampaignPlan, { speech, paint, width, word }: Pen): string[] {
  return fitted(
    [left(word('entering')), right(word('notContacted')), right(word('withDraws'))],
    plan.heldOut.map((share) => [
      share.tier,
      speech.percent(share.episode),
      speech.percent(share.withTierDraws),
    ]),
    paint,
    width,
  )
}

function cost(plan: CampaignPlan, pen: Pen): string[] {
  const { speech } = pen
  const [spend, liability] = [speech.money(plan.spend), speech.money(plan.liability)]
  const released = plan.released ? speech.money(plan.released) : undefined
  const en = speech.language === 'en'
  return [
    ...indented(
      en
        ? `sending ${spend}, expected redemptions ${liability}`
        : `发送费用 ${spend}，优惠（预计核销）${liability}`,
      pen,
    ),
    ...(released === undefined ? [] : indented(`${pen.word('released')}${en ? ': ' : '：'}${released}`, pen)),
  ]
}

/** The smallest effect after some time, and when one worth having can be shown. */
function detectable(plan: CampaignPlan, pen: Pen): string[] {
  const { speech, paint, width, word } = pen
  const cells = plan.detectable.map((each) => [
    speech.count(each.afterDays),
    speech.count(each.assigned),
    effectText(each, speech),
  ])
  return [
    ...indented(pastText(plan, speech), pen),
    ...fitted(
      [right(word('afterDays')), right(word('assigned')), left(word('smallest'))],
      cells,
      paint,
      width,
    ),
    ...indented(poolText(plan, speech), pen),
    ...indented(whenText(plan, speech), pen),
  ]
}

function formatSample(sample: Sample, pen: Pen): string[] {
  const { speech, paint, width } = pen
  const colon = speech.language === 'en' ? ': ' : '：'
  const variant = sample.variant === null ? '' : ` · ${sample.variant}`
  const place = `${sample.contact} · ${sample.tier} · ${sample.step}${variant}`
  const head = indented(`${place}${colon}${outcomeText(sample.outcome, speech)}`, pen)
  if (sample.subject === null && sample.text === null) return head
  const body = (sample.text ?? '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(0, 6)
    .flatMap((line) => wrap(line, width - 6))
  const subject = wrap(sample.subject ?? '', width - 4)
  return [
    ...head,
    ...subject.map((line) => `    ${paint.strong(line)}`),
    ...body.map((line) => `    ${paint.faint(line)}`),
  ]
}

/** The command stays on a line of its own, to be copied. */
function next(plan: CampaignPlan, { speech, paint, width }: Pen): string[] {
  const en = speech.language === 'en'
  if (!plan.version.changed) {
    const { current } = plan.version
    const runs = en
      ? `Version ${current} runs with exactly these files.`
      : `版本 ${current} 正以这些文件运行。`
    return wrap(runs, width)
  }
  return [
    en ? 'Nothing was changed. To make it run:' : '尚未做任何更改。如要投入运行：',
    `  ${paint.strong(`winback apply ${plan.campaign} --plan ${plan.hash}`)}`,
  ]
}
