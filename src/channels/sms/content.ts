import type { ContactView, Money, Template, TemplateView } from '../channel.ts'
import { countSegments } from './segments.ts'

/** A text message as its reader sees it, the signature in front included. */
export interface SmsContent {
  readonly template: string
  /** Of the text. */
  readonly locale: string
  readonly text: string
  /** Values for the placeholders of a provider's own template: the `param_…` lines of the front matter. */
  readonly parameters: Readonly<Record<string, string>>
  readonly segments: number
}

/** Renders a template to one paragraph of text. @param ucs2 carriers count every text as UCS-2 */
export function renderSms(
  template: Template | undefined,
  view: TemplateView,
  contact: ContactView,
  ucs2: boolean,
): SmsContent {
  if (!template) throw new Error('a text message needs a template')
  const { front, text: written = '' } = template.render(view)
  const text = written.replace(/[ \t]+/g, ' ').trim()
  if (text === '') throw new Error(`the template \`${template.name}\` came out empty`)
  const parameters = Object.fromEntries(
    Object.entries(front).flatMap(([key, value]) =>
      key.startsWith('param_') ? [[key.slice('param_'.length), value]] : [],
    ),
  )
  const { segments } = countSegments(text, { ucs2 })
  const locale = template.locale ?? contact.locale
  return { template: template.name, locale, text, parameters, segments }
}

export function priceOf(content: SmsContent, segment: Money): Money {
  return content.segments * segment
}
