import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { CHART_FONT } from './svg.ts'

// src/charts and dist/charts are both two steps below the package.
const FONT = fileURLToPath(new URL('../../templates/fonts/NotoSansCJKsc-subset.otf', import.meta.url))

const require = createRequire(import.meta.url)
let loaded: typeof import('@resvg/resvg-js') | undefined

/**
 * Makes a picture of an SVG document, for readers that show no SVG: mail programs above all. Drawn with the font that
 * ships, never with the machine's.
 * @param scale pixels of the picture for each of the document: 2 is sharp on a phone
 * @returns a PNG file
 */
export function renderPng(svg: string, scale = 2): Buffer {
  loaded ??= require('@resvg/resvg-js') as typeof import('@resvg/resvg-js')
  const picture = new loaded.Resvg(svg, {
    font: { fontFiles: [FONT], loadSystemFonts: false, defaultFontFamily: CHART_FONT },
    fitTo: { mode: 'zoom', value: scale },
  }).render()
  return picture.asPng()
}
