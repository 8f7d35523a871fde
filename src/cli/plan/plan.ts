import { sql } from 'drizzle-orm'
import { pastRecall } from '../../audience/natural.ts'
import { type AudiencePlan, heldOutShares, planAudience } from '../../audience/plan.ts'
import { parsePrice } from '../../channels/price.ts'
import { compileCampaign } from '../../config/compile.ts'
import type { CompiledCampaign, CompiledStep } from '../../config/compiled.ts'
import { inputsHash, shortHash, templatesHash } from '../../config/inputs.ts'
import type { LoadedCampaign } from '../../config/load.ts'
import { rows } from '../../database/connect.ts'
import { openRuntime, type Runtime } from '../../service/runtime.ts'
import { nextTick } from '../../service/schedule.ts'
import { detectableDifference } from '../../statistics/detectable.ts'
import { previewStep } from '../../touchpoints/preview.ts'
import { liabilityOf } from '../../touchpoints/view.ts'
import type { Templates } from '../campaigns.ts'
import type { DatabaseContext } from '../workspace.ts'

/** A message one real contact would get. */
export interface Sample {
  readonly contact: string
  readonly tier: string
  readonly step: string
  readonly outcome: string
  readonly subject: string | null
  readonly text: string | null
}

/** The smallest difference of recall rates that can be shown once so many are assigned. */
export interface Detectable {
  readonly afterDays: number
  readonly assigned: number
  /** A share: 0.02 is two percentage points. Null where nobody is held out. */
  readonly difference: number | null
}

export interface CampaignPlan {
  readonly campaign: string
  readonly title: string
  readonly file: string
  /** The hash `winback apply --plan` wants. */
  readonly hash: string
  readonly version: { readonly current: number | null; readonly changed: boolean }
  readonly asOf: Date
  readonly nextRun: Date
  readonly audience: Omit<AudiencePlan, 'samples'>
  readonly heldOut: readonly { tier: string; episode: number; withTierDraws: number }[]
  /** Micros, were nobody to return: an upper bound. */
  readonly spend: number
  readonly liability: number
  readonly natural: { readonly contacts: number; readonly recalled: number }
  readonly detectable: readonly Detectable[]
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
  const current = await currentVersion(context, definition.campaign)
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
  try {
    const audience = await planAudience(database, campaign, asOf, runtime.worker.addressKinds)
    const { samples, ...counts } = audience
    const shares = heldOutShares(campaign)
    const natural = await pastRecall(database, campaign, asOf, workspace.activity)
    return {
      campaign: definition.campaign,
      title: definition.title,
      file: loaded.file,
      hash: shortHash(hash),
      version: { current: current?.version ?? null, changed: current?.inputs !== hash },
      asOf,
      nextRun: nextTick(definition.schedule, campaign.timezone, asOf),
      audience: counts,
      heldOut: shares,
      ...expectedCost(campaign, counts, shares, (channel) => priceOf(context, channel)),
      natural,
      detectable: detectableEffects(campaign, counts, natural, shares),
      samples: await renderSamples(runtime, campaign, templates, samples),
    }
  } finally {
    await runtime.close()
  }
}

async function currentVersion(
  context: DatabaseContext,
  campaign: string,
): Promise<{ version: number; salt: string; inputs: string } | undefined> {
  const [row] = await rows<{ version: number; salt: string; inputs: string }>(
    context.database,
    sql`SELECT v.version, k.salt, v.inputs FROM campaigns k
      JOIN campaign_versions v ON v.campaign = k.campaign AND v.version = k.current_version
      WHERE k.campaign = ${campaign}`,
  )
  return row
}

/** Steps get their ids when they are applied; until then any will do that no real step has. */
function imaginedIds(loaded: LoadedCampaign): Map<string, number> {
  const steps = loaded.definition.tiers.flatMap((tier) => tier.steps)
  return new Map(steps.map((step, index) => [step.id, -1 - index]))
}

function priceOf(context: DatabaseContext, channel: string): number {
  const { channels } = context.loaded.definition
  const block = channel === 'email' ? channels.email : channel === 'log' ? channels.log : undefined
  return block ? parsePrice(block.price) : 0
}

/**
 * Spend and liability of those taken in now, were nobody to come back: everyone walks the rest of the ladder, and
 * every step reaches the share of people it reaches today. An upper bound, in micros. Pure.
 */
export function expectedCost(
  campaign: CompiledCampaign,
  audience: Pick<AudiencePlan, 'cells' | 'steps'>,
  shares: readonly { tier: string; episode: number; withTierDraws: number }[],
  price: (channel: string) => number,
): { spend: number; liability: number } {
  let spend = 0
  let liability = 0
  for (const entry of campaign.tiers) {
    let treated =
      openedIn(audience, entry.name) * (1 - (shares.find((s) => s.tier === entry.name)?.episode ?? 0))
    const offered = new Set<string>()
    for (const tier of campaign.tiers.filter((later) => later.no >= entry.no)) {
      treated *= 1 - tier.holdout
      for (const step of tier.steps) {
        const outlook = audience.steps.find((other) => other.tier === tier.name && other.step === step.id)
        const reach = outlook && outlook.contacts > 0 ? outlook.messages / outlook.contacts : 1
        spend += treated * reach * Math.max(0, ...step.channels.map(price))
        if (step.offer && !offered.has(step.offer.name)) {
          offered.add(step.offer.name)
          liability += treated * reach * liabilityOf(step)
        }
      }
    }
  }
  return { spend: Math.round(spend), liability: Math.round(liability) }
}

function openedIn(audience: Pick<AudiencePlan, 'cells'>, tier: string): number {
  return audience.cells
    .filter((cell) => cell.tier === tier && cell.answer === 'opened')
    .reduce((sum, cell) => sum + cell.contacts, 0)
}

/** After this run, and after one and three months of the usual inflow; each then waits for its window. */
function detectableEffects(
  campaign: CompiledCampaign,
  audience: Pick<AudiencePlan, 'cells' | 'inflowPerDay'>,
  natural: { contacts: number; recalled: number },
  shares: readonly { episode: number }[],
): Detectable[] {
  const opened = campaign.tiers.reduce((sum, tier) => sum + openedIn(audience, tier.name), 0)
  const heldOut = shares[0]?.episode ?? 0
  // Without a past the rate is unknown; a half makes the widest interval, so the answer errs on the safe side.
  const observed = natural.contacts > 0 ? natural.recalled / natural.contacts : 0.5
  const rate = Math.min(0.99, Math.max(0.01, observed))
  const window = Math.ceil(campaign.definition.window / 86_400)
  return [0, 30, 90].map((days) => {
    const assigned = Math.round(opened + days * audience.inflowPerDay)
    const found = detectableDifference({
      rate,
      treated: Math.round(assigned * (1 - heldOut)),
      heldOut: Math.round(assigned * heldOut),
    })
    return { afterDays: days + window, assigned, difference: typeof found === 'number' ? found : null }
  })
}

/** Three real contacts, from as many tiers as there are, each with the first step of its tier that sends. */
async function renderSamples(
  runtime: Runtime,
  campaign: CompiledCampaign,
  templates: Templates,
  candidates: readonly { tierNo: number; contactId: number }[],
): Promise<Sample[]> {
  const worker = { ...runtime.worker, templates: async () => templates.set }
  const byTurn = [...candidates.entries()].toSorted(
    ([a, left], [b, right]) => turnOf(candidates, a) - turnOf(candidates, b) || left.tierNo - right.tierNo,
  )
  const samples: Sample[] = []
  for (const [, { tierNo, contactId }] of byTurn.slice(0, 3)) {
    const tier = campaign.tiers.find((each) => each.no === tierNo)
    const step = tier?.steps.find((each) => each.templates.size > 0) ?? tier?.steps[0]
    if (step) samples.push(await renderSample(worker, campaign, step, contactId))
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
): Promise<Sample> {
  const { contact, verdict, composed } = await previewStep(worker, campaign, step, contactId, {
    anyTime: true,
  })
  const common = { contact: contact.externalId, tier: step.tier, step: step.id }
  if (!composed || 'state' in composed) {
    const why = composed
      ? `${composed.reason}: ${composed.detail}`
      : 'reason' in verdict
        ? verdict.reason
        : verdict.kind
    return { ...common, outcome: why, subject: null, text: null }
  }
  const { subject, text } = wordsOf(composed.content)
  return { ...common, outcome: `would be sent by ${composed.channel.name}`, subject, text }
}

/** What a person would read of a content, whatever channel made it. */
export function wordsOf(content: unknown): {
  subject: string | null
  text: string | null
  html: string | null
} {
  const field = (name: string) => {
    if (typeof content !== 'object' || content === null || !(name in content)) return null
    const value: unknown = Reflect.get(content, name)
    return typeof value === 'string' ? value : null
  }
  return { subject: field('subject'), text: field('text'), html: field('html') }
}
