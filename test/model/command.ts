import type fc from 'fast-check'
import { compare } from './comparison.ts'
import type { Model } from './model.ts'
import { checkInvariants } from './promises.ts'
import { look, type Real } from './real.ts'

// A step of a story, and how one of its things is picked.

export type Command = fc.AsyncCommand<Model, Real>

/** After each step, everything is compared. */
export function command(
  name: string,
  act: (model: Model, real: Real) => Promise<void>,
  possible: (model: Model) => boolean = () => true,
): Command {
  return {
    check: possible,
    run: async (model, real) => {
      await act(model, real)
      const seen = await look(real)
      await compare(model, real, seen)
      await checkInvariants(real, seen)
    },
    toString: () => name,
  }
}

export const pick = <T>(list: readonly T[], index: number): T | undefined =>
  list[index % Math.max(1, list.length)]
export const started = (model: Model) => model.contacts.length > 0
