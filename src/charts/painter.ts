import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { encodePng } from './png-file.ts'
import { CHART_FONT, FIGURES } from './svg.ts'

// What the threads of png.ts run: one drawing after another, start to end, so that the thread that sends mail spends
// nothing on pictures and their memory never leaves the thread that drew them.

// src/charts and dist/charts are both two steps below the package.
const font = (name: string) => fileURLToPath(new URL(`../../templates/fonts/${name}.otf`, import.meta.url))
const FONT = font('NotoSansCJKsc-subset')
/** A thirtieth of it, with the {@link FIGURES}: the renderer reads the whole file for each picture, a third of its time. */
const FIGURES_FONT = font('NotoSansCJKsc-figures')

const { Resvg } = createRequire(import.meta.url)('@resvg/resvg-js') as typeof import('@resvg/resvg-js')

/** An SVG document to be drawn, and the picture's pixels for each of its own. */
export interface Drawing {
  readonly svg: string
  readonly scale: number
}

/** Draws with the font that ships, never with the machine's. @returns a PNG file */
export default function paint({ svg, scale }: Drawing): Uint8Array {
  const picture = new Resvg(svg, {
    font: {
      fontFiles: [FIGURES.test(svg) ? FIGURES_FONT : FONT],
      loadSystemFonts: false,
      defaultFontFamily: CHART_FONT,
    },
    fitTo: { mode: 'zoom', value: scale },
  }).render()
  return encodePng(picture.width, picture.height, picture.pixels)
}
