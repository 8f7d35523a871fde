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

function written(text: string, decimal: '.' | ','): number | undefined {
  if (text === '') return undefined
  if (decimal === '.') return Number(text)
  return WITH_COMMA.test(text) ? Number(text.replaceAll('.', '').replace(',', '.')) : undefined
}
