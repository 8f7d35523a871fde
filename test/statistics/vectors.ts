import { existsSync, readFileSync } from 'node:fs'
import { expect } from 'vitest'

// Reference figures live beside the repository, not in it; without them the tests that need them say so.
const file = new URL('../../../shared/vectors/statistics.json', import.meta.url)

export interface Vectors {
  wilson: { cases: { x: number; n: number; ci: [number, number] }[] }
  risk_difference: {
    cases: { x1: number; n1: number; x2: number; n2: number; newcombe10: [number, number] }[]
  }
  power: {
    cases: { p1: number; p2: number; k: number; power: number; n1_pooled: number; n1_unpooled: number }[]
    mde_cases: { p: number; nT: number; nC: number; mde: number }[]
  }
  srm: {
    cases: { users: number[]; weights: number[]; p: number }[]
    derived_extra: { users: number[]; weights: number[]; p: number }[]
  }
  special_functions: {
    normq: { in: [number]; out: number }[]
    normcdf: { in: [number]; out: number }[]
    chi2sf: { in: [number, number]; out: number }[]
  }
  band_switching_trap: {
    control: { return_3_7: number; return_7_15: number; total: number; still_lapsed: number }
    treated: { return_3_7: number; return_7_15: number; total: number; still_lapsed: number }
    wrong_current_band_lift_7_15: number
    correct_itt_by_entry_band: number
  }
}

export const vectors: Vectors | undefined = existsSync(file)
  ? (JSON.parse(readFileSync(file, 'utf8')) as Vectors)
  : undefined

if (!vectors) {
  console.warn(`SKIPPED: reference figures are missing, ${file.pathname} does not exist`)
}

/** Equal to `expected` within a relative error (absolute where `expected` is 0). */
export function expectWithin(actual: number, expected: number, tolerance = 1e-9): void {
  const scale = expected === 0 ? 1 : Math.abs(expected)
  expect(Math.abs(actual - expected) / scale, `${actual} against ${expected}`).toBeLessThanOrEqual(tolerance)
}
