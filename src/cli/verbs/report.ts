import type { Command } from 'commander'
import { later } from '../../clock.ts'
import type { CampaignBook } from '../../config/compiled.ts'
import { nearest } from '../../config/nearest-name.ts'
import { appliedNames } from '../../config/versions.ts'
import { WinbackError } from '../../errors.ts'
import type { OverviewData, OverviewQuestion } from '../../reports/overview/overview.ts'
import type { TextStyle } from '../../reports/report.ts'
import { reports, type SheetName, sheetReports } from '../../reports/reports.ts'
import { csvOf, formatSheet, type Sheet } from '../../reports/sheet.ts'
import {
  campaignTerms,
  readProgrammeSheet,
  readSheet,
  refreshReports,
  styleOfWorkspace,
} from '../../service/reporting.ts'
import { appliedCampaign, nothingApplied } from '../applied-campaign.ts'
import { chooseLocale, sayIn } from '../locale.ts'
import { parseMoment } from '../moments.ts'
import { count, type Outcome } from '../output.ts'
import { openQuietRuntime } from '../quiet-runtime.ts'
import { steady } from '../steady.ts'
import { describe, type Start } from '../verb.ts'
import { type DatabaseContext, startInWorkspace } from '../workspace.ts'

interface ReportOptions {
  readonly from?: string
  readonly to?: string
  readonly asOf?: string
  readonly locale?: string
  readonly schema?: string
  readonly csv?: boolean
  readonly table?: string
  readonly rebuild?: boolean
  readonly refresh?: boolean
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
      ['winback report monday', 'the first page of a week, in plain words'],
      ['winback report cost graded-recall --csv', 'tables for a spreadsheet'],
    ],
  })
    .argument('[name]', `${SHEETS.join(', ')}; none: the overview. Or a campaign`)
    .argument('[campaign]', 'a campaign (default: all that were ever applied)')
    .option('--from <time>', 'taken in from here on')
    .option('--to <time>', 'taken in before this')
    .option('--as-of <time>', 'as it stood then (default: now)')
    .option('--locale <locale>', 'en or zh-CN, or a variant (default: this machine’s)')
    .option('--csv', 'tables as CSV')
    .option('--table <id>', 'one table alone, with --csv')
    .option('--rebuild', 'counts everything anew first, whatever is known')
    .option('--no-refresh', 'as counted last, by `winback start` or before')
    .option('--schema <name>', 'look into another schema, such as that of a replay')
    .action(
      (name: string | undefined, campaign: string | undefined, options: ReportOptions, command: Command) =>
        startInWorkspace(start, command, (context) => runNamed(context, name, campaign, options), {
          schema: options.schema,
        }),
    )
}

const SHEETS = Object.keys(sheetReports) as SheetName[]

/** The report of that name, of all campaigns or of one; the overview, where the first word is a campaign or there is none. */
async function runNamed(
  context: DatabaseContext,
  name: string | undefined,
  campaign: string | undefined,
  options: ReportOptions,
): Promise<Outcome> {
  const sheet = SHEETS.find((each) => each === name)
  if (sheet && options.table !== undefined && !options.csv) throw tableAlone(sheet)
  if (sheet) return runSheet(context, sheet, campaign, options)
  if (campaign !== undefined) throw unknownReport(name ?? '')
  if (options.csv)
    throw new WinbackError('usage.csv', '--csv wants the name of a report', {
      remedy: `Write winback report ${SHEETS[0]} --csv; there are ${SHEETS.join(', ')}.`,
    })
  if (options.table !== undefined) throw tableAlone()
  if (options.rebuild || options.refresh === false) throw readsNoSums(options)
  if (name !== undefined) await assertCampaign(context, name)
  return runReport(context, name, options)
}

/** `--table` was ignored, and everything was shown as if it had been all of that table. */
function tableAlone(sheet: SheetName = SHEETS[0] ?? 'monday'): WinbackError {
  return new WinbackError('usage.table', '--table goes with the name of a report and --csv', {
    remedy: `Write winback report ${sheet} --csv --table ID.`,
  })
}

/** The overview counts rows: there are no sums to bring up to date, or not to. */
function readsNoSums({ rebuild }: ReportOptions): WinbackError {
  const option = rebuild ? '--rebuild' : '--no-refresh'
  return new WinbackError('usage.sums', `${option} wants the name of a report: the overview reads no sums`, {
    remedy: `Leave it out, or write winback report ${SHEETS[0]} ${option}; there are ${SHEETS.join(', ')}.`,
  })
}

/** One word may have been meant as a report or as a campaign. @throws WinbackError `usage.report`, `usage.campaign` */
async function assertCampaign(context: DatabaseContext, name: string): Promise<void> {
  const applied = await appliedNames(context.database)
  if (applied.includes(name)) return
  if (nearest(name, SHEETS) !== undefined) throw unknownReport(name)
  if (nearest(name, applied) !== undefined || applied.length === 0) await appliedCampaign(context, name)
  throw new WinbackError('usage.report', `there is neither a report nor a campaign "${name}"`, {
    remedy: `Reports are ${SHEETS.join(', ')}; campaigns ${applied.join(', ')}.`,
  })
}

function unknownReport(name: string): WinbackError {
  const meant = nearest(name, SHEETS)
  return new WinbackError('usage.report', `there is no report "${name}"`, {
    remedy: meant ? `Did you mean ${meant}?` : `There are ${SHEETS.join(', ')}.`,
  })
}

/**
 * What a report is asked with: of which campaigns, about when, and how it is written.
 * @param daysIn the zone that a day without a time is one of
 */
async function askedFor(
  context: DatabaseContext,
  wanted: string | undefined,
  options: ReportOptions,
  daysIn: string,
) {
  const { database, clock, loaded } = context
  const { timezone } = loaded.definition
  const moment = (option: string, text: string | undefined, days = timezone) =>
    text === undefined
      ? undefined
      : parseMoment(option, text, /^\d{4}-\d\d-\d\d$/.test(text) ? days : timezone)
  const [from, to] = [moment('--from', options.from, daysIn), moment('--to', options.to, daysIn)]
  if (from && to && to <= from) throw new WinbackError('usage.moment', '--to must be later than --from')
  return {
    campaigns: wanted === undefined ? await appliedNames(database) : [await appliedCampaign(context, wanted)],
    runtime: await openQuietRuntime(context),
    period: {
      now: moment('--as-of', options.asOf) ?? clock.now(),
      from,
      to,
    },
    style: textStyle(context, options.locale),
  }
}

/** One of the reports that are read from the kept sums: brought up to date first, so that a terminal never shows less than there is. */
async function runSheet(
  context: DatabaseContext,
  name: SheetName,
  wanted: string | undefined,
  options: ReportOptions,
): Promise<Outcome> {
  // Sums are kept by UTC day: a day is that very one, as it is for the API, and not the one before it that midnight was in.
  const { runtime, campaigns, period, style } = await askedFor(context, wanted, options, 'UTC')
  assertDays(period)
  if (options.refresh !== false || options.rebuild) {
    const say = sayIn(context.output)
    const progress = steady(context.output.progress(say('Counting', '正在统计')))
    try {
      await refreshReports(runtime, {
        only: wanted,
        rebuild: options.rebuild,
        onProgress: (done, of) => {
          const days = Math.floor(done)
          progress.update(done, of, say(count(days, 'day'), `${days} 天`))
        },
      })
    } finally {
      progress.finish()
    }
  }
  const read: { campaign: string; data: unknown; sheet: Sheet }[] = []
  for (const campaign of campaigns) {
    read.push({ campaign, ...(await readSheet(runtime, name, campaign, period, style)) })
  }
  // Beside one campaign alone, or days of it, nobody asks for all.
  const whole = name === 'monday' && wanted === undefined && !options.from && !options.to
  const programme = whole ? await readProgrammeSheet(runtime, period.now, style) : undefined
  const data = { report: name, ...(programme ? { programme } : {}), campaigns: read }
  if (read.length === 0) return { data, text: nothingApplied(sayIn(context.output)) }
  const sheets = [...(programme ? [programme.sheet] : []), ...read.map(({ sheet }) => sheet)]
  if (!options.csv) return { data, text: sheets.map((sheet) => formatSheet(sheet, style)).join('\n\n') }
  // Of several campaigns, each table says whose it is.
  const tables = [
    ...(programme?.sheet.tables ?? []).map((table) => ({ id: table.id, table })),
    ...read.flatMap(({ campaign, sheet }) =>
      sheet.tables.map((table) => ({
        id: table.id,
        table: read.length > 1 ? { ...table, id: `${campaign} ${table.id}` } : table,
      })),
    ),
  ]
  const chosen = tables.filter(({ id }) => options.table === undefined || id === options.table)
  if (chosen.length === 0) {
    throw new WinbackError('usage.table', `the report ${name} has no table "${options.table}"`, {
      remedy: `There are ${[...new Set(tables.map(({ id }) => id))].join(', ')}.`,
    })
  }
  return { data, text: csvOf(chosen.map(({ table }) => table)).trimEnd(), file: true }
}

/** Times of one day hold no day, and would be shown as a day on which nobody was taken in. @throws WinbackError `usage.moment` */
function assertDays({ from, to }: { readonly from: Date | undefined; readonly to: Date | undefined }): void {
  const day = (at: Date) => at.toISOString().slice(0, 10)
  if (!from || !to || day(from) < day(to)) return
  throw new WinbackError(
    'usage.moment',
    '--to must be a later day than --from: this report counts whole days of UTC',
    {
      remedy: `Write --from ${day(from)} --to ${day(later(from, 86_400))}; the overview, without the name of a report, takes times too.`,
    },
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
  const { runtime, campaigns: names, period, style } = await askedFor(context, wanted, options, timezone)
  const campaigns: OverviewData[] = []
  const progress = steady(context.output.progress(sayIn(context.output)('Reporting', '正在生成报告')))
  try {
    for (const [index, name] of names.entries()) {
      const onProgress = (done: number, of: number) =>
        progress.update(index * of + done, names.length * of, name)
      onProgress(0, 1)
      campaigns.push(await overviewOf(context, runtime.book, name, { ...period, onProgress }))
    }
  } finally {
    progress.finish()
  }
  return {
    data: { campaigns },
    text:
      campaigns.length === 0
        ? nothingApplied(sayIn(context.output))
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
  const { split, goals, acquisition } = await campaignTerms(context.database, book, campaign)
  return reports.overview.read(context.database, { campaign, ...period, split, goals, acquisition })
}

/** How text is written for the person at this terminal. @throws WinbackError `usage.locale` */
export function textStyle(context: DatabaseContext, locale: string | undefined): TextStyle {
  return {
    ...styleOfWorkspace(context.loaded.definition),
    locale: chooseLocale(locale),
    color: context.output.colors.isColorSupported,
    width: context.output.width,
  }
}
