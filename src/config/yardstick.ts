import type { z } from 'zod'
import { type ChannelRegistry, type ChannelSettings, registerChannels } from '../channels/channels.ts'
import type { OutsideChannels } from '../channels/outside.ts'
import type { Problem } from '../errors.ts'
import { formatPath, type Path, valueAt } from './documents/document.ts'
import { isSecret } from './documents/references.ts'
import type { Salvaged } from './documents/salvaged.ts'
import { type Workspace, workspace as workspaceSchema } from './workspace.ts'

/** What a campaign is held against: a workspace, of which parts may be wrong. */
export interface Yardstick {
  readonly workspace: Salvaged<Workspace>
  readonly channels: ChannelRegistry
  /**
   * Whether something is wrong at a path of winback.yaml, above or below it. That is told there, and what merely follows
   * from it is told of no campaign.
   */
  doubtful(path: Path): boolean
}

/** A workspace in which nothing is wrong. */
export function yardstickOf(workspace: Workspace): Yardstick {
  return { workspace, channels: registerChannels(workspace), doubtful: () => false }
}

/**
 * What is left of a workspace in which something is wrong.
 * @param wrong paths, as {@link formatPath} writes them, at which an error was told; '' is the whole file
 */
export function salvagedYardstick(
  workspace: Salvaged<Workspace>,
  outside: OutsideChannels,
  wrong: ReadonlySet<string>,
): Yardstick {
  const places = [...wrong]
  const doubtful = (path: Path) => {
    const place = formatPath(path)
    return places.some((each) => holds(each, place) || holds(place, each))
  }
  // A secret that is missing changes nothing of what may be said on the channel.
  const unfit = places.filter((each) => !isSecret(each))
  const sound = (name: string) => !unfit.some((each) => holds(`channels.${name}`, each))
  const channels: ChannelSettings = Object.fromEntries(
    Object.entries(workspace.channels ?? {}).filter(([name]) => sound(name)),
  )
  return { workspace, channels: registerChannels({ channels, outside }), doubtful }
}

/** The yardstick where something more is in doubt. */
export function doubting(yardstick: Yardstick, part: keyof Workspace): Yardstick {
  return { ...yardstick, doubtful: (path) => path[0] === part || yardstick.doubtful(path) }
}

/**
 * The paths of what is not where it belongs, though no error may say so there: what is missing because it is misspelt or
 * stands a level off is told of its key alone. A key at the left margin that is like none may be any that is not there.
 */
export function missedBy(
  issues: readonly z.core.$ZodIssue[],
  errors: readonly Problem[],
  written: unknown,
): string[] {
  return issues.flatMap((issue) => {
    const path = issue.path.filter((step) => typeof step !== 'symbol')
    if (issue.code !== 'unrecognized_keys') return [formatPath(path)]
    return issue.keys.flatMap((key) => {
      const place = formatPath([...path, key])
      const suggestion = errors.find((each) => each.path === place)?.suggestion
      if (suggestion !== undefined) return [formatPath([...path, suggestion]), key]
      return path.length > 0 ? [key] : PARTS.filter((part) => valueAt(written, [part]) === undefined)
    })
  })
}

const PARTS = Object.keys(workspaceSchema.shape)

/** Whether one place is the other, or above it. */
function holds(above: string, place: string): boolean {
  if (above === '' || above === place) return true
  return place.startsWith(`${above}.`) || place.startsWith(`${above}[`)
}
