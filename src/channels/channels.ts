import type { AddressKind, Channel, ChannelModule } from './channel.ts'
import { email } from './email/email.ts'
import type { EmailSettings } from './email/settings.ts'
import { log } from './log/log.ts'
import type { LogSettings } from './log/settings.ts'

/** The settings of each channel: the `channels` block of winback.yaml. */
interface SettingsByChannel {
  email: EmailSettings
  log: LogSettings
}

export type ChannelName = keyof SettingsByChannel

type Registry = { readonly [Name in ChannelName]: ChannelModule<SettingsByChannel[Name]> }

/** Every channel there is. A new one is a folder, its line here, and the conformance suite over it. */
export const channels = { email, log } satisfies Registry

/** What is known of a channel before it is opened. */
export interface ChannelDescription {
  readonly name: string
  readonly address: AddressKind
  /** True where steps need a template. */
  readonly renders: boolean
  /** False where a send of unknown outcome is never repeated. */
  readonly idempotent: boolean
}

export const channelDescriptions: readonly ChannelDescription[] = Object.values(channels).map(
  ({ name, address, renders, idempotent }) => ({ name, address, renders, idempotent }),
)

export type ChannelSettings = { readonly [Name in ChannelName]?: SettingsByChannel[Name] | undefined }

function isChannelName(name: string): name is ChannelName {
  return Object.hasOwn(channels, name)
}

function openOne<Name extends ChannelName>(name: Name, settings: ChannelSettings): Channel | undefined {
  const registry: Registry = channels
  const block: SettingsByChannel[Name] | undefined = settings[name]
  return block === undefined ? undefined : registry[name].open(block)
}

/**
 * Opens every channel the workspace has a block for.
 * @throws WinbackError where a channel's settings cannot be used
 */
export function openChannels(settings: ChannelSettings): ReadonlyMap<string, Channel> {
  const open = new Map<string, Channel>()
  for (const name of Object.keys(channels).filter(isChannelName)) {
    const channel = openOne(name, settings)
    if (channel) open.set(name, channel)
  }
  return open
}
