import { z } from 'zod'
import { type ChannelName, channels } from '../channels/channels.ts'
import type { OutsideChannels } from '../channels/outside.ts'
import { serverName } from '../channels/server-name.ts'
import { SCHEMA_NAME } from '../database/schema-name.ts'
import { offerProviderSettings } from '../offers/provider.ts'
import { type Country, HOLIDAYS } from './calendar.ts'
import { cronTrouble } from './cron.ts'
import { network } from './networks.ts'
import { dateSpan, duration, percentage } from './quantities.ts'
import { channelRate } from './rates.ts'
import { signalSettings } from './signal-settings.ts'
import { syncSettings } from './sync-settings.ts'
import { postgresUrl, redisUrl } from './urls.ts'

// winback.yaml. Secrets are only ever written ${NAME} or ${file:path}; environment.ts fills them in.

const attributeType = z.enum(['string', 'number', 'bool', 'timestamp'])

type OwnBlocks = { readonly [Name in ChannelName]: z.ZodOptional<(typeof channels)[Name]['settings']> }

/** The blocks of Winback's own channels. Those from outside are read beside it, each by its own schema. */
export const ownChannels = z.strictObject(
  Object.fromEntries(
    Object.entries(channels).map(([name, { settings }]) => [name, z.optional<z.ZodType>(settings)]),
  ) as OwnBlocks,
)

/** A block under `channels` that brings its channel along. */
export const outsideBlock = z.looseObject({
  module: z.string().describe('Path of a module beside this file, or a package: a channel from outside'),
})

/** Where the database is. */
export const databaseSettings = z.strictObject({
  url: postgresUrl
    .optional()
    .describe('PostgreSQL; DATABASE_URL by default. The password only as a reference'),
  schema: z
    .string()
    .regex(SCHEMA_NAME, 'expected a name of lower-case letters, digits and _, 51 at most, and not pg_…')
    .prefault('winback')
    .describe('The one schema Winback lives in'),
})

export const workspace = z.strictObject({
  version: z.literal(1).describe('The version of this file format'),
  name: z.string().min(1).describe('What messages and reports call you'),
  timezone: z.string().describe('IANA zone: where a contact’s own is unknown'),
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/, 'expected an ISO 4217 currency such as CNY')
    .describe('The one currency of all amounts'),
  locales: z.array(z.string()).min(1).describe('Languages templates come in; the first is the fallback'),
  control: percentage.prefault('0%').describe('Share of persons no campaign ever touches, sticky'),
  activity: z
    .array(z.string())
    .min(1)
    .prefault(['session', 'order'])
    .describe('Event types that count as the contact being active'),
  orders: z
    .strictObject({ event: z.string().prefault('order').describe('The event type of an order') })
    .prefault({})
    .describe('What orders.count and orders.total are counted from'),
  events: z
    .strictObject({
      names: z
        .record(z.string().min(1), z.string().min(1).max(100))
        .prefault({})
        .describe('What an event is called where it comes from, and what it is called here'),
      horizon: duration.prefault('30d').describe('How long a message id is remembered, against repeats'),
      rate: z
        .int()
        .min(1)
        .prefault(50_000)
        .describe('Events a second that one write key may send before it is told to wait'),
    })
    .prefault({})
    .describe('Events that arrive over HTTP or by sync'),
  sync: z
    .record(
      z.string().regex(/^[a-z][a-z0-9_-]{0,49}$/, 'expected a name of lower-case letters, digits, - and _'),
      syncSettings,
    )
    .prefault({})
    .describe('Contacts and activity pulled from your own PostgreSQL, each by a query with a name'),
  persons: z
    .strictObject({ shared_by_at_most: z.int().min(1).prefault(5).describe('Contacts') })
    .prefault({})
    .describe('An e-mail or phone shared by more contacts than this links nobody'),
  attributes: z
    .record(
      z.string().regex(/^[a-z][a-z0-9_]*$/, 'expected a name of lower-case letters, digits and _'),
      z.union([
        attributeType.transform((type) => ({ type, fresh: undefined, description: undefined })),
        z.strictObject({
          type: attributeType.describe('A value of another type is unknown'),
          fresh: duration.optional().describe('Older than this it is not used'),
          description: z.string().optional().describe('For those who write conditions and templates'),
        }),
      ]),
    )
    .prefault({})
    .describe('What you know of a contact, by name: contact.<name> in conditions and templates'),
  signals: signalSettings.prefault({}).describe('How value, rhythm and discontent are told from activity'),
  channels: ownChannels.prefault({}).describe('The channels there are, each with its settings'),
  not_yet: z
    .array(z.string())
    .prefault([])
    .describe(
      'Channels campaigns may name before they are set up: nobody is reached on them, a list goes on to its next',
    ),
  consent: z
    .record(z.string(), z.enum(['required', 'not_required']))
    .prefault({})
    .describe(
      'Channels nothing goes out on without consent: sms: required. A withdrawal holds on every channel',
    ),
  topics: z
    .record(
      z.string().regex(/^[a-z][a-z0-9_-]*$/, 'expected a name of lower-case letters, digits, - and _'),
      z.union([z.string().min(1), z.record(z.string(), z.string().min(1))]),
    )
    .prefault({})
    .describe('What campaigns are about, by name, with its title or one for each language'),
  offers: z
    .strictObject({
      provider: offerProviderSettings
        .optional()
        .describe('Credits offers of `deliver: account`; absent, that is your system’s part'),
      redemption: z
        .strictObject({
          event: z.string().min(1).describe('The type of the event'),
          code: z.string().min(1).prefault('code').describe('The property that holds the code'),
        })
        .optional()
        .describe('Events that say an offer was used'),
    })
    .prefault({})
    .describe('How offers reach the account'),
  rates: z
    .record(z.string(), channelRate)
    .prefault({})
    .describe('How fast each channel may send, and when it pauses by itself'),
  holidays: z
    .enum(Object.keys(HOLIDAYS) as [Country, ...Country[]])
    .optional()
    .describe('Public holidays and worked weekends of a country, for windows of `workdays`'),
  blackout: z
    .array(dateSpan)
    .prefault([])
    .describe('Days on which nothing is sent, where the recipient is: 2027-02-05..2027-02-12'),
  database: databaseSettings.prefault({}).describe('Without a url, an embedded PostgreSQL under .winback/'),
  redis: z
    .strictObject({
      url: redisUrl
        .optional()
        .describe('Redis or Valkey; REDIS_URL by default. The password only as a reference'),
      prefix: z
        .string()
        .prefault('{winback}')
        .describe('Of every key; the braces keep them on one node of a cluster'),
    })
    .prefault({})
    .describe('Without a url, BullMQ runs on the database'),
  web: z
    .strictObject({
      host: serverName(
        'an address of this machine alone, such as 127.0.0.1 (its port stands beside it, as `port`, and where the world reaches it, as `url`)',
      )
        .prefault('127.0.0.1')
        .describe('Address to listen on; 0.0.0.0 for all of this machine’s'),
      port: z.int().min(0).max(65535).prefault(7420).describe('To listen on; 0 takes one that is free'),
      url: z
        .url({ protocol: /^https?$/, error: 'expected an address such as https://winback.example.com' })
        .refine(
          (url) => !/[?#]|^[^/]*\/\/[^/]*@/.test(url),
          'expected an address to which the paths of links can be added, such as https://winback.example.com: without a query, a password or a #',
        )
        .transform((url) => url.replace(/\/+$/, ''))
        .optional()
        .describe('Where the world reaches it: the base of every link in a message'),
      trusted_proxies: z
        .array(network)
        .prefault([])
        .describe('Proxies before it whose X-Forwarded-For is believed: addresses or ranges, 10.0.0.0/8'),
      serve: z.boolean().prefault(true).describe('Whether `start` serves it; `winback web` always does'),
    })
    .prefault({})
    .describe('The web side: events in, and what links in messages lead to'),
  digest: z
    .strictObject({
      to: z.array(z.email()).prefault([]).describe('Who gets it; nobody, and none is sent'),
      schedule: z
        .string()
        .refine((text) => cronTrouble(text) === undefined, 'expected cron in five fields such as "0 8 * * 1"')
        .prefault('0 8 * * 1')
        .describe('When, in cron’s five fields and the workspace’s zone'),
      locale: z.string().optional().describe('en or zh-CN; the first of `locales` by default'),
    })
    .prefault({})
    .describe('Monday’s page by e-mail, with its charts'),
  templates: z.string().prefault('templates').describe('Folder of the templates, beside this file'),
  campaigns: z.string().prefault('campaigns').describe('Folder of the campaigns, beside this file'),
})

/** A workspace file that was read, with the modules it names. */
export type Workspace = z.output<typeof workspace> & {
  /** Channels from outside the package, loaded when the file was read. */
  readonly outside?: OutsideChannels
}
export type AttributeType = z.output<typeof attributeType>
