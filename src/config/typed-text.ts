import { WinbackError } from '../errors.ts'

// What people type to be kept: one bound for each kind of text, at the terminal, on the pages and in the API. The lists
// these stand in are read by people; without a bound, a log that was pasted would hide all else in them.

/** Characters that a text of each kind may have. */
export const LONGEST_TYPED = {
  /** What somebody or something is called: a user, a key of the API. */
  name: 100,
  /** A line: the reason of a pause, who takes a call, where a consent was given. */
  line: 200,
  /** What was said in a call, the words somebody agreed to. */
  note: 5000,
} as const

/**
 * The text without the blanks around it.
 * @param what is typed, as an error names it: `--reason`
 * @throws WinbackError `usage.text` where it is longer than its kind may be
 */
export function typedText(text: string, kind: keyof typeof LONGEST_TYPED, what: string): string {
  const trimmed = text.trim()
  const { length } = [...trimmed]
  const most = LONGEST_TYPED[kind]
  if (length <= most) return trimmed
  throw new WinbackError(
    'usage.text',
    `${what} has ${length.toLocaleString('en')} characters, and ${most.toLocaleString('en')} is the most`,
    {
      remedy: kind === 'note' ? 'Say it shorter.' : 'Say it in a few words.',
      facts: { length, most },
    },
  )
}
