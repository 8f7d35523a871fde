import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Problem, WinbackError, whyUnreadable } from '../../errors.ts'
import { type FrontMatter, parseFrontMatter } from './front-matter.ts'

// Which files there are, and what their names say: coupon.en.hbs, coupon.en.vip.hbs, layouts/base.hbs,
// partials/footer.zh-CN.hbs.

export interface Source {
  readonly name: string
  /** Absent for a layout or partial that serves every language. */
  readonly locale: string | undefined
  readonly segment: string | undefined
  /** As a problem names it. */
  readonly file: string
  readonly front: FrontMatter
}

export interface Sources {
  readonly templates: readonly Source[]
  readonly layouts: readonly Source[]
  readonly partials: readonly Source[]
  readonly problems: readonly Problem[]
}

const FILE = /^(?:(layouts|partials)\/)?([a-z][a-z0-9_-]*)((?:\.[A-Za-z0-9_-]+)*)\.hbs$/
const LOCALE = /^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$/

/**
 * Reads every `.hbs` file below a folder: relative path (with `/`) → text.
 * @throws WinbackError `templates.unreadable` naming the folder, or the files in another encoding
 */
export async function readTemplateFiles(folder: string): Promise<Record<string, string>> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    const paths = entries
      .filter((entry) => entry.isFile() && entry.name.endsWith('.hbs'))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
    if (paths.length > MOST_TEMPLATES) throw tooMuch(folder, `holds ${paths.length} templates`, MANY)
    const files: [string, string][] = []
    const garbled: string[] = []
    let room = LARGEST_SET
    for (const path of paths) {
      const { size } = await stat(path)
      if (size > LARGEST_TEMPLATE) throw tooMuch(path, `has ${inKilobytes(size)}`, LARGE)
      room -= size
      if (room < 0) throw tooMuch(folder, `holds more than ${inKilobytes(LARGEST_SET)} of templates`, MANY)
      const relative = path.slice(join(folder, '/').length).replaceAll('\\', '/')
      const text = textOf(await readFile(path))
      if (text === undefined) garbled.push(relative)
      else files.push([relative, text])
    }
    // All at once: an editor that saves one in another encoding saves all of them so.
    if (garbled.length > 0) throw notUtf8(folder, garbled)
    return Object.fromEntries(files)
  } catch (cause) {
    if (cause instanceof WinbackError) throw cause
    throw new WinbackError('templates.unreadable', `The templates cannot be read: ${whyUnreadable(cause)}`, {
      location: { file: folder },
      remedy: 'Name the folder under `templates:` in winback.yaml, or run `winback init`.',
      cause,
    })
  }
}

/** Bytes of one template: Gmail cuts a message off behind 102 kB, whatever is in it. */
const LARGEST_TEMPLATE = 200_000
/** Bytes of all of them, which go with each version of a campaign, and how many files they are. */
const LARGEST_SET = 10_000_000
const MOST_TEMPLATES = 5_000

const inKilobytes = (bytes: number) => `${Math.ceil(bytes / 1000)} kB`
const LARGE = `A template has at most ${inKilobytes(LARGEST_TEMPLATE)}; Gmail cuts a message off behind 102 kB. Shorten it, and link to its pictures.`
const MANY = `A folder of templates holds at most ${MOST_TEMPLATES} files of ${inKilobytes(LARGEST_SET)} in all. Move those that no campaign names elsewhere.`

function tooMuch(file: string, what: string, remedy: string): WinbackError {
  return new WinbackError('templates.unreadable', `${file} ${what}`, { location: { file }, remedy })
}

/** Undefined of another encoding: read as what it is not, it would go out as signs nobody can read. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function notUtf8(folder: string, names: readonly string[]): WinbackError {
  const [first = '', ...others] = names
  const file = others.length > 0 ? folder : join(folder, first)
  const what =
    others.length > 0 ? `has templates that are not UTF-8 text: ${names.join(', ')}` : 'is not UTF-8 text'
  return new WinbackError('templates.unreadable', `${file} ${what}`, {
    location: { file },
    remedy: `Save ${others.length > 0 ? 'each' : 'the file'} as UTF-8: iconv -f GBK -t UTF-8 does so for one written in GBK, iconv -f WINDOWS-1252 -t UTF-8 for Western Europe.`,
  })
}

/** Sorts files by what their names say. `folder` stands before a file's name in a problem. */
export function sortSources(files: Readonly<Record<string, string>>, folder: string): Sources {
  const sources = { templates: [] as Source[], layouts: [] as Source[], partials: [] as Source[] }
  const problems: Problem[] = []
  for (const path of Object.keys(files).sort()) {
    const file = `${folder}/${path}`
    const complain = (message: string) =>
      problems.push({ severity: 'error', location: { file }, path: '', message })
    const match = FILE.exec(path)
    if (!match) {
      complain(
        'expected a name such as coupon.en.hbs, coupon.en.vip.hbs, layouts/base.hbs or partials/footer.hbs',
      )
      continue
    }
    const [, kind, name = '', rest = ''] = match
    const [locale, segment, ...more] = rest.split('.').slice(1)
    if (more.length > 0 || (kind !== undefined && segment !== undefined)) {
      complain('the name has too many parts')
    } else if (kind === undefined && locale === undefined) {
      complain(`the name lacks a locale: ${name}.en.hbs`)
    } else if (locale !== undefined && !LOCALE.test(locale)) {
      complain(`\`${locale}\` is not a locale: expected one such as en or zh-CN`)
    } else {
      const text = files[path] ?? ''
      const front = kind === undefined ? parseFrontMatter(text, file) : withoutFrontMatter(text)
      problems.push(...front.problems)
      const list = kind === 'layouts' || kind === 'partials' ? sources[kind] : sources.templates
      list.push({ name, locale, segment, file, front })
    }
  }
  return { ...sources, problems }
}

function withoutFrontMatter(text: string): FrontMatter {
  // An included text is set into a line: the line break that ends its file is no part of it.
  const body = text.replaceAll('\r\n', '\n').replace(/\n+$/, '')
  return { entries: new Map(), body, linesBefore: 0, problems: [] }
}

/** The languages a text is looked for in, best first: a locale before its language, the fallback likewise. */
export function localeChain(locale: string, fallback: string | undefined): string[] {
  const readers = fallback === undefined ? [locale] : [locale, fallback]
  return [...new Set(readers.flatMap((each) => [each, each.split('-')[0] ?? each]))]
}

/** A layout or partial in a language, else the one that serves every language, else in the fallback. */
export function sharedSource(
  sources: readonly Source[],
  name: string,
  locale: string,
  fallback: string | undefined,
): Source | undefined {
  const last = fallback === undefined ? [] : localeChain(fallback, undefined)
  for (const wanted of [...localeChain(locale, undefined), undefined, ...last]) {
    const found = sources.find((source) => source.name === name && source.locale === wanted)
    if (found) return found
  }
  return undefined
}

/** sha-256 over names and contents, hex; the order of files and the kind of line breaks make no difference. */
export function hashFiles(files: Readonly<Record<string, string>>): string {
  const hash = createHash('sha256')
  for (const path of Object.keys(files).sort()) {
    const text = (files[path] ?? '').replaceAll('\r\n', '\n')
    // Lengths keep two neighbouring texts from being read as one.
    hash.update(`${path.length}:${path}${text.length}:${text}`)
  }
  return hash.digest('hex')
}
