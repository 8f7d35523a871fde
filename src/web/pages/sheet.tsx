import { raw } from 'hono/html'
import type { Chart } from '../../charts/chart.ts'
import { chartText } from '../../charts/chart-text.ts'
import { plotOption } from '../../charts/plot.ts'
import { type ChartSize, drawSvg } from '../../charts/svg.ts'
import type { Sheet } from '../../reports/sheet.ts'
import { heldTogether } from './amounts.ts'
import { Coded, headed, Table } from './parts.tsx'
import type { Visit } from './visit.ts'

/** Pixels of a chart as it is drawn; a page makes it as narrow as it must. */
const WIDE: ChartSize = { width: 880, height: 300 }
const NARROW: ChartSize = { width: 340, height: 270 }

/** A report as a page: the same sheet that terminal, CSV and mail are written from. */
export function SheetView({ visit, sheet }: { visit: Visit; sheet: Sheet }) {
  const [first, ...rest] = sheet.sentences
  return (
    <>
      <p class="soft about">
        {/* A moment is not torn apart where the line ends. */}
        {sheet.about
          .flatMap((line) => line.split(' · '))
          .map((each, at, all) => (
            <>
              {at === 0 ? '' : ' '}
              <span>{at === all.length - 1 ? each : `${each} ·`}</span>
            </>
          ))}
      </p>
      {sheet.figures === undefined ? null : <Figures {...sheet.figures} />}
      {first === undefined ? null : (
        <p class={`lead ${first.tone}`}>
          <Coded text={heldTogether(first.text)} />
        </p>
      )}
      {rest.map(({ text, tone }) => (
        <p class={tone === 'faint' ? 'soft' : tone}>
          <Coded text={heldTogether(text)} />
        </p>
      ))}
      {sheet.charts.map((chart) => (
        <ChartView chart={chart} language={visit.language} />
      ))}
      {sheet.tables.map((table) => (
        <div class="card" id={table.id}>
          <h2>{table.title}</h2>
          {table.rows.length === 0 ? (
            <p class="soft">
              <Coded text={table.empty} />
            </p>
          ) : (
            <Table
              label={table.title}
              columns={table.columns.map(({ title, align }) => ({ title, num: align === 'right' }))}
              rows={table.rows.map((row) => row.map(({ text }) => heldTogether(text)))}
            />
          )}
        </div>
      ))}
      {sheet.notes.map((note) => (
        <p class="soft">
          <small>
            <Coded text={note} />
          </small>
        </p>
      ))}
    </>
  )
}

/** What is read from afar; the sentences beneath say the same. */
function Figures({ title, figures }: NonNullable<Sheet['figures']>) {
  return (
    <section class="card">
      <h2>{title}</h2>
      <dl class="figures">
        {figures.map(({ name, text, tone, beside }) => (
          <div>
            <dt>{headed(name)}</dt>
            <dd class={tone}>
              {heldTogether(text)}
              {beside === undefined ? null : <small class="soft">{beside}</small>}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  )
}

/** A chart as a picture inside the page: one as wide as a desk shows it, one for a phone, whose letters stay readable. */
export function ChartView({ chart, language }: { chart: Chart; language: string }) {
  // On the page's own ground, light or dark.
  const optionIn = (width: number) => ({
    ...plotOption({ ...chart, title: '' }, language, width),
    backgroundColor: 'transparent',
  })
  // Drawn by us from numbers and escaped texts: the one place where markup is put in as it is.
  const draw = (size: ChartSize, name: string) =>
    raw(
      withoutStyles(drawSvg(optionIn(size.width), size))
        // Two pictures of a page may not share what they name: a hidden one's clip would clip nothing.
        .replaceAll('zr-', `${chart.id}-${name}-`)
        .replace('<svg ', `<svg class="${name}" role="presentation" focusable="false" `),
    )
  return (
    <figure class="chart" role="img" aria-label={chartText(chart, language)}>
      <figcaption>{chart.title}</figcaption>
      {draw(WIDE, 'wide-chart')}
      {draw(NARROW, 'narrow-chart')}
    </figure>
  )
}

/** Styles as the attributes SVG has for them: a style attribute is what the policy refuses. */
function withoutStyles(svg: string): string {
  return svg.replace(/ style="([^"]*)"/g, (_all, style: string) =>
    [...style.matchAll(/([a-z-]+)\s*:\s*([^;]+)/g)]
      .flatMap(([, name = '', value = '']) => attributesOf(name, value.trim()))
      .map(([name, value]) => ` ${name}="${value}"`)
      .join(''),
  )
}

/** `font: normal 12px Some Sans` is no attribute, but its two halves are. */
function attributesOf(name: string, value: string): [string, string][] {
  const [, size, family] = (name === 'font' && /^.*?(\d+px) (.*)$/.exec(value)) || []
  return size && family
    ? [
        ['font-size', size],
        ['font-family', family],
      ]
    : [[name, value]]
}
