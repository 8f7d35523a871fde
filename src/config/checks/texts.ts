import type { Problem } from '../../errors.ts'
import type { Step } from '../campaign.ts'
import type { Salvaged } from '../documents/salvaged.ts'
import { ownTexts, type TemplateIndex } from '../templates-index.ts'
import { sayingOf } from '../variants.ts'
import { type Checked, finding, stepsOf } from './findings.ts'

/** What a step's channels would refuse of the texts it sends, before a provider is asked. */
export function checkTexts(checked: Checked): Problem[] {
  const { campaign, document, workspace, channels, doubtful } = checked
  // Their length and their signature rest on it.
  if (workspace.name === undefined || doubtful(['name'])) return []
  const problems = new Map<string, Problem>()
  for (const { step, path } of stepsOf(campaign)) {
    for (const { channel, text } of textsOf(step, checked)) {
      for (const message of channels.get(channel)?.setUp?.lint(text, workspace.name) ?? []) {
        const words = `channel ${channel}: ${text.file} ${message}`
        // Of several steps that send the same, the first is told.
        if (problems.has(words)) continue
        const location = { file: text.file, line: 1, column: 1 }
        problems.set(words, finding(document, path, words, { location }))
      }
    }
  }
  return [...problems.values()]
}

/** What a step may send, by channel: the channel's own text of a template, where it has one. */
function* textsOf(
  step: Salvaged<Step>,
  { templates }: Checked,
): Generator<{ readonly channel: string; readonly text: ReturnType<TemplateIndex['texts']>[number] }> {
  const known = templates.names()
  const names = namesOf(step, known).filter((name) => known.includes(name))
  for (const channel of step.channel ?? []) {
    if (channel === undefined) continue
    for (const name of names) {
      const own = ownTexts(name, [channel]).find((text) => known.includes(text))
      for (const text of templates.texts(own ?? name)) yield { channel, text }
    }
  }
}

/** Every template a step may send, of each of its variants. */
export function namesOf(step: Salvaged<Step>, known: readonly string[]): string[] {
  const variants = Object.entries(step.variants ?? {}).flatMap(([name, variant]) =>
    variant ? [sayingOf(step, name, variant, (text) => known.includes(text))] : [],
  )
  const names = (variants.length > 0 ? variants : [step]).flatMap(({ template }) =>
    typeof template === 'string' ? [template] : Object.values(template ?? {}),
  )
  return [...new Set([...names, step.script, step.otherwise])].filter((name) => typeof name === 'string')
}
