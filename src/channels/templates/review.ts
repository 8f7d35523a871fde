import type { Problem } from '../../errors.ts'
import { parseSource } from '../renderer.ts'
import { nearest } from './front-matter.ts'
import { localeChain, type Source, type Sources, sharedSource } from './sources.ts'
import { type PartialSource, type Reading, readProgram, type TemplateVariable } from './syntax.ts'
import { findUnfilled } from './unfilled.ts'

// Everything that can be said of a set of templates before one is rendered.

export interface Review {
  readonly problems: readonly Problem[]
  /** What each template reads, with its layout, partials and front matter. */
  readonly variables: ReadonlyMap<Source, readonly TemplateVariable[]>
  /** The files each template is made of: its own, its layout's, those of the partials either takes in. */
  readonly files: ReadonlyMap<Source, ReadonlySet<string>>
}

/** @param locales the workspace's, the first being the fallback */
export function reviewSources(sources: Sources, locales: readonly string[], folder: string): Review {
  const work: Work = {
    sources,
    fallback: locales[0],
    folder,
    partialNames: [...new Set(sources.partials.map(({ name }) => name))],
    problems: [...sources.problems],
    parsed: new Map(),
    looked: new Set(),
  }
  const variables = new Map<Source, TemplateVariable[]>()
  const files = new Map<Source, ReadonlySet<string>>()
  for (const source of [...sources.partials, ...sources.layouts]) readOwn(source, work)
  for (const source of sources.templates) {
    work.looked.clear()
    variables.set(source, [...readOwn(source, work), ...readLayout(source, work)])
    files.set(source, new Set(work.looked))
    if (lacksSubject(source)) work.problems.push(subjectMissing(source))
  }
  work.problems.push(
    ...missingLanguages(sources.templates, locales, folder),
    ...unreadLanguages(sources, locales),
  )

  // A partial's problem shows in each text that takes it in.
  const unique = new Map(work.problems.map((problem) => [JSON.stringify(problem), problem]))
  return { problems: [...unique.values()].sort(byPlace), variables, files }
}

/** What is reviewed, and what was found so far. */
interface Work {
  readonly sources: Sources
  readonly fallback: string | undefined
  readonly folder: string
  readonly partialNames: readonly string[]
  readonly problems: Problem[]
  /** Undefined where a source cannot be read. */
  readonly parsed: Map<Source, PartialSource | undefined>
  /** Files that were come to since this was emptied. */
  readonly looked: Set<string>
}

/** A source's tree, or undefined where it cannot be read; then said once. */
function parse(source: Source, { parsed, problems, looked }: Work): PartialSource | undefined {
  looked.add(source.file)
  if (parsed.has(source)) return parsed.get(source)
  const { linesBefore, body } = source.front
  const program = parseSource(body)
  const readable = 'type' in program
  if (!readable) {
    problems.push({
      severity: 'error',
      location: { file: source.file, line: linesBefore + program.line, column: program.column },
      path: '',
      message: program.message,
    })
  }
  const result = readable
    ? { program, origin: { file: source.file, linesBefore, columnsBefore: 0 } }
    : undefined
  parsed.set(source, result)
  return result
}

function read({ program, origin }: PartialSource, locale: string, work: Work): Reading {
  const { sources, fallback, partialNames } = work
  const find = (name: string) => {
    const partial = sharedSource(sources.partials, name, locale, fallback)
    return partial && (parse(partial, work) ?? 'unreadable')
  }
  return readProgram(program, origin, find, partialNames, locale)
}

/** The locale whose partials and layout a source takes in. */
function localeOf(source: Source, { fallback }: Work): string {
  return source.locale ?? fallback ?? 'en'
}

/** Variables of a source's own text and front matter; its problems are noted. */
function readOwn(source: Source, work: Work): TemplateVariable[] {
  const locale = localeOf(source, work)
  const readings: Reading[] = []
  const body = parse(source, work)
  if (body) {
    readings.push(read(body, locale, work))
    work.problems.push(...findUnfilled(source.front.body, body.origin))
  }
  for (const [key, { value, line, column }] of source.front.entries) {
    if (key === 'layout') continue
    const program = parseSource(value)
    if ('type' in program) {
      const origin = { file: source.file, linesBefore: line - 1, columnsBefore: column - 1 }
      work.problems.push(...findUnfilled(value, origin))
      readings.push(read({ program, origin }, locale, work))
    } else {
      work.problems.push({
        severity: 'error',
        location: { file: source.file, line, column: column - 1 + program.column },
        path: key,
        message: program.message,
      })
    }
  }
  work.problems.push(...readings.flatMap((reading) => reading.problems))
  return readings.flatMap((reading) => reading.variables)
}

/** Variables of the layout that a source names; that there is none of that name is noted. */
function readLayout(source: Source, work: Work): TemplateVariable[] {
  const entry = source.front.entries.get('layout')
  if (!entry) return []
  const { sources, fallback, folder, problems } = work
  const locale = localeOf(source, work)
  const layout = sharedSource(sources.layouts, entry.value, locale, fallback)
  if (layout) {
    const body = parse(layout, work)
    return body ? read(body, locale, work).variables : []
  }
  const suggestion = nearest(entry.value, new Set(sources.layouts.map(({ name }) => name)))
  problems.push({
    severity: 'error',
    location: { file: source.file, line: entry.line, column: entry.column },
    path: 'layout',
    message: `no layout \`${entry.value}\` in ${folder}/layouts`,
    found: entry.value,
    suggestion,
  })
  return []
}

/**
 * Without front matter, or with a provider's parameters alone, it is a text message; whether a step may send it as something
 * else, its channel says.
 */
function lacksSubject({ front }: Source): boolean {
  // One that is misspelt is told of where it stands.
  const meant = front.problems.some(
    ({ found, suggestion }) => suggestion === 'subject' || found?.startsWith('subject'),
  )
  return (
    !front.entries.has('subject') &&
    !meant &&
    ![...front.entries.keys()].every((key) => key.startsWith('param_'))
  )
}

function subjectMissing({ file }: Source): Problem {
  return {
    severity: 'error',
    location: { file, line: 1, column: 1 },
    path: 'subject',
    message: 'the template has no subject, which an e-mail needs',
    expected: '`subject: …` between two lines `---` at the head of the file',
  }
}

function byPlace({ location: a }: Problem, { location: b }: Problem): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)
}

function missingLanguages(
  templates: readonly Source[],
  locales: readonly string[],
  folder: string,
): Problem[] {
  const problems: Problem[] = []
  for (const name of new Set(templates.map((source) => source.name))) {
    const own = templates.filter((source) => source.name === name)
    const general = own.filter(({ segment }) => segment === undefined)
    for (const locale of locales) {
      // Who reads en-GB reads what is there in en.
      if (general.some((source) => localeChain(locale, undefined).includes(source.locale ?? ''))) continue
      const segments = own.filter((source) => source.locale === locale).map(({ segment }) => segment)
      const instead = localeChain(locale, locales[0])
        .map((each) => general.find((source) => source.locale === each))
        .find((source) => source !== undefined)
      const lack = segments.length === 0 ? 'missing' : `there only for ${segments.join(', ')}`
      // What is not there in the first language is no fallback for anybody.
      const readers = locales.filter((each) =>
        localeChain(each, undefined).some((known) => general.some((source) => source.locale === known)),
      )
      const others = readers.length === 0 ? '' : ` but those who read ${readers.join(', ')}`
      const alone =
        locale === locales[0] && !instead && general.length > 0
          ? `, the first of \`locales\`: nobody${segments.length === 0 ? '' : ' else'} gets it${others}`
          : ''
      problems.push({
        severity: general.length > 0 ? 'warning' : 'error',
        location: { file: `${folder}/${name}.${locale}.hbs` },
        path: name,
        message: `the template \`${name}\` is ${lack} in ${locale}${alone}`,
        ...(instead ? { found: `contacts reading ${locale} get ${instead.file}` } : {}),
      })
    }
  }
  return problems
}

/** Texts in a language that nobody is written to in; once a language, at the first of its files. */
function unreadLanguages({ templates, layouts, partials }: Sources, locales: readonly string[]): Problem[] {
  const read = new Set(locales.flatMap((locale) => localeChain(locale, locales[0])))
  const unread = new Map<string, Source[]>()
  for (const source of [...templates, ...layouts, ...partials]) {
    const { locale } = source
    if (locale !== undefined && !read.has(locale)) unread.set(locale, [...(unread.get(locale) ?? []), source])
  }
  return [...unread].map(([locale, [first, ...rest]]) => {
    const those = rest.length === 1 ? 'the other one' : `the ${rest.length} others`
    const others = rest.length === 0 ? '' : ` nor ${those} in ${locale}`
    return {
      severity: 'warning',
      location: { file: first?.file ?? '' },
      path: first?.name ?? '',
      message: `nobody gets this text${others}: \`${locale}\` is none of \`locales\` in winback.yaml (${locales.join(', ')}); add it there, or take the file away`,
      found: locale,
    }
  })
}
