/**
 * A number as E.164: `+`, country, number. One without its country is of `country`, where that is given.
 * @param country digits of a country code, `86`
 */
export function parsePhone(text: string, country: string | undefined): string | undefined {
  if (text.length > 40) return undefined
  const compact = text.normalize('NFKC').replace(/[\s().\-–/]/g, '')
  const dialled = compact.startsWith('00') ? `+${compact.slice(2)}` : compact
  const whole = dialled.startsWith('+') || country === undefined ? dialled : `+${country}${dialled}`
  return /^\+[1-9]\d{7,14}$/.test(whole) ? whole : undefined
}
