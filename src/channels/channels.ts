import type { z } from 'zod'
import { callback } from './callback/callback.ts'
import type { AddressKind, Channel, ChannelContext, ChannelModule, WrittenTemplate } from './channel.ts'
import { email } from './email/email.ts'
import { lintOutside, openOutside } from './guarded.ts'
import { inapp } from './inapp/inapp.ts'
import { log } from './log/log.ts'
import type { OutsideChannels } from './outside.ts'
import { amount } from './price.ts'
import { push } from './push/push.ts'
import { sms } from './sms/sms.ts'
import { webhook } from './webhook/webhook.ts'

/**
 * Every channel that comes with Winback. A new one is a folder, its line here, and the conformance suite over it: its
 * block of winback.yaml and its types follow.
 */
export const channels = { callback, email, inapp, log, push, sms, webhook }

type Own = typeof channels
export type ChannelName = keyof Own

/** The settings of each channel: the `channels` block of winback.yaml. */
type SettingsByChannel = { readonly [Name in ChannelName]: z.output<Own[Name]['settings']> }
type Registry = { readonly [Name in ChannelName]: ChannelModule<SettingsByChannel[Name]> }

/** What is known of a channel before it is opened. */
export interface ChannelDescription {
  readonly name: string
  readonly address: AddressKind
  /** True where steps need a template. */
  readonly renders: boolean
  /** False where a send of unknown outcome is never repeated. */
  readonly idempotent: boolean
  /** What people call it, or one for each language; where the channel cannot know, the settings say. */
  readonly title?: string | Readonly<Record<string, string>>
}

/** A channel a workspace knows, and whether it may be used. */
export interface KnownChannel extends ChannelDescription {
  /** The channel's part of winback.yaml, with what can be done once it is there; absent where it is not set up. */
  readonly setUp?: {
    /** Of one message, as the settings have it; plans count with it. */
    readonly price: string | undefined
    /** What the channel finds wrong with a template's text: each the rest of a sentence that begins with the template. */
    lint(template: WrittenTemplate, workspace: string): string[]
    /** @throws WinbackError where the settings cannot be used */
    open(context: ChannelContext): Channel
  }
}

/** Every channel a workspace knows, by name: Winback's own, then those from outside. */
export type ChannelRegistry = ReadonlyMap<string, KnownChannel>

export type ChannelSettings = { readonly [Name in ChannelName]?: SettingsByChannel[Name] | undefined }

function isChannelName(name: string): name is ChannelName {
  return Object.hasOwn(channels, name)
}

/** Whether a channel of this name comes with Winback. */
export function isBuiltIn(name: string): boolean {
  return isChannelName(name)
}

/** The channels of a workspace: what was loaded with its file, as one value. */
export function registerChannels(workspace: {
  readonly channels: ChannelSettings
  readonly outside?: OutsideChannels
}): ChannelRegistry {
  const own = Object.keys(channels)
    .filter(isChannelName)
    .map((name) => known(name, channels, workspace.channels))
  const outside = [...(workspace.outside ?? [])].map(([name, each]): KnownChannel => {
    const { module, settings } = each
    return {
      ...describe(module),
      setUp: {
        ...setUp(module, settings),
        lint: (template, workspace) => lintOutside(each, template, workspace),
        open: (context) => openOutside(name, each, context),
      },
    }
  })
  return new Map([...own, ...outside].map((channel) => [channel.name, channel]))
}

function known<Name extends ChannelName>(
  name: Name,
  registry: Registry,
  settings: ChannelSettings,
): KnownChannel {
  const module: ChannelModule<SettingsByChannel[Name]> = registry[name]
  const block: SettingsByChannel[Name] | undefined = settings[name]
  if (block === undefined) return describe(module)
  // What a channel to a provider of one's own reaches people by, only its owner knows.
  const title = 'title' in block && block.title !== undefined ? { title: block.title } : {}
  return { ...describe(module), ...title, setUp: setUp(module, block) }
}

function describe({ name, address, renders, idempotent, title }: ChannelDescription): ChannelDescription {
  return { name, address, renders, idempotent, ...(title === undefined ? {} : { title }) }
}

function setUp<Settings>(
  module: ChannelModule<Settings>,
  settings: Settings,
): NonNullable<KnownChannel['setUp']> {
  const price =
    typeof settings === 'object' && settings !== null && 'price' in settings ? settings.price : undefined
  return {
    // Of a channel from outside it may be anything.
    price: typeof price === 'string' && amount.safeParse(price).success ? price : undefined,
    lint: (template, workspace) => module.lint?.(settings, template, workspace) ?? [],
    open: (context) => module.open(settings, context),
  }
}

/** The channels a workspace has a block for (`log` needs none). */
export function channelsSetUp(registry: ChannelRegistry): string[] {
  return [...registry.values()].flatMap(({ name, setUp }) => (setUp ? [name] : []))
}

/**
 * Opens every channel the workspace has a block for.
 * @throws WinbackError where a channel's settings cannot be used
 */
export function openChannels(
  registry: ChannelRegistry,
  context: ChannelContext = {},
): ReadonlyMap<string, Channel> {
  return new Map(
    [...registry.values()].flatMap(({ name, setUp }) =>
      setUp ? [[name, setUp.open(context)] as const] : [],
    ),
  )
}
