import type { Channel, ContactView, Template } from '../channels/channel.ts'
import type { CompiledCampaign, CompiledStep } from '../config/compiled.ts'
import { inVariant } from '../config/variants.ts'
import { messageOf } from '../errors.ts'
import type { Candidate } from './gather.ts'
import type { Verdict } from './guards/guards.ts'
import { type Settlement, settlementOf } from './lifecycle.ts'
import { messageViewer, type Promised, type Sender } from './view.ts'

// A candidate the guards let through, and the message made of it.

/** A candidate the guards let through. */
export interface Cleared {
  readonly candidate: Candidate
  readonly contact: ContactView
  readonly channel: string
  readonly template: string | undefined
  /** The template stands in for the step's own. */
  readonly instead: boolean
  /** What the message may promise. */
  readonly grant?: Promised
  /** A call beyond what people can make today. */
  readonly overflow?: boolean
}

/** Where there is not enough for all, what was planned first gets it. Pure: for sorting. */
export function byPlan({ candidate: a }: Cleared, { candidate: b }: Cleared): number {
  return a.plannedFor.getTime() - b.plannedFor.getTime() || a.touchpointId - b.touchpointId
}

/** What a verdict has cleared a candidate for. */
export function clearedFor(
  candidate: Candidate,
  contact: ContactView,
  { channel, template, instead }: Extract<Verdict, { kind: 'send' }>,
): Cleared {
  return { candidate, contact, channel, template: template?.name, instead: instead !== undefined }
}

/** The templates a campaign version was applied with. */
export interface TemplateFinder {
  find(name: string, variant: { locale: string; segment: string }): Template | undefined
}

/** A composed message, ready to be handed over. */
export interface Outgoing {
  readonly candidate: Candidate
  readonly contact: ContactView
  readonly channel: Channel
  readonly address: unknown
  readonly content: unknown
  readonly template: string | null
  readonly cost: number
  /** The offer whose grant the message promises. */
  readonly offer?: string | null
  /** A call beyond what people can make today. */
  readonly overflow?: boolean
}

/** A message, or why it cannot be one. */
export type Composed = Outgoing | Settlement

/** Turns a cleared candidate into a message. */
export type Compose = (cleared: Cleared) => Composed

/** Composes each message once: a budget asks what it costs before it is sent. Let go of as soon as it is handed out again. */
export function composeOnce(compose: Compose): Compose {
  const made = new Map<Cleared, Composed>()
  return (cleared) => {
    const known = made.get(cleared)
    if (known) made.delete(cleared)
    else made.set(cleared, compose(cleared))
    return known ?? made.get(cleared) ?? compose(cleared)
  }
}

/** Makes the messages of one step: on the channel a candidate was cleared for, in the contact's language. */
export function composer(deps: {
  templates: TemplateFinder
  sender: Sender
  campaign: CompiledCampaign
  step: CompiledStep
  channels: ReadonlyMap<string, Channel>
}): Compose {
  const view = messageViewer(deps)
  return (cleared) => {
    const { candidate, contact } = cleared
    const channel = deps.channels.get(cleared.channel)
    const address = channel?.addressOf(contact)
    if (!channel) return settlementOf(candidate, 'skipped', 'no_channel', null)
    if (address === undefined) return settlementOf(candidate, 'skipped', 'no_address', null)
    const { locale } = contact
    const variant = { locale, segment: candidate.segment }
    const template =
      cleared.template === undefined
        ? undefined
        : // What the channel says in its place, where there is such a text.
          (deps.templates.find(`${cleared.template}-${channel.name}`, variant) ??
          deps.templates.find(cleared.template, variant))
    try {
      const content = channel.render(template, view(candidate, contact, cleared.grant), contact)
      return {
        candidate,
        contact,
        channel,
        address,
        content,
        template: cleared.template ?? null,
        cost: channel.cost(content),
        offer: cleared.grant ? (inVariant(deps.step, candidate.variant).offer?.name ?? null) : null,
        overflow: cleared.overflow ?? false,
      }
    } catch (error) {
      // The guards saw every fact; what still cannot be rendered is a variable no guard knows. Never a blank.
      const untold = cleared.template !== undefined && !template
      const why = untold ? `there is no template ${cleared.template} in ${locale}` : messageOf(error)
      return settlementOf(candidate, 'skipped', 'missing_data', why)
    }
  }
}
