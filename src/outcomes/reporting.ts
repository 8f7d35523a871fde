import type { AddressKind } from '../channels/channel.ts'

/** What recording needs to know of the channel that reports. */
export interface ReportingChannel {
  readonly name: string
  readonly kind: AddressKind
  /** Names of the channels that deliver to each kind of address: those a suppression silences. */
  readonly channelsOf: { readonly email: readonly string[]; readonly phone: readonly string[] }
  /** What a number is compared by, in each of its spellings. */
  phoneKeys(phone: string): readonly Buffer[]
}

/** A channel that delivers to addresses or numbers: of these alone is there a list of whom not to contact. */
export type Addressed = ReportingChannel & { readonly kind: 'email' | 'phone' }

export function isAddressed(channel: ReportingChannel): channel is Addressed {
  return channel.kind === 'email' || channel.kind === 'phone'
}
