import { sql } from 'drizzle-orm'
import { registerChannels } from '../channels/channels.ts'
import type { Step } from '../config/campaign.ts'
import type { CampaignBook, VersionText } from '../config/compiled.ts'
import { appliedNames } from '../config/versions.ts'
import { type Database, rows, type Session } from '../database/connect.ts'
import { type CampaignLine, readCampaigns, withCampaigns } from '../reports/campaigns.ts'
import type { Split } from '../reports/effect.ts'
import type { Goals } from '../reports/goals.ts'
import { earnedBy } from '../reports/margins.ts'
import { type ProgrammeData, readProgramme } from '../reports/programme.ts'
import { programmeSheet } from '../reports/programme-text.ts'
import type { CampaignQuestion, VariantShare } from '../reports/question.ts'
import type { TextStyle } from '../reports/report.ts'
import { type SheetName, sheetReports } from '../reports/reports.ts'
import type { CountingRules } from '../reports/rollup/cohort-sql.ts'
import { type RolledUp, rollUp } from '../reports/rollup/rollup.ts'
import type { Sheet } from '../reports/sheet.ts'
import type { SheetReport } from '../reports/sheet-report.ts'
import { readTimeline, type Timeline, type TimelineQuestion } from '../reports/timeline/timeline.ts'
import { campaignTitles } from './campaign-titles.ts'
import type { Runtime } from './runtime.ts'

// What reports need of campaign files and of the workspace, for whoever shows them: terminal, page, digest.

function countingRules({
  database,
  workspace,
  book,
}: Pick<Runtime, 'database' | 'workspace' | 'book'>): CountingRules {
  return {
    activity: workspace.activity,
    order: workspace.orders.event,
    // Asked while a day is counted, whose transaction others may be waiting for with every connection of the pool.
    goalsOf: async (campaign) => goalsOf(await textsOf(database.aside, book, campaign)),
    earnedOf: async (campaign) => {
      const text = await book.currentText(campaign)
      if (text && !text.definition.goals) return undefined
      return earnedBy(text?.definition.goals ?? {}, workspace.orders.event)
    },
  }
}

/** What a workspace says of how its reports are written: whoever shows one adds the language. */
export function styleOfWorkspace(
  workspace: Runtime['workspace'],
): Required<Pick<TextStyle, 'currency' | 'timezone' | 'channels'>> {
  const { currency, timezone } = workspace
  const titled = [...registerChannels(workspace).values()].flatMap(({ name, title }) =>
    title === undefined ? [] : ([[name, title]] as const),
  )
  return { currency, timezone, channels: new Map(titled) }
}

/** Brings the sums up to date; see {@link rollUp}. */
export async function refreshReports(
  runtime: Pick<Runtime, 'database' | 'workspace' | 'book' | 'clock'>,
  options: Parameters<typeof rollUp>[3] = {},
): Promise<RolledUp> {
  return await rollUp(runtime.database, runtime.clock.now(), countingRules(runtime), options)
}

/** What a campaign's versions say that its reports are asked with. */
export interface CampaignTerms extends Omit<CampaignQuestion, 'campaign' | 'now' | 'from' | 'to'> {
  readonly goals: Goals
}

/**
 * Of all versions the splits and variants, of the newest the rest, as far as their texts can still be read. An unknown
 * campaign has no terms.
 */
export async function campaignTerms(
  database: Database,
  book: CampaignBook,
  campaign: string,
): Promise<CampaignTerms> {
  const texts = await textsOf(database, book, campaign)
  const split = new Map<number, Split>()
  const variants = new Map<number, ReadonlyMap<string, readonly VariantShare[]>>()
  const newest = texts.at(-1)
  for (const { version, definition, control } of texts) {
    const { holdout, tiers = [] } = definition
    const drawing = new Map(tiers.map((tier) => [tier.name, tier.holdout]))
    if (holdout !== undefined) split.set(version, { holdout, control, tiers: drawing })
    variants.set(version, new Map(tiers.flatMap(({ steps }) => steps.flatMap(sharesOf))))
  }
  const { value, limits, offers } = newest?.definition ?? {}
  const { spend, liability } = limits?.budget ?? {}
  return {
    split,
    variants,
    goals: goalsOf(texts),
    recallValue: value?.recall?.micros,
    acquisition: value?.acquisition?.micros,
    budget: {
      spend: spend && { amount: spend.amount.micros, per: spend.per ?? 'campaign' },
      liability: liability && { amount: liability.micros, per: 'campaign' },
    },
    offers,
    goalsUnread: newest && !newest.definition.goals ? newest.version : undefined,
  }
}

/** What a step compares, by its id; nothing of one that compares nothing. */
function sharesOf({ id, variants }: Step): [string, VariantShare[]][] {
  return variants ? [[id, Object.entries(variants).map(([name, { share }]) => ({ name, share }))]] : []
}

interface Period {
  readonly now: Date
  readonly from?: Date | undefined
  readonly to?: Date | undefined
}

/** A report of one campaign, its figures and in words, as counted last. */
export async function readSheet(
  runtime: Pick<Runtime, 'database' | 'book'>,
  name: SheetName,
  campaign: string,
  period: Period,
  style: TextStyle,
): Promise<{ data: unknown; sheet: Sheet }> {
  // Which data belongs to which report is known within each alone.
  const report: SheetReport<CampaignQuestion, unknown> = sheetReports[name] as never
  const data = await report.read(runtime.database, await questionOf(runtime, campaign, period))
  return { data, sheet: report.sheet(data, style) }
}

/**
 * A contact's story, with the goals that were reached by their names.
 * @throws WinbackError `contact.unknown`, naming the nearest external ids there are
 */
export async function readStory(
  { database, book, workspace }: Pick<Runtime, 'database' | 'book' | 'workspace'>,
  question: Omit<TimelineQuestion, 'goalsOf' | 'activity'>,
): Promise<Timeline> {
  return await readTimeline(database, {
    ...question,
    activity: workspace.activity,
    goalsOf: async (campaign, version) => (await book.text(campaign, version)).definition.goals ?? {},
  })
}

/**
 * What all campaigns brought together, and each beside the others, the busiest first, where there are several: figures and
 * words, as counted last.
 */
export async function readProgrammeSheet(
  runtime: Pick<Runtime, 'database' | 'book' | 'workspace'>,
  now: Date,
  style: TextStyle,
): Promise<{ data: ProgrammeData & { readonly campaigns: readonly CampaignLine[] }; sheet: Sheet }> {
  const names = await appliedNames(runtime.database)
  const questions = await Promise.all(names.map((name) => questionOf(runtime, name, { now })))
  const data = await readProgramme(runtime.database, questions, { now, share: runtime.workspace.control })
  const campaigns = await readCampaigns(runtime.database, questions, now)
  const titles = await campaignTitles(runtime, names)
  return {
    data: { ...data, campaigns },
    sheet: withCampaigns(programmeSheet(data, style), campaigns, titles, style),
  }
}

/**
 * The question that a campaign's reports answer.
 * @param period cohorts assigned on UTC days [from, to)
 */
export async function questionOf(
  { database, book }: Pick<Runtime, 'database' | 'book'>,
  campaign: string,
  period: Period,
): Promise<CampaignQuestion> {
  const { goals: _goals, ...terms } = await campaignTerms(database, book, campaign)
  const day = (at: Date | undefined) => at?.toISOString().slice(0, 10)
  return { campaign, now: period.now, from: day(period.from), to: day(period.to), ...terms }
}

/** Every version of a campaign, oldest first. */
async function textsOf(session: Session, book: CampaignBook, campaign: string): Promise<VersionText[]> {
  const versions = await rows<{ version: number }>(
    session,
    sql`SELECT version FROM campaign_versions WHERE campaign = ${campaign} ORDER BY version`,
  )
  return await Promise.all(versions.map(({ version }) => book.text(campaign, version)))
}

function goalsOf(texts: readonly VersionText[]): Goals {
  return new Map(
    texts.flatMap(({ version, definition }) => {
      const [primary] = Object.values(definition.goals ?? {})
      return primary ? [[version, primary.event]] : []
    }),
  )
}
