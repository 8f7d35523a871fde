import { raw } from 'hono/html'
import type { Chart } from '../../charts/chart.ts'
import { plotOption } from '../../charts/plot.ts'
import { drawSvg } from '../../charts/svg.ts'
import type { Sheet } from '../../reports/sheet.ts'
import { Table } from './parts.tsx'
import type { Visit } from './visit.ts'

/** Pixels of a chart as it is drawn; a page makes it as narrow as it must. */
const SIZE = { width: 760, height: 320 }

/** A report as a page: the same sheet that terminal, CSV and mail are written from. */
export function SheetView({ visit, sheet }: { visit: Visit; sheet: Sheet }) {
  const [first, ...rest] = sheet.sentences
  return (
    <>
      <p class="soft">{sheet.about.join(' · ')}</p>
      {first === undefined ? null : <p class={`lead ${first.tone}`}>{first.text}</p>}
      {rest.map(({ text, tone }) => (
        <p class={tone === 'faint' ? 'soft' : tone}>{text}</p>
      ))}
      {sheet.charts.map((chart) => (
        <ChartView chart={chart} language={visit.language} />
      ))}
      {sheet.tables.map((table) => (
        <div class="card" id={table.id}>
          <h2>{table.title}</h2>
          {table.rows.length === 0 ? (
            <p class="soft">{table.empty}</p>
          ) : (
            <Table
              label={table.title}
              columns={table.columns.map(({ title, align }) => ({ title, num: align === 'right' }))}
              rows={table.rows.map((row) => row.map(({ text }) => text))}
            />
          )}
        </div>
      ))}
      {sheet.notes.map((note) => (
        <p class="soft">
          <small>{note}</small>
        </p>
      ))}
    </>
  )
}

function ChartView({ chart, language }: { chart: Chart; language: string }) {
  // Drawn by us from numbers and escaped texts: the one place where markup is put in as it is.
  const svg = withoutStyles(drawSvg(plotOption(chart, language), SIZE)).replace(
    '<svg ',
    '<svg role="presentation" focusable="false" ',
  )
  return (
    <figure class="chart" role="img" aria-label={chart.title}>
      {raw(svg)}
    </figure>
  )
}

/** Styles as the attributes SVG has for them: a style attribute is what the policy refuses. */
function withoutStyles(svg: string): string {
  return svg.replace(/ style="([^"]*)"/g, (_all, style: string) =>
    [...style.matchAll(/([a-z-]+)\s*:\s*([^;]+)/g)]
      .map(([, name, value]) => ` ${name}="${value?.trim()}"`)
      .join(''),
  )
}
