import type { AddressKind, Channel, Delivery, Message } from '../../src/channels/channel.ts'

const KINDS = {
  email: 'email',
  sms: 'phone',
  callback: 'phone',
  inapp: 'none',
  log: 'none',
} as const satisfies Record<string, AddressKind>

/** A channel in memory: it sends and remembers, and a test says how each send ends. */
export interface TestChannel extends Channel<string, string> {
  readonly sent: Message<string, string>[]
  readonly kind: AddressKind
  /** By default everything is sent. */
  answer: (message: Message<string, string>) => Promise<Delivery> | Delivery
}

/** Renders with the real template, or, where there is none, all that a template would see. */
export function testChannel(
  name: keyof typeof KINDS = 'email',
  options: { idempotent?: boolean; concurrency?: number; price?: number } = {},
): TestChannel {
  const kind = KINDS[name]
  const sent: Message<string, string>[] = []
  const channel: TestChannel = {
    name,
    idempotent: options.idempotent ?? name === 'log',
    concurrency: options.concurrency ?? 4,
    deadline: 1000,
    sent,
    kind,
    answer: () => ({ outcome: 'sent' }),
    addressOf: (contact) => (kind === 'none' ? contact.externalId : (contact[kind] ?? undefined)),
    render: (template, view) => template?.render(view).html ?? JSON.stringify(view),
    cost: () => options.price ?? 0,
    send: async (message) => {
      sent.push(message)
      return await channel.answer(message)
    },
    check: async () => 'scripted',
    close: async () => {},
  }
  return channel
}
