import { describe, expect, it } from 'vitest'
import { effectOfStrata, verdictOf } from '../../src/reports/effect.ts'
import { binomialDraws, seeded } from '../support/draws.ts'

// What the report claims, held against experiments whose truth is known: thousands without any effect, looked at every
// day, and some with one. Seeded, so that a failure is not luck.

const EXPERIMENTS = 2_000
const LOOKS = 40
const A_DAY = 400

/** Follows one campaign for {@link LOOKS} days and returns the first verdict that claims a difference, if any. */
function follow(draw: { treated: () => number; heldOut: () => number }, treatedShare: number) {
  const treated = { assigned: 0, contaminated: 0, matured: 0, recalled: 0 }
  const heldOut = { ...treated }
  for (let day = 1; day <= LOOKS; day += 1) {
    for (const [arm, share, recalls] of [
      [treated, treatedShare, draw.treated()],
      [heldOut, 1 - treatedShare, draw.heldOut()],
    ] as const) {
      arm.assigned += Math.round(A_DAY * share)
      arm.matured = arm.assigned
      arm.recalled += recalls
    }
    const { kind } = verdictOf(effectOfStrata([{ treated, heldOut }]), false)
    if (kind === 'won_back' || kind === 'harm') return { kind, day }
  }
  return undefined
}

function verdicts(share: number, rates: { treated: number; heldOut: number }, experiments: number) {
  const random = seeded(`${share} ${rates.treated} ${rates.heldOut}`)
  const draw = {
    treated: binomialDraws(Math.round(A_DAY * share), rates.treated, random),
    heldOut: binomialDraws(Math.round(A_DAY * (1 - share)), rates.heldOut, random),
  }
  return Array.from({ length: experiments }, () => follow(draw, share))
}

describe('verdicts looked at every day', () => {
  const cases = [0.5, 0.9, 0.95].flatMap((share) => [0.02, 0.05].map((rate) => ({ share, rate })))

  it.each(cases)(
    'claim nothing where there is nothing: $share contacted, $rate come back',
    ({ share, rate }) => {
      const claimed = verdicts(share, { treated: rate, heldOut: rate }, EXPERIMENTS).filter(Boolean).length
      expect(claimed / EXPERIMENTS).toBeLessThanOrEqual(0.05)
    },
  )

  it('find an effect that was planted, and never the opposite', () => {
    const found = verdicts(0.9, { treated: 0.1, heldOut: 0.05 }, 300)
    expect(found.every((verdict) => verdict?.kind === 'won_back')).toBe(true)
    const harm = verdicts(0.9, { treated: 0.05, heldOut: 0.1 }, 300)
    expect(harm.every((verdict) => verdict?.kind === 'harm')).toBe(true)
  })
})
