import type { CompiledStep, StepTemplate } from './compiled.ts'

// Variants of a step: what each says and gives, and which of them a draw falls on.

/** What a step or a variant says and gives, in the words of the file. */
export interface Saying {
  readonly template?: string | Readonly<Record<string, string | undefined>> | undefined
  readonly offer?: string | undefined
}

/**
 * What one variant of a step says and gives: its own template and offer, else the step's. A variant that names no
 * template says `TEMPLATE-VARIANT` in the place of each of the step's where there is such a text, as channels do: so a
 * share alone is enough, `story: 50%`.
 * @param exists whether there is a template of that name
 */
export function sayingOf(
  step: Saying,
  name: string,
  variant: Saying,
  exists: (template: string) => boolean,
): Saying {
  const own = (template: string | undefined) =>
    template !== undefined && exists(`${template}-${name}`) ? `${template}-${name}` : template
  const { template } = step
  const said =
    template === undefined || typeof template === 'string'
      ? own(template)
      : Object.fromEntries(Object.entries(template).map(([segment, each]) => [segment, own(each)]))
  return { template: variant.template ?? said, offer: variant.offer ?? step.offer }
}

/** The step as one of its variants has it; itself where it has none, and its first for a variant it does not know. */
export function inVariant(step: CompiledStep, name: string | null | undefined): CompiledStep {
  return step.variants?.find((variant) => variant.name === name)?.step ?? step
}

/** Every template a step may need, of all its variants. */
export function templatesOf(step: CompiledStep): StepTemplate[] {
  const own = step.variants?.map((variant) => variant.step) ?? [step]
  return [
    ...own.flatMap(({ templates }) => [...templates.values()]),
    ...(step.otherwise ? [step.otherwise] : []),
  ]
}

/** Whether any variant of a step, or the step itself, gives an offer. */
export function givesOffer(step: CompiledStep): boolean {
  return step.offer !== undefined || (step.variants ?? []).some((variant) => variant.step.offer !== undefined)
}

/**
 * Upper bounds in [0, 1) of all shares but the last, which takes the rest: a draw below the first is the first
 * variant's. Rounded as percentages are, so that 0.1 + 0.2 is 0.3.
 */
export function boundsOf(shares: readonly number[]): number[] {
  let sum = 0
  return shares.slice(0, -1).map((share) => {
    sum += share
    return Math.round(sum * 1e8) / 1e8
  })
}
