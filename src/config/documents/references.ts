import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Problem, whyUnreadable } from '../../errors.ts'
import type { Environment } from '../environment.ts'
import { nearest } from '../nearest-name.ts'
import { ownChannels } from '../workspace.ts'
import { formatPath, type Path, type SourceDocument, valueAt } from './document.ts'
import { IN_CLEAR } from './in-clear.ts'
import { secretsOf } from './secrets.ts'

// References in winback.yaml: ${NAME}, ${NAME:-value} and ${file:path}. They are filled in after the YAML is parsed,
// so that no secret can change the shape of the file, and before the schema sees it.

const REFERENCE = /\$\{([^}]*)\}/g
const NAMED = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/

/** Values that are secrets: they are only ever written as a reference. What a channel's are, its own settings say. */
const SECRETS: readonly Path[] = [
  ['offers', 'provider', 'token'],
  ...secretsOf(ownChannels).map((path): Path => ['channels', ...path]),
]
/** URLs whose password is a secret. */
const URLS: readonly Path[] = [
  ['database', 'url'],
  ['redis', 'url'],
]

/** Whether a secret stands at a path, as {@link formatPath} writes it. */
export function isSecret(path: string): boolean {
  return SECRETS.some((secret) => formatPath(secret) === path)
}

/** Whether a value as it was written has a reference in it. */
export function isReference(written: unknown): written is string {
  return typeof written === 'string' && written.includes('${')
}

/** What a shell would fill in, and winback.yaml does not: refused, for the braces were meant. */
const BARE = /^\$[A-Z][A-Z0-9_]*$/

/** Whether a text stands for itself in winback.yaml. */
export function isLiteral(text: string): boolean {
  return !isReference(text) && !BARE.test(text)
}

/**
 * Fills in the references of a workspace file. `directory` is what `${file:…}` is relative to.
 * A missing variable or file, and a secret that stands in the file in clear, is a Problem at its place.
 * @param outside where the secrets of channels from outside stand
 * @returns `told`: the paths of those of which no more is to be said, for the value is not the one that was meant
 */
export function fillReferences(
  document: SourceDocument,
  environment: Environment,
  directory: string,
  outside: readonly Path[],
): { value: unknown; problems: Problem[]; told: ReadonlySet<string> } {
  const problems = literalSecrets(document, [...SECRETS, ...outside])
  const masked = maskedUrls(document)

  /** What nothing would fill in, and would be taken as it stands; a secret is told of already. */
  const unclosed = (text: string, path: Path) => {
    const offset = text.replaceAll(REFERENCE, (whole) => ' '.repeat(whole.length)).indexOf('${')
    if (offset === -1 || problems.some((each) => each.path === formatPath(path))) return
    problems.push({
      severity: 'error',
      location: document.locateInside(path, offset),
      path: formatPath(path),
      message: 'this `${` is closed nowhere; end it with `}`',
    })
  }
  const fill = (text: string, path: Path): string =>
    text.replaceAll(REFERENCE, (whole, inside: string, offset: number) => {
      const found = lookUp(inside, environment, directory)
      if ('value' in found) return found.value
      problems.push({
        severity: 'error',
        location: document.locateInside(path, offset),
        path: formatPath(path),
        message: found.message,
        found: whole,
        ...(found.suggestion === undefined ? {} : { suggestion: found.suggestion }),
      })
      return ''
    })
  /** What a shell would fill in; a secret is told of already. */
  const bare = (text: string, path: Path) => {
    if (problems.some((each) => each.path === formatPath(path))) return
    problems.push({
      severity: 'error',
      location: document.locate(path),
      path: formatPath(path),
      message: `\`${text}\` would be taken as it stands; write \${${text.slice(1)}}`,
      found: text,
    })
  }
  const walk = (value: unknown, path: Path): unknown => {
    if (typeof value === 'string') {
      if (BARE.test(value)) bare(value, path)
      unclosed(value, path)
      return isReference(value) ? fill(value, path) : (masked.get(formatPath(path)) ?? value)
    }
    if (Array.isArray(value)) return value.map((item, index) => walk(item, [...path, index]))
    if (value === null || typeof value !== 'object') return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item, [...path, key])]))
  }
  const value = walk(document.value, [])
  const told = problems.map(({ path }) => path).filter((path) => !masked.has(path))
  return { value, problems, told: new Set(told) }
}

function lookUp(
  inside: string,
  environment: Environment,
  directory: string,
): { value: string } | { message: string; suggestion?: string | undefined } {
  if (inside.startsWith('file:')) {
    const path = inside.slice('file:'.length)
    try {
      // Editors end a file with a line break that no secret has.
      const value = readFileSync(resolve(directory, path), 'utf8').replace(/\r?\n$/, '')
      // As a variable that is set to nothing: a secret that was cut off on its way would be sent as none.
      return value === '' ? { message: `the file ${path} is empty` } : { value }
    } catch (error) {
      return { message: `the file ${path} cannot be read (${whyUnreadable(error)})` }
    }
  }
  const [, name, fallback] = NAMED.exec(inside) ?? []
  if (name === undefined) return { message: `expected \${NAME}, \${NAME:-value} or \${file:path}` }
  const value = environment.variables[name] || fallback
  if (value !== undefined) return { value }
  const names = Object.entries(environment.variables).flatMap(([each, set]) => (set ? [each] : []))
  return { message: `the environment variable ${name} is not set`, suggestion: nearest(name, names) }
}

function literalSecrets(document: SourceDocument, secrets: readonly Path[]): Problem[] {
  const problems: Problem[] = []
  const refuse = (path: Path, message: string) =>
    problems.push({ severity: 'error', location: document.locate(path), path: formatPath(path), message })

  for (const path of secrets) {
    const written = valueAt(document.value, path)
    // A password of digits alone is a number to YAML.
    const text = typeof written === 'number' || typeof written === 'boolean' ? String(written) : written
    if (typeof text !== 'string' || text === '') continue
    // `.` cannot stand in a name, so nothing but references may be left when they are taken out.
    if (text.replaceAll(REFERENCE, '') !== '' || /:-[^}]/.test(text)) refuse(path, IN_CLEAR)
  }
  for (const { path, text } of urlsOf(document)) {
    // A reference without a default says nothing; with one, the default is in clear.
    const masked = text.replaceAll(REFERENCE, (_, inside: string) => (/:-./.test(inside) ? 'default' : ''))
    for (const place of PASSWORDS) {
      if (place.test(masked)) {
        refuse(
          path,
          `a password stands in this url in clear; write it as \${NAME}, or the whole url as a reference`,
        )
      }
    }
  }
  return problems
}

/** Where a url has its password, and what stands before it. */
const PASSWORDS = [/(^[a-z+]+:\/\/[^/@:]*:)[^@]+(?=@)/i, /([?&]password=)[^&]+/i]

function* urlsOf({ value }: SourceDocument): Generator<{ path: Path; text: string }> {
  const syncs = valueAt(value, ['sync'])
  const ofSyncs = Object.keys(typeof syncs === 'object' && syncs !== null ? syncs : {}).map(
    (name): Path => ['sync', name, 'url'],
  )
  for (const path of [...URLS, ...ofSyncs]) {
    const text = valueAt(value, path)
    if (typeof text === 'string') yield { path, text }
  }
}

/** The urls that are refused for a password in clear, without it: what else is wrong with them can be told as well. */
function maskedUrls(document: SourceDocument): ReadonlyMap<string, string> {
  const masked = new Map<string, string>()
  for (const { path, text } of urlsOf(document)) {
    if (isReference(text)) continue
    const without = PASSWORDS.reduce<string>((url, place) => url.replace(place, '$1…'), text)
    if (without !== text) masked.set(formatPath(path), without)
  }
  return masked
}
