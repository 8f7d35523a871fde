import fc from 'fast-check'

const SURROGATES = { from: 0xd800, count: 0x800 }

/**
 * Any character there may be, alone: a unit of `fc.string`. Its own unit `binary` is the same after two seconds of a processor
 * for a table, within whatever test asks first.
 */
export const codePoint: fc.Arbitrary<string> = fc.nat(0x10ffff - SURROGATES.count).map(
  (place) => String.fromCodePoint(place < SURROGATES.from ? place : place + SURROGATES.count),
  (text) => {
    const point = typeof text === 'string' && [...text].length === 1 ? text.codePointAt(0) : undefined
    if (point === undefined) throw new Error('not one character')
    return point < SURROGATES.from ? point : point - SURROGATES.count
  },
)
