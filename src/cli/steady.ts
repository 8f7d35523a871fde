import type { Progress } from './progress.ts'

/** Milliseconds between two looks at a clock while one long query runs. */
const TICK = 250

/** Progress through work whose single steps may take long: what is under way is shown while nothing new is known. */
export interface Steady {
  update(done: number, total: number | undefined, detail: string): void
  finish(): void
}

/** Repeats what was last said, so that a bar appears in the middle of a query and not only after it. */
export function steady(progress: Progress): Steady {
  let last: Parameters<Steady['update']> | undefined
  const timer = setInterval(() => {
    if (last) progress.update(...last)
  }, TICK)
  return {
    update: (...now) => {
      last = now
      progress.update(...now)
    },
    finish: () => {
      clearInterval(timer)
      progress.finish()
    },
  }
}
