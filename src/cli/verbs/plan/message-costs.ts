import type { CompiledCampaign, CompiledStep } from '../../../config/compiled.ts'
import type { Runtime } from '../../../service/runtime.ts'
import { previewStep } from '../../../touchpoints/preview.ts'

// What messages cost before any is sent. A text is charged by its segments, and how many those are is known once it is written:
// it is written for somebody it would go to, in each language.

/** Micros of one message of a step on a channel. */
export type MessageCost = (channel: string, step: CompiledStep) => number

/** A mobile that every provider takes, whatever the contact's own is: what counts is what is written. */
const TO = { kind: 'phone', address: '+8613800138000' } as const

/**
 * The dearest of what would be written, and never less than the price of one.
 * @param candidates contacts the campaign would take in
 * @param priceOf of one message on a channel, whatever is written
 */
export async function readMessageCosts(
  worker: Runtime['worker'],
  campaign: CompiledCampaign,
  candidates: readonly { readonly tierNo: number; readonly contactId: number }[],
  { locales, priceOf }: { readonly locales: readonly string[]; priceOf(channel: string): number },
): Promise<MessageCost> {
  const dearest = new Map<string, number>()
  for (const step of [...campaign.tiers.flatMap((tier) => tier.steps), ...campaign.onReturn]) {
    const own = candidates.filter(({ tierNo }) => tierNo === step.tierNo)
    const readers = own.length > 0 ? own : candidates
    for (const channel of step.channels) {
      if (priceOf(channel) === 0 || step.templates.size === 0 || worker.addressKinds.get(channel) !== 'phone')
        continue
      const costs = [priceOf(channel)]
      for (const { step: version } of step.variants ?? [{ step }]) {
        const { variants: _, ...alone } = version
        const written = { ...alone, channels: [channel], condition: undefined }
        for (const locale of locales) {
          for (const { contactId } of readers) {
            const as = { locale, anyTime: true, to: TO }
            const { composed } = await previewStep(worker, campaign, written, contactId, as)
            if (!composed || 'state' in composed) continue
            costs.push(composed.cost)
            break
          }
        }
      }
      dearest.set(`${step.id} ${channel}`, Math.max(...costs))
    }
  }
  return (channel, step) => dearest.get(`${step.id} ${channel}`) ?? priceOf(channel)
}
