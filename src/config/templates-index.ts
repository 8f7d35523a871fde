import type { Problem } from '../errors.ts'

/** A variable a template uses, and where it stands in the template's file. */
export interface TemplateVariable {
  readonly path: string
  readonly file: string
  readonly line: number
  readonly column: number
  /** The template does without it: it stands in an {{#if}}. */
  readonly optional?: true
  /** Stepped into by {{#with}}, which prints nothing of it: may be a group of values, such as `contact`. */
  readonly entered?: true
}

/**
 * Names of what channels say in the place of a template, where there is such a text: `coupon-sms` for `coupon` by sms.
 * The sending looks for them by the same rule.
 */
export function ownTexts(template: string, channels: readonly (string | undefined)[]): string[] {
  return channels.flatMap((channel) => (channel === undefined ? [] : [`${template}-${channel}`]))
}

/**
 * Whether a text reaches everybody: a contact whose locale has none gets that of the workspace's first locale, or of its
 * language, whatever their segment.
 */
export function isForAll(
  templates: Pick<TemplateIndex, 'segmentsOf' | 'texts'>,
  text: string,
  first: string | undefined,
): boolean {
  const last = [first, first?.split('-')[0]]
  return (
    templates.segmentsOf(text).length === 0 &&
    templates.texts(text).some(({ locale }) => last.includes(locale))
  )
}

/** What the configuration must know of the templates, without rendering one. */
export interface TemplateIndex {
  /** Names campaigns may use, without locale and segment. */
  names(): readonly string[]
  /**
   * What a template reads, its layout and partials included: over all its variants, or over those that contacts of a
   * segment may get (`everyone`: of none).
   */
  variables(name: string, segment?: string): readonly TemplateVariable[]
  /** Segments the template has a variant for. */
  segmentsOf(name: string): readonly string[]
  /** A template's texts as written, one for each locale and segment. */
  texts(name: string): readonly {
    readonly name: string
    readonly locale: string
    readonly file: string
    readonly text: string
    readonly front: Readonly<Record<string, string>>
  }[]
  /** What is wrong with the template files themselves: all, or those that one template is made of. */
  problems(name?: string): readonly Problem[]
}
