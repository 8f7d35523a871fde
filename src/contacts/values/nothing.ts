/** What a spreadsheet writes where a formula failed. */
const FAILED = /^#(N\/A|NV|REF!|NAME\?|VALUE!|DIV\/0!|NULL!|NUM!)$/i
/** As databases, programs and people write that there is none. `Null` and `Nan` are names, and stay. */
const WORDS: ReadonlySet<unknown> = new Set([
  ...['NULL', 'null', '(null)', '<null>', '\\N', 'N/A', 'n/a', 'NaN', 'undefined'],
  ...['-', '--', '–', '—'],
])

/** Of any of them: most values are none by their first letter. */
const BEGINNING = /^\s*[Nn(<\\u#–—-]/

/** MySQL's day where there is none. */
const ZERO_DAY = /^0000-00-00(?:[ T]00:00:00(?:\.0+)?)?\s*$/

/** Whether a formula failed where the value should be. */
export function isFailedFormula(text: string): boolean {
  return FAILED.test(text)
}

/**
 * Whether a value is a word for nothing, as exports have it in cells that are empty in the system they come from. Kept as a
 * text, people would be greeted by it, and as an id all who have none would be one.
 */
export function standsForNothing(value: unknown): boolean {
  if (typeof value !== 'string') return false
  if (value.startsWith('0000-00-00')) return ZERO_DAY.test(value)
  if (value.length > 12 || !BEGINNING.test(value)) return false
  const word = value.trim()
  return WORDS.has(word) || isFailedFormula(word)
}
