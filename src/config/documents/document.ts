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
  type YAMLMap,
} from 'yaml'
import { type Location, messageOf, type Problem } from '../../errors.ts'
import { tooDeepAt } from './depth.ts'
import { fullWidthHint, mendFullWidth } from './full-width.ts'
import { aliasTargets, findMistakes, TOO_DEEP } from './yaml-mistakes.ts'

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

/** Parses YAML 1.2. Never throws: what is wrong with the text is in `problems`, with its position. */
export function readDocument(file: string, source: string): SourceDocument {
  const lines = new LineCounter()
  const parse = (yaml: string, lineCounter: LineCounter) =>
    // Repeated keys are found by findMistakes: the parser would compare each key with all before it.
    parseDocument(yaml, { prettyErrors: false, lineCounter, uniqueKeys: false, merge: true })
  const deep = tooDeepAt(source)
  if (deep !== undefined) return refused(file, source, deep)
  const asWritten = parse(source, lines)
  // Where the text is no map of keys as it stands, full-width punctuation may be why; the rest is read in spite of it.
  const unlike = asWritten.errors.length > 0 || !isMap(asWritten.contents) || /^[ \t]*\u3000/m.test(source)
  const mended = unlike ? mendFullWidth(source) : undefined
  const mendedDeep = mended && tooDeepAt(mended.text)
  if (mended && mendedDeep !== undefined) return refused(file, source, mended.original(mendedDeep))
  const document = mended ? parse(mended.text, new LineCounter()) : asWritten
  const text = mended?.text ?? source
  const at = (offset: number): Location => {
    const { line, col } = lines.linePos(Math.min(mended?.original(offset) ?? offset, source.length))
    return { file, line, column: col }
  }

  const targets = aliasTargets(document)
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
    ...findMistakes(document, text, targets, at),
  ]
  let value: unknown
  if (problems.length === (mended?.found.length ?? 0)) {
    try {
      // How much they may repeat is looked at among the mistakes.
      value = document.toJS({ maxAliasCount: -1 })
    } catch (error) {
      problems.push({
        severity: 'error',
        location: at(0),
        path: '',
        message: `not valid YAML: ${messageOf(error)}`,
      })
    }
  }

  return { file, text: source, value, problems, ...locator(document, targets, text, at) }
}

/** A text of which no more is read than where it stands too deep. */
function refused(file: string, text: string, offset: number): SourceDocument {
  const before = text.slice(0, offset).split('\n')
  const location = { file, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
  const problems: Problem[] = [{ severity: 'error', location, path: '', message: TOO_DEEP }]
  return { file, text, value: undefined, problems, locate: () => location, locateInside: () => location }
}

/** Finds where paths stand in a document. */
function locator(
  document: Document,
  targets: ReturnType<typeof aliasTargets>,
  text: string,
  at: (offset: number) => Location,
): Pick<SourceDocument, 'locate' | 'locateInside'> {
  const resolve = (node: unknown): Node | undefined => {
    const target = isAlias(node) ? targets.get(node) : node
    return isNode(target) ? target : undefined
  }
  const root = resolve(document.contents)

  // Every key of a file may have to be located: they are looked up, not searched for.
  const pairs = new WeakMap<YAMLMap, ReadonlyMap<string, Pair>>()
  const pairOf = (map: YAMLMap, key: string): Pair | undefined => {
    const known = pairs.get(map) ?? pairsByKey(map)
    pairs.set(map, known)
    return known.get(key)
  }

  /** The node at `path`, the pair it hangs on, and how many steps of the path there are in the file. */
  const find = (path: Path): { node: Node | undefined; pair: Pair | undefined; depth: number } => {
    let node = root
    let pair: Pair | undefined
    for (const [depth, step] of path.entries()) {
      let next: unknown
      let nextPair: Pair | undefined
      if (isMap(node)) {
        nextPair = pairOf(node, String(step))
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

  return { locate, locateInside }
}

/** The pairs of a map by their keys as text; of a key that is there twice, the first. */
function pairsByKey(map: YAMLMap): ReadonlyMap<string, Pair> {
  const found = new Map<string, Pair>()
  for (const pair of map.items) {
    const key = isScalar(pair.key) ? String(pair.key.value) : undefined
    if (key !== undefined && !found.has(key)) found.set(key, pair)
  }
  return found
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
