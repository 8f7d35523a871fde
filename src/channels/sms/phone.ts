// Numbers as people write them, and what a channel makes of them: the country's code may be missing, and a zero may
// stand for the way out of town.

/** Mainland China: where Aliyun's numbers are. */
export const CHINA = '86'

/**
 * Countries that keep the zero when they are called from abroad: it is part of the number. All others either drop it
 * or know no number that begins with it. By Google's libphonenumber, whose fixed or mobile numbers begin with a zero
 * there (and 0549 of San Marino): Italy and the Vatican, San Marino, Ivory Coast, Burkina Faso, Benin, Congo,
 * Tajikistan. Gabon's are from before 2019.
 */
const KEEP_ZERO = new Set(['39', '378', '225', '226', '229', '242', '992'])

/** Numbers within a country, where all are of one length that tells them from those with the country's code. */
const WITHIN: Readonly<Record<string, RegExp>> = {
  // Mobile numbers, which alone can take text; a number with the code is 13 digits long and begins with 8.
  [CHINA]: /^1[3-9]\d{9}$/,
  // North America: neither the area nor the exchange begins with 0 or 1.
  1: /^[2-9]\d{2}[2-9]\d{6}$/,
}

/** Whether a zero in front of a number within the country is no part of it. */
export function dropsZero(country: string): boolean {
  return !KEEP_ZERO.has(country)
}

/** True where the digits can only be a number within the country; false where that is not known. */
export function isWithin(digits: string, country: string): boolean {
  return WITHIN[country]?.test(digits) ?? false
}

/**
 * A number as E.164: `+`, country, number. One without its country is of `country`, where that is given; one that has
 * the country's code without a plus is taken as such where it cannot be a number within the country. A zero in front is
 * dropped where the country drops it: `0170…`, `+49 (0)170…`.
 * @param country digits of a country code, `86`
 */
export function parsePhone(text: string, country: string | undefined): string | undefined {
  if (text.length > 40) return undefined
  const compact = text.normalize('NFKC').replace(/[\s().\-–/]/g, '')
  const dialled = compact.startsWith('00') ? `+${compact.slice(2)}` : compact
  const whole = country === undefined ? dialled : withCountry(dialled, country)
  return /^\+[1-9]\d{7,14}$/.test(whole) ? whole : undefined
}

function withCountry(dialled: string, country: string): string {
  const rest = (digits: string) => (dropsZero(country) ? digits.replace(/^0/, '') : digits)
  const after = dialled.replace(/^\+/, '').slice(country.length)
  if (dialled.startsWith('+'))
    return dialled.startsWith(`+${country}`) ? `+${country}${rest(after)}` : dialled
  // The patterns leave no doubt: what has the code in front is too long for a number within the country.
  return dialled.startsWith(country) && isWithin(rest(after), country)
    ? `+${country}${rest(after)}`
    : `+${country}${rest(dialled)}`
}

/** The countries of numbers that have none, as the channels of a workspace take them: those from outside, too. */
export function countriesOf({
  channels = {},
  outside = new Map(),
}: {
  readonly channels?: Readonly<Record<string, unknown>> | undefined
  readonly outside?: ReadonlyMap<string, { readonly settings: unknown }> | undefined
}): string[] {
  const blocks = [...Object.values(channels), ...[...outside.values()].map(({ settings }) => settings)]
  const found = blocks.flatMap((settings) => {
    if (typeof settings !== 'object' || settings === null) return []
    if ('provider' in settings && settings.provider === 'aliyun') return [CHINA]
    return 'country' in settings && typeof settings.country === 'string' ? [settings.country] : []
  })
  return [...new Set(found)].filter((country) => /^\d{1,3}$/.test(country))
}
