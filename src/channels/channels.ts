import { callback } from './callback/callback.ts'
import type { CallbackSettings } from './callback/settings.ts'
import type { AddressKind, Channel, ChannelContext, ChannelModule, WrittenTemplate } from './channel.ts'
import { email } from './email/email.ts'
import type { EmailSettings } from './email/settings.ts'
import { inapp } from './inapp/inapp.ts'
import type { InappSettings } from './inapp/settings.ts'
import { log } from './log/log.ts'
import type { LogSettings } from './log/settings.ts'
import { push } from './push/push.ts'
import type { PushSettings } from './push/settings.ts'
import type { SmsSettings } from './sms/settings.ts'
import { sms } from './sms/sms.ts'
import type { WebhookSettings } from './webhook/settings.ts'
import { webhook } from './webhook/webhook.ts'

/** The settings of each channel: the `channels` block of winback.yaml. */
interface SettingsByChannel {
  callback: CallbackSettings
  email: EmailSettings
  inapp: InappSettings
  log: LogSettings
  push: PushSettings
  sms: SmsSettings
  webhook: WebhookSettings
}

export type ChannelName = keyof SettingsByChannel

type Registry = { readonly [Name in ChannelName]: ChannelModule<SettingsByChannel[Name]> }

/** Every channel there is. A new one is a folder, its line here, and the conformance suite over it. */
export const channels = { callback, email, inapp, log, push, sms, webhook } satisfies Registry

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

function openOne<Name extends ChannelName>(
  name: Name,
  settings: ChannelSettings,
  context: ChannelContext,
): Channel | undefined {
  const registry: Registry = channels
  const block: SettingsByChannel[Name] | undefined = settings[name]
  return block === undefined ? undefined : registry[name].open(block, context)
}

function lintOne<Name extends ChannelName>(
  name: Name,
  settings: ChannelSettings,
  template: WrittenTemplate,
  workspace: string,
): string[] {
  const registry: Registry = channels
  const block: SettingsByChannel[Name] | undefined = settings[name]
  return block === undefined ? [] : (registry[name].lint?.(block, template, workspace) ?? [])
}

/** What a channel finds wrong with a template's text; nothing for a channel that is not set up. */
export function lintTemplate(
  channel: string,
  settings: ChannelSettings,
  template: WrittenTemplate,
  workspace: string,
): string[] {
  return isChannelName(channel) ? lintOne(channel, settings, template, workspace) : []
}

/**
 * Opens every channel the workspace has a block for.
 * @throws WinbackError where a channel's settings cannot be used
 */
export function openChannels(
  settings: ChannelSettings,
  context: ChannelContext = {},
): ReadonlyMap<string, Channel> {
  const open = new Map<string, Channel>()
  for (const name of Object.keys(channels).filter(isChannelName)) {
    const channel = openOne(name, settings, context)
    if (channel) open.set(name, channel)
  }
  return open
}
