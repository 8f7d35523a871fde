import { existsSync, readFileSync } from 'node:fs'
import { expect } from 'vitest'

// Reference figures live beside the repository (or a folder further up), not in it; without them the tests that need
// them say so.
const places = ['../../../', '../../../../'].map(
  (up) => new URL(`${up}shared/vectors/statistics.json`, import.meta.url),
)
const file = places.find((place) => existsSync(place))

type Interval = [number, number]
interface Function1 {
  in: [number]
  out: number
}
interface Function2 {
  in: [number, number]
  out: number
}
export interface ArmSums {
  sum: number
  /** Σ²; absent for a yes-or-no outcome. */
  ss?: number
  n: number
}

export interface Vectors {
  growthbook_ttest: {
    cases: {
      name: string
      a_control: ArmSums
      b_treat: ArmSums
      relative: boolean
      alpha: number
      expect: { expected: number; ci: Interval; se: number; p: number }
      round: number
      derived_dof: number
    }[]
  }
  bgnbd: {
    params_published: [number, number, number, number]
    params_mle: [number, number, number, number]
    ll_mle: number
    ll_at_published: number
    ll_at_ones: number
    p_alive_at_published: { x: number; t_x: number; T: number; p: number }[]
    p_return: { x: number; t_x: number; T: number; H: number; p_return: number }[]
    false_churn_demo_weeks: { desc: string; x: number; t_x: number; T: number; p: number }[]
  }
  wilson: { cases: { x: number; n: number; ci: Interval }[] }
  risk_difference: {
    cases: {
      x1: number
      n1: number
      x2: number
      n2: number
      newcombe10: Interval
      miettinen_nurminen: Interval
      mee: Interval
    }[]
  }
  power: {
    cases: { p1: number; p2: number; k: number; power: number; n1_pooled: number; n1_unpooled: number }[]
    mde_cases: { p: number; nT: number; nC: number; mde: number }[]
  }
  srm: {
    cases: { users: number[]; weights: number[]; p: number }[]
    derived_extra: { users: number[]; weights: number[]; p: number }[]
  }
  holm: { p: number[]; adjusted_same_order: number[] }
  benjamini_hochberg: { p: number[]; adjusted_same_order: number[] }
  howard_2021: { two_sided_normal_mixture: Record<string, number> }
  acs_multiplier: {
    cases: { N: number; Nstar: number; k: number }[]
    rho2_exact_lambertW: { a: number; Nstar: number; rho2: number; rho2_approx_used_by_growthbook: number }
  }
  fieller: {
    cases: {
      a: number
      va: number
      b: number
      vb: number
      cab: number
      kind: 'bounded' | 'exclusive'
      lo: number
      hi: number
      g: number
    }[]
  }
  special_functions: {
    normq: Function1[]
    normcdf: Function1[]
    chi2sf: Function2[]
    tcdf: Function2[]
    tq: Function2[]
    gammaln: Function1[]
    betainc: { in: [number, number, number]; out: number }[]
  }
  band_switching_trap: {
    control: { return_3_7: number; return_7_15: number; total: number; still_lapsed: number }
    treated: { return_3_7: number; return_7_15: number; total: number; still_lapsed: number }
    wrong_current_band_lift_7_15: number
    correct_itt_by_entry_band: number
  }
}

export const vectors: Vectors | undefined = file
  ? (JSON.parse(readFileSync(file, 'utf8')) as Vectors)
  : undefined

if (!vectors) {
  console.warn(`SKIPPED: reference figures are missing, ${places[0]?.pathname} does not exist`)
}

/** Equal to `expected` within a relative error (absolute where `expected` is 0). */
export function expectWithin(actual: number, expected: number, tolerance = 1e-9): void {
  const scale = expected === 0 ? 1 : Math.abs(expected)
  expect(Math.abs(actual - expected) / scale, `${actual} against ${expected}`).toBeLessThanOrEqual(tolerance)
}
