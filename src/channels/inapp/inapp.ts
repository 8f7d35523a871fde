import type { Channel, ChannelModule, Template, TemplateView } from '../channel.ts'
import { openLane } from '../lane.ts'
import { parsePrice } from '../price.ts'
import { type InappSettings, inappSettings } from './settings.ts'

/** Messages inside the user's own app. The provider is Winback itself: it keeps each until the app asks for it. */
export const inapp: ChannelModule<InappSettings> = {
  name: 'inapp',
  idempotent: true,
  address: 'none',
  renders: true,
  settings: inappSettings,
  open: (settings) => openInapp(settings),
}

export interface InappContent {
  readonly locale: string
  readonly title: string
  readonly text: string
  readonly html: string
  /** Where a tap leads. */
  readonly url: string | null
}

export function openInapp(settings: InappSettings): Channel<string, InappContent> {
  const price = parsePrice(settings.price)
  // Nothing is waited for; the lane is there so that a closed channel takes no more.
  const lane = openLane(500)
  return {
    name: inapp.name,
    idempotent: inapp.idempotent,
    concurrency: 500,
    deadline: 1_000,
    fetched: true,
    addressOf: ({ externalId }) => externalId,
    render: (template, view, { locale }) => renderInapp(template, view, locale),
    cost: () => price,
    send: ({ key, content }) =>
      lane.run(async () => ({ outcome: 'sent', providerId: key, keep: { kind: 'inapp', ...content } })),
    check: async () => 'kept here until the app asks for it: GET /v1/inapp/{external_id}',
    close: () => lane.close(),
  }
}

function renderInapp(template: Template | undefined, view: TemplateView, locale: string): InappContent {
  if (!template) throw new Error('a message in the app needs a template')
  const { front, html, text = '' } = template.render(view)
  const title = (front.subject ?? '').replace(/\s+/g, ' ').trim()
  if (title === '') throw new Error(`the template \`${template.name}\` came out without a subject`)
  return { locale: template.locale ?? locale, title, text: text.trim(), html, url: front.url ?? null }
}
