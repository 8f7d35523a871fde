import type { Problem } from '../../errors.ts'
import { finding } from '../checks/findings.ts'
import type { Path, SourceDocument } from './document.ts'

// How much a file may hold. Far beyond what anybody keeps an eye on by hand; what is checked, compiled and run for each
// of its parts would take minutes otherwise, and one line in the wrong place would be lost among them.

/** Entries of one list or block: attributes, offers, seeds. */
const MOST_ENTRIES = 1000
/** Characters of one text, the longest conditions and queries included. */
const LONGEST_TEXT = 20_000
/** Steps of a campaign, over all its tiers: each may ask about each before it. */
const MOST_STEPS = 300

/** What is too large in a file; where anything is, nothing else of the file needs to be looked at. */
export function checkSizes(document: SourceDocument): Problem[] {
  return [...tooLarge(document, document.value, []), ...tooManySteps(document)]
}

function* tooLarge(document: SourceDocument, value: unknown, path: Path): Generator<Problem> {
  if (typeof value === 'string' && value.length > LONGEST_TEXT) {
    yield finding(
      document,
      path,
      `this text has ${count(value.length)} characters, and at most ${count(LONGEST_TEXT)} may be; shorten it`,
      { found: `${count(value.length)} characters` },
    )
  }
  if (typeof value !== 'object' || value === null) return
  const entries = Object.entries(value)
  if (entries.length > MOST_ENTRIES) {
    const name = path.length === 0 ? 'the file' : `\`${String(path.at(-1))}\``
    yield finding(
      document,
      path,
      `${name} has ${count(entries.length)} entries, and at most ${count(MOST_ENTRIES)} may be; leave out what nobody needs, or keep it outside as data`,
      { at: 'key' },
    )
    return
  }
  for (const [key, inner] of entries) {
    yield* tooLarge(document, inner, [...path, Array.isArray(value) ? Number(key) : key])
  }
}

function* tooManySteps(document: SourceDocument): Generator<Problem> {
  const { tiers } = Object(document.value) as { tiers?: unknown }
  if (!Array.isArray(tiers)) return
  const steps = tiers.map((tier: unknown) => {
    const { steps } = Object(tier) as { steps?: unknown }
    return Array.isArray(steps) ? steps.length : 0
  })
  const all = steps.reduce((sum, each) => sum + each, 0)
  if (all <= MOST_STEPS) return
  yield finding(
    document,
    ['tiers'],
    `the tiers have ${count(all)} steps, and a campaign at most ${count(MOST_STEPS)}; make it several campaigns`,
    { at: 'key' },
  )
}

function count(number: number): string {
  return number.toLocaleString('en')
}
