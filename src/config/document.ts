import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
  visit,
  type YAMLError,
} from 'yaml'
import { type Location, messageOf, type Problem } from '../errors.ts'
import { fullWidthHint, mendFullWidth } from './full-width.ts'

/** Keys and indexes from the root of a document: `['tiers', 1, 'steps']`. */
export type Path = readonly (string | number)[]

/** A YAML file that was read: its value, and where each part of it stands in the text. */
export interface SourceDocument {
  readonly file: string
  readonly text: string
  /** Plain JavaScript values; undefined where the text is not YAML. */
  readonly value: unknown
  /** What is wrong with the YAML itself. */
  readonly problems: readonly Problem[]
  /**
   * Where a path stands: its value, or its key. For a path that is not in the file: the nearest parent that is.
   */
  locate(path: Path, at?: 'value' | 'key'): Location
  /** Where the character at `offset` of a text value stands in the file, whatever way the text is quoted. */
  locateInside(path: Path, offset: number): Location
}

const EXPLAINED: Record<string, string> = {
  DUPLICATE_KEY: 'this key is there twice; keep one of them',
  BAD_SCALAR_START: 'a text that begins with this character stands in quotes',
  TAB_AS_INDENT: 'a tab is used for indentation; use spaces',
  BAD_INDENT: 'the indentation does not fit what is above it',
  BLOCK_AS_IMPLICIT_KEY: 'a text with `: ` in it stands in quotes',
  MULTIPLE_DOCS: 'the file holds more than one document (---); keep one',
}

/** Parses YAML 1.2. Never throws: what is wrong with the text is in `problems`, with its position. */
export function readDocument(file: string, source: string): SourceDocument {
  const lines = new LineCounter()
  const parse = (yaml: string, lineCounter: LineCounter) =>
    parseDocument(yaml, { prettyErrors: false, lineCounter, uniqueKeys: true })
  const asWritten = parse(source, lines)
  // Where the text is no map of keys as it stands, full-width punctuation may be why; the rest is read in spite of it.
  const unlike = asWritten.errors.length > 0 || !isMap(asWritten.contents) || /^[ \t]*\u3000/m.test(source)
  const mended = unlike ? mendFullWidth(source) : undefined
  const document = mended ? parse(mended.text, new LineCounter()) : asWritten
  const text = mended?.text ?? source
  const at = (offset: number): Location => {
    const { line, col } = lines.linePos(Math.min(mended?.original(offset) ?? offset, source.length))
    return { file, line, column: col }
  }

  const broken = brokenAliases(document, at)
  const problems: Problem[] = [
    ...(mended?.found ?? []).map(({ offset, character }): Problem => {
      const { line, col } = lines.linePos(offset)
      return {
        severity: 'error',
        location: { file, line, column: col },
        path: '',
        message: fullWidthHint(character) ?? `\`${character}\` cannot stand here`,
        found: character,
      }
    }),
    ...mistakes(document, text, at).filter(
      ({ location }) => !broken.some((alias) => alias.location.line === location.line),
    ),
    ...broken,
  ]
  let value: unknown
  if (problems.length === (mended?.found.length ?? 0)) {
    try {
      value = document.toJS({ maxAliasCount: 100 })
    } catch (error) {
      problems.push({
        severity: 'error',
        location: at(0),
        path: '',
        message: `not valid YAML: ${messageOf(error)}`,
      })
    }
  }

  const resolve = (node: unknown): Node | undefined => {
    const target = isAlias(node) ? node.resolve(document) : node
    return isNode(target) ? target : undefined
  }
  const root = resolve(document.contents)

  /** The node at `path`, the pair it hangs on, and how many steps of the path there are in the file. */
  const find = (path: Path): { node: Node | undefined; pair: Pair | undefined; depth: number } => {
    let node = root
    let pair: Pair | undefined
    for (const [depth, step] of path.entries()) {
      let next: unknown
      let nextPair: Pair | undefined
      if (isMap(node)) {
        nextPair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step))
        next = nextPair?.value ?? nextPair?.key
      } else if (isSeq(node) && typeof step === 'number') {
        next = node.items[step]
      }
      const found = resolve(next)
      if (!found) return { node, pair, depth }
      node = found
      pair = nextPair
    }
    return { node, pair, depth: path.length }
  }

  const locate = (path: Path, place: 'value' | 'key' = 'value'): Location => {
    const { node, pair, depth } = find(path)
    // A block collection starts at its first child, which would be blamed for its parent: name the key instead.
    const whole = depth === path.length && place === 'value' && !(isCollection(node) && !node.flow)
    const key = isNode(pair?.key) ? pair.key : undefined
    const target = whole ? node : (key ?? node)
    return at(target?.range?.[0] ?? 0)
  }

  const locateInside = (path: Path, offset: number): Location => {
    const { node, depth } = find(path)
    if (depth < path.length || !isScalar(node) || typeof node.value !== 'string') return locate(path)
    return at(offsetInside(text, node, node.value, offset))
  }

  return { file, text: source, value, problems, locate, locateInside }
}

/** Aliases of anchors there are not, and of anchors they stand in themselves. */
function brokenAliases(document: Document, at: (offset: number) => Location): Problem[] {
  const problems: Problem[] = []
  visit(document, {
    Alias: (_, alias, above) => {
      const target = alias.resolve(document)
      if (target && !above.includes(target)) return
      problems.push({
        severity: 'error',
        location: at(alias.range?.[0] ?? 0),
        path: '',
        message: target
          ? `\`*${alias.source}\` stands inside what \`&${alias.source}\` names, which would have no end`
          : `no \`&${alias.source}\` before this names a part of the file; a text that begins with * stands in quotes`,
        found: `*${alias.source}`,
      })
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

/** One problem for each mistake: the parser goes on as well as it can, and trips again over what it has not understood. */
function mistakes(document: Document, text: string, at: (offset: number) => Location): Problem[] {
  const errors: readonly YAMLError[] = [...document.errors, ...document.warnings]
  const multiline = new Set(
    errors.filter(({ code }) => code === 'MULTILINE_IMPLICIT_KEY').map(({ pos: [start] }) => start),
  )
  const problems: Problem[] = []
  let last: number | undefined
  for (const { code, message, pos } of errors) {
    const { line = 1 } = at(pos[0])
    const aftermath = code !== 'DUPLICATE_KEY' && last !== undefined && line <= last + 1
    if (code !== 'DUPLICATE_KEY') last = line
    if (aftermath) continue
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
    problems.push({
      severity: 'error',
      location: at(next ? pos[0] + next.index + next[0].length : pos[0]),
      path: '',
      message: next
        ? 'this line is indented deeper than the one above, which has a value already; indent both alike'
        : message.startsWith('Not a YAML token') && /[>|][^\n]*$/.test(text.slice(0, pos[0]))
          ? 'a text that begins with > or | stands in quotes; behind the bare sign it begins on the next line'
          : code === 'MULTILINE_IMPLICIT_KEY'
            ? 'a key is followed by a colon and a space: `key: value`'
            : /^(All .* must start at the same column|Sequence item without)/.test(message)
              ? 'the indentation is not that of the lines around it; give each its neighbours’ column'
              : /^Unexpected flow-(map|seq)-end token/.test(message)
                ? `this \`${text.charAt(pos[0])}\` closes nothing; take it out`
                : (EXPLAINED[code] ?? `not valid YAML: ${message}`),
    })
  }
  return problems
}

/** The offset in the file of one character of a scalar's value. */
function offsetInside(text: string, node: Scalar, value: string, offset: number): number {
  const [start = 0, end = text.length] = node.range ?? []
  if (node.type === 'QUOTE_DOUBLE') return doubleQuoted(text, start + 1, end - 1)[offset] ?? end - 1
  const block = node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED'
  const single = node.type === 'QUOTE_SINGLE'

  // Every other style keeps the characters that are not white space, in their order, so value and source are walked side
  // by side. White space between them may be folded, indented or stripped, and is stepped over where it is found.
  let at = block ? text.indexOf('\n', start) + 1 : single ? start + 1 : start
  for (const [index, character] of [...value].map(indexed())) {
    if (!isBlank(character)) while (isBlank(text[at])) at += 1
    if (index >= offset) break
    if (!isBlank(character)) at += single && text.startsWith("''", at) ? 2 : character.length
    else if (text[at] === character) at += 1
  }
  return Math.min(at, end)
}

/** Pairs each character with its offset in UTF-16 units. */
function indexed(): (character: string) => [number, string] {
  let next = 0
  return (character) => {
    const index = next
    next += character.length
    return [index, character]
  }
}

const ESCAPE_LENGTH: Record<string, number> = { x: 4, u: 6, U: 10 }

/** Where each UTF-16 unit of a double-quoted text begins: escapes are one, and lines are folded. */
function doubleQuoted(text: string, start: number, end: number): number[] {
  const places: number[] = []
  // Blanks before a line break are not part of the value, unless they were escaped.
  let solid = 0
  let at = start
  while (at < end) {
    if (text[at] === '\\' && /[\r\n]/.test(text[at + 1] ?? '')) {
      at += 1
      while (isBlank(text[at])) at += 1
      solid = places.length
    } else if (text[at] === '\\') {
      const length = ESCAPE_LENGTH[text[at + 1] ?? ''] ?? 2
      const code = Number.parseInt(text.slice(at + 2, at + length), 16)
      places.push(at, ...(length === 10 && code > 0xffff ? [at] : []))
      solid = places.length
      at += length
    } else if (text[at] === '\n' || text[at] === '\r') {
      places.length = solid
      const from = at
      while (isBlank(text[at])) at += 1
      const breaks = text.slice(from, at).split('\n').length - 1
      for (let no = 0; no < Math.max(1, breaks - 1); no++) places.push(from + no)
      solid = places.length
    } else {
      places.push(at)
      if (!isBlank(text[at])) solid = places.length
      at += 1
    }
  }
  return places
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\n' || character === '\t' || character === '\r'
}

/** A path as people read it: `tiers[1].steps[0].template`. */
export function formatPath(path: Path): string {
  return path
    .map((step, index) => (typeof step === 'number' ? `[${step}]` : index ? `.${step}` : step))
    .join('')
}

/** The value at `path`, or undefined. */
export function valueAt(value: unknown, path: Path): unknown {
  let current = value
  for (const step of path) {
    if (current === null || typeof current !== 'object') return undefined
    current = Object.hasOwn(current, step) ? Reflect.get(current, step) : undefined
  }
  return current
}
