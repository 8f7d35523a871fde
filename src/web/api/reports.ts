import { Hono } from 'hono'
import { z } from 'zod'
import { chartPng } from '../../reports/digest.ts'
import type { TextStyle } from '../../reports/report.ts'
import { type SheetName, sheetReports } from '../../reports/reports.ts'
import { csvOf, type Sheet } from '../../reports/sheet.ts'
import { readProgrammeSheet, readSheet, styleOfWorkspace } from '../../service/reporting.ts'
import type { Runtime } from '../../service/runtime.ts'
import { RefusedError } from '../answers.ts'
import type { KeyRing } from '../api-keys.ts'
import { requireScope } from '../authorise.ts'
import { answerReport } from '../report-json.ts'
import { day, readQuery, refuseQuery } from '../requests.ts'
import { assertApplied } from './applied.ts'

/** How what all campaigns brought together may be asked for. */
export const programmeQuery = z.strictObject({
  locale: z.enum(['en', 'zh-CN']).prefault('en'),
  format: z.enum(['json', 'csv']).prefault('json'),
})

const asked = z.strictObject({
  ...programmeQuery.shape,
  campaign: z.string().min(1),
  from: day.optional(),
  to: day.optional(),
  /** One table alone, with `format=csv`. */
  table: z.string().min(1).optional(),
})

/** Days between which nobody can have been assigned are a mistake, and would be shown as nobody. */
const inOrder = ({ from, to }: { from?: Date | undefined; to?: Date | undefined }) =>
  !from || !to || from < to
const backwards = { path: ['to'], message: 'expected a day after `from`: it is the first that is left out' }

/** What a report may be asked with. `from` and `to`: UTC days of the assignment, [from, to). */
export const reportQuery = asked
  .refine(inOrder, backwards)
  .refine(({ format, table }) => table === undefined || format === 'csv', {
    path: ['table'],
    message: 'expected `format=csv` beside it: JSON has all tables',
  })

/** What a picture may be asked with. */
export const chartQuery = asked.omit({ format: true, table: true }).refine(inOrder, backwards)

/** The one report that is of no campaign alone. */
const PROGRAMME = {
  name: 'programme',
  title: {
    en: 'All campaigns together, against the control group',
    'zh-CN': '全部活动合计，与全局对照组相比',
  },
}

/** Reports as figures and as words, for dashboards: JSON, CSV, and each chart as a picture. As counted last. */
export function reportsApi({ runtime, keys }: { runtime: Runtime; keys: KeyRing }): Hono {
  return new Hono()
    .get('/v1/reports', requireScope(keys, 'read'), refuseQuery, (c) =>
      c.json({
        reports: [PROGRAMME, ...Object.values(sheetReports)].map(({ name, title }) => ({ name, title })),
      }),
    )
    .get('/v1/reports/programme', requireScope(keys, 'read'), async (c) => {
      const query = readQuery(c, programmeQuery)
      const style = styleIn(runtime, query.locale)
      const { data, sheet } = await readProgrammeSheet(runtime, runtime.clock.now(), style)
      c.header('Cache-Control', 'no-store')
      if (query.format === 'json') return answerReport(c, { report: PROGRAMME.name, data, sheet })
      c.header('Content-Disposition', 'attachment; filename="programme.csv"')
      return c.body(csvOf(sheet.tables), 200, { 'Content-Type': 'text/csv; charset=utf-8' })
    })
    .get('/v1/reports/:name', requireScope(keys, 'read'), async (c) => {
      const { report, data, sheet, query } = await read(runtime, c.req.param('name'), () =>
        readQuery(c, reportQuery),
      )
      c.header('Cache-Control', 'no-store')
      if (query.format === 'json') return answerReport(c, { report, campaign: query.campaign, data, sheet })
      const tables =
        query.table === undefined ? sheet.tables : sheet.tables.filter(({ id }) => id === query.table)
      if (tables.length === 0) {
        const known = sheet.tables.map(({ id }) => id).join(', ')
        throw new RefusedError(
          404,
          'not_found',
          `the report ${report} has no table ${query.table}; there are ${known}`,
        )
      }
      c.header(
        'Content-Disposition',
        `attachment; filename="${query.campaign}-${report}-${tables.length === 1 ? tables[0]?.id : 'tables'}.csv"`,
      )
      return c.body(csvOf(tables), 200, { 'Content-Type': 'text/csv; charset=utf-8' })
    })
    .get('/v1/reports/:name/charts/:chart', requireScope(keys, 'read'), async (c) => {
      const { sheet, query } = await read(runtime, c.req.param('name'), () => readQuery(c, chartQuery))
      const wanted = c.req.param('chart').replace(/\.png$/, '')
      const chart = sheet.charts.find(({ id }) => id === wanted)
      if (!chart) throw new RefusedError(404, 'not_found', `there is no chart ${wanted} at this moment`)
      c.header('Cache-Control', 'no-store')
      return c.body(new Uint8Array(await chartPng(chart, query.locale)), 200, { 'Content-Type': 'image/png' })
    })
}

async function read<Query extends z.output<typeof chartQuery>>(
  runtime: Runtime,
  name: string,
  ask: () => Query,
): Promise<{ report: SheetName; data: unknown; sheet: Sheet; query: Query }> {
  if (!Object.hasOwn(sheetReports, name)) {
    throw new RefusedError(
      404,
      'not_found',
      `there is no report ${name}; there are ${[PROGRAMME.name, ...Object.keys(sheetReports)].join(', ')}`,
    )
  }
  const query = ask()
  const { database, clock } = runtime
  await assertApplied(database, query.campaign)
  const style = styleIn(runtime, query.locale)
  const report = name as SheetName
  const period = { now: clock.now(), from: query.from, to: query.to }
  return { report, ...(await readSheet(runtime, report, query.campaign, period, style)), query }
}

function styleIn({ workspace }: Runtime, locale: string): TextStyle {
  return { ...styleOfWorkspace(workspace), locale, color: false, width: 100 }
}
