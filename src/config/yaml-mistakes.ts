import { type Document, isCollection, isNode, isScalar, visit, type YAMLError } from 'yaml'
import type { Location, Problem } from '../errors.ts'
import { fullWidthHint } from './full-width.ts'

// What is wrong with a text as YAML, in words and where it is to be mended.

const EXPLAINED: Record<string, string> = {
  BAD_SCALAR_START: 'a text that begins with this character stands in quotes',
  TAB_AS_INDENT: 'a tab is used for indentation; use spaces',
  BAD_INDENT: 'the indentation does not fit what is above it',
  BLOCK_AS_IMPLICIT_KEY: 'a text with `: ` in it stands in quotes',
  MULTIPLE_DOCS: 'the file holds more than one document (---); keep one',
}

/** One problem for each mistake. @param at where an offset of the text stands in the file */
export function findMistakes(document: Document, text: string, at: (offset: number) => Location): Problem[] {
  const aliases = brokenAliases(document, at)
  const told = new Set(aliases.map(({ location }) => location.line))
  return [
    ...[...syntaxMistakes(document, text, at), ...repeatedKeys(document, at)].filter(
      ({ location }) => !told.has(location.line),
    ),
    ...aliases,
  ]
}

/** Keys that stood in the same block before. */
function repeatedKeys(document: Document, at: (offset: number) => Location): Problem[] {
  const problems: Problem[] = []
  visit(document, {
    Map: (_, map) => {
      const seen = new Set<unknown>()
      for (const { key } of map.items) {
        if (!isScalar(key)) continue
        if (seen.has(key.value)) {
          const message = 'this key is there twice; keep one of them'
          problems.push({ severity: 'error', location: at(key.range?.[0] ?? 0), path: '', message })
        }
        seen.add(key.value)
      }
    },
  })
  return problems
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

/** The parser goes on as well as it can, and trips again over what it has not understood. */
function syntaxMistakes(document: Document, text: string, at: (offset: number) => Location): Problem[] {
  const errors: readonly YAMLError[] = [...document.errors, ...document.warnings]
  const multiline = new Set(
    errors.filter(({ code }) => code === 'MULTILINE_IMPLICIT_KEY').map(({ pos: [start] }) => start),
  )
  const problems: Problem[] = []
  let last: number | undefined
  // Where one is, the parser has lost the blocks: what it says of lines below is of its own making.
  const tab = errors.find(({ code }) => code === 'TAB_AS_INDENT')?.pos[0] ?? Number.POSITIVE_INFINITY
  for (const { code, message, pos } of errors) {
    const { line = 1 } = at(pos[0])
    if (pos[0] > tab && code !== 'TAB_AS_INDENT') continue
    const aftermath = last !== undefined && line <= last + 1
    last = line
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
            : code === 'BLOCK_AS_IMPLICIT_KEY' && fullWidthHint(text.charAt(pos[0])) !== undefined
              ? (fullWidthHint(text.charAt(pos[0])) ?? '')
              : /^(All .* must start at the same column|Sequence item without)/.test(message)
                ? 'the indentation is not that of the lines around it; give each its neighbours’ column'
                : /^Unexpected flow-(map|seq)-end token/.test(message)
                  ? `this \`${text.charAt(pos[0])}\` closes nothing; take it out`
                  : (EXPLAINED[code] ?? `not valid YAML: ${message}`),
    })
  }
  return problems
}
