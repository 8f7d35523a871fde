import type { WrittenTemplate } from '../../channels/channel.ts'
import type { KnownChannel } from '../../channels/channels.ts'
import { messageOf, type Problem } from '../../errors.ts'
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
          for (const message of lint(channels.get(channel), text, workspace.name)) {
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

/** A channel from outside may fail at it, which is a finding like any other. */
function lint(channel: KnownChannel | undefined, text: WrittenTemplate, workspace: string): string[] {
  try {
    return channel?.setUp?.lint(text, workspace) ?? []
  } catch (error) {
    return [`cannot be looked at by the channel: ${messageOf(error)}`]
  }
}

type Step = Salvaged<{ template?: string | Record<string, string>; script?: string; otherwise?: string }>

/** Every template a step may send. */
function namesOf({ template, script, otherwise }: Step): string[] {
  const names = typeof template === 'string' ? [template] : Object.values(template ?? {})
  return [...new Set([...names, script, otherwise])].filter((name) => typeof name === 'string')
}
