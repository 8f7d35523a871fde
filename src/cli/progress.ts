import { createRequire } from 'node:module'
import type { SingleBar } from 'cli-progress'
import type { Language } from '../reports/words.ts'
import type { Stream } from './output.ts'

/** What is under way. Both may be called at any rate. */
export interface Progress {
  /** `total` may become known, or change, on the way. `detail` in a few words: "12,000 rows". */
  update(done: number, total?: number | undefined, detail?: string): void
  finish(): void
}

export interface ProgressOptions {
  total?: number | undefined
  language?: Language
  /** Says nothing at all. */
  silent?: boolean
  /** Milliseconds, monotonic. */
  clock?: () => number
}

// What ends within a second needs no bar; a log file wants a line now and then, not a bar redrawn.
const QUIET_MS = 1000
const LINE_EVERY_MS = 10_000

// Read where a bar is drawn.
const require = createRequire(import.meta.url)

/** A bar on a terminal, a line every ten seconds elsewhere; neither before a second has passed. */
export function startProgress(stream: Stream, title: string, options: ProgressOptions): Progress {
  if (options.silent) return { update: () => {}, finish: () => {} }
  const { total = 0, clock = () => performance.now(), language = 'en' } = options
  const drawing = { stream, title, expected: total, clock, language }
  return stream.isTTY ? bar(drawing) : lines(drawing)
}

interface Drawing {
  readonly stream: Stream
  readonly title: string
  /** The total, as far as it is known before. */
  readonly expected: number
  readonly clock: () => number
  readonly language: Language
}

function bar({ stream, title, expected, clock, language }: Drawing): Progress {
  const started = clock()
  let drawn: SingleBar | undefined
  let total = expected
  const draw = () => {
    const { SingleBar } = require('cli-progress') as typeof import('cli-progress')
    const bar = new SingleBar({
      format: (_options, params, payload) => {
        const detail = String(payload.detail)
        return params.total > 0
          ? drawBar(title, params.progress, params.eta, detail, language)
          : `${title}  ${detail}`
      },
      stream: stream as NodeJS.WritableStream,
      clearOnComplete: true,
      hideCursor: true,
      // The command has its own SIGINT handling; finish() restores the cursor.
      gracefulExit: false,
    })
    bar.start(total, 0, { detail: '' })
    return bar
  }
  return {
    update: (done, newTotal, detail = '') => {
      total = newTotal ?? total
      if (!drawn && clock() - started < QUIET_MS) return
      drawn ??= draw()
      if (drawn.getTotal() !== total) drawn.setTotal(total)
      drawn.update(done, { detail })
    },
    finish: () => drawn?.stop(),
  }
}

/** `Importing contacts ━━━━━━━━────────  42 %  12,000 rows, 8 s left` */
export function drawBar(
  title: string,
  fraction: number,
  etaSeconds: number,
  detail: string,
  language: Language = 'en',
): string {
  const en = language === 'en'
  const width = 28
  const done = Math.round(Math.min(Math.max(fraction, 0), 1) * width)
  const seconds = Number.isFinite(etaSeconds) && etaSeconds > 0 ? Math.ceil(etaSeconds) : undefined
  const left = seconds === undefined ? '' : en ? `${seconds} s left` : `剩余 ${seconds} 秒`
  const remarks = [detail, left].filter((text) => text !== '').join(en ? ', ' : '，')
  const percent = `${Math.floor(fraction * 100)}`.padStart(3)
  return `${title} ${'━'.repeat(done)}${'─'.repeat(width - done)} ${percent}${en ? ' %' : '%'}  ${remarks}`
}

function lines({ stream, title, expected, clock, language }: Drawing): Progress {
  const en = language === 'en'
  let last = clock()
  let total = expected
  return {
    update: (done, newTotal, detail = '') => {
      total = newTotal ?? total
      if (clock() - last < LINE_EVERY_MS) return
      last = clock()
      const share = total > 0 ? `${Math.floor((done / total) * 100)}${en ? ' %' : '%'}` : ''
      const said = [share, detail].filter((text) => text !== '').join(en ? ', ' : '，')
      stream.write(`${title}${en ? ': ' : '：'}${said}\n`)
    },
    finish: () => {},
  }
}
