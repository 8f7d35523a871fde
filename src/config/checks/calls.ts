import type { Problem } from '../../errors.ts'
import { valueAt } from '../documents/document.ts'
import { type Checked, finding, stepsOf } from './findings.ts'
import { unread } from './unread.ts'

const KEYS = ['script', 'sla', 'capacity'] as const

/** Calls with a script and alone on their step; the keys of calls on no other steps. */
export function* checkCalls(checked: Checked): Generator<Problem> {
  const { campaign, document, channels } = checked
  for (const { step, path } of stepsOf(campaign)) {
    // A channel there is not may be meant for this one.
    if (!step.channel?.every((name) => name !== undefined && channels.has(name))) continue
    const id = step.id ?? 'this step'
    if (!step.channel.includes('callback')) {
      const written = valueAt(document.value, path)
      for (const key of KEYS) {
        if (typeof written !== 'object' || written === null || !Object.hasOwn(written, key)) continue
        yield finding(document, [...path, key], `only steps on channel callback have a \`${key}\``, {
          at: 'key',
        })
      }
      continue
    }
    if (step.channel.length > 1) {
      const others = step.channel.filter((name) => name !== 'callback').join(', ')
      yield finding(
        document,
        [...path, 'channel'],
        `a call stands alone on its step; give ${others} a step of its own, with a condition such as \`unless: ${id}.sent\``,
      )
    }
    if (step.template !== undefined) {
      yield finding(document, [...path, 'template'], 'a call has a `script`, not a template', { at: 'key' })
    }
    if (step.script === undefined && !unread(checked, [...path, 'script'])) {
      yield finding(document, path, `${id} needs a \`script\`: the template of what is said`)
    }
  }
}
