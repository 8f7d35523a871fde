import type { Problem } from '../../errors.ts'
import type { Salvaged } from '../salvaged.ts'
import { ownTexts } from '../templates-index.ts'
import { type Checked, finding, stepsOf } from './findings.ts'

/** What a step's channels would refuse of the texts it sends, before a provider is asked. */
export function checkTexts({ campaign, document, templates, workspace, channels }: Checked): Problem[] {
  const problems = new Map<string, Problem>()
  const known = templates.names()
  for (const { step, path } of stepsOf(campaign)) {
    for (const channel of step.channel ?? []) {
      for (const name of namesOf(step)) {
        if (channel === undefined || !known.includes(name)) continue
        const own = ownTexts(name, [channel]).find((text) => known.includes(text))
        for (const text of templates.texts(own ?? name)) {
          for (const message of channels.get(channel)?.setUp?.lint(text, workspace.name) ?? []) {
            const key = `${channel} ${text.file} ${message}`
            if (problems.has(key)) continue
            const location = { file: text.file, line: 1, column: 1 }
            problems.set(
              key,
              finding(document, path, `channel ${channel}: ${text.file} ${message}`, { location }),
            )
          }
        }
      }
    }
  }
  return [...problems.values()]
}

type Step = Salvaged<{ template?: string | Record<string, string>; script?: string; otherwise?: string }>

/** Every template a step may send. */
function namesOf({ template, script, otherwise }: Step): string[] {
  const names = typeof template === 'string' ? [template] : Object.values(template ?? {})
  return [...new Set([...names, script, otherwise])].filter((name) => typeof name === 'string')
}
