import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { crc32, deflateSync } from 'node:zlib'
import { CHART_FONT } from './svg.ts'

// src/charts and dist/charts are both two steps below the package.
const font = (name: string) => fileURLToPath(new URL(`../../templates/fonts/${name}.otf`, import.meta.url))
const FONT = font('NotoSansCJKsc-subset')
/** A thirtieth of it, with the {@link FIGURES}: the renderer reads the whole file for each picture, a third of its time. */
const FIGURES_FONT = font('NotoSansCJKsc-figures')
/** What the axes and figures of a chart are written with. */
const FIGURES =
  /^[\n\t\x20-\x7e\u00a0-\u00ff\u2010-\u2014‘’“”•…‰€−一二三四五六七八九十单万亿元人次天日周月季年度时分星期第、。，：；（）％￥]*$/u

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
    font: {
      fontFiles: [FIGURES.test(svg) ? FIGURES_FONT : FONT],
      loadSystemFonts: false,
      defaultFontFamily: CHART_FONT,
    },
    fitTo: { mode: 'zoom', value: scale },
  }).render()
  return encodePng(picture.width, picture.height, picture.pixels)
}

/** Enough for bars on a plain ground; the renderer's own encoder takes four times as long for half the bytes. */
const LEVEL = 1
const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

/**
 * RGBA pixels as a PNG file (ISO/IEC 15948): eight bits a channel, no filter, one IDAT. A letter carries a picture of
 * its own for each reader, and with the renderer's encoder the picture was most of what a letter cost.
 * @param pixels row by row, four bytes each, with the colours multiplied by alpha as the renderer leaves them
 */
export function encodePng(width: number, height: number, pixels: Uint8Array): Buffer {
  const line = width * 4
  const rows = Buffer.alloc((line + 1) * height)
  for (let y = 0; y < height; y += 1) rows.set(pixels.subarray(y * line, (y + 1) * line), y * (line + 1) + 1)
  for (let y = 0; y < height; y += 1) divideByAlpha(rows, y * (line + 1) + 1, line)
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  // Eight bits a channel; colour with alpha.
  head.set([8, 6, 0, 0, 0], 8)
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(rows, { level: LEVEL })),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function divideByAlpha(rows: Buffer, from: number, length: number): void {
  for (let at = from; at < from + length; at += 4) {
    const alpha = rows[at + 3] ?? 0
    if (alpha === 0 || alpha === 255) continue
    for (let channel = at; channel < at + 3; channel += 1) {
      rows[channel] = Math.min(255, Math.round(((rows[channel] ?? 0) * 255) / alpha))
    }
  }
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const whole = Buffer.alloc(body.length + 8)
  whole.writeUInt32BE(data.length, 0)
  whole.set(body, 4)
  whole.writeUInt32BE(crc32(body), body.length + 4)
  return whole
}
