import { channels } from '../../channels/channels.ts'
import type { Problem } from '../../errors.ts'
import type { Workspace } from '../workspace.ts'
import { type Checked, finding, stepsOf, unknownName } from './findings.ts'

/** The channels that winback.yaml has a block for (`log` needs none). */
export function configuredChannels(workspace: Workspace): string[] {
  return Object.entries(workspace.channels)
    .filter(([, settings]) => settings !== undefined)
    .map(([name]) => name)
}

/** Steps on channels that are there. */
export function checkChannels({ campaign, document, workspace }: Checked): Problem[] {
  const names = configuredChannels(workspace)
  return [...stepsOf(campaign)].flatMap(({ step, path }) =>
    (step.channel ?? []).flatMap((name, no) => {
      if (name === undefined || names.includes(name)) return []
      // One channel may be written without a list; then the index is not in the file, and its parent is found.
      const place = [...path, 'channel', ...((step.channel?.length ?? 0) > 1 ? [no] : [])]
      if (Object.hasOwn(channels, name)) {
        return [
          // A campaign may be ahead of its channels: nobody is reached on this one, and a list goes on to the next.
          finding(
            document,
            place,
            `channel ${name} is not set up, so nobody is reached on it; add channels.${name} to winback.yaml`,
            { found: name, severity: 'warning' },
          ),
        ]
      }
      return [unknownName(document, place, 'channel', name, names)]
    }),
  )
}
