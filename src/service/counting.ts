import { readFreshness } from '../reports/freshness.ts'
import { atMost } from '../touchpoints/queue/farewell.ts'
import { refreshReports } from './reporting.ts'
import type { Runtime } from './runtime.ts'

// Where nothing counts by itself (`winback web` alone), whoever looks at a report has it counted.

/** Figures older than this are counted again; a scheduler does so more often. Milliseconds. */
const STALE = 10 * 60_000
/** What a page waits for a campaign's first figures. Milliseconds. */
const PATIENCE = 3_000

/** Counts figures as they are looked at. */
export interface Counting {
  /**
   * Sees to it that a campaign's figures are of these ten minutes. The very first are waited for a little; later ones
   * are counted beside, and stand on the next page that is opened.
   * @returns true where there are no figures yet, for they are being counted
   */
  freshen(campaign: string): Promise<boolean>
}

/** @param onError hears why figures could not be counted: the page shows those there are */
export function openCounting(
  runtime: Pick<Runtime, 'database' | 'workspace' | 'book' | 'clock'>,
  onError: (error: unknown) => void,
): Counting {
  let running: Promise<void> | undefined
  // Nothing to count leaves no trace in the tables; without this, each page would look for it again.
  let tried = Number.NEGATIVE_INFINITY
  let failed = Number.NEGATIVE_INFINITY
  const count = () => {
    tried = runtime.clock.now().getTime()
    running ??= refreshReports(runtime)
      .then(
        () => undefined,
        (error: unknown) => {
          failed = tried
          onError(error)
        },
      )
      .finally(() => {
        running = undefined
      })
    return running
  }
  return {
    freshen: async (campaign) => {
      const now = runtime.clock.now().getTime()
      const { countedAt, stale } = await readFreshness(runtime.database, { campaign })
      // Whom its first run took in does not wait for who looked a moment before it: to them, nobody would have been.
      const first = countedAt === undefined && stale > 0
      const known = first ? failed : Math.max(tried, countedAt?.getTime() ?? Number.NEGATIVE_INFINITY)
      if (running === undefined && now - known < STALE) return false
      const counting = count()
      return countedAt === undefined ? !(await atMost(PATIENCE, counting)) : false
    },
  }
}
