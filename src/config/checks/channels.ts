import { channelsSetUp } from '../../channels/channels.ts'
import type { Problem } from '../../errors.ts'
import { valueAt } from '../documents/document.ts'
import { asList } from '../documents/wanted.ts'
import { nearest } from '../nearest-name.ts'
import { type Checked, finding, stepsOf, unknownName } from './findings.ts'
import { isDoubtful } from './unread.ts'

/** Steps on channels that are there. */
export function checkChannels(checked: Checked): Problem[] {
  const { campaign, document, channels, workspace } = checked
  const names = channelsSetUp(channels)
  // One in whose block something is wrong is there all the same.
  const written = [...channels.keys()].filter(
    (name) => names.includes(name) || Object.hasOwn(workspace.channels ?? {}, name),
  )
  const awaited = (workspace.not_yet ?? []).filter((name) => name !== undefined)
  return [...stepsOf(campaign)].flatMap(({ step, path }) =>
    (step.channel ?? []).flatMap((name, no) => {
      if (name === undefined) return []
      // One channel may be written without a list; then the index is not in the file, and its parent is found.
      const place = [...path, 'channel', ...((step.channel?.length ?? 0) > 1 ? [no] : [])]
      if (step.channel?.indexOf(name) !== no) return [finding(document, place, `${name} is there twice`)]
      if (names.includes(name) || awaited.includes(name)) return []
      if (isDoubtful(checked, 'channels', name)) return []
      if (channels.has(name)) {
        if (checked.doubtful(['not_yet'])) return []
        return [
          // A campaign may be ahead of its channels: nobody is reached on this one, and a list goes on to the next.
          finding(
            document,
            place,
            `channel ${name} is not set up, so nobody is reached on it; add channels.${name} to winback.yaml, or ${name} to its \`not_yet\``,
            { found: name, severity: 'warning' },
          ),
        ]
      }
      const list = valueAt(document.value, place) === name ? listMeant(checked, name) : undefined
      if (list !== undefined) {
        const message = `unknown channel \`${name}\`; a list stands in brackets`
        return [finding(document, place, message, { suggestion: asList(list) })]
      }
      return [unknownName(document, place, { what: 'channel', name, names: [...written, ...awaited] })]
    }),
  )
}

/** The channels of `push, sms`, each as it is spelt, where that was meant to be a list: one at least is known. */
function listMeant({ channels }: Checked, text: string): string[] | undefined {
  const entries = text.split(/[\s,，、;；/|]+/).filter((entry) => entry !== '' && entry !== 'or')
  const known = [...channels.keys()]
  const spelt = entries.map((entry) => (known.includes(entry) ? entry : nearest(entry, known)))
  if (entries.length < 2 || spelt.every((name) => name === undefined)) return undefined
  return entries.map((entry, no) => spelt[no] ?? entry)
}
