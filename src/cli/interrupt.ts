import type { Language } from '../reports/words.ts'
import { EXIT } from './failure.ts'

/**
 * Ctrl-C, SIGTERM and a terminal that is closed: the first asks the command to close in order, the second ends the process at
 * once (what was under way is picked up by the next start: the database is told nothing it did not commit).
 */
export function listenForInterrupts(language: Language, say: (text: string) => void): AbortSignal {
  const controller = new AbortController()
  const interrupted = (signal: NodeJS.Signals) => {
    if (controller.signal.aborted) {
      // Of a terminal that is closed, its shell tells as well as the system: that asks for no hurry.
      if (signal === 'SIGHUP') return
      process.exit(EXIT.interrupted)
    }
    controller.abort(signal)
    say(language === 'en' ? 'Stopping. Once more to stop at once.' : '正在停止。再按一次 Ctrl-C 立即退出。')
  }
  process.on('SIGINT', interrupted)
  process.on('SIGTERM', interrupted)
  process.on('SIGHUP', interrupted)
  return controller.signal
}

/** Resolves once the signal has come. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
