import { inVariant } from '../config/variants.ts'
import { outstandingGrant } from '../offers/grants.ts'
import type { WorkerDependencies } from './batch.ts'
import { gatherRecorded } from './gather.ts'
import { wordsFor } from './guards/guards.ts'
import type { TouchpointKey } from './keys.ts'
import { composer, type Outgoing } from './message.ts'
import { viewContact } from './view.ts'

/**
 * A message that is recorded, written anew: by the same template, variant and promise, with the facts as they are by now.
 * @param message.channel the one it went by
 * @returns undefined where it can be written no more: a fact or the address is gone
 */
export async function rewrite(
  dependencies: WorkerDependencies,
  message: TouchpointKey & { readonly stepId: number; readonly channel: string },
): Promise<Outgoing | undefined> {
  const { database, clock, book, sender, channels } = dependencies
  const { campaign, step } = await book.step(message.stepId)
  const candidate = await gatherRecorded(database, { key: message, campaign, step, now: clock.now() })
  if (!candidate) return undefined
  const { template, instead, lacking } = wordsFor(candidate, step)
  if (lacking) return undefined
  const { contactId, episodeId } = candidate
  const offer = inVariant(step, candidate.variant).offer?.name
  const grant =
    offer === undefined
      ? undefined
      : await outstandingGrant(database, { campaign: campaign.name, offer, contactId, episodeId })
  const templates = await dependencies.templates(campaign)
  const composed = composer({ templates, sender, campaign, step, channels })({
    candidate,
    contact: viewContact(candidate, sender, campaign),
    channel: message.channel,
    template: template?.name,
    instead: instead !== undefined,
    ...(grant ? { grant } : {}),
  })
  return 'state' in composed ? undefined : composed
}
