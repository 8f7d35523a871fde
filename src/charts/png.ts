import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Piscina } from 'piscina'
import type { Drawing } from './painter.ts'

/** What is built, for a thread reads no TypeScript: beside this file, or where this is not built itself, in dist. */
const PAINTER = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../dist/charts/painter.js' : 'painter.js', import.meta.url),
)
/** Milliseconds after which a thread without work ends. */
const IDLE = 10_000

type Painters = Piscina<Drawing, Uint8Array>
let painters: Promise<Painters> | undefined

/**
 * Makes a picture of an SVG document, for readers that show no SVG: mail programs above all. Drawn with the font that
 * ships, and on other threads, at most as many as there are processors: they begin with the first picture, end when there
 * are none, and keep no process alive.
 * @param scale pixels of the picture for each of the document: 2 is sharp on a phone
 * @returns a PNG file
 */
export async function renderPng(svg: string, scale = 2): Promise<Buffer> {
  painters ??= openPainters().catch((error: unknown) => {
    // What kept them from being read may be over by the next picture.
    painters = undefined
    throw error
  })
  const png = await (await painters).run({ svg, scale })
  return Buffer.from(png.buffer, png.byteOffset, png.byteLength)
}

/** Read at the first picture: no verb that draws nothing should wait for it. */
async function openPainters(): Promise<Painters> {
  const { Piscina } = await import('piscina')
  return new Piscina({
    filename: PAINTER,
    minThreads: 0,
    maxThreads: availableParallelism(),
    idleTimeout: IDLE,
    // A thread that waits on an atomic never lets go of the pictures it is done with.
    atomics: 'disabled',
  })
}
