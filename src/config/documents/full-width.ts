import type { Problem } from '../../errors.ts'

// Punctuation as Chinese and Japanese input methods, and word processors, write it. To a person it looks right, to YAML
// and CEL it is a letter like any other: so it is named, where it is what is wrong.

const TYPOGRAPHIC: Readonly<Record<string, readonly [name: string, plain: string]>> = {
  '：': ['full-width colon', ':'],
  '，': ['full-width comma', ','],
  '、': ['full-width comma', ','],
  '。': ['full-width full stop', '.'],
  '（': ['full-width bracket', '('],
  '）': ['full-width bracket', ')'],
  '【': ['full-width bracket', '['],
  '】': ['full-width bracket', ']'],
  '“': ['typographic quote', '"'],
  '”': ['typographic quote', '"'],
  '„': ['typographic quote', '"'],
  '‘': ['typographic quote', "'"],
  '’': ['typographic quote', "'"],
  '\u3000': ['full-width space', ' '],
  '\u00a0': ['no-break space', ' '],
}

/** Characters that nobody sees, as chats and pages add them to what is copied. */
export const UNSEEN = /[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]/

const codeOf = (character: string) =>
  `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`

/** `：` is the full-width colon; write `:`. Undefined for every other character. */
export function fullWidthHint(character: string): string | undefined {
  if (UNSEEN.test(character))
    return `a character that nobody sees (${codeOf(character)}) is here; take it out`
  if (character === '\u3000') return 'this is a full-width space (U+3000); write an ordinary space'
  if (character === '\u00a0') return 'this is a no-break space (U+00A0); write an ordinary space'
  const [name, plain] = TYPOGRAPHIC[character] ?? []
  if (name !== undefined) return `\`${character}\` is the ${name}; write \`${plain}\``
  // The other full-width forms stand in the order of ASCII.
  if (!/^[\uff01-\uff5e]$/.test(character)) return undefined
  const ascii = String.fromCharCode(character.charCodeAt(0) - 0xfee0)
  return `\`${character}\` is a full-width character; write \`${ascii}\``
}

/** The offset of the first such character, or undefined. */
export function firstFullWidth(text: string): number | undefined {
  const at = text.search(/[\u00a0\u3000。、【】“”„‘’\uff01-\uff5e]/)
  const unseen = text.search(UNSEEN)
  const both = [at, unseen].filter((each) => each !== -1)
  return both.length === 0 ? undefined : Math.min(...both)
}

/** `о` of the Cyrillic alphabet for `o`: what a name has in the place of a letter that it was to have. */
function lookAlike(found: string, meant: string): string | undefined {
  const [letters, plain] = [[...found], [...meant]]
  if (letters.length !== plain.length) return undefined
  const at = letters.findIndex((letter, no) => letter !== plain[no])
  const [letter = '', instead = ''] = [letters[at], plain[at]]
  return letter > '\x7f' && instead <= '\x7f' && instead !== ''
    ? `\`${letter}\` is another character (${codeOf(letter)}) than \`${instead}\``
    : undefined
}

/** The problem, and what a full-width character in the value it names has to do with it. */
export function explainFullWidth(problem: Problem): Problem {
  const { found, message, path, suggestion } = problem
  // A condition is not named as a whole: its texts may hold what they like.
  const named = found !== undefined && (message.includes(found) || path.endsWith(found))
  const at = named ? firstFullWidth(found) : undefined
  const hint =
    at === undefined
      ? named && suggestion !== undefined
        ? lookAlike(found, suggestion)
        : undefined
      : fullWidthHint(found?.charAt(at) ?? '')
  return hint === undefined || message.includes(hint)
    ? problem
    : { ...problem, message: `${message} (${hint})` }
}

/** YAML that was mended so that the rest of it can be read. */
export interface Mended {
  readonly text: string
  /** Where each full-width character stood, in the text as written. */
  readonly found: readonly { readonly offset: number; readonly character: string }[]
  /** The offset in the text as written of an offset in `text`. */
  original(offset: number): number
}

const isSpace = (character: string) => character === '\u3000' || character === '\u00a0'
const INDENT = /^[ \t]*[\u3000\u00a0][ \t\u3000\u00a0]*(?=\S)/
/** A key and its colon, and the space behind them. */
const KEYED = /^[ \t\u3000\u00a0]*(?:-[ \t]+)*[A-Za-z_][\w-]*:[\u3000\u00a0]/
const KEY = /^[ \t\u3000]*(?:-[ \t\u3000]+)*[A-Za-z_][\w-]*[ \t\u3000]*：/
/** Between the braces of `{ kind: coupon， amount： 5 CNY }`: before a key, and after one. */
const FLOW =
  /，(?=[ \t\u3000]*[A-Za-z_][\w-]*[ \t\u3000]*[:：])|(?<=[{,，][ \t\u3000]*[A-Za-z_][\w-]*[ \t\u3000]*)：/g

/**
 * Replaces the full-width characters that stand where YAML needs its own: a key's colon, the comma between two keys, the
 * indentation. Texts keep theirs. Undefined where there is none.
 */
export function mendFullWidth(text: string): Mended | undefined {
  const found: { offset: number; character: string }[] = []
  const inserted: number[] = []
  let mended = ''
  let start = 0
  for (const line of text.split('\n')) {
    const places = new Set<number>()
    const code = line.replace(/(^|\s)#.*$/, '')
    const indent = INDENT.exec(code)?.[0] ?? ''
    for (const [at, character] of [...indent].entries()) if (isSpace(character)) places.add(at)
    const key = KEY.exec(code)?.[0]
    if (key !== undefined) places.add(key.length - 1)
    const keyed = KEYED.exec(code)?.[0]
    if (keyed !== undefined) places.add(keyed.length - 1)
    if (code.includes('{')) for (const match of code.matchAll(FLOW)) places.add(match.index)

    let indented = false
    for (const [at, character] of [...line.split('')].entries()) {
      if (!places.has(at)) {
        mended += character
        continue
      }
      // An indentation is one mistake, however wide.
      if (!isSpace(character) || !indented) found.push({ offset: start + at, character })
      indented ||= isSpace(character)
      mended += TYPOGRAPHIC[character]?.[1] ?? character
      if (!isSpace(character) && /\S/.test(line[at + 1] ?? ' ')) {
        inserted.push(mended.length)
        mended += ' '
      }
    }
    mended += '\n'
    start += line.length + 1
  }
  if (found.length === 0) return undefined
  return {
    text: mended.slice(0, -1),
    found,
    original: (offset) => offset - inserted.filter((place) => place < offset).length,
  }
}
