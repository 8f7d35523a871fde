/** Reads a number the way the file writes it; undefined where it is none. */
export type NumberReader = (value: unknown) => number | undefined

/** Points part thousands alone: 49.90 among numbers with a comma is either of two. */
const WITH_COMMA = /^[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?$/

/** @param decimal what stands before the cents: `1234.50`, or `1.234,50` and `1234,50` */
export function numberReader(decimal: '.' | ',' = '.'): NumberReader {
  return (value) => {
    const number = typeof value === 'string' ? written(value.trim(), decimal) : value
    return typeof number === 'number' && Number.isFinite(number) ? number : undefined
  }
}

/** A comma that parts thousands to half the world: by `--decimal ,` 1,299 would be a thousandth of it. */
const PERHAPS_THOUSANDS = /^\s*[+-]?[1-9]\d{0,2},\d{3}\s*$/

/**
 * What was expected of a value that {@link numberReader} cannot read, and the option by which it could.
 * @param decimal undefined where it was not said and can be; where nobody can, as over HTTP and in a sync, it is a point
 */
export function numberExpected(value: unknown, decimal?: '.' | ','): string {
  if (decimal === ',') return 'expected digits and a comma, such as 1.234,50'
  const comma = numberReader(',')(value) !== undefined && !PERHAPS_THOUSANDS.test(String(value))
  const hint = comma && decimal === undefined ? ', or say --decimal ,' : ''
  return `expected digits and a point, such as 1234.50${hint}`
}

/** As a spreadsheet writes long numbers out: with their first digits alone, which many of them share. */
const SHORTENED = /^\d([.,]\d+)?E\+\d{2,3}$/i

/** What is wrong with the long number a text was, an id or a phone number; undefined where no spreadsheet shortened it. */
export function shortenedProblem(text: string): string | undefined {
  if (!SHORTENED.test(text)) return undefined
  return `"${text}" is a number that a spreadsheet shortened; make the column text there, and save it again`
}

function written(text: string, decimal: '.' | ','): number | undefined {
  if (text === '') return undefined
  if (decimal === '.') return Number(text)
  return WITH_COMMA.test(text) ? Number(text.replaceAll('.', '').replace(',', '.')) : undefined
}
