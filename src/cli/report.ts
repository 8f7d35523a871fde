import type { Command } from 'commander'
import { sql } from 'drizzle-orm'
import type { CampaignBook } from '../config/compiled.ts'
import { rows } from '../database/connect.ts'
import type { OverviewData, OverviewQuestion } from '../reports/overview.ts'
import type { TextStyle } from '../reports/report.ts'
import { reports } from '../reports/reports.ts'
import { openRuntime } from '../service/runtime.ts'
import { appliedCampaign, appliedCampaigns } from './campaigns.ts'
import { chooseLocale } from './locale.ts'
import { parseMoment } from './moments.ts'
import type { Outcome } from './output.ts'
import { steady } from './steady.ts'
import { describe, type Start } from './verb.ts'
import { type DatabaseContext, withWorkspace } from './workspace.ts'

interface ReportOptions {
  readonly from?: string
  readonly to?: string
  readonly asOf?: string
  readonly locale?: string
  readonly schema?: string
}

export function report(start: Start): Command {
  return describe('report', {
    group: 'look',
    summary: 'Who came back, and who of them because of us',
    description:
      'Everybody taken in is counted, sent to or not. "Won back by us" is the difference to those who were not ' +
      'contacted, with its interval; nothing else is called a gain.',
    examples: [
      ['winback report', 'every campaign'],
      ['winback report graded-recall --from 2026-01-01 --to 2026-02-01', 'those taken in during January'],
      ['winback report graded-recall --json', 'the figures, for a dashboard'],
    ],
  })
    .argument('[campaign]', 'a campaign (default: all that were ever applied)')
    .option('--from <time>', 'taken in from here on')
    .option('--to <time>', 'taken in before this')
    .option('--as-of <time>', 'as it stood then (default: now)')
    .option('--locale <locale>', 'en or zh-CN, or a variant (default: this machine’s)')
    .option('--schema <name>', 'look into another schema, such as that of a replay')
    .action((campaign: string | undefined, options: ReportOptions, command: Command) =>
      start(command, (invocation) =>
        withWorkspace(invocation, (context) => runReport(context, campaign, options), {
          schema: options.schema,
        }),
      ),
    )
}

export interface ReportResult {
  readonly campaigns: readonly OverviewData[]
}

async function runReport(
  context: DatabaseContext,
  wanted: string | undefined,
  options: ReportOptions,
): Promise<Outcome<ReportResult>> {
  const { timezone } = context.loaded.definition
  const style = textStyle(context, options.locale)
  const moment = (option: string, text: string | undefined) =>
    text === undefined ? undefined : parseMoment(option, text, timezone)
  const names =
    wanted === undefined ? await appliedCampaigns(context) : [await appliedCampaign(context, wanted)]
  const { book } = await openRuntime({
    database: context.database,
    workspace: context.loaded.definition,
    clock: context.clock,
    channels: new Map(),
  })
  const period = {
    now: moment('--as-of', options.asOf) ?? context.clock.now(),
    from: moment('--from', options.from),
    to: moment('--to', options.to),
  }
  const campaigns: OverviewData[] = []
  const progress = steady(context.output.progress('Reporting'))
  try {
    for (const [index, name] of names.entries()) {
      const onProgress = (done: number, of: number) =>
        progress.update(index * of + done, names.length * of, name)
      onProgress(0, 1)
      campaigns.push(await overviewOf(context, book, name, { ...period, onProgress }))
    }
  } finally {
    progress.finish()
  }
  return {
    data: { campaigns },
    text:
      campaigns.length === 0
        ? 'No campaign was ever applied. Run `winback apply` first.'
        : campaigns.map((data) => reports.overview.format(data, style)).join('\n\n'),
  }
}

/** The overview of one campaign, with the split each of its versions was drawn with. */
export async function overviewOf(
  context: Pick<DatabaseContext, 'database' | 'loaded'>,
  book: CampaignBook,
  campaign: string,
  period: Pick<OverviewQuestion, 'now' | 'from' | 'to' | 'onProgress'>,
): Promise<OverviewData> {
  const versions = await rows<{ version: number }>(
    context.database,
    sql`SELECT version FROM campaign_versions WHERE campaign = ${campaign} ORDER BY version`,
  )
  const split = new Map<number, { holdout: number; control: number }>()
  let current: Awaited<ReturnType<CampaignBook['campaign']>> | undefined
  for (const { version } of versions) {
    current = await book.campaign(campaign, version)
    split.set(version, { holdout: current.definition.holdout, control: current.control })
  }
  const goal = Object.values(current?.definition.goals ?? {})[0]?.event ?? ''
  const acquisition = current?.definition.value.acquisition?.micros
  return reports.overview.read(context.database, { campaign, ...period, split, goal, acquisition })
}

/** How text is written for the person at this terminal. @throws WinbackError `usage.locale` */
export function textStyle(context: DatabaseContext, locale: string | undefined): TextStyle {
  const { currency, timezone } = context.loaded.definition
  return {
    locale: chooseLocale(locale),
    currency,
    timezone,
    color: context.output.colors.isColorSupported,
    width: context.output.width,
  }
}
