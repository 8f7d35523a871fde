import type { Workspace } from '../../config/workspace.ts'
import { type Column, painter, table, wrap } from '../../reports/layout.ts'
import { ANSWERS, sentence } from '../../reports/reasons.ts'
import { languageOf } from '../../reports/words.ts'
import type { CampaignPlan, Sample } from './plan.ts'

/** How a plan is written for the person at this terminal. */
export interface PlanStyle {
  readonly locale: string
  readonly color: boolean
  readonly width: number
}

const left = (title: string): Column => ({ title, align: 'left' })
const right = (title: string): Column => ({ title, align: 'right' })

/** A plan as text: the audience as a grid, who is left out and why, what it costs, what it can show, samples, hash. */
export function formatPlan(plan: CampaignPlan, workspace: Workspace, style: PlanStyle): string {
  const paint = painter(style.color)
  const write = writers(workspace, style.locale)
  const sections = [
    [paint.strong(`${plan.title}`) + paint.faint(`  ${plan.file}`), ...state(plan, write)],
    [paint.strong('Audience now'), ...grid(plan, write, paint)],
    leftOut(plan, write, style, paint),
    outside(plan, write, paint),
    [paint.strong('Messages, were all treated and none came back first'), ...outlook(plan, write, paint)],
    [paint.strong('Held out'), ...heldOut(plan, write, paint)],
    [
      paint.strong('Cost, at most'),
      `  spend ${write.money(plan.spend)}, expected redemptions ${write.money(plan.liability)}`,
    ],
    [paint.strong('What can be shown'), ...detectable(plan, write, paint)],
    ...(plan.samples.length > 0
      ? [[paint.strong('Samples'), ...plan.samples.flatMap((sample) => formatSample(sample, style, paint))]]
      : []),
    [
      plan.version.changed
        ? `Nothing was changed. To make it run:  ${paint.strong(`winback apply ${plan.campaign} --plan ${plan.hash}`)}`
        : `Version ${plan.version.current} runs with exactly these files (${plan.hash}).`,
    ],
  ]
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')
}

type Writers = ReturnType<typeof writers>
type Paint = ReturnType<typeof painter>

function writers(workspace: Workspace, locale: string) {
  const number = new Intl.NumberFormat(locale)
  const share = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 })
  const money = new Intl.NumberFormat(locale, { style: 'currency', currency: workspace.currency })
  const time = new Intl.DateTimeFormat(locale, {
    dateStyle: 'medium',
    timeStyle: 'short',
    timeZone: workspace.timezone,
  })
  return {
    number: (value: number) => number.format(value),
    share: (value: number) => share.format(value),
    money: (micros: number) => money.format(micros / 1e6),
    time: (value: Date) => time.format(value),
    language: languageOf(locale),
  }
}

function state(plan: CampaignPlan, write: Writers): string[] {
  const version =
    plan.version.current === null
      ? 'never applied'
      : plan.version.changed
        ? `version ${plan.version.current} runs; these files differ`
        : `version ${plan.version.current} runs`
  return [`  as of ${write.time(plan.asOf)}; ${version}; next run ${write.time(plan.nextRun)}`]
}

function grid(plan: CampaignPlan, write: Writers, paint: Paint): string[] {
  const opened = plan.audience.cells.filter((cell) => cell.answer === 'opened')
  const segments = [...new Set(opened.map((cell) => cell.segment))].toSorted()
  if (opened.length === 0) return ['  nobody would be taken in']
  const count = (tier: string | undefined, segment: string | undefined) =>
    opened
      .filter((cell) => (tier ?? cell.tier) === cell.tier && (segment ?? cell.segment) === cell.segment)
      .reduce((sum, cell) => sum + cell.contacts, 0)
  const line = (title: string, tier: string | undefined) => [
    title,
    ...segments.map((segment) => write.number(count(tier, segment))),
    write.number(count(tier, undefined)),
  ]
  const tiers = plan.heldOut.map(({ tier }) => tier)
  return table(
    [left('tier'), ...segments.map(right), right('all')],
    [...tiers.map((tier) => line(tier, tier)), line('all', undefined)],
    paint,
  )
}

function leftOut(plan: CampaignPlan, write: Writers, style: PlanStyle, paint: Paint): string[] {
  const reasons = new Map<string, number>()
  for (const { answer, contacts } of plan.audience.cells) {
    if (answer !== 'opened') reasons.set(answer, (reasons.get(answer) ?? 0) + contacts)
  }
  if (reasons.size === 0) return []
  const cells = [...reasons.entries()]
    .toSorted(([, a], [, b]) => b - a)
    .map(([answer, contacts]) => [write.number(contacts), answer, sentence(ANSWERS, answer, write.language)])
  return [
    paint.strong('Left out, though silent long enough'),
    ...table([right(''), left(''), left('')], cells, paint),
  ].map((line) => line.slice(0, style.width))
}

function outside(plan: CampaignPlan, write: Writers, paint: Paint): string[] {
  const { total, recent, beyond, undated, bySignUp, open } = plan.audience.outside
  const of = (count: number, words: string) =>
    count > 0 ? [`  ${write.number(count)} of ${write.number(total)} ${words}`] : []
  const lines = [
    ...of(recent, 'were active too recently'),
    ...of(beyond, 'have been silent for longer than the last tier takes'),
    ...of(open, 'are already in this campaign'),
    ...of(undated, 'have neither activity nor a sign-up date'),
    ...of(bySignUp, 'have no activity; their silence counts from the sign-up'),
  ]
  return lines.length > 0 ? [paint.strong('Everybody else'), ...lines] : []
}

function outlook(plan: CampaignPlan, write: Writers, paint: Paint): string[] {
  const cells = plan.audience.steps.map((step) => {
    const lost: [number, string][] = [
      [step.noAddress, `have no ${step.channels.join(' or ')} address`],
      [step.suppressed, 'are suppressed'],
      [step.condition, 'do not meet the condition'],
      [step.unknown, 'lack what the condition asks about'],
    ]
    const why = lost
      .filter(([count]) => count > 0)
      .map(([count, words]) => `${write.number(count)} of ${write.number(step.contacts)} ${words}`)
    return [step.tier, step.step, step.channels.join(', '), write.number(step.messages), why.join('; ')]
  })
  return table([left('tier'), left('step'), left('channel'), right('messages'), left('')], cells, paint)
}

function heldOut(plan: CampaignPlan, write: Writers, paint: Paint): string[] {
  return table(
    [left('entering at'), right('not contacted'), right('with the tier’s own draw')],
    plan.heldOut.map((share) => [share.tier, write.share(share.episode), write.share(share.withTierDraws)]),
    paint,
  )
}

function detectable(plan: CampaignPlan, write: Writers, paint: Paint): string[] {
  const { contacts, recalled } = plan.natural
  const past =
    contacts > 0
      ? `  One window ago ${write.share(recalled / contacts)} of ${write.number(contacts)} people as silent as these came back; the holdout will say more.`
      : '  There is no past to guess from, so the widest case is assumed.'
  const cells = plan.detectable.map(({ afterDays, assigned, difference }) => [
    `${write.number(afterDays)}`,
    write.number(assigned),
    difference === null
      ? 'nothing: nobody is held out'
      : `${write.number(Math.round(difference * 1000) / 10)} percentage points`,
  ])
  return [
    past,
    ...table(
      [right('after days'), right('assigned'), left('smallest effect shown (95 %, power 80 %)')],
      cells,
      paint,
    ),
  ]
}

function formatSample(sample: Sample, style: PlanStyle, paint: Paint): string[] {
  const head = `  ${sample.contact} · ${sample.tier} · ${sample.step}: ${sample.outcome}`
  if (sample.subject === null && sample.text === null) return [head]
  const body = (sample.text ?? '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(0, 6)
    .flatMap((line) => wrap(line, style.width - 6))
  return [
    head,
    `    ${paint.strong(sample.subject ?? '')}`,
    ...body.map((line) => `    ${paint.faint(line)}`),
  ]
}
