import { createRequire } from 'node:module'
import type { EChartsOption } from 'echarts'

export type ChartOption = EChartsOption

/** Pixels of the picture before {@link renderPng} makes it sharper. */
export interface ChartSize {
  readonly width: number
  readonly height: number
}

/** The family name of the font beside the templates: see templates/fonts. */
export const CHART_FONT = 'Noto Sans CJK SC'
/** What the axes and figures of a chart are written with, in English, Chinese and the languages of Western Europe. */
export const FIGURES =
  /^[\n\t\x20-\x7e\u00a0-\u00ff\u2010-\u2014‘’“”•…‰€−一二三四五六七八九十单万亿元人次天日周月季年度时分星期第、。，：；（）％￥]*$/u

// Loaded at the first chart: it takes a tenth of a second, which no verb that draws nothing should wait for.
const require = createRequire(import.meta.url)

/** What no XML may hold (1.0, 2.2), wherever a label has it from: whoever draws the document would refuse all of it. */
const NO_XML = /[^\t\n\r -\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu

/**
 * Draws a chart without a browser. The same option gives the same picture: animation is off, and what ECharts
 * adds for a pointer (styles by running number, marks of series) is taken out, which a strict CSP would refuse besides.
 * @returns an SVG document
 */
export function drawSvg(option: ChartOption, size: ChartSize): string {
  const { init } = require('echarts') as typeof import('echarts')
  const chart = init(null, null, { renderer: 'svg', ssr: true, ...size })
  try {
    chart.setOption({ textStyle: { fontFamily: CHART_FONT }, ...option, animation: false })
    return chart
      .renderToSVGString()
      .replace(/<style[\s\S]*?<\/style>/g, '')
      .replace(/ (?:class="zr\d+-[^"]*"|ecmeta_\w+="[^"]*")/g, '')
      .replace(/\bzr\d+-/g, 'zr-')
      .replace(NO_XML, '\uFFFD')
  } finally {
    chart.dispose()
  }
}
