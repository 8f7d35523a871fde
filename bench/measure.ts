import type { Arena } from './arena.ts'

// What a measurement is given and what it finds. Figures are medians over the repetitions; a ratio is the median of
// the ratios of neighbours, subject and floor one after the other, so that what else the machine does meanwhile
// meets both.

export interface Bench {
  readonly arena: Arena
  readonly quick: boolean
  /** Repetitions of subject and floor. */
  readonly rounds: number
  /** How large the history is that reports are read from. */
  readonly messages: number
  /** How much is ingested, where it is not the usual. */
  readonly load?: { readonly events: number; readonly contacts: number } | undefined
  /** Directory for CPU profiles of the measured processes. */
  readonly profile: string | undefined
  log(text: string): void
}

export interface Finding {
  readonly name: string
  /** What one figure says: `messages/s`, `s`, `MiB`. */
  readonly unit: string
  readonly subject: number
  readonly floor: number
  /** In the direction of the target: above is better for `at least`, below for `at most`. */
  readonly ratio: number
  readonly target: {
    readonly kind: 'at least' | 'at most'
    readonly ratio: number
    readonly absolute?: number
  }
  readonly met: boolean
  /** Each repetition, in order. */
  readonly rounds: readonly { readonly subject: number; readonly floor: number }[]
  readonly note?: string
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const [low = 0, high = low] = sorted.slice(Math.ceil(middle) - 1, Math.floor(middle) + 1)
  return (low + high) / 2
}

/** 95 in a hundred are no slower: of twenty, the nineteenth. */
export function percentile95(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b).at(Math.ceil(values.length * 0.95) - 1) ?? 0
}

/** A floor that stands beside several subjects: measured anew for each, but once with `--quick`, which measures nothing. */
export function sharedFloor(bench: Bench, measure: () => Promise<number>): () => Promise<number> {
  let once: Promise<number> | undefined
  return () => {
    if (!bench.quick) return measure()
    once ??= measure()
    return once
  }
}

/** Puts the repetitions of one measurement together and holds them against the target. */
export function conclude(
  measured: Pick<Finding, 'name' | 'unit' | 'target' | 'rounds'> & { note?: string },
): Finding {
  const { rounds, target } = measured
  const subject = median(rounds.map((round) => round.subject))
  const floor = median(rounds.map((round) => round.floor))
  const ratio = median(rounds.map((round) => round.subject / round.floor))
  const met =
    target.kind === 'at least'
      ? ratio >= target.ratio && subject >= (target.absolute ?? 0)
      : ratio <= target.ratio
  return { ...measured, subject, floor, ratio, met }
}
