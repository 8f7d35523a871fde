import type { CompiledCampaign } from '../config/compiled.ts'
import { factCatalogue } from '../config/facts.ts'
import { templatesOf } from '../config/variants.ts'
import { countActivity, countsOtherwise } from '../contacts/activity-sums.ts'
import type { Phrases } from '../reports/words.ts'
import { type Fit, fitSignals, readFit, type Thinness } from '../signals/fit.ts'
import { rulesOf } from '../signals/history.ts'
import { readRulesChange, refreshSignals } from '../signals/refresh.ts'
import type { Runtime } from './runtime.ts'
import { lastTick } from './schedule.ts'

/** What a freshening did. */
export interface Freshened {
  readonly contacts: number
  /** The fit that fell due; undefined where the last one still holds. */
  readonly fit: Fit | undefined
}

/**
 * Brings signals up to the clock: whoever had events is recomputed, and quintiles and model are fitted where the schedule says
 * so, where other types of events count than did, or where there is none yet.
 */
export async function freshenSignals(
  runtime: Pick<Runtime, 'database' | 'workspace' | 'clock'>,
): Promise<Freshened> {
  const { database, workspace, clock } = runtime
  const rules = rulesOf(workspace)
  const now = clock.now()
  const contacts = await refreshSignals(database, rules, now)
  const last = await readFit(database, now)
  const due = lastTick(workspace.signals.refit, workspace.timezone, now)
  const holds = last && last.fittedAt >= due && !outgrown(last, contacts, now)
  if (holds && !(await isByOthers(runtime, last))) return { contacts, fit: undefined }
  return { contacts, fit: await fitSignals(database, rules, workspace.signals.return, now) }
}

/**
 * {@link freshenSignals}, once what everybody did is summed up by the types that count by now. Before each run, and every few
 * seconds while Winback runs. Not where somebody only looks: by a `winback.yaml` that is not in force yet, the runs of a service
 * would meet people who look silent and are not.
 */
export async function freshen(
  runtime: Pick<Runtime, 'database' | 'workspace' | 'clock'>,
): Promise<Freshened> {
  await countActivity(runtime.database, runtime.workspace, runtime.clock.now())
  return await freshenSignals(runtime)
}

/** A fit to too little is looked at again every day, and as soon as there is anything at all: the first import. */
function outgrown(last: Fit, refreshed: number, now: Date): boolean {
  if (last.note === null || refreshed === 0) return false
  return last.contacts === 0 || now.getTime() - last.fittedAt.getTime() >= 86_400_000
}

/** Whether the types that signals and sums are by have changed since the fit; where the sums are by others yet, it waits for them. */
async function isByOthers(
  { database, workspace }: Pick<Runtime, 'database' | 'workspace'>,
  { fittedAt }: Fit,
): Promise<boolean> {
  const changedAt = await readRulesChange(database)
  return changedAt !== undefined && changedAt > fittedAt && !(await countsOtherwise(database, workspace))
}

/** Whether anything in a campaign may ask for a signal: a replay that needs none computes none. */
export function asksForSignals(campaign: CompiledCampaign, workspace: Runtime['workspace']): boolean {
  const paths = [...factCatalogue(workspace).values()].flatMap(({ path, known }) => (known ? [path] : []))
  return asksFor(campaign, paths)
}

function asksFor(campaign: CompiledCampaign, paths: readonly string[]): boolean {
  const steps = [...campaign.tiers.flatMap((tier) => tier.steps), ...campaign.onReturn]
  const sources = [
    campaign.entry.kind === 'date' ? campaign.entry.path : undefined,
    campaign.effort && 'quadrant',
    campaign.audience?.source,
    ...campaign.segments.map((segment) => segment.condition.source),
    ...steps.map((step) => step.condition?.source),
    ...steps.flatMap((step) => templatesOf(step).flatMap(({ facts }) => facts.map(({ path }) => path))),
  ]
  return sources.some((source) => source !== undefined && paths.some((path) => source.includes(path)))
}

/** Why there is no return model, and whether silence stands in for it. */
export interface WithoutModel {
  readonly why: Thinness
  readonly silence: boolean
}

/** Of a campaign that asks for the probability of a return: why no model tells it. Undefined where one does. */
export async function withoutModel(
  database: Runtime['database'],
  campaign: CompiledCampaign,
  now: Date,
): Promise<WithoutModel | undefined> {
  if (!asksFor(campaign, ['return_probability', 'return_basis'])) return undefined
  const fit = await readFit(database, now)
  return fit?.note ? { why: fit.note, silence: fit.silence !== null } : undefined
}

/** What keeps the model away, both languages beside each other. */
export const MODEL_WORDS: Phrases<Thinness> = {
  too_few_contacts: { en: 'too few contacts with activity', 'zh-CN': '有活跃记录的联系人太少' },
  too_few_repeaters: { en: 'too few contacts that ever came back', 'zh-CN': '回来过的联系人太少' },
  not_converged: { en: 'no parameters fit', 'zh-CN': '没有合适的参数' },
  at_the_edge: {
    en: 'people’s histories are too few or too alike to tell them apart',
    'zh-CN': '联系人的历史太少或太相似，无法区分',
  },
}
