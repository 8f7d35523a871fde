import type { Chart } from '../charts/chart.ts'
import { plotOption } from '../charts/plot.ts'
import { renderPng } from '../charts/png.ts'
import { drawSvg } from '../charts/svg.ts'
import type { TextStyle } from './report.ts'
import { formatSheet, type Sheet, type SheetTable, type Tone } from './sheet.ts'
import { languageOf } from './words.ts'

// Sheets as a mail: what a manager reads on a phone on Monday morning. Charts come along as pictures, for mail programs
// draw nothing and fetch nothing.

export interface DigestMail {
  readonly subject: string
  readonly html: string
  readonly text: string
  readonly images: readonly { readonly cid: string; readonly content: Buffer }[]
}

/** Pixels; twice as many in the picture, so that it is sharp on a phone, which makes it a third smaller: letters stay readable. */
const CHART = { width: 480, height: 300 }

/** A chart as a PNG. */
export async function chartPng(chart: Chart, locale: string): Promise<Buffer> {
  return await renderPng(drawSvg(plotOption(chart, locale, CHART.width), CHART))
}

/**
 * @param workspace whose digest it is, for the subject
 * @param told whose first sentence is the subject
 * @param named with its title: of several sheets, nobody would know which says so
 */
export async function composeDigest(
  workspace: string,
  sheets: readonly Sheet[],
  { told, named }: { readonly told: Sheet; readonly named: boolean },
  style: TextStyle,
): Promise<DigestMail> {
  const en = languageOf(style.locale) === 'en'
  const said = told.sentences[0]?.text ?? (en ? 'the week' : '本周')
  const subject = [workspace, ...(named ? [told.title] : []), said].join(en ? ': ' : '：')
  const shown: { cid: string; chart: Chart }[] = []
  const body = sheets.map((sheet, at) => {
    const charts = sheet.charts.map((chart) => {
      const cid = `chart-${at}-${chart.id}`
      shown.push({ cid, chart })
      return `<p style="margin:16px 0"><img src="cid:${cid}" width="${CHART.width}" alt="${inHtml(chart.title)}" style="max-width:100%;height:auto;border:0"></p>`
    })
    return [
      `<h1 style="font-size:20px;margin:24px 0 4px">${inHtml(sheet.title)}</h1>`,
      ...sheet.about.map((line) => `<p style="${FAINT}">${inHtml(line)}</p>`),
      ...sheet.sentences.map(
        ({ text, tone }) =>
          `<p style="font-size:16px;margin:12px 0;color:${COLOURS[tone]}">${coded(text)}</p>`,
      ),
      ...charts,
      ...sheet.tables.filter((table) => table.rows.length > 0).map(tableHtml),
      ...sheet.notes.map((note) => `<p style="${FAINT}">${coded(note)}</p>`),
    ].join('\n')
  })
  return {
    subject,
    html: `<!doctype html><html lang="${inHtml(style.locale)}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${inHtml(subject)}</title></head>
<body style="margin:0;padding:0 16px 32px;font-family:system-ui,-apple-system,'Segoe UI','PingFang SC','Microsoft YaHei',sans-serif;color:#1f2933;background:#ffffff">
<div style="max-width:640px;margin:0 auto">
${body.join('\n<hr style="border:0;border-top:1px solid #e5e7eb;margin:32px 0">\n')}
</div></body></html>`,
    text: sheets.map((sheet) => formatSheet(sheet, { ...style, color: false, width: 76 })).join('\n\n'),
    images: await Promise.all(
      shown.map(async ({ cid, chart }) => ({ cid, content: await chartPng(chart, style.locale) })),
    ),
  }
}

const FAINT = 'font-size:13px;color:#6b7280;margin:4px 0'
const COLOURS: Readonly<Record<Tone, string>> = {
  plain: '#1f2933',
  good: '#0b6e75',
  bad: '#a3195b',
  faint: '#6b7280',
}

function tableHtml(table: SheetTable): string {
  // Chinese breaks after any letter: a column that has no width would be one letter wide on a phone.
  const width = (tag: 'th' | 'td', align: 'left' | 'right') =>
    align === 'left' ? 'min-width:4.6em;' : tag === 'td' ? 'white-space:nowrap;' : 'min-width:2.2em;'
  const cell = (tag: 'th' | 'td', at: number, text: string) =>
    `<${tag} style="${width(tag, table.columns[at]?.align ?? 'left')}text-align:${table.columns[at]?.align ?? 'left'};padding:4px 5px 4px 0;border-bottom:1px solid #e5e7eb;${tag === 'th' ? 'font-weight:500;font-size:12px;color:#6b7280' : ''}">${inHtml(text)}</${tag}>`
  const head = table.columns.map(({ title }, at) => cell('th', at, title)).join('')
  const rows = table.rows.map((row) => `<tr>${row.map(({ text }, at) => cell('td', at, text)).join('')}</tr>`)
  return `<h2 style="font-size:15px;font-weight:600;margin:24px 0 6px">${inHtml(table.title)}</h2>
<div style="overflow-x:auto"><table role="table" style="border-collapse:collapse;font-size:13px"><thead><tr>${head}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`
}

/** Text in which what is typed stands between backticks. */
function coded(text: string): string {
  return text
    .split('`')
    .map((part, at) => (at % 2 === 1 ? `<code>${inHtml(part)}</code>` : inHtml(part)))
    .join('')
}

function inHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
