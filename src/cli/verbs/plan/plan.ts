import { Temporal } from 'temporal-polyfill'
import { type ForeseenRun, foreseeRun } from '../../../audience/hindrances.ts'
import { pastRecall } from '../../../audience/natural.ts'
import { heldOutShares, planAudience } from '../../../audience/plan.ts'
import { registerChannels } from '../../../channels/channels.ts'
import { embedImages, imagesOf } from '../../../channels/inline-images.ts'
import { parsePrice } from '../../../channels/price.ts'
import { compileCampaign } from '../../../config/compile.ts'
import type { CompiledCampaign, CompiledStep } from '../../../config/compiled.ts'
import { inputsHash, planHash, shortHash, templatesHash } from '../../../config/inputs.ts'
import type { LoadedCampaign } from '../../../config/load.ts'
import { MASKED } from '../../../config/masking.ts'
import { currentVersion, readTemplates, readVersions } from '../../../config/versions.ts'
import { readShortages } from '../../../offers/pools.ts'
import { expectedCost, expectedGrants } from '../../../service/plan/expected.ts'
import type { PlanFigures } from '../../../service/plan/figures.ts'
import {
  CURVE,
  detectableBetween,
  detectableEffects,
  poolOf,
  splitByVariant,
  whenShowable,
} from '../../../service/plan/forecast.ts'
import { openRuntime, type Runtime } from '../../../service/runtime.ts'
import { nextTick } from '../../../service/schedule.ts'
import { freshenSignals, withoutModel } from '../../../service/signals.ts'
import { previewStep } from '../../../touchpoints/preview.ts'
import type { Templates } from '../../campaigns.ts'
import { warnOfCountedTypes } from '../../counted-types.ts'
import { sayIn } from '../../locale.ts'
import { steady } from '../../steady.ts'
import { outcomeOf, type StepOutcome } from '../../step-outcome.ts'
import type { DatabaseContext } from '../../workspace.ts'
import { changesSince, type PlannedChanges } from './changes.ts'
import { readMessageCosts } from './message-costs.ts'

/** A message one real contact would get. */
export interface Sample {
  readonly contactId: number
  readonly contact: string
  readonly tier: string
  readonly step: string
  /** Of the step; null where it compares none. */
  readonly variant: string | null
  readonly outcome: StepOutcome
  readonly subject: string | null
  readonly text: string | null
}

export interface CampaignPlan extends PlanFigures {
  readonly campaign: string
  readonly title: string
  readonly file: string
  /** The hash `winback apply --plan` wants. */
  readonly hash: string
  /** What the files say otherwise than the version that runs; null where none does, or nothing differs. */
  readonly changes: PlannedChanges | null
  readonly asOf: Date
  /** The first tick that is not before `starts`; null for a campaign that is over or was stopped. */
  readonly nextRun: Date | null
  /** What would refuse a run now or hold it back. */
  readonly foreseen: ForeseenRun
  readonly samples: readonly Sample[]
}

/** What a run of the campaign, as it stands in its file, would do now. Reads only. */
export async function planCampaign(
  context: DatabaseContext,
  loaded: LoadedCampaign,
  templates: Templates,
  asOf: Date,
): Promise<CampaignPlan> {
  const { database } = context
  const workspace = context.loaded.definition
  const { definition } = loaded
  const current = await currentVersion(database, definition.campaign)
  const campaign = compileCampaign({
    definition,
    version: (current?.version ?? 0) + 1,
    salt: current?.salt ?? 'drawn when it is applied',
    stepIds: imaginedIds(loaded),
    workspace,
    templates: templates.set,
    templateSet: templatesHash(templates.files),
  })
  const hash = inputsHash({
    campaign: loaded.source,
    workspace: context.loaded.source,
    templates: templates.files,
  })
  const runtime = await openRuntime({ database, workspace, clock: { now: () => asOf } })
  const progress = steady(
    context.output.progress(
      sayIn(context.output)(`Planning ${definition.campaign}`, `正在制定计划 ${definition.campaign}`),
    ),
  )
  try {
    await warnOfCountedTypes(context)
    // What is derived is brought up to date; nothing an operator wrote or a contact did is changed.
    await freshenSignals(runtime)
    const foreseen = await foreseeRun(database, campaign, asOf)
    const { addressKinds, needsConsent, channels } = runtime.worker
    let steps = 0
    const audience = await planAudience(
      database,
      campaign,
      asOf,
      {
        addressKinds,
        needsConsent,
        closed: new Set([...addressKinds.keys()].filter((name) => !channels.has(name))),
      },
      (done, total, what) => {
        steps = total
        progress.update(done, total + LATER, what)
      },
    )
    progress.update(steps, steps + LATER, '')
    const { samples, ...counts } = audience
    const worker = { ...runtime.worker, templates: async () => templates.set }
    const price = await readMessageCosts(worker, campaign, samples, {
      locales: workspace.locales,
      priceOf: (channel) => priceOf(context, channel),
    })
    const shares = heldOutShares(campaign)
    const model = await withoutModel(database, campaign, asOf)
    const [goal] = Object.values(definition.goals)
    const natural = await pastRecall(database, campaign, asOf, workspace.activity)
    progress.update(steps + 1, steps + LATER, '')
    return {
      campaign: definition.campaign,
      title: definition.title,
      file: loaded.file,
      hash: shortHash(planHash(hash, current?.version ?? null)),
      version: { current: current?.version ?? null, changed: current?.inputs !== hash },
      changes:
        current === undefined || current.inputs === hash
          ? null
          : await changesTo(context, loaded, templates, current.version),
      asOf,
      timezone: campaign.timezone,
      entry: campaign.entry.kind,
      ...(campaign.audience ? { condition: campaign.audience.source } : {}),
      nextRun: nextRunOf(campaign, foreseen, asOf),
      foreseen,
      shortages: await readShortages(
        database,
        asOf,
        definition.campaign,
        definition.offers,
        expectedGrants(campaign, counts, shares),
      ),
      audience: counts,
      variants: splitByVariant(campaign, counts),
      between: detectableBetween(campaign, counts, natural, shares),
      heldOut: shares,
      ...expectedCost(campaign, counts, shares, price),
      natural,
      ...(goal === undefined ? {} : { goal: goal.event }),
      detectable: detectableEffects(campaign, counts, natural, shares),
      curve: detectableEffects(campaign, counts, natural, shares, CURVE),
      pool: poolOf(campaign, counts),
      showable: whenShowable(campaign, counts, natural, shares),
      ...(model ? { withoutModel: model } : {}),
      samples: await renderSamples(worker, campaign, samples),
    }
  } finally {
    progress.finish()
    await runtime.close()
  }
}

async function changesTo(
  { database, loaded: workspace }: DatabaseContext,
  { definition, source }: LoadedCampaign,
  { files }: Templates,
  version: number,
): Promise<PlannedChanges | null> {
  const versions = await readVersions(database, definition.campaign)
  const running = versions.find((each) => each.version === version)
  if (!running) return null
  return changesSince(
    { ...running, templates: await readTemplates(database, running.templates) },
    { campaign: source, workspace: workspace.source, templates: files },
  )
}

/** Parts of a plan after its audience: the past, and the samples. */
const LATER = 2

/** The next tick on which the campaign may run at all. */
export function nextRunOf(
  campaign: CompiledCampaign,
  foreseen: { readonly state: ForeseenRun['state'] },
  now: Date,
): Date | null {
  if (foreseen.state === 'over' || foreseen.state === 'stopped') return null
  const { schedule, starts, ends } = campaign.definition
  const first =
    starts === undefined ? now : new Date(Math.max(now.getTime(), midnight(starts, campaign.timezone) - 1))
  const next = nextTick(schedule, campaign.timezone, first)
  return ends !== undefined && next.getTime() >= midnight(ends, campaign.timezone, 1) ? null : next
}

/** A local day's first moment, in epoch milliseconds. */
function midnight(day: string, timezone: string, daysLater = 0): number {
  return Temporal.PlainDate.from(day).add({ days: daysLater }).toZonedDateTime(timezone).epochMilliseconds
}

/** Steps get their ids when they are applied; until then any will do that no real step has. */
function imaginedIds(loaded: LoadedCampaign): Map<string, number> {
  const { tiers, on_return: onReturn } = loaded.definition
  const steps = [...tiers.flatMap((tier) => tier.steps), ...onReturn]
  return new Map(steps.map((step, index) => [step.id, -1 - index]))
}

function priceOf(context: DatabaseContext, channel: string): number {
  const price = registerChannels(context.loaded.definition).get(channel)?.setUp?.price
  return price === undefined ? 0 : parsePrice(price)
}

/** Three real contacts, from as many tiers as there are, each with the first step of its tier that they would get. */
async function renderSamples(
  worker: Runtime['worker'],
  campaign: CompiledCampaign,
  candidates: readonly { tierNo: number; contactId: number }[],
): Promise<Sample[]> {
  const byTurn = [...candidates.entries()].toSorted(
    ([a, left], [b, right]) => turnOf(candidates, a) - turnOf(candidates, b) || left.tierNo - right.tierNo,
  )
  const samples: Sample[] = []
  for (const [, { tierNo, contactId }] of byTurn.slice(0, 3)) {
    const steps = campaign.tiers.find((each) => each.no === tierNo)?.steps ?? []
    const written = steps.filter((each) => each.templates.size > 0)
    let chosen: Sample | undefined
    for (const step of written.length > 0 ? written : steps.slice(0, 1)) {
      const sample = await renderSample(worker, campaign, step, contactId)
      chosen ??= sample
      if (sample.outcome.kind !== 'send') continue
      chosen = sample
      break
    }
    if (chosen) samples.push(chosen)
  }
  return [
    ...samples,
    ...(await renderVariants(
      worker,
      campaign,
      byTurn.map(([, each]) => each),
      samples,
    )),
  ]
}

/** A message of each variant that no sample shows yet: of the first contacts of its tier, one who would get it. */
async function renderVariants(
  worker: Runtime['worker'],
  campaign: CompiledCampaign,
  candidates: readonly { tierNo: number; contactId: number }[],
  shown: readonly Sample[],
): Promise<Sample[]> {
  const samples: Sample[] = []
  for (const step of campaign.tiers.flatMap((tier) => tier.steps)) {
    const own = candidates.filter(({ tierNo }) => tierNo === step.tierNo)
    for (const { name } of step.variants ?? []) {
      if (shown.some((sample) => sample.step === step.id && sample.variant === name)) continue
      let chosen: Sample | undefined
      for (const { contactId } of (own.length > 0 ? own : candidates).slice(0, 3)) {
        if (chosen?.outcome.kind === 'send') break
        const sample = await renderSample(worker, campaign, step, contactId, name)
        if (chosen === undefined || sample.outcome.kind === 'send') chosen = sample
      }
      if (chosen) samples.push(chosen)
    }
  }
  return samples
}

/** First, second or third of its tier: one of each tier comes before a second of any. */
function turnOf(candidates: readonly { tierNo: number }[], index: number): number {
  const tierNo = candidates[index]?.tierNo
  return candidates.slice(0, index).filter((other) => other.tierNo === tierNo).length
}

async function renderSample(
  worker: Runtime['worker'],
  campaign: CompiledCampaign,
  step: CompiledStep,
  contactId: number,
  wanted?: string,
): Promise<Sample> {
  const { contact, variant, verdict, composed } = await previewStep(worker, campaign, step, contactId, {
    variant: wanted,
    anyTime: true,
    mask: MASKED,
  })
  const outcome = outcomeOf(verdict, composed)
  const place = { tier: step.tier, step: step.id, variant }
  const common = { contactId, contact: contact.externalId, ...place, outcome }
  if (!composed || 'state' in composed) return { ...common, subject: null, text: null }
  const { subject, text } = wordsOf(composed.content)
  return { ...common, subject, text }
}

/** What a person would read of a content, or hear, whatever channel made it. */
export function wordsOf(content: unknown): { subject: string | null; text: string | null } {
  const first = (names: readonly string[]) =>
    names.map((name) => wordsAt(content, name)).find((words) => words !== null) ?? null
  return {
    subject: first(['subject', 'title']),
    // A channel whose content is the text and nothing beside it.
    text: typeof content === 'string' ? content : first(['text', 'body', 'script']),
  }
}

/** A content as a page to be looked at, its pictures within; null where its channel makes no HTML. */
export async function pageOf(content: unknown): Promise<string | null> {
  const html = wordsAt(content, 'html')
  return html === null ? null : await embedImages(html, imagesOf(content))
}

function wordsAt(content: unknown, name: string): string | null {
  if (typeof content !== 'object' || content === null || !(name in content)) return null
  const value: unknown = Reflect.get(content, name)
  return typeof value === 'string' ? value : null
}
