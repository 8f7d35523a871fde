import type { ChannelModule } from './channel.ts'

// What the author of a channel outside this repository imports, published as `winback/channel`: the types of the seam,
// and what Winback's own channels are made with.

export { z } from 'zod'
export { messageOf } from '../errors.ts'
export type {
  AddressKind,
  Answer,
  Channel,
  ChannelContext,
  ChannelModule,
  ContactView,
  Delivery,
  DeliveryEvent,
  Device,
  Doubt,
  EventKind,
  Greeting,
  InlineImage,
  Message,
  Money,
  Receipts,
  RefusedWebhook,
  Rejected,
  RenderedTemplate,
  Reply,
  Retry,
  Sent,
  Template,
  TemplateView,
  Uncertain,
  Webhook,
  WrittenTemplate,
} from './channel.ts'
export { type Call, type Exchange, type HttpClient, openHttp, parseJson, retryAfter } from './http.ts'
export { type Lane, openLane } from './lane.ts'
export { amount, parsePrice } from './price.ts'
export { type Referred, readReference, referenceOf } from './reference.ts'
export { secret } from './secret.ts'
export { sameSecret } from './signatures.ts'
export { parsePhone } from './sms/phone.ts'
export { isOptOut } from './sms/words.ts'

/** The module a block of winback.yaml names, as its default export; `open` gets the settings as their schema reads them. */
export function defineChannel<Settings>(module: ChannelModule<Settings>): ChannelModule<Settings> {
  return module
}
