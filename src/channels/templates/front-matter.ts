import { distance } from 'fastest-levenshtein'
import type { Location, Problem } from '../../errors.ts'

// The lines between `---` at the head of a template. `key: value`, one a line; a value is itself a template,
// rendered as plain text. This is deliberately not YAML: no nesting, no lists, nothing to get wrong.

export const FRONT_KEYS = ['subject', 'preheader', 'from_name', 'layout', 'url'] as const
/** `param_NAME`: a value for the placeholder NAME of a text that a provider keeps. */
export type FrontKey = (typeof FRONT_KEYS)[number] | `param_${string}`

export interface FrontEntry {
  readonly value: string
  /** 1-based, where the value starts. */
  readonly line: number
  readonly column: number
}

export interface FrontMatter {
  readonly entries: ReadonlyMap<FrontKey, FrontEntry>
  /** What follows the front matter. */
  readonly body: string
  /** How many lines of the file come before the body. */
  readonly linesBefore: number
  readonly problems: readonly Problem[]
}

const ENTRY = /^([A-Za-z_][A-Za-z0-9_-]*):([ \t]*)(.*)$/

function isFrontKey(key: string): key is FrontKey {
  return FRONT_KEYS.some((known) => known === key) || /^param_\w+$/.test(key)
}

/** The nearest of `names`, where one is near enough to be a slip of the hand. */
export function nearest(name: string, names: Iterable<string>): string | undefined {
  let best: string | undefined
  let least = Math.max(2, Math.floor(name.length / 3)) + 1
  for (const candidate of names) {
    const away = distance(name, candidate)
    if (away < least) {
      least = away
      best = candidate
    }
  }
  return best
}

/** Splits a template file into front matter and body. Never throws: what is wrong comes back as problems. */
export function parseFrontMatter(text: string, file: string): FrontMatter {
  const lines = text
    .replace(/^\uFEFF/, '')
    .replaceAll('\r\n', '\n')
    .split('\n')
  const entries = new Map<FrontKey, FrontEntry>()
  const problems: Problem[] = []
  const complain = (
    at: Omit<Location, 'file'>,
    message: string,
    more: Partial<Pick<Problem, 'found' | 'expected' | 'suggestion'>> = {},
  ) => {
    problems.push({ severity: 'error', location: { file, ...at }, path: 'front matter', message, ...more })
  }

  if (lines[0]?.trimEnd() !== '---') return { entries, body: lines.join('\n'), linesBefore: 0, problems }
  const end = lines.findIndex((line, index) => index > 0 && line.trimEnd() === '---')
  if (end === -1) {
    complain({ line: 1, column: 1 }, 'the front matter is never closed: a second line `---` is missing')
    return { entries, body: '', linesBefore: lines.length, problems }
  }

  for (const [index, line] of lines.slice(1, end).entries()) {
    const at = index + 2
    if (line.trim() === '' || line.startsWith('#')) continue
    const match = ENTRY.exec(line)
    if (!match) {
      const wide = /^[A-Za-z_][A-Za-z0-9_-]*\s*(?=：)/.exec(line)?.[0]
      const message = wide === undefined ? 'expected `key: value`' : '`：` is the full-width colon; write `:`'
      complain({ line: at, column: (wide?.length ?? 0) + 1 }, message, { found: line.trim() })
      continue
    }
    const [, key = '', space = '', rest = ''] = match
    if (!isFrontKey(key)) {
      const suggestion = nearest(key, FRONT_KEYS)
      complain({ line: at, column: 1 }, `unknown key \`${key}\``, {
        found: key,
        expected: FRONT_KEYS.join(', '),
        suggestion,
      })
      continue
    }
    if (entries.has(key)) {
      complain({ line: at, column: 1 }, `\`${key}\` is given twice`)
      continue
    }
    const bare = rest.trim()
    const quoted = /^(["'])(.*)\1$/.exec(bare)
    const value = quoted ? (quoted[2] ?? '') : bare
    const column = key.length + 2 + space.length + (quoted ? 1 : 0)
    if (value === '') {
      complain({ line: at, column }, `\`${key}\` has no value`)
      continue
    }
    entries.set(key, { value, line: at, column })
  }
  return { entries, body: lines.slice(end + 1).join('\n'), linesBefore: end + 1, problems }
}
