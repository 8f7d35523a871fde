import type { ContactView, TemplateView } from '../channels/channel.ts'
import type { CompiledCampaign, CompiledStep } from '../config/compiled.ts'
import { FACT_GROUPS } from '../config/facts.ts'
import type { Candidate } from './gather.ts'

/** What a message may say of the workspace. */
export interface Sender {
  readonly name: string
  readonly timezone: string
  /** ISO 4217. */
  readonly currency: string
  readonly locales: readonly string[]
}

const zones = new Set(Intl.supportedValuesOf('timeZone'))

/** The contact with what must be right: a locale the workspace has, a zone that exists. */
export function viewContact(candidate: Candidate, sender: Sender): ContactView {
  return {
    contactId: candidate.contactId,
    externalId: candidate.externalId,
    email: candidate.email,
    phone: candidate.phone,
    locale: resolveLocale(candidate.locale, sender.locales),
    timezone: resolveZone(candidate.timezone, sender.timezone),
  }
}

/** The contact's locale if there is one, else one of the same language, else the workspace's first. */
export function resolveLocale(wanted: string | null, locales: readonly string[]): string {
  const first = locales[0] ?? 'en'
  if (wanted === null) return first
  const language = wanted.split('-')[0]?.toLowerCase()
  return (
    locales.find((locale) => locale.toLowerCase() === wanted.toLowerCase()) ??
    locales.find((locale) => locale.split('-')[0]?.toLowerCase() === language) ??
    first
  )
}

function resolveZone(wanted: string | null, fallback: string): string {
  if (wanted === null) return fallback
  if (zones.has(wanted) || wanted === 'UTC') return wanted
  try {
    // Aliases such as Asia/Calcutta are real but not listed.
    new Intl.DateTimeFormat('en', { timeZone: wanted })
    zones.add(wanted)
    return wanted
  } catch {
    return fallback
  }
}

/** The values a template sees: the gathered facts, nested by their dots, and the message's own context. */
export function viewMessage(
  candidate: Candidate,
  contact: ContactView,
  message: { sender: Sender; campaign: CompiledCampaign; step: CompiledStep },
): TemplateView {
  return messageViewer(message)(candidate, contact)
}

/** {@link viewMessage} for a whole batch: what all its messages share is made once. */
export function messageViewer(message: {
  sender: Sender
  campaign: CompiledCampaign
  step: CompiledStep
}): (candidate: Candidate, contact: ContactView) => TemplateView {
  const { sender, campaign, step } = message
  const offer = step.offer ? { offer: viewOffer(step.offer) } : undefined
  const workspace = { name: sender.name }
  const titled = { name: campaign.name, title: campaign.definition.title }
  const paths = new Map<string, readonly string[]>()
  const split = (path: string) => {
    const known = paths.get(path) ?? path.split('.')
    paths.set(path, known)
    return known
  }
  return (candidate, contact) => {
    // Roots that are always there, so that {{#if contact.first_name}} may ask about what is not.
    const view: Record<string, unknown> = Object.fromEntries(FACT_GROUPS.map((group) => [group, {}]))
    for (const path in candidate.facts) nest(view, split(path), candidate.facts[path])
    return {
      ...view,
      workspace,
      campaign: titled,
      ...offer,
      segment: candidate.segment,
      locale: contact.locale,
      $locale: contact.locale,
      $timezone: contact.timezone,
      $currency: sender.currency,
    }
  }
}

function nest(target: Record<string, unknown>, path: readonly string[], value: unknown, depth = 0): void {
  const key = path[depth]
  if (key === undefined) return
  if (depth === path.length - 1) {
    target[key] = value
    return
  }
  const inner = target[key]
  const next: Record<string, unknown> =
    typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>) : {}
  target[key] = next
  nest(next, path, value, depth + 1)
}

/** Amounts in units of the currency: what `{{money offer.amount}}` expects. */
function viewOffer(offer: NonNullable<CompiledStep['offer']>): Record<string, unknown> {
  const { terms } = offer
  const common = { name: offer.name, kind: terms.kind, valid_days: Math.floor(terms.valid / 86_400) }
  if (terms.kind === 'coupon') {
    return { ...common, amount: terms.amount.micros / 1e6, minimum: (terms.minimum?.micros ?? 0) / 1e6 }
  }
  if (terms.kind === 'trial') return { ...common, days: terms.days }
  return { ...common, name: terms.name, amount: terms.value.micros / 1e6 }
}

/** Micros an offer is expected to cost once granted: face value × expected redemption. */
export function liabilityOf(step: CompiledStep): number {
  const terms = step.offer?.terms
  if (!terms) return 0
  const face =
    terms.kind === 'coupon'
      ? terms.amount.micros
      : terms.kind === 'trial'
        ? (terms.value?.micros ?? 0)
        : terms.value.micros
  return Math.round(face * terms.expected_redemption)
}

/**
 * The other steps of a campaign that give a step's offer: its liability is booked once for all of them. A step itself
 * is not among them, for it has one touchpoint an episode and that one settles once.
 */
export function othersOfOffer(campaign: CompiledCampaign, step: CompiledStep): number[] {
  if (!step.offer) return []
  const { name } = step.offer
  return campaign.tiers.flatMap((tier) =>
    tier.steps
      .filter((other) => other.offer?.name === name && other.stepId !== step.stepId)
      .map((other) => other.stepId),
  )
}
