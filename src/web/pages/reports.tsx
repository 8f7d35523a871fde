import { sql } from 'drizzle-orm'
import { Hono } from 'hono'
import { appliedNames } from '../../config/versions.ts'
import { type Database, rows } from '../../database/connect.ts'
import { WinbackError } from '../../errors.ts'
import { type CampaignLine, campaignsNote, campaignsTable } from '../../reports/campaigns.ts'
import { type Gap, gapBetween, gapText, type Queue, readQueues } from '../../reports/queues.ts'
import type { TextStyle } from '../../reports/report.ts'
import { type SheetName, sheetReports } from '../../reports/reports.ts'
import { csvOf, type Sheet } from '../../reports/sheet.ts'
import { campaignTitles } from '../../service/campaign-titles.ts'
import { openCounting } from '../../service/counting.ts'
import { readProgrammeSheet, readSheet, styleOfWorkspace } from '../../service/reporting.ts'
import { answerReport } from '../report-json.ts'
import { chosen } from './chosen.ts'
import { downloadCsv } from './csv-download.ts'
import { Coded, Empty, Table } from './parts.tsx'
import { SheetView } from './sheet.tsx'
import { type PagesDependencies, page, type Visit } from './visit.ts'

// Monday, and every report of a campaign: as a page, as JSON, as CSV.

const NAMES = Object.keys(sheetReports) as SheetName[]

/** What the tabs call each report: shorter than its title. */
const TABS: Readonly<Record<SheetName, readonly [en: string, zh: string]>> = {
  monday: ['Monday', '周一速览'],
  funnel: ['Funnel', '漏斗'],
  lift: ['Won back', '增量'],
  cost: ['Cost', '成本'],
  delivery: ['Delivery', '送达'],
  offers: ['Offers', '优惠'],
  reasons: ['Why they leave', '流失原因'],
}

export function reportPages(dependencies: PagesDependencies): Hono {
  const counting = openCounting(dependencies.runtime, (error) => dependencies.onError('reports', error))
  return new Hono()
    .get(
      '/',
      page(dependencies, 'look', async (visit) => {
        const names = await appliedNames(visit.runtime.database)
        const { say } = visit
        if (names.length === 0) {
          return await visit.show(
            say('Monday', '周一速览'),
            <Empty title={say('Nobody is being won back yet', '尚未开始召回')}>
              <p>
                {say(
                  'Once a campaign is approved, this page says every week how many were won back because of it, what one costs, and whether anybody was annoyed.',
                  '活动获批后，本页每周说明：因活动多召回了多少人、每人成本多少、是否打扰了用户。',
                )}
              </p>
              {(await hasContacts(visit.runtime.database)) ? null : (
                <p>
                  <Coded
                    text={say(
                      'First bring in your contacts and what they did: `winback import contacts FILE`, `winback import activity FILE`.',
                      '请先导入联系人及其行为：`winback import contacts FILE`、`winback import activity FILE`。',
                    )}
                  />
                </p>
              )}
              <p>
                <a class="button" href="/campaigns">
                  {say('Look at the campaigns', '查看活动')}
                </a>
              </p>
            </Empty>,
          )
        }
        const wanted = chosen(visit, 'campaign', names)
        const counts = await counting.freshen(wanted ?? names[0] ?? '')
        const programme = await readProgrammeSheet(visit.runtime, visit.now, styleOf(visit))
        const lines = names.length < 2 ? [] : programme.data.campaigns
        const campaign = wanted ?? lines[0]?.campaign ?? names[0] ?? ''
        const note = campaignsNote(lines, visit.speech)
        const titles = await campaignTitles(visit.runtime, names)
        const { sheet } = await readSheet(
          visit.runtime,
          'monday',
          campaign,
          { now: visit.now },
          styleOf(visit),
        )
        const queues = await readQueues(visit.runtime.database)
        const gap = gapBetween(queues)
        return await visit.show(
          say('Monday', '周一速览'),
          <>
            {gap ? <GapNote visit={visit} gap={gap} queues={queues} /> : null}
            {counts ? null : <Programme visit={visit} sheet={programme.sheet} beside={note} />}
            {lines.length === 0 ? null : (
              <CampaignLines visit={visit} lines={lines} note={note} titles={titles} here={campaign} />
            )}
            {counts ? <BeingCounted visit={visit} /> : <SheetView visit={visit} sheet={sheet} />}
            <p>
              <a href={`/campaigns/${campaign}/reports/funnel`}>
                {say('All reports of this campaign', '该活动的全部报告')}
              </a>
            </p>
          </>,
        )
      }),
    )
    .get(
      '/programme.csv',
      page(dependencies, 'look', async (visit) => {
        const { c, runtime, now } = visit
        const { sheet } = await readProgrammeSheet(runtime, now, styleOf(visit))
        return downloadCsv(c, 'programme', csvOf(sheet.tables))
      }),
    )
    .get(
      '/campaigns/:campaign/reports/:report',
      page(dependencies, 'look', async (visit) => {
        const { c, say } = visit
        const campaign = c.req.param('campaign') ?? ''
        const [, wanted = '', format] = /^([a-z]+)(?:\.(csv|json))?$/.exec(c.req.param('report') ?? '') ?? []
        const name = NAMES.find((each) => each === wanted)
        const known = (await appliedNames(visit.runtime.database)).includes(campaign)
        if (!name || !known) {
          throw new WinbackError('report.unknown', say('There is no such report', '没有此报告'), {
            remedy: say(
              `There are ${NAMES.join(', ')}, of campaigns that were applied.`,
              `应用过的活动有以下报告：${NAMES.join('、')}。`,
            ),
          })
        }
        const counts = await counting.freshen(campaign)
        const { data, sheet } = await readSheet(
          visit.runtime,
          name,
          campaign,
          { now: visit.now },
          styleOf(visit),
        )
        if (format === 'json') return answerReport(c, { report: name, campaign, data, sheet })
        // Two campaigns' figures in one folder would differ by a number in brackets alone.
        if (format === 'csv') return downloadCsv(c, `${campaign}-${name}`, csvOf(sheet.tables))
        const base = `/campaigns/${campaign}/reports`
        const titles = await campaignTitles(visit.runtime, [campaign])
        return await visit.show(
          `${titles.get(campaign)} · ${say(...TABS[name])}`,
          <>
            <Tabs
              visit={visit}
              tabs={[
                [`/campaigns/${campaign}`, say('Campaign', '活动'), false],
                ...NAMES.map((each) => [`${base}/${each}`, say(...TABS[each]), each === name] as const),
              ]}
            />
            {counts ? <BeingCounted visit={visit} /> : <SheetView visit={visit} sheet={sheet} />}
            <p>
              <a href={`${base}/${name}.csv`}>CSV</a> · <a href={`${base}/${name}.json`}>JSON</a>
            </p>
          </>,
        )
      }),
    )
}

/** Above everything that was sent: nothing may be sent at all. */
function GapNote({ visit, gap, queues }: { visit: Visit; gap: Gap; queues: readonly Queue[] }) {
  const { found, mend } = gapText(gap, queues, visit.language)
  return (
    <div class="note bad">
      <p>
        <strong>{found.charAt(0).toUpperCase() + found.slice(1)}</strong>
      </p>
      <p>
        <Coded text={mend} />
      </p>
    </div>
  )
}

async function hasContacts(database: Database): Promise<boolean> {
  return (await rows(database, sql`SELECT contact_id FROM contacts LIMIT 1`)).length > 0
}

/** Lines that stand before the figures of one campaign; who has more of them unfolds the rest. */
const BUSIEST = 12

/** All campaigns, each a way to its own Monday, which follows beneath. */
function CampaignLines(props: {
  visit: Visit
  lines: readonly CampaignLine[]
  note: string | undefined
  titles: ReadonlyMap<string, string>
  here: string
}) {
  const { visit, lines, note, titles, here } = props
  const table = campaignsTable(lines, titles, styleOf(visit))
  const part = (rows: typeof table.rows) => (
    <Table
      label={table.title}
      columns={table.columns.map(({ title, align }) => ({ title, num: align === 'right' }))}
      rows={rows.map(([name, ...figures]) => [
        <a
          href={`/?campaign=${encodeURIComponent(name?.value ?? '')}`}
          aria-current={name?.value === here ? 'page' : undefined}
        >
          {name?.text}
        </a>,
        ...figures.map(({ text }) => text),
      ])}
    />
  )
  const rest = table.rows.slice(BUSIEST)
  return (
    <>
      <nav class="card" aria-label={table.title}>
        <h2>{table.title}</h2>
        {part(rest.length > 1 ? table.rows.slice(0, BUSIEST) : table.rows)}
        {rest.length > 1 ? (
          <details open={rest.some(([name]) => name?.value === here)}>
            <summary>{visit.say(`${rest.length} more campaigns`, `另外 ${rest.length} 个活动`)}</summary>
            {part(rest)}
          </details>
        ) : null}
        {note === undefined ? null : (
          <p class="soft">
            <small>{note}</small>
          </p>
        )}
      </nav>
      <h2>{titles.get(here)}</h2>
    </>
  )
}

/**
 * What all campaigns brought together, or what is missing to say so: above everything a single one claims.
 * @param props.beside the note that stands with the campaigns' lines
 */
function Programme(props: { visit: Visit; sheet: Sheet; beside: string | undefined }) {
  const { sheet, beside } = props
  const { say } = props.visit
  // The lines of the campaigns stand beside it, as the ways to their own Mondays.
  const tables = sheet.tables.filter(({ id, rows }) => rows.length > 0 && id !== 'campaigns')
  return (
    <section class="card" id="programme" aria-labelledby="programme-title">
      <h2 id="programme-title">{sheet.title}</h2>
      {sheet.sentences.map(({ text, tone }) => (
        <p class={tone}>
          <Coded text={text} />
        </p>
      ))}
      {tables.length === 0 ? null : (
        <details>
          <summary>{say('The figures', '具体数字')}</summary>
          {sheet.about.map((line) => (
            <p class="soft about">{line}</p>
          ))}
          {tables.map((table) => (
            <Table
              label={table.title}
              columns={table.columns.map(({ title, align }) => ({ title, num: align === 'right' }))}
              rows={table.rows.map((row) => row.map(({ text }) => text))}
            />
          ))}
          {sheet.notes
            .filter((note) => note !== beside)
            .map((note) => (
              <p class="soft">
                <small>{note}</small>
              </p>
            ))}
          <p>
            <a href="/programme.csv">CSV</a>
          </p>
        </details>
      )}
    </section>
  )
}

/** There are no figures at all yet, which nobody should take for an answer. */
function BeingCounted({ visit: { say } }: { visit: Visit }) {
  return (
    <p class="note" role="status">
      {say(
        'The figures are being counted for the first time. Load the page again in a minute.',
        '正在首次统计，请稍后刷新页面。',
      )}
    </p>
  )
}

function styleOf({ runtime: { workspace }, language }: Visit): TextStyle {
  return { ...styleOfWorkspace(workspace), locale: language, color: false, width: 100 }
}

function Tabs(props: {
  visit: Visit
  tabs: readonly (readonly [to: string, words: string, here: boolean])[]
}) {
  return (
    <nav class="tabs" aria-label={props.visit.say('Reports', '报告')}>
      {props.tabs.map(([to, words, here]) => (
        <a href={to} aria-current={here ? 'page' : undefined}>
          {words}
        </a>
      ))}
    </nav>
  )
}
