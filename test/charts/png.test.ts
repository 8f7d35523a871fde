import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import { renderPng } from '../../src/charts/png.ts'
import { encodePng } from '../../src/charts/png-file.ts'
import { drawSvg } from '../../src/charts/svg.ts'

const months = ['1月', '2月', '3月']
const option = (data: number[], names = months) => ({
  xAxis: { type: 'category' as const, data: names },
  yAxis: { type: 'value' as const },
  series: [{ type: 'bar' as const, data }],
})
const size = { width: 300, height: 120 }

describe('a chart as a picture', () => {
  it('is the same each time it is drawn', () => {
    expect(drawSvg(option([1, 2, 3]), size)).toBe(drawSvg(option([1, 2, 3]), size))
    expect(drawSvg(option([1, 2, 3]), size)).not.toBe(drawSvg(option([1, 2, 4]), size))
  })

  it('is a PNG, as many pixels wide as the scale says', async () => {
    const png = await renderPng(drawSvg(option([1, 2, 3]), size), 2)
    expect(png.subarray(0, 8)).toEqual(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]))
    expect(png.readUInt32BE(16)).toBe(600)
    expect(png.readUInt32BE(20)).toBe(240)
  })

  it('is drawn whatever a label holds: what no document may hold is shown as a mark', async () => {
    for (const odd of ['\u0007', '\u001B', '\u0000', '\uD83D', '\uFFFE', '\u202E', '👩‍👩‍👧']) {
      const png = await renderPng(drawSvg(option([1, 2, 3], [`a${odd}b`, '2', '3']), size))
      expect(png.readUInt32BE(16)).toBe(600)
    }
  })

  it('says the same as the renderer’s own encoder, with few colours and with many', async () => {
    const { Resvg } = createRequire(import.meta.url)('@resvg/resvg-js') as typeof import('@resvg/resvg-js')
    // Laid under another picture, a browser or this renderer reads it back: what comes out must be equal.
    const readBack = (png: Buffer) => {
      const image = `data:image/png;base64,${png.toString('base64')}`
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40"><image href="${image}" width="60" height="40"/></svg>`
      return Buffer.from(new Resvg(svg, { font: { loadSystemFonts: false } }).render().pixels)
    }
    const circle = '<circle cx="30" cy="20" r="15" fill="#c4532d" fill-opacity=".6"/>'
    const fade =
      '<defs><linearGradient id="g" x2="1" y2="1"><stop stop-color="#c4532d"/><stop offset="1" stop-color="#14f" stop-opacity=".2"/></linearGradient></defs><path d="M0 0h60v30L0 40z" fill="url(#g)"/>'
    for (const [drawing, kind] of [
      [circle, 3],
      [`${fade}${circle}`, 6],
    ] as const) {
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40">${drawing}</svg>`
      const rendered = new Resvg(svg, { font: { loadSystemFonts: false } }).render()
      const png = encodePng(60, 40, rendered.pixels)
      // By a palette where the colours fit into one.
      expect(png[25]).toBe(kind)
      const [ours, theirs] = [png, rendered.asPng()].map(readBack)
      const furthest = Math.max(
        ...[...(ours ?? [])].map((value, at) => Math.abs(value - (theirs?.[at] ?? -1))),
      )
      expect(ours?.length).toBe(60 * 40 * 4)
      expect(furthest).toBeLessThanOrEqual(1)
    }
  })

  it('is refused where there is nothing to draw, and the next one is drawn', async () => {
    await expect(renderPng('<svg')).rejects.toThrow(/SVG/)
    expect((await renderPng(drawSvg(option([1]), size))).length).toBeGreaterThan(500)
  })

  it('has glyphs for Chinese: other words make another picture', async () => {
    const picture = async (word: string) =>
      (await renderPng(drawSvg(option([1], [word]), size))).toString('base64')
    const orders = await picture('订单')
    expect(orders).not.toBe(await picture('消费'))
    expect(orders).not.toBe(await picture('  '))
  })
})
