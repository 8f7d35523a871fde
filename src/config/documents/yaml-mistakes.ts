import {
  type Alias,
  type Document,
  isAlias,
  isCollection,
  isNode,
  isPair,
  isScalar,
  isSeq,
  type Node,
  visit,
  type YAMLError,
} from 'yaml'
import type { Location, Problem } from '../../errors.ts'
import { DEEPEST } from './depth.ts'
import { fullWidthHint } from './full-width.ts'
import { looksSecret } from './in-clear.ts'

// What is wrong with a text as YAML, in words and where it is to be mended.

export const TOO_DEEP = `this stands more than ${DEEPEST} blocks or lists deep, and nothing does; take brackets or indentation out`

const EXPLAINED: Record<string, string> = {
  BAD_SCALAR_START: 'a text that begins with this character stands in quotes',
  TAG_RESOLVE_FAILED: 'a text that begins with ! stands in quotes',
  TAB_AS_INDENT: 'a tab is used for indentation; use spaces',
  BAD_INDENT: 'the indentation does not fit what is above it',
  BLOCK_AS_IMPLICIT_KEY: 'a text with `: ` in it stands in quotes',
  RESOURCE_EXHAUSTION: TOO_DEEP,
  MULTIPLE_DOCS: 'the file holds more than one document (---); keep one',
}

/** One problem for each mistake. @param targets of {@link aliasTargets} @param at where an offset of the text stands in the file */
export function findMistakes(
  document: Document,
  text: string,
  targets: ReadonlyMap<Alias, Node>,
  at: (offset: number) => Location,
): Problem[] {
  const deep = tooDeep(document, at)
  if (deep.length > 0) return deep
  const aliases = brokenAliases(document, targets, at)
  const told = new Set(aliases.map(({ location }) => location.line))
  return [
    ...[
      ...syntaxMistakes(document, text, at),
      ...repeatedKeys(document, at),
      ...cutNumbers(document, at),
    ].filter(({ location }) => !told.has(location.line)),
    ...aliases,
  ]
}

/** Keys that stood in the same block before. */
function repeatedKeys(document: Document, at: (offset: number) => Location): Problem[] {
  const problems: Problem[] = []
  visit(document, {
    Map: (_, map, above) => {
      const seen = new Set<unknown>()
      for (const { key } of map.items) {
        if (!isScalar(key)) continue
        if (seen.has(key.value)) {
          const begun = isSeq(above.at(-1)) && !map.flow && [...seen][0] === key.value
          const message = begun
            ? 'this key is there twice: the next entry of a list begins with `- `; or keep one of them'
            : 'this key is there twice; keep one of them'
          problems.push({ severity: 'error', location: at(key.range?.[0] ?? 0), path: '', message })
          // The keys of that entry are there twice for no other reason.
          if (begun) break
        }
        seen.add(key.value)
      }
    },
  })
  return problems
}

/** `{ spend: 50,000 CNY }`: between braces a comma ends a value, and 50 is not what was meant. */
function cutNumbers(document: Document, at: (offset: number) => Location): Problem[] {
  const problems: Problem[] = []
  visit(document, {
    Map: (_, map) => {
      if (!map.flow) return
      for (const [no, { key, value }] of map.items.entries()) {
        const { key: name, value: head } = map.items[no - 1] ?? {}
        if (isScalar(name) && looksSecret(String(name.value))) continue
        if (!isScalar(key) || !isScalar(head) || (value !== null && isScalar(value) && value.value !== null))
          continue
        const [first, rest] = [String(head.source ?? ''), String(key.source ?? '')]
        if (!/^\d{1,3}$/.test(first) || !/^\d{3}(?: [A-Z]{3}.*)?$/.test(rest)) continue
        problems.push({
          severity: 'error',
          location: at(head.range?.[0] ?? 0),
          path: '',
          message: `a comma ends the value here; write ${first}${rest}`,
          found: `${first},${rest}`,
        })
      }
    },
  })
  return problems
}

/** What each alias stands for: the part of the file that its anchor names before it. */
export function aliasTargets(document: Document): ReadonlyMap<Alias, Node> {
  const anchors = new Map<string, Node>()
  const targets = new Map<Alias, Node>()
  visit(document, {
    Node: (_, node) => {
      if (isAlias(node)) {
        const target = anchors.get(node.source)
        if (target) targets.set(node, target)
      } else if (isNode(node) && node.anchor !== undefined) anchors.set(node.anchor, node)
    },
  })
  return targets
}

/** Aliases of anchors there are not, of anchors they stand in themselves, and more of them than can be written out. */
function brokenAliases(
  document: Document,
  targets: ReadonlyMap<Alias, Node>,
  at: (offset: number) => Location,
): Problem[] {
  const problems: Problem[] = []
  const complain = (alias: Alias, message: string, found = `*${alias.source}`) =>
    problems.push({
      severity: 'error',
      location: at(alias.range?.[0] ?? 0),
      path: '',
      message,
      found,
    })
  const endless = new Set<Alias>()
  visit(document, {
    Alias: (_, alias, above) => {
      const target = targets.get(alias)
      const pair = above.at(-1)
      // A password, then, and no name of a part.
      const secret = isPair(pair) && isScalar(pair.key) && looksSecret(String(pair.key.value))
      if (!target && secret) complain(alias, 'a text that begins with * stands in quotes', '*…')
      else if (!target) {
        complain(
          alias,
          `no \`&${alias.source}\` before this names a part of the file; a text that begins with * stands in quotes`,
        )
      } else if (above.includes(target)) {
        endless.add(alias)
        complain(
          alias,
          `\`*${alias.source}\` stands inside what \`&${alias.source}\` names, which would have no end`,
        )
      }
    },
  })
  if (endless.size > 0) return problems
  const sizeOf = measure(targets)
  let repeated = 0
  for (const [alias, target] of targets) {
    repeated += sizeOf(target)
    if (repeated <= MOST_REPEATED) continue
    complain(
      alias,
      `up to here, what is repeated by * comes to more than ${MOST_REPEATED.toLocaleString('en')} parts; repeat less, or write a campaign of its own`,
    )
    break
  }
  return problems
}

/** Keys, values and lists that aliases may repeat in a file. One that repeats others ten times over doubles in no time. */
const MOST_REPEATED = 10_000

/** How many parts a node has with its aliases written out. */
function measure(targets: ReadonlyMap<Alias, Node>): (node: unknown) => number {
  const known = new Map<unknown, number>()
  const sizeOf = (node: unknown): number => {
    const size = known.get(node) ?? parts(node)
    known.set(node, size)
    return size
  }
  const parts = (node: unknown): number => {
    if (isAlias(node)) return sizeOf(targets.get(node))
    if (isPair(node)) return sizeOf(node.key) + sizeOf(node.value)
    if (isCollection(node)) return node.items.reduce<number>((sum, item) => sum + sizeOf(item), 1)
    return 1
  }
  return sizeOf
}

/** The first place that is deeper than any file needs to be: whatever walks it would come to its end there. */
function tooDeep(document: Document, at: (offset: number) => Location): Problem[] {
  const problems: Problem[] = []
  visit(document, {
    Collection: (_, node, above) => {
      if (above.filter(isCollection).length < DEEPEST) return
      problems.push({ severity: 'error', location: at(node.range?.[0] ?? 0), path: '', message: TOO_DEEP })
      return visit.BREAK
    },
  })
  return problems
}

/** Where the innermost bracket or quote stands that is opened before an offset and closed nowhere. */
function openedAt(document: Document, text: string, before: number): number | undefined {
  let opened: number | undefined
  visit(document, {
    Node: (_, node) => {
      const [start, end] = isNode(node) && node.range ? node.range : []
      if (start === undefined || end === undefined || start > before) return
      const closing = CLOSING[text.charAt(start)]
      const quoted = isScalar(node) && (node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE')
      if (closing === undefined || !(quoted || (isCollection(node) && node.flow))) return
      if (end - start < 2 || text.charAt(end - 1) !== closing) opened = start
    },
  })
  return opened
}

const CLOSING: Readonly<Record<string, string>> = { '{': '}', '[': ']', '"': '"', "'": "'" }

/** The parser goes on as well as it can, and trips again over what it has not understood. */
function syntaxMistakes(document: Document, text: string, at: (offset: number) => Location): Problem[] {
  const errors: readonly YAMLError[] = [...document.errors, ...document.warnings]
  const multiline = new Set(
    errors.filter(({ code }) => code === 'MULTILINE_IMPLICIT_KEY').map(({ pos: [start] }) => start),
  )
  const problems: Problem[] = []
  let last: number | undefined
  let misplaced = false
  // Where one is, the parser has lost the blocks: what it says of lines below is of its own making.
  const tab = errors.find(({ code }) => code === 'TAB_AS_INDENT')?.pos[0] ?? Number.POSITIVE_INFINITY
  const conflict = /^<{7} .*$/m.exec(text)
  if (conflict && errors.length > 0) {
    const message =
      'a merge was left undone here (<<<<<<<, =======, >>>>>>>); keep one side, and take the marks out'
    return [{ severity: 'error', location: at(conflict.index), path: '', message }]
  }
  for (const { code, message, pos } of errors) {
    const { line = 1 } = at(pos[0])
    if (pos[0] > tab && code !== 'TAB_AS_INDENT') continue
    // Below a line that stands off, the next entry of its list passes for a text.
    if (misplaced && code === 'BLOCK_AS_IMPLICIT_KEY' && /^\s*- /.test(text.slice(pos[0], pos[0] + 200))) {
      last = line
      continue
    }
    const aftermath = last !== undefined && line <= last + 1
    last = line
    if (aftermath) continue
    // What the parser says behind it, to the end of the file, is of its own making.
    if (/^Unexpected flow-(?:map|seq)-start at node end/.test(message)) {
      const bracketed =
        "between braces a text ends before a bracket; put the whole value between single quotes: '…'"
      problems.push({ severity: 'error', location: at(pos[0]), path: '', message: bracketed })
      break
    }
    const unclosed = /^Missing closing .*quote$|must be sufficiently indented and end with/.test(message)
    const opened = unclosed ? openedAt(document, text, pos[0]) : undefined
    if (opened !== undefined) {
      const opening = text.charAt(opened)
      problems.push({
        severity: 'error',
        location: at(opened),
        path: '',
        message: `this \`${opening}\` is closed nowhere; end it with \`${CLOSING[opening]}\``,
        found: opening,
      })
      continue
    }
    // The value of a key, and below it, deeper, another key: the line below is the one that is wrong.
    const deeper = code === 'BLOCK_AS_IMPLICIT_KEY' && multiline.has(pos[0])
    const next = deeper ? /\n(?:[ \t]*(?:#.*)?\n)*[ \t]*(?=\S)/.exec(text.slice(pos[0])) : null
    const uneven = /^(All .* must start at the same column|Sequence item without)/.test(message)
    misplaced ||= uneven || next !== null || code === 'BAD_INDENT'
    problems.push({
      severity: 'error',
      location: at(next ? pos[0] + next.index + next[0].length : pos[0]),
      path: '',
      message: explain({ code, message, text, start: pos[0], deeper: next !== null, uneven }),
    })
  }
  return problems
}

/** What is wrong, in words of ours where we know better than the parser. */
function explain(mistake: {
  readonly code: YAMLError['code']
  readonly message: string
  readonly text: string
  /** Where in the text the parser stopped. */
  readonly start: number
  /** The line below has a key, deeper than this one, which has its value already. */
  readonly deeper: boolean
  readonly uneven: boolean
}): string {
  const { code, message, text, start, deeper, uneven } = mistake
  if (text.startsWith('// ', start)) return 'a comment begins with #'
  if (deeper)
    return 'this line is indented deeper than the one above, which has a value already; indent both alike'
  if (message.startsWith('Not a YAML token') && /[>|][^\n]*$/.test(text.slice(0, start)))
    return 'a text that begins with > or | stands in quotes; behind the bare sign it begins on the next line'
  if (code === 'MULTILINE_IMPLICIT_KEY' || message.startsWith('Implicit map keys need to be followed'))
    return 'a key is followed by a colon and a space: `key: value`'
  const fullWidth = code === 'BLOCK_AS_IMPLICIT_KEY' ? fullWidthHint(text.charAt(start)) : undefined
  if (fullWidth !== undefined) return fullWidth
  if (uneven)
    return 'the indentation is not that of the lines around it; give each its neighbours’ column, and each entry of a list its `- `'
  if (message.startsWith('Block collections are not allowed within flow'))
    return 'a comma is missing before this: { a: 1, b: 2 }'
  if (message.startsWith('Unexpected , in flow')) return 'nothing stands before this comma; take it out'
  if (/^Unexpected .*scalar at node end/.test(message))
    return "a text in quotes ends before this; put the whole between single quotes: '…'"
  if (/^Unexpected flow-(map|seq)-end token/.test(message))
    return `this \`${text.charAt(start)}\` closes nothing; take it out`
  return EXPLAINED[code] ?? `not valid YAML: ${message}`
}
