import { WinbackError } from '../errors.ts'

/**
 * The locale text is written in: the one asked for, or this machine's.
 * @throws WinbackError `usage.locale` for one whose language Winback does not speak
 */
export function chooseLocale(wanted: string | undefined): string {
  if (wanted === undefined) return Intl.DateTimeFormat().resolvedOptions().locale
  const language = languageTag(wanted)
  if (language === 'en' || language === 'zh') return wanted
  throw new WinbackError('usage.locale', `--locale "${wanted}": there are English and Chinese`, {
    remedy: 'Write --locale en or --locale zh-CN (or a variant, such as en-GB).',
  })
}

function languageTag(text: string): string | undefined {
  try {
    return new Intl.Locale(text).language
  } catch {
    return undefined
  }
}
