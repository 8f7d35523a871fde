import type { Speech } from '../words.ts'
import type { ComparedStep } from './variants.ts'

// What a step that compares variants is called beside others.

/** The step, with its versions where other versions drew it otherwise. */
export function nameOf(step: ComparedStep, steps: readonly ComparedStep[], { language }: Speech): string {
  if (steps.filter((other) => other.step === step.step).length === 1) return step.step
  const word = step.versions.length === 1 ? 'version' : 'versions'
  return language === 'en'
    ? `${step.step} (${word} ${step.versions.join(', ')})`
    : `${step.step}（版本 ${step.versions.join('、')}）`
}
