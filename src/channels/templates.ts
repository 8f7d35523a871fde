import { messageOf, type Problem } from '../errors.ts'
import type { InlineImage, RenderedTemplate, Template, TemplateView, WrittenTemplate } from './channel.ts'
import { createEngine, type Engine, type Program, parseSource, type Render } from './renderer.ts'
import type { FrontKey } from './templates/front-matter.ts'
import { createHelpers } from './templates/helpers.ts'
import { reviewSources } from './templates/review.ts'
import { hashFiles, localeChain, type Source, sharedSource, sortSources } from './templates/sources.ts'
import type { TemplateVariable } from './templates/syntax.ts'
import { textSource, tidyText } from './templates/text.ts'

export { readTemplateFiles } from './templates/sources.ts'

/** Every template of a folder, compiled once. Also what the configuration needs to know of templates. */
export interface TemplateSet {
  /** sha-256 over names and contents, hex: which texts a campaign version was applied with. */
  readonly hash: string
  names(): string[]
  /** The segments a template has a variant for. */
  segmentsOf(name: string): string[]
  /**
   * What a template reads, with layout, partials and front matter: over all its variants, or over those that a contact
   * of a segment may get, whatever their locale.
   */
  variables(name: string, segment?: string): TemplateVariable[]
  /** A template's texts as written, one for each locale and segment. */
  texts(name: string): WrittenTemplate[]
  /** Of all files; with a name, of those that template is made of, in each locale and for each segment. */
  problems(name?: string): Problem[]
  /**
   * The nearest variant: in the locale, else its language, else the workspace's first locale; in each, the
   * segment's before the general one. Undefined where there is none, or none that can be read.
   */
  find(name: string, wanted: { locale: string; segment?: string | undefined }): Template | undefined
}

/**
 * Reads a folder's files into a set. Never throws: whatever is wrong is in `problems()`, and a template that
 * cannot be read is not found.
 * @param files as {@link readTemplateFiles} gives them, or as a campaign version kept them
 * @param options.locales the workspace's, the first being the fallback; without it, those the files name
 * @param options.folder what stands before a file's name in a problem
 */
export function parseTemplates(
  files: Readonly<Record<string, string>>,
  options: { locales?: readonly string[]; folder?: string } = {},
): TemplateSet {
  const folder = options.folder ?? 'templates'
  const sources = sortSources(files, folder)
  const { templates, layouts, partials } = sources
  const locales = options.locales ?? [...new Set(templates.flatMap(({ locale }) => locale ?? []))].sort()
  const fallback = locales[0]
  const { problems, variables, files: parts } = reviewSources(sources, locales, folder)

  const errors = problems.filter(({ severity }) => severity === 'error')
  const broken = new Set(errors.map(({ location }) => location.file))
  const usable = (source: Source | undefined): source is Source =>
    source !== undefined && !broken.has(source.file)

  const helpers = createHelpers()
  const engines = new Map<string, Engines>()
  const enginesFor = (locale: string): Engines => {
    const known = engines.get(locale)
    if (known) return known
    const made = { html: createEngine('html', helpers), text: createEngine('text', helpers) }
    for (const name of new Set(partials.map((source) => source.name))) {
      const source = sharedSource(partials, name, locale, fallback)
      if (!usable(source)) continue
      made.html.addPartial(name, readable(source.front.body, 'html'))
      made.text.addPartial(name, readable(textSource(source.front.body), 'text'))
    }
    engines.set(locale, made)
    return made
  }

  const compiled = new Map<Source, Template>()
  const compile = (source: Source, locale: string): Template | undefined => {
    const known = compiled.get(source)
    if (known) return known
    const layoutName = source.front.entries.get('layout')?.value
    const layout = layoutName === undefined ? undefined : sharedSource(layouts, layoutName, locale, fallback)
    if (layoutName !== undefined && !usable(layout)) return undefined
    const read = variables.get(source) ?? []
    const template = compileTemplate(source, layout, locale, enginesFor(locale), read)
    compiled.set(source, template)
    return template
  }

  const search = (
    name: string,
    wanted: { locale: string; segment?: string | undefined },
  ): Template | undefined => {
    for (const locale of localeChain(wanted.locale, fallback)) {
      for (const segment of new Set([wanted.segment, undefined])) {
        const source = templates.find(
          (one) => one.name === name && one.locale === locale && one.segment === segment,
        )
        const template = usable(source) ? compile(source, locale) : undefined
        if (template) return template
      }
    }
    return undefined
  }
  const plain = new Map<Source, string>()
  const textOf = (source: Source): string => {
    const text = plain.get(source) ?? textSource(source.front.body)
    plain.set(source, text)
    return text
  }
  // The files do not change: what a message asked for, the next of the batch asks for, too.
  const found = new Map<string, Template | undefined>()

  return {
    hash: hashFiles(files),
    names: () => [...new Set(templates.map((source) => source.name))],
    segmentsOf: (name) => {
      const own = templates.filter((source) => source.name === name)
      return [...new Set(own.flatMap(({ segment }) => segment ?? []))]
    },
    variables: (name, segment) => {
      const own = templates.filter((source) => source.name === name)
      return (segment === undefined ? own : reachable(own, segment)).flatMap(
        (source) => variables.get(source) ?? [],
      )
    },
    texts: (name) =>
      templates
        .filter((source) => source.name === name && usable(source))
        .map((source) => ({
          name,
          locale: source.locale ?? '',
          file: source.file,
          // Converted for whoever reads it: what checks a mail or a push looks at the front alone.
          get text() {
            return textOf(source)
          },
          front: Object.fromEntries([...source.front.entries].map(([key, { value }]) => [key, value])),
        })),
    problems: (name) => {
      if (name === undefined) return [...problems]
      const own = templates.filter((source) => source.name === name)
      const made = new Set(own.flatMap((source) => [...(parts.get(source) ?? [])]))
      // Where one is missing, the problem is of the file that is not there.
      return problems.filter(
        ({ location: { file } }) => made.has(file) || file.startsWith(`${folder}/${name}.`),
      )
    },
    find: (name, wanted) => {
      const key = `${name}\n${wanted.locale}\n${wanted.segment}`
      if (!found.has(key)) found.set(key, search(name, wanted))
      return found.get(key)
    },
  }
}

/** The files of one template that a contact of a segment may get: in each locale the segment's, else the general one. */
function reachable(own: readonly Source[], segment: string): Source[] {
  return own.filter(
    (source) =>
      source.segment === segment ||
      (source.segment === undefined &&
        !own.some((other) => other.locale === source.locale && other.segment === segment)),
  )
}

interface Engines {
  readonly html: Engine
  readonly text: Engine
}

/** The tree of a source that the review found readable. */
function readable(source: string, kind: 'html' | 'text'): Program {
  const program = parseSource(source, kind)
  if ('type' in program) return program
  throw new Error(program.message)
}

function compileTemplate(
  source: Source,
  layout: Source | undefined,
  locale: string,
  engines: Engines,
  variables: readonly TemplateVariable[],
): Template {
  const both = (body: string): { html: Render; text: Render } => ({
    html: engines.html.compile(readable(body, 'html')),
    text: engines.text.compile(readable(textSource(body), 'text')),
  })
  const body = both(source.front.body)
  const around = layout && both(layout.front.body)
  const front: [FrontKey, Render][] = []
  for (const [key, { value }] of source.front.entries) {
    if (key !== 'layout') front.push([key, engines.text.compile(readable(value, 'text'))])
  }

  const render = (view: TemplateView): RenderedTemplate => {
    const rendered: Record<string, string> = {}
    const images: InlineImage[] = []
    const bare = { locale, subject: '', preheader: '', body: '', images }
    for (const [key, renderValue] of front) rendered[key] = renderValue(view, bare)
    const data = { ...bare, subject: rendered.subject ?? '', preheader: rendered.preheader ?? '' }
    const html = body.html(view, data)
    const text = body.text(view, data)
    return {
      front: rendered,
      html: around ? around.html(view, { ...data, body: html }) : html,
      text: tidyText(around ? around.text(view, { ...data, body: text }) : text),
      ...(images.length > 0 ? { images } : {}),
    }
  }
  return {
    name: source.name,
    locale,
    render: (view) => {
      try {
        return render(view)
      } catch (cause) {
        const lost = variables.find(({ path }) => hasNoPlace(path, view))
        const message =
          cause instanceof TypeError && lost ? `no value was given for ${lost.path}` : messageOf(cause)
        throw new Error(`${source.file}: ${message}`, { cause })
      }
    },
  }
}

/** Whether something on the way to a value is missing: what a strict look-up trips over without naming it. */
function hasNoPlace(path: string, view: TemplateView): boolean {
  let value: unknown = view
  for (const part of path.split('.').slice(0, -1)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return true
    value = Reflect.get(value, part)
  }
  return typeof value !== 'object' || value === null
}
