import type { Referred } from '../channels/reference.ts'
import type { Clock } from '../clock.ts'
import type { Hooks } from '../contacts/hooks.ts'
import { recordOptOut } from '../contacts/preferences.ts'
import type { Database, Transaction } from '../database/connect.ts'
import { lockPersons } from '../database/person-locks.ts'
import { recordReceipts } from '../outcomes/receipts.ts'
import type { ReportingChannel } from '../outcomes/reporting.ts'
import type { Leaving } from '../touchpoints/sending/sends.ts'

// Whoever has told a provider that they want no more, as it says in a report or where a message is handed over.

/**
 * What a provider was told by whoever wants no more of a channel that goes to no address, such as a card or an app's message:
 * that channel is refused, as by the link. In the transaction that records the report, and so once for each.
 */
export async function refuseReported(
  tx: Transaction,
  { clock, hooks }: { readonly clock: Clock; readonly hooks: Hooks },
  channel: string,
  events: readonly Referred[],
): Promise<void> {
  const contacts = [...new Set(events.map(({ contactId }) => contactId))]
  await lockPersons(tx, contacts)
  for (const contactId of contacts) {
    const refused = { channel, source: `receipt of ${channel}` }
    await recordOptOut(tx, contactId, refused, { now: clock.now(), hooks })
  }
}

/** Takes what a provider says of a reader at the handover as if it had reported it of the message. */
export async function heedLeaving(
  { database, clock, hooks }: { readonly database: Database; readonly clock: Clock; readonly hooks: Hooks },
  channel: ReportingChannel,
  leaving: readonly Leaving[],
): Promise<void> {
  const at = clock.now()
  const events = leaving.map((message) => ({
    ...message,
    kind: 'unsubscribed' as const,
    eventId: 'handover',
    at,
  }))
  await recordReceipts(database, at, channel, events, (tx, refusing) =>
    refuseReported(tx, { clock, hooks }, channel.name, refusing),
  )
}
