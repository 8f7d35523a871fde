import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, type Problem, WinbackError } from '../errors.ts'
import type { RenderedTemplate, Template, TemplateView } from './channel.ts'
import { createEngine, type Engine, parseSource, type Render } from './renderer.ts'
import { type FrontKey, type FrontMatter, nearest, parseFrontMatter } from './templates/front-matter.ts'
import { createHelpers } from './templates/helpers.ts'
import { type Origin, type PartialSource, readProgram, type TemplateVariable } from './templates/syntax.ts'
import { textSource, tidyText } from './templates/text.ts'

export type { TemplateVariable } from './templates/syntax.ts'

/** Every template of a folder, compiled once. Also what the configuration needs to know of templates. */
export interface TemplateSet {
  /** sha-256 over names and contents, hex: which texts a campaign version was applied with. */
  readonly hash: string
  names(): string[]
  /** The segments a template has a variant for. */
  segmentsOf(name: string): string[]
  /** What a template reads, over all its variants, with layout, partials and front matter. */
  variables(name: string): TemplateVariable[]
  problems(): Problem[]
  /** The nearest variant: of the segment and locale, the locale, its language, the workspace's first locale. */
  find(name: string, wanted: { locale: string; segment?: string | undefined }): Template | undefined
}

const FILE = /^(?:(layouts|partials)\/)?([a-z][a-z0-9_-]*)((?:\.[A-Za-z0-9_-]+)*)\.hbs$/
const LOCALE = /^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$/

/**
 * Reads every `.hbs` file below a folder: relative path (with `/`) → text.
 * @throws WinbackError `templates.unreadable` naming the folder
 */
export async function readTemplateFiles(folder: string): Promise<Record<string, string>> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    const paths = entries
      .filter((entry) => entry.isFile() && entry.name.endsWith('.hbs'))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
    const files = await Promise.all(
      paths.map(async (path) => {
        const relative = path.slice(join(folder, '/').length).replaceAll('\\', '/')
        return [relative, await readFile(path, 'utf8')] as const
      }),
    )
    return Object.fromEntries(files)
  } catch (cause) {
    throw new WinbackError('templates.unreadable', `The templates cannot be read: ${messageOf(cause)}`, {
      location: { file: folder },
      remedy: 'Name the folder under `templates:` in winback.yaml, or run `winback init`.',
      cause,
    })
  }
}

interface Source {
  readonly name: string
  readonly locale: string | undefined
  readonly segment: string | undefined
  readonly file: string
  readonly front: FrontMatter
  readonly origin: Origin
}

/** The languages a text is looked for in, best first. */
function localeChain(locale: string, fallback: string | undefined): string[] {
  const language = locale.split('-')[0] ?? locale
  return [...new Set([locale, language, ...(fallback === undefined ? [] : [fallback])])]
}

/**
 * Reads a folder's files into a set. Never throws: whatever is wrong is in `problems()`, and a template that
 * cannot be read is not found.
 * @param options.locales the workspace's, the first being the fallback; without it, those the files name
 * @param options.folder what stands before a file's name in a problem
 */
export function parseTemplates(
  files: Readonly<Record<string, string>>,
  options: { locales?: readonly string[]; folder?: string } = {},
): TemplateSet {
  const folder = options.folder ?? 'templates'
  const problems: Problem[] = []
  const templates: Source[] = []
  const layouts: Source[] = []
  const partials: Source[] = []

  const paths = Object.keys(files).sort()
  for (const path of paths) {
    const file = `${folder}/${path}`
    const wrongName = (message: string) =>
      problems.push({ severity: 'error', location: { file }, path: '', message })
    const match = FILE.exec(path)
    if (!match) {
      wrongName(
        'expected a name such as coupon.en.hbs, coupon.en.vip.hbs, layouts/base.hbs or partials/footer.hbs',
      )
      continue
    }
    const [, kind, name = '', rest = ''] = match
    const [locale, segment, ...more] = rest.split('.').slice(1)
    if (more.length > 0 || (kind !== undefined && segment !== undefined)) {
      wrongName('the name has too many parts')
      continue
    }
    if (kind === undefined && locale === undefined) {
      wrongName(`the name lacks a locale: ${name}.en.hbs`)
      continue
    }
    if (locale !== undefined && !LOCALE.test(locale)) {
      wrongName(`\`${locale}\` is not a locale: expected one such as en or zh-CN`)
      continue
    }
    const text = files[path] ?? ''
    const front =
      kind === undefined
        ? parseFrontMatter(text, file)
        : {
            entries: new Map(),
            // An included text is set into a line: the line break that ends its file is not part of it.
            body: text.replaceAll('\r\n', '\n').replace(/\n+$/, ''),
            linesBefore: 0,
            problems: [],
          }
    problems.push(...front.problems)
    const origin = { file, linesBefore: front.linesBefore, columnsBefore: 0 }
    const target = kind === 'layouts' ? layouts : kind === 'partials' ? partials : templates
    target.push({ name, locale, segment, file, front, origin })
  }

  const locales = options.locales ?? [...new Set(templates.flatMap((source) => source.locale ?? []))].sort()
  const fallback = locales[0]
  const partialNames = [...new Set(partials.map((source) => source.name))]
  const layoutNames = [...new Set(layouts.map((source) => source.name))]

  /** A layout or partial in a language, else in the fallbacks, else the one without a language. */
  const shared = (sources: readonly Source[], name: string, locale: string): Source | undefined => {
    for (const wanted of [...localeChain(locale, undefined), undefined, fallback]) {
      const found = sources.find((source) => source.name === name && source.locale === wanted)
      if (found) return found
    }
    return undefined
  }

  const parsed = new Map<Source, PartialSource | undefined>()
  const parse = (source: Source): PartialSource | undefined => {
    if (parsed.has(source)) return parsed.get(source)
    const program = parseSource(source.front.body)
    let result: PartialSource | undefined
    if ('type' in program) result = { program, origin: source.origin }
    else {
      problems.push({
        severity: 'error',
        location: {
          file: source.file,
          line: source.origin.linesBefore + program.line,
          column: program.column,
        },
        path: '',
        message: program.message,
      })
    }
    parsed.set(source, result)
    return result
  }
  const partialIn = (locale: string) => (name: string) => {
    const source = shared(partials, name, locale)
    return source && parse(source)
  }

  const variables = new Map<Source, TemplateVariable[]>()
  for (const source of [...partials, ...layouts, ...templates]) {
    const locale = source.locale ?? fallback ?? 'en'
    const body = parse(source)
    const read: TemplateVariable[] = []
    if (body) {
      const reading = readProgram(body.program, body.origin, partialIn(locale), partialNames)
      read.push(...reading.variables)
      problems.push(...reading.problems)
    }
    for (const [key, entry] of source.front.entries) {
      if (key === 'layout') continue
      const origin = {
        file: source.file,
        linesBefore: entry.line - 1,
        columnsBefore: entry.column - 1,
      }
      const program = parseSource(entry.value)
      if (!('type' in program)) {
        problems.push({
          severity: 'error',
          location: { file: source.file, line: entry.line, column: origin.columnsBefore + program.column },
          path: key,
          message: program.message,
        })
        continue
      }
      const reading = readProgram(program, origin, partialIn(locale), partialNames)
      read.push(...reading.variables)
      problems.push(...reading.problems)
    }
    if (templates.includes(source)) {
      const layout = source.front.entries.get('layout')
      const found = layout && shared(layouts, layout.value, locale)
      if (layout && !found) {
        const suggestion = nearest(layout.value, layoutNames)
        problems.push({
          severity: 'error',
          location: { file: source.file, line: layout.line, column: layout.column },
          path: 'layout',
          message: `no layout \`${layout.value}\` in ${folder}/layouts`,
          found: layout.value,
          ...(suggestion === undefined ? {} : { suggestion }),
        })
      }
      const laid = found && parse(found)
      if (laid) {
        read.push(...readProgram(laid.program, laid.origin, partialIn(locale), partialNames).variables)
      }
      if (!source.front.entries.has('subject')) {
        problems.push({
          severity: 'error',
          location: { file: source.file, line: 1, column: 1 },
          path: 'subject',
          message: 'the template has no subject, which an e-mail needs',
          expected: '`subject: …` between two lines `---` at the head of the file',
        })
      }
    }
    variables.set(source, read)
  }

  const names = [...new Set(templates.map((source) => source.name))]
  for (const name of names) {
    const own = templates.filter((source) => source.name === name)
    for (const locale of locales) {
      if (own.some((source) => source.locale === locale && source.segment === undefined)) continue
      const segments = own.filter((source) => source.locale === locale).map((source) => source.segment)
      const other = own.find((source) => source.segment === undefined)
      const instead = segments.length > 0 ? `only for ${segments.join(', ')}` : 'not at all'
      problems.push({
        severity: other ? 'warning' : 'error',
        location: { file: `${folder}/${name}.${locale}.hbs` },
        path: name,
        message: `the template \`${name}\` is there in ${locale} ${instead}`,
        ...(other ? { found: `contacts reading ${locale} get another language, such as ${other.file}` } : {}),
      })
    }
  }

  const engines = new Map<string, { html: Engine; text: Engine }>()
  const helpers = createHelpers()
  const enginesFor = (locale: string) => {
    const known = engines.get(locale)
    if (known) return known
    const made = { html: createEngine('html', helpers), text: createEngine('text', helpers) }
    for (const name of partialNames) {
      const source = shared(partials, name, locale)
      // One that cannot be read fails the templates that use it, not the others.
      if (!source || !parse(source)) continue
      made.html.addPartial(name, readable(source.front.body))
      made.text.addPartial(name, readable(textSource(source.front.body), 'text'))
    }
    engines.set(locale, made)
    return made
  }

  const compiled = new Map<Source, Template>()
  const broken = new Set(
    problems.filter(({ severity }) => severity === 'error').map(({ location }) => location.file),
  )
  const usable = (source: Source | undefined): source is Source =>
    source !== undefined && !broken.has(source.file)

  const find: TemplateSet['find'] = (name, wanted) => {
    for (const locale of localeChain(wanted.locale, fallback)) {
      for (const segment of new Set([wanted.segment, undefined])) {
        const source = templates.find(
          (candidate) =>
            candidate.name === name && candidate.locale === locale && candidate.segment === segment,
        )
        if (!usable(source)) continue
        const known = compiled.get(source)
        if (known) return known
        const layoutName = source.front.entries.get('layout')?.value
        const layout = layoutName === undefined ? undefined : shared(layouts, layoutName, locale)
        if (layoutName !== undefined && !usable(layout)) continue
        const template = compileTemplate(source, layout, locale, enginesFor(locale))
        compiled.set(source, template)
        return template
      }
    }
    return undefined
  }

  return {
    hash: hashFiles(files, paths),
    names: () => names,
    segmentsOf: (name) => [
      ...new Set(
        templates.filter((source) => source.name === name).flatMap((source) => source.segment ?? []),
      ),
    ],
    variables: (name) =>
      templates.filter((source) => source.name === name).flatMap((source) => variables.get(source) ?? []),
    problems: () => problems,
    find,
  }
}

function hashFiles(files: Readonly<Record<string, string>>, paths: readonly string[]): string {
  const hash = createHash('sha256')
  // Lengths keep two neighbouring texts from being read as one.
  for (const path of paths) {
    const text = (files[path] ?? '').replaceAll('\r\n', '\n')
    hash.update(`${path.length}:${path}${text.length}:${text}`)
  }
  return hash.digest('hex')
}

/** A source that was already found readable. */
function readable(source: string, kind: 'html' | 'text' = 'html') {
  const program = parseSource(source, kind)
  if ('type' in program) return program
  throw new Error(program.message)
}

function compileTemplate(
  source: Source,
  layout: Source | undefined,
  locale: string,
  engines: { html: Engine; text: Engine },
): Template {
  const { html, text } = engines
  const bodies = {
    html: html.compile(readable(source.front.body)),
    text: text.compile(readable(textSource(source.front.body), 'text')),
  }
  const layouts = layout && {
    html: html.compile(readable(layout.front.body)),
    text: text.compile(readable(textSource(layout.front.body), 'text')),
  }
  const front: [FrontKey, Render][] = []
  for (const [key, entry] of source.front.entries) {
    if (key !== 'layout') front.push([key, text.compile(readable(entry.value, 'text'))])
  }

  const render = (view: TemplateView): RenderedTemplate => {
    const rendered: Record<string, string> = {}
    const bare = { locale, subject: '', preheader: '', body: '' }
    for (const [key, renderValue] of front) rendered[key] = renderValue(view, bare)
    const data = { ...bare, subject: rendered.subject ?? '', preheader: rendered.preheader ?? '' }
    const bodyHtml = bodies.html(view, data)
    const bodyText = bodies.text(view, data)
    return {
      front: rendered,
      html: layouts ? layouts.html(view, { ...data, body: bodyHtml }) : bodyHtml,
      text: tidyText(layouts ? layouts.text(view, { ...data, body: bodyText }) : bodyText),
    }
  }
  return {
    name: source.name,
    render: (view) => {
      try {
        return render(view)
      } catch (cause) {
        throw new Error(`${source.file}: ${messageOf(cause)}`, { cause })
      }
    },
  }
}
