import type { Problem } from '../../errors.ts'
import type { Step } from '../campaign.ts'
import type { Salvaged } from '../salvaged.ts'
import { ownTexts } from '../templates-index.ts'
import { sayingOf } from '../variants.ts'
import { type Checked, finding, stepsOf } from './findings.ts'

/** What a step's channels would refuse of the texts it sends, before a provider is asked. */
export function checkTexts(checked: Checked): Problem[] {
  const { campaign, document, templates, workspace, channels, doubtful } = checked
  // Their length and their signature rest on it.
  if (workspace.name === undefined || doubtful(['name'])) return []
  const problems = new Map<string, Problem>()
  const known = templates.names()
  for (const { step, path } of stepsOf(campaign)) {
    for (const channel of step.channel ?? []) {
      for (const name of namesOf(step, known)) {
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

/** Every template a step may send, of each of its variants. */
function namesOf(step: Salvaged<Step>, known: readonly string[]): string[] {
  const variants = Object.entries(step.variants ?? {}).flatMap(([name, variant]) =>
    variant ? [sayingOf(step, name, variant, (text) => known.includes(text))] : [],
  )
  const names = (variants.length > 0 ? variants : [step]).flatMap(({ template }) =>
    typeof template === 'string' ? [template] : Object.values(template ?? {}),
  )
  return [...new Set([...names, step.script, step.otherwise])].filter((name) => typeof name === 'string')
}
