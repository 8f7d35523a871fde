import type { ContactView, TemplateView } from '../channels/channel.ts'
import type { CompiledCampaign, CompiledStep } from '../config/compiled.ts'
import { FACT_GROUPS } from '../config/facts.ts'
import { inVariant } from '../config/variants.ts'
import { isZone } from '../config/zones.ts'
import type { Grant } from '../offers/grants.ts'
import { grantViewer, viewOffer } from '../offers/offers.ts'
import type { Candidate } from './gather.ts'

/** What a message may say of the workspace. */
export interface Sender {
  readonly name: string
  readonly timezone: string
  /** ISO 4217. */
  readonly currency: string
  /** Where a message's own links lead; absent where the workspace has no public address. */
  linksOf?(message: { contactId: number; touchpointId: number }): Readonly<Record<string, string>>
}

/** The contact with what must be right: a locale the campaign's version has, a zone that exists. */
export function viewContact(
  candidate: Candidate,
  sender: Sender,
  { locales }: Pick<CompiledCampaign, 'locales'>,
): ContactView {
  return {
    contactId: candidate.contactId,
    externalId: candidate.externalId,
    email: candidate.email,
    phone: candidate.phone,
    ...(candidate.devices ? { devices: candidate.devices } : {}),
    locale: resolveLocale(candidate.locale, locales),
    timezone:
      candidate.timezone !== null && isZone(candidate.timezone) ? candidate.timezone : sender.timezone,
  }
}

/** The contact's locale if there is one, else one of the same language, else the first. */
function resolveLocale(locale: string | null, locales: readonly string[]): string {
  const first = locales[0] ?? 'en'
  if (locale === null) return first
  if (locales.includes(locale)) return locale
  // Shops and phones write de_DE, too.
  const wanted = locale.replaceAll('_', '-').toLowerCase()
  const language = wanted.split('-')[0]
  return (
    locales.find((each) => each.toLowerCase() === wanted) ??
    locales.find((each) => each.split('-')[0]?.toLowerCase() === language) ??
    first
  )
}

/** What a message may say of its grant. */
export type Promised = Pick<Grant, 'code' | 'expiresAt'>

/**
 * The values a template sees: the gathered facts, nested by their dots, and the message's own context. For a whole batch:
 * what all its messages share is made once.
 */
export function messageViewer(message: {
  sender: Sender
  campaign: CompiledCampaign
  step: CompiledStep
}): (candidate: Candidate, contact: ContactView, grant?: Promised) => TemplateView {
  const { sender, campaign, step } = message
  // Every name is there before a message has its own: an object this large that grows takes ten times as long to make.
  const frameFor = (offer: CompiledStep['offer']) => {
    const view = {
      ...NOTHING_KNOWN,
      ...(offer ? { offer: viewOffer(offer.name, offer.terms) } : {}),
      workspace: { name: sender.name },
      campaign: { name: campaign.name, title: campaign.definition.title },
      ...{ links: {}, segment: '', locale: '', $locale: '', $timezone: '', $currency: sender.currency },
    }
    return { view, granted: offer && grantViewer(offer.name, offer.terms) }
  }
  const frames = new Map<CompiledStep['offer'], ReturnType<typeof frameFor>>()
  const frameOf = (offer: CompiledStep['offer']) => {
    const frame = frames.get(offer) ?? frameFor(offer)
    frames.set(offer, frame)
    return frame
  }
  const paths = new Map<string, readonly string[]>()
  const split = (path: string) => {
    const known = paths.get(path) ?? path.split('.')
    paths.set(path, known)
    return known
  }
  return (candidate, contact, grant) => {
    const frame = frameOf(inVariant(step, candidate.variant).offer)
    const view: Record<string, unknown> = { ...frame.view }
    for (const path in candidate.facts) nest(view, split(path), candidate.facts[path])
    if (grant && frame.granted) view.offer = frame.granted(grant)
    view.links = linksOf(candidate, sender)
    view.segment = candidate.segment
    view.locale = contact.locale
    view.$locale = contact.locale
    view.$timezone = contact.timezone
    return view
  }
}

/** Of a group no fact of which was gathered. One for all: making each message its own was a fifth of a worker's time. */
const NONE = Object.freeze({})
/** Roots that are always there, so that {{#if contact.first_name}} may ask about what is not. */
const NOTHING_KNOWN = Object.fromEntries(FACT_GROUPS.map((group) => [group, NONE]))

/** A preview is nobody's message: its links are of the right shape and do nothing. */
function linksOf(candidate: Candidate, sender: Sender): Readonly<Record<string, string>> {
  const { contactId, touchpointId } = candidate
  return sender.linksOf?.({ contactId: touchpointId === 0 ? 0 : contactId, touchpointId }) ?? {}
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
    typeof inner === 'object' && inner !== null && inner !== NONE ? (inner as Record<string, unknown>) : {}
  target[key] = next
  nest(next, path, value, depth + 1)
}
