// JSON that other systems wrote. Its numbers have as many digits as they like, and those of JavaScript 53 bits.

/** Where a number may stand that has more digits than a number keeps, or none at all: `1e400`. */
const PERHAPS_LONG = /[:[,]\s*-?(?:\d{16}|[\d.]+[eE]\+?\d{3})/
const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/**
 * The value of a JSON text. A whole number that would lose digits is the text it is written as: two customers whose ids
 * of 19 digits differ in the last would be one.
 * @throws SyntaxError
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text)
  return PERHAPS_LONG.test(text) ? JSON.parse(text.replaceAll(STRING_OR_NUMBER, quotedWhereLong)) : value
}

/** Whether a value is what JSON calls an object: neither null nor a list. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function quotedWhereLong(token: string): string {
  if (token.startsWith('"')) return token
  const number = Number(token)
  const kept = Number.isFinite(number) && (Number.isSafeInteger(number) || !/^-?\d+$/.test(token))
  return kept ? token : `"${token}"`
}
