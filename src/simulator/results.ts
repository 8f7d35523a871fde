import { sql } from 'drizzle-orm'
import { overviewOf } from '../cli/verbs/report.ts'
import type { DatabaseContext } from '../cli/workspace.ts'
import type { LoadedCampaign } from '../config/load.ts'
import { type Database, rows } from '../database/connect.ts'
import { earnedBy } from '../reports/margins.ts'
import type { TextStyle } from '../reports/report.ts'
import { reports } from '../reports/reports.ts'
import { questionOf, refreshReports } from '../service/reporting.ts'
import type { Runtime } from '../service/runtime.ts'
import { compare, formatComparison, formatOthers, ladderOf } from './comparison.ts'
import { compareEarnings, formatEarnings, readEarnings } from './earnings.ts'
import { formatPlanted, type PlantedFinding } from './found.ts'
import { formatChannels } from './messages.ts'
import { type EpisodeSeen, truthOf } from './truth.ts'
import type { World } from './world.ts'

/** What a replay left to tell of. */
export interface Results {
  readonly runtime: Pick<Runtime, 'database' | 'workspace' | 'book'>
  /** The campaign whose effect was planted, and those beside it. */
  readonly loaded: LoadedCampaign
  readonly others: readonly string[]
  readonly world: World
  /** What the signals found on the first day. */
  readonly found: readonly PlantedFinding[]
  readonly now: Date
}

/** The report, what was planted beside it, and what went out: one text after the other, as each is worked out. */
export async function* tellResults(
  context: Pick<DatabaseContext, 'database' | 'loaded'>,
  { runtime, loaded, others, world, found, now }: Results,
  style: TextStyle,
): AsyncGenerator<string> {
  const { database } = context
  const { definition } = loaded
  const { orders } = context.loaded.definition
  const share = earnedBy(definition.goals, orders.event)[orders.event]
  // The sums of the reports, as whoever looks at the pages is shown them: counted while the report is read.
  const counting =
    share === undefined
      ? undefined
      : refreshReports({ ...runtime, clock: { now: () => now } }, { only: definition.campaign })
  // It is asked for below: until then, what fails is nobody's error.
  counting?.catch(() => {})
  const report = await overviewOf(context, runtime.book, definition.campaign, { now })
  yield `\n${reports.overview.format(report, style).trimEnd()}`
  const episodes = await maturedEpisodes(database, definition.campaign, now)
  const truth = truthOf(world, episodes, ladderOf(definition, context.loaded.definition.timezone))
  yield formatComparison(compare(truth, report), style.color)
  if (share !== undefined) {
    await counting
    const earnings = await readEarnings(database, await questionOf(runtime, definition.campaign, { now }))
    if (earnings && episodes.length > 0)
      yield formatEarnings(compareEarnings(truth.all, earnings, share), style)
  }
  const reported = await Promise.all(others.map((name) => overviewOf(context, runtime.book, name, { now })))
  yield formatOthers(reported, style.color)
  yield formatPlanted(found, style.locale, style.color)
  yield await formatChannels(database, style.color)
}

/** What the rates of the report are over: episodes whose window has elapsed, seeds and control apart. */
function maturedEpisodes(database: Database, campaign: string, now: Date): Promise<EpisodeSeen[]> {
  return rows<EpisodeSeen>(
    database,
    sql`SELECT c.external_id AS "externalId", e.assigned_at AS "assignedAt", e.entry_tier AS "entryTier"
        FROM episodes e JOIN contacts c USING (contact_id)
        WHERE e.campaign = ${campaign} AND e.arm IN ('treated', 'holdout') AND e.window_ends_at <= ${now}
        ORDER BY e.arm = 'treated' DESC, e.entry_tier, e.contact_id`,
  )
}
